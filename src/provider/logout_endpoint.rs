//! The endpoints at which logout notices arrive.

use std::{borrow::Cow, fmt};

use async_trait::async_trait;
use http::{HeaderMap, Method, StatusCode, header};
use secrecy::SecretString;
use url::{Url, form_urlencoded};

use super::{LogoutAnswer, LogoutNotice, LogoutOutcome, ProviderError};
use crate::bearer::{Bearer, bearer};

/// An endpoint at which logout notices arrive, in one protocol: it reads a request, verifies it,
/// and answers it.
///
/// A [`Provider`](super::Provider) has one for its own notices, or none. Mount further ones with
/// [`logout_endpoint`](crate::ClefLayerBuilder::logout_endpoint). Everything else is done for all
/// endpoints alike: limits in size, time and number, replays, the queue of logouts, and the
/// acknowledgement once the logout is written.
///
/// ```
/// use async_trait::async_trait;
/// use axum_clef::{
///     Subject,
///     provider::{
///         LogoutAnswer, LogoutEndpoint, LogoutMessage, LogoutNotice, LogoutOutcome,
///         LogoutRequest, LogoutScope, ProviderError, ProviderErrorKind,
///     },
/// };
/// use http::StatusCode;
/// use secrecy::ExposeSecret as _;
/// use url::Url;
///
/// /// The notices of a personnel system: `POST` with a field `left`,
/// /// "<secret> <notice id> <staff number>". The id tells two notices of a person apart.
/// struct StaffNotices;
///
/// #[async_trait]
/// impl LogoutEndpoint for StaffNotices {
///     fn name(&self) -> &str {
///         "the personnel system"
///     }
///
///     fn read(&self, request: &LogoutRequest<'_>) -> Result<LogoutMessage, LogoutOutcome> {
///         request.form_field("left").map(LogoutMessage::new)
///     }
///
///     async fn verify(
///         &self,
///         message: &LogoutMessage,
///         _: &Url,
///     ) -> Result<LogoutNotice, ProviderError> {
/// #       let secret = "";
///         let mut words = message.proof().expose_secret().splitn(3, ' ');
///         match (words.next(), words.next(), words.next()) {
///             // Compare secrets in constant time, for example with the crate `subtle`.
///             (Some(proof), Some(_id), Some(number)) if proof == secret => {
///                 let person = Subject::new("https://staff.example.com", number);
///                 Ok(LogoutNotice::new(LogoutScope::Person(person)))
///             }
///             _ => Err(ProviderError::new(ProviderErrorKind::Refused, "wrong secret")),
///         }
///     }
///
///     fn answer(&self, outcome: LogoutOutcome) -> LogoutAnswer {
///         LogoutAnswer::new(outcome.status(), None)
///     }
/// }
/// ```
#[async_trait]
pub trait LogoutEndpoint: Send + Sync + 'static {
    /// The name of the sender, for the log.
    fn name(&self) -> &str;

    /// The method of its requests. Defaults to `POST`. `GET` does not include `HEAD`.
    fn method(&self) -> Method {
        Method::POST
    }

    /// Reads a request, without verifying it. It is cheap and makes no call.
    ///
    /// # Errors
    ///
    /// [`LogoutOutcome::NotANotice`] if the request is malformed: it is answered at once.
    fn read(&self, request: &LogoutRequest<'_>) -> Result<LogoutMessage, LogoutOutcome>;

    /// Whether its notices end only sessions that the user store [noted]. Defaults to `false`. With
    /// `true`, each login in a session of a provider is noted; a user store that notes none is an
    /// error of [`build`](crate::ClefLayerBuilder::build).
    ///
    /// [noted]: crate::IdentityStore::notes_sessions
    fn ends_noted_sessions(&self) -> bool {
        false
    }

    /// Whether its notices name persons by identifiers beside issuer and subject, such as e-mail
    /// addresses ([`LogoutScope::Identified`]). Defaults to `false`. With `true`, a user store that
    /// [knows none](crate::IdentityStore::knows_identifiers) is an error of
    /// [`build`](crate::ClefLayerBuilder::build).
    ///
    /// [`LogoutScope::Identified`]: super::LogoutScope::Identified
    fn names_identifiers(&self) -> bool {
        false
    }

    /// Checks the settings of this endpoint. Defaults to `Ok`.
    ///
    /// [`build`](crate::ClefLayerBuilder::build) calls it for each
    /// [`logout_endpoint`](crate::ClefLayerBuilder::logout_endpoint), so it makes no call.
    ///
    /// # Errors
    ///
    /// [`ProviderErrorKind::Misconfigured`](super::ProviderErrorKind::Misconfigured) if a setting
    /// cannot work or has no effect: `build` fails with
    /// [`BuildError::LogoutEndpoint`](crate::BuildError::LogoutEndpoint).
    fn check_settings(&self) -> Result<(), ProviderError> {
        Ok(())
    }

    /// Verifies a message, and returns which logins end. It may take 15 seconds, and is not called
    /// for a [replay](LogoutMessage).
    ///
    /// `url` is the absolute URL of this endpoint, which a token may name as its audience.
    ///
    /// # Errors
    ///
    /// [`ProviderErrorKind::Refused`](super::ProviderErrorKind::Refused) if the message is invalid:
    /// it is rejected. With any other kind, the sender is asked to try again.
    async fn verify(
        &self,
        message: &LogoutMessage,
        url: &Url,
    ) -> Result<LogoutNotice, ProviderError>;

    /// The answer in this protocol.
    fn answer(&self, outcome: LogoutOutcome) -> LogoutAnswer;
}

