//! A strict site and a provider on another origin, in a real browser: forms, scripts, prefetches,
//! and tags that arrive later.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering::SeqCst},
};

use axum::{
    Router,
    extract::Query,
    http::{StatusCode, header},
    response::{Html, IntoResponse, Redirect, Response},
    routing::{get, post},
};
use axum_clef::{
    ClefLayer, LoggedIn, Profile, SameOrigin, SignOut, Subject,
    async_trait::async_trait,
    provider::{
        CodeExchange, LoginRequest, Provider, ProviderError, ProviderErrorKind, ProviderLogin,
        SignOutRequest,
    },
    secrecy::ExposeSecret as _,
    stores::{Account, MemoryUserStore},
};
use serde::Deserialize;
use thirtyfour::error::WebDriverResult;
use tokio::net::TcpListener;
use tower_sessions::MemoryStore;
use url::Url;

use crate::{
    browser::{Browser, in_a_browser},
    stub::Stub,
};

/// Nothing but what is needed: no form may lead to another origin.
const POLICY: &str = "default-src 'self'; script-src 'self' 'unsafe-inline'; form-action 'self'";

/// A provider that logs everybody in, on an origin of its own.
#[derive(Clone)]
struct Elsewhere {
    url: String,
    exchanges: Arc<AtomicUsize>,
}

impl Elsewhere {
    async fn start() -> Self {
        #[derive(Deserialize)]
        struct Login {
            callback: String,
            state: String,
        }

        let login = async |Query(Login { callback, state }): Query<Login>| {
            Redirect::to(&format!("{callback}?code=alex&state={state}"))
        };
        let app = Router::new()
            .route("/login", get(login))
            .route("/bye", get(async || Html("<h1>Bye at the provider</h1>")));
        Self {
            url: serve(app).await,
            exchanges: Arc::default(),
        }
    }

    fn at(&self, path: &str, fields: &[(&str, &str)]) -> Result<Url, ProviderError> {
        let url = Url::parse_with_params(&format!("{}{path}", self.url), fields);
        url.map_err(|error| ProviderError::new(ProviderErrorKind::Misconfigured, error))
    }
}

#[async_trait]
impl Provider for Elsewhere {
    fn name(&self) -> &str {
        "Elsewhere"
    }

    async fn login_url(&self, login: &LoginRequest<'_>) -> Result<Url, ProviderError> {
        let callback = login.callback_url.as_str();
        let state = login.state.expose();
        self.at("/login", &[("callback", callback), ("state", state)])
    }

    async fn exchange(&self, code: &CodeExchange<'_>) -> Result<ProviderLogin, ProviderError> {
        self.exchanges.fetch_add(1, SeqCst);
        let subject = Subject::new(self.url.clone(), code.code.expose_secret());
        Ok(ProviderLogin::new(Profile::new(subject)))
    }

    async fn sign_out_url(&self, out: &SignOutRequest<'_>) -> Result<Option<Url>, ProviderError> {
        self.at("/bye", &[("state", out.state.expose())]).map(Some)
    }
}

/// A listener for an application, and its URL.
async fn listen() -> (TcpListener, String) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    (listener, url)
}

async fn serve(app: Router) -> String {
    let (listener, url) = listen().await;
    tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
    url
}

/// The site of the tests, with a policy on each of its pages.
struct Site {
    url: String,
    provider: Elsewhere,
}

impl Site {
    async fn start() -> Self {
        let provider = Elsewhere::start().await;
        let (listener, url) = listen().await;
        let auth = ClefLayer::builder(&url, MemoryUserStore::new(), MemoryStore::default());
        let auth = auth.provider(provider.clone()).build().unwrap();
        let app = Router::new()
            .route("/", get(front))
            .route("/ahead", get(ahead))
            .route("/account", get(account).post(sent))
            .route("/leave", post(leave))
            .merge(auth.routes())
            .layer(auth);
        tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
        Self { url, provider }
    }

    async fn open(&self, browser: &Browser, path: &str) -> WebDriverResult<()> {
        browser.open(&format!("{}{path}", self.url)).await
    }
}

fn page(body: &str) -> Response {
    let page = format!("<!DOCTYPE html><html lang=\"en\"><title>The site</title>{body}</html>");
    ([(header::CONTENT_SECURITY_POLICY, POLICY)], Html(page)).into_response()
}

async fn front() -> Response {
    page(
        "<h1>Front</h1>\
         <form method=\"post\" action=\"/clef/login\"><input type=\"hidden\" name=\"next\" \
         value=\"/account\"><button>Log in by a form</button></form>",
    )
}

/// A page that loads what comes next ahead of time.
async fn ahead() -> Response {
    page(
        "<h1>Ahead</h1><link rel=\"prefetch\" href=\"/clef/login?next=/account\">\
         <script type=\"speculationrules\">{\
         \"prefetch\": [{\"urls\": [\"/clef/login?next=/account\"], \"eagerness\": \"immediate\"}],\
         \"prerender\": [{\"urls\": [\"/account?ahead\"], \"eagerness\": \"immediate\"}]}</script>\
         <a href=\"/clef/login?next=/account\">Log in by a link</a>",
    )
}

