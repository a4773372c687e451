//! What the ID token left out (OpenID Connect Core 1.0, section 5.3).

use std::time::Duration;

use http::{StatusCode, header};
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::Value;
use url::Url;

use super::{Oidc, OidcError, Person, json, remote};

/// How long it may take: a login works without it.
const LIMIT: Duration = Duration::from_secs(3);

/// What the provider tells about the person with this access token, who must be this one.
///
/// # Errors
///
/// When it is about somebody else: the tokens are mixed up. Anything else is no reason to turn
/// the person away: then nothing more is known of them.
pub(super) async fn ask(
    oidc: &Oidc,
    endpoint: &Url,
    access_token: &SecretString,
    subject: &str,
) -> Result<Person, OidcError> {
    match fetch(oidc, endpoint, access_token).await {
        Ok(Some(claims)) => {
            if claims.get("sub").and_then(Value::as_str) != Some(subject) {
                return Err(OidcError::OtherPerson);
            }
            let claim = |name: &str| claims.get(name).unwrap_or(&Value::Null);
            Ok(Person::read(claim))
        }
        Ok(None) => {
            tracing::info!("the user info is signed, which is not read here");
            Ok(Person::default())
        }
        Err(error) => {
            tracing::warn!(%error, "the user info could not be had");
            Ok(Person::default())
        }
    }
}

async fn fetch(
    oidc: &Oidc,
    endpoint: &Url,
    access_token: &SecretString,
) -> Result<Option<serde_json::Map<String, Value>>, OidcError> {
    let what = "user info";
    let request = oidc
        .remote
        .client()?
        .get(endpoint.clone())
        .bearer_auth(access_token.expose_secret())
        .timeout(LIMIT);
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
