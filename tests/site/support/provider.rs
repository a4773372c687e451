use std::sync::{
    Arc,
    atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst},
};

use async_trait::async_trait;
use axum_clef::{
    Profile, Subject,
    clef::Clef,
    provider::{
        ButtonScript, CodeExchange, LoginRequest, LogoutAnswer, LogoutNotice, LogoutOutcome,
        LogoutScope, Provider, ProviderError, ProviderErrorKind, ProviderLogin,
    },
};
use secrecy::{ExposeSecret as _, SecretString};
use tokio::sync::Notify;
use url::Url;

pub const ISSUER: &str = "https://clef.test";

/// A place in the code where a test can hold whoever passes.
#[derive(Clone, Default)]
pub struct Pause {
    on: Arc<AtomicBool>,
    reached: Arc<Notify>,
    go: Arc<Notify>,
}

impl Pause {
    /// Holds the next one who passes.
    pub fn set(&self) {
        self.on.store(true, SeqCst);
    }

    /// Waits until somebody is held.
    pub async fn reached(&self) {
        self.reached.notified().await;
    }

    /// Lets them go on.
    pub fn go(&self) {
        self.go.notify_one();
    }

    pub async fn here(&self) {
        if self.on.swap(false, SeqCst) {
            self.reached.notify_one();
            self.go.notified().await;
        }
    }
}

/// A provider without a network: the code `code:12345` is the person 12345, and so is the
/// logout token `token:12345` or `token:12345:anything`. Tokens are good for ever, so that
/// what stops a replay is the crate.
#[derive(Clone, Default)]
pub struct ScriptedProvider {
    pub down: Arc<AtomicBool>,
    pub misconfigured: Arc<AtomicBool>,
    pub panicking: Arc<AtomicBool>,
    pub exchanges: Arc<AtomicUsize>,
    pub notices: Arc<AtomicUsize>,
    pub during_start: Pause,
    pub during_exchange: Pause,
    pub during_notice: Pause,
}

impl ScriptedProvider {
    fn subject(&self, text: &str, prefix: &str) -> Result<Subject, ProviderError> {
        if self.down.load(SeqCst) {
            return Err(ProviderError::new(ProviderErrorKind::Unavailable, "down"));
        }
        if self.misconfigured.load(SeqCst) {
            return Err(ProviderError::new(
                ProviderErrorKind::Misconfigured,
                "not set up",
            ));
        }
        text.strip_prefix(prefix)
            .and_then(|rest| rest.split(':').next())
            .map(|id| Subject::new(ISSUER, id))
            .ok_or_else(|| ProviderError::new(ProviderErrorKind::Refused, "not good"))
    }
}

#[async_trait]
impl Provider for ScriptedProvider {
    fn name(&self) -> &str {
        "Clef"
    }

    async fn login_url(&self, login: &LoginRequest<'_>) -> Result<Url, ProviderError> {
        self.during_start.here().await;
        if self.down.load(SeqCst) {
            return Err(ProviderError::new(ProviderErrorKind::Unavailable, "down"));
        }
        let url = Url::parse_with_params(
            "https://clef.test/login",
            [
                ("redirect_url", login.callback_url.as_str()),
                ("state", login.state.expose()),
            ],
        );
        url.map_err(|error| ProviderError::new(ProviderErrorKind::Misconfigured, error))
    }

    async fn exchange(&self, code: &CodeExchange<'_>) -> Result<ProviderLogin, ProviderError> {
        self.exchanges.fetch_add(1, SeqCst);
        let subject = self.subject(code.code.expose_secret(), "code:")?;
        self.during_exchange.here().await;
        Ok(Profile::new(subject).into())
    }

    async fn logout_notice(
        &self,
        logout_token: &SecretString,
    ) -> Result<LogoutNotice, ProviderError> {
        self.notices.fetch_add(1, SeqCst);
        assert!(!self.panicking.load(SeqCst), "the provider panics");
        let subject = self.subject(logout_token.expose_secret(), "token:")?;
        self.during_notice.here().await;
        Ok(LogoutNotice::new(LogoutScope::Person(subject)))
    }

    fn button(&self, login: &LoginRequest<'_>) -> Option<ButtonScript> {
        let source = Url::parse("https://clef.test/button.js").ok()?;
        Some(ButtonScript::new(source, "button").attribute("data-state", login.state.expose()))
    }

    fn logout_answer(&self, outcome: LogoutOutcome) -> LogoutAnswer {
        Clef::new("", "").logout_answer(outcome)
    }
}
