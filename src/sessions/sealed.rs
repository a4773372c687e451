//! Logins sealed in the browser's cookie.

use std::sync::Arc;

use super::{
    LoginCookie, LoginRecord, SessionKeys,
    cookie::LARGEST_COOKIE,
    presented::{PresentedLogin, Source},
};
use crate::{BoxError, LoginId, Timestamp};
use cookie::Cookie;

/// A login could not be kept.
#[derive(Debug, thiserror::Error)]
pub(crate) enum BeginError {
    #[error("the session store did not answer")]
    Store(#[source] BoxError),
    #[error("the login could not be sealed")]
    NotSealed,
    #[error(
        "the login takes a cookie of {0} bytes, and browsers keep {LARGEST_COOKIE} at the most; \
         use shorter user ids, or keep logins in a session store"
    )]
    TooLarge(usize),
}

/// When a login was last used, in a cookie of its own: the only cookie that a renewal sets. It is
/// signed and not encrypted, as it has nothing to hide from its browser.
struct Activity {
    id: LoginId,
    last_seen_at: Timestamp,
}

impl Activity {
    const LENGTH: usize = 24;

    fn to_bytes(&self) -> Vec<u8> {
        let micros = self.last_seen_at.as_micros().to_be_bytes();
        [&self.id.to_bytes()[..], &micros].concat()
    }

    fn from_bytes(bytes: [u8; Self::LENGTH]) -> Option<Self> {
        let (id, micros) = bytes.split_first_chunk()?;
        let micros = i64::from_be_bytes(micros.try_into().ok()?);
        Some(Self {
            id: LoginId::from_bytes(*id),
            last_seen_at: Timestamp::from_micros(micros),
        })
    }
}

/// Opens the cookie of a login, and the activity cookie that belongs to it. `None` unless the layer
/// `owns` it.
pub(super) fn open<'a>(
    keys: &SessionKeys,
    cookie: &LoginCookie,
    value: &[u8],
    activity: impl Iterator<Item = &'a [u8]>,
    owns: impl Fn(&LoginRecord<'_>) -> bool,
) -> Option<Arc<PresentedLogin>> {
    if value.len() > LARGEST_COOKIE {
        return None;
    }
    let bytes = keys.open(value, cookie.login_context())?;
    PresentedLogin::read(bytes, Source::Sealed, owns, |login| {
        last_seen_at(keys, cookie, activity, login.id)
    })
}

/// When the login with this id was last used, by its activity cookie among these values.
fn last_seen_at<'a>(
    keys: &SessionKeys,
    cookie: &LoginCookie,
    values: impl Iterator<Item = &'a [u8]>,
    id: LoginId,
) -> Option<Timestamp> {
    let signed = values.filter_map(|value| keys.verify(value, cookie.activity_context()));
    let activities = signed.filter_map(Activity::from_bytes);
    let of_this = activities.filter(|activity| activity.id == id);
    of_this.map(|activity| activity.last_seen_at).max()
}

/// Seals a login, and returns the value of its cookie.
///
/// # Errors
///
/// When browsers would drop the cookie, even without the hint.
pub(super) fn seal<'a>(
    keys: &SessionKeys,
    cookie: &LoginCookie,
    mut login: LoginRecord<'a>,
    hint: Option<&'a str>,
) -> Result<String, BeginError> {
    login.hint = hint.unwrap_or_default();
    let sealed = sealed(keys, cookie, &login)?;
    let size = cookie.name().len() + sealed.len();
    if size <= LARGEST_COOKIE {
        return Ok(sealed);
    }
    if hint.is_none() {
        return Err(BeginError::TooLarge(size));
    }
    tracing::debug!("the sign-out hint does not fit into the cookie and is left out");
    seal(keys, cookie, login, None)
}

fn sealed(
    keys: &SessionKeys,
    cookie: &LoginCookie,
    login: &LoginRecord<'_>,
) -> Result<String, BeginError> {
    let record = login.to_bytes().map_err(|_| BeginError::NotSealed)?;
    let sealed = keys.seal(&record, cookie.login_context());
    sealed.ok_or(BeginError::NotSealed)
}

/// The activity cookie of a login.
pub(super) fn activity(
    keys: &SessionKeys,
    cookie: &LoginCookie,
    id: LoginId,
    last_seen_at: Timestamp,
    idle: std::time::Duration,
) -> Option<Cookie<'static>> {
    let activity = Activity { id, last_seen_at }.to_bytes();
    let value = keys.sign(&activity, cookie.activity_context())?;
    Some(cookie.activity(value, idle))
}
