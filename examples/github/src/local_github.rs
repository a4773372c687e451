//! A GitHub on this machine, for the demo and the tests: the four endpoints that a login uses and the page
//! where users revoke the app, with two users and without passwords.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use axum::{
    Form, Json, Router,
    extract::{Query, State},
    http::{HeaderMap, StatusCode, header},
    response::{Html, IntoResponse as _, Redirect, Response},
    routing::{get, post},
};
use axum_clef::{
    oauth2::{OAuth2, OAuth2Endpoints, OAuth2Error},
    secrecy::SecretString,
};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use hmac::Mac as _;
use maud::html;
use serde::Deserialize;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use url::Url;

use crate::{WEBHOOK_PATH, github, pages, webhook::Webhook};

const CLIENT_ID: &str = "the-reading-room";
const CLIENT_SECRET: &str = "only-for-this-machine";
const WEBHOOK_SECRET: &str = "only-for-this-machine-too";

/// The service. Clones are the same one.
#[derive(Clone)]
pub struct LocalGithub {
    origin: String,
    /// The site, which receives the webhook.
    site: String,
    state: Arc<Mutex<Accounts>>,
}

struct Accounts {
    users: Vec<User>,
    /// What is asked for with each code.
    codes: HashMap<String, (Authorization, u64)>,
    /// Whose each access token is.
    access_tokens: HashMap<String, u64>,
    counter: u64,
}

struct User {
    id: u64,
    login: String,
}

/// An authorization request (RFC 6749, section 4.1.1; RFC 7636, section 4.3).
#[derive(Clone, Deserialize)]
struct Authorization {
    client_id: String,
    redirect_uri: String,
    state: String,
    code_challenge: String,
}

impl LocalGithub {
    /// The service at this origin, and the site whose users it has.
    pub fn new(origin: impl Into<String>, site: impl Into<String>) -> Self {
        let user = |id, login: &str| User {
            id,
            login: login.to_owned(),
        };
        let accounts = Accounts {
            users: vec![user(583_231, "octocat"), user(9_919, "hubot")],
            codes: HashMap::new(),
            access_tokens: HashMap::new(),
            counter: 0,
        };
        Self {
            origin: origin.into(),
            site: site.into(),
            state: Arc::new(Mutex::new(accounts)),
        }
    }

    /// The site's application there.
    ///
    /// # Errors
    ///
    /// If the origin is not on loopback.
    pub fn provider(&self) -> Result<OAuth2, OAuth2Error> {
        let url = |path: &str| format!("{}{path}", self.origin);
        let endpoints = OAuth2Endpoints {
            issuer: &self.origin,
            authorization: &url("/login/oauth/authorize"),
            token: &url("/login/oauth/access_token"),
            user_info: &[&url("/user"), &url("/user/emails")],
        };
        github::provider(endpoints, CLIENT_ID, CLIENT_SECRET)
    }

    /// The site's end of the webhook.
    pub fn webhook(&self) -> Webhook {
        Webhook::new(&self.origin, WEBHOOK_SECRET)
    }

    /// An event with its signature, as the webhook sends it.
    pub fn event(&self, action: &str, user: u64) -> (String, String) {
        let body = json!({ "action": action, "sender": { "id": user } }).to_string();
        let mac = Webhook::mac(&SecretString::from(WEBHOOK_SECRET), body.as_bytes());
        let digest = mac.map(|mac| mac.finalize().into_bytes().to_vec());
        let digest = digest.unwrap_or_default();
        let hex: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
        (body, format!("sha256={hex}"))
    }

    /// Its routes.
    pub fn routes(&self) -> Router {
        Router::new()
            .route("/login/oauth/authorize", get(choose_user).post(approve))
            .route("/login/oauth/access_token", post(access_token))
            .route("/user", get(user))
            .route("/user/emails", get(emails))
            .route("/settings/apps", get(settings).post(revoke))
            .with_state(self.clone())
    }

    /// Gives a user another name, as users can at GitHub. The number stays.
    pub fn rename(&self, id: u64, login: &str) {
        let mut accounts = self.accounts();
        let user = accounts.users.iter_mut().find(|user| user.id == id);
        if let Some(user) = user {
            login.clone_into(&mut user.login);
        }
    }

    /// Ends the access tokens of a user, and returns the id for the delivery of the event.
    fn revoke(&self, user: u64) -> String {
        let mut accounts = self.accounts();
        accounts.access_tokens.retain(|_, of| *of != user);
        accounts.counter += 1;
        format!("delivery-{}", accounts.counter)
    }

    fn accounts(&self) -> MutexGuard<'_, Accounts> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The login of the user whose access token a request has.
    fn user_of(&self, headers: &HeaderMap) -> Option<(u64, String)> {
        let token = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
        let accounts = self.accounts();
        let id = *accounts.access_tokens.get(token.strip_prefix("Bearer ")?)?;
        let user = accounts.users.iter().find(|user| user.id == id)?;
        Some((id, user.login.clone()))
    }
}

