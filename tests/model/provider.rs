//! A provider without a network: the code `code:1:…` is person 1, and so is the logout token
//! `token:1:…`. Tokens are good for ever, so that what stops a replay is the crate.

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

use crate::holds::Holds;

#[derive(Clone)]
pub struct HeldProvider(pub Holds);

impl HeldProvider {
    async fn subject(&self, secret: &SecretString) -> Result<Subject, ProviderError> {
        let text = secret.expose_secret();
        self.0.pass(text, String::new()).await;
        match text.split(':').nth(1) {
            Some(person) => Ok(Subject::new("https://clef.test", person)),
            None => Err(ProviderError::new(ProviderErrorKind::Refused, "not good")),
        }
    }
}

#[async_trait]
impl Provider for HeldProvider {
    fn name(&self) -> &str {
        "Clef"
    }

    async fn login_url(&self, login: &LoginRequest<'_>) -> Result<Url, ProviderError> {
        let mut url = Url::parse("https://clef.test/login").unwrap();
        url.set_query(Some(login.state.expose()));
        Ok(url)
    }

    async fn exchange(&self, code: &CodeExchange<'_>) -> Result<ProviderLogin, ProviderError> {
        Ok(Profile::new(self.subject(code.code).await?).into())
    }

    async fn logout_notice(&self, token: &SecretString) -> Result<LogoutNotice, ProviderError> {
        let person = self.subject(token).await?;
        Ok(LogoutNotice::new(LogoutScope::Person(person)))
    }

    fn logout_answer(&self, outcome: LogoutOutcome) -> LogoutAnswer {
        let clef = Clef::new("https://clef.example", "", "").unwrap();
        clef.logout_answer(outcome)
    }
}
