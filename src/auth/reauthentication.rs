//! Proving again who the user is: how recently, and whose login it is.

use std::time::Duration;

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;
use url::form_urlencoded;

use crate::{
    Timestamp,
    sessions::{LoginBinding, PresentedLogin},
};

/// The name of the parameter, at the start routes and at the login page.
pub(crate) const MAX_AGE: &str = "max_age";

/// How long ago the credentials may have been proven: `max_age` of OpenID Connect, in seconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct MaxAge(u32);

impl MaxAge {
    /// A minute. Less is over before a person has come back.
    const SHORTEST: u32 = 60;
    /// A day.
    pub(crate) const LONGEST: Self = Self(24 * 60 * 60);

    /// Ten minutes: the most for a link, since a client can change what a form asks for.
    pub(crate) const OF_LINKS: Self = Self(10 * 60);

    /// From 1 to 1,440 minutes.
    pub(crate) const fn from_minutes(minutes: u32) -> Option<Self> {
        match minutes.checked_mul(60) {
            Some(seconds) => Self::from_seconds(seconds),
            None => None,
        }
    }

    const fn from_seconds(seconds: u32) -> Option<Self> {
        if seconds < Self::SHORTEST || seconds > Self::LONGEST.0 {
            return None;
        }
        Some(Self(seconds))
    }

    /// Parses the value of the parameter. `None` unless it is from a minute to a day.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        // A sign would parse too.
        let is_number = text.bytes().all(|byte| byte.is_ascii_digit());
        let seconds = text.parse().ok().filter(|_| is_number)?;
        Self::from_seconds(seconds)
    }

    /// The one in a query, which a person can change. A value that is none counts as the shortest.
    pub(crate) fn in_query(query: Option<&str>) -> Option<Self> {
        let mut fields = form_urlencoded::parse(query.unwrap_or_default().as_bytes());
        let (_, value) = fields.find(|(name, _)| name == MAX_AGE)?;
        Some(Self::parse(&value).unwrap_or(Self(Self::SHORTEST)))
    }

    pub(crate) fn as_secs(self) -> u32 {
        self.0
    }

    pub(crate) fn as_duration(self) -> Duration {
        Duration::from_secs(self.0.into())
    }

    /// Whether credentials that were proven then are recent. Never if that time is unknown.
    pub(crate) fn allows(self, authenticated_at: Option<Timestamp>, now: Timestamp) -> bool {
        authenticated_at.is_some_and(|at| now.since(at) <= self.as_duration())
    }
}

/// A login that has to prove the credentials of the logged-in user again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Reauthentication {
    pub(crate) max_age: MaxAge,
    expected: Expected,
}

/// What has to come back.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Expected {
    /// Any user: it began unauthenticated.
    Anyone,
    User(UserDigest),
    /// An identity, which is linked to the user of this login. No login begins.
    Identity(LoginBinding),
}

/// The beginning of the SHA-256 of a user id, as an attempt has to be short.
type UserDigest = [u8; 16];

impl Reauthentication {
    pub(crate) fn new(max_age: MaxAge, user_id: Option<&str>) -> Self {
        let expected = user_id.map_or(Expected::Anyone, |id| Expected::User(digest(id)));
        Self { max_age, expected }
    }

    /// A proof of an identity, to link it to the user of this login.
    pub(crate) fn linking(max_age: MaxAge, login: &PresentedLogin) -> Self {
        let expected = Expected::Identity(login.binding());
        Self { max_age, expected }
    }

    /// Whether it links an identity instead of beginning a login.
    pub(crate) fn links(&self) -> bool {
        matches!(self.expected, Expected::Identity(_))
    }

    /// Whether it links an identity to the user of this login.
    pub(crate) fn links_to(&self, login: &PresentedLogin) -> bool {
        match &self.expected {
            Expected::Identity(binding) => binding.ct_eq(&login.binding()).into(),
            _ => false,
        }
    }

    /// Whether this user may complete it by a login.
    pub(super) fn is_for(&self, user_id: &str) -> bool {
        match &self.expected {
            Expected::Anyone => true,
            Expected::User(user) => user.ct_eq(&digest(user_id)).into(),
            Expected::Identity(_) => false,
        }
    }

    /// As an attempt keeps it.
    pub(super) fn to_text(&self) -> String {
        let age = self.max_age.0;
        match self.expected {
            Expected::Anyone => age.to_string(),
            Expected::User(user) => format!("{age}:u{}", URL_SAFE_NO_PAD.encode(user)),
            Expected::Identity(login) => format!("{age}:l{}", URL_SAFE_NO_PAD.encode(login)),
        }
    }

