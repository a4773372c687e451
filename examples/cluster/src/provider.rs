//! A provider without a network, for people who are their number: the code and the logout token
//! are `NUMBER:ANYTHING`. Whoever can reach a node can log in as anybody and log anybody out.

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

const ISSUER: &str = "https://people.example";

pub struct Numbers;

fn subject(text: &SecretString) -> Result<Subject, ProviderError> {
    match text.expose_secret().split_once(':') {
        Some((number, _)) => Ok(Subject::new(ISSUER, number)),
        None => Err(ProviderError::new(ProviderErrorKind::Refused, "no number")),
    }
}

#[async_trait]
impl Provider for Numbers {
    fn name(&self) -> &str {
        "Numbers"
    }

    async fn login_url(&self, login: &LoginRequest<'_>) -> Result<Url, ProviderError> {
        let state = [("state", login.state.expose())];
        Url::parse_with_params(ISSUER, state)
            .map_err(|error| ProviderError::new(ProviderErrorKind::Misconfigured, error))
    }

    async fn exchange(&self, code: &CodeExchange<'_>) -> Result<ProviderLogin, ProviderError> {
        Ok(Profile::new(subject(code.code)?).into())
    }

    async fn logout_notice(&self, token: &SecretString) -> Result<LogoutNotice, ProviderError> {
        Ok(LogoutNotice::new(LogoutScope::Person(subject(token)?)))
    }

    fn logout_answer(&self, outcome: LogoutOutcome) -> LogoutAnswer {
        let clef = Clef::new("https://clef.example", "", "").unwrap();
        clef.logout_answer(outcome)
    }
}
