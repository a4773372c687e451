//! The user info of a login (OpenID Connect Core 1.0, section 5.3).

use std::time::Duration;

use http::{HeaderMap, StatusCode, header};
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::{Map, Value};
use url::Url;

use super::{Oidc, OidcError, TokenError, person_claims::PersonClaims};
use crate::{
    calls,
    jose::{LIMIT, Token, json},
};

/// How long the user info may take. A login succeeds without it.
const TIME_LIMIT: Duration = Duration::from_secs(3);

/// Fetches the user info of `subject`. Without it the login continues with the claims of the ID
/// token. `now` is in seconds since the Unix epoch.
///
/// # Errors
///
/// [`OidcError::OtherSubject`] if it is about another subject. Abort the login.
pub(super) async fn fetch(
    oidc: &Oidc,
    endpoint: &Url,
    access_token: &SecretString,
    subject: &str,
    now: f64,
) -> Result<PersonClaims, OidcError> {
    let claims = match tokio::time::timeout(TIME_LIMIT, claims(oidc, endpoint, access_token, now))
        .await
        .unwrap_or(Err(OidcError::TimedOut))
    {
        Ok(claims) => claims,
        Err(error) => {
            tracing::warn!(%error, "the user info could not be used; the login continues without it");
            return Ok(PersonClaims::default());
        }
    };
    match claims.get("sub") {
        Some(Value::String(named)) if named == subject => Ok(PersonClaims::new(claims)),
        Some(Value::String(_)) => Err(OidcError::OtherSubject),
        // Without it, the user info may be about anyone (section 5.3.2).
        _ => {
            tracing::warn!("the user info has no `sub`; the login continues without it");
            Ok(PersonClaims::default())
        }
    }
}

async fn claims(
    oidc: &Oidc,
    endpoint: &Url,
    access_token: &SecretString,
    now: f64,
) -> Result<Map<String, Value>, OidcError> {
    let what = "user info";
    let request = oidc
        .remote
        .client()?
        .get(endpoint.clone())
        .bearer_auth(access_token.expose_secret());
    let response = calls::send(request).await?;
    let status = response.status();
    if status != StatusCode::OK {
        return Err(OidcError::Status { what, status });
    }
    let is_signed = is_jwt(response.headers());
    let body = calls::read(response, LIMIT).await?;
    if is_signed {
        let token = std::str::from_utf8(&body).map_err(|_| OidcError::Unreadable { what })?;
        return signed_claims(oidc, token.trim_ascii(), now).await;
    }
    json::object(&body).ok_or(OidcError::Unreadable { what })
}

fn is_jwt(headers: &HeaderMap) -> bool {
    headers.get(header::CONTENT_TYPE).is_some_and(|value| {
        let media_type = value.as_bytes().split(|byte| *byte == b';').next();
        media_type.is_some_and(|text| text.trim_ascii().eq_ignore_ascii_case(b"application/jwt"))
    })
}

/// The claims of a signed user info (section 5.3.2). It need not have `iss` and `aud`.
async fn signed_claims(
    oidc: &Oidc,
    token: &str,
    now: f64,
) -> Result<Map<String, Value>, OidcError> {
    let algorithm = oidc.settings.algorithm;
    let token = Token::parse(token, algorithm)?;
    // Not one that was issued for another purpose with the same keys.
    match token.header.kind()?.as_deref() {
        None | Some("jwt") => {}
        Some(_) => return Err(TokenError::Type.into()),
    }
    let (claims, issuer) = (token.claims()?, oidc.remote.issuer());
    claims.check_present(
        issuer,
        &oidc.client_id,
        &oidc.settings.trusted_audiences,
        now,
    )?;
    oidc.remote.verify(&token, algorithm).await?;
    Ok(claims.all().clone())
}
