//! An application at an OpenID provider, and how it is set up.

use std::{error::Error as _, fmt, sync::Arc, time::Duration};

use secrecy::SecretString;

use super::{
    ClientAuthentication, OidcError, Settings, SigningAlgorithm, login::TAKEN, remote::Remote,
};
use crate::{AddressError, address, provider::ProviderErrorKind};

/// An application at an OpenID provider: the [`Provider`](crate::provider::Provider) of a site
/// that people enter with it.
///
/// Register at the provider the callback (`/clef/callback` of the site) as redirect URI,
/// `/clef/logout` as back-channel logout URI and `/clef/signed-out` as post-logout redirect URI.
/// Clones share what is known of the provider.
///
/// Each call takes five seconds at the most (two to connect), follows no redirect and reads no
/// more than 256 KiB.
///
/// ```
/// use axum_clef::oidc::{Oidc, SigningAlgorithm};
///
/// # fn main() -> Result<(), axum_clef::AddressError> {
/// let oidc = Oidc::new("https://id.example.com/realms/staff", "site", "the secret")?
///     .name("Example")
///     .scopes(["profile", "email", "phone"])
///     .signing_algorithm(SigningAlgorithm::Es256);
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct Oidc {
    pub(super) client_id: String,
    pub(super) client_secret: SecretString,
    pub(super) settings: Settings,
    pub(super) remote: Arc<Remote>,
}

impl Oidc {
    /// The application with this id and secret at `issuer`, whose metadata is asked for at once
    /// (OpenID Connect Discovery 1.0): a wrong issuer shows when the application starts. If the
    /// provider is down, it is asked again when somebody logs in.
    ///
    /// # Errors
    ///
    /// As [`new`](Self::new); and when the provider calls itself by another name, or its
    /// metadata lacks what a login needs.
    ///
    /// ```
    /// # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
    /// use axum_clef::{ClefLayer, oidc::Oidc, stores::MemoryUserStore};
    /// use tower_sessions::MemoryStore;
    ///
    /// // Nobody is there: a line in the log, and no login until somebody is.
    /// let provider = Oidc::discover("http://127.0.0.1:1", "site", "the secret").await?;
    /// let auth = ClefLayer::new(
    ///     "https://example.com",
    ///     provider,
    ///     MemoryUserStore::new(),
    ///     MemoryStore::default(),
    /// )?;
    /// # Ok::<(), axum_clef::BoxError>(())
    /// # }).unwrap();
    /// ```
    pub async fn discover(
        issuer: impl Into<String>,
        client_id: impl Into<String>,
        client_secret: impl Into<SecretString>,
    ) -> Result<Self, OidcError> {
        let oidc = Self::new(issuer, client_id, client_secret)?;
        match oidc.remote.metadata().await {
            Err(error) if error.kind() != ProviderErrorKind::Unavailable => return Err(error),
            Err(error) => tracing::warn!(
                issuer = oidc.remote.issuer(),
                %error,
                cause = error.source().map(tracing::field::display),
                "the provider is asked again when somebody logs in"
            ),
            Ok(_) => {}
        }
        Ok(oidc)
    }

    /// As [`discover`](Self::discover), and nothing is asked before the first login.
    ///
    /// The issuer is to be written as the provider writes it, to the last slash: it is also
    /// that of the [`Subject`](crate::Subject)s.
    ///
    /// # Errors
    ///
    /// When the issuer is not an absolute URL, or plain `http` to another machine: the secret
    /// would travel in the clear.
    pub fn new(
        issuer: impl Into<String>,
        client_id: impl Into<String>,
        client_secret: impl Into<SecretString>,
    ) -> Result<Self, AddressError> {
        let issuer = issuer.into();
        let url = address::base_url(&issuer)?;
        let settings = Settings {
            name: url.authority().to_owned(),
            ..Settings::default()
        };
        Ok(Self {
            client_id: client_id.into(),
            client_secret: client_secret.into(),
            settings,
            remote: Arc::new(Remote::new(issuer)),
        })
    }

