//! Receiving an event: one that its sender pushes (RFC 8935), or that this site has polled.

use async_trait::async_trait;
use http::header;
use secrecy::ExposeSecret as _;
use subtle::ConstantTimeEq as _;
use url::Url;

use super::{
    EventReceiver, SecurityEvent, SecurityEventError, SecurityEventKind,
    answer::{self, code},
    hook::EventHook,
    kind::Ends,
    metadata::TransmitterMetadata,
    token::{self, EventToken, ExpectedClaims},
};
use crate::{
    LogoutScope,
    jose::{Token, now},
    provider::{
        LogoutAnswer, LogoutEndpoint, LogoutMessage, LogoutNotice, LogoutOutcome, LogoutRequest,
        ProviderError,
    },
};

/// The media type of a pushed event (RFC 8935, section 2.1).
const MEDIA_TYPE: &str = "application/secevent+jwt";
/// The content of a message that came as the answer to a request of ours.
const POLLED: &str = "polled";

impl EventReceiver {
    /// A message that came as the answer to a request of ours.
    pub(super) fn polled(token: &str) -> LogoutMessage {
        LogoutMessage::new(token).with_content(POLLED)
    }

    /// Verifies a token, and calls the hook. An invalid token costs no call.
    async fn receive(&self, message: &LogoutMessage) -> Result<LogoutNotice, ProviderError> {
        let fails = |error: SecurityEventError| error.for_sender(false);
        let text = message.proof().expose_secret();
        let token = Token::parse(text, self.algorithm);
        let token = token.map_err(|error| fails(error.into()))?;
        let is_polled = message.content() == POLLED;
        let (content, scopes) = self.read_events(&token, is_polled).map_err(|error| {
            let is_signed = self.remote.has_signed(&token, self.algorithm);
            error.for_sender(is_signed)
        })?;
        let verified = self.remote.verify(&token, self.algorithm).await;
        verified.map_err(|error| fails(error.into()))?;
        let metadata = self.remote.metadata().await;
        let metadata = metadata.map_err(|error| fails(error.into()))?;
        self.check_signed(&content, &metadata)
            .map_err(|error| error.for_sender(true))?;
        let EventToken { id, events, .. } = content;
        let cause = events.iter().find(|event| self.ends(event));
        let mut notice = LogoutNotice::ends_nothing().with_id(id);
        if let Some(event) = cause {
            notice = notice.with_cause(event.cause());
        }
        let hook = self.hook.as_ref();
        EventHook::call(hook, events).await.map_err(fails)?;
        Ok(scopes.into_iter().fold(notice, LogoutNotice::and))
    }

    /// Reads a token whose signature is not verified yet.
    fn read_events(
        &self,
        token: &Token<'_>,
        is_polled: bool,
    ) -> Result<(EventToken, Vec<LogoutScope>), SecurityEventError> {
        let expected = ExpectedClaims {
            issuer: self.remote.issuer(),
            audiences: &self.audiences,
            dialect: self.subjects.dialect,
            longest_age: (!is_polled).then_some(self.longest_age.as_secs_f64()),
            now: now(),
        };
        let mut content = token::read(token, &expected)?;
        for event in &mut content.events {
            self.subjects.normalize(event)?;
        }
        let mut scopes = Vec::new();
        for event in content.events.iter().filter(|event| self.ends(event)) {
            let is_about_session = event.kind == SecurityEventKind::SessionRevoked;
            scopes.extend(self.subjects.scopes(event, is_about_session)?);
        }
        Ok((content, scopes))
    }

    /// Checks what only a token of the sender is compared with.
    fn check_signed(
        &self,
        content: &EventToken,
        metadata: &TransmitterMetadata,
    ) -> Result<(), SecurityEventError> {
        let critical = &metadata.critical_subject_members;
        self.subjects
            .check_members(&content.subject_members, critical)?;
        self.expected_state.check(&content.events)
    }

    fn ends(&self, event: &SecurityEvent) -> bool {
        match &event.kind {
            SecurityEventKind::CredentialChange(change) => (self.ends_on_change)(change),
            kind => kind.ends() == Ends::SessionOrPerson,
        }
    }

    fn is_authorized(&self, request: &LogoutRequest<'_>) -> bool {
        let Some(expected) = &self.authorization else {
            return true;
        };
        let expected = expected.expose_secret().as_bytes();
        let mut values = request.headers.get_all(header::AUTHORIZATION).iter();
        match (values.next(), values.next()) {
            (Some(value), None) => value.as_bytes().ct_eq(expected).into(),
            _ => false,
        }
    }
}

#[async_trait]
impl LogoutEndpoint for EventReceiver {
    fn name(&self) -> &str {
        &self.name
    }

    fn read(&self, request: &LogoutRequest<'_>) -> Result<LogoutMessage, LogoutOutcome> {
        if !self.is_authorized(request) {
            return Err(LogoutOutcome::Rejected(code::AUTHENTICATION_FAILED));
        }
        let token = std::str::from_utf8(request.body).unwrap_or_default();
        let token = token.trim_ascii();
        if token.is_empty() || !request.has_media_type(MEDIA_TYPE) {
            return Err(LogoutOutcome::Rejected(code::INVALID_REQUEST));
        }
        Ok(LogoutMessage::new(token))
    }

    fn names_identifiers(&self) -> bool {
        self.subjects.accepts_emails || self.subjects.accepts_identifiers
    }

    fn check_settings(&self) -> Result<(), ProviderError> {
        let checked = self.subjects.check_settings();
        checked.map_err(|error| error.for_sender(false))
    }

    async fn verify(
        &self,
        message: &LogoutMessage,
        _: &Url,
    ) -> Result<LogoutNotice, ProviderError> {
        self.receive(message).await
    }

    fn answer(&self, outcome: LogoutOutcome) -> LogoutAnswer {
        answer::answer(outcome)
    }
}
