//! The memory of spent nonces: no signed request is carried out twice.
//!
//! A nonce is remembered per access key, until the request that carried it can no longer pass the clock
//! check. Only a request whose signature is good may spend one, or strangers could burn nonces and fill
//! the memory. What is kept is a keyed 128-bit hash and not the text: 16 bytes whatever the client sends,
//! and a collision cannot be looked for from outside.

use std::collections::{BTreeMap, HashSet};
use std::hash::{BuildHasher, RandomState};
use std::sync::{Mutex, MutexGuard, PoisonError};

use calotype_core::time::Timestamp;

use super::request::CLOCK_WINDOW_MS;

/// How many nonces are remembered at most, if nothing else is said: a quarter of an hour at 4,600 requests
/// per second, in about 200 MiB (measured).
pub const NONCES_MAX: usize = 1 << 22;

/// A power of two. Sixteen locks, so that a table that grows holds up only a part of the requests.
const SHARDS: usize = 16;

/// How many expired nonces a call forgets at most: more than the one it adds, so that the memory gets
/// smaller, and few, so that no single call pays for all.
const FORGOTTEN_PER_CALL_MAX: usize = 32;

const MINUTE_MS: i64 = 60_000;

/// The spent nonces of all access keys, in memory.
#[derive(Debug)]
pub struct Nonces {
    keys: [RandomState; 2],
    shards: [Mutex<Shard>; SHARDS],
    shard_max: usize,
    refused_before: Option<Timestamp>,
}

/// Why a nonce cannot be spent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NonceRefused {
    /// The same access key used it already.
    #[error("nonce was used already")]
    Used,
    /// The memory is full. To let the request pass would mean that it could be repeated.
    #[error("memory for nonces is full")]
    Full,
}

#[derive(Debug, Default)]
struct Shard {
    spent: HashSet<u128>,
    /// What may be forgotten once the minute is over. Each hash stands in exactly one of them.
    by_last_minute: BTreeMap<i64, Vec<u128>>,
}

impl Default for Nonces {
    fn default() -> Self {
        Self::with_capacity_max(NONCES_MAX)
    }
}

impl Nonces {
    /// A memory for at most about `nonces_max` nonces. It takes room only as it is filled.
    #[must_use]
    pub fn with_capacity_max(nonces_max: usize) -> Self {
        Self {
            keys: [RandomState::new(), RandomState::new()],
            shards: std::array::from_fn(|_| Mutex::default()),
            shard_max: nonces_max.div_ceil(SHARDS),
            refused_before: None,
        }
    }

    /// The same memory, which takes every nonce stamped before this time for spent: those spent between a
    /// backup and its restore are forgotten.
    #[must_use]
    pub fn refusing_before(self, time: Option<Timestamp>) -> Self {
        Self { refused_before: time, ..self }
    }

    /// Spends a nonce, exactly once per access key among any number of simultaneous calls.
    ///
    /// It is remembered until a quarter of an hour after `stamped`, the time in the request, and up to a
    /// minute longer.
    ///
    /// # Errors
    /// [`NonceRefused::Used`] if it was spent before, [`NonceRefused::Full`] if there is no room for it.
    ///
    /// Source: protocol, clock and replay.
    pub fn spend(
        &self,
        access_key_id: &str,
        nonce: &str,
        stamped: Timestamp,
        now: Timestamp,
    ) -> Result<(), NonceRefused> {
        if self.refused_before.is_some_and(|time| stamped < time) {
            return Err(NonceRefused::Used);
        }
        let hash = self.hash(access_key_id, nonce);
        let mut shard = self.shard(hash);
        shard.forget_before(minute(now));
        if shard.spent.contains(&hash) {
            return Err(NonceRefused::Used);
        }
        if shard.spent.len() >= self.shard_max {
            return Err(NonceRefused::Full);
        }
        shard.remember(hash, stamped);
        Ok(())
    }

    /// Puts back a nonce that was kept elsewhere, however full the memory is. To do so twice is harmless.
    pub fn restore(&self, access_key_id: &str, nonce: &str, stamped: Timestamp) {
        let hash = self.hash(access_key_id, nonce);
        self.shard(hash).remember(hash, stamped);
    }

    /// How many nonces are remembered, expired ones included that no call has forgotten yet.
    #[must_use]
    pub fn remembered(&self) -> usize {
        self.shards.iter().map(|shard| lock(shard).spent.len()).sum()
    }

    fn hash(&self, access_key_id: &str, nonce: &str) -> u128 {
        let [high, low] = self.keys.each_ref().map(|key| u128::from(key.hash_one((access_key_id, nonce))));
        high << 64 | low
    }

    fn shard(&self, hash: u128) -> MutexGuard<'_, Shard> {
        lock(&self.shards[usize::from(hash.to_le_bytes()[0]) % SHARDS])
    }
}