/// A request to a [`LogoutEndpoint`]. Its body is complete, and not larger than 16 KiB.
#[derive(Clone, Copy)]
#[non_exhaustive]
pub struct LogoutRequest<'a> {
    /// The query of the URL.
    pub query: Option<&'a str>,
    /// The headers. They may be forged, as everything else.
    pub headers: &'a HeaderMap,
    /// The body.
    pub body: &'a [u8],
}

impl<'a> LogoutRequest<'a> {
    /// Creates a request, for tests of an endpoint.
    pub fn new(query: Option<&'a str>, headers: &'a HeaderMap, body: &'a [u8]) -> Self {
        Self {
            query,
            headers,
            body,
        }
    }

    /// Returns the field of a form in the body: it must be there once, and not be empty.
    ///
    /// # Errors
    ///
    /// [`LogoutOutcome::NotANotice`] with the status 415 if the body is no form, and 400 if the
    /// field is missing or there twice.
    pub fn form_field(&self, name: &str) -> Result<SecretString, LogoutOutcome> {
        if !self.has_media_type("application/x-www-form-urlencoded") {
            return Err(LogoutOutcome::NotANotice(
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
                "Send a form: application/x-www-form-urlencoded.",
            ));
        }
        let bad_request = |reason| LogoutOutcome::NotANotice(StatusCode::BAD_REQUEST, reason);
        match only(form_urlencoded::parse(self.body), name) {
            Ok(Some(value)) if !value.is_empty() => Ok(value.into_owned().into()),
            Ok(_) => Err(bad_request("The token is missing.")),
            Err(()) => Err(bad_request("Send a form with one token.")),
        }
    }

    /// Returns the parameter of the query; `None` if there is none.
    ///
    /// # Errors
    ///
    /// [`LogoutOutcome::NotANotice`] with the status 400 if it is there twice.
    pub fn query_parameter(&self, name: &str) -> Result<Option<String>, LogoutOutcome> {
        let query = self.query.unwrap_or_default();
        match only(form_urlencoded::parse(query.as_bytes()), name) {
            Ok(value) => Ok(value.map(Cow::into_owned)),
            Err(()) => Err(LogoutOutcome::NotANotice(
                StatusCode::BAD_REQUEST,
                "Send each parameter once.",
            )),
        }
    }

    /// Returns the bearer token of the only `Authorization` header (RFC 6750, section 2.1).
    ///
    /// # Errors
    ///
    /// [`LogoutOutcome::NotANotice`] with the status 401 if there is none, and 400 if the header is
    /// malformed or there twice (section 3.1).
    pub fn bearer_token(&self) -> Result<SecretString, LogoutOutcome> {
        let refused = |status, reason| Err(LogoutOutcome::NotANotice(status, reason));
        let token = match bearer(self.headers) {
            Bearer::Token(token) => std::str::from_utf8(token).ok(),
            Bearer::Absent => return refused(StatusCode::UNAUTHORIZED, "Send a bearer token."),
            Bearer::Malformed => None,
        };
        match token {
            Some(token) => Ok(SecretString::from(token)),
            None => refused(StatusCode::BAD_REQUEST, "Send one bearer token."),
        }
    }

    /// Whether the body is of this media type, which is in lower case (RFC 9110, section 8.3.1).
    pub fn has_media_type(&self, media_type: &str) -> bool {
        let Some(value) = self.headers.get(header::CONTENT_TYPE) else {
            return false;
        };
        let named = value.as_bytes().split(|byte| *byte == b';').next();
        let named = named.unwrap_or_default().trim_ascii();
        named.eq_ignore_ascii_case(media_type.as_bytes())
    }
}

/// The value of a field that is there once at the most.
fn only<'a>(fields: form_urlencoded::Parse<'a>, name: &str) -> Result<Option<Cow<'a, str>>, ()> {
    let mut values = fields.filter_map(|(field, value)| (field == name).then_some(value));
    match (values.next(), values.next()) {
        (_, Some(_)) => Err(()),
        (value, None) => Ok(value),
    }
}

/// Shows neither the query nor the body, which have tokens.
impl fmt::Debug for LogoutRequest<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("LogoutRequest")
            .field("length", &self.body.len())
            .finish_non_exhaustive()
    }
}

/// What a request to a [`LogoutEndpoint`] says, before it is verified.
///
/// The same message again is a replay, which changes nothing, unless it is
/// [unsigned](Self::unsigned).
#[derive(Clone)]
pub struct LogoutMessage {
    proof: SecretString,
    content: String,
    is_unsigned: bool,
}

impl LogoutMessage {
    /// A message that consists of its proof, such as a signed token.
    pub fn new(proof: impl Into<SecretString>) -> Self {
        Self {
            proof: proof.into(),
            content: String::new(),
            is_unsigned: false,
        }
    }

    /// Sets the part of the message that its proof does not contain.
    #[must_use]
    pub fn with_content(mut self, content: impl Into<String>) -> Self {
        self.content = content.into();
        self
    }

    /// For a message that anyone can send who knows what it says, such as one that has only the id of
    /// a session. The same message again is a new notice, and its sender gets no
    /// [permits](crate::ClefLayerBuilder::notice_limits) of its own.
    #[must_use]
    pub fn unsigned(mut self) -> Self {
        self.is_unsigned = true;
        self
    }

    pub(crate) fn is_unsigned(&self) -> bool {
        self.is_unsigned
    }

    /// The proof, such as a signed token.
    pub fn proof(&self) -> &SecretString {
        &self.proof
    }

    /// The part of the message that its proof does not contain; empty by default.
    pub fn content(&self) -> &str {
        &self.content
    }
}

/// Shows nothing of it: the content may have an e-mail address.
impl fmt::Debug for LogoutMessage {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("LogoutMessage")
            .finish_non_exhaustive()
    }
}
