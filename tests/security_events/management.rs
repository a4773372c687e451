//! What a sender has for the management of a stream (SSF 1.0, section 8.1).

use std::{
    collections::{BTreeMap, HashMap},
    convert::Infallible,
    time::Duration,
};

use axum::{
    Json,
    body::Body,
    extract::{Query, Request},
    response::{IntoResponse as _, Response},
};
use http::{Method, StatusCode, header};
use serde_json::{Value, json};

use crate::support::{AUDIENCE, SSF, Transmitter, push, sign};

/// The access token of the site.
pub const TOKEN: &str = "the access token";
/// How events are polled (RFC 8936).
const POLL: &str = "urn:ietf:rfc:8936";

/// The streams of a sender, and what it was asked.
#[derive(Default)]
pub struct Management {
    pub streams: Vec<Value>,
    /// Each call, as "method path", with its body.
    pub calls: Vec<(String, Value)>,
    /// What all calls are answered with instead.
    pub refuses: Option<u16>,
    /// What the body is instead.
    pub body: Option<String>,
    /// Whether a request for a stream returns one that exists already, with 200.
    pub returns_existing: bool,
    /// The events that wait to be polled, by their ids.
    pub waiting: BTreeMap<String, String>,
    /// How long a request for events waits for one.
    pub holds: Duration,
    /// Whether an event is repeated although it was acknowledged.
    pub repeats: bool,
    /// What a verification event has as its state instead of what was asked for.
    pub wrong_state: Option<String>,
    /// How the verification events were answered.
    pub verified: Vec<u16>,
    /// Whether requests for events that may wait are refused.
    pub refuses_long_polls: bool,
    /// Whether the body of an answer with events never comes.
    pub stalls: bool,
    /// What requests for events are answered with instead, in turn.
    pub rounds: Vec<Value>,
    /// The bodies of the requests for events.
    pub polls: Vec<Value>,
    /// The `Content-Language` of each of them.
    pub poll_languages: Vec<Option<String>>,
}

impl Management {
    /// Whether the site has acknowledged a polled event.
    pub fn acknowledged(&self, id: &str) -> bool {
        let acks = self.polls.iter().filter_map(|poll| poll["ack"].as_array());
        acks.flatten().any(|acknowledged| acknowledged == id)
    }
}

