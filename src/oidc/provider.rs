//! The implementation of `Provider` for OpenID Connect.

use std::sync::Arc;

use async_trait::async_trait;
use secrecy::{ExposeSecret as _, SecretString};
use url::Url;

use super::{
    Oidc, OidcError, TokenError, apple,
    client_secret::ClientSecret,
    compatibility, end_session,
    id_token::{Expected, IdToken},
    login, user_info,
};
use crate::{
    Profile, ProviderSession, Subject,
    jose::{Token, now},
    provider::{
        CodeExchange, LoginRequest, LogoutEndpoint, Provider, ProviderError, ProviderLogin,
        ProviderSite, SignOutRequest,
    },
};

impl Oidc {
    /// Verifies the ID token of a login.
    ///
    /// The signature is verified last, since that may fetch the keys.
    async fn id_token(
        &self,
        token: &SecretString,
        expected: &Expected<'_>,
    ) -> Result<IdToken, OidcError> {
        let (algorithm, settings) = (self.settings.algorithm, &self.settings);
        let token = Token::parse(token.expose_secret(), algorithm)?;
        let claims = token.claims()?;
        claims.check(
            self.remote.issuer(),
            &self.client_id,
            &settings.trusted_audiences,
            None,
            expected.now,
        )?;
        let id_token = IdToken::read(&token.header, &claims, settings, expected)?;
        self.remote.verify_answer(&token, algorithm).await?;
        Ok(id_token)
    }

    /// The error of an ID token, which the provider itself has sent, so it is not forged.
    fn id_token_error(&self, error: OidcError) -> OidcError {
        match error {
            OidcError::Token(TokenError::Algorithm(named)) => OidcError::OtherAlgorithm {
                set: self.settings.algorithm,
                offered: named.into_iter().collect(),
            },
            OidcError::Token(error) => OidcError::IdToken(error),
            error => error,
        }
    }

    /// Checks the `iss` of a callback (RFC 9207, section 2.4).
    fn check_callback(&self, issuer: Option<&str>, is_required: bool) -> Result<(), OidcError> {
        match issuer {
            Some(named) if named == self.remote.issuer() => Ok(()),
            None if !is_required => Ok(()),
            _ => Err(OidcError::ForeignCallback),
        }
    }

    async fn log_in(&self, code: &CodeExchange<'_>) -> Result<ProviderLogin, OidcError> {
        let issuer = self.remote.issuer();
        let metadata = self.remote.metadata().await?;
        // Before the code is sent: it may belong to another provider.
        self.check_callback(code.issuer, metadata.callbacks_name_issuer)?;
        let mut tokens = login::exchange(self, &metadata, code).await?;
        if tokens.access_token().is_none() {
            tracing::info!("the provider returned no bearer token; the login needs none");
        }
        let id_token = tokens.id_token.take();
        let id_token = id_token.ok_or(OidcError::Unreadable { what: "tokens" })?;
        let access_token = tokens.access_token();
        let expected = Expected {
            nonce: &code.secret.derive(login::NONCE),
            access_token,
            now: now(),
        };
        let IdToken {
            subject,
            session,
            authentication,
            mut person,
        } = self
            .id_token(&id_token, &expected)
            .await
            .map_err(|error| self.id_token_error(error))?;
        if let Some(endpoint) = &metadata.user_info_endpoint
            && let Some(access_token) = access_token
            && person.lacks_requested(&self.settings)
        {
            let user_info =
                user_info::fetch(self, endpoint, access_token, &subject, expected.now).await?;
            person = person.merge(user_info);
        }
        let mut profile = person.into_profile(Profile::new(Subject::new(issuer, subject)));
        // It is not signed. Only Apple's form has it.
        if let (Some(user), ClientSecret::Apple(_)) = (code.user, &self.client_secret) {
            apple::add_name(&mut profile, user);
        }
        if self.settings.passes_tokens {
            profile = profile.with_tokens(tokens.tokens());
        }
        let mut login = ProviderLogin::new(profile).authenticated(authentication);
        if let Some(session) = session {
            login = login.in_session(ProviderSession::new(issuer, session));
        }
        if self.settings.keeps_id_token && metadata.end_session_endpoint.is_some() {
            login = login.with_sign_out_hint(id_token);
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

    fn logs_out_session_users(&self) -> bool {
        self.settings.logs_out_all_sessions
    }

    fn check_site(&self, site: &ProviderSite<'_>) -> Result<(), ProviderError> {
        let Some(metadata) = self.remote.known_metadata() else {
            return Ok(());
        };
        let keys = self.remote.current_keys();
        compatibility::check(&metadata, keys.as_deref(), &self.settings)?;
        for advice in compatibility::advice(self, &metadata, site) {
            tracing::warn!(issuer = self.remote.issuer(), "{advice}");
        }
        Ok(())
    }

    fn uses_form_post(&self) -> bool {
        self.settings.uses_form_post
    }

    fn check_issuer(&self, issuer: Option<&str>) -> Result<(), ProviderError> {
        // Without metadata, as after a restart, an absent `iss` may be right.
        let metadata = self.remote.known_metadata();
        let is_required = metadata.is_some_and(|metadata| metadata.callbacks_name_issuer);
        Ok(self.check_callback(issuer, is_required)?)
    }

    async fn login_url(&self, login: &LoginRequest<'_>) -> Result<Url, ProviderError> {
        let metadata = self.remote.metadata().await.map_err(OidcError::from)?;
        let keys = self.remote.current_keys();
        compatibility::check(&metadata, keys.as_deref(), &self.settings)?;
        Ok(login::authorization_url(self, &metadata, login))
    }

    async fn exchange(&self, code: &CodeExchange<'_>) -> Result<ProviderLogin, ProviderError> {
        Ok(self.log_in(code).await?)
    }

    fn logout_endpoint(&self) -> Option<Arc<dyn LogoutEndpoint>> {
        Some(Arc::new(self.back_channel_logout()))
    }

    async fn sign_out_url(
        &self,
        request: &SignOutRequest<'_>,
    ) -> Result<Option<Url>, ProviderError> {
        let metadata = self.remote.metadata().await.map_err(OidcError::from)?;
        let endpoint = metadata.end_session_endpoint.as_ref();
        Ok(endpoint.map(|endpoint| end_session::end_session_url(self, endpoint, request)))
    }
}