    /// What people call the provider, as it stands on links and pages: "Log in with …".
    /// The host of the issuer as it stands.
    ///
    /// ```
    /// use axum_clef::{oidc::Oidc, provider::Provider};
    ///
    /// # fn main() -> Result<(), axum_clef::AddressError> {
    /// let oidc = Oidc::new("https://id.example.com/realms/staff", "site", "the secret")?;
    /// assert_eq!(Provider::name(&oidc), "id.example.com");
    /// assert_eq!(Provider::name(&oidc.name("Staff")), "Staff");
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.settings.name = name.into();
        self
    }

    /// What is asked for beyond `openid`: `profile` and `email` as it stands (OpenID Connect
    /// Core 1.0, section 5.4).
    #[must_use]
    pub fn scopes<S: Into<String>>(mut self, scopes: impl IntoIterator<Item = S>) -> Self {
        let scopes = scopes.into_iter().map(Into::into);
        self.settings.scopes = scopes.filter(|scope| scope != "openid").collect();
        self
    }

    /// How the application proves who it is. As it stands, by
    /// [`Basic`](ClientAuthentication::Basic), or by [`Post`](ClientAuthentication::Post) where
    /// the provider offers that and not the other.
    #[must_use]
    pub fn client_authentication(mut self, authentication: ClientAuthentication) -> Self {
        self.settings.authentication = Some(authentication);
        self
    }

    /// How ID tokens and logout tokens are signed: this way alone.
    /// [`Rs256`](SigningAlgorithm::Rs256) as it stands.
    #[must_use]
    pub fn signing_algorithm(mut self, algorithm: SigningAlgorithm) -> Self {
        self.settings.algorithm = algorithm;
        self
    }

    /// Others that a token may be for beside this application. As it stands, a token that is
    /// for others too is refused (OpenID Connect Core 1.0, section 3.1.3.7).
    #[must_use]
    pub fn trusted_audiences<S: Into<String>>(
        mut self,
        audiences: impl IntoIterator<Item = S>,
    ) -> Self {
        self.settings.trusted_audiences = audiences.into_iter().map(Into::into).collect();
        self
    }

    /// How long ago, in whole seconds, a person may have proved to the provider who they are
    /// (`max_age`). Who did so longer ago does it again.
    #[must_use]
    pub fn max_age(mut self, max_age: Duration) -> Self {
        self.settings.max_age = Some(max_age.as_secs());
        self
    }

    /// One more parameter of the authorization request, such as `prompt` or `acr_values`.
    ///
    /// # Errors
    ///
    /// When the login itself sets it.
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
        if TAKEN.contains(&name.as_str()) {
            return Err(OidcError::ParameterTaken);
        }
        self.settings.parameters.push((name, value.into()));
        Ok(self)
    }

    /// Does not keep the ID token in the session for the sign-out at the provider, which may
    /// then ask the person whether they mean it. For session stores that are short of room.
    #[must_use]
    pub fn without_id_token_hint(mut self) -> Self {
        self.settings.keeps_id_token = false;
        self
    }

    /// Ends all logins of a person when one of their sessions at the provider ends, if the
    /// provider says whose it was. As it stands, the logins of that session alone.
    #[must_use]
    pub fn log_out_whole_person(mut self) -> Self {
        self.settings.logs_out_whole_person = true;
        self
    }

    /// Takes logout tokens alone whose `typ` is `logout+jwt` (OWASP ASVS 5.0, 10.5.5). As it
    /// stands, the `typ` may be missing, as providers made it before it was recommended.
    #[must_use]
    pub fn strict_logout_token_type(mut self) -> Self {
        self.settings.asks_for_logout_type = true;
        self
    }

    /// Answers 400 to a logout that cannot be done right now, to the letter of Back-Channel
    /// Logout 1.0, section 2.8. As it stands 503, on which providers that try again do so.
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
