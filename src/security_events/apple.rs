//! The notices of Sign in with Apple.

use std::{fmt, sync::Arc};

use async_trait::async_trait;
use http::StatusCode;
use reqwest::Client;
use secrecy::ExposeSecret as _;
use serde::Deserialize;
use serde_json::Value;
use url::Url;

use super::{
    EventSubject, SecurityEvent, SecurityEventError, dialect::Dialect, event, hook::EventHook,
    kind::Ends, token::ExpectedClaims,
};
use crate::{
    AddressError, BoxError, LogoutScope, Subject, SubjectIdentifier, address,
    jose::{self, Claims, Remote, RemoteError, SigningAlgorithm, Token, TokenError, json, now},
    provider::{
        LogoutAnswer, LogoutEndpoint, LogoutMessage, LogoutNotice, LogoutOutcome, LogoutRequest,
        ProviderError,
    },
};

/// Apple's issuer.
const APPLE: &str = "https://appleid.apple.com";
/// Apple always signs with it.
const ALGORITHM: SigningAlgorithm = SigningAlgorithm::Rs256;
/// How old a notice may be, in seconds.
const LONGEST_AGE: f64 = 24.0 * 60.0 * 60.0;

/// The endpoint for the server-to-server notices of Sign in with Apple.
///
/// Mount it with [`logout_endpoint`](crate::ClefLayerBuilder::logout_endpoint), and register its URL
/// as the "Server-to-Server Notification Endpoint" of the app at Apple. `consent-revoked` and
/// `account-deleted` end all logins of the user; `email-enabled` and `email-disabled` reach the hook
/// only. Clones share the cached keys.
///
/// ```
/// use axum_clef::security_events::AppleNotices;
///
/// let notices = AppleNotices::new(["com.example.site"])?;
/// # Ok::<(), axum_clef::AddressError>(())
/// ```
#[derive(Clone)]
pub struct AppleNotices {
    remote: Arc<Remote<AppleKeys>>,
    client_ids: Vec<String>,
    hook: Option<EventHook>,
}

/// Where Apple's keys are. It has no metadata to fetch.
struct AppleKeys(Url);

impl jose::Metadata for AppleKeys {
    type Dialect = ();

    async fn fetch(issuer: String, (): (), _: Client) -> Result<Self, RemoteError> {
        let keys = format!("{}/auth/keys", issuer.trim_end_matches('/'));
        match address::base_url(&keys) {
            Ok(url) => Ok(Self(url)),
            Err(reason) => {
                let name = "issuer";
                Err(RemoteError::MetadataAddress { name, reason })
            }
        }
    }

    fn jwks_uri(&self) -> &Url {
        &self.0
    }
}

impl AppleNotices {
    /// Creates the endpoint for the applications with these ids at Apple: app ids or services ids.
    ///
    /// # Errors
    ///
    /// None in practice: the issuer is a URL.
    pub fn new<S: Into<String>>(
        client_ids: impl IntoIterator<Item = S>,
    ) -> Result<Self, AddressError> {
        Self::at(APPLE, client_ids)
    }

    /// Creates the endpoint for the notices of another issuer than Apple, for tests. Its keys are at
    /// `/auth/keys`.
    ///
    /// # Errors
    ///
    /// An [`AddressError`] if the issuer is not an absolute URL, or is plain `http` to another
    /// machine.
    pub fn at<S: Into<String>>(
        issuer: impl Into<String>,
        client_ids: impl IntoIterator<Item = S>,
    ) -> Result<Self, AddressError> {
        let issuer = issuer.into();
        address::base_url(&issuer)?;
        Ok(Self {
            remote: Arc::new(Remote::new(issuer, ())),
            client_ids: client_ids.into_iter().map(Into::into).collect(),
            hook: None,
        })
    }

    /// Calls a function with each notice, as [`EventReceiver::on_event`] does.
    ///
    /// [`EventReceiver::on_event`]: super::EventReceiver::on_event
    #[must_use]
    pub fn on_event<F, R>(mut self, hook: F) -> Self
    where
        F: Fn(SecurityEvent) -> R + Send + Sync + 'static,
        R: Future<Output = Result<(), BoxError>> + Send + 'static,
    {
        self.hook = Some(EventHook::new(hook));
        self
    }