pub async fn answer(transmitter: &Transmitter, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let body = axum::body::to_bytes(body, 64 * 1024).await.unwrap();
    let body = serde_json::from_slice::<Value>(&body).unwrap_or_default();
    let path = parts.uri.path();
    let Query(query) = Query::<HashMap<String, String>>::try_from_uri(&parts.uri).unwrap();
    let id = query.get("stream_id").map(String::as_str);
    let authorized = format!("Bearer {TOKEN}");
    let is_authorized = parts.headers.get(header::AUTHORIZATION);
    let is_authorized = is_authorized.is_some_and(|value| value == authorized.as_str());
    if path == "/ssf/poll" && is_authorized {
        let language = parts.headers.get(header::CONTENT_LANGUAGE);
        let language = language.map(|value| value.to_str().unwrap().to_owned());
        return poll(transmitter, body, language).await;
    }
    let mut script = transmitter.script();
    let management = &mut script.management;
    let call = format!("{} {path}", parts.method);
    management.calls.push((call.clone(), body.clone()));
    if let Some(status) = management.refuses {
        return StatusCode::from_u16(status).unwrap().into_response();
    }
    if let Some(body) = management.body.clone() {
        let is_created = call == "POST /ssf/stream" && !management.returns_existing;
        let status = match is_created {
            true => StatusCode::CREATED,
            false => StatusCode::OK,
        };
        return (status, body).into_response();
    }
    if !is_authorized {
        return StatusCode::UNAUTHORIZED.into_response();
    }
    let found = |streams: &[Value]| {
        let mut streams = streams.iter();
        streams.position(|stream| Some(stream["stream_id"].as_str().unwrap()) == id)
    };
    match (&parts.method, path) {
        (&Method::POST, "/ssf/stream") if !management.streams.is_empty() => {
            StatusCode::CONFLICT.into_response()
        }
        (&Method::POST, "/ssf/stream") => {
            let mut delivery = body["delivery"].clone();
            if delivery["method"] == POLL {
                delivery["endpoint_url"] = transmitter.url("/ssf/poll").into();
            }
            let stream = json!({
                "stream_id": "stream 1&",
                "iss": transmitter.issuer,
                "aud": [AUDIENCE],
                "delivery": delivery,
                "events_requested": body["events_requested"],
                "events_delivered": body["events_requested"],
                "min_verification_interval": 60,
            });
            management.streams.push(stream.clone());
            (StatusCode::CREATED, Json(stream)).into_response()
        }
        (&Method::GET, "/ssf/stream") if id.is_none() => {
            Json(management.streams.clone()).into_response()
        }
        (&Method::GET | &Method::DELETE, "/ssf/stream") => match found(&management.streams) {
            Some(at) if parts.method == Method::DELETE => {
                management.streams.remove(at);
                StatusCode::NO_CONTENT.into_response()
            }
            Some(at) => Json(management.streams[at].clone()).into_response(),
            None => StatusCode::NOT_FOUND.into_response(),
        },
        (&Method::GET, "/ssf/status") => match found(&management.streams) {
            Some(_) => Json(json!({ "status": "paused", "reason": "tea" })).into_response(),
            None => StatusCode::NOT_FOUND.into_response(),
        },
        (&Method::POST, "/ssf/verify") => {
            let state = management.wrong_state.clone().map(Value::from);
            let members = json!({ "state": state.unwrap_or_else(|| body["state"].clone()) });
            let mut claims = transmitter.claims(&format!("{SSF}/verification"), members);
            claims["sub_id"] = json!({ "format": "opaque", "id": body["stream_id"] });
            let delivery = &management.streams[0]["delivery"];
            if delivery["method"] == POLL {
                let waiting = ("verification".to_owned(), sign(&claims));
                management.waiting.extend([waiting]);
                return StatusCode::NO_CONTENT.into_response();
            }
            let url = delivery["endpoint_url"].as_str();
            let request = push(url.unwrap().to_owned(), &sign(&claims));
            let transmitter = transmitter.clone();
            tokio::spawn(async move {
                let status = request.send().await.unwrap().status().as_u16();
                transmitter.script().management.verified.push(status);
            });
            StatusCode::NO_CONTENT.into_response()
        }
        (&Method::POST, "/ssf/subjects/add") => StatusCode::OK.into_response(),
        (&Method::POST, "/ssf/subjects/remove") => StatusCode::NO_CONTENT.into_response(),
        other => panic!("{other:?}"),
    }
}

/// The events that wait, without those that were settled (RFC 8936, section 2).
async fn poll(transmitter: &Transmitter, body: Value, language: Option<String>) -> Response {
    let asked_at = tokio::time::Instant::now();
    {
        let mut script = transmitter.script();
        let management = &mut script.management;
        management.polls.push(body.clone());
        management.poll_languages.push(language);
        if let Some(status) = management.refuses {
            return StatusCode::from_u16(status).unwrap().into_response();
        }
        if management.refuses_long_polls && body["returnImmediately"] != true {
            return StatusCode::BAD_REQUEST.into_response();
        }
        if management.stalls {
            let body = futures_util::stream::pending::<Result<Vec<u8>, Infallible>>();
            return Body::from_stream(body).into_response();
        }
        if let Some(body) = management.body.clone() {
            return body.into_response();
        }
        if !management.rounds.is_empty() {
            let round = management.polls.len() % management.rounds.len();
            return Json(management.rounds[round].clone()).into_response();
        }
        if !management.repeats {
            let acknowledged = body["ack"].as_array().into_iter().flatten();
            let acknowledged = acknowledged.map(|id| id.as_str().unwrap().to_owned());
            let refused = body["setErrs"].as_object().into_iter().flatten();
            let refused = refused.map(|(id, _)| id.clone());
            for id in acknowledged.chain(refused) {
                management.waiting.remove(&id);
            }
        }
    }
    loop {
        let (waiting, holds) = {
            let management = &transmitter.script().management;
            (management.waiting.clone(), management.holds)
        };
        let most = body["maxEvents"].as_u64().unwrap() as usize;
        let waiting: BTreeMap<_, _> = waiting.into_iter().take(most).collect();
        if !waiting.is_empty() || asked_at.elapsed() >= holds {
            return Json(json!({ "sets": waiting })).into_response();
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}
