//! The responses of Clef.

use http::StatusCode;
use reqwest::Response;
use secrecy::{ExposeSecret as _, SecretString};
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::Value;
use url::form_urlencoded;

use super::ClefError;
use crate::calls;

/// The largest response, in bytes.
const LIMIT: usize = 64 * 1024;
/// The longest error text, in characters.
const LONGEST_MESSAGE: usize = 200;

/// A Clef id, which is a number or a string in JSON.
#[derive(Deserialize)]
#[serde(try_from = "Value")]
pub(super) struct ClefId(pub(super) String);

impl TryFrom<Value> for ClefId {
    type Error = &'static str;

    fn try_from(value: Value) -> Result<Self, Self::Error> {
        match value {
            Value::String(id) if !id.is_empty() => Ok(Self(id)),
            Value::Number(id) if id.is_u64() => Ok(Self(id.to_string())),
            _ => Err("an id is a whole number or a string"),
        }
    }
}

/// Reads a response, with the `secrets` of the request removed from an error text.
///
/// # Errors
///
/// The [`ClefError`] that the response stands for.
pub(super) async fn read<T: DeserializeOwned>(
    response: Response,
    secrets: &[&SecretString],
) -> Result<T, ClefError> {
    let status = response.status();
    if status.is_redirection() {
        return Err(ClefError::Redirected(status));
    }
    let body = calls::read(response, LIMIT).await?;
    let Ok(Value::Object(answer)) = serde_json::from_slice::<Value>(&body) else {
        return Err(match status {
            StatusCode::NOT_FOUND => ClefError::NotFound,
            _ => ClefError::NotJson(status),
        });
    };
    if let Some(error) = answer.get("error").filter(|error| is_truthy(error)) {
        return Err(api_error(status, error, secrets));
    }
    if status != StatusCode::OK || !answer.get("success").is_some_and(is_truthy) {
        return Err(ClefError::Incomplete(status));
    }
    serde_json::from_value(Value::Object(answer)).map_err(|_| ClefError::Incomplete(status))
}

/// The error for a text of the API, whose texts are exact.
fn api_error(status: StatusCode, error: &Value, secrets: &[&SecretString]) -> ClefError {
    let text = match error {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    match text.as_str() {
        "Invalid App ID." => ClefError::InvalidAppId,
        "Invalid App Secret." => ClefError::InvalidAppSecret,
        "Invalid OAuth Code." => ClefError::InvalidCode,
        "Invalid token." => ClefError::InvalidToken,
        "Invalid logout hook URL." => ClefError::InvalidLogoutHookUrl,
        "Invalid Logout Token." => ClefError::InvalidLogoutToken,
        "Invalid App." => ClefError::InvalidApp,
        _ => ClefError::Unknown {
            status,
            message: redact(secrets, text)
                .chars()
                .filter(|character| !character.is_control())
                .take(LONGEST_MESSAGE)
                .collect(),
        },
    }
}

/// Removes the secrets that a service may quote, plain and form-encoded.
fn redact(secrets: &[&SecretString], mut text: String) -> String {
    for secret in secrets {
        let secret = secret.expose_secret();
        let encoded: String = form_urlencoded::byte_serialize(secret.as_bytes()).collect();
        for secret in [secret, &encoded] {
            if !secret.is_empty() {
                text = text.replace(secret, "…");
            }
        }
    }
    text
}

/// Whether JavaScript code would treat the value as true: one recorded response has `"true"`.
fn is_truthy(value: &Value) -> bool {
    match value {
        Value::Null => false,
        Value::Bool(value) => *value,
        Value::Number(number) => number.as_f64() != Some(0.0),
        Value::String(text) => !matches!(text.to_ascii_lowercase().as_str(), "" | "false" | "0"),
        Value::Array(_) | Value::Object(_) => true,
    }
}
