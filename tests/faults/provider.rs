//! A provider without a network: the code `code:12345` is person 12345, and so is the logout
//! token `token:12345:…`. A token is good for one exchange, as Clef's are. The token `unknown-key`
//! cannot be checked.

use std::{
    collections::HashSet,
    sync::{Arc, Mutex},
};

use async_trait::async_trait;
use axum_clef::{
    Profile, Subject,
    clef::Clef,
    provider::{
        CodeExchange, LoginRequest, LogoutAnswer, LogoutNotice, LogoutOutcome, LogoutScope,
        Provider, ProviderError, ProviderErrorKind, ProviderLogin,
    },
};
use secrecy::{ExposeSecret as _, SecretString};
use url::Url;

#[derive(Clone, Default)]
pub struct OnceOnly {
    exchanged: Arc<Mutex<HashSet<String>>>,
    /// Panics at everything.
    pub panics: Arc<std::sync::atomic::AtomicBool>,
}

impl OnceOnly {
    fn works(&self) {
        let panics = self.panics.load(std::sync::atomic::Ordering::SeqCst);
        assert!(!panics, "the provider panics");
    }
}

#[async_trait]
impl Provider for OnceOnly {
    fn name(&self) -> &str {
        "Clef"
    }

    async fn login_url(&self, login: &LoginRequest<'_>) -> Result<Url, ProviderError> {
        self.works();
        let mut url = Url::parse("https://clef.test/login").unwrap();
        url.query_pairs_mut()
            .append_pair("state", login.state.expose());
        Ok(url)
    }

    async fn exchange(&self, code: &CodeExchange<'_>) -> Result<ProviderLogin, ProviderError> {
        self.works();
        Ok(Profile::new(subject(code.code)?).into())
    }

    async fn logout_notice(&self, token: &SecretString) -> Result<LogoutNotice, ProviderError> {
        self.works();
        let token_text = token.expose_secret().to_owned();
        if token_text.starts_with("unknown-key") {
            let kind = ProviderErrorKind::Unavailable;
            return Err(ProviderError::new(kind, "the key is not known"));
        }
        if !self.exchanged.lock().unwrap().insert(token_text) {
            let kind = ProviderErrorKind::Refused;
            return Err(ProviderError::new(kind, "exchanged before"));
        }
        Ok(LogoutNotice::new(LogoutScope::Person(subject(token)?)))
    }

    fn logout_answer(&self, outcome: LogoutOutcome) -> LogoutAnswer {
        let clef = Clef::new("https://clef.example", "", "").unwrap();
        clef.logout_answer(outcome)
    }
}

fn subject(secret: &SecretString) -> Result<Subject, ProviderError> {
    match secret.expose_secret().split(':').nth(1) {
        Some(person) => Ok(Subject::new("https://clef.test", person)),
        None => Err(ProviderError::new(ProviderErrorKind::Refused, "not good")),
    }
}
