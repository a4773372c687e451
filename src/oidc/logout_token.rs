//! A logout token: whose logins end (OpenID Connect Back-Channel Logout 1.0, sections 2.4 and
//! 2.6).

use serde_json::Value;

use super::{Claims, Settings, TokenError, token::Header};
use crate::{
    ProviderSession, Subject,
    provider::{LogoutNotice, LogoutScope},
};

/// The member of `events` that makes a token a logout token.
const EVENT: &str = "http://schemas.openid.net/event/backchannel-logout";
/// How old a logout token may be, whatever its `exp`, in seconds: a day. Which ones were
/// applied is remembered for as long as the program runs and no longer.
const OLDEST: f64 = 24.0 * 60.0 * 60.0;

/// Reads the claims of a logout token, beyond what holds for every token.
pub(super) fn read(
    header: &Header,
    claims: &Claims,
    issuer: &str,
    settings: &Settings,
    now: f64,
) -> Result<LogoutNotice, TokenError> {
    match header.kind()?.as_deref() {
        Some("logout+jwt") => {}
        None | Some("jwt") if !settings.asks_for_logout_type => {}
        _ => return Err(TokenError::Type),
    }
    if Claims::is_older(claims.issued_at()?, OLDEST, now) {
        return Err(TokenError::TooOld);
    }
    let token_id = claims.token_id()?.ok_or(TokenError::Missing("jti"))?;
    let events = claims.get("events").ok_or(TokenError::Missing("events"))?;
    // On a value that is no object there is no member.
    if !events.get(EVENT).is_some_and(Value::is_object) {
        return Err(TokenError::Events);
    }
    // Null too: an ID token that somebody sends again is no logout.
    if claims.has("nonce") {
        return Err(TokenError::HasNonce);
    }
    let person = claims.subject()?.map(|id| Subject::new(issuer, id));
    let session = claims.session()?.map(|id| ProviderSession::new(issuer, id));
    let scope = match (person, session) {
        (Some(person), None) => LogoutScope::Person(person),
        (Some(person), Some(_)) if settings.logs_out_whole_person => LogoutScope::Person(person),
        (person, Some(session)) => LogoutScope::session(session, person),
        (None, None) => return Err(TokenError::Nobody),
    };
    Ok(LogoutNotice::new(scope).with_id(token_id))
}
