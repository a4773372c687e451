//! The answers of a provider to a login: ID tokens that are signed whatever they claim, the token
//! response around them, and the user info.

use arbitrary::Arbitrary;
use axum_clef::{ClefLayer, stores::MemoryUserStore};
use fuzz::{
    Document, Edit, Issuer, JsonEdit, Piece, VICTIM, edit_json, edited, header_value, now, run,
    send_allowing,
};
use http::Method;
use serde_json::{Map, Value, json};
use test_support::{Jar, World};
use tower_sessions::MemoryStore;

use crate::LONGEST;

#[derive(Arbitrary, Debug)]
struct Input {
    header: Vec<JsonEdit>,
    claims: Vec<JsonEdit>,
    /// Of the text that is signed.
    header_text: Vec<Edit>,
    claims_text: Vec<Edit>,
    /// After the signature.
    token: Vec<Edit>,
    response: Vec<JsonEdit>,
    response_text: Vec<Edit>,
    status: Option<u8>,
    user_info: Option<UserInfo>,
}

#[derive(Arbitrary, Debug)]
struct UserInfo {
    claims: Vec<JsonEdit>,
    text: Vec<Edit>,
    content_type: Option<Piece>,
    is_signed: bool,
}

#[test]
fn tokens() {
    bolero::check!()
        .with_max_len(LONGEST)
        .with_arbitrary::<Input>()
        .for_each(|input| run(true, target(input)));
}

fn text(object: Map<String, Value>, edits: &[Edit]) -> Vec<u8> {
    edited(Value::from(object).to_string(), edits)
}

async fn target(input: &Input) {
    let issuer = Issuer::start().await;
    let layer = ClefLayer::builder(World::SITE, MemoryUserStore::new(), MemoryStore::default());
    let app = fuzz::app_of(layer.provider(issuer.client()));
    let mut jar = Jar::default();
    let start = jar.request(Method::GET, "/clef/login?next=/account");
    let start = send_allowing(&app, World::SITE, start, &[]).await;
    jar.take(&start.headers);
    let at_provider = url::Url::parse(start.location().expect("a start")).unwrap();
    let field = |name: &str| {
        let mut pairs = at_provider.query_pairs();
        pairs
            .find(|(own, _)| own == name)
            .expect("a field")
            .1
            .into_owned()
    };
    let nonce = field("nonce");
    let mut header = Issuer::header("JWT");
    edit_json(&mut header, &input.header);
    let more = json!({ "sub": VICTIM, "sid": Issuer::SESSION, "nonce": nonce, "name": "Vic" });
    let mut claims = issuer.claims(&more);
    edit_json(&mut claims, &input.claims);
    let (header, claims) = (
        text(header, &input.header_text),
        text(claims, &input.claims_text),
    );
    let signed = issuer.sign(&header, &claims);
    let token = String::from_utf8_lossy(&edited(&signed, &input.token)).into_owned();
    let tokens = json!({ "access_token": "a", "token_type": "Bearer", "id_token": token });
    let Value::Object(mut tokens) = tokens else {
        unreachable!()
    };
    edit_json(&mut tokens, &input.response);
    let mut response = Document::json(text(tokens, &input.response_text));
    if let Some(status) = input.status {
        response.status = 200 + u16::from(status) * 2;
    }
    issuer.put(Issuer::TOKEN, response);
    if let Some(user_info) = &input.user_info {
        let more = json!({ "sub": VICTIM, "email": "v@example.com", "email_verified": true });
        let mut claims = issuer.claims(&more);
        edit_json(&mut claims, &user_info.claims);
        let claims = text(claims, &user_info.text);
        let mut document = match user_info.is_signed {
            true => {
                let header = Value::from(Issuer::header("JWT")).to_string();
                Document::json(issuer.sign(header.as_bytes(), &claims))
            }
            false => Document::json(claims),
        };
        if user_info.is_signed {
            document.content_type = "application/jwt".parse().unwrap();
        }
        if let Some(piece) = &user_info.content_type {
            document.content_type = header_value(piece.bytes().to_vec());
        }
        issuer.put(Issuer::USER_INFO, document);
    }
    let path = format!("/clef/callback?code=code&state={}", field("state"));
    let request = jar.request(Method::GET, &path);
    // A provider that answers nonsense is 502, and one that refuses the client 500.
    let reply = send_allowing(&app, World::SITE, request, &[500, 502]).await;
    jar.take(&reply.headers);
    let request = jar.request(Method::GET, "/account");
    let account = send_allowing(&app, World::SITE, request, &[]).await;
    assert_eq!(
        account.status == 200,
        reply.status == 303,
        "{}",
        reply.status
    );
    if account.status != 200 {
        return;
    }
    // A login is of whom the signed claims name, for this site, for this start, and now.
    let claims: Map<String, Value> = serde_json::from_slice(&claims).expect("claims");
    let header: Map<String, Value> = serde_json::from_slice(&header).expect("a header");
    let is_here = |audience: &Value| audience == Issuer::CLIENT_ID;
    let audience = &claims["aud"];
    let audience = audience.as_array().map_or(is_here(audience), |all| {
        !all.is_empty() && all.iter().all(is_here)
    });
    let now = now() as f64;
    let seconds = |name: &str| claims[name].as_f64().expect("a time");
    assert!(audience, "{claims:?}");
    assert!(
        claims["iss"] == issuer.url && claims["nonce"] == nonce,
        "{claims:?}"
    );
    assert!(
        claims["sub"] == account.text && !account.text.is_empty(),
        "{claims:?}"
    );
    assert!(
        seconds("exp") > now - 130.0 && seconds("iat") < now + 130.0,
        "{claims:?}"
    );
    let algorithm = header["alg"].as_str().expect("an algorithm");
    assert!(["EdDSA", "Ed25519"].contains(&algorithm), "{header:?}");
    assert!(!header.contains_key("crit"), "{header:?}");
}