async fn account(_: LoggedIn<Account>) -> Response {
    page(
        "<h1>Account</h1>\
         <form method=\"post\" action=\"/auth/sign-out\"><button>Sign out</button></form>\
         <form method=\"post\" action=\"/account\"><button>Send</button></form>",
    )
}

async fn sent(_: SameOrigin, _: LoggedIn<Account>) -> Response {
    page("<h1>Sent</h1>")
}

/// Signs out behind the back of the page.
async fn leave(sign_out: SignOut) -> StatusCode {
    sign_out.end().await.unwrap();
    StatusCode::NO_CONTENT
}

#[tokio::test]
#[ignore = "needs a browser: cargo test --test quickstart -- --ignored"]
async fn forms_lead_to_a_provider_elsewhere_although_the_policy_lets_none_go_there() {
    let site = Site::start().await;
    in_a_browser(async |browser| {
        site.open(&browser, "/").await?;
        browser.press("Log in by a form").await?;
        browser.sees("Account").await?;
        browser.press("Sign out").await?;
        browser.sees("Bye at the provider").await?;
        site.open(&browser, "/account").await?;
        browser.sees("Account").await
    })
    .await;
}

#[tokio::test]
#[ignore = "needs a browser: cargo test --test quickstart -- --ignored"]
async fn a_page_that_is_loaded_ahead_of_time_begins_no_login_and_the_link_works() {
    let site = Site::start().await;
    in_a_browser(async |browser| {
        site.open(&browser, "/ahead").await?;
        let loaded = "performance.getEntriesByType('resource')\
            .some((entry) => entry.name.includes('/clef/login'))";
        browser.waits_for(loaded).await?;
        tokio::time::sleep(std::time::Duration::from_millis(500)).await;
        assert!(browser.0.get_all_cookies().await?.is_empty());
        assert_eq!(site.provider.exchanges.load(SeqCst), 0);
        browser.press("Log in by a link").await?;
        browser.sees("Account").await?;
        assert_eq!(site.provider.exchanges.load(SeqCst), 1);
        Ok(())
    })
    .await;
}

#[tokio::test]
#[ignore = "needs a browser: cargo test --test quickstart -- --ignored"]
async fn a_script_gets_json_and_a_form_a_page_after_the_login_has_ended() {
    let site = Site::start().await;
    in_a_browser(async |browser| {
        site.open(&browser, "/account").await?;
        browser.sees("Account").await?;
        let fetched = |call: &str| {
            format!("window.answer = undefined; {call}.then((answer) => window.answer = answer);")
        };
        browser
            .0
            .execute(fetched("fetch('/leave', { method: 'POST' })"), vec![])
            .await?;
        browser.waits_for("window.answer").await?;

        // A script that accepts HTML, which could not follow a redirect to the provider.
        let html = "fetch('/account?data', { headers: { accept: 'text/html' } })\
            .then((answer) => answer.json())";
        browser.0.execute(fetched(html), vec![]).await?;
        browser.waits_for("window.answer").await?;
        let login = "answer.status === 401 && answer.login === '/clef/login?next=%2Faccount'";
        assert!(browser.is(login).await?);

        browser.press("Send").await?;
        browser.sees("You are logged out").await?;
        browser.press("Log in").await?;
        browser.sees("Account").await?;

        // A script that signs out gets the URL of the provider.
        let out = "fetch('/auth/sign-out', { method: 'POST' }).then((answer) => answer.json())";
        browser.0.execute(fetched(out), vec![]).await?;
        browser.waits_for("window.answer").await?;
        let elsewhere = format!("answer.location.startsWith('{}/bye?')", site.provider.url);
        assert!(browser.is(&elsewhere).await?);
        Ok(())
    })
    .await;
}

/// The page changes without a load, as with Turbo or a router in the browser.
#[tokio::test]
#[ignore = "needs a browser: cargo test --test quickstart -- --ignored"]
async fn a_page_that_becomes_private_later_is_covered() {
    const COVERED: &str = "document.querySelector('clef-cover')";
    let stub = Stub::start().await;
    in_a_browser(async |browser| {
        // By a tag that does not run, and by the attribute of the first one.
        for change in [
            "const later = document.querySelector('script[defer]').cloneNode();\
             later.dataset.private = ''; document.body.append(later);",
            "document.querySelector('script[defer]').dataset.private = '';",
        ] {
            browser.open(&format!("{}/page", stub.url)).await?;
            browser.sees("Page of nobody").await?;
            let asked = "performance.getEntriesByType('resource')\
                .some((entry) => entry.name.includes('/auth/live?') && entry.responseEnd)";
            browser.waits_for(asked).await?;
            assert!(!browser.is(COVERED).await?);
            browser.0.execute(change, vec![]).await?;
            browser.waits_for(COVERED).await?;
        }
        // By a tag that runs: the second of two.
        let two = "data=defer%3E%3C/script%3E%3Cscript%20src=/auth/live.js%20data-private";
        browser.open(&format!("{}/page?{two}", stub.url)).await?;
        browser.waits_for(COVERED).await
    })
    .await;
}
