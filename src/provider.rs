//! What logs people in and says when they have logged out: the seam between the crate
//! and a protocol.
//!
//! A provider knows nothing of axum, sessions or user stores. Another protocol is
//! another [`Provider`] and nothing else.

use std::fmt;

use async_trait::async_trait;
use http::StatusCode;
use secrecy::SecretString;
use url::Url;

use crate::{BoxError, Profile, Subject};

/// A service that people log in with, and that tells when they have logged out.
///
/// [`Clef`](crate::clef::Clef) is one. Implement it for another protocol; an application
/// only passes it to [`ClefLayer::new`](crate::ClefLayer::new).
///
/// ```
/// use async_trait::async_trait;
/// use axum_clef::{
///     Profile, Subject,
///     provider::{
///         CodeExchange, LoginRequest, LogoutAnswer, LogoutOutcome, Provider, ProviderError,
///         ProviderErrorKind,
///     },
/// };
/// use http::StatusCode;
/// use secrecy::{ExposeSecret as _, SecretString};
/// use url::Url;
///
/// /// Whoever says their name is believed. For a test of your own, and nothing else.
/// struct Believer;
///
/// #[async_trait]
/// impl Provider for Believer {
///     fn name(&self) -> &str {
///         "the believer"
///     }
///
///     async fn login_url(&self, login: &LoginRequest<'_>) -> Result<Url, ProviderError> {
///         let mut url = login.callback_url.clone();
///         url.query_pairs_mut()
///             .append_pair("code", "alex")
///             .append_pair("state", login.state.expose());
///         Ok(url)
///     }
///
///     async fn exchange(&self, code: &CodeExchange<'_>) -> Result<Profile, ProviderError> {
///         let name = code.code.expose_secret();
///         Ok(Profile::new(Subject::new("https://believer.example", name)))
///     }
///
///     async fn logout_subject(&self, token: &SecretString) -> Result<Subject, ProviderError> {
///         match token.expose_secret().strip_prefix("good night, ") {
///             Some(name) => Ok(Subject::new("https://believer.example", name)),
///             None => Err(ProviderError::new(ProviderErrorKind::Refused, "who?")),
///         }
///     }
///
///     fn logout_answer(&self, outcome: LogoutOutcome) -> LogoutAnswer {
///         let status = match outcome {
///             LogoutOutcome::LoggedOut | LogoutOutcome::NobodyHere => StatusCode::OK,
///             LogoutOutcome::NotANotice(status, _) => status,
///             LogoutOutcome::ComeBack => StatusCode::SERVICE_UNAVAILABLE,
///             _ => StatusCode::BAD_REQUEST,
///         };
///         LogoutAnswer::new(status, None)
///     }
/// }
/// ```
#[async_trait]
pub trait Provider: Send + Sync + 'static {
    /// What people call it, as it stands on links and pages: "Log in with …".
    fn name(&self) -> &str;

    /// Where to send the browser for a login.
    ///
    /// # Errors
    ///
    /// When the provider cannot be asked for it right now, or is not set up right.
    async fn login_url(&self, login: &LoginRequest<'_>) -> Result<Url, ProviderError>;

    /// Turns the code that the browser brought back into the person it stands for.
    ///
    /// # Errors
    ///
    /// [`ProviderErrorKind::Refused`] if the code is not good,
    /// [`ProviderErrorKind::Unavailable`] if the provider cannot be reached or answers
    /// what nobody can use, [`ProviderErrorKind::Misconfigured`] if it does not know this
    /// application.
    async fn exchange(&self, code: &CodeExchange<'_>) -> Result<Profile, ProviderError>;

    /// Turns the token of a logout notice into the person whose logins end.
    ///
    /// # Errors
    ///
    /// As [`exchange`](Self::exchange).
    async fn logout_subject(&self, logout_token: &SecretString) -> Result<Subject, ProviderError>;

    /// What to answer to a logout notice, in the words of the protocol.
    fn logout_answer(&self, outcome: LogoutOutcome) -> LogoutAnswer;

    /// The script that draws this provider's own button, if it has one.
    fn button(&self, login: &LoginRequest<'_>) -> Option<ButtonScript> {
        let _ = login;
        None
    }
}

/// A login that begins.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct LoginRequest<'a> {
    /// Where the browser comes back to, an absolute URL of the site.
    pub callback_url: &'a Url,
    /// The one-time state to bring back. It ties the login to this browser.
    pub state: &'a OneTimeState,
}

