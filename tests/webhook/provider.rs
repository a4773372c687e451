use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
    time::Duration,
};

use async_trait::async_trait;
use axum_clef::{
    Subject,
    clef::Clef,
    provider::{
        CodeExchange, LoginRequest, LogoutAnswer, LogoutNotice, LogoutOutcome, LogoutScope,
        Provider, ProviderError, ProviderErrorKind, ProviderLogin,
    },
};
use secrecy::{ExposeSecret as _, SecretString};
use url::Url;

pub const ISSUER: &str = "https://clef.test";

/// A provider that counts how many ask it at once. The token `good:12345` or
/// `good:12345:anything` logs 12345 out, `hang` is never answered, `panic` panics, and all others
/// are forged; whatever it is takes the same time.
#[derive(Clone)]
pub struct CountingProvider {
    takes: Arc<Mutex<Duration>>,
    calls: Arc<AtomicUsize>,
    now: Arc<AtomicUsize>,
    most: Arc<AtomicUsize>,
}

impl CountingProvider {
    pub fn new(takes: Duration) -> Self {
        Self {
            takes: Arc::new(Mutex::new(takes)),
            calls: Arc::default(),
            now: Arc::default(),
            most: Arc::default(),
        }
    }

    /// From now on.
    pub fn takes(&self, takes: Duration) {
        *self.takes.lock().unwrap() = takes;
    }

    /// How often it was asked.
    pub fn calls(&self) -> usize {
        self.calls.load(SeqCst)
    }

    /// How many are asking it.
    pub fn now(&self) -> usize {
        self.now.load(SeqCst)
    }

    /// How many have asked it at once at the most.
    pub fn most(&self) -> usize {
        self.most.load(SeqCst)
    }
}

/// A call, until this is dropped: ended, given up or panicked.
struct Call<'a>(&'a CountingProvider);

impl<'a> Call<'a> {
    fn new(provider: &'a CountingProvider) -> Self {
        provider.calls.fetch_add(1, SeqCst);
        let now = provider.now.fetch_add(1, SeqCst) + 1;
        provider.most.fetch_max(now, SeqCst);
        Self(provider)
    }
}

impl Drop for Call<'_> {
    fn drop(&mut self) {
        self.0.now.fetch_sub(1, SeqCst);
    }
}

#[async_trait]
impl Provider for CountingProvider {
    fn name(&self) -> &str {
        "Clef"
    }

    async fn login_url(&self, _: &LoginRequest<'_>) -> Result<Url, ProviderError> {
        Err(ProviderError::new(
            ProviderErrorKind::Unavailable,
            "no logins",
        ))
    }

    async fn exchange(&self, _: &CodeExchange<'_>) -> Result<ProviderLogin, ProviderError> {
        Err(ProviderError::new(
            ProviderErrorKind::Unavailable,
            "no logins",
        ))
    }

    async fn logout_notice(&self, token: &SecretString) -> Result<LogoutNotice, ProviderError> {
        let _call = Call::new(self);
        let token = token.expose_secret();
        if token == "hang" {
            std::future::pending::<()>().await;
        }
        let takes = *self.takes.lock().unwrap();
        if !takes.is_zero() {
            tokio::time::sleep(takes).await;
        }
        assert_ne!(token, "panic", "the provider panics");
        let person = token
            .strip_prefix("good:")
            .and_then(|rest| rest.split(':').next());
        match person {
            Some(id) => Ok(LogoutNotice::new(LogoutScope::Person(Subject::new(
                ISSUER, id,
            )))),
            None => Err(ProviderError::new(ProviderErrorKind::Refused, "forged")),
        }
    }

    fn logout_answer(&self, outcome: LogoutOutcome) -> LogoutAnswer {
        let clef = Clef::new("https://clef.example", "", "").unwrap();
        clef.logout_answer(outcome)
    }
}