    async fn receive(&self, message: &LogoutMessage) -> Result<LogoutNotice, ProviderError> {
        let fails = |error: SecurityEventError| error.for_sender(false);
        let token = Token::parse(message.proof().expose_secret(), ALGORITHM);
        let token = token.map_err(|error| fails(error.into()))?;
        let (id, event, subject) = self.read(&token).map_err(|error| {
            let is_signed = self.remote.has_signed(&token, ALGORITHM);
            error.for_sender(is_signed)
        })?;
        let verified = self.remote.verify(&token, ALGORITHM).await;
        verified.map_err(|error| fails(error.into()))?;
        let mut notice = LogoutNotice::ends_nothing()
            .with_id(id)
            .with_cause(event.cause());
        if event.kind.ends() == Ends::SessionOrPerson {
            notice = notice.and(LogoutScope::Person(subject));
        }
        let events = EventHook::call(self.hook.as_ref(), vec![event]).await;
        events.map_err(fails)?;
        Ok(notice)
    }

    /// Reads a notice whose signature is not verified yet.
    fn read(
        &self,
        token: &Token<'_>,
    ) -> Result<(String, SecurityEvent, Subject), SecurityEventError> {
        let (claims, issuer, now) = (token.notice_claims()?, self.remote.issuer(), now());
        // An ID token has them.
        for name in ["sub", "nonce"] {
            if claims.has(name) {
                return Err(TokenError::Unexpected(name).into());
            }
        }
        let expected = ExpectedClaims {
            issuer,
            audiences: &self.client_ids,
            dialect: Dialect::Standard,
            longest_age: Some(LONGEST_AGE),
            now,
        };
        expected.check(&claims)?;
        let expires_at = claims.seconds("exp")?;
        if expires_at.is_some_and(|expires_at| Claims::is_older(expires_at, 0.0, now)) {
            return Err(TokenError::Expired.into());
        }
        let token_id = claims.token_id()?.ok_or(TokenError::Missing("jti"))?;
        // The events are one object, as JSON in a text.
        let text = claims
            .text("events")?
            .ok_or(TokenError::Missing("events"))?;
        let members = json::small_object(text.as_bytes()).ok_or(TokenError::Form("events"))?;
        let kind = members.get("type").and_then(Value::as_str);
        let kind = kind.ok_or(TokenError::Form("events"))?;
        let person = members.get("sub").and_then(Value::as_str);
        let person = person.filter(|person| (1..=255).contains(&person.len()));
        let person = Subject::new(issuer, person.ok_or(SecurityEventError::Subject)?);
        let mut event = SecurityEvent::new(issuer, token_id, kind, &members);
        event.issued_at = event::seconds(claims.issued_at()?);
        event.at = members.get("event_time").and_then(event::time);
        event.subject = Some(EventSubject {
            user: Some(SubjectIdentifier::IssSub(person.clone())),
            is_simple: true,
            ..EventSubject::default()
        });
        Ok((token_id.to_owned(), event, person))
    }
}

/// The body of a notice.
#[derive(Deserialize)]
struct Body {
    payload: String,
}

#[async_trait]
impl LogoutEndpoint for AppleNotices {
    fn name(&self) -> &str {
        "Apple"
    }

    fn read(&self, request: &LogoutRequest<'_>) -> Result<LogoutMessage, LogoutOutcome> {
        let rejected = |status, reason| Err(LogoutOutcome::NotANotice(status, reason));
        if !request.has_media_type("application/json") {
            let status = StatusCode::UNSUPPORTED_MEDIA_TYPE;
            return rejected(status, "Send JSON: application/json.");
        }
        match serde_json::from_slice::<Body>(request.body) {
            Ok(body) => Ok(LogoutMessage::new(body.payload)),
            Err(_) => rejected(StatusCode::BAD_REQUEST, "Send one payload."),
        }
    }

    async fn verify(
        &self,
        message: &LogoutMessage,
        _: &Url,
    ) -> Result<LogoutNotice, ProviderError> {
        self.receive(message).await
    }

    fn answer(&self, outcome: LogoutOutcome) -> LogoutAnswer {
        LogoutAnswer::new(outcome.status(), None)
    }
}

impl fmt::Debug for AppleNotices {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("AppleNotices")
            .field("client_ids", &self.client_ids)
            .finish_non_exhaustive()
    }
}
