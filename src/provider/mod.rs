//! What logs people in and says when they have logged out: the seam between the crate
//! and a protocol.
//!
//! A provider knows nothing of axum, sessions or user stores. Another protocol is
//! another [`Provider`] and nothing else.

mod button;
mod error;
mod login;
mod logout;
mod sign_out;

use async_trait::async_trait;
use secrecy::SecretString;
use url::Url;

pub use self::{
    button::ButtonScript,
    error::{ProviderError, ProviderErrorKind},
    login::{CodeExchange, LoginRequest, LoginSecret, OneTimeState, ProviderLogin},
    logout::{LogoutAnswer, LogoutNotice, LogoutOutcome},
    sign_out::SignOutRequest,
};
pub use crate::logout_scope::LogoutScope;

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
///         CodeExchange, LoginRequest, LogoutAnswer, LogoutNotice, LogoutOutcome, LogoutScope,
///         Provider, ProviderError, ProviderErrorKind, ProviderLogin,
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
///     async fn exchange(&self, code: &CodeExchange<'_>) -> Result<ProviderLogin, ProviderError> {
///         let name = code.code.expose_secret();
///         let subject = Subject::new("https://believer.example", name);
///         Ok(ProviderLogin::new(Profile::new(subject)))
///     }
///
///     async fn logout_notice(&self, token: &SecretString) -> Result<LogoutNotice, ProviderError> {
///         let Some(name) = token.expose_secret().strip_prefix("good night, ") else {
///             return Err(ProviderError::new(ProviderErrorKind::Refused, "who?"));
///         };
///         let subject = Subject::new("https://believer.example", name);
///         Ok(LogoutNotice::new(LogoutScope::Person(subject)))
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
    async fn exchange(&self, code: &CodeExchange<'_>) -> Result<ProviderLogin, ProviderError>;

    /// Turns the token of a logout notice into what it says: whose logins end.
    ///
    /// # Errors
    ///
    /// As [`exchange`](Self::exchange).
    async fn logout_notice(
        &self,
        logout_token: &SecretString,
    ) -> Result<LogoutNotice, ProviderError>;

    /// What to answer to a logout notice, in the words of the protocol.
    fn logout_answer(&self, outcome: LogoutOutcome) -> LogoutAnswer;

    /// The script that draws this provider's own button, if it has one.
    fn button(&self, login: &LoginRequest<'_>) -> Option<ButtonScript> {
        let _ = login;
        None
    }

    /// Where to send a browser that has just signed out here, to end its session at the provider
    /// too. `None`: the provider has no such place, and the browser stays.
    ///
    /// # Errors
    ///
    /// When the provider cannot be asked for it right now. The browser is signed out here all
    /// the same, and stays.
    async fn sign_out_url(
        &self,
        sign_out: &SignOutRequest<'_>,
    ) -> Result<Option<Url>, ProviderError> {
        let _ = sign_out;
        Ok(None)
    }
}
