//! Which logins a notice ends, in the stores of this crate.

use std::sync::Arc;

use axum::{Router, body::Body, http::Request, routing::get};
use axum_clef::{
    ClefLayer, IdentityStore, LoggedIn, ProviderSession, Timestamp, UserStore,
    oidc::Oidc,
    stores::{Account, MemoryUserStore, SqliteUserStore},
};
use serde_json::{Value, json};
use tower::ServiceExt as _;
use tower_sessions::MemoryStore;

use crate::support::{ALEX, OpenIdProvider, RSA, Site, query};

async fn account(LoggedIn(user): LoggedIn<Account>) -> String {
    user.profile().subject.id().to_owned()
}

fn app<S>(client: Oidc, users: S) -> Router
where
    S: UserStore<User = Account> + IdentityStore<User = Account>,
{
    let layer = ClefLayer::builder(Site::ADDRESS, users, MemoryStore::default());
    let layer = layer.provider(client).build().unwrap();
    Router::new()
        .route("/account", get(account))
        .merge(layer.routes())
        .layer(layer)
}

/// The status, `Location` and cookies of an answer.
async fn ask(app: &Router, request: Request<Body>) -> (u16, String, String) {
    let response = app.clone().oneshot(request).await.unwrap();
    let headers = response.headers();
    let location = headers.get("location").map(|value| value.to_str().unwrap());
    let cookies = headers.get_all("set-cookie").iter();
    let cookies: Vec<_> = cookies
        .map(|cookie| cookie.to_str().unwrap().split(';').next().unwrap())
        .filter(|cookie| !cookie.ends_with('='))
        .collect();
    let status = response.status().as_u16();
    (
        status,
        location.unwrap_or_default().to_owned(),
        cookies.join("; "),
    )
}

fn open(path: &str, cookies: &str) -> Request<Body> {
    let request = Request::get(path).header("cookie", cookies);
    request.body(Body::empty()).unwrap()
}

/// The cookies of a login.
async fn log_in(app: &Router, provider: &OpenIdProvider) -> String {
    let (_, url, attempt) = ask(app, open("/clef/login", "")).await;
    let code = provider.approve(&url, ALEX);
    let mut callback = url::form_urlencoded::Serializer::new(String::new());
    callback
        .append_pair("code", &code)
        .append_pair("state", &query(&url)["state"])
        .append_pair("iss", &provider.issuer);
    let callback = format!("/clef/callback?{}", callback.finish());
    let (status, _, login) = ask(app, open(&callback, &attempt)).await;
    assert_eq!(status, 303);
    login
}

async fn notice(app: &Router, claims: &Value) -> u16 {
    let form = format!("logout_token={}", RSA.sign(claims));
    let notice = Request::post("/clef/logout")
        .header("content-type", "application/x-www-form-urlencoded")
        .body(Body::from(form));
    ask(app, notice.unwrap()).await.0
}

/// A notice with `sid` and `sub` ends the logins without a `sid`.
async fn check_logins_without_session(app: Router, provider: &OpenIdProvider) {
    for session in ["session-1", "one that no login has"] {
        provider.script().id_token = Arc::new(|claims| claims["sid"] = json!(null));
        let without = log_in(&app, provider).await;
        provider.script().id_token = Arc::new(|claims| claims["sid"] = json!("another"));
        let with = log_in(&app, provider).await;
        let mut claims = provider.logout_claims(ALEX);
        claims["sid"] = json!(session);
        assert_eq!(notice(&app, &claims).await, 200);
        assert_eq!(
            ask(&app, open("/account", &without)).await.0,
            401,
            "{session}"
        );
        assert_eq!(ask(&app, open("/account", &with)).await.0, 200, "{session}");
        let again = log_in(&app, provider).await;
        assert_eq!(ask(&app, open("/account", &again)).await.0, 200);
    }
}

/// A notice with `sid` alone ends all logins of the user, if the provider is set so.
async fn check_users_of_sessions(app: Router, provider: &OpenIdProvider) {
    let set_session = |session: &'static str| {
        provider.script().id_token = Arc::new(move |claims| claims["sid"] = json!(session));
    };
    for session in ["phone", "desk", "unknown"] {
        let mut logins = Vec::new();
        for of_login in ["phone", "desk"] {
            set_session(of_login);
            logins.push(log_in(&app, provider).await);
        }
        let mut claims = provider.logout_claims(ALEX);
        claims["sid"] = json!(session);
        claims["sub"] = json!(null);
        assert_eq!(notice(&app, &claims).await, 200);
        let status = if session == "unknown" { 200 } else { 401 };
        for login in logins {
            assert_eq!(
                ask(&app, open("/account", &login)).await.0,
                status,
                "{session}"
            );
        }
    }
}

async fn check<S>(users: S)
where
    S: UserStore<User = Account> + IdentityStore<User = Account> + Clone,
{
    let provider = OpenIdProvider::start().await;
    let plain = app(provider.client(), users.clone());
    check_logins_without_session(plain, &provider).await;
    let whole = app(provider.client().log_out_whole_person(), users);
    check_users_of_sessions(whole, &provider).await;
}

#[tokio::test]
async fn in_memory() {
    check(MemoryUserStore::new()).await;
}

#[tokio::test]
async fn in_sqlite() {
    check(SqliteUserStore::connect("sqlite::memory:").await.unwrap()).await;
}

#[tokio::test]
async fn old_sessions_are_removed() {
    let users = SqliteUserStore::connect("sqlite::memory:").await.unwrap();
    let memory = MemoryUserStore::new();
    for number in 0..3_000 {
        let session = ProviderSession::new("https://id.example", number.to_string());
        let ended = Timestamp::from_micros(1);
        memory.note_session(&session, "1", ended).await.unwrap();
        if number < 300 {
            users.note_session(&session, "1", ended).await.unwrap();
        }
    }
    let count = sqlx::query_scalar::<_, i64>("select count(*) from clef_sessions");
    assert!(count.fetch_one(users.pool()).await.unwrap() <= 1);
    let mut kept = 0;
    for number in 0..3_000 {
        let session = ProviderSession::new("https://id.example", number.to_string());
        kept += usize::from(memory.session_user(&session).await.unwrap().is_some());
    }
    assert!(kept <= 1_024, "{kept}");
}
