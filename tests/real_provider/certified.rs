//! The provider without this crate: what the tests with it stand on.

use std::collections::HashMap;

use axum::{Form, Router, extract::State, routing::post};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use reqwest::{Client, Response, StatusCode};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel},
};
use url::Url;

use crate::{
    browser::BrowserAtProvider,
    provider::{Claims, OldKeys, RealProvider},
};

const PERSON: &str = "mira-7c41";
const VERIFIER: &str = "a-verifier-that-is-long-enough-for-the-specification";

/// A site of a few lines.
struct Site {
    url: String,
    logout_tokens: UnboundedReceiver<String>,
    client: Client,
}

impl Site {
    async fn start() -> Self {
        let (sender, logout_tokens) = unbounded_channel();
        let app = Router::new()
            .route("/logout", post(take_notice))
            .with_state(sender);
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
        Self {
            url,
            logout_tokens,
            client: Client::builder().no_proxy().build().unwrap(),
        }
    }

    fn metadata(&self) -> Value {
        json!({
            "client_id": "site",
            "client_secret": "secret",
            "redirect_uris": [format!("{}/callback", self.url)],
            "post_logout_redirect_uris": [format!("{}/signed-out", self.url)],
            "backchannel_logout_uri": format!("{}/logout", self.url),
            "backchannel_logout_session_required": true,
        })
    }

    fn authorization(&self, provider: &RealProvider, more: &[(&str, &str)]) -> String {
        let challenge = URL_SAFE_NO_PAD.encode(Sha256::digest(VERIFIER));
        let mut url: Url = format!("{}/auth", provider.issuer()).parse().unwrap();
        url.query_pairs_mut()
            .extend_pairs([
                ("client_id", "site"),
                ("redirect_uri", &format!("{}/callback", self.url)),
                ("response_type", "code"),
                ("scope", "openid profile email phone"),
                ("state", "a-state"),
                ("nonce", "a-nonce"),
                ("code_challenge", &challenge),
                ("code_challenge_method", "S256"),
            ])
            .extend_pairs(more);
        url.into()
    }

    async fn exchange(&self, provider: &RealProvider, callback: &Url, verifier: &str) -> Response {
        let form = [
            ("grant_type", "authorization_code"),
            ("code", &query(callback)["code"]),
            ("redirect_uri", &format!("{}/callback", self.url)),
            ("code_verifier", verifier),
        ];
        self.client
            .post(format!("{}/token", provider.issuer()))
            .basic_auth("site", Some("secret"))
            .form(&form)
            .send()
            .await
            .unwrap()
    }

    /// The tokens of a login.
    async fn log_in(&self, provider: &RealProvider, browser: &BrowserAtProvider) -> Value {
        let authorization = self.authorization(provider, &[]);
        let callback = browser.log_in(&authorization, PERSON).await;
        let answer = query(&callback);
        assert_eq!(answer["state"], "a-state");
        assert_eq!(answer["iss"], provider.issuer());
        let response = self.exchange(provider, &callback, VERIFIER).await;
        assert_eq!(response.status(), StatusCode::OK);
        response.json().await.unwrap()
    }

    /// Whether the provider still knows this browser.
    async fn is_in(&self, provider: &RealProvider, browser: &BrowserAtProvider) -> bool {
        let silent = self.authorization(provider, &[("prompt", "none")]);
        let answer = query(&browser.open(&silent).await.elsewhere());
        match answer.get("error") {
            None => answer.contains_key("code"),
            Some(error) => {
                assert_eq!(error, "login_required");
                false
            }
        }
    }

    /// The notice that came: the provider answers a logout after its notices were answered.
    fn logout_token(&mut self) -> Value {
        self.logout_tokens.try_recv().unwrap().into()
    }

    async fn get(&self, url: &str) -> Value {
        let response = self.client.get(url).send().await.unwrap();
        response.json().await.unwrap()
    }

