//! A provider on another site that sends the callback as a form, in a real browser: which cookies
//! the browser adds to the form, and to the redirect behind it.

use std::sync::{Arc, Mutex};

use axum::{
    Router,
    extract::{Query, Request, State},
    http::{Method, header},
    middleware::{Next, from_fn_with_state},
    response::{Html, Response},
    routing::get,
};
use axum_clef::{
    ClefLayer, LoggedIn, Profile, Subject,
    async_trait::async_trait,
    provider::{CodeExchange, LoginRequest, Provider, ProviderError, ProviderLogin},
    secrecy::ExposeSecret as _,
    stores::{Account, MemoryUserStore},
};
use serde::Deserialize;
use tokio::net::TcpListener;
use tower_sessions::MemoryStore;
use url::Url;

use crate::browser::in_a_browser;

/// A provider that logs in the user who presses the button of its form.
struct Elsewhere {
    url: String,
}

#[derive(Deserialize)]
struct Login {
    callback: String,
    state: String,
}

impl Elsewhere {
    async fn start() -> Self {
        let form = async |Query(Login { callback, state }): Query<Login>| {
            let fields = [("code", "alex"), ("state", &*state), ("user", "Alexandra")];
            let fields = fields
                .map(|(name, value)| format!("<input type=hidden name={name} value=\"{value}\">"));
            Html(format!(
                "<form method=post action=\"{callback}\">{}<button>Continue</button></form>",
                fields.concat()
            ))
        };
        let app = Router::new().route("/login", get(form));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        // Another site than that of an address, for the browser.
        let url = format!("http://localhost:{}", listener.local_addr().unwrap().port());
        tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
        Self { url }
    }
}

#[async_trait]
impl Provider for Elsewhere {
    fn name(&self) -> &str {
        "Elsewhere"
    }

    fn uses_form_post(&self) -> bool {
        true
    }

    async fn login_url(&self, login: &LoginRequest<'_>) -> Result<Url, ProviderError> {
        let mut url: Url = format!("{}/login", self.url).parse().unwrap();
        url.query_pairs_mut()
            .append_pair("callback", login.callback_url.as_str())
            .append_pair("state", login.state.expose());
        Ok(url)
    }

    async fn exchange(&self, code: &CodeExchange<'_>) -> Result<ProviderLogin, ProviderError> {
        let subject = Subject::new(&self.url, code.code.expose_secret());
        let mut profile = Profile::new(subject);
        profile.first_name = code.user.map(|user| user.expose_secret().to_owned());
        Ok(ProviderLogin::new(profile))
    }
}

/// The methods of the callbacks, and the names of the cookies that came with each.
type Callbacks = Arc<Mutex<Vec<(Method, Vec<String>)>>>;

async fn record(State(callbacks): State<Callbacks>, request: Request, next: Next) -> Response {
    if request.uri().path() == "/clef/callback" {
        let cookies = request.headers().get_all(header::COOKIE).iter();
        let cookies = cookies.flat_map(|cookie| cookie.to_str().unwrap().split("; "));
        let names = cookies.map(|cookie| cookie.split('=').next().unwrap().to_owned());
        let callback = (request.method().clone(), names.collect());
        callbacks.lock().unwrap().push(callback);
    }
    next.run(request).await
}

async fn account(LoggedIn(user): LoggedIn<Account>) -> Html<String> {
    let name = user.profile().name().unwrap_or_default();
    let id = user.profile().subject.id();
    Html(format!("<h1>{id}, called {name}</h1>"))
}

#[tokio::test]
#[ignore = "needs a browser: cargo test -p quickstart --test quickstart -- --ignored"]
async fn the_cookies_of_an_attempt_come_with_the_redirect_and_not_with_the_form() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let site = format!("http://{}", listener.local_addr().unwrap());
    let provider = Elsewhere::start().await;
    let (users, sessions) = (MemoryUserStore::new(), MemoryStore::default());
    let layer = ClefLayer::builder(&*site, users, sessions)
        .provider(provider)
        .build()
        .unwrap();
    let callbacks = Callbacks::default();
    let app: Router = Router::new()
        .route("/account", get(account))
        .merge(layer.routes())
        .layer(layer)
        .layer(from_fn_with_state(Arc::clone(&callbacks), record));
    tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });

    in_a_browser(async |browser| {
        browser.open(&format!("{site}/account")).await?;
        browser.press("Continue").await?;
        browser.sees("alex, called Alexandra").await?;
        assert!(browser.is("location.pathname === '/account'").await?);
        // With a login there, which is no help to the form either.
        browser.open(&format!("{site}/clef/login")).await?;
        browser.press("Continue").await?;
        browser.waits_for("location.pathname === '/'").await
    })
    .await;

    let callbacks = callbacks.lock().unwrap().clone();
    let [form, redirect, second_form, second_redirect] = &*callbacks else {
        panic!("{callbacks:?}");
    };
    for form in [form, second_form] {
        assert_eq!(*form, (Method::POST, Vec::new()));
    }
    for (method, cookies) in [redirect, second_redirect] {
        assert_eq!(method, Method::GET);
        for part in ["-attempt-", "-form-user"] {
            let came = cookies.iter().filter(|name| name.contains(part)).count();
            assert!(came > 0, "{part}: {cookies:?}");
        }
    }
}
