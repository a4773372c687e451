//! The stream of events that a sender has for this site, as its answers show it (SSF 1.0, section 8.1).

use std::{fmt, time::Duration};

use secrecy::{ExposeSecret as _, SecretString};
use serde::Deserialize;
use serde_json::{Value, json};

/// How events are pushed (RFC 8935).
const PUSH: &str = "urn:ietf:rfc:8935";
/// How they are polled (RFC 8936).
const POLL: &str = "urn:ietf:rfc:8936";

/// How the events of a stream arrive.
#[derive(Clone)]
pub struct EventDelivery {
    method: &'static str,
    url: Option<String>,
    authorization: Option<SecretString>,
}

/// A stream at a sender.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct EventStream {
    /// Its id.
    pub id: String,
    /// The audiences of its events. One of them must be an audience of the receiver.
    pub audiences: Vec<String>,
    /// Whether its events are pushed to this site.
    pub is_push: bool,
    /// Where its events are pushed to, or where to poll them.
    pub endpoint_url: Option<String>,
    /// The URIs of the events that it delivers. Empty if the sender does not say.
    pub events_delivered: Vec<String>,
    /// The shortest time between two requests for verification. `None` if the sender does not say.
    pub min_verification_interval: Option<Duration>,
}

/// The status of a stream.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct StreamStatus {
    /// What the sender does with events.
    pub state: StreamState,
    /// Why, in the sender's words. Do not show it unescaped.
    pub reason: Option<String>,
}

/// What a sender does with the events of a stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum StreamState {
    /// It delivers them.
    Enabled,
    /// It keeps them, and delivers them later.
    Paused,
    /// It drops them.
    Disabled,
    /// It says something else.
    Unknown,
}

impl EventDelivery {
    /// The sender pushes events to this URL: where the
    /// [`EventReceiver`](super::EventReceiver) is mounted.
    pub fn push(url: impl Into<String>) -> Self {
        Self {
            method: PUSH,
            url: Some(url.into()),
            authorization: None,
        }
    }

    /// This site polls events, for a site that the sender cannot reach. The sender returns
    /// [where](EventStream::endpoint_url).
    pub fn poll() -> Self {
        Self {
            method: POLL,
            url: None,
            authorization: None,
        }
    }

    /// Sets the `Authorization` header of the pushes, which
    /// [`EventReceiver::authorization`](super::EventReceiver::authorization) expects.
    #[must_use]
    pub fn authorization(mut self, header: impl Into<SecretString>) -> Self {
        self.authorization = Some(header.into());
        self
    }

    pub(super) fn to_json(&self) -> Value {
        let mut delivery = json!({ "method": self.method });
        if let Some(url) = &self.url {
            delivery["endpoint_url"] = url.as_str().into();
        }
        if let Some(authorization) = &self.authorization {
            delivery["authorization_header"] = authorization.expose_secret().into();
        }
        delivery
    }

    pub(super) fn is_of(&self, stream: &EventStream) -> bool {
        let is_push = self.method == PUSH;
        is_push == stream.is_push && (!is_push || self.url == stream.endpoint_url)
    }
}

/// The streams of this site, or one without a list around it.
#[derive(Deserialize)]
#[serde(untagged)]
pub(super) enum OneOrMore {
    More(Vec<StreamJson>),
    One(Box<StreamJson>),
}

#[derive(Deserialize)]
pub(super) struct StreamJson {
    pub(super) stream_id: String,
    /// `None` in older drafts.
    pub(super) iss: Option<String>,
    #[serde(default)]
    aud: Value,
    #[serde(default)]
    delivery: DeliveryJson,
    #[serde(default)]
    events_delivered: Vec<String>,
    min_verification_interval: Option<u64>,
}

#[derive(Default, Deserialize)]
struct DeliveryJson {
    #[serde(default)]
    method: String,
    endpoint_url: Option<String>,
}

#[derive(Deserialize)]
pub(super) struct StatusJson {
    status: String,
    reason: Option<String>,
}

impl From<StreamJson> for EventStream {
    fn from(stream: StreamJson) -> Self {
        let audiences = match stream.aud {
            Value::String(one) => vec![one],
            Value::Array(all) => all
                .iter()
                .filter_map(Value::as_str)
                .map(str::to_owned)
                .collect(),
            _ => Vec::new(),
        };
        Self {
            id: stream.stream_id,
            audiences,
            // Drafts had URLs as methods, which end with `push` and `poll`.
            is_push: stream.delivery.method == PUSH || stream.delivery.method.ends_with("push"),
            endpoint_url: stream.delivery.endpoint_url,
            events_delivered: stream.events_delivered,
            min_verification_interval: stream.min_verification_interval.map(Duration::from_secs),
        }
    }
}

impl From<OneOrMore> for Vec<StreamJson> {
    fn from(streams: OneOrMore) -> Self {
        match streams {
            OneOrMore::One(stream) => vec![*stream],
            OneOrMore::More(streams) => streams,
        }
    }
}

impl From<StatusJson> for StreamStatus {
    fn from(status: StatusJson) -> Self {
        let state = match status.status.as_str() {
            "enabled" => StreamState::Enabled,
            "paused" => StreamState::Paused,
            "disabled" => StreamState::Disabled,
            _ => StreamState::Unknown,
        };
        let reason = status.reason;
        Self { state, reason }
    }
}

/// Shows no authorization.
impl fmt::Debug for EventDelivery {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("EventDelivery")
            .field("method", &self.method)
            .field("url", &self.url)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_word_of_a_status_is_a_state() {
        for (word, state) in [
            ("enabled", StreamState::Enabled),
            ("paused", StreamState::Paused),
            ("disabled", StreamState::Disabled),
            ("Enabled", StreamState::Unknown),
        ] {
            let status: StatusJson = serde_json::from_value(json!({ "status": word })).unwrap();
            assert_eq!(StreamStatus::from(status).state, state, "{word}");
        }
    }

    #[test]
    fn an_audience_is_a_text_or_a_list() {
        for (audience, expected) in [
            (json!("one"), vec!["one"]),
            (json!(["one", 2, "three"]), vec!["one", "three"]),
            (json!(null), vec![]),
            (json!(1), vec![]),
        ] {
            let stream = json!({ "stream_id": "1", "aud": audience });
            let stream: StreamJson = serde_json::from_value(stream).unwrap();
            assert_eq!(EventStream::from(stream).audiences, expected, "{audience}");
        }
    }
}
