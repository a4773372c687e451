//! An application at an OpenID provider, and its settings.

use std::{fmt, sync::Arc, time::Duration};

use secrecy::SecretString;

use super::{
    ClientAuthentication, OidcError, Settings, SigningAlgorithm, client_secret::ClientSecret,
    metadata::Metadata,
};
use crate::{
    AddressError, address, jose::Remote, provider::ProviderErrorKind,
    token_request::RESERVED_PARAMETERS,
};

/// An application at an OpenID provider, as a [`Provider`](crate::provider::Provider).
///
/// Register at the provider `/clef/callback` of the site as the redirect URI, `/clef/logout` as the
/// back-channel logout URI and `/clef/signed-out` as the post-logout redirect URI. Clones share the
/// cached metadata and keys.
///
/// Each call takes at most five seconds (two to connect), follows no redirect and reads at most 256
/// KiB; 1 MiB for tokens.
///
/// ```
/// use axum_clef::oidc::{Oidc, SigningAlgorithm};
///
/// # fn main() -> Result<(), axum_clef::AddressError> {
/// let oidc = Oidc::new("https://id.example.com/realms/staff", "site", "the secret")?
///     .display_name("Example")
///     .scopes(["profile", "email", "phone"])
///     .signing_algorithm(SigningAlgorithm::Es256);
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct Oidc {
    pub(super) client_id: String,
    pub(super) client_secret: ClientSecret,
    pub(super) settings: Settings,
    pub(super) remote: Arc<Remote<Metadata>>,
}

impl Oidc {
    /// Creates an application and fetches the metadata and keys of `issuer` (OpenID Connect Discovery
    /// 1.0).
    ///
    /// So a wrong issuer is an error when the application starts, and
    /// [`build`](crate::ClefLayerBuilder::build) compares the settings with the metadata:
    /// [`BuildError::Provider`](crate::BuildError::Provider) says which setting to change. What may
    /// not work is logged as a warning. If the provider cannot be reached, that is a warning too, and
    /// the first login or logout notice fetches what is missing.
    ///
    /// # Errors
    ///
    /// [`OidcError::Issuer`] as for [`new`](Self::new). [`OidcError::OtherIssuer`] if the metadata
    /// names another issuer: correct it. Another `Metadata…` error if the metadata is invalid: fix
    /// the provider.
    ///
    /// ```
    /// # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
    /// use axum_clef::{ClefLayer, oidc::Oidc, stores::MemoryUserStore};
    /// use tower_sessions::MemoryStore;
    ///
    /// // No provider listens there: this logs a warning, and logins fail until one does.
    /// let provider = Oidc::discover("http://127.0.0.1:1", "site", "the secret").await?;
    /// let (users, sessions) = (MemoryUserStore::new(), MemoryStore::default());
    /// let auth = ClefLayer::builder("https://example.com", users, sessions)
    ///     .provider(provider)
    ///     .build()?;
    /// # Ok::<(), axum_clef::BoxError>(())
    /// # }).unwrap();
    /// ```
    pub async fn discover(
        issuer: impl Into<String>,
        client_id: impl Into<String>,
        client_secret: impl Into<SecretString>,
    ) -> Result<Self, OidcError> {
        let oidc = Self::new(issuer, client_id, client_secret)?;
        // The keys too: a provider that handles one request at a time could not answer for them
        // while its logout notice waits for us.
        match oidc.remote.keys().await.map_err(OidcError::from) {
            Err(error) if error.kind() != ProviderErrorKind::Unavailable => return Err(error),
            Err(error) => tracing::warn!(
                issuer = oidc.remote.issuer(),
                %error,
                "the metadata or keys of the provider could not be fetched, and no login works until \
                 they are; the next login tries again"
            ),
            Ok(_) => {}
        }
        Ok(oidc)
    }

    /// Creates an application that fetches the metadata at the first login.
    ///
    /// Write the issuer exactly as the provider does, including a trailing slash. It is also the
    /// issuer of the [`Subject`](crate::Subject)s.
    ///
    /// # Errors
    ///
    /// Returns an [`AddressError`] if the issuer is not an absolute URL, or is plain `http` to
    /// another machine, which would send the secret unencrypted. Correct the issuer.
    pub fn new(
        issuer: impl Into<String>,
        client_id: impl Into<String>,
        client_secret: impl Into<SecretString>,
    ) -> Result<Self, AddressError> {
        let issuer = issuer.into();
        let url = address::base_url(&issuer)?;
        let client_secret = ClientSecret::Fixed(client_secret.into());
        let oidc = Self::at(issuer, client_id.into(), client_secret);
        Ok(oidc.display_name(url.authority()))
    }

    /// An application at an issuer that is a valid URL.
    pub(super) fn at(issuer: String, client_id: String, client_secret: ClientSecret) -> Self {
        Self {
            client_id,
            client_secret,
            settings: Settings::default(),
            remote: Arc::new(Remote::new(issuer, ())),
        }
    }

    /// The name of the provider on links and pages: "Log in with …". Defaults to the issuer's host.
    ///
    /// ```
    /// use axum_clef::{oidc::Oidc, provider::Provider as _};
    ///
    /// # fn main() -> Result<(), axum_clef::AddressError> {
    /// let oidc = Oidc::new("https://id.example.com/realms/staff", "site", "the secret")?;
    /// assert_eq!(oidc.name(), "id.example.com");
    /// assert_eq!(oidc.display_name("Staff").name(), "Staff");
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn display_name(mut self, name: impl Into<String>) -> Self {
        self.settings.name = name.into();
        self
    }

