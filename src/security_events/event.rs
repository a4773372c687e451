//! What a security event says.

use std::{collections::BTreeMap, fmt};

use serde_json::{Map, Value};

use super::{EventSubject, SecurityEventKind};
use crate::{LogoutCause, Timestamp, jose::now};

/// A verified security event, as [`on_event`](super::EventReceiver::on_event) receives it.
///
/// `Debug` shows nothing of whom it names and why.
#[derive(Clone)]
#[non_exhaustive]
pub struct SecurityEvent {
    /// The issuer of the token: the sender.
    pub issuer: String,
    /// The id of the token, the `jti`: unique for its issuer. The same event may come several
    /// times, with the same id.
    pub token_id: String,
    /// When the sender issued it, by its clock: the `iat`, often in whole seconds. Events may arrive
    /// out of order, so compare it with the time of the last event that you have applied.
    pub issued_at: Timestamp,
    /// What happened.
    pub kind: SecurityEventKind,
    /// Whom it happened to. `None` if the event names no subject, or in a form that this crate does not
    /// know.
    pub subject: Option<EventSubject>,
    /// When it happened, by the sender's clock. `None` if the sender does not say.
    pub at: Option<Timestamp>,
    /// Who or what caused it. `None` if the sender does not say.
    pub initiator: Option<Initiator>,
    /// The reason for administrators, by language tag.
    pub reason_admin: BTreeMap<String, String>,
    /// The reason for the user, by language tag.
    pub reason_user: BTreeMap<String, String>,
    /// All members of the event, as the sender wrote them.
    pub members: Map<String, Value>,
}

/// Who or what caused an event: the `initiating_entity` of CAEP (section 2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Initiator {
    /// An administrator.
    Administrator,
    /// The user.
    User,
    /// A policy.
    Policy,
    /// The system of the sender.
    System,
}

impl SecurityEvent {
    /// Creates an event from its URI and members, issued now and without a subject, for tests of a
    /// hook.
    ///
    /// ```
    /// use axum_clef::security_events::{SecurityEvent, SecurityEventKind};
    /// use serde_json::{Map, json};
    ///
    /// let members = Map::from_iter([("reason".to_owned(), json!("hijacking"))]);
    /// let uri = "https://schemas.openid.net/secevent/risc/event-type/account-disabled";
    /// let event = SecurityEvent::new("https://id.example.com", "1", uri, &members);
    /// assert_eq!(event.kind, SecurityEventKind::AccountDisabled);
    /// assert_eq!(event.text("reason"), Some("hijacking"));
    /// ```
    pub fn new(issuer: &str, token_id: &str, uri: &str, members: &Map<String, Value>) -> Self {
        Self {
            issuer: issuer.to_owned(),
            token_id: token_id.to_owned(),
            issued_at: seconds(now()),
            kind: SecurityEventKind::read(uri, members),
            subject: None,
            at: members.get("event_timestamp").and_then(time),
            initiator: initiator(members),
            reason_admin: reasons(members.get("reason_admin")),
            reason_user: reasons(members.get("reason_user")),
            members: members.clone(),
        }
    }

    /// A member of the event that is text, such as the `reason` of `account-disabled`.
    pub fn text(&self, name: &str) -> Option<&str> {
        self.members.get(name)?.as_str()
    }

    /// The cause of the logout, for the user store.
    pub(super) fn cause(&self) -> LogoutCause {
        match (&self.kind, self.initiator) {
            (SecurityEventKind::CredentialChange(_), _) => LogoutCause::CredentialsChanged,
            (_, Some(Initiator::User)) => LogoutCause::User,
            (_, Some(Initiator::Administrator)) => LogoutCause::Administrator,
            (_, Some(Initiator::Policy)) => LogoutCause::Policy,
            _ => LogoutCause::provider(self.kind.name()),
        }
    }
}

/// A time in seconds or, as Okta and Apple write it, in milliseconds since the Unix epoch.
pub(super) fn time(value: &Value) -> Option<Timestamp> {
    /// Later seconds than the year 5138, and earlier milliseconds than the year 1974.
    const MILLISECONDS: f64 = 1e11;

    let number = value.as_f64().filter(|number| *number >= 0.0)?;
    Some(seconds(if number < MILLISECONDS {
        number
    } else {
        number / 1e3
    }))
}

/// A time in seconds since the Unix epoch.
pub(super) fn seconds(seconds: f64) -> Timestamp {
    Timestamp::from_micros((seconds * 1e6) as i64)
}

fn initiator(members: &Map<String, Value>) -> Option<Initiator> {
    match members.get("initiating_entity")?.as_str()? {
        "admin" => Some(Initiator::Administrator),
        "user" => Some(Initiator::User),
        "policy" => Some(Initiator::Policy),
        "system" => Some(Initiator::System),
        _ => None,
    }
}

/// Texts by language. Older senders write one text, which is then under no language.
fn reasons(value: Option<&Value>) -> BTreeMap<String, String> {
    let own = |text: &Value| text.as_str().map(str::to_owned);
    match value {
        Some(Value::Object(texts)) => texts
            .iter()
            .filter_map(|(language, text)| Some((language.clone(), own(text)?)))
            .collect(),
        Some(text) => own(text)
            .into_iter()
            .map(|text| (String::new(), text))
            .collect(),
        None => BTreeMap::new(),
    }
}

impl fmt::Debug for SecurityEvent {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("SecurityEvent")
            .field("issuer", &self.issuer)
            .field("issued_at", &self.issued_at)
            .field("kind", &self.kind)
            .field("subject", &self.subject)
            .field("at", &self.at)
            .field("initiator", &self.initiator)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn times_are_read_in_seconds_and_in_milliseconds() {
        let at = Some(Timestamp::from_micros(1_615_304_991_500_000));
        assert_eq!(time(&json!(1_615_304_991_500_u64)), at);
        assert_eq!(time(&json!(1_615_304_991.5)), at);
        for bad in [json!(-1), json!("1615304991"), json!(null)] {
            assert_eq!(time(&bad), None, "{bad}");
        }
    }

    #[test]
    fn each_initiating_entity_is_an_initiator() {
        for (entity, expected) in [
            ("admin", Some(Initiator::Administrator)),
            ("user", Some(Initiator::User)),
            ("policy", Some(Initiator::Policy)),
            ("system", Some(Initiator::System)),
            ("other", None),
        ] {
            let members = json!({ "initiating_entity": entity });
            let found = initiator(members.as_object().unwrap());
            assert_eq!(found, expected, "{entity}");
        }
    }

    #[test]
    fn reasons_have_languages_or_none() {
        let both = reasons(Some(&json!({ "en": "Lost", "de": "Verloren", "x": 1 })));
        assert_eq!(both.len(), 2);
        assert_eq!(reasons(Some(&json!("Lost")))[""], "Lost");
        assert!(reasons(Some(&json!(1))).is_empty());
    }
}
