use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst},
    },
    time::Duration,
};

use async_trait::async_trait;
use axum_clef::{
    Profile, Subject,
    clef::Clef,
    provider::{
        CodeExchange, LoginRequest, LogoutAnswer, LogoutNotice, LogoutOutcome, LogoutScope,
        OneTimeState, Provider, ProviderError, ProviderErrorKind, ProviderLogin, SignOutRequest,
    },
};
use secrecy::{ExposeSecret as _, SecretString};
use url::Url;

pub const ISSUER: &str = "https://clef.test";

/// A provider that counts its calls. The token or code `good:12345` or `good:12345:anything`
/// stands for the person 12345, `hang` is never answered, `panic` panics, and all others are
/// forged; each takes the same time. So does a redirect, if those make calls.
#[derive(Clone)]
pub struct CountingProvider {
    takes: Arc<Mutex<Duration>>,
    calls: Arc<AtomicUsize>,
    now: Arc<AtomicUsize>,
    most: Arc<AtomicUsize>,
    /// Whether the URLs of logins and sign-outs take a call.
    pub redirects_call: Arc<AtomicBool>,
}

impl CountingProvider {
    pub fn new(takes: Duration) -> Self {
        Self {
            takes: Arc::new(Mutex::new(takes)),
            calls: Arc::default(),
            now: Arc::default(),
            most: Arc::default(),
            redirects_call: Arc::default(),
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

    /// The person that a token or a code stands for.
    async fn check(&self, text: &str) -> Result<Subject, ProviderError> {
        let _call = Call::new(self);
        if text == "hang" {
            std::future::pending::<()>().await;
        }
        let takes = *self.takes.lock().unwrap();
        if !takes.is_zero() {
            tokio::time::sleep(takes).await;
        }
        assert_ne!(text, "panic", "the provider panics");
        let good = text.strip_prefix("good:");
        match good.and_then(|rest| rest.split(':').next()) {
            Some(id) => Ok(Subject::new(ISSUER, id)),
            None => Err(ProviderError::new(ProviderErrorKind::Refused, "forged")),
        }
    }

    async fn redirect(&self, path: &str, state: &OneTimeState) -> Url {
        if self.redirects_call.load(SeqCst) {
            let _call = Call::new(self);
            let takes = *self.takes.lock().unwrap();
            tokio::time::sleep(takes).await;
        }
        Url::parse(&format!("{ISSUER}{path}?state={}", state.expose())).unwrap()
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

    async fn login_url(&self, login: &LoginRequest<'_>) -> Result<Url, ProviderError> {
        Ok(self.redirect("/login", login.state).await)
    }

    async fn sign_out_url(
        &self,
        sign_out: &SignOutRequest<'_>,
    ) -> Result<Option<Url>, ProviderError> {
        Ok(Some(self.redirect("/sign-out", sign_out.state).await))
    }

    async fn exchange(&self, code: &CodeExchange<'_>) -> Result<ProviderLogin, ProviderError> {
        let subject = self.check(code.code.expose_secret()).await?;
        Ok(Profile::new(subject).into())
    }

    async fn logout_notice(&self, token: &SecretString) -> Result<LogoutNotice, ProviderError> {
        let subject = self.check(token.expose_secret()).await?;
        Ok(LogoutNotice::new(LogoutScope::Person(subject)))
    }

    fn logout_answer(&self, outcome: LogoutOutcome) -> LogoutAnswer {
        let clef = Clef::new("https://clef.example", "", "").unwrap();
        clef.logout_answer(outcome)
    }
}
