//! An OAuth 2.0 provider on loopback, like GitHub. What it says can be changed at any time.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard},
};

use axum::{
    Form, Json, Router,
    extract::{Path, State},
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse as _, Response},
    routing::{get, post},
};
use axum_clef::oauth2::{OAuth2, OAuth2Endpoints};
use base64::{
    Engine as _,
    engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use tokio::net::TcpListener;
use url::Url;

pub const CLIENT_ID: &str = "the site:1";
/// With all that a form encodes.
pub const CLIENT_SECRET: &str = "se cret:+%/&é";
pub const ACCESS_TOKEN: &str = "SECRET-ACCESS-TOKEN";

#[derive(Clone)]
pub struct TestProvider {
    pub issuer: String,
    state: Arc<Mutex<Script>>,
}

/// What the provider says, and what it was asked.
#[derive(Default)]
pub struct Script {
    /// What is changed in the answer of the token endpoint.
    pub tokens: Value,
    /// What the token endpoint answers instead.
    pub token_answer: Option<(u16, String)>,
    /// The documents at `/api/user` and `/api/emails`: status and text.
    pub documents: HashMap<&'static str, (u16, String)>,
    pub token_requests: Vec<(HeaderMap, HashMap<String, String>)>,
    pub api_requests: Vec<HeaderMap>,
    codes: HashMap<String, HashMap<String, String>>,
}

impl TestProvider {
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let user = json!({ "id": 583_231, "login": "alex", "name": "Alex", "left": null });
        let emails = json!([{ "email": "alex@example.com", "primary": true, "verified": true }]);
        let provider = Self {
            issuer: format!("http://{}", listener.local_addr().unwrap()),
            state: Arc::default(),
        };
        provider.change(|script| {
            script.tokens = json!({});
            script.documents = HashMap::from([
                ("user", (200, user.to_string())),
                ("emails", (200, emails.to_string())),
            ]);
        });
        let app = Router::new()
            .route("/token", post(token))
            .route("/api/{document}", get(document))
            .with_state(provider.clone());
        tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
        provider
    }

    pub fn script(&self) -> MutexGuard<'_, Script> {
        self.state.lock().unwrap()
    }

    pub fn change(&self, change: impl FnOnce(&mut Script)) {
        change(&mut self.script());
    }

    pub fn url(&self, path: &str) -> String {
        format!("{}{path}", self.issuer)
    }

    /// The application at this provider.
    pub fn client(&self) -> OAuth2 {
        let user_info = [self.url("/api/user"), self.url("/api/emails")];
        let endpoints = OAuth2Endpoints {
            issuer: &self.issuer,
            authorization: &self.url("/authorize?tenant=1"),
            token: &self.url("/token"),
            user_info: &user_info.each_ref().map(String::as_str),
        };
        let client = OAuth2::new(endpoints, CLIENT_ID, CLIENT_SECRET, |info| {
            let mut profile = info.profile("id")?;
            profile.first_name = info.text("name");
            let emails = info.documents()[1].as_array().ok_or("no list of e-mails")?;
            let mut verified = emails.iter().filter(|email| email["verified"] == true);
            let email = verified.find_map(|email| email["email"].as_str());
            profile.email = email.map(str::to_owned);
            profile.email_verified = email.map(|_| true);
            Ok(profile)
        });
        client.unwrap()
    }

    /// What a user does who is sent there: the code for the way back.
    pub fn approve(&self, login_url: &str) -> (String, HashMap<String, String>) {
        let start = self.url("/authorize?tenant=1&");
        assert!(login_url.starts_with(&start), "{login_url}");
        let mut query = HashMap::new();
        for (name, value) in Url::parse(login_url).unwrap().query_pairs().into_owned() {
            assert_eq!(query.insert(name, value), None, "once each");
        }
        assert_eq!(query["response_type"], "code");
        assert_eq!(query["client_id"], CLIENT_ID);
        assert_eq!(query["code_challenge_method"], "S256");
        assert!(query["state"].len() >= 43);
        let mut script = self.script();
        let code = format!("SECRET-CODE-{}", script.codes.len() + 1);
        script.codes.insert(code.clone(), query.clone());
        (code, query)
    }
}

async fn token(
    State(provider): State<TestProvider>,
    headers: HeaderMap,
    Form(form): Form<HashMap<String, String>>,
) -> Response {
    let mut script = provider.script();
    script.token_requests.push((headers.clone(), form.clone()));
    if let Some((status, body)) = script.token_answer.clone() {
        let status = StatusCode::from_u16(status).unwrap();
        return (status, [(header::LOCATION, "/elsewhere")], body).into_response();
    }
    // As GitHub does: errors have the status 200.
    let refuse = |error: &str| Json(json!({ "error": error })).into_response();
    if headers[header::ACCEPT] != "application/json" {
        return "access_token=x&token_type=bearer".into_response();
    }
    if !knows_client(&headers, &form) {
        return refuse("incorrect_client_credentials");
    }
    let Some(asked) = script.codes.remove(&form["code"]) else {
        return refuse("bad_verification_code");
    };
    let challenge = URL_SAFE_NO_PAD.encode(Sha256::digest(&form["code_verifier"]));
    if challenge != asked["code_challenge"] {
        return refuse("bad_verification_code");
    }
    assert_eq!(form["grant_type"], "authorization_code");
    assert_eq!(form["redirect_uri"], asked["redirect_uri"]);
    let mut answer = json!({
        "access_token": ACCESS_TOKEN,
        "token_type": "bearer",
        "scope": "read:user,user:email",
    });
    for (name, value) in script.tokens.as_object().unwrap() {
        answer[name] = value.clone();
    }
    Json(answer).into_response()
}

/// Whether a request proves by one way, and by one alone, that it is the site's.
fn knows_client(headers: &HeaderMap, form: &HashMap<String, String>) -> bool {
    let encoded = |text: &str| url::form_urlencoded::byte_serialize(text.as_bytes()).collect();
    let (id, secret): (String, String) = (encoded(CLIENT_ID), encoded(CLIENT_SECRET));
    let basic = format!("Basic {}", STANDARD.encode(format!("{id}:{secret}")));
    let secret = form.get("client_secret").map(String::as_str);
    match headers.get(header::AUTHORIZATION) {
        Some(authorization) => authorization == &basic && secret.is_none(),
        None => form["client_id"] == CLIENT_ID && secret == Some(CLIENT_SECRET),
    }
}

async fn document(
    State(provider): State<TestProvider>,
    Path(document): Path<String>,
    headers: HeaderMap,
) -> Response {
    let mut script = provider.script();
    script.api_requests.push(headers);
    let (status, text) = script.documents[document.as_str()].clone();
    let status = StatusCode::from_u16(status).unwrap();
    (status, [(header::LOCATION, "/elsewhere")], text).into_response()
}
