//! A notice with `sid` and `sub` ends the logins without a `sid`, in the stores of this crate.

use std::sync::Arc;

use axum::{Router, body::Body, http::Request, routing::get};
use axum_clef::{
    ClefLayer, IdentityStore, LoggedIn, UserStore,
    stores::{Account, MemoryUserStore, SqliteUserStore},
};
use serde_json::json;
use tower::ServiceExt as _;
use tower_sessions::MemoryStore;

use crate::support::{ALEX, OpenIdProvider, RSA, Site, query};

async fn account(LoggedIn(user): LoggedIn<Account>) -> String {
    user.profile().subject.id().to_owned()
}

fn app<S>(provider: &OpenIdProvider, users: S) -> Router
where
    S: UserStore<User = Account> + IdentityStore<User = Account>,
{
    let layer = ClefLayer::builder(Site::ADDRESS, users, MemoryStore::default());
    let layer = layer.provider(provider.client()).build().unwrap();
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

async fn check(app: Router, provider: &OpenIdProvider) {
    for session in ["session-1", "one that no login has"] {
        provider.script().id_token = Arc::new(|claims| claims["sid"] = json!(null));
        let without = log_in(&app, provider).await;
        provider.script().id_token = Arc::new(|claims| claims["sid"] = json!("another"));
        let with = log_in(&app, provider).await;
        let mut claims = provider.logout_claims(ALEX);
        claims["sid"] = json!(session);
        let form = format!("logout_token={}", RSA.sign(&claims));
        let notice = Request::post("/clef/logout")
            .header("content-type", "application/x-www-form-urlencoded")
            .body(Body::from(form));
        assert_eq!(ask(&app, notice.unwrap()).await.0, 200);
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

#[tokio::test]
async fn in_memory() {
    let provider = OpenIdProvider::start().await;
    check(app(&provider, MemoryUserStore::new()), &provider).await;
}

#[tokio::test]
async fn in_sqlite() {
    let provider = OpenIdProvider::start().await;
    let users = SqliteUserStore::connect("sqlite::memory:").await.unwrap();
    check(app(&provider, users), &provider).await;
}
