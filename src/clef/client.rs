//! The three calls of the Clef API, and the URLs for the browser.

use std::{fmt, sync::Arc};

use async_trait::async_trait;
use http::StatusCode;
use reqwest::{Client, RequestBuilder};
use secrecy::{ExposeSecret as _, SecretString};
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::json;
use url::Url;

use super::{
    ClefError,
    response::{self, ClefId},
};
use crate::{
    AddressError, Profile, Subject, address,
    calls::{self, LazyClient},
    provider::{
        Authentication, ButtonScript, CodeExchange, LoginRequest, LogoutAnswer, LogoutCause,
        LogoutEndpoint, LogoutMessage, LogoutNotice, LogoutOutcome, LogoutRequest, LogoutScope,
        Provider, ProviderError, ProviderErrorKind, ProviderLogin,
    },
};

/// An application at a service with the Clef API, as a [`Provider`].
///
/// Each call takes at most five seconds (two to connect), follows no redirect and reads at most
/// 64 KiB.
///
/// ```
/// use axum_clef::clef::Clef;
///
/// # fn main() -> Result<(), axum_clef::AddressError> {
/// let clef = Clef::new(
///     "http://127.0.0.1:5050",
///     "4f318ac177a9391c2e0d221203725ffd",
///     "2125d80f4583c52c46f8084bcc030c9b",
/// )?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct Clef {
    app_id: String,
    app_secret: SecretString,
    /// Without a trailing slash.
    base_url: String,
    client: LazyClient,
}

impl Clef {
    /// Creates an application with this id and secret, at the service with this base URL.
    ///
    /// There is no default service: the hosted one closed in 2017, and its domain may have a new
    /// owner. The API is expected at `/api/v1` under the base URL, the button at `/v3/clef.js` and
    /// the login page at `/iframes/qr`.
    ///
    /// The base URL, without a trailing slash, is also the issuer of the [`Subject`]s. Two services
    /// may use the same id for different users, so a site that moves to another service starts with
    /// new users.
    ///
    /// # Errors
    ///
    /// Returns an [`AddressError`] if `base_url` is not an absolute `https` URL. Plain `http` is
    /// allowed for a loopback address, `localhost` and names under it. Also if it has a user name,
    /// a password, a query or a fragment. Correct the URL.
    ///
    /// ```
    /// use axum_clef::{AddressError, clef::Clef};
    ///
    /// assert!(Clef::new("https://clef.example.com", "app id", "app secret").is_ok());
    /// let unencrypted = Clef::new("http://clef.example.com", "app id", "app secret");
    /// assert_eq!(unencrypted.err(), Some(AddressError::Insecure));
    /// ```
    pub fn new(
        base_url: &str,
        app_id: impl Into<String>,
        app_secret: impl Into<SecretString>,
    ) -> Result<Self, AddressError> {
        let base_url = address::base_url(base_url)?;
        Ok(Self {
            app_id: app_id.into(),
            app_secret: app_secret.into(),
            base_url: base_url.as_str().trim_end_matches('/').to_owned(),
            client: LazyClient::default(),
        })
    }

    fn client(&self) -> Result<&Client, ClefError> {
        Ok(self.client.get(&self.base_url)?)
    }

    /// Sends a request that contains `secret`, and possibly the app secret.
    async fn call<T: DeserializeOwned>(
        &self,
        request: RequestBuilder,
        secret: &SecretString,
    ) -> Result<T, ClefError> {
        let response = calls::send(request).await?;
        response::read(response, &[secret, &self.app_secret]).await
    }

    async fn authorize(&self, code: &CodeExchange<'_>) -> Result<SecretString, ClefError> {
        #[derive(Deserialize)]
        struct Authorized {
            access_token: SecretString,
        }

        let request = self
            .client()?
            .post(format!("{}/api/v1/authorize", self.base_url))
            .form(&[
                ("code", code.code.expose_secret()),
                ("app_id", &self.app_id),
                ("app_secret", self.app_secret.expose_secret()),
                ("logout_hook", code.logout_url.as_str()),
            ]);
        let answer: Authorized = self.call(request, code.code).await?;
        Ok(answer.access_token)
    }

    async fn info(&self, access_token: &SecretString) -> Result<Profile, ClefError> {
        #[derive(Deserialize)]
        struct Informed {
            info: Info,
        }

        #[derive(Deserialize)]
        struct Info {
            id: ClefId,
            first_name: Option<String>,
            last_name: Option<String>,
            email: Option<String>,
            phone_number: Option<String>,
        }

        let request = self
            .client()?
            .get(format!("{}/api/v1/info", self.base_url))
            .query(&[("access_token", access_token.expose_secret())]);
        let Informed { info } = self.call(request, access_token).await?;
        let present = |text: Option<String>| text.filter(|text| !text.is_empty());
        let mut profile = Profile::new(self.subject(info.id));
        profile.first_name = present(info.first_name);
        profile.last_name = present(info.last_name);
        profile.email = present(info.email);
        profile.phone_number = present(info.phone_number);
        Ok(profile)
    }

