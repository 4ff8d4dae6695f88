//! Decides whether a role may be assumed for as long as is asked, and reads the names that go with it.

use std::fmt;

use crate::ids::AccountId;
use crate::ram::Authorized;
use crate::time::Timestamp;

/// The shortest session, in seconds.
pub const SESSION_S_MIN: i64 = 900;

/// How long a session lasts if nothing is said, in seconds.
pub const SESSION_S_DEFAULT: i64 = 3_600;

/// The least that a role may allow as its longest session, in seconds.
pub const ROLE_SESSION_S_MIN: i64 = 3_600;

/// The most that a role may allow as its longest session, in seconds.
pub const ROLE_SESSION_S_MAX: i64 = 43_200;

/// The longest name of a role, in characters.
pub const ROLE_NAME_CHARS_MAX: usize = 64;

/// The longest name of a session, in characters.
pub const SESSION_NAME_CHARS_MAX: usize = 64;

/// The shortest name of a session, in characters.
const SESSION_NAME_CHARS_MIN: usize = 2;

/// A role, as `acs:ram::ACCOUNT:role/NAME` names it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct RoleArn {
    /// The account that it belongs to.
    pub account: AccountId,
    /// Its name in the account.
    pub name: String,
}

/// What the caller calls its session: 2 to 64 letters, digits and `.@-_`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SessionName(String);

/// The text is not what it should be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("wrongly formed")]
pub struct WronglyFormed;

impl RoleArn {
    /// Reads a role.
    ///
    /// # Errors
    /// [`WronglyFormed`].
    pub fn parse(text: &str) -> Result<Self, WronglyFormed> {
        let rest = text.strip_prefix("acs:ram::").ok_or(WronglyFormed)?;
        let (account, name) = rest.split_once(":role/").ok_or(WronglyFormed)?;
        let account = AccountId::parse(account).map_err(|_| WronglyFormed)?;
        if is_role_name(name) { Ok(Self { account, name: name.to_owned() }) } else { Err(WronglyFormed) }
    }
}

impl fmt::Display for RoleArn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "acs:ram::{}:role/{}", self.account, self.name)
    }
}

impl SessionName {
    /// Reads the name of a session.
    ///
    /// # Errors
    /// [`WronglyFormed`].
    pub fn parse(text: &str) -> Result<Self, WronglyFormed> {
        let fits = (SESSION_NAME_CHARS_MIN..=SESSION_NAME_CHARS_MAX).contains(&text.len())
            && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".@-_".contains(&byte));
        if fits { Ok(Self(text.to_owned())) } else { Err(WronglyFormed) }
    }

    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Whether a role can have this name: 1 to 64 letters, digits, `.` and `-`. It stands in ARNs.
#[must_use]
pub fn is_role_name(text: &str) -> bool {
    !text.is_empty()
        && text.len() <= ROLE_NAME_CHARS_MAX
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".-".contains(&byte))
}

/// Why a role is not assumed, in the order in which it is checked. That the caller may, and that the role trusts
/// it, was found before: [`crate::ram::authorize_assume_role`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AssumeRefusal {
    /// There is no such role.
    #[error("no such role")]
    NoRole,
    /// The session is too short, or longer than the role allows.
    #[error("a session lasts {SESSION_S_MIN} to {longest_s} s")]
    Duration {
        /// The longest session of the role, in seconds.
        longest_s: i64,
    },
}

