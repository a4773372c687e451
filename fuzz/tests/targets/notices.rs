//! Logout notices: logout tokens at the back channel, sessions at the front channel, and tokens of
//! Universal Logout. Each signed whatever it claims, or not signed at all.

use arbitrary::Arbitrary;
use axum::{Router, body::Body};
use axum_clef::{ClefLayer, stores::MemoryUserStore};
use fuzz::{
    Edit, Issuer, JsonEdit, Piece, Reply, VICTIM, edit_json, edited, header_value, percent_encoded,
    run, send, send_allowing,
};
use http::{Method, Request, header};
use serde_json::{Map, Value, json};
use test_support::{Jar, World};
use tower_sessions::MemoryStore;

const EVENT: &str = "http://schemas.openid.net/event/backchannel-logout";

use crate::LONGEST;

#[derive(Arbitrary, Debug)]
struct Input {
    wire: Wire,
    content_type: Option<Piece>,
}

#[derive(Arbitrary, Debug)]
enum Wire {
    Back(Token),
    /// The query of the frame.
    Front {
        iss: Option<Vec<Edit>>,
        sid: Option<Vec<Edit>>,
        query: Vec<Edit>,
    },
    Universal {
        token: Token,
        body: Vec<JsonEdit>,
        text: Vec<Edit>,
        authorization: Vec<Edit>,
    },
    /// A body that is no form, or any bytes for a token.
    Raw {
        body: Vec<Edit>,
        is_universal: bool,
    },
}

#[derive(Arbitrary, Debug)]
struct Token {
    header: Vec<JsonEdit>,
    claims: Vec<JsonEdit>,
    claims_text: Vec<Edit>,
    /// After the signature.
    token: Vec<Edit>,
}

#[test]
fn notices() {
    bolero::check!()
        .with_max_len(LONGEST)
        .with_arbitrary::<Input>()
        .for_each(|input| run(true, target(input)));
}

/// A token, and what it claims if its signature is good.
fn signed(
    issuer: &Issuer,
    token: &Token,
    kind: &str,
    more: &Value,
) -> (String, Option<Map<String, Value>>) {
    let mut header = Issuer::header(kind);
    edit_json(&mut header, &token.header);
    let mut claims = issuer.claims(more);
    edit_json(&mut claims, &token.claims);
    let claims = edited(Value::from(claims).to_string(), &token.claims_text);
    let signed = issuer.sign(Value::from(header).to_string().as_bytes(), &claims);
    let sent = String::from_utf8_lossy(&edited(&signed, &token.token)).into_owned();
    // A header has no control characters, and a token no white space around it.
    let plain = sent.replace(char::is_control, "");
    let is_whole = plain.trim() == signed;
    let claims = serde_json::from_slice(&claims).ok().filter(|_| is_whole);
    (sent, claims)
}

async fn target(input: &Input) {
    let issuer = Issuer::start().await;
    let client = issuer.client();
    let layer = ClefLayer::builder(World::SITE, MemoryUserStore::new(), MemoryStore::default())
        .logout_endpoint("/clef/front", client.front_channel_logout())
        .logout_endpoint("/clef/universal", client.global_token_revocation())
        .provider(client);
    let app = fuzz::app_of(layer);
    let victim = issuer.log_in(&app).await;
    let sent = send_notice(&app, &issuer, input).await;
    let Sent { reply, claims, .. } = &sent;
    let account = send(&app, World::SITE, victim.request(Method::GET, "/account")).await;
    let is_out = account.status != 200;

    match (&input.wire, claims) {
        (Wire::Back(_), Some(claims)) => {
            let names = claims.get("sub").is_some_and(|sub| sub == VICTIM);
            let session = claims.get("sid").filter(|sid| !sid.is_null());
            let of_session = session.is_some_and(|sid| sid == Issuer::SESSION);
            let is_logout = claims
                .get("events")
                .is_some_and(|events| events[EVENT].is_object());
            let is_ours = claims.get("iss").is_some_and(|iss| *iss == issuer.url)
                && !claims.contains_key("nonce");
            // What has ended was named by a logout token of the provider.
            let is_named = is_logout && is_ours && (names && session.is_none() || of_session);
            assert!(!is_out || is_named, "{claims:?}");
            // And what was named and acknowledged has ended.
            assert!(is_out || reply.status != 200 || !is_named, "{claims:?}");
        }
        (Wire::Universal { body, text, .. }, claims) => {
            assert!(!is_out || claims.is_some(), "{}", reply.status);
            let names_victim = body.is_empty() && text.is_empty();
            assert!(is_out || reply.status != 204 || !names_victim, "{claims:?}");
        }
        // It ends a session that it names, and no other.
        (Wire::Front { .. }, _) => assert!(!is_out || sent.names_session, "{}", reply.status),
        _ => assert!(!is_out, "an unsigned notice has ended a login"),
    }
    if !is_out {
        let again = send(&app, World::SITE, Jar::default().request(Method::GET, "/")).await;
        assert_eq!(again.status, 200);
    }
}