    async fn logout(&self, logout_token: &SecretString) -> Result<Subject, ClefError> {
        #[derive(Deserialize)]
        struct LoggedOut {
            clef_id: ClefId,
        }

        let request = self
            .client()?
            .post(format!("{}/api/v1/logout", self.base_url))
            .form(&[
                ("logout_token", logout_token.expose_secret()),
                ("app_id", &self.app_id),
                ("app_secret", self.app_secret.expose_secret()),
            ]);
        let answer: LoggedOut = self.call(request, logout_token).await?;
        Ok(self.subject(answer.clef_id))
    }

    fn subject(&self, id: ClefId) -> Subject {
        Subject::new(self.base_url.clone(), id.0)
    }
}

#[async_trait]
impl Provider for Clef {
    fn name(&self) -> &str {
        "Clef"
    }

    async fn login_url(&self, login: &LoginRequest<'_>) -> Result<Url, ProviderError> {
        Url::parse_with_params(
            &format!("{}/iframes/qr", self.base_url),
            [
                ("app_id", self.app_id.as_str()),
                ("redirect_url", login.callback_url.as_str()),
                ("state", login.state.expose()),
            ],
        )
        .map_err(|error| ProviderError::new(ProviderErrorKind::Misconfigured, error))
    }

    async fn exchange(&self, code: &CodeExchange<'_>) -> Result<ProviderLogin, ProviderError> {
        let access_token = self.authorize(code).await?;
        let login = ProviderLogin::new(self.info(&access_token).await?);
        // The user waves at each login.
        Ok(login.authenticated(Authentication::ForThisLogin))
    }

    fn logout_endpoint(&self) -> Option<Arc<dyn LogoutEndpoint>> {
        Some(Arc::new(self.clone()))
    }

    fn button(&self, login: &LoginRequest<'_>) -> Option<ButtonScript> {
        let source = Url::parse(&format!("{}/v3/clef.js", self.base_url)).ok()?;
        Some(
            ButtonScript::new(source, "clef-button")
                .attribute("data-app-id", &self.app_id)
                .attribute("data-redirect-url", login.callback_url.as_str())
                .attribute("data-state", login.state.expose()),
        )
    }
}

/// The logout webhook.
#[async_trait]
impl LogoutEndpoint for Clef {
    fn name(&self) -> &str {
        Provider::name(self)
    }

    fn read(&self, request: &LogoutRequest<'_>) -> Result<LogoutMessage, LogoutOutcome> {
        request.form_field("logout_token").map(LogoutMessage::new)
    }

    async fn verify(
        &self,
        message: &LogoutMessage,
        _: &Url,
    ) -> Result<LogoutNotice, ProviderError> {
        let subject = self.logout(message.proof()).await?;
        // On the phone: Clef has no other way.
        let notice = LogoutNotice::new(LogoutScope::Person(subject));
        Ok(notice.with_cause(LogoutCause::User))
    }

    fn answer(&self, outcome: LogoutOutcome) -> LogoutAnswer {
        let (status, error) = match outcome {
            LogoutOutcome::LoggedOut | LogoutOutcome::NothingEnded => {
                return LogoutAnswer::new(StatusCode::OK, Some(json!({ "success": true })));
            }
            LogoutOutcome::UnknownUser => (StatusCode::NOT_FOUND, "Unknown Clef id."),
            LogoutOutcome::BadToken | LogoutOutcome::Rejected(_) => {
                (StatusCode::BAD_REQUEST, "Invalid Logout Token.")
            }
            // Clef names subjects only, so this does not happen.
            LogoutOutcome::SessionsNotKept | LogoutOutcome::TooManyUsers => {
                (StatusCode::BAD_REQUEST, "Clef names subjects.")
            }
            LogoutOutcome::NotANotice(status, reason) => (status, reason),
            LogoutOutcome::TryAgain => (
                StatusCode::SERVICE_UNAVAILABLE,
                "The logout cannot be processed now. Send it again later.",
            ),
        };
        LogoutAnswer::new(status, Some(json!({ "success": false, "error": error })))
    }
}

impl fmt::Debug for Clef {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Clef")
            .field("app_id", &self.app_id)
            .field("base_url", &self.base_url)
            .finish_non_exhaustive()
    }
}
