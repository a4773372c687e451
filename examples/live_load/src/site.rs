//! The site. Its provider needs no network: a code is a person, and so is a logout token.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
};

use async_trait::async_trait;
use axum::{
    Router,
    body::Body,
    http::{Request, Response, header},
    routing::get,
};
use axum_clef::{
    BoxError, ClefLayer, IdentityStore, LoggedIn, LoginCheck, LoginReference, Profile, Subject,
    UserStore,
    clef::Clef,
    provider::{
        CodeExchange, LoginRequest, LogoutAnswer, LogoutNotice, LogoutOutcome, LogoutScope,
        Provider, ProviderError, ProviderErrorKind, ProviderLogin,
    },
    stores::{Account, MemoryUserStore},
};
use secrecy::{ExposeSecret as _, SecretString};
use tokio::net::TcpListener;
use tower::ServiceExt as _;
use tower_sessions::MemoryStore;
use url::Url;

use crate::{Failure, settings::Settings};

const ISSUER: &str = "https://id.example.com";

pub struct Site {
    pub address: SocketAddr,
    pub layer: ClefLayer,
    app: Router,
    questions: Arc<AtomicU64>,
}

impl Site {
    pub async fn start(settings: &Settings) -> Result<Self, Failure> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let questions = Arc::default();
        let users = Counted {
            inner: MemoryUserStore::new(),
            questions: Arc::clone(&questions),
        };
        let site = format!("http://{address}");
        let layer = ClefLayer::builder(&site, users, MemoryStore::default())
            .provider(ByName)
            // With the reserve on top, for the pages of few people are many here.
            .most_live_pages(settings.pages.saturating_mul(2))
            .most_live_pages_per_user(settings.each)
            .most_live_pages_per_login(settings.each)
            .build()?;
        let app = Router::new()
            .route("/account", get(|_: LoggedIn<Account>| async { "yours" }))
            .merge(layer.routes())
            .layer(layer.clone());
        let served = app.clone();
        let served = served.into_make_service_with_connect_info::<SocketAddr>();
        tokio::spawn(async move { axum::serve(listener, served).await });
        Ok(Self {
            address,
            layer,
            app,
            questions,
        })
    }

    /// How often the user store was asked whether a login counts.
    pub fn questions(&self) -> u64 {
        self.questions.load(Relaxed)
    }

    /// The cookies of each.
    pub async fn log_everybody_in(&self, people: usize) -> Result<Vec<String>, Failure> {
        let mut all = Vec::with_capacity(people);
        for person in 0..people {
            let start = self.get("/clef/login", "").await?;
            let location = start.headers().get(header::LOCATION);
            let location = Url::parse(location.ok_or("the start leads nowhere")?.to_str()?)?;
            let state = location.query().unwrap_or_default();
            let callback = format!("/clef/callback?code={person}&state={state}");
            let login = self.get(&callback, &cookies(&start)).await?;
            all.push(cookies(&login));
        }
        Ok(all)
    }

    async fn get(&self, path: &str, cookies: &str) -> Result<Response<Body>, Failure> {
        let request = Request::get(path).header(header::COOKIE, cookies);
        let answer = self
            .app
            .clone()
            .oneshot(request.body(Body::empty())?)
            .await?;
        match answer.status().is_redirection() {
            true => Ok(answer),
            false => Err(format!("{path} is answered with {}", answer.status()).into()),
        }
    }
}

/// What an answer leaves in a browser.
fn cookies(answer: &Response<Body>) -> String {
    let cookies = answer.headers().get_all(header::SET_COOKIE).iter();
    let cookies = cookies.filter_map(|cookie| cookie.to_str().ok()?.split(';').next());
    cookies.collect::<Vec<_>>().join("; ")
}

/// Counts the questions.
struct Counted {
    inner: MemoryUserStore,
    questions: Arc<AtomicU64>,
}

impl UserStore for Counted {
    type User = Account;

    async fn load(&self, id: &str) -> Result<Option<Account>, BoxError> {
        self.inner.load(id).await
    }

    async fn log_in(&self, id: &str) -> Result<Option<Account>, BoxError> {
        self.inner.log_in(id).await
    }

    async fn log_out(&self, id: &str) -> Result<bool, BoxError> {
        self.inner.log_out(id).await
    }

    async fn check_login(
        &self,
        login: LoginReference<'_>,
    ) -> Result<Option<LoginCheck<Account>>, BoxError> {
        self.questions.fetch_add(1, Relaxed);
        self.inner.check_login(login).await
    }
}

impl IdentityStore for Counted {
    async fn find_or_create(&self, profile: &Profile) -> Result<Option<Account>, BoxError> {
        self.inner.find_or_create(profile).await
    }

    async fn log_out_subject(&self, subject: &Subject) -> Result<Vec<String>, BoxError> {
        self.inner.log_out_subject(subject).await
    }
}

struct ByName;

#[async_trait]
impl Provider for ByName {
    fn name(&self) -> &str {
        "By name"
    }

    async fn login_url(&self, login: &LoginRequest<'_>) -> Result<Url, ProviderError> {
        let mut url = Url::parse(ISSUER)
            .map_err(|error| ProviderError::new(ProviderErrorKind::Misconfigured, error))?;
        url.set_query(Some(login.state.expose()));
        Ok(url)
    }

    async fn exchange(&self, code: &CodeExchange<'_>) -> Result<ProviderLogin, ProviderError> {
        let person = Subject::new(ISSUER, code.code.expose_secret());
        Ok(ProviderLogin::new(Profile::new(person)))
    }

    async fn logout_notice(&self, token: &SecretString) -> Result<LogoutNotice, ProviderError> {
        match token.expose_secret().strip_prefix("token:") {
            Some(person) => Ok(LogoutNotice::new(LogoutScope::Person(Subject::new(
                ISSUER, person,
            )))),
            None => Err(ProviderError::new(ProviderErrorKind::Refused, "no token")),
        }
    }

    fn logout_answer(&self, outcome: LogoutOutcome) -> LogoutAnswer {
        let clef = Clef::new("https://clef.example", "", "").unwrap();
        clef.logout_answer(outcome)
    }
}
