//! The interface to services that log users in and send logout notices.
//!
//! A provider depends on neither axum, sessions nor user stores. To support another protocol,
//! implement [`Provider`].

mod error;
mod login;
mod logout;
mod logout_endpoint;

use std::sync::Arc;

use async_trait::async_trait;
use url::Url;

pub use self::{
    error::{ProviderError, ProviderErrorKind},
    login::{
        Authentication, ButtonScript, CodeExchange, LoginRequest, LoginSecret, OneTimeState,
        ProviderLogin,
    },
    logout::{LogoutAnswer, LogoutNotice, LogoutOutcome, SignOutRequest},
    logout_endpoint::{LogoutEndpoint, LogoutMessage, LogoutRequest},
};
pub use crate::identity::{LogoutCause, LogoutScope};

/// A service that users log in with. It may send notices when they log out.
///
/// `clef::Clef` and `oidc::Oidc` implement it. Implement it for another protocol. An application
/// only passes it to [`provider`](crate::ClefLayerBuilder::provider).
///
/// ```
/// use async_trait::async_trait;
/// use axum_clef::{
///     Profile, Subject,
///     provider::{CodeExchange, LoginRequest, Provider, ProviderError, ProviderLogin},
/// };
/// use secrecy::ExposeSecret as _;
/// use url::Url;
///
/// /// Accepts every name without a proof. For tests only.
/// struct Insecure;
///
/// #[async_trait]
/// impl Provider for Insecure {
///     fn name(&self) -> &str {
///         "the test"
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
///         let subject = Subject::new("https://insecure.example", name);
///         Ok(ProviderLogin::new(Profile::new(subject)))
///     }
/// }
/// ```
#[async_trait]
pub trait Provider: Send + Sync + 'static {
    /// The name of the provider on links and pages: "Log in with …".
    fn name(&self) -> &str;

    /// Whether this provider names its sessions, so that a logout notice can end the logins of one.
    /// Defaults to `false`. With `true`, a login lasts at most 30 days.
    fn names_sessions(&self) -> bool {
        false
    }

    /// Whether a notice that names only a session ends all logins of its user
    /// ([`LogoutScope::SessionUser`]). Defaults to `false`. With `true`, a login notes whose session
    /// it is, if the user store [can](crate::IdentityStore::notes_sessions).
    fn logs_out_session_users(&self) -> bool {
        false
    }

    /// Compares the settings of this provider with the site and with what is known of the service.
    /// Defaults to `Ok`.
    ///
    /// [`build`](crate::ClefLayerBuilder::build) calls it, so it makes no call.
    ///
    /// # Errors
    ///
    /// [`ProviderErrorKind::Misconfigured`] if no login can work: `build` fails with
    /// [`BuildError::Provider`](crate::BuildError::Provider).
    fn check_site(&self, site: &ProviderSite<'_>) -> Result<(), ProviderError> {
        let _ = site;
        Ok(())
    }

    /// Whether the provider sends the callback as a form (OAuth 2.0 Form Post Response Mode 1.0).
    /// Defaults to `false`. With `true`, the callback takes `POST` too, and redirects it to itself.
    fn uses_form_post(&self) -> bool {
        false
    }

    /// Checks the unverified `iss` of a callback that has an error instead of a code (RFC 9207, section
    /// 2.4): any client can send an error in the name of a provider. Defaults to `Ok`.
    ///
    /// It makes no call. For a code, [`exchange`](Self::exchange) receives the `iss`.
    ///
    /// # Errors
    ///
    /// [`ProviderErrorKind::Unavailable`] if the callback comes from another provider. The login ends
    /// without its error: the user starts again.
    fn check_issuer(&self, issuer: Option<&str>) -> Result<(), ProviderError> {
        let _ = issuer;
        Ok(())
    }

    /// Returns the URL to redirect the browser to for a login.
    ///
    /// # Errors
    ///
    /// [`ProviderErrorKind::Unavailable`] if the URL depends on a call that failed: the user tries
    /// again later. [`ProviderErrorKind::Misconfigured`] if the settings are wrong: the log says
    /// why.
    async fn login_url(&self, login: &LoginRequest<'_>) -> Result<Url, ProviderError>;

    /// Exchanges the code of the callback for the user who has logged in.
    ///
    /// # Errors
    ///
    /// [`ProviderErrorKind::Refused`] if the code is invalid: the user logs in again.
    /// [`ProviderErrorKind::Unavailable`] if the provider cannot be reached or its response is
    /// invalid: the user tries again later. [`ProviderErrorKind::Misconfigured`] if the provider
    /// rejects this application: the log says why.
    async fn exchange(&self, code: &CodeExchange<'_>) -> Result<ProviderLogin, ProviderError>;

    /// Where the provider sends its logout notices: the endpoint at [`Paths::logout`]. Defaults to
    /// `None`, without that route: only the application ends logins.
    ///
    /// [`Paths::logout`]: crate::Paths::logout
    fn logout_endpoint(&self) -> Option<Arc<dyn LogoutEndpoint>> {
        None
    }

    /// The script of the provider's own login button. Defaults to `None`.
    fn button(&self, login: &LoginRequest<'_>) -> Option<ButtonScript> {
        let _ = login;
        None
    }

    /// Returns the URL at which a signed-out browser also ends its session at the provider.
    ///
    /// Defaults to `None`: the sign-out ends at this site.
    ///
    /// # Errors
    ///
    /// [`ProviderErrorKind::Unavailable`] if the URL depends on a call that failed. The login here
    /// has ended already, and the sign-out ends at this site.
    async fn sign_out_url(
        &self,
        sign_out: &SignOutRequest<'_>,
    ) -> Result<Option<Url>, ProviderError> {
        let _ = sign_out;
        Ok(None)
    }
}

/// The site at which a provider is mounted.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct ProviderSite<'a> {
    /// The absolute URL that the provider redirects to after a login.
    pub callback_url: &'a Url,
    /// The absolute URL that receives logout notices.
    pub logout_url: &'a Url,
    /// Whether the user store [notes sessions](crate::IdentityStore::notes_sessions).
    pub notes_sessions: bool,
}

impl<'a> ProviderSite<'a> {
    /// Creates a site with these URLs, whose user store notes no sessions.
    pub fn new(callback_url: &'a Url, logout_url: &'a Url) -> Self {
        Self {
            callback_url,
            logout_url,
            notes_sessions: false,
        }
    }

    /// Sets whether the user store notes sessions.
    #[must_use]
    pub fn with_noted_sessions(mut self, notes_sessions: bool) -> Self {
        self.notes_sessions = notes_sessions;
        self
    }
}
