//! The implementation of `Provider` for OAuth 2.0.

use async_trait::async_trait;
use url::Url;

use super::{OAuth2, OAuth2Error, user_info};
use crate::{
    Profile,
    provider::{CodeExchange, LoginRequest, Provider, ProviderError, ProviderLogin},
    token_request::{TokenRequest, code_challenge},
};

impl OAuth2 {
    /// The URL of the authorization request (RFC 6749, section 4.1.1; RFC 7636, section 4.3).
    fn authorization_url(&self, login: &LoginRequest<'_>) -> Url {
        let mut url = self.endpoints.authorization.clone();
        let mut query = url.query_pairs_mut();
        query
            .append_pair("response_type", "code")
            .append_pair("client_id", &self.client_id)
            .append_pair("redirect_uri", login.callback_url.as_str())
            .append_pair("state", login.state.expose())
            .append_pair("code_challenge", &code_challenge(login.secret))
            .append_pair("code_challenge_method", "S256");
        if !self.settings.scopes.is_empty() {
            query.append_pair("scope", &self.settings.scopes.join(" "));
        }
        query.extend_pairs(&self.settings.parameters);
        drop(query);
        url
    }

    /// Checks the `iss` of a callback (RFC 9207, section 2.4).
    fn check_callback(&self, issuer: Option<&str>) -> Result<(), OAuth2Error> {
        match issuer {
            Some(named) if named == self.settings.callback_issuer => Ok(()),
            None if !self.settings.requires_issuer => Ok(()),
            _ => Err(OAuth2Error::ForeignCallback),
        }
    }

    async fn log_in(&self, code: &CodeExchange<'_>) -> Result<Profile, OAuth2Error> {
        let endpoints = &*self.endpoints;
        // Before the code is sent: it may belong to another provider.
        self.check_callback(code.issuer)?;
        let request = TokenRequest {
            client: endpoints.client.get(endpoints.token.as_str())?,
            endpoint: &endpoints.token,
            client_id: &self.client_id,
            client_secret: &self.client_secret,
            authentication: self.settings.authentication,
        };
        let response = request.send(code).await?;
        let tokens = response.tokens().ok_or(OAuth2Error::NoAccessToken)?;
        let issuer = &endpoints.issuer;
        let urls = &endpoints.user_info;
        let address = urls.first().ok_or(OAuth2Error::UserInfoUrls)?;
        let client = endpoints.user_info_client.get(address.as_str())?;
        let info = user_info::fetch(client, issuer, urls, &tokens.access_token).await?;
        let profile = (self.read_profile)(&info).map_err(OAuth2Error::no_user)?;
        let subject = &profile.subject;
        if subject.issuer() != issuer || !user_info::is_id(subject.id()) {
            return Err(OAuth2Error::Subject);
        }
        Ok(profile.with_tokens(self.settings.passes_tokens.then_some(tokens)))
    }
}

#[async_trait]
impl Provider for OAuth2 {
    fn name(&self) -> &str {
        &self.settings.name
    }

    fn check_issuer(&self, issuer: Option<&str>) -> Result<(), ProviderError> {
        Ok(self.check_callback(issuer)?)
    }

    async fn login_url(&self, login: &LoginRequest<'_>) -> Result<Url, ProviderError> {
        Ok(self.authorization_url(login))
    }

    async fn exchange(&self, code: &CodeExchange<'_>) -> Result<ProviderLogin, ProviderError> {
        // Without a time of authentication: the provider does not say whether it asked for anything.
        Ok(ProviderLogin::new(self.log_in(code).await?))
    }
}
