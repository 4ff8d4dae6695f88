//! Keeps one account, or one operation of it, from taking the server for itself.
//!
//! Each account has a bucket for all that it calls and one for each operation. A call takes a token from both;
//! tokens come back with time. A call that finds a bucket empty takes nothing, so that whoever asks too often is
//! not punished for asking, and is told when there will be a token again.

use std::collections::HashMap;
use std::num::NonZeroU32;
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use calotype_core::ids::AccountId;
use calotype_core::time::Timestamp;

/// The most that a limit may allow in a second, and the largest burst.
pub const RATE_MAX: u32 = 1_000_000;

/// Calls of one account in a second, if nothing is said: what only a client that has gone wild will meet.
pub const ACCOUNT_PER_SECOND: u32 = 10_000;

/// Calls of one account at once, if nothing is said.
pub const ACCOUNT_BURST: u32 = 20_000;

/// Calls of one operation by one account in a second, if nothing is said.
pub const OPERATION_PER_SECOND: u32 = 5_000;

/// Calls of one operation by one account at once, if nothing is said.
pub const OPERATION_BURST: u32 = 10_000;

const SECOND_NS: i64 = 1_000_000_000;
const MILLISECOND_NS: i64 = 1_000_000;

/// So many calls in a second, and so many at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    /// Tokens that come back in a second.
    pub per_second: NonZeroU32,
    /// Tokens that a bucket holds.
    pub burst: NonZeroU32,
}

/// What is limited; `None` is not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// All calls of one account.
    pub account: Option<Rate>,
    /// The calls of one operation by one account.
    pub operation: Option<Rate>,
}

impl Rate {
    /// A rate; none, if there is to be no limit, which a zero says.
    #[must_use]
    pub const fn of(per_second: u32, burst: u32) -> Option<Self> {
        match (NonZeroU32::new(per_second), NonZeroU32::new(burst)) {
            (Some(per_second), Some(burst)) => Some(Self { per_second, burst }),
            _ => None,
        }
    }

    /// The time in which one token comes back.
    fn interval_ns(self) -> i64 {
        SECOND_NS / i64::from(self.per_second.get())
    }

    /// How far a bucket may be ahead of the time when a call comes.
    fn slack_ns(self) -> i64 {
        self.interval_ns() * (i64::from(self.burst.get()) - 1)
    }
}

impl Limits {
    /// Limits nothing.
    pub const NONE: Self = Self { account: None, operation: None };
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            account: Rate::of(ACCOUNT_PER_SECOND, ACCOUNT_BURST),
            operation: Rate::of(OPERATION_PER_SECOND, OPERATION_BURST),
        }
    }
}

/// A call came too soon.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TooSoon {
    /// After others of the account.
    Account {
        /// When there is a token again, in milliseconds.
        retry_after_ms: u64,
    },
    /// After others of the same operation.
    Operation {
        /// When there is a token again, in milliseconds.
        retry_after_ms: u64,
    },
}

/// The buckets of every account that has called.
#[derive(Debug)]
pub struct Throttle {
    limits: Limits,
    accounts: RwLock<HashMap<AccountId, Arc<Mutex<Buckets>>>>,
}

/// A bucket is the time at which it will be full again, in nanoseconds: each token that is taken moves it on by
/// the time in which one comes back.
#[derive(Debug, Default)]
struct Buckets {
    account: i64,
    /// In the order of the table of operations, as far as the account has called them.
    operations: Vec<i64>,
}

impl Throttle {
    /// Full buckets.
    #[must_use]
    pub fn new(limits: Limits) -> Self {
        Self { limits, accounts: RwLock::default() }
    }

    /// Takes a token for a call of the operation at this position of the table.
    ///
    /// # Errors
    /// [`TooSoon`]; then none was taken.
    pub fn admit(&self, account: &AccountId, operation: usize, now: Timestamp) -> Result<(), TooSoon> {
        if self.limits == Limits::NONE {
            return Ok(());
        }
        let now = now.as_millis().saturating_mul(MILLISECOND_NS);
        let buckets = self.buckets(account);
        let mut buckets = buckets.lock().unwrap_or_else(PoisonError::into_inner);
        let Buckets { account, operations } = &mut *buckets;
        let mut account = self.limits.account.map(|rate| (rate, account));
        if operations.len() <= operation {
            operations.resize(operation + 1, 0);
        }
        let mut operation = self.limits.operation.zip(operations.get_mut(operation));
        for (rate, full) in account.iter_mut().chain(&mut operation) {
            // A clock that was set back empties no bucket for longer than it takes to fill it.
            **full = (**full).min(now.saturating_add(rate.slack_ns() + rate.interval_ns()));
        }
        if let Some(retry_after_ms) = account.as_ref().and_then(|(rate, full)| wait_ms(*rate, **full, now)) {
            return Err(TooSoon::Account { retry_after_ms });
        }
        if let Some(retry_after_ms) = operation.as_ref().and_then(|(rate, full)| wait_ms(*rate, **full, now))
        {
            return Err(TooSoon::Operation { retry_after_ms });
        }
        for (rate, full) in account.into_iter().chain(operation) {
            *full = (*full).max(now).saturating_add(rate.interval_ns());
        }
        Ok(())
    }

