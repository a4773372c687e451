//! The login at a provider: authorization request and code exchange (OpenID Connect Core 1.0,
//! section 3.1).

use url::Url;

use super::{ClientAuthentication, Oidc, OidcError, metadata::Metadata};
use crate::{
    jose::now,
    provider::{CodeExchange, LoginRequest},
    token_request::{TokenRequest, TokenResponse, code_challenge},
};

/// The purpose of the nonce.
pub(super) const NONCE: &str = "nonce";

/// The URL of the authorization request.
pub(super) fn authorization_url(oidc: &Oidc, metadata: &Metadata, login: &LoginRequest<'_>) -> Url {
    let mut scope = "openid".to_owned();
    for requested in &oidc.settings.scopes {
        scope.push(' ');
        scope.push_str(requested);
    }
    let mut url = metadata.authorization_endpoint.clone();
    let mut query = url.query_pairs_mut();
    query
        .append_pair("response_type", "code")
        .append_pair("client_id", &oidc.client_id)
        .append_pair("redirect_uri", login.callback_url.as_str())
        .append_pair("scope", &scope)
        .append_pair("state", login.state.expose())
        .append_pair("nonce", &login.secret.derive(NONCE))
        .append_pair("code_challenge", &code_challenge(login.secret))
        .append_pair("code_challenge_method", "S256");
    let asked_for = login.max_age.map(|max_age| max_age.as_secs());
    if let Some(max_age) = asked_for.into_iter().chain(oidc.settings.max_age).min() {
        query.append_pair("max_age", &max_age.to_string());
    }
    if oidc.settings.uses_form_post {
        query.append_pair("response_mode", "form_post");
    }
    query.extend_pairs(&oidc.settings.parameters);
    drop(query);
    url
}

/// Exchanges the authorization code for tokens.
///
/// # Errors
///
/// [`OidcError::CodeRefused`]: start the login again. [`OidcError::ClientRefused`] or
/// [`OidcError::RequestRefused`]: check the registration. Others: try again later.
pub(super) async fn exchange(
    oidc: &Oidc,
    metadata: &Metadata,
    code: &CodeExchange<'_>,
) -> Result<TokenResponse, OidcError> {
    let authentication = oidc.settings.authentication.or(metadata.authentication);
    let issuer = oidc.remote.issuer();
    let client_secret = oidc.client_secret.at(issuer, &oidc.client_id, now())?;
    let request = TokenRequest {
        client: oidc.remote.client()?,
        endpoint: &metadata.token_endpoint,
        client_id: &oidc.client_id,
        client_secret: &client_secret,
        authentication: authentication.unwrap_or(ClientAuthentication::Basic),
    };
    Ok(request.send(code).await?)
}
