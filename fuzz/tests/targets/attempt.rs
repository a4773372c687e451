//! The cookie of a login under way, which its browser can make up: its time, what it has to prove and
//! where it leads.

use arbitrary::Arbitrary;
use axum_clef::{Timestamp, provider::LoginSecret};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use fuzz::{
    Edit, Kind, Site, VICTIM, edited, edited_text, failures_of_callback, percent_encoded, run,
    send_allowing, stays_on,
};
use http::Method;
use test_support::Jar;

use crate::LONGEST;

#[derive(Arbitrary, Debug)]
struct Input {
    kind: Kind,
    slot: u8,
    is_of_script: bool,
    /// What the attempt says, under which its state is made.
    begun_at: Vec<Edit>,
    reauthentication: Option<Vec<Edit>>,
    next: Vec<Edit>,
    /// What is changed afterwards.
    text: Vec<Edit>,
    cookie: Vec<Edit>,
    state: Vec<Edit>,
    has_login: bool,
    query: Vec<Edit>,
}

#[test]
fn attempt() {
    bolero::check!()
        .with_max_len(LONGEST)
        .with_arbitrary::<Input>()
        .for_each(|input| run(false, target(input)));
}

async fn target(input: &Input) {
    let site = Site::new(input.kind);
    let mut jar = match input.has_login {
        true => site.log_in(VICTIM).await,
        false => Jar::default(),
    };
    let mut is_forged = false;
    let state = match input.kind.sealed {
        true => {
            // Without the one of an earlier login.
            jar.cookies.retain(|name, _| !name.contains("-attempt-"));
            let callback = jar.begin(&site.app, "other").await;
            let (_, state) = callback.rsplit_once("state=").unwrap();
            let is_attempt = |(name, _): &(&String, _)| name.contains("-attempt-");
            let (_, value) = jar.cookies.iter_mut().find(is_attempt).unwrap();
            let mut sent = edited_text(value, &input.cookie);
            sent.retain(|character| !character.is_control());
            is_forged = !sent.contains(&**value);
            *value = sent;
            state.to_owned()
        }
        false => {
            let (value, state) = made_up(input, site.address);
            let mut value = edited(value, &input.cookie);
            value.retain(|byte| *byte >= b' ' && *byte != 0x7f);
            let name = format!("{}-attempt-{}", site.cookie_name(), input.slot % 4);
            jar.around.0 = [name.as_bytes(), b"=", &value, b"; "].concat();
            state
        }
    };
    let state = percent_encoded(edited(state, &input.state));
    let query = edited_text(&format!("code=code:other&state={state}"), &input.query);
    let query = query.replace(
        |character: char| !character.is_ascii_graphic() || "#\"<>".contains(character),
        "_",
    );
    let path = format!("/clef/callback?{query}");
    let failures = failures_of_callback(query.as_bytes());
    let request = jar.request(Method::GET, &path);
    let reply = send_allowing(&site.app, site.address, request, failures).await;
    if let Some(location) = reply.location() {
        assert!(stays_on(site.address, location), "{location}");
    }
    assert!(
        !is_forged || reply.status >= 400,
        "a forged cookie: {reply:?}"
    );
    jar.take(&reply.headers);
    // A second request with the state, and the next login.
    let request = jar.request(Method::GET, &path);
    send_allowing(&site.app, site.address, request, failures).await;
    site.ask(&jar, Method::GET, "/clef/login?next=/account")
        .await;
}

/// The value of a cookie that a browser has made up, and the state that fits it.
fn made_up(input: &Input, site: &str) -> (String, String) {
    let secret = LoginSecret::from_bytes([7; 32]);
    let mut begun_at = edited_text(&Timestamp::now().as_micros().to_string(), &input.begun_at);
    if let Some(edits) = &input.reauthentication {
        begun_at = format!("{begun_at}:{}", edited_text("600", edits));
    }
    let next = edited_text("/account", &input.next);
    let purpose = format!("state for {site}/clef/callback {begun_at} {next}");
    let state = secret.derive("handle of the state")[..8].to_owned() + &secret.derive(&purpose);
    let secret = URL_SAFE_NO_PAD.encode([7; 32]);
    let stage = if input.is_of_script { "b" } else { "p" };
    let text = format!("{stage}.{secret}.{begun_at}.{next}");
    (URL_SAFE_NO_PAD.encode(edited(text, &input.text)), state)
}
