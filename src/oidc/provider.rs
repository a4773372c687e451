//! The implementation of `Provider` for OpenID Connect.

use std::time::{SystemTime, UNIX_EPOCH};

use async_trait::async_trait;
use secrecy::{ExposeSecret as _, SecretString};
use url::Url;

use super::{
    Oidc, OidcError, TokenError,
    claims::Claims,
    id_token::{Expected, IdToken},
    login, logout,
    token::{Header, Token},
};
use crate::{
    Profile, ProviderSession, Subject,
    provider::{
        CodeExchange, LoginRequest, LogoutAnswer, LogoutNotice, LogoutOutcome, Provider,
        ProviderError, ProviderLogin, SignOutRequest,
    },
};

/// The system clock, in seconds since the Unix epoch.
fn now() -> f64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.unwrap_or_default().as_secs_f64()
}

impl Oidc {
    /// Verifies a token and returns what `read` extracts from its claims.
    ///
    /// The signature is verified last, since that may fetch the keys: an invalid token costs no
    /// call.
    async fn verify<T>(
        &self,
        token: &SecretString,
        now: f64,
        read: impl FnOnce(&Header, &Claims) -> Result<T, TokenError>,
    ) -> Result<T, OidcError> {
        let token = Token::parse(token.expose_secret(), self.settings.algorithm)?;
        let issuer = self.remote.issuer();
        let claims = &token.claims;
        claims.check(issuer, &self.client_id, &self.settings, now)?;
        let content = read(&token.header, claims)?;
        self.remote.verify(&token, self.settings.algorithm).await?;
        Ok(content)
    }

    async fn log_in(&self, code: &CodeExchange<'_>) -> Result<ProviderLogin, OidcError> {
        let issuer = self.remote.issuer();
        let metadata = self.remote.metadata().await?;
        // Before the code is sent: it may belong to another provider (RFC 9207, section 2.4).
        match code.issuer {
            Some(named) if named != issuer => return Err(OidcError::ForeignCallback),
            None if metadata.callbacks_name_issuer => return Err(OidcError::ForeignCallback),
            _ => {}
        }
        let tokens = login::exchange(self, &metadata, code).await?;
        let now = now();
        let expected = Expected {
            nonce: &code.secret.derive(login::NONCE),
            access_token: &tokens.access_token,
            now,
        };
        let read = |header: &Header, claims: &Claims| {
            IdToken::read(header, claims, &self.settings, &expected)
        };
        let IdToken {
            subject,
            session,
            authenticated_at,
            mut person,
        } = self
            .verify(&tokens.id_token, now, read)
            .await
            .map_err(|error| match error {
                // It is from the token endpoint, so it is not forged.
                OidcError::Token(TokenError::Algorithm) => OidcError::OtherAlgorithm,
                error => error,
            })?;
        if let Some(endpoint) = &metadata.user_info_endpoint
            && person.lacks_requested(&self.settings)
        {
            let user_info =
                login::user_info(self, endpoint, &tokens.access_token, &subject).await?;
            person = person.merge(user_info);
        }
        let profile = person.into_profile(Profile::new(Subject::new(issuer, subject)));
        let mut login = ProviderLogin::new(profile).authenticated_at(authenticated_at);
        if let Some(session) = session {
            login = login.in_session(ProviderSession::new(issuer, session));
        }
        if self.settings.keeps_id_token && metadata.end_session_endpoint.is_some() {
            login = login.with_sign_out_hint(tokens.id_token);
        }
        Ok(login)
    }
}

#[async_trait]
impl Provider for Oidc {
    fn name(&self) -> &str {
        &self.settings.name
    }

    fn names_sessions(&self) -> bool {
        true
    }

    async fn login_url(&self, login: &LoginRequest<'_>) -> Result<Url, ProviderError> {
        let metadata = self.remote.metadata().await?;
        Ok(login::authorization_url(self, &metadata, login))
    }

    async fn exchange(&self, code: &CodeExchange<'_>) -> Result<ProviderLogin, ProviderError> {
        Ok(self.log_in(code).await?)
    }

    async fn logout_notice(
        &self,
        logout_token: &SecretString,
    ) -> Result<LogoutNotice, ProviderError> {
        let (issuer, now) = (self.remote.issuer(), now());
        let read = |header: &Header, claims: &Claims| {
            logout::read_token(header, claims, issuer, &self.settings, now)
        };
        Ok(self.verify(logout_token, now, read).await?)
    }

    fn logout_answer(&self, outcome: LogoutOutcome) -> LogoutAnswer {
        logout::answer(outcome, &self.settings)
    }

    async fn sign_out_url(
        &self,
        sign_out: &SignOutRequest<'_>,
    ) -> Result<Option<Url>, ProviderError> {
        let metadata = self.remote.metadata().await?;
        let endpoint = metadata.end_session_endpoint.as_ref();
        Ok(endpoint.map(|endpoint| logout::end_session_url(self, endpoint, sign_out)))
    }
}