    /// The ids of the keys that the provider publishes.
    async fn kids(&self, provider: &RealProvider) -> Vec<Value> {
        let keys = self.get(&format!("{}/jwks", provider.issuer())).await;
        let keys = keys["keys"].as_array().unwrap().iter();
        keys.map(|key| key["kid"].clone()).collect()
    }
}

async fn take_notice(
    State(sender): State<UnboundedSender<String>>,
    Form(form): Form<HashMap<String, String>>,
) {
    sender.send(form["logout_token"].clone()).unwrap();
}

fn query(url: &Url) -> HashMap<String, String> {
    url.query_pairs().into_owned().collect()
}

/// The header and the claims of a token, unchecked.
fn read(token: &Value) -> (Value, Value) {
    let mut parts = token.as_str().unwrap().split('.').map(|part| {
        let json = URL_SAFE_NO_PAD.decode(part).unwrap();
        serde_json::from_slice(&json)
    });
    let header = parts.next().unwrap().unwrap();
    (header, parts.next().unwrap().unwrap())
}

#[tokio::test]
#[ignore = "needs node: run npm ci in tests/real_provider/provider first; .ci/run does"]
async fn a_logout_at_the_provider_ends_one_browser_and_tells_of_it() {
    let mut provider = RealProvider::start(Claims::AtUserinfo).await;
    let mut site = Site::start().await;
    provider.register(site.metadata()).await;
    let laptop = BrowserAtProvider::new(provider.issuer());
    let phone = BrowserAtProvider::new(provider.issuer());

    let tokens = site.log_in(&provider, &laptop).await;
    let (_, id_token) = read(&tokens["id_token"]);
    assert_eq!(id_token["sub"], PERSON);
    assert_eq!(id_token["nonce"], "a-nonce");
    assert_eq!(id_token["name"], Value::Null);
    let userinfo = site
        .client
        .get(format!("{}/me", provider.issuer()))
        .bearer_auth(tokens["access_token"].as_str().unwrap());
    let userinfo: Value = userinfo.send().await.unwrap().json().await.unwrap();
    assert_eq!(userinfo["sub"], PERSON);
    assert_eq!(userinfo["email"], "mira@example.com");
    let (_, on_phone) = read(&site.log_in(&provider, &phone).await["id_token"]);
    assert_ne!(on_phone["sid"], id_token["sid"]);

    laptop.log_out().await;

    let notices = provider.take_notices().await;
    assert_eq!(notices.len(), 1, "{notices:?}");
    assert_eq!(notices[0].client_id, "site");
    assert_eq!(notices[0].sub, PERSON);
    assert_eq!(notices[0].sid.as_deref(), id_token["sid"].as_str());
    assert!(notices[0].accepted, "{:?}", notices[0].status);
    let (header, logout) = read(&site.logout_token());
    assert_eq!(header["typ"], "logout+jwt");
    assert_eq!(logout["sub"], PERSON);
    assert_eq!(logout["sid"], id_token["sid"]);
    assert!(!site.is_in(&provider, &laptop).await);
    assert!(site.is_in(&provider, &phone).await);
}

#[tokio::test]
#[ignore = "needs node: run npm ci in tests/real_provider/provider first; .ci/run does"]
async fn a_logout_that_the_site_asks_for_comes_back_to_it() {
    let mut provider = RealProvider::start(Claims::InIdToken).await;
    let mut site = Site::start().await;
    let mut metadata = site.metadata();
    metadata["backchannel_logout_session_required"] = false.into();
    provider.register(metadata).await;
    let browser = BrowserAtProvider::new(provider.issuer());

    let tokens = site.log_in(&provider, &browser).await;
    let (_, id_token) = read(&tokens["id_token"]);
    assert_eq!(id_token["name"], "Mira Lindqvist");
    assert_eq!(id_token["sid"], Value::Null);

    let mut end: Url = format!("{}/session/end", provider.issuer())
        .parse()
        .unwrap();
    end.query_pairs_mut().extend_pairs([
        ("id_token_hint", tokens["id_token"].as_str().unwrap()),
        (
            "post_logout_redirect_uri",
            &format!("{}/signed-out", site.url),
        ),
        ("state", "a-state"),
    ]);
    let back = browser.confirm_logout(end.as_str()).await.elsewhere();

    assert_eq!(
        back.as_str(),
        format!("{}/signed-out?state=a-state", site.url)
    );
    assert_eq!(provider.take_notices().await[0].sid, None);
    let (_, logout) = read(&site.logout_token());
    assert_eq!(logout["sid"], Value::Null);
    assert_eq!(logout["sub"], PERSON);
    assert!(!site.is_in(&provider, &browser).await);
}