    pub(super) fn parse(text: &str) -> Option<Self> {
        let (max_age, expected) = match text.split_once(':') {
            Some((max_age, expected)) => (max_age, Some(expected)),
            None => (text, None),
        };
        let digest = |text: &str| URL_SAFE_NO_PAD.decode(text).ok()?.try_into().ok();
        let expected = match expected {
            None => Expected::Anyone,
            Some(expected) => match (expected.strip_prefix('u'), expected.strip_prefix('l')) {
                (Some(user), _) => Expected::User(digest(user)?),
                (_, Some(login)) => Expected::Identity(digest(login)?),
                _ => return None,
            },
        };
        Some(Self {
            max_age: MaxAge::parse(max_age)?,
            expected,
        })
    }
}

fn digest(user_id: &str) -> UserDigest {
    let digest: [u8; 32] = Sha256::digest(user_id).into();
    let mut beginning = UserDigest::default();
    beginning.copy_from_slice(&digest[..16]);
    beginning
}

/// The longest `next`, in bytes. With a longer one, the URL might be too long to be opened.
const LONGEST_NEXT: usize = 8_192;

/// The address of a page or route that logs in, with the way back and what it has to prove.
pub(crate) fn login_url(path: &str, max_age: Option<MaxAge>, next: Option<&str>) -> String {
    let mut fields = form_urlencoded::Serializer::new(String::new());
    if let Some(MaxAge(seconds)) = max_age {
        fields.append_pair(MAX_AGE, &seconds.to_string());
    }
    if let Some(next) = next.filter(|next| next.len() <= LONGEST_NEXT) {
        fields.append_pair("next", next);
    }
    match fields.finish() {
        query if query.is_empty() => path.to_owned(),
        query => format!("{path}?{query}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_way_back_that_is_too_long_is_left_out() {
        let longest = "x".repeat(LONGEST_NEXT);
        let url = login_url("/log-in", None, Some(&longest));
        assert_eq!(url, format!("/log-in?next={longest}"));
        let url = login_url("/log-in", None, Some(&format!("{longest}x")));
        assert_eq!(url, "/log-in");
    }

    #[test]
    fn an_age_is_whole_seconds_from_a_minute_to_a_day() {
        for (text, seconds) in [
            ("60", Some(60)),
            ("600", Some(600)),
            ("0600", Some(600)),
            ("86400", Some(86_400)),
            ("59", None),
            ("0", None),
            ("86401", None),
            ("4294967296", None),
            ("-600", None),
            ("+600", None),
            ("600.0", None),
            (" 600", None),
            ("6e2", None),
            ("", None),
        ] {
            let parsed = MaxAge::parse(text).map(MaxAge::as_secs);
            assert_eq!(parsed, seconds, "{text:?}");
            let query = format!("next=%2F&max_age={}", text.replace('+', "%2B"));
            let in_query = MaxAge::in_query(Some(&query)).map(MaxAge::as_secs);
            assert_eq!(in_query, Some(seconds.unwrap_or(60)), "{text:?}");
        }
        assert_eq!(MaxAge::in_query(Some("next=%2F%3Fmax_age%3D60")), None);
        assert_eq!(MaxAge::in_query(None), None);
        for (minutes, good) in [(0, false), (1, true), (1_440, true), (1_441, false)] {
            assert_eq!(MaxAge::from_minutes(minutes).is_some(), good, "{minutes}");
        }
        assert_eq!(MaxAge::from_minutes(u32::MAX), None);
    }

    #[test]
    fn recent_is_up_to_the_age_and_never_unknown() {
        let age = MaxAge::from_minutes(10).unwrap();
        let at = Timestamp::from_micros;
        for (proven, now, recent) in [
            (Some(0), 600_000_000, true),
            (Some(0), 600_000_001, false),
            (Some(5), 0, true),
            (Some(i64::MIN), i64::MAX, false),
            (None, 0, false),
        ] {
            let allowed = age.allows(proven.map(at), at(now));
            assert_eq!(allowed, recent, "{proven:?} {now}");
        }
    }

    #[test]
    fn what_an_attempt_keeps_reads_back_and_nothing_else_does() {
        let age = MaxAge::from_minutes(10).unwrap();
        for user in [None, Some(""), Some("1"), Some("a:b.c")] {
            let kept = Reauthentication::new(age, user);
            assert_eq!(Reauthentication::parse(&kept.to_text()), Some(kept));
        }
        let long = Reauthentication::new(age, Some(&"x".repeat(10_000))).to_text();
        assert!(long.len() < 30, "{long}");
        let another = long.replacen(":u", ":l", 1);
        assert!(Reauthentication::parse(&another).unwrap().links());
        let unknown = long.replacen(":u", ":x", 1);
        for text in [
            "",
            "x",
            "600:",
            "600:u",
            "600:lAAAA",
            "600:u!",
            &unknown,
            &(long + "A"),
        ] {
            assert_eq!(Reauthentication::parse(text), None, "{text}");
        }
    }
}
