//! Where a login begins (OpenID Connect Core 1.0, section 3.1.2).

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use sha2::{Digest as _, Sha256};
use url::Url;

use super::{Oidc, metadata::Metadata};
use crate::provider::LoginRequest;

/// What the PKCE verifier is derived for (RFC 7636, section 4.1: 43 unreserved characters).
pub(super) const CODE_VERIFIER: &str = "code_verifier";
/// What the nonce is derived for.
pub(super) const NONCE: &str = "nonce";

/// The parameters that the login itself sets, or that would change what it is.
pub(super) const TAKEN: [&str; 12] = [
    "response_type",
    "response_mode",
    "client_id",
    "redirect_uri",
    "scope",
    "state",
    "nonce",
    "code_challenge",
    "code_challenge_method",
    "max_age",
    "request",
    "request_uri",
];

pub(super) fn url(oidc: &Oidc, metadata: &Metadata, login: &LoginRequest<'_>) -> Url {
    let mut scope = "openid".to_owned();
    for asked in &oidc.settings.scopes {
        scope.push(' ');
        scope.push_str(asked);
    }
    let verifier = login.secret.derive(CODE_VERIFIER);
    let challenge = URL_SAFE_NO_PAD.encode(Sha256::digest(verifier));
    let mut url = metadata.authorization_endpoint.clone();
    let mut query = url.query_pairs_mut();
    query
        .append_pair("response_type", "code")
        .append_pair("client_id", &oidc.client_id)
        .append_pair("redirect_uri", login.callback_url.as_str())
        .append_pair("scope", &scope)
        .append_pair("state", login.state.expose())
        .append_pair("nonce", &login.secret.derive(NONCE))
        .append_pair("code_challenge", &challenge)
        .append_pair("code_challenge_method", "S256");
    if let Some(max_age) = oidc.settings.max_age {
        query.append_pair("max_age", &max_age.to_string());
    }
    query.extend_pairs(&oidc.settings.parameters);
    drop(query);
    url
}
