//! The access token for calls to a sender.

use std::{fmt, future::ready, pin::Pin, sync::Arc, time::Duration};

use secrecy::SecretString;

use super::StreamError;
use crate::{BoxError, time_limit};

/// How long the application's function may take.
const LIMIT: Duration = Duration::from_secs(15);

type TokenFuture = Pin<Box<dyn Future<Output = Result<SecretString, BoxError>> + Send>>;

/// The access token for calls to a sender, which comes from the application.
///
/// It is created from a token that does not change, or from a function that returns the current
/// one.
///
/// ```
/// use axum_clef::{BoxError, security_events::AccessToken, secrecy::SecretString};
///
/// let fixed = AccessToken::from(SecretString::from("the token"));
/// let renewed = AccessToken::new(|| async {
///     // Ask the authorization server, and cache the answer.
///     Ok(SecretString::from("the token"))
/// });
/// ```
#[derive(Clone)]
pub struct AccessToken(Arc<dyn Fn() -> TokenFuture + Send + Sync>);

impl AccessToken {
    /// Calls a function for each call to the sender. It may take 15 seconds.
    pub fn new<F, R>(token: F) -> Self
    where
        F: Fn() -> R + Send + Sync + 'static,
        R: Future<Output = Result<SecretString, BoxError>> + Send + 'static,
    {
        Self(Arc::new(move || Box::pin(token())))
    }

    /// The current token.
    pub(super) async fn get(&self) -> Result<SecretString, StreamError> {
        match time_limit::answer(LIMIT, async { (self.0)().await }).await {
            Ok(token) => token.map_err(|error| StreamError::AccessToken(Arc::from(error))),
            Err(error) => Err(StreamError::AccessToken(Arc::new(error))),
        }
    }
}

impl From<SecretString> for AccessToken {
    fn from(token: SecretString) -> Self {
        Self::new(move || ready(Ok(token.clone())))
    }
}

impl fmt::Debug for AccessToken {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("AccessToken(…)")
    }
}
