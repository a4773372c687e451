//! An application at an OAuth 2.0 provider, and its settings.

use std::{fmt, sync::Arc};

use secrecy::SecretString;
use url::Url;

use super::{OAuth2Error, UserInfo};
use crate::{
    AddressError, BoxError, Profile, address,
    calls::LazyClient,
    token_request::{ClientAuthentication, RESERVED_PARAMETERS},
};

/// The most URLs of user information.
const MOST_USER_INFO: usize = 3;

/// The application's function from the user information to a profile.
type ReadProfile = dyn Fn(&UserInfo<'_>) -> Result<Profile, BoxError> + Send + Sync;

/// The URLs of an OAuth 2.0 provider, from its documentation.
#[derive(Debug, Clone, Copy)]
pub struct OAuth2Endpoints<'a> {
    /// The URL that stands for the provider in every [`Subject`](crate::Subject), such as
    /// `https://github.com`. Users are found by it, so never change it.
    ///
    /// If the provider's callbacks have another issuer as their `iss` parameter (RFC 9207), set
    /// [`OAuth2::callback_issuer`].
    pub issuer: &'a str,
    /// Where users log in: the authorization endpoint.
    pub authorization: &'a str,
    /// The token endpoint.
    pub token: &'a str,
    /// One to three URLs of the provider's API that describe the user of an access token, as JSON.
    pub user_info: &'a [&'a str],
}

/// An application at an OAuth 2.0 provider, as a [`Provider`](crate::provider::Provider).
///
/// Register at the provider `/clef/callback` of the site as the redirect URI. A second provider of the
/// site needs paths of its own
/// ([`provider_at`](crate::ClefLayerBuilder::provider_at)), which keep the codes of two providers
/// apart (RFC 9700, section 4.4.2).
///
/// Each call takes at most five seconds (two to connect), follows no redirect and reads at most 256
/// KiB; 1 MiB for tokens. An exchange takes at most 15 seconds.
#[derive(Clone)]
pub struct OAuth2 {
    pub(super) client_id: String,
    pub(super) client_secret: SecretString,
    pub(super) settings: OAuth2Settings,
    pub(super) endpoints: Arc<Endpoints>,
    pub(super) read_profile: Arc<ReadProfile>,
}

#[derive(Clone)]
pub(super) struct OAuth2Settings {
    pub(super) name: String,
    pub(super) scopes: Vec<String>,
    pub(super) authentication: ClientAuthentication,
    pub(super) parameters: Vec<(String, String)>,
    pub(super) callback_issuer: String,
    pub(super) requires_issuer: bool,
    pub(super) passes_tokens: bool,
}

/// The URLs, and the client for them.
pub(super) struct Endpoints {
    pub(super) issuer: String,
    pub(super) authorization: Url,
    pub(super) token: Url,
    pub(super) user_info: Vec<Url>,
    pub(super) client: LazyClient,
    /// For the user information, which is often at another host.
    pub(super) user_info_client: LazyClient,
}

impl OAuth2 {
    /// Creates an application. `read_profile` reads the user from the documents at
    /// [`user_info`](OAuth2Endpoints::user_info), and is called once for each login.
    ///
    /// ```
    /// use axum_clef::oauth2::{OAuth2, OAuth2Endpoints};
    ///
    /// # fn main() -> Result<(), axum_clef::oauth2::OAuth2Error> {
    /// let endpoints = OAuth2Endpoints {
    ///     issuer: "https://github.com",
    ///     authorization: "https://github.com/login/oauth/authorize",
    ///     token: "https://github.com/login/oauth/access_token",
    ///     user_info: &["https://api.github.com/user"],
    /// };
    /// let github = OAuth2::new(endpoints, "the id", "the secret", |info| {
    ///     let mut profile = info.profile("id")?;
    ///     profile.first_name = info.text("name");
    ///     Ok(profile)
    /// })?
    /// .callback_issuer("https://github.com/login/oauth")?
    /// .display_name("GitHub")
    /// .scopes(["read:user"]);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// [`OAuth2Error::Address`] if a URL is not absolute, or is plain `http` to another machine, which
    /// would send secrets unencrypted. [`OAuth2Error::UserInfoUrls`] without a URL of user
    /// information, or with more than three. Correct them.
    pub fn new(
        endpoints: OAuth2Endpoints<'_>,
        client_id: impl Into<String>,
        client_secret: impl Into<SecretString>,
        read_profile: impl Fn(&UserInfo<'_>) -> Result<Profile, BoxError> + Send + Sync + 'static,
    ) -> Result<Self, OAuth2Error> {
        if !(1..=MOST_USER_INFO).contains(&endpoints.user_info.len()) {
            return Err(OAuth2Error::UserInfoUrls);
        }
        let address = |name: &'static str, url: Result<Url, AddressError>| {
            url.map_err(|reason| OAuth2Error::Address { name, reason })
        };
        let issuer = address("issuer", address::base_url(endpoints.issuer))?;
        let endpoint = |name, text| address(name, address::endpoint(text));
        let user_info = endpoints.user_info.iter();
        let user_info: Result<_, _> = user_info.map(|url| endpoint("user_info", url)).collect();
        let settings = OAuth2Settings {
            name: issuer.authority().to_owned(),
            scopes: Vec::new(),
            authentication: ClientAuthentication::Basic,
            parameters: Vec::new(),
            callback_issuer: endpoints.issuer.to_owned(),
            requires_issuer: false,
            passes_tokens: false,
        };
        let endpoints = Endpoints {
            issuer: endpoints.issuer.to_owned(),
            authorization: endpoint("authorization", endpoints.authorization)?,
            token: endpoint("token", endpoints.token)?,
            user_info: user_info?,
            client: LazyClient::default(),
            user_info_client: LazyClient::default(),
        };
        Ok(Self {
            client_id: client_id.into(),
            client_secret: client_secret.into(),
            settings,
            endpoints: Arc::new(endpoints),
            read_profile: Arc::new(read_profile),
        })
    }