    /// The scopes to request in addition to `openid` (OpenID Connect Core 1.0, section 5.4).
    /// Defaults to `profile` and `email`.
    #[must_use]
    pub fn scopes<S: Into<String>>(mut self, scopes: impl IntoIterator<Item = S>) -> Self {
        let scopes = scopes.into_iter().map(Into::into);
        self.settings.scopes = scopes.filter(|scope| scope != "openid").collect();
        self
    }

    /// How the application authenticates at the provider.
    ///
    /// Defaults to [`Basic`](ClientAuthentication::Basic), or to
    /// [`Post`](ClientAuthentication::Post) if the provider supports only that.
    #[must_use]
    pub fn client_authentication(mut self, authentication: ClientAuthentication) -> Self {
        self.settings.authentication = Some(authentication);
        self
    }

    /// Asks the provider to send the callback as a form (`response_mode=form_post`, OAuth 2.0 Form
    /// Post Response Mode 1.0). Defaults to a redirect.
    ///
    /// A page of the provider then posts to `/clef/callback`, so that path must be outside of CSRF
    /// checks. The answer redirects to the same path, and the login goes on there.
    #[must_use]
    pub fn form_post(mut self) -> Self {
        self.settings.uses_form_post = true;
        self
    }

    /// The only accepted algorithm of ID tokens and logout tokens. Defaults to
    /// [`Rs256`](SigningAlgorithm::Rs256).
    #[must_use]
    pub fn signing_algorithm(mut self, algorithm: SigningAlgorithm) -> Self {
        self.settings.algorithm = algorithm;
        self
    }

    /// Audiences that a token may have in addition to this application. Defaults to none: a token
    /// with another audience is rejected (OpenID Connect Core 1.0, section 3.1.3.7).
    #[must_use]
    pub fn trusted_audiences<S: Into<String>>(
        mut self,
        audiences: impl IntoIterator<Item = S>,
    ) -> Self {
        self.settings.trusted_audiences = audiences.into_iter().map(Into::into).collect();
        self
    }

    /// How long ago the user may have authenticated at the provider (`max_age`), in whole seconds.
    ///
    /// After that time the provider asks for the credentials again. Defaults to no limit.
    #[must_use]
    pub fn max_age(mut self, max_age: Duration) -> Self {
        self.settings.max_age = Some(max_age.as_secs());
        self
    }

    /// Adds a parameter to the authorization request, such as `prompt` or `acr_values`.
    ///
    /// # Errors
    ///
    /// Returns [`OidcError::ParameterTaken`] if this crate sets the parameter. Remove the call.
    ///
    /// ```
    /// use axum_clef::oidc::Oidc;
    ///
    /// # fn main() -> Result<(), axum_clef::oidc::OidcError> {
    /// let oidc = Oidc::new("https://id.example.com", "site", "the secret")?
    ///     .authorization_parameter("prompt", "select_account")?;
    /// assert!(oidc.authorization_parameter("nonce", "1").is_err());
    /// # Ok(())
    /// # }
    /// ```
    pub fn authorization_parameter(
        mut self,
        name: impl Into<String>,
        value: impl Into<String>,
    ) -> Result<Self, OidcError> {
        let name = name.into();
        if RESERVED_PARAMETERS.contains(&name.as_str()) {
            return Err(OidcError::ParameterTaken);
        }
        self.settings.parameters.push((name, value.into()));
        Ok(self)
    }

    /// Does not store the ID token with the login. Defaults to storing it.
    ///
    /// Without it as a hint, the provider may ask the user to confirm a sign-out. Use it to save
    /// space in the session store.
    #[must_use]
    pub fn without_id_token_hint(mut self) -> Self {
        self.settings.keeps_id_token = false;
        self
    }

    /// Passes the access token and the refresh token to the application's store, in
    /// [`Profile::tokens`](crate::Profile::tokens). Defaults to passing neither.
    ///
    /// The application then calls the provider's API in the name of the user. Request the
    /// [scopes](Self::scopes) that it needs; many providers issue a refresh token for
    /// `offline_access` only.
    #[must_use]
    pub fn pass_tokens_to_store(mut self) -> Self {
        self.settings.passes_tokens = true;
        self
    }

    /// Ends all logins of the user when one of their sessions at the provider ends.
    ///
    /// For a logout token without `sub`, this needs a user store that [notes
    /// sessions](crate::IdentityStore::notes_sessions), as those of this crate do; with another
    /// one, it ends the logins of that session only, which `build` warns of. A session of a login from
    /// before this was set is not noted. Defaults to ending the logins of that session only.
    #[must_use]
    pub fn log_out_whole_person(mut self) -> Self {
        self.settings.logs_out_all_sessions = true;
        self
    }

    /// Accepts only logout tokens whose `typ` is `logout+jwt` (OWASP ASVS 5.0, 10.5.5).
    ///
    /// Defaults to accepting a missing `typ` or `JWT` too, which older providers send.
    #[must_use]
    pub fn strict_logout_token_type(mut self) -> Self {
        self.settings.requires_logout_type = true;
        self
    }

    /// Accepts only logout tokens with `exp` (Back-Channel Logout 1.0, section 2.4).
    ///
    /// Defaults to accepting one without `exp`, which older providers send, until two minutes after
    /// its `iat`. ID tokens always need `exp`.
    #[must_use]
    pub fn strict_logout_token_expiry(mut self) -> Self {
        self.settings.requires_logout_expiry = true;
        self
    }

    /// Answers 400 to a logout that cannot be processed now, as Back-Channel Logout 1.0 (section
    /// 2.8) requires. Defaults to 503, which providers with retries expect.
    #[must_use]
    pub fn answer_400_when_unavailable(mut self) -> Self {
        self.settings.answers_400_when_unavailable = true;
        self
    }
}

impl fmt::Debug for Oidc {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Oidc")
            .field("issuer", &self.remote.issuer())
            .field("client_id", &self.client_id)
            .finish_non_exhaustive()
    }
}
