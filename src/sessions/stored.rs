//! Logins in a session store of tower-sessions.

use std::{sync::Arc, time::Duration};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::Value;
use time::OffsetDateTime;
use tower_sessions::{
    SessionStore,
    session::{Id, Record},
    session_store::Error,
};

use super::{
    cookie::CLOCK_MARGIN,
    presented::{HINT, PresentedLogin, Source},
    record::LoginRecord,
    secret::CookieSecret,
};
use crate::{BoxError, Timestamp};

/// The login, in the data of a session record: when a request last counted as activity, in
/// microseconds, a dot, and the login's own record in Base64.
const LOGIN: &str = "axum-clef.login";

/// Loads the login that a cookie names. `None` unless the cookie has its secret and the layer
/// `owns` it.
///
/// # Errors
///
/// When the session store cannot answer.
pub(super) async fn load(
    store: &dyn SessionStore,
    cookie: &[u8],
    owns: impl Fn(&LoginRecord<'_>) -> bool,
) -> Result<Option<Arc<PresentedLogin>>, BoxError> {
    let Some((id, secret)) = read_cookie(cookie) else {
        return Ok(None);
    };
    let Some(record) = load_record(store, &id).await? else {
        return Ok(None);
    };
    let Some((last_seen_at, login)) = read_login(&record) else {
        return Ok(None);
    };
    let is_ours = |login: &LoginRecord<'_>| secret.matches(login.secret) && owns(login);
    let source = Source::Stored(record);
    Ok(PresentedLogin::read(login, source, is_ours, |_| {
        Some(last_seen_at)
    }))
}

fn read_cookie(cookie: &[u8]) -> Option<(Id, CookieSecret)> {
    let dot = cookie.iter().position(|byte| *byte == b'.')?;
    let id = str::from_utf8(&cookie[..dot]).ok()?.parse().ok()?;
    Some((id, CookieSecret::read(&cookie[dot + 1..])?))
}

/// Loads a record. `None` also if the store cannot decode it.
pub(super) async fn load_record(
    store: &dyn SessionStore,
    id: &Id,
) -> Result<Option<Record>, BoxError> {
    match store.load(id).await {
        Ok(record) => Ok(record),
        Err(Error::Decode(_)) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// When the login in a record was last used, and the login's own record.
pub(super) fn read_login(record: &Record) -> Option<(Timestamp, Vec<u8>)> {
    let (last_seen_at, login) = record.data.get(LOGIN)?.as_str()?.split_once('.')?;
    let last_seen_at = Timestamp::from_micros(last_seen_at.parse().ok()?);
    Some((last_seen_at, URL_SAFE_NO_PAD.decode(login).ok()?))
}

fn login_value(last_seen_at: Timestamp, login: &str) -> Value {
    format!("{}.{login}", last_seen_at.as_micros()).into()
}

/// Creates the record of a login, and returns the value of its cookie.
///
/// # Errors
///
/// When the session store cannot answer.
pub(super) async fn create(
    store: &Arc<dyn SessionStore>,
    mut login: LoginRecord<'_>,
    written_at: Timestamp,
    hint: Option<&str>,
    kept_for: Duration,
) -> Result<String, BoxError> {
    let secret = CookieSecret::random();
    let digest = secret.digest();
    login.secret = &digest;
    let text = URL_SAFE_NO_PAD.encode(login.to_bytes()?);
    let login = login_value(written_at, &text);
    let mut record = Record {
        id: Id::default(),
        data: [(LOGIN.to_owned(), login)].into(),
        expiry_date: expiry(kept_for),
    };
    if let Some(hint) = hint {
        record.data.insert(HINT.to_owned(), hint.into());
    }
    store.create(&mut record).await?;
    // The store may have changed the id.
    Ok(format!("{}.{}", record.id, secret.to_text()))
}

/// The record of a login that a request has just used. `None` if it has no login.
pub(super) fn renewed(
    record: &Record,
    last_seen_at: Timestamp,
    kept_for: Duration,
) -> Option<Record> {
    let mut record = record.clone();
    let value = record.data.get_mut(LOGIN)?;
    let (_, login) = value.as_str()?.split_once('.')?;
    *value = login_value(last_seen_at, login);
    record.expiry_date = expiry(kept_for);
    Some(record)
}

/// The record of a login, which expires in `kept_for` at the latest.
pub(super) fn retired(record: &Record, kept_for: Duration) -> Record {
    let mut record = record.clone();
    record.expiry_date = record.expiry_date.min(from_now(kept_for));
    record
}

fn expiry(kept_for: Duration) -> OffsetDateTime {
    from_now(kept_for.saturating_add(CLOCK_MARGIN))
}

fn from_now(duration: Duration) -> OffsetDateTime {
    let duration = time::Duration::try_from(duration).unwrap_or(time::Duration::MAX);
    OffsetDateTime::now_utc().saturating_add(duration)
}