impl<'a> LoginRequest<'a> {
    /// A login that comes back to `callback_url` with `state`.
    pub fn new(callback_url: &'a Url, state: &'a OneTimeState) -> Self {
        Self {
            callback_url,
            state,
        }
    }
}

/// The one-time state of a login: known to this browser, the provider and the site only.
#[derive(Clone)]
pub struct OneTimeState(String);

impl OneTimeState {
    /// Wraps a state, so that it cannot be printed by mistake.
    pub fn new(state: impl Into<String>) -> Self {
        Self(state.into())
    }

    /// The text that goes to the provider.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for OneTimeState {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("OneTimeState(…)")
    }
}

/// A code that came back, and what it was given for.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct CodeExchange<'a> {
    /// The code.
    pub code: &'a SecretString,
    /// Where the browser came back to: the URL of the [`LoginRequest`].
    pub callback_url: &'a Url,
    /// Where the provider shall say that this person has logged out, an absolute URL of
    /// the site.
    pub logout_url: &'a Url,
}

impl<'a> CodeExchange<'a> {
    /// The exchange of `code`, as given for `callback_url`.
    pub fn new(code: &'a SecretString, callback_url: &'a Url, logout_url: &'a Url) -> Self {
        Self {
            code,
            callback_url,
            logout_url,
        }
    }
}

/// How a logout notice ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum LogoutOutcome {
    /// Every login of the person has ended.
    LoggedOut,
    /// There is nobody here by that name.
    NobodyHere,
    /// The provider says that the token is not good.
    BadToken,
    /// The request is not a logout notice at all: its status, and why in a few words.
    NotANotice(StatusCode, &'static str),
    /// It could not be done now: the sender is to come back.
    ComeBack,
}

/// What a sender of a logout notice hears.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct LogoutAnswer {
    /// The status.
    pub status: StatusCode,
    /// The JSON body; `None` for an empty one.
    pub body: Option<serde_json::Value>,
}

impl LogoutAnswer {
    /// An answer with a status and a JSON body.
    pub fn new(status: StatusCode, body: Option<serde_json::Value>) -> Self {
        Self { status, body }
    }
}

/// A script that draws a login button, and the attributes that its tag carries.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct ButtonScript {
    /// The address of the script.
    pub source: Url,
    /// The `class` of the tag, by which the script finds it.
    pub class: &'static str,
    /// The `data-…` attributes, name and value. Escaped where they are printed.
    pub attributes: Vec<(&'static str, String)>,
}

impl ButtonScript {
    /// A script at `source` that finds its tag by `class`.
    pub fn new(source: Url, class: &'static str) -> Self {
        Self {
            source,
            class,
            attributes: Vec::new(),
        }
    }

    /// Adds a `data-…` attribute.
    #[must_use]
    pub fn attribute(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.attributes.push((name, value.into()));
        self
    }
}

/// Why a provider did not do what it was asked: a [kind](Self::kind) for the program, the
/// provider's own error as `source` for whoever reads the log.
#[derive(Debug, thiserror::Error)]
#[error("{kind}")]
pub struct ProviderError {
    kind: ProviderErrorKind,
    source: BoxError,
}

impl ProviderError {
    /// An error of this kind. No secret, code or token may stand in `source`.
    pub fn new(kind: ProviderErrorKind, source: impl Into<BoxError>) -> Self {
        Self {
            kind,
            source: source.into(),
        }
    }

    /// What to do about it.
    pub fn kind(&self) -> ProviderErrorKind {
        self.kind
    }
}

/// What to do about a [`ProviderError`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ProviderErrorKind {
    /// The code or token is not good: it is used up, too old, or never was. Begin again.
    #[error("the provider refuses this code or token; begin again with a new one")]
    Refused,
    /// The provider cannot be reached, or its answer is of no use. Try later.
    #[error("the provider cannot be reached or answers nothing usable; try again later")]
    Unavailable,
    /// The provider does not accept this application. Check its credentials and URLs.
    #[error("the provider does not accept this application; check its id, secret and URLs")]
    Misconfigured,
}
