//! Back-channel logout (OpenID Connect Back-Channel Logout 1.0).

use async_trait::async_trait;
use http::StatusCode;
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::{Value, json};
use url::Url;

use super::{Oidc, OidcError, Settings, TokenError};
use crate::{
    ProviderSession, Subject,
    jose::{Claims, Token, now},
    provider::{
        LogoutAnswer, LogoutCause, LogoutEndpoint, LogoutMessage, LogoutNotice, LogoutOutcome,
        LogoutRequest, LogoutScope, ProviderError,
    },
};

/// The member of `events` that a logout token has (Back-Channel Logout, section 2.4).
const EVENT: &str = "http://schemas.openid.net/event/backchannel-logout";
/// The largest logout token, in bytes.
const LARGEST: usize = 16 * 1024;
/// How long a logout token without `exp` is valid, in seconds: as long as one with `exp` should be
/// (Back-Channel Logout, section 2.4).
const LIFETIME: f64 = 120.0;
/// How old a logout token may be, in seconds, whatever its `exp`. The replay cache is lost when the
/// program restarts.
const LONGEST_AGE: f64 = 24.0 * 60.0 * 60.0;

/// The endpoint at which a provider posts its logout tokens, from server to server.
///
/// [`Oidc`] is mounted with it. [`Oidc::back_channel_logout`] returns it for another path.
#[derive(Clone, Debug)]
pub struct BackChannelLogout(Oidc);

impl Oidc {
    /// Returns the endpoint for logout tokens of this provider, with the settings of now: call it last.
    pub fn back_channel_logout(&self) -> BackChannelLogout {
        BackChannelLogout(self.clone())
    }

    /// Verifies a logout token. An invalid one costs no call.
    async fn logout_token(&self, token: &SecretString) -> Result<LogoutNotice, OidcError> {
        let algorithm = self.settings.algorithm;
        if token.expose_secret().len() > LARGEST {
            return Err(TokenError::TooLarge.into());
        }
        let token = Token::parse(token.expose_secret(), algorithm)?;
        match self.read_logout_token(&token) {
            Ok(notice) => {
                self.remote.verify(&token, algorithm).await?;
                Ok(notice)
            }
            Err(error) if self.remote.has_signed(&token, algorithm) => {
                Err(OidcError::SignedToken(error))
            }
            Err(error) => Err(error.into()),
        }
    }

    /// Reads a logout token whose signature is not verified yet (Back-Channel Logout, section 2.6).
    fn read_logout_token(&self, token: &Token<'_>) -> Result<LogoutNotice, TokenError> {
        let (settings, issuer, now) = (&self.settings, self.remote.issuer(), now());
        match token.header.kind()?.as_deref() {
            Some("logout+jwt") => {}
            None | Some("jwt") if !settings.requires_logout_type => {}
            _ => return Err(TokenError::Type),
        }
        let claims = token.notice_claims()?;
        let lifetime = (!settings.requires_logout_expiry).then_some(LIFETIME);
        let trusted = &settings.trusted_audiences;
        claims.check(issuer, &self.client_id, trusted, lifetime, now)?;
        if Claims::is_older(claims.issued_at()?, LONGEST_AGE, now) {
            return Err(TokenError::TooOld);
        }
        let token_id = claims.token_id()?.ok_or(TokenError::Missing("jti"))?;
        let events = claims.get("events").ok_or(TokenError::Missing("events"))?;
        // `get` returns `None` for anything but an object.
        if !events.get(EVENT).is_some_and(Value::is_object) {
            return Err(TokenError::Events);
        }
        // Even if it is null: a replayed ID token is not a logout token.
        if claims.has("nonce") {
            return Err(TokenError::HasNonce);
        }
        let person = claims.subject()?.map(|id| Subject::new(issuer, id));
        let session = claims.session()?.map(|id| ProviderSession::new(issuer, id));
        let scope = match (person, session) {
            (Some(person), None) => LogoutScope::Person(person),
            (Some(person), Some(_)) if settings.logs_out_all_sessions => {
                LogoutScope::Person(person)
            }
            (None, Some(session)) if settings.logs_out_all_sessions => {
                LogoutScope::SessionUser(session)
            }
            (person, Some(session)) => LogoutScope::session(session, person),
            (None, None) => return Err(TokenError::NoSubject),
        };
        let cause = LogoutCause::provider("backchannel-logout");
        Ok(LogoutNotice::new(scope).with_id(token_id).with_cause(cause))
    }
}

#[async_trait]
impl LogoutEndpoint for BackChannelLogout {
    fn name(&self) -> &str {
        &self.0.settings.name
    }

    fn read(&self, request: &LogoutRequest<'_>) -> Result<LogoutMessage, LogoutOutcome> {
        request.form_field("logout_token").map(LogoutMessage::new)
    }

    async fn verify(
        &self,
        message: &LogoutMessage,
        _: &Url,
    ) -> Result<LogoutNotice, ProviderError> {
        Ok(self.0.logout_token(message.proof()).await?)
    }

    fn answer(&self, outcome: LogoutOutcome) -> LogoutAnswer {
        answer(outcome, &self.0.settings)
    }
}

/// The answer to the sender of a logout token (Back-Channel Logout, section 2.8).
fn answer(outcome: LogoutOutcome, settings: &Settings) -> LogoutAnswer {
    let bad_request = StatusCode::BAD_REQUEST;
    let (status, error, description) = match outcome {
        LogoutOutcome::LoggedOut | LogoutOutcome::NothingEnded | LogoutOutcome::UnknownUser => {
            return LogoutAnswer::new(StatusCode::OK, None);
        }
        LogoutOutcome::BadToken | LogoutOutcome::Rejected(_) => (
            bad_request,
            "invalid_request",
            "The logout token is invalid.",
        ),
        LogoutOutcome::SessionsNotKept => (
            bad_request,
            "invalid_request",
            "This site does not track sessions of the provider. Send a sub.",
        ),
        // Logout tokens name a subject or a session, so this does not happen.
        LogoutOutcome::TooManyUsers => (
            bad_request,
            "invalid_request",
            "The logout token names no single person.",
        ),
        // The specification has one status for every malformed request.
        LogoutOutcome::NotANotice(_, reason) => (bad_request, "invalid_request", reason),
        LogoutOutcome::TryAgain => {
            let status = if settings.answers_400_when_unavailable {
                bad_request
            } else {
                StatusCode::SERVICE_UNAVAILABLE
            };
            let description = "The logout cannot be processed now. Send it again later.";
            (status, "temporarily_unavailable", description)
        }
    };
    let body = json!({ "error": error, "error_description": description });
    LogoutAnswer::new(status, Some(body))
}
