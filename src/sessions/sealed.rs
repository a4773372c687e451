//! Logins sealed in the browser's cookie.

use cookie::Cookie;
use serde::{Deserialize, Serialize};

use super::{LoginCookie, LoginRecord, SessionKeys, presented::PresentedLogin};
use crate::{LoginId, Timestamp};

/// The most that browsers keep of a cookie, name and value together, in bytes (RFC 6265bis,
/// section 5.6). They drop a larger one without an error.
pub(super) const LARGEST_COOKIE: usize = 4_096;

/// When a login was last used: a cookie of its own, the only one that a renewal sets.
#[derive(Serialize, Deserialize)]
struct Activity {
    id: LoginId,
    seen: Timestamp,
}

/// What the cookies of one layer are sealed for: they open for no other purpose, site or name.
fn context(what: &str, scope: &str, cookie: &str) -> String {
    format!("axum-clef 1\n{what}\n{scope}\n{cookie}")
}

/// Opens the cookie of a login that the layer `owns`.
pub(super) fn open(
    keys: &SessionKeys,
    cookie: &LoginCookie,
    scope: &str,
    value: &[u8],
    owns: impl Fn(&LoginRecord<'_>) -> bool,
) -> Option<PresentedLogin> {
    if value.len() > LARGEST_COOKIE {
        return None;
    }
    let text = keys.open(value, &context("login", scope, cookie.name()))?;
    let is_ours = LoginRecord::read(&text).is_some_and(|login| owns(&login));
    is_ours.then(|| PresentedLogin::sealed(text))
}

/// When the login with this id was last used, as one of these cookies says.
pub(super) fn seen<'a>(
    keys: &SessionKeys,
    cookie: &LoginCookie,
    scope: &str,
    values: impl Iterator<Item = &'a [u8]>,
    id: LoginId,
) -> Option<Timestamp> {
    let context = context("idle", scope, cookie.name());
    let opened = values.filter_map(|value| keys.open(value, &context));
    let activities = opened.filter_map(|text| serde_json::from_str::<Activity>(&text).ok());
    let of_this = activities.filter(|activity| activity.id == id);
    of_this.map(|activity| activity.seen).max()
}

/// Seals a login: the value of its cookie. `Err` with its size if no browser would keep it.
pub(super) fn seal<'a>(
    keys: &SessionKeys,
    cookie: &LoginCookie,
    scope: &str,
    mut login: LoginRecord<'a>,
    hint: Option<&'a str>,
) -> Result<String, SealError> {
    login.hint = hint.unwrap_or_default().into();
    let sealed = sealed(keys, cookie, scope, &login)?;
    let size = cookie.name().len() + sealed.len();
    if size <= LARGEST_COOKIE {
        return Ok(sealed);
    }
    if hint.is_none() {
        return Err(SealError::TooLarge(size));
    }
    tracing::debug!("the sign-out hint does not fit into the cookie and is left out");
    seal(keys, cookie, scope, login, None)
}

/// A login was not sealed.
pub(super) enum SealError {
    /// It takes so many bytes.
    TooLarge(usize),
    Failed,
}

fn sealed(
    keys: &SessionKeys,
    cookie: &LoginCookie,
    scope: &str,
    login: &LoginRecord<'_>,
) -> Result<String, SealError> {
    let text = serde_json::to_string(login).map_err(|_| SealError::Failed)?;
    let context = context("login", scope, cookie.name());
    keys.seal(&text, &context).ok_or(SealError::Failed)
}

/// The cookie that says when a login was last used.
pub(super) fn activity(
    keys: &SessionKeys,
    cookie: &LoginCookie,
    scope: &str,
    id: LoginId,
    seen: Timestamp,
    idle: std::time::Duration,
) -> Option<Cookie<'static>> {
    let text = serde_json::to_string(&Activity { id, seen }).ok()?;
    let value = keys.seal(&text, &context("idle", scope, cookie.name()))?;
    Some(cookie.idle(value, idle))
}