    /// Forgets the accounts that are none any more.
    pub fn keep(&self, is_account: impl Fn(&AccountId) -> bool) {
        self.accounts
            .write()
            .unwrap_or_else(PoisonError::into_inner)
            .retain(|account, _| is_account(account));
    }

    /// The buckets of an account. Only proven callers have one, so there are as many as accounts.
    fn buckets(&self, account: &AccountId) -> Arc<Mutex<Buckets>> {
        if let Some(buckets) = self.accounts.read().unwrap_or_else(PoisonError::into_inner).get(account) {
            return Arc::clone(buckets);
        }
        let mut accounts = self.accounts.write().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(accounts.entry(account.clone()).or_default())
    }
}

/// How long there is no token in a bucket, in milliseconds; nothing if there is one.
fn wait_ms(rate: Rate, full: i64, now: i64) -> Option<u64> {
    let wait_ns = full.saturating_sub(now).saturating_sub(rate.slack_ns());
    (wait_ns > 0).then(|| wait_ns.unsigned_abs().div_ceil(MILLISECOND_NS.unsigned_abs()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_millis(1_774_598_950_000);

    fn throttle(account: (u32, u32), operation: (u32, u32)) -> Throttle {
        let limits =
            Limits { account: Rate::of(account.0, account.1), operation: Rate::of(operation.0, operation.1) };
        Throttle::new(limits)
    }

    fn one() -> AccountId {
        AccountId::trusted("1")
    }

    /// How many calls in a row are admitted at this time, a thousand at most.
    fn admitted(throttle: &Throttle, operation: usize, after_ms: i64) -> usize {
        let admit = |_: &usize| throttle.admit(&one(), operation, NOW.plus_millis(after_ms)).is_ok();
        (0..1_000).take_while(admit).count()
    }

    #[test]
    fn a_burst_and_then_one_for_each_interval() {
        let throttle = throttle((10, 3), (0, 0));
        assert_eq!(admitted(&throttle, 0, 0), 3);
        assert_eq!(throttle.admit(&one(), 0, NOW), Err(TooSoon::Account { retry_after_ms: 100 }));
        assert_eq!(
            throttle.admit(&one(), 1, NOW.plus_millis(99)),
            Err(TooSoon::Account { retry_after_ms: 1 })
        );
        assert_eq!(admitted(&throttle, 0, 100), 1, "at the time that was told");
        assert_eq!(admitted(&throttle, 0, 350), 2);
        assert_eq!(admitted(&throttle, 0, 1_000_000), 3, "no more than a burst, however long nothing came");
    }

    #[test]
    fn an_operation_is_limited_apart_from_the_others() {
        let throttle = throttle((10, 5), (1, 2));
        assert_eq!(admitted(&throttle, 0, 0), 2);
        assert_eq!(throttle.admit(&one(), 0, NOW), Err(TooSoon::Operation { retry_after_ms: 1_000 }));
        assert_eq!(admitted(&throttle, 1, 0), 2, "what was refused took no token of the account");
        // The account has one more, and then none for whatever operation.
        assert_eq!(admitted(&throttle, 1, 1_000), 1);
    }

    #[test]
    fn the_account_is_named_if_both_are_empty() {
        let throttle = throttle((1, 1), (1, 1));
        assert_eq!(admitted(&throttle, 0, 0), 1);
        assert_eq!(throttle.admit(&one(), 0, NOW), Err(TooSoon::Account { retry_after_ms: 1_000 }));
    }

    #[test]
    fn accounts_do_not_share() {
        let throttle = throttle((1, 1), (1, 1));
        for account in ["1", "2", "3"] {
            assert_eq!(throttle.admit(&AccountId::trusted(account), 0, NOW), Ok(()));
        }
        assert!(throttle.admit(&one(), 0, NOW).is_err());
        throttle.keep(|account| account.as_str() != "1");
        assert_eq!(throttle.accounts.read().unwrap().len(), 2);
        assert_eq!(throttle.admit(&one(), 0, NOW), Ok(()), "one that comes back begins anew");
    }

    #[test]
    fn nothing_is_limited_without_limits() {
        assert_eq!(admitted(&throttle((0, 0), (0, 0)), 0, 0), 1_000);
        assert_eq!(Rate::of(0, 5), None);
        assert_eq!(Rate::of(5, 0), None);
    }

    /// The largest numbers stay within the range of the arithmetic.
    #[test]
    fn the_ends_of_the_range() {
        let throttle = throttle((RATE_MAX, RATE_MAX), (1, RATE_MAX));
        for now in [i64::MIN, 0, NOW.as_millis(), i64::MAX] {
            let _ = throttle.admit(&one(), 0, Timestamp::from_millis(now));
        }
        let slow = Throttle::new(Limits { account: Rate::of(1, 1), operation: None });
        assert_eq!(slow.admit(&one(), 0, NOW), Ok(()));
        let back = NOW.plus_millis(-3_600_000);
        assert_eq!(slow.admit(&one(), 0, back), Err(TooSoon::Account { retry_after_ms: 1_000 }));
        assert_eq!(slow.admit(&one(), 0, back.plus_millis(1_000)), Ok(()), "a clock may be set back");
    }
}
