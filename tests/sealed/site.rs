//! A site whose sessions are in a sealed cookie, its users, and a provider to script.

use std::sync::{
    Arc,
    atomic::{AtomicBool, AtomicI64, AtomicUsize, Ordering::SeqCst},
};

use async_trait::async_trait;
use axum::{
    Router,
    body::Body,
    extract::Path,
    http::Request,
    routing::{get, post},
};
use axum_clef::{
    BoxError, ClefLayer, LoggedIn, Profile, Subject, Timestamp, UserStore,
    clef::Clef,
    provider::{
        CodeExchange, LoginRequest, LogoutAnswer, LogoutNotice, LogoutOutcome, LogoutScope,
        Provider, ProviderError, ProviderErrorKind, ProviderLogin, SignOutRequest,
    },
    stores::{Account, MemoryUserStore},
};
use secrecy::{ExposeSecret as _, SecretString};
use tokio::sync::Notify;
use tower::ServiceExt as _;
use tower_sessions::{Expiry, Session};
use tower_sessions_cookie_store::{CookieSessionConfig, CookieSessionManagerLayer, Key, SameSite};
use url::Url;

pub const ISSUER: &str = "https://clef.test";
/// The sealed session.
pub const SESSION: &str = "__Host-session";
/// The key of the login.
pub const LOGIN: &str = "__Host-clef-login";

/// What the nodes of the site share: no session store.
#[derive(Clone)]
pub struct Site {
    pub key: Key,
    pub users: Users,
    pub provider: Scripted,
    /// Where `/slow` says that it has changed the session, and waits.
    pub slow: Arc<(Notify, Notify)>,
}

pub type Layer = ClefLayer<CookieSessionManagerLayer<tower_sessions_cookie_store::PrivateCookie>>;

impl Site {
    pub fn new() -> Self {
        Self {
            key: Key::generate(),
            users: Users::default(),
            provider: Scripted::default(),
            slow: Arc::default(),
        }
    }

    pub fn layer(&self) -> Layer {
        self.layer_over(self.users.clone())
    }

    pub fn layer_over(&self, users: impl UserStore<User = Account>) -> Layer {
        let config = CookieSessionConfig::default()
            .with_name(SESSION)
            .with_same_site(SameSite::Lax)
            .with_expiry(Expiry::OnInactivity(time::Duration::DAY))
            .with_always_save(true);
        let sessions = CookieSessionManagerLayer::private(self.key.clone()).with_config(config);
        let provider = self.provider.clone();
        ClefLayer::with_session_layer("https://example.com", provider, users, sessions).unwrap()
    }

    /// A node of the site.
    pub fn app(&self) -> Router {
        self.app_with(self.layer())
    }

    pub fn app_with(&self, layer: Layer) -> Router {
        self.pages(layer.routes()).layer(layer)
    }

    /// Its pages and these routes, and no layer around them.
    pub fn pages(&self, routes: Router) -> Router {
        let slow = Arc::clone(&self.slow);
        Router::new()
            .route("/account", get(account))
            .route("/public", get(|| async { [("cache-control", "public")] }))
            .route("/note", get(note))
            .route("/note/{size}", post(keep_note))
            .route(
                "/slow",
                post(async move |session: Session| {
                    session.insert("slow", true).await.unwrap();
                    slow.0.notify_one();
                    slow.1.notified().await;
                }),
            )
            .merge(routes)
    }

    /// Sends a logout notice: the status.
    pub async fn notice(app: &Router, person: &str) -> u16 {
        let request = Request::post("/clef/logout")
            .header("content-type", "application/x-www-form-urlencoded")
            .body(Body::from(format!("logout_token={person}")));
        let response = app.clone().oneshot(request.unwrap()).await.unwrap();
        assert!(!response.headers().contains_key("set-cookie"));
        response.status().as_u16()
    }
}

async fn account(LoggedIn(user): LoggedIn<Account>) -> String {
    user.profile().subject.id().to_owned()
}

/// How long the note in the session is.
async fn note(session: Session) -> String {
    let note: Option<String> = session.get("note").await.unwrap();
    note.map_or(0, |note| note.len()).to_string()
}

async fn keep_note(Path(size): Path<usize>, session: Session) {
    session.insert("note", "x".repeat(size)).await.unwrap();
}

