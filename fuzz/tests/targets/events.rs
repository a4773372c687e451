//! Security events: tokens that are pushed, signed whatever they claim, or not signed at all.

use arbitrary::Arbitrary;
use axum::body::Body;
use axum_clef::{
    ClefLayer, oidc::SigningAlgorithm, security_events::EventReceiver, stores::MemoryUserStore,
};
use fuzz::{
    Edit, Issuer, JsonEdit, Piece, VICTIM, edit_json, edited, header_value, run, send,
    send_allowing,
};
use http::{Method, Request, header};
use serde_json::{Map, Value, json};
use test_support::World;
use tower_sessions::MemoryStore;

const DISABLED: &str = "https://schemas.openid.net/secevent/risc/event-type/account-disabled";
const REVOKED: &str = "https://schemas.openid.net/secevent/caep/event-type/session-revoked";
const CHANGED: &str = "https://schemas.openid.net/secevent/caep/event-type/credential-change";

use crate::LONGEST;

#[derive(Arbitrary, Debug)]
struct Input {
    event: u8,
    is_google: bool,
    accepts_identifiers: bool,
    header: Vec<JsonEdit>,
    subject: Vec<JsonEdit>,
    members: Vec<JsonEdit>,
    claims: Vec<JsonEdit>,
    claims_text: Vec<Edit>,
    /// After the signature.
    token: Vec<Edit>,
    content_type: Option<Piece>,
}

#[test]
fn events() {
    bolero::check!()
        .with_max_len(LONGEST)
        .with_arbitrary::<Input>()
        .for_each(|input| run(true, target(input)));
}

async fn target(input: &Input) {
    let issuer = Issuer::start().await;
    let mut receiver = EventReceiver::new(&*issuer.url, Issuer::CLIENT_ID)
        .unwrap()
        .signing_algorithm(SigningAlgorithm::EdDsa)
        .on_event(|_| async { Ok::<_, axum_clef::BoxError>(()) });
    if input.is_google {
        receiver = receiver.google_dialect();
    }
    if input.accepts_identifiers {
        receiver = receiver.accept_identifiers().accept_verified_emails();
    }
    let layer = ClefLayer::builder(World::SITE, MemoryUserStore::new(), MemoryStore::default());
    let layer = layer.logout_endpoint("/clef/events", receiver);
    let app = fuzz::app_of(layer.provider(issuer.client()));
    let victim = issuer.log_in(&app).await;

    let subject = json!({ "format": "iss_sub", "iss": issuer.url, "sub": VICTIM });
    let [mut subject, mut members] =
        [subject, json!({ "event_timestamp": 1_700_000_000 })].map(object);
    edit_json(&mut subject, &input.subject);
    edit_json(&mut members, &input.members);
    let event = [DISABLED, REVOKED, CHANGED][usize::from(input.event) % 3];
    let more = json!({ "sub_id": subject, "events": { event: members } });
    let mut claims = issuer.claims(&more);
    claims.remove("exp");
    edit_json(&mut claims, &input.claims);
    let text = edited(Value::from(claims).to_string(), &input.claims_text);
    let mut header = Issuer::header("secevent+jwt");
    edit_json(&mut header, &input.header);
    let signed = issuer.sign(Value::from(header).to_string().as_bytes(), &text);
    let body = edited(&signed, &input.token);
    let kind = match &input.content_type {
        Some(piece) => header_value(piece.bytes().to_vec()),
        None => "application/secevent+jwt".parse().unwrap(),
    };
    let is_whole = body.trim_ascii() == signed.as_bytes();
    let request = Request::post("/clef/events").header(header::CONTENT_TYPE, kind);
    let request = request.body(Body::from(body)).unwrap();
    // A signature by a key that may be new is 503.
    let reply = send_allowing(&app, World::SITE, request, &[503]).await;
    let account = victim.request(Method::GET, "/account");
    let is_out = send(&app, World::SITE, account).await.status != 200;

    let claims: Option<Value> = serde_json::from_slice(&text).ok();
    let named = claims.as_ref().map(Value::to_string);
    let named = named.unwrap_or_default();
    // Only a token of the sender ends a login, and only that of whom it names.
    let is_named = named.contains(VICTIM) || named.contains(Issuer::SESSION);
    assert!(!is_out || is_whole && is_named, "{named}");
    // What was acknowledged has ended.
    let is_plain = claims.is_some_and(|claims| {
        let sub_id = &claims["sub_id"];
        let events = claims["events"].as_object();
        sub_id["format"] == "iss_sub"
            && sub_id["iss"] == issuer.url
            && sub_id["sub"] == VICTIM
            && events.is_some_and(|events| events.len() == 1 && events.contains_key(DISABLED))
    });
    assert!(is_out || reply.status != 202 || !is_plain, "{named}");
}

fn object(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(object) => object,
        _ => Map::new(),
    }
}