impl Shard {
    fn remember(&mut self, hash: u128, stamped: Timestamp) {
        if self.spent.insert(hash) {
            let last_minute = minute(stamped.plus_millis(CLOCK_WINDOW_MS));
            self.by_last_minute.entry(last_minute).or_default().push(hash);
        }
    }

    /// Forgets some of what only had to be remembered before the minute `current`.
    fn forget_before(&mut self, current: i64) {
        for _ in 0..FORGOTTEN_PER_CALL_MAX {
            let Some(mut oldest) = self.by_last_minute.first_entry().filter(|entry| *entry.key() < current)
            else {
                return;
            };
            if let Some(hash) = oldest.get_mut().pop() {
                self.spent.remove(&hash);
            } else {
                oldest.remove();
                // After a busy time the table would stay as large as it ever was.
                if self.spent.capacity() / 4 > self.spent.len() {
                    self.spent.shrink_to(self.spent.len() * 2);
                }
            }
        }
    }
}

/// A panic elsewhere cannot leave a shard half changed in a way that matters: at worst one nonce stays.
fn lock(shard: &Mutex<Shard>) -> MutexGuard<'_, Shard> {
    shard.lock().unwrap_or_else(PoisonError::into_inner)
}

fn minute(time: Timestamp) -> i64 {
    time.as_millis().div_euclid(MINUTE_MS)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_millis(1_774_598_950_000);

    fn after(millis: i64) -> Timestamp {
        NOW.plus_millis(millis)
    }

    #[test]
    fn a_nonce_is_spent_once_per_access_key() {
        let nonces = Nonces::default();
        assert_eq!(nonces.spend("a", "1", NOW, NOW), Ok(()));
        assert_eq!(nonces.spend("a", "1", NOW, NOW), Err(NonceRefused::Used));
        assert_eq!(nonces.spend("b", "1", NOW, NOW), Ok(()));
        assert_eq!(nonces.spend("a1", "", NOW, NOW), Ok(()), "key and nonce are not run together");
    }

    #[test]
    fn it_is_remembered_as_long_as_its_request_could_come_again() {
        let nonces = Nonces::default();
        // Stamped as far ahead as the clock check allows, it counts for half an hour.
        let stamped = after(CLOCK_WINDOW_MS);
        nonces.spend("a", "1", stamped, NOW).unwrap();
        let last = after(2 * CLOCK_WINDOW_MS);
        assert_eq!(nonces.spend("a", "1", last, last), Err(NonceRefused::Used));
        let over = last.plus_millis(MINUTE_MS);
        assert_eq!(nonces.spend("a", "1", over, over), Ok(()));
    }

    #[test]
    fn what_is_restored_counts_as_spent() {
        let nonces = Nonces::with_capacity_max(0);
        nonces.restore("a", "1", NOW);
        nonces.restore("a", "1", NOW);
        assert_eq!(nonces.remembered(), 1);
        assert_eq!(nonces.spend("a", "1", NOW, NOW), Err(NonceRefused::Used));
        assert_eq!(nonces.spend("a", "2", NOW, NOW), Err(NonceRefused::Full));
    }

    #[test]
    fn what_was_stamped_before_a_restore_counts_as_spent() {
        let nonces = Nonces::default().refusing_before(Some(NOW));
        assert_eq!(nonces.spend("a", "1", after(-1), NOW), Err(NonceRefused::Used));
        assert_eq!(nonces.spend("a", "1", NOW, NOW), Ok(()));
    }

    #[test]
    fn a_full_memory_refuses_until_something_expires() {
        let nonces = Nonces::with_capacity_max(SHARDS * 4);
        let spend = |from: usize, now: Timestamp| -> usize {
            (from..from + 1_000).filter(|n| nonces.spend("a", &n.to_string(), now, now).is_ok()).count()
        };
        assert_eq!(spend(0, NOW), SHARDS * 4);
        assert_eq!(nonces.spend("a", "new", NOW, NOW), Err(NonceRefused::Full));
        let later = after(CLOCK_WINDOW_MS + MINUTE_MS);
        assert_eq!(spend(1_000, later), SHARDS * 4);
        assert_eq!(nonces.remembered(), SHARDS * 4, "what expired is gone");
    }

    #[test]
    fn of_simultaneous_calls_exactly_one_spends_the_nonce() {
        let nonces = Nonces::default();
        let won = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..8)
                .map(|_| {
                    scope.spawn(|| {
                        (0..500).filter(|n| nonces.spend("a", &n.to_string(), NOW, NOW).is_ok()).count()
                    })
                })
                .collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).sum::<usize>()
        });
        assert_eq!(won, 500);
    }
}