/// Decides how long a session lasts: until when, or the refusal. `longest_s` is the longest one of the role.
///
/// # Panics
/// If the permission is for something else.
///
/// # Errors
/// [`AssumeRefusal::Duration`].
pub fn decide(
    authorized: &Authorized,
    role: &RoleArn,
    longest_s: i64,
    asked_s: Option<i64>,
    now: Timestamp,
) -> Result<Timestamp, AssumeRefusal> {
    assert!(
        authorized.action() == "sts:AssumeRole" && authorized.covers("role", &role.name),
        "the permission is for something else"
    );
    let session_s = asked_s.unwrap_or(SESSION_S_DEFAULT);
    if !(SESSION_S_MIN..=longest_s).contains(&session_s) {
        return Err(AssumeRefusal::Duration { longest_s });
    }
    Ok(now.plus_millis(session_s * 1_000))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ram::{Arn, Context, Policies, Policy, Principal, PrincipalKind, TrustPolicy};
    use std::sync::Arc;

    const NOW: Timestamp = Timestamp::from_millis(1_774_598_950_500);

    fn role() -> RoleArn {
        RoleArn::parse("acs:ram::1000000000000001:role/builder").unwrap()
    }

    fn authorized(role: &RoleArn) -> Authorized {
        let kind = PrincipalKind::User { name: "ci".to_owned(), id: "2".to_owned() };
        let caller = Principal { account: role.account.clone(), kind };
        let allow = r#"{"Version":"1","Statement":[{"Effect":"Allow","Action":"*","Resource":"*"}]}"#;
        let identity = vec![Arc::new(Policy::parse("all", allow).unwrap())];
        let policies = Policies { identity, session: None };
        let trust = r#"{"Version":"1","Statement":[{"Effect":"Allow","Action":"sts:AssumeRole",
            "Principal":{"RAM":"acs:ram::1000000000000001:root"}}]}"#;
        let trust = TrustPolicy::parse(trust).unwrap();
        let context = Context {
            source_ip: None,
            secure_transport: true,
            now: NOW,
            user_agent: None,
            principal_arn: caller.arn(),
            access_key_id: String::new(),
            external_id: None,
            request_tags: Vec::new(),
            resource_tags: Vec::new(),
        };
        let arn = Arn::of("ram", &role.account, "role", &role.name);
        crate::ram::authorize_assume_role(&caller, &policies, arn, &trust, &context).unwrap()
    }

    #[test]
    fn a_session_lasts_as_long_as_the_role_allows_and_an_hour_if_nothing_is_said() {
        let (role, authorized) = (role(), authorized(&role()));
        let ask = |longest_s, asked_s| decide(&authorized, &role, longest_s, asked_s, NOW);
        let after = |seconds: i64| Ok(NOW.plus_millis(seconds * 1_000));
        assert_eq!(ask(3_600, None), after(3_600));
        assert_eq!(ask(43_200, None), after(3_600));
        for (longest_s, asked_s, fits) in [
            (3_600, 899, false),
            (3_600, 900, true),
            (3_600, 3_600, true),
            (3_600, 3_601, false),
            (43_200, 43_200, true),
            (43_200, 43_201, false),
            (43_200, 0, false),
            (43_200, i64::MAX, false),
            (43_200, i64::MIN, false),
        ] {
            let expected = if fits { after(asked_s) } else { Err(AssumeRefusal::Duration { longest_s }) };
            assert_eq!(ask(longest_s, Some(asked_s)), expected, "{asked_s} of {longest_s}");
        }
    }

    #[test]
    #[should_panic(expected = "the permission is for something else")]
    fn a_permission_for_another_role_is_none() {
        let other = RoleArn { name: "other".to_owned(), ..role() };
        let _ = decide(&authorized(&other), &role(), 3_600, None, NOW);
    }

    #[test]
    fn roles_are_named_by_account_and_name() {
        let long = format!("acs:ram::1000000000000001:role/{}", "x".repeat(64));
        for good in ["acs:ram::1000000000000001:role/builder", "acs:ram::1:role/A.b-9", &long] {
            assert_eq!(RoleArn::parse(good).unwrap().to_string(), good);
        }
        for bad in [
            "",
            "builder",
            "acs:ram::1:role/",
            "acs:ram:::role/x",
            "acs:ram::1:user/x",
            "acs:ram::1:role/a/b",
            "acs:ram::1:role/a_b",
            "acs:ram::1:role/*",
            "acs:ram::*:role/x",
            "acs:ram:cn-beijing:1:role/x",
            "ACS:ram::1:role/x",
            " acs:ram::1:role/x",
            &format!("{long}x"),
        ] {
            assert_eq!(RoleArn::parse(bad), Err(WronglyFormed), "{bad}");
        }
    }

    #[test]
    fn sessions_have_names_of_2_to_64_letters_digits_and_four_marks() {
        for good in ["ab", "al001", "a.b@c-d_e", &"x".repeat(64)] {
            assert_eq!(SessionName::parse(good).unwrap().as_str(), good);
        }
        for bad in ["", "a", "a b", "abc*abc", "a/b", "a:b", "\u{5fcd}\u{8005}", &"x".repeat(65)] {
            assert_eq!(SessionName::parse(bad), Err(WronglyFormed), "{bad}");
        }
    }
}
