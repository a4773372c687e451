//! The login at a provider: authorization request and code exchange (OpenID Connect Core 1.0,
//! section 3.1).

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use http::StatusCode;
use reqwest::RequestBuilder;
use secrecy::{ExposeSecret as _, SecretString};
use serde::Deserialize;
use serde_json::Value;
use sha2::{Digest as _, Sha256};
use url::{Url, form_urlencoded::byte_serialize};

use super::{ClientAuthentication, Oidc, OidcError, metadata::Metadata, remote};
use crate::provider::{CodeExchange, LoginRequest};

/// The purpose of the PKCE verifier (RFC 7636, section 4.1: 43 unreserved characters).
const CODE_VERIFIER: &str = "code_verifier";
/// The purpose of the nonce.
pub(super) const NONCE: &str = "nonce";
/// The largest response with tokens, in bytes. An ID token with many groups is large.
const LARGEST_TOKENS: usize = 1024 * 1024;

/// The URL of the authorization request.
pub(super) fn authorization_url(oidc: &Oidc, metadata: &Metadata, login: &LoginRequest<'_>) -> Url {
    let mut scope = "openid".to_owned();
    for requested in &oidc.settings.scopes {
        scope.push(' ');
        scope.push_str(requested);
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
    let asked_for = login.max_age.map(|max_age| max_age.as_secs());
    if let Some(max_age) = asked_for.into_iter().chain(oidc.settings.max_age).min() {
        query.append_pair("max_age", &max_age.to_string());
    }
    query.extend_pairs(&oidc.settings.parameters);
    drop(query);
    url
}

/// The tokens that the provider returns for a code.
#[derive(Deserialize)]
pub(super) struct Tokens {
    access_token: Option<SecretString>,
    token_type: Option<String>,
    pub(super) id_token: SecretString,
}

impl Tokens {
    /// The access token, unless its type is unknown. It is for the user info alone.
    pub(super) fn access_token(&self) -> Option<&SecretString> {
        let mut kind = self.token_type.iter();
        let is_bearer = kind.all(|kind| kind.eq_ignore_ascii_case("bearer"));
        let token = self.access_token.as_ref();
        token.filter(|token| is_bearer && !token.expose_secret().is_empty())
    }
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
) -> Result<Tokens, OidcError> {
    let verifier = SecretString::from(code.secret.derive(CODE_VERIFIER));
    let mut form = vec![
        ("grant_type", "authorization_code"),
        ("code", code.code.expose_secret()),
        ("redirect_uri", code.callback_url.as_str()),
        ("code_verifier", verifier.expose_secret()),
    ];
    let client = oidc.remote.client()?;
    let mut request = client.post(metadata.token_endpoint.clone());
    match oidc
        .settings
        .authentication
        .or(metadata.authentication)
        .unwrap_or(ClientAuthentication::Basic)
    {
        ClientAuthentication::Basic => request = with_basic(request, oidc),
        ClientAuthentication::Post => form.extend([
            ("client_id", oidc.client_id.as_str()),
            ("client_secret", oidc.client_secret.expose_secret()),
        ]),
    }
    let response = remote::send(request.form(&form)).await?;
    let status = response.status();
    let body = remote::read(response, LARGEST_TOKENS).await?;
    if status != StatusCode::OK {
        return Err(refusal(status, &body));
    }
    serde_json::from_slice(&body).map_err(|_| OidcError::Unreadable { what: "tokens" })
}

/// Both are form-encoded first (RFC 6749, section 2.3.1), so the colon is unambiguous.
fn with_basic(request: RequestBuilder, oidc: &Oidc) -> RequestBuilder {
    let encoded = |text: &str| byte_serialize(text.as_bytes()).collect::<String>();
    request.basic_auth(
        encoded(&oidc.client_id),
        Some(encoded(oidc.client_secret.expose_secret())),
    )
}

/// The codes that reject the request (RFC 6749, section 5.2; RFC 8707, section 2).
const REQUEST_REFUSED: [&str; 4] = [
    "invalid_request",
    "invalid_scope",
    "invalid_target",
    "unsupported_grant_type",
];

/// The error for an error response (RFC 6749, section 5.2), without its texts: they may quote the
/// request.
fn refusal(status: StatusCode, body: &[u8]) -> OidcError {
    let answer: Value = serde_json::from_slice(body).unwrap_or_default();
    let code = answer.get("error").and_then(Value::as_str);
    let rejected = REQUEST_REFUSED
        .into_iter()
        .find(|known| code == Some(known));
    match code {
        Some("invalid_grant") => OidcError::CodeRefused,
        Some("invalid_client" | "unauthorized_client") => OidcError::ClientRefused,
        _ => match rejected {
            Some(code) => OidcError::RequestRefused(code),
            None if status == StatusCode::UNAUTHORIZED => OidcError::ClientRefused,
            None => {
                let what = "tokens";
                OidcError::Status { what, status }
            }
        },
    }
}