#[tokio::test]
#[ignore = "needs node: run npm ci in tests/real_provider/provider first; .ci/run does"]
async fn a_login_can_be_cancelled_and_needs_its_verifier() {
    let mut provider = RealProvider::start(Claims::AtUserinfo).await;
    let site = Site::start().await;
    provider.register(site.metadata()).await;
    let browser = BrowserAtProvider::new(provider.issuer());

    let authorization = site.authorization(&provider, &[]);
    let cancelled = query(&browser.cancel(&authorization).await);
    assert_eq!(cancelled["error"], "access_denied");
    assert_eq!(cancelled["state"], "a-state");

    let callback = browser.log_in(&authorization, PERSON).await;
    let other = VERIFIER.replace("long", "wide");
    let response = site.exchange(&provider, &callback, &other).await;
    assert_eq!(response.status(), StatusCode::BAD_REQUEST);
}

#[tokio::test]
#[ignore = "needs node: run npm ci in tests/real_provider/provider first; .ci/run does"]
async fn keys_change_under_a_login_and_the_provider_comes_back_at_its_address() {
    let mut provider = RealProvider::start(Claims::AtUserinfo).await;
    let site = Site::start().await;
    provider.register(site.metadata()).await;
    let browser = BrowserAtProvider::new(provider.issuer());
    site.log_in(&provider, &browser).await;
    let first = site.kids(&provider).await;

    provider.rotate_keys(OldKeys::Kept).await;
    let second = site.kids(&provider).await;
    assert!(first.iter().all(|kid| second.contains(kid)));
    assert!(site.is_in(&provider, &browser).await);
    let another = BrowserAtProvider::new(provider.issuer());
    let tokens = site.log_in(&provider, &another).await;
    let (header, _) = read(&tokens["id_token"]);
    assert!(!first.contains(&header["kid"]), "signed with a new key");

    provider.rotate_keys(OldKeys::Gone).await;
    let third = site.kids(&provider).await;
    assert!(second.iter().all(|kid| !third.contains(kid)));
    assert!(site.is_in(&provider, &browser).await);

    provider.stop().await;
    let gone = site.client.get(provider.issuer()).send().await;
    assert!(gone.unwrap_err().is_connect());
    provider.start_again().await;
    let fourth = site.kids(&provider).await;
    assert!(third.iter().all(|kid| !fourth.contains(kid)));
    assert!(!site.is_in(&provider, &browser).await);
    site.log_in(&provider, &browser).await;
}

#[tokio::test]
#[ignore = "needs node: run npm ci in tests/real_provider/provider first; .ci/run does"]
async fn an_odd_request_does_not_end_the_provider() {
    let provider = RealProvider::start(Claims::AtUserinfo).await;
    let address = provider.issuer().strip_prefix("http://").unwrap();
    for target in [
        "//",
        "//?",
        "///",
        "http://",
        "http://[",
        "//[/",
        "//x:99999/",
        "/%ff",
        "*",
    ] {
        let mut connection = TcpStream::connect(address).await.unwrap();
        let request = format!("GET {target} HTTP/1.1\r\nHost: [\r\nConnection: close\r\n\r\n");
        connection.write_all(request.as_bytes()).await.unwrap();
        let mut answer = Vec::new();
        connection.read_to_end(&mut answer).await.unwrap();
        assert!(answer.starts_with(b"HTTP/1.1 "), "no answer to {target}");
    }
    let site = Site::start().await;
    assert!(!site.kids(&provider).await.is_empty(), "it still serves");
}