/// Users that count their calls, and fail on demand.
#[derive(Clone)]
pub struct Users {
    inner: Arc<MemoryUserStore>,
    /// Ahead of the real time, in microseconds.
    pub ahead: Arc<AtomicI64>,
    /// Of any kind.
    pub calls: Arc<AtomicUsize>,
    pub loads: Arc<AtomicUsize>,
    pub log_outs: Arc<AtomicUsize>,
    pub failing: Arc<AtomicBool>,
    pub log_out_fails: Arc<AtomicBool>,
    /// Holds the next logout; where it says so, and waits.
    pub log_out_held: Arc<AtomicBool>,
    pub log_out_hold: Arc<(Notify, Notify)>,
}

impl Default for Users {
    fn default() -> Self {
        let ahead = Arc::new(AtomicI64::new(0));
        let clock = Arc::clone(&ahead);
        let now = move || Timestamp::from_micros(Timestamp::now().as_micros() + clock.load(SeqCst));
        Self {
            inner: Arc::new(MemoryUserStore::new().with_clock(now)),
            ahead,
            calls: Arc::default(),
            loads: Arc::default(),
            log_outs: Arc::default(),
            failing: Arc::default(),
            log_out_fails: Arc::default(),
            log_out_held: Arc::default(),
            log_out_hold: Arc::default(),
        }
    }
}

impl Users {
    fn works(&self) -> Result<(), BoxError> {
        self.calls.fetch_add(1, SeqCst);
        match self.failing.load(SeqCst) {
            true => Err("the user store is down".into()),
            false => Ok(()),
        }
    }
}

#[async_trait]
impl UserStore for Users {
    type User = Account;

    async fn log_in(&self, profile: &Profile) -> Result<Option<Account>, BoxError> {
        self.works()?;
        self.inner.log_in(profile).await
    }

    async fn load(&self, id: &str) -> Result<Option<Account>, BoxError> {
        self.loads.fetch_add(1, SeqCst);
        self.works()?;
        self.inner.load(id).await
    }

    async fn log_out(&self, subject: &Subject) -> Result<bool, BoxError> {
        self.log_outs.fetch_add(1, SeqCst);
        self.works()?;
        if self.log_out_fails.load(SeqCst) {
            return Err("the user store takes no logouts".into());
        }
        if self.log_out_held.swap(false, SeqCst) {
            self.log_out_hold.0.notify_one();
            self.log_out_hold.1.notified().await;
        }
        self.inner.log_out(subject).await
    }

    async fn now(&self) -> Result<Timestamp, BoxError> {
        self.works()?;
        self.inner.now().await
    }
}

/// A provider to whom the code `12345` is the person 12345, and the token `12345` their logout.
#[derive(Clone, Default)]
pub struct Scripted {
    /// Whether it has a place to sign out.
    pub signs_out: Arc<AtomicBool>,
}

#[async_trait]
impl Provider for Scripted {
    fn name(&self) -> &str {
        "Clef"
    }

    async fn login_url(&self, login: &LoginRequest<'_>) -> Result<Url, ProviderError> {
        let state = login.state.expose();
        Url::parse(&format!("{ISSUER}/login?state={state}"))
            .map_err(|error| ProviderError::new(ProviderErrorKind::Misconfigured, error))
    }

    async fn exchange(&self, code: &CodeExchange<'_>) -> Result<ProviderLogin, ProviderError> {
        let person = code.code.expose_secret();
        let login = ProviderLogin::new(Profile::new(Subject::new(ISSUER, person)));
        Ok(login.with_sign_out_hint(format!("hint-{person}").into()))
    }

    async fn logout_notice(&self, token: &SecretString) -> Result<LogoutNotice, ProviderError> {
        let subject = Subject::new(ISSUER, token.expose_secret());
        Ok(LogoutNotice::new(LogoutScope::Person(subject)))
    }

    async fn sign_out_url(
        &self,
        request: &SignOutRequest<'_>,
    ) -> Result<Option<Url>, ProviderError> {
        let hint = request.hint.map_or("", |hint| hint.expose_secret());
        let url = Url::parse(&format!("{ISSUER}/sign-out?hint={hint}"));
        Ok(url.ok().filter(|_| self.signs_out.load(SeqCst)))
    }

    fn logout_answer(&self, outcome: LogoutOutcome) -> LogoutAnswer {
        let clef = Clef::new("https://clef.example", "", "").unwrap();
        clef.logout_answer(outcome)
    }
}
