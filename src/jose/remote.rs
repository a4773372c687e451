//! A remote issuer: its cached metadata and keys, and the calls to it.

use std::{sync::Arc, time::Duration};

use http::StatusCode;
use reqwest::{Client, RequestBuilder};

use super::{
    RemoteError, SigningAlgorithm, TokenError,
    cache::{Cache, CacheEntry},
    key_set::{KeySet, Verification},
    metadata::Metadata,
    token::Token,
};
use crate::{
    calls::{self, LazyClient},
    log_limit::LogLimit,
};

/// The largest response, in bytes. Key sets with certificates are the largest.
pub(crate) const LIMIT: usize = 256 * 1024;
/// The shortest time between two fetches while there is no metadata.
const METADATA_COOLDOWN: Duration = Duration::from_secs(3);
/// Keys of this age are refreshed before they verify anything, and verify nothing once that has failed for
/// as long: the issuer may have withdrawn one.
const LONGEST_USE: Duration = Duration::from_secs(24 * 60 * 60);
/// Bounds the fetches that tokens with unknown keys or invalid signatures cause.
const KEYS_COOLDOWN: Duration = Duration::from_secs(30);
/// The same for a token in an answer of the issuer itself: one fetch an answer at most.
#[cfg(feature = "oidc")]
const ANSWER_COOLDOWN: Duration = Duration::ZERO;

/// An issuer of signed tokens.
pub(crate) struct Remote<M: Metadata> {
    issuer: String,
    dialect: M::Dialect,
    client: LazyClient,
    metadata: Arc<Cache<M>>,
    keys: Arc<Cache<KeySet>>,
    /// Limits the signatures that are verified for the log alone.
    refused: LogLimit<()>,
}

impl<M: Metadata> Remote<M> {
    pub(crate) fn new(issuer: String, dialect: M::Dialect) -> Self {
        Self {
            issuer,
            dialect,
            client: LazyClient::default(),
            metadata: Cache::new(Duration::MAX),
            keys: Cache::new(LONGEST_USE),
            refused: LogLimit::default(),
        }
    }

    pub(crate) fn issuer(&self) -> &str {
        &self.issuer
    }

    /// The HTTP client.
    pub(crate) fn client(&self) -> Result<&Client, RemoteError> {
        Ok(self.client.get(&self.issuer)?)
    }

    pub(crate) async fn metadata(&self) -> Result<Arc<M>, RemoteError> {
        if let Some(known) = self.metadata.current() {
            return Ok(known.value);
        }
        let client = self.client()?.clone();
        let fetch = M::fetch(self.issuer.clone(), self.dialect, client);
        let metadata = self.metadata.get(METADATA_COOLDOWN, fetch).await?;
        Ok(metadata.value)
    }

    /// The metadata if it was fetched before.
    #[cfg(feature = "oidc")]
    pub(crate) fn known_metadata(&self) -> Option<Arc<M>> {
        self.metadata.cached()
    }

    /// The keys if they were fetched before, and it is not yet time to refresh them.
    #[cfg(feature = "oidc")]
    pub(crate) fn current_keys(&self) -> Option<Arc<KeySet>> {
        Some(self.keys.current()?.value)
    }

    pub(crate) async fn keys(&self) -> Result<CacheEntry<KeySet>, RemoteError> {
        self.keys_within(KEYS_COOLDOWN).await
    }

    /// The keys, which are fetched no sooner than `cooldown` after the last fetch if there are none.
    async fn keys_within(&self, cooldown: Duration) -> Result<CacheEntry<KeySet>, RemoteError> {
        match self.keys.current() {
            Some(known) => Ok(known),
            None => self.keys.get(cooldown, self.fetch_keys().await?).await,
        }
    }

    /// Verifies the signature of a token. Fetches the keys again if none of them has made it: the
    /// issuer may have a new one, even under the id of an old one.
    ///
    /// # Errors
    ///
    /// A [`TokenError`] for an invalid signature: reject the token. [`RemoteError::KeyNotKnownYet`]
    /// during the cooldown, or an error of the fetch: try again later.
    pub(crate) async fn verify(
        &self,
        token: &Token<'_>,
        algorithm: SigningAlgorithm,
    ) -> Result<(), RemoteError> {
        self.verify_within(token, algorithm, KEYS_COOLDOWN).await
    }

    /// Verifies the signature of a token that came in an answer of the issuer itself, such as an ID
    /// token. It cannot be forged, so the keys are fetched again at once.
    ///
    /// # Errors
    ///
    /// Those of [`verify`](Self::verify).
    #[cfg(feature = "oidc")]
    pub(crate) async fn verify_answer(
        &self,
        token: &Token<'_>,
        algorithm: SigningAlgorithm,
    ) -> Result<(), RemoteError> {
        self.verify_within(token, algorithm, ANSWER_COOLDOWN).await
    }

    async fn verify_within(
        &self,
        token: &Token<'_>,
        algorithm: SigningAlgorithm,
        cooldown: Duration,
    ) -> Result<(), RemoteError> {
        let signed = token.signed()?;
        let mut keys = self.keys_within(cooldown).await?;
        let mut verification = keys.value.verify(&signed, algorithm);
        if verification != Verification::Valid && !keys.is_fresh {
            let fetch = self.fetch_keys().await?;
            let newer = self.keys.newer_than(Some(&keys.value), cooldown, fetch);
            keys = newer.await?;
            verification = keys.value.verify(&signed, algorithm);
        }
        match verification {
            Verification::Valid => Ok(()),
            // Another task fetched the keys, perhaps before this one was published.
            _ if !keys.is_fresh => Err(RemoteError::KeyNotKnownYet),
            Verification::Invalid => Err(TokenError::Signature.into()),
            Verification::UnknownKey => Err(TokenError::NoSuchKey.into()),
        }
    }

    /// Whether a known key has made the signature of a refused token, for the log. Makes no call.
    ///
    /// Verifies at most one signature a second, so that refused tokens cost none. Beyond that it
    /// returns `false`.
    pub(crate) fn has_signed(&self, token: &Token<'_>, algorithm: SigningAlgorithm) -> bool {
        let keys = self.keys.cached();
        keys.is_some_and(|keys| {
            keys.has(token.key_id(), algorithm)
                && self.refused.count(()).is_some()
                && token
                    .signed()
                    .is_ok_and(|signed| keys.verify(&signed, algorithm) == Verification::Valid)
        })
    }

    async fn fetch_keys(
        &self,
    ) -> Result<impl Future<Output = Result<KeySet, RemoteError>> + Send + use<M>, RemoteError>
    {
        let address = self.metadata().await?.jwks_uri().clone();
        let request = self.client()?.get(address);
        Ok(async move { KeySet::parse(&fetch(request, "keys").await?) })
    }
}

/// Fetches a document of at most [`LIMIT`] bytes.
pub(crate) async fn fetch(
    request: RequestBuilder,
    what: &'static str,
) -> Result<Vec<u8>, RemoteError> {
    let response = calls::send(request).await?;
    let status = response.status();
    if status != StatusCode::OK {
        return Err(RemoteError::Status { what, status });
    }
    Ok(calls::read(response, LIMIT).await?)
}
