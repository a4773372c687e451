//! The exchange of an authorization code for tokens (RFC 6749, section 4.1.3), with PKCE (RFC 7636).

use std::time::Duration;

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use http::{StatusCode, header};
use reqwest::{Client, RequestBuilder};
use secrecy::{ExposeSecret as _, SecretString};
use serde::Deserialize;
use serde_json::Value;
use sha2::{Digest as _, Sha256};
use url::{Url, form_urlencoded::byte_serialize};

use crate::{
    ProviderTokens,
    calls::{self, CallError},
    provider::{CodeExchange, LoginSecret},
};

/// The parameters of the authorization request that this crate sets, or that would change it.
pub(crate) const RESERVED_PARAMETERS: [&str; 12] = [
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
/// The purpose of the PKCE verifier (RFC 7636, section 4.1: 43 unreserved characters).
const CODE_VERIFIER: &str = "code_verifier";
/// The largest response with tokens, in bytes. An ID token with many groups is large.
const LARGEST_TOKENS: usize = 1024 * 1024;

/// How the application authenticates at the provider (RFC 6749, section 2.3.1; OpenID Connect Core
/// 1.0, section 9).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum ClientAuthentication {
    /// `client_secret_basic`: the id and the secret are sent in the `Authorization` header.
    Basic,
    /// `client_secret_post`: the id and the secret are sent in the form.
    Post,
}

/// An application at a token endpoint.
pub(crate) struct TokenRequest<'a> {
    pub(crate) client: &'a Client,
    pub(crate) endpoint: &'a Url,
    pub(crate) client_id: &'a str,
    pub(crate) client_secret: &'a SecretString,
    pub(crate) authentication: ClientAuthentication,
}

/// Why there are no tokens.
pub(crate) enum TokenRequestError {
    Call(CallError),
    /// `invalid_grant`.
    CodeRefused,
    /// `invalid_client` or `unauthorized_client`.
    ClientRefused,
    /// Another error code.
    RequestRefused(&'static str),
    Status(StatusCode),
    Unreadable,
}

/// The tokens that a provider returns for a code.
#[derive(Deserialize)]
pub(crate) struct TokenResponse {
    access_token: Option<SecretString>,
    token_type: Option<String>,
    #[cfg_attr(
        not(feature = "oidc"),
        expect(dead_code, reason = "OAuth 2.0 alone has none")
    )]
    pub(crate) id_token: Option<SecretString>,
    refresh_token: Option<SecretString>,
    #[serde(default)]
    expires_in: Value,
    #[serde(default)]
    scope: Value,
}

/// The challenge of the verifier that the token request sends (RFC 7636, section 4.2).
pub(crate) fn code_challenge(secret: &LoginSecret) -> String {
    URL_SAFE_NO_PAD.encode(Sha256::digest(secret.derive(CODE_VERIFIER)))
}

impl TokenRequest<'_> {
    /// Sends the code.
    pub(crate) async fn send(
        &self,
        code: &CodeExchange<'_>,
    ) -> Result<TokenResponse, TokenRequestError> {
        let verifier = SecretString::from(code.secret.derive(CODE_VERIFIER));
        let mut form = vec![
            ("grant_type", "authorization_code"),
            ("code", code.code.expose_secret()),
            ("redirect_uri", code.callback_url.as_str()),
            ("code_verifier", verifier.expose_secret()),
        ];
        // GitHub answers with a form otherwise.
        let mut request = self.client.post(self.endpoint.clone());
        request = request.header(header::ACCEPT, "application/json");
        match self.authentication {
            ClientAuthentication::Basic => request = self.with_basic(request),
            ClientAuthentication::Post => form.extend([
                ("client_id", self.client_id),
                ("client_secret", self.client_secret.expose_secret()),
            ]),
        }
        let response = calls::send(request.form(&form)).await?;
        let status = response.status();
        let body = calls::read(response, LARGEST_TOKENS).await?;
        match refusal(status, &body) {
            Some(refusal) => Err(refusal),
            None => serde_json::from_slice(&body).map_err(|_| TokenRequestError::Unreadable),
        }
    }

    /// Both are form-encoded first (RFC 6749, section 2.3.1), so the colon is unambiguous.
    fn with_basic(&self, request: RequestBuilder) -> RequestBuilder {
        let encoded = |text: &str| byte_serialize(text.as_bytes()).collect::<String>();
        let secret = encoded(self.client_secret.expose_secret());
        request.basic_auth(encoded(self.client_id), Some(secret))
    }
}

impl TokenResponse {
    /// The access token, unless its type is unknown.
    pub(crate) fn access_token(&self) -> Option<&SecretString> {
        let mut kind = self.token_type.iter();
        let is_bearer = kind.all(|kind| kind.eq_ignore_ascii_case("bearer"));
        let token = self.access_token.as_ref();
        token.filter(|token| is_bearer && !token.expose_secret().is_empty())
    }

    /// The tokens for the application. A malformed lifetime or scope counts as absent.
    pub(crate) fn tokens(&self) -> Option<ProviderTokens> {
        let refresh_token = self.refresh_token.clone();
        let refresh_token = refresh_token.filter(|token| !token.expose_secret().is_empty());
        // Some providers write it as text.
        let expires_in = match &self.expires_in {
            Value::String(text) => text.parse().ok(),
            seconds => seconds.as_u64(),
        };
        let tokens = ProviderTokens::new(self.access_token()?.clone())
            .with_refresh_token(refresh_token)
            .with_expires_in(expires_in.map(Duration::from_secs))
            .with_scope(self.scope.as_str().map(str::to_owned));
        Some(tokens)
    }
}

/// The codes that reject the request (RFC 6749, section 5.2; RFC 8707, section 2; the last is
/// GitHub's).
const REQUEST_REFUSED: [&str; 5] = [
    "invalid_request",
    "invalid_scope",
    "invalid_target",
    "unsupported_grant_type",
    "redirect_uri_mismatch",
];

/// The error for an error response (RFC 6749, section 5.2), without its texts: they may quote the
/// request. GitHub has codes of its own, and sends them with the status 200.
fn refusal(status: StatusCode, body: &[u8]) -> Option<TokenRequestError> {
    let answer: Value = serde_json::from_slice(body).unwrap_or_default();
    let code = answer.get("error").and_then(Value::as_str);
    if status == StatusCode::OK && code.is_none() {
        return None;
    }
    let rejected = REQUEST_REFUSED
        .into_iter()
        .find(|known| code == Some(known));
    Some(match code {
        Some("invalid_grant" | "bad_verification_code") => TokenRequestError::CodeRefused,
        Some("invalid_client" | "unauthorized_client" | "incorrect_client_credentials") => {
            TokenRequestError::ClientRefused
        }
        _ => match rejected {
            Some(code) => TokenRequestError::RequestRefused(code),
            None if status == StatusCode::UNAUTHORIZED => TokenRequestError::ClientRefused,
            None if status == StatusCode::OK => TokenRequestError::Unreadable,
            None => TokenRequestError::Status(status),
        },
    })
}

impl From<CallError> for TokenRequestError {
    fn from(error: CallError) -> Self {
        Self::Call(error)
    }
}