    /// The name of the provider on links and pages: "Log in with …". Defaults to the issuer's host.
    #[must_use]
    pub fn display_name(mut self, name: impl Into<String>) -> Self {
        self.settings.name = name.into();
        self
    }

    /// The scopes to request. Defaults to none, which means those that the provider chooses.
    #[must_use]
    pub fn scopes<S: Into<String>>(mut self, scopes: impl IntoIterator<Item = S>) -> Self {
        self.settings.scopes = scopes.into_iter().map(Into::into).collect();
        self
    }

    /// How the application authenticates at the token endpoint. Defaults to
    /// [`Basic`](ClientAuthentication::Basic), which RFC 6749 (section 2.3.1) requires of every
    /// provider.
    #[must_use]
    pub fn client_authentication(mut self, authentication: ClientAuthentication) -> Self {
        self.settings.authentication = authentication;
        self
    }

    /// Adds a parameter to the authorization request, such as GitHub's `allow_signup`.
    ///
    /// # Errors
    ///
    /// Returns [`OAuth2Error::ParameterTaken`] if this crate sets the parameter. Remove the call.
    pub fn authorization_parameter(
        mut self,
        name: impl Into<String>,
        value: impl Into<String>,
    ) -> Result<Self, OAuth2Error> {
        let name = name.into();
        if RESERVED_PARAMETERS.contains(&name.as_str()) {
            return Err(OAuth2Error::ParameterTaken);
        }
        self.settings.parameters.push((name, value.into()));
        Ok(self)
    }

    /// The `iss` parameter of the provider's callbacks (RFC 9207). Defaults to
    /// [`OAuth2Endpoints::issuer`].
    ///
    /// Set it if the provider sends another one, as GitHub does: `https://github.com/login/oauth`. The
    /// subjects of users keep [`OAuth2Endpoints::issuer`]. A callback without `iss` is accepted, unless
    /// [`require_issuer_parameter`](Self::require_issuer_parameter) is set.
    ///
    /// # Errors
    ///
    /// Returns [`OAuth2Error::Address`] if it is not an absolute URL, has a query, or is plain `http` to
    /// another machine. Correct it.
    pub fn callback_issuer(mut self, issuer: impl Into<String>) -> Result<Self, OAuth2Error> {
        let issuer = issuer.into();
        address::base_url(&issuer).map_err(|reason| OAuth2Error::Address {
            name: "callback_issuer",
            reason,
        })?;
        self.settings.callback_issuer = issuer;
        Ok(self)
    }

    /// Rejects callbacks without the `iss` parameter (RFC 9207). Set it if the provider's
    /// documentation says that it sends `iss`.
    ///
    /// Defaults to accepting them. A callback with another issuer is rejected either way.
    #[must_use]
    pub fn require_issuer_parameter(mut self) -> Self {
        self.settings.requires_issuer = true;
        self
    }

    /// Passes the access token and the refresh token to the application's store, in
    /// [`Profile::tokens`]. Defaults to passing neither.
    ///
    /// The application then calls the provider's API in the name of the user. Request the
    /// [scopes](Self::scopes) that it needs.
    #[must_use]
    pub fn pass_tokens_to_store(mut self) -> Self {
        self.settings.passes_tokens = true;
        self
    }
}

impl fmt::Debug for OAuth2 {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("OAuth2")
            .field("issuer", &self.endpoints.issuer)
            .field("client_id", &self.client_id)
            .finish_non_exhaustive()
    }
}
