//! The login at a provider: authorization request, code exchange and user info (OpenID Connect Core
//! 1.0, section 3.1).

use std::time::Duration;

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use http::{StatusCode, header};
use reqwest::RequestBuilder;
use secrecy::{ExposeSecret as _, SecretString};
use serde::Deserialize;
use serde_json::{Map, Value};
use sha2::{Digest as _, Sha256};
use url::{Url, form_urlencoded::byte_serialize};

use super::{
    ClientAuthentication, Oidc, OidcError, json, metadata::Metadata, person_claims::PersonClaims,
    remote,
};
use crate::provider::{CodeExchange, LoginRequest};

/// The purpose of the PKCE verifier (RFC 7636, section 4.1: 43 unreserved characters).
const CODE_VERIFIER: &str = "code_verifier";
/// The purpose of the nonce.
pub(super) const NONCE: &str = "nonce";
/// How long the user info may take. A login succeeds without it.
const USER_INFO_LIMIT: Duration = Duration::from_secs(3);

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
    if let Some(max_age) = oidc.settings.max_age {
        query.append_pair("max_age", &max_age.to_string());
    }
    query.extend_pairs(&oidc.settings.parameters);
    drop(query);
    url
}

/// The tokens that the provider returns for a code.
#[derive(Deserialize)]
pub(super) struct Tokens {
    pub(super) access_token: SecretString,
    token_type: String,
    pub(super) id_token: SecretString,
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
        .unwrap_or(metadata.authentication)
    {
        ClientAuthentication::Basic => request = with_basic(request, oidc),
        ClientAuthentication::Post => form.extend([
            ("client_id", oidc.client_id.as_str()),
            ("client_secret", oidc.client_secret.expose_secret()),
        ]),
    }
    let response = remote::send(request.form(&form)).await?;
    let status = response.status();
    let body = remote::read(response).await?;
    if status != StatusCode::OK {
        return Err(refusal(status, &body));
    }
    let unreadable = OidcError::Unreadable { what: "tokens" };
    match serde_json::from_slice::<Tokens>(&body) {
        Ok(tokens) if tokens.token_type.eq_ignore_ascii_case("bearer") => Ok(tokens),
        _ => Err(unreadable),
    }
}

/// Both are form-encoded first (RFC 6749, section 2.3.1), so the colon is unambiguous.
fn with_basic(request: RequestBuilder, oidc: &Oidc) -> RequestBuilder {
    let encoded = |text: &str| byte_serialize(text.as_bytes()).collect::<String>();
    request.basic_auth(
        encoded(&oidc.client_id),
        Some(encoded(oidc.client_secret.expose_secret())),
    )
}

/// The error for an error response (RFC 6749, section 5.2), without its texts: they may quote the
/// request.
fn refusal(status: StatusCode, body: &[u8]) -> OidcError {
    let answer: Value = serde_json::from_slice(body).unwrap_or_default();
    match answer.get("error").and_then(Value::as_str) {
        Some("invalid_grant") => OidcError::CodeRefused,
        Some("invalid_client" | "unauthorized_client") => OidcError::ClientRefused,
        Some("invalid_request" | "invalid_scope" | "unsupported_grant_type") => {
            OidcError::RequestRefused
        }
        _ if status == StatusCode::UNAUTHORIZED => OidcError::ClientRefused,
        _ => {
            let what = "tokens";
            OidcError::Status { what, status }
        }
    }
}

/// Fetches the user info of `subject`. Without it the login continues with the claims of the ID
/// token.
///
/// # Errors
///
/// [`OidcError::OtherSubject`] if it is about another subject. Abort the login.
pub(super) async fn user_info(
    oidc: &Oidc,
    endpoint: &Url,
    access_token: &SecretString,
    subject: &str,
) -> Result<PersonClaims, OidcError> {
    match fetch_user_info(oidc, endpoint, access_token).await {
        Ok(Some(claims)) => {
            if claims.get("sub").and_then(Value::as_str) != Some(subject) {
                return Err(OidcError::OtherSubject);
            }
            Ok(PersonClaims::new(claims))
        }
        Ok(None) => {
            tracing::info!(
                "the user info is signed, which is not supported; the login continues without it"
            );
            Ok(PersonClaims::default())
        }
        Err(error) => {
            tracing::warn!(%error, "the user info could not be fetched; the login continues without it");
            Ok(PersonClaims::default())
        }
    }
}

async fn fetch_user_info(
    oidc: &Oidc,
    endpoint: &Url,
    access_token: &SecretString,
) -> Result<Option<Map<String, Value>>, OidcError> {
    let what = "user info";
    let request = oidc
        .remote
        .client()?
        .get(endpoint.clone())
        .bearer_auth(access_token.expose_secret())
        .timeout(USER_INFO_LIMIT);
    let response = remote::send(request).await?;
    let status = response.status();
    if status != StatusCode::OK {
        return Err(OidcError::Status { what, status });
    }
    let is_signed = response
        .headers()
        .get(header::CONTENT_TYPE)
        .is_some_and(|value| {
            let media_type = value.as_bytes().split(|byte| *byte == b';').next();
            media_type
                .is_some_and(|text| text.trim_ascii().eq_ignore_ascii_case(b"application/jwt"))
        });
    if is_signed {
        return Ok(None);
    }
    let body = remote::read(response).await?;
    match json::object(&body) {
        Some(claims) => Ok(Some(claims)),
        None => Err(OidcError::Unreadable { what }),
    }
}
