//! GitHub's webhook: the event `github_app_authorization`, which a GitHub App receives when a user revokes
//! it. An endpoint for logout notices that this site implements itself.

use std::fmt;

use async_trait::async_trait;
use axum::http::StatusCode;
use axum_clef::{
    Subject,
    provider::{
        LogoutAnswer, LogoutEndpoint, LogoutMessage, LogoutNotice, LogoutOutcome, LogoutRequest,
        LogoutScope, ProviderError, ProviderErrorKind,
    },
    secrecy::{ExposeSecret as _, SecretString},
    url::Url,
};
use hmac::{Hmac, KeyInit as _, Mac as _};
use serde::Deserialize;
use sha2::Sha256;

/// The webhook of the app whose users have this issuer.
pub struct Webhook {
    issuer: String,
    secret: SecretString,
}

/// What the site reads of an event. GitHub has many; the others have no such `action`.
#[derive(Deserialize)]
struct Event {
    action: Option<String>,
    sender: Option<Sender>,
}

#[derive(Deserialize)]
struct Sender {
    id: u64,
}

impl Webhook {
    /// `secret` is the webhook secret in the settings of the app.
    pub fn new(issuer: impl Into<String>, secret: impl Into<SecretString>) -> Self {
        Self {
            issuer: issuer.into(),
            secret: secret.into(),
        }
    }

    /// The value of `X-Hub-Signature-256`: the HMAC of the body, in hexadecimal.
    pub(crate) fn mac(secret: &SecretString, body: &[u8]) -> Option<Hmac<Sha256>> {
        let mut mac = Hmac::new_from_slice(secret.expose_secret().as_bytes()).ok()?;
        mac.update(body);
        Some(mac)
    }
}

#[async_trait]
impl LogoutEndpoint for Webhook {
    fn name(&self) -> &str {
        "GitHub"
    }

    /// The name of the event and the id of the delivery are in headers, which the signature does not cover.
    /// They are part of the message all the same: each time a user revokes the app, the body is the same, and
    /// only the id says that it is no replay. GitHub keeps the id when it sends a delivery again.
    fn read(&self, request: &LogoutRequest<'_>) -> Result<LogoutMessage, LogoutOutcome> {
        let rejected = |status, reason| LogoutOutcome::NotANotice(status, reason);
        let header = |name| {
            request
                .headers
                .get(name)
                .and_then(|value| value.to_str().ok())
        };
        let signature =
            header("x-hub-signature-256").and_then(|value| value.strip_prefix("sha256="));
        let signature =
            signature.ok_or_else(|| rejected(StatusCode::UNAUTHORIZED, "Sign the request."))?;
        if !request.has_media_type("application/json") {
            let reason = "Choose the content type application/json.";
            return Err(rejected(StatusCode::UNSUPPORTED_MEDIA_TYPE, reason));
        }
        let body = std::str::from_utf8(request.body);
        let body = body.map_err(|_| rejected(StatusCode::BAD_REQUEST, "Send UTF-8."))?;
        let event = header("x-github-event").unwrap_or_default();
        let delivery = header("x-github-delivery")
            .ok_or_else(|| rejected(StatusCode::BAD_REQUEST, "Send the id of the delivery."))?;
        Ok(LogoutMessage::new(signature).with_content(format!("{event}\n{delivery}\n{body}")))
    }

    async fn verify(
        &self,
        message: &LogoutMessage,
        _: &Url,
    ) -> Result<LogoutNotice, ProviderError> {
        let refused = |reason| ProviderError::new(ProviderErrorKind::Refused, reason);
        let (event, rest) = message.content().split_once('\n').unwrap_or_default();
        let (_delivery, body) = rest.split_once('\n').unwrap_or_default();
        let signature = hex(message.proof().expose_secret());
        let signature = signature.ok_or_else(|| refused("the signature is malformed"))?;
        let mac = Self::mac(&self.secret, body.as_bytes());
        // In constant time.
        let verified = mac.is_some_and(|mac| mac.verify_slice(&signature).is_ok());
        if !verified {
            return Err(refused("the signature is wrong"));
        }
        if event != "github_app_authorization" {
            return Ok(LogoutNotice::ends_nothing());
        }
        match serde_json::from_str(body) {
            Ok(Event {
                action: Some(action),
                sender: Some(Sender { id }),
            }) if action == "revoked" => {
                let user = Subject::new(&self.issuer, id.to_string());
                Ok(LogoutNotice::new(LogoutScope::Person(user)))
            }
            _ => Ok(LogoutNotice::ends_nothing()),
        }
    }

    /// GitHub shows the status in the settings of the app, and sends nothing again by itself.
    fn answer(&self, outcome: LogoutOutcome) -> LogoutAnswer {
        let status = match outcome {
            LogoutOutcome::BadToken => StatusCode::UNAUTHORIZED,
            outcome => outcome.status(),
        };
        LogoutAnswer::new(status, None)
    }
}

impl fmt::Debug for Webhook {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut debug = formatter.debug_struct("Webhook");
        debug.field("issuer", &self.issuer).finish_non_exhaustive()
    }
}

fn hex(text: &str) -> Option<Vec<u8>> {
    let digits = text.as_bytes().chunks(2);
    let byte = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok();
    (text.len() == 64 && text.is_ascii()).then(|| digits.map(byte).collect())?
}
