//! What a provider publishes: its metadata and its keys, from wrong types to any bytes.

use arbitrary::Arbitrary;
use axum_clef::{
    ClefLayer,
    oidc::{Oidc, SigningAlgorithm},
    security_events::EventReceiver,
    stores::MemoryUserStore,
};
use fuzz::{Document, Edit, Issuer, JsonEdit, VICTIM, edit_json, edited, run, send_allowing};
use http::Method;
use serde_json::{Map, Value, json};
use test_support::{Jar, World, notice};
use tower_sessions::MemoryStore;

use crate::LONGEST;

#[derive(Arbitrary, Debug)]
struct Input {
    metadata: Vec<JsonEdit>,
    metadata_text: Vec<Edit>,
    events_metadata: Vec<JsonEdit>,
    keys: Vec<JsonEdit>,
    keys_text: Vec<Edit>,
    status: Option<u8>,
    is_discovered: bool,
    algorithm: u8,
}

#[test]
fn provider() {
    bolero::check!()
        .with_max_len(LONGEST)
        .with_arbitrary::<Input>()
        .for_each(|input| run(true, target(input)));
}

async fn target(input: &Input) {
    use SigningAlgorithm::{EdDsa, Es256, Es384, Ps256, Rs256};

    let issuer = Issuer::start().await;
    let put = |path: &str, mut object: Map<String, Value>, edits: &[JsonEdit], text: &[Edit]| {
        edit_json(&mut object, edits);
        let text = edited(Value::from(object).to_string(), text);
        issuer.put(path, Document::json(text.clone()));
        // The crate skips it too.
        match text.strip_prefix("\u{feff}".as_bytes()) {
            Some(unmarked) => unmarked.to_vec(),
            None => text,
        }
    };
    let metadata = put(
        Issuer::METADATA,
        issuer.metadata(),
        &input.metadata,
        &input.metadata_text,
    );
    put(
        Issuer::EVENTS_METADATA,
        issuer.metadata(),
        &input.events_metadata,
        &[],
    );
    let keys = put(Issuer::KEYS, issuer.keys(), &input.keys, &input.keys_text);
    if let Some(status) = input.status {
        let mut document = Document::json(keys.clone());
        document.status = 200 + u16::from(status) * 2;
        issuer.put(Issuer::KEYS, document);
    }
    let algorithm = [EdDsa, Rs256, Ps256, Es256, Es384][usize::from(input.algorithm) % 5];
    let client = match input.is_discovered {
        true => match Oidc::discover(&*issuer.url, Issuer::CLIENT_ID, "secret").await {
            Ok(client) => client,
            Err(_) => return,
        },
        false => issuer.client(),
    };
    let client = client.signing_algorithm(algorithm);
    let receiver = EventReceiver::new(&*issuer.url, Issuer::CLIENT_ID).unwrap();
    let receiver = receiver.signing_algorithm(algorithm);
    let layer = ClefLayer::builder(World::SITE, MemoryUserStore::new(), MemoryStore::default())
        .logout_endpoint("/clef/events", receiver)
        .logout_endpoint("/clef/front", client.front_channel_logout())
        .provider(client);
    let Ok(layer) = layer.build() else {
        return;
    };
    let app = fuzz::pages(&layer);

    // The browser is sent where the provider says, on this machine, or gets a page.
    let start = Jar::default().request(Method::GET, "/clef/login");
    let reply = send_allowing(&app, World::SITE, start, &[500, 502]).await;
    if let Some(location) = reply.location() {
        let metadata: Value = serde_json::from_slice(&metadata).expect("metadata");
        let endpoint = metadata["authorization_endpoint"]
            .as_str()
            .expect("an address");
        let [endpoint, location] = [endpoint, location].map(|url| url::Url::parse(url).unwrap());
        assert_eq!(endpoint.origin(), location.origin());
        assert_eq!(endpoint.path(), location.path());
        assert_eq!(metadata["issuer"], issuer.url);
    }
    // A notice is good only by a key that the provider publishes.
    let event = "http://schemas.openid.net/event/backchannel-logout";
    let claims = issuer.claims(&json!({ "sub": VICTIM, "events": { event: {} } }));
    let header = Value::from(Issuer::header("logout+jwt")).to_string();
    let token = issuer.sign(
        header.as_bytes(),
        Value::from(claims).to_string().as_bytes(),
    );
    let status = notice(&app, &token).await;
    assert!([200, 400, 503].contains(&status), "{status}");
    let published: Option<Value> = serde_json::from_slice(&keys).ok();
    let same = |key: &Value| {
        let x = key["x"].as_str().unwrap_or_default();
        let x = x.trim_end_matches('=').replace('+', "-").replace('/', "_");
        x == issuer.public_key()
    };
    let is_published = match published {
        Some(keys) => keys["keys"]
            .as_array()
            .is_some_and(|keys| keys.iter().any(same)),
        // Members that no key set has may be nested too deep for a `Value`.
        None => String::from_utf8_lossy(&keys).contains(&issuer.public_key()),
    };
    assert!(
        status != 200 || is_published && algorithm == EdDsa,
        "{algorithm}"
    );
    let frame = Jar::default().request(Method::GET, "/clef/front?sid=1");
    send_allowing(&app, World::SITE, frame, &[503]).await;
}
