//! Reading security event tokens (RFC 8417; SSF 1.0, section 4).

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use super::{
    EventSubject, SecurityEvent, SecurityEventError, SecurityEventKind, dialect::Dialect, event,
    subject::member_names,
};
use crate::jose::{Claims, Token, TokenError};

/// How many events a token may have. SSF asks for one.
const MOST_EVENTS: usize = 8;

/// The values that a token must match.
pub(super) struct ExpectedClaims<'a> {
    pub(super) issuer: &'a str,
    pub(super) audiences: &'a [String],
    pub(super) dialect: Dialect,
    /// In seconds. `None` where the token came from the sender itself.
    pub(super) longest_age: Option<f64>,
    /// In seconds since the Unix epoch.
    pub(super) now: f64,
}

impl ExpectedClaims<'_> {
    /// Checks the claims that have the same meaning in all tokens of events.
    pub(super) fn check(&self, claims: &Claims) -> Result<(), TokenError> {
        match claims.text("iss")? {
            Some(issuer) if self.dialect.is_same_issuer(issuer, self.issuer) => {}
            Some(_) => return Err(TokenError::Issuer),
            None => return Err(TokenError::Missing("iss")),
        }
        let audience = claims.get("aud").ok_or(TokenError::Missing("aud"))?;
        let named = match audience {
            Value::Array(audience) => audience.as_slice(),
            one => std::slice::from_ref(one),
        };
        if !named
            .iter()
            .any(|one| self.audiences.iter().any(|ours| one == ours))
        {
            return Err(TokenError::Audience);
        }
        let issued_at = claims.issued_at()?;
        if Claims::is_ahead(issued_at, self.now) {
            return Err(TokenError::NotYet);
        }
        let is_old = |age| Claims::is_older(issued_at, age, self.now);
        match self.longest_age.is_some_and(is_old) {
            true => Err(TokenError::TooOld),
            false => Ok(()),
        }
    }
}

/// The content of a token.
pub(super) struct EventToken {
    pub(super) id: String,
    pub(super) events: Vec<SecurityEvent>,
    /// The names of the members of all complex subjects.
    pub(super) subject_members: BTreeSet<String>,
}

/// Reads a token.
///
/// # Errors
///
/// A [`SecurityEventError`] if the token is for another purpose, or malformed.
pub(super) fn read(
    token: &Token<'_>,
    expected: &ExpectedClaims<'_>,
) -> Result<EventToken, SecurityEventError> {
    let kind = token.header.kind()?;
    if !expected.dialect.accepts_type(kind.as_deref()) {
        return Err(TokenError::Type.into());
    }
    let claims = token.notice_claims()?;
    // Even if they are null. With the first two it could pass as an ID token (SSF 1.0, section
    // 4.1), and the last is an ID token's.
    for name in ["exp", "sub", "nonce"] {
        if claims.has(name) {
            return Err(TokenError::Unexpected(name).into());
        }
    }
    expected.check(&claims)?;
    let token_id = claims.token_id()?.ok_or(TokenError::Missing("jti"))?;
    let named = claims.get("events").ok_or(TokenError::Missing("events"))?;
    let named = named.as_object().filter(|events| is_plausible(events));
    let named = named.ok_or(TokenError::Form("events"))?;
    let issued_at = event::seconds(claims.issued_at()?);
    let occurred_at = claims.get("toe").and_then(event::time);
    let mut events = Vec::new();
    for (uri, members) in named {
        let members = members.as_object().ok_or(TokenError::Form("events"))?;
        let mut event = SecurityEvent::new(expected.issuer, token_id, uri, members);
        event.issued_at = issued_at;
        event.at = event.at.or(occurred_at);
        event.subject = subject(&claims, &event, expected.dialect)?;
        events.push(event);
    }
    let of_events = events.iter().map(|event| event.members.get("subject"));
    let subjects = of_events.chain([claims.get("sub_id")]).flatten();
    let subject_members = subjects.flat_map(member_names).map(str::to_owned).collect();
    Ok(EventToken {
        id: token_id.to_owned(),
        events,
        subject_members,
    })
}

fn is_plausible(events: &Map<String, Value>) -> bool {
    (1..=MOST_EVENTS).contains(&events.len())
}

/// The subject of the token, or of the event, as older senders write it. They must agree if there
/// are both.
fn subject(
    claims: &Claims,
    event: &SecurityEvent,
    dialect: Dialect,
) -> Result<Option<EventSubject>, SecurityEventError> {
    let of_token = claims.get("sub_id");
    let of_event = event
        .members
        .get("subject")
        .filter(|value| !value.is_null());
    let read =
        |subject: Option<&Value>| subject.map(|subject| EventSubject::read(subject, dialect));
    match (read(of_token), read(of_event)) {
        (None, None) => Ok(None),
        (Some(Some(one)), Some(Some(other))) if one != other => Err(SecurityEventError::Subject),
        (Some(Some(subject)), None | Some(Some(_))) | (None, Some(Some(subject))) => {
            Ok(Some(subject))
        }
        // An event of another kind may have its own form.
        _ if matches!(event.kind, SecurityEventKind::Unknown { .. }) => Ok(None),
        _ => Err(SecurityEventError::Subject),
    }
}
