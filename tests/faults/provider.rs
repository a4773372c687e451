//! A provider without a network: the code `code:12345` is person 12345, and so is the logout
//! token `token:12345:…`. Behind an `@` either names a session of the provider. A token is good for
//! one exchange, as Clef's are. The token `unknown-key` cannot be checked.

use std::{
    collections::HashSet,
    sync::{Arc, Mutex},
};

use async_trait::async_trait;
use axum_clef::{
    Profile, ProviderSession, Subject,
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
        let login = ProviderLogin::new(Profile::new(subject(code.code)?));
        Ok(match session(code.code) {
            Some(session) => login.in_session(session),
            None => login,
        })
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
        let person = subject(token)?;
        Ok(LogoutNotice::new(match session(token) {
            Some(session) => LogoutScope::session(session, Some(person)),
            None => LogoutScope::Person(person),
        }))
    }

    fn logout_answer(&self, outcome: LogoutOutcome) -> LogoutAnswer {
        let clef = Clef::new("https://clef.example", "", "").unwrap();
        clef.logout_answer(outcome)
    }
}

const ISSUER: &str = "https://clef.test";

fn session(secret: &SecretString) -> Option<ProviderSession> {
    let (_, session) = secret.expose_secret().split_once('@')?;
    Some(ProviderSession::new(ISSUER, session))
}

fn subject(secret: &SecretString) -> Result<Subject, ProviderError> {
    match secret.expose_secret().split([':', '@']).nth(1) {
        Some(person) => Ok(Subject::new(ISSUER, person)),
        None => Err(ProviderError::new(ProviderErrorKind::Refused, "not good")),
    }
}