/// A notice that was sent.
struct Sent {
    reply: Reply,
    /// What it claims, if the provider has signed it.
    claims: Option<Map<String, Value>>,
    /// Whether its query names the session of the victim.
    names_session: bool,
}

async fn send_notice(app: &Router, issuer: &Issuer, input: &Input) -> Sent {
    let form = "application/x-www-form-urlencoded";
    let mut kind = form;
    let mut request = Request::builder().method(Method::POST);
    let (path, body, claims) = match &input.wire {
        Wire::Back(token) => {
            let more = json!({ "sub": VICTIM, "sid": Issuer::SESSION, "events": { EVENT: {} } });
            let (token, claims) = signed(issuer, token, "logout+jwt", &more);
            let body = format!("logout_token={}", percent_encoded(token));
            ("/clef/logout".to_owned(), body.into_bytes(), claims)
        }
        Wire::Front { iss, sid, query } => {
            request = request.method(Method::GET);
            let pair = |name: &str, real: &str, edits: &Option<Vec<Edit>>| match edits {
                Some(edits) => format!("{name}={}&", percent_encoded(edited(real, edits))),
                None => String::new(),
            };
            let pairs = pair("iss", &issuer.url, iss) + &pair("sid", "session-2", sid);
            let mut query = edited(pairs, query);
            query.retain(|byte| byte.is_ascii_graphic() && !b"#\"<>".contains(byte));
            let path = format!("/clef/front?{}", String::from_utf8_lossy(&query));
            (path, Vec::new(), None)
        }
        Wire::Universal {
            token,
            body,
            text,
            authorization,
        } => {
            kind = "application/json";
            let url = format!("{}/clef/universal", World::SITE);
            let more = json!({ "aud": url, "sub": Issuer::CLIENT_ID });
            let (token, claims) = signed(issuer, token, "global-token-revocation+jwt", &more);
            let authorization = edited(format!("Bearer {token}"), authorization);
            request = request.header(header::AUTHORIZATION, header_value(authorization));
            let subject = json!({ "format": "iss_sub", "iss": issuer.url, "sub": VICTIM });
            let mut document = Map::new();
            document.insert("sub_id".to_owned(), subject);
            edit_json(&mut document, body);
            let body = edited(Value::from(document).to_string(), text);
            ("/clef/universal".to_owned(), body, claims)
        }
        Wire::Raw { body, is_universal } => {
            let path = if *is_universal {
                "/clef/universal"
            } else {
                "/clef/logout"
            };
            (
                path.to_owned(),
                edited("logout_token=eyJhbGciOiJub25lIn0.e30.", body),
                None,
            )
        }
    };
    let kind = match &input.content_type {
        Some(piece) => header_value(piece.bytes().to_vec()),
        None => kind.parse().unwrap(),
    };
    let query = path.split_once('?').map(|(_, query)| query.as_bytes());
    let mut fields = url::form_urlencoded::parse(query.unwrap_or_default());
    let names_session = fields.any(|(name, value)| name == "sid" && value == Issuer::SESSION);
    let request = request.uri(&path).header(header::CONTENT_TYPE, kind);
    // A signature by a key that may be new is 503.
    let request = request.body(Body::from(body)).unwrap();
    let reply = send_allowing(app, World::SITE, request, &[503]).await;
    Sent {
        reply,
        claims,
        names_session,
    }
}
