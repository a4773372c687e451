//! The extractor that makes bearer tokens.

use std::{fmt, sync::Arc, time::Duration};

use axum::extract::FromRequestParts;
use http::request::Parts;
use secrecy::SecretString;

use super::{NewTokenError, RecentLogin, is_cross_origin, logged_in::authenticated};
use crate::{
    LoggedInRejection, LoginId, Timestamp,
    auth::RequestAuth,
    sessions::{PresentedLogin, Tokens},
};

/// How long a token lasts by default.
const LIFETIME: Duration = Duration::from_secs(30 * 24 * 60 * 60);
/// The longest name, in characters.
const LONGEST_NAME: usize = 100;

/// Makes bearer tokens for the programs of the logged-in user: a CLI, a script, an application on a
/// phone.
///
/// It needs [`bearer_tokens`](crate::ClefLayerBuilder::bearer_tokens), a login by cookie that is
/// [recent](RecentLogin) by `MINUTES` (10 by default), and a request from a page of this site.
/// The token carries the login's timestamp, so logging the user out ends it too. See
/// [the guide](crate::guide::tokens).
///
/// ```
/// use axum::{Form, http::header};
/// use axum_clef::{NewToken, NewTokenError, secrecy::ExposeSecret as _};
///
/// #[derive(serde::Deserialize)]
/// struct Name {
///     name: String,
/// }
///
/// async fn new_token(
///     token: NewToken,
///     Form(form): Form<Name>,
/// ) -> Result<([(header::HeaderName, &'static str); 1], String), NewTokenError> {
///     let token = token.mint(&form.name).await?;
///     // The id, the name and the end go into a table of the application. The secret is shown once.
///     let text = format!("Copy it now: {}", token.secret().expose_secret());
///     Ok(([(header::CACHE_CONTROL, "no-store")], text))
/// }
/// # fn assert_handler<T, H: axum::handler::Handler<T, ()>>(_: H) {}
/// # assert_handler(new_token);
/// ```
///
/// # Rejection
///
/// [`NewTokenError`].
#[must_use = "no token is made until `mint` is called"]
pub struct NewToken<const MINUTES: u32 = 10> {
    auth: Arc<RequestAuth>,
    parts: Parts,
    login: Arc<PresentedLogin>,
    tokens: Tokens,
    lifetime: Duration,
}

/// A bearer token that was made. Its secret is nowhere else: show it once, and store it nowhere.
///
/// ```
/// use axum_clef::{BearerToken, secrecy::ExposeSecret as _};
///
/// fn row(token: &BearerToken, name: &str) -> String {
///     format!("{} {name} until {} µs", token.id(), token.ends_at().as_micros())
/// }
///
/// fn header(token: &BearerToken) -> String {
///     format!("Authorization: Bearer {}", token.secret().expose_secret())
/// }
/// ```
pub struct BearerToken {
    id: LoginId,
    secret: SecretString,
    logged_in_at: Timestamp,
    ends_at: Timestamp,
}

impl<const MINUTES: u32> NewToken<MINUTES> {
    /// Makes a token with a name that the user chose, of 1 to 100 characters without control
    /// characters. White space around it is removed.
    ///
    /// The login is compared with every logout again. Nothing is stored: keep
    /// [`id`](BearerToken::id), name and [`ends_at`](BearerToken::ends_at) where the user finds
    /// them.
    ///
    /// # Errors
    ///
    /// [`NewTokenError`], which is a response. No token is made.
    pub async fn mint(self, name: &str) -> Result<BearerToken, NewTokenError> {
        let name = name.trim();
        let is_plain = !name.chars().any(char::is_control);
        if name.is_empty() || name.chars().count() > LONGEST_NAME || !is_plain {
            return Err(NewTokenError::Name);
        }
        let record = self.login.record();
        let state = self.auth.state();
        let minted = state.mint_token(&self.tokens, record, name, self.lifetime);
        let minted = minted.await;
        let minted = minted.map_err(|error| NewTokenError::new(error, &self.parts))?;
        Ok(BearerToken {
            id: minted.id,
            secret: minted.secret,
            logged_in_at: record.times().latest(),
            ends_at: minted.ends_at,
        })
    }

    /// Sets how long the token lasts. Defaults to 30 days, and is 365 days at the most.
    ///
    /// The [`lifetime`](crate::ClefLayerBuilder::lifetime) of the layer bounds it too, counted from
    /// the beginning of the login.
    pub fn lifetime(mut self, lifetime: Duration) -> Self {
        self.lifetime = lifetime;
        self
    }
}

impl BearerToken {
    /// The id, by which [`Logouts::end_login`](crate::Logouts::end_login) ends this token alone. It
    /// is no secret. In a request with the token it is [`Login::id`](crate::Login::id).
    pub fn id(&self) -> LoginId {
        self.id
    }

    /// The token as the program sends it: `clef_` and URL-safe Base64 characters, up to 4,096 bytes.
    pub fn secret(&self) -> &SecretString {
        &self.secret
    }

    /// The timestamp of the login that it was made from. It has ended if the user was logged out
    /// since.
    pub fn logged_in_at(&self) -> Timestamp {
        self.logged_in_at
    }

    /// When it ends at the latest, by the clock of the user store.
    pub fn ends_at(&self) -> Timestamp {
        self.ends_at
    }
}

impl<S: Sync, const MINUTES: u32> FromRequestParts<S> for NewToken<MINUTES> {
    type Rejection = NewTokenError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, NewTokenError> {
        let auth = RequestAuth::of(parts).ok_or_else(LoggedInRejection::layer_missing)?;
        let auth_state = auth.state();
        let tokens = auth_state.tokens.clone();
        let tokens = tokens.ok_or_else(NewTokenError::not_accepted)?;
        if is_cross_origin(&auth_state.site, &parts.headers) {
            tracing::debug!("a new token for a page of another site is refused");
            return Err(NewTokenError::CrossOrigin);
        }
        let authenticated = authenticated(parts).await?;
        let authenticated =
            authenticated.ok_or_else(|| LoggedInRejection::unauthenticated(parts))?;
        let record = authenticated.login.record();
        if record.is_token() {
            return Err(NewTokenError::ByToken);
        }
        let new_token = Self {
            auth: Arc::clone(auth),
            login: Arc::clone(&authenticated.login),
            tokens,
            lifetime: LIFETIME,
            parts: parts.clone(),
        };
        RecentLogin::<MINUTES>::from_request_parts(parts, state).await?;
        Ok(new_token)
    }
}

impl<const MINUTES: u32> fmt::Debug for NewToken<MINUTES> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("NewToken")
            .field("login", self.login.record())
            .finish_non_exhaustive()
    }
}

/// Shows no secret.
impl fmt::Debug for BearerToken {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("BearerToken")
            .field("id", &self.id)
            .field("ends_at", &self.ends_at)
            .finish_non_exhaustive()
    }
}
