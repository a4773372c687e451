//! The code for the tokens (OpenID Connect Core 1.0, section 3.1.3).

use http::StatusCode;
use reqwest::RequestBuilder;
use secrecy::{ExposeSecret as _, SecretString};
use serde::Deserialize;
use serde_json::Value;
use url::form_urlencoded::byte_serialize;

use super::{
    ClientAuthentication, Oidc, OidcError, login::CODE_VERIFIER, metadata::Metadata, remote,
};
use crate::provider::CodeExchange;

/// What the provider gives for a code.
#[derive(Deserialize)]
pub(super) struct Tokens {
    pub(super) access_token: SecretString,
    token_type: String,
    pub(super) id_token: SecretString,
}

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

/// Both are form-encoded first (RFC 6749, section 2.3.1), so a colon parts them for sure.
fn with_basic(request: RequestBuilder, oidc: &Oidc) -> RequestBuilder {
    let encoded = |text: &str| byte_serialize(text.as_bytes()).collect::<String>();
    request.basic_auth(
        encoded(&oidc.client_id),
        Some(encoded(oidc.client_secret.expose_secret())),
    )
}

/// What an error answer means (RFC 6749, section 5.2). Its texts stay out: they may quote what
/// was sent.
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