/// The page on which a user logs in.
async fn choose_user(
    State(github): State<LocalGithub>,
    Query(asked): Query<Authorization>,
) -> Result<Html<String>, StatusCode> {
    if asked.client_id != CLIENT_ID {
        return Err(StatusCode::NOT_FOUND);
    }
    let content = html! {
        p.kicker { "The GitHub of this machine" }
        h1 { "Who are you?" }
        // They post to the address of the page, which has what the site asks for.
        @for user in &github.accounts().users {
            form method="post" {
                button type="submit" name="user" value=(user.id) { (user.login) }
            }
        }
        form method="post" { button.quiet type="submit" { "Cancel" } }
    };
    Ok(pages::page("The GitHub of this machine", &content))
}

#[derive(Deserialize)]
struct Choice {
    user: Option<u64>,
}

async fn approve(
    State(github): State<LocalGithub>,
    Query(asked): Query<Authorization>,
    Form(choice): Form<Choice>,
) -> Result<Redirect, StatusCode> {
    let callback = Url::parse(&asked.redirect_uri);
    let mut callback = callback.map_err(|_| StatusCode::BAD_REQUEST)?;
    let state = asked.state.clone();
    let (name, value) = match choice.user {
        None => ("error", "access_denied".to_owned()),
        Some(user) => {
            let mut accounts = github.accounts();
            accounts.counter += 1;
            let code = format!("code-{}", accounts.counter);
            accounts.codes.insert(code.clone(), (asked, user));
            ("code", code)
        }
    };
    callback
        .query_pairs_mut()
        .append_pair(name, &value)
        .append_pair("state", &state)
        // As at GitHub, it is not the issuer of the users. Errors have it too (RFC 9207, section 2).
        .append_pair("iss", &format!("{}/login/oauth", github.origin));
    Ok(Redirect::to(callback.as_str()))
}

/// The page on which a user revokes the app.
async fn settings(State(github): State<LocalGithub>) -> Html<String> {
    let content = html! {
        p.kicker { "The GitHub of this machine" }
        h1 { "Revoke The Reading Room" }
        @for user in &github.accounts().users {
            form method="post" {
                button type="submit" name="user" value=(user.id) { "as " (user.login) }
            }
        }
    };
    pages::page("Apps", &content)
}

/// The access tokens of the user end, and the app receives the event.
async fn revoke(
    State(github): State<LocalGithub>,
    Form(choice): Form<Choice>,
) -> Result<Html<String>, StatusCode> {
    let user = choice.user.ok_or(StatusCode::BAD_REQUEST)?;
    let delivery = github.revoke(user);
    let (body, signature) = github.event("revoked", user);
    let client = reqwest::Client::builder().no_proxy().build();
    let client = client.map_err(|_| StatusCode::INTERNAL_SERVER_ERROR)?;
    let sent = client
        .post(format!("{}{WEBHOOK_PATH}", github.site))
        .header("x-github-event", "github_app_authorization")
        .header("x-github-delivery", delivery)
        .header("x-hub-signature-256", signature)
        .header(header::CONTENT_TYPE, "application/json")
        .body(body)
        .send()
        .await;
    let answer = sent.map_err(|_| StatusCode::BAD_GATEWAY)?.status();
    let content = html! {
        p.kicker { "The GitHub of this machine" }
        h1 { "Revoked" }
        p { "The site answered " (answer) "." }
    };
    Ok(pages::page("Revoked", &content))
}

#[derive(Deserialize)]
struct TokenRequest {
    client_id: String,
    client_secret: String,
    code: String,
    redirect_uri: String,
    code_verifier: String,
}

/// Errors have the status 200, as at GitHub.
async fn access_token(
    State(github): State<LocalGithub>,
    Form(request): Form<TokenRequest>,
) -> Json<Value> {
    if (&*request.client_id, &*request.client_secret) != (CLIENT_ID, CLIENT_SECRET) {
        return Json(json!({ "error": "incorrect_client_credentials" }));
    }
    let mut accounts = github.accounts();
    let challenge = URL_SAFE_NO_PAD.encode(Sha256::digest(&request.code_verifier));
    let asked = accounts.codes.remove(&request.code);
    let asked = asked.filter(|(asked, _)| {
        asked.code_challenge == challenge && asked.redirect_uri == request.redirect_uri
    });
    let Some((_, user)) = asked else {
        return Json(json!({ "error": "bad_verification_code" }));
    };
    accounts.counter += 1;
    let token = format!("token-{}", accounts.counter);
    accounts.access_tokens.insert(token.clone(), user);
    Json(json!({ "access_token": token, "token_type": "bearer", "scope": "user:email" }))
}

async fn user(State(github): State<LocalGithub>, headers: HeaderMap) -> Response {
    match github.user_of(&headers) {
        Some((id, login)) => {
            let name = format!("The {login}");
            Json(json!({ "id": id, "login": login, "name": name, "email": null })).into_response()
        }
        None => StatusCode::UNAUTHORIZED.into_response(),
    }
}

async fn emails(State(github): State<LocalGithub>, headers: HeaderMap) -> Response {
    match github.user_of(&headers) {
        Some((_, login)) => Json(json!([
            { "email": format!("{login}@old.example"), "primary": false, "verified": false },
            { "email": format!("{login}@example.com"), "primary": true, "verified": true },
        ]))
        .into_response(),
        None => StatusCode::UNAUTHORIZED.into_response(),
    }
}
