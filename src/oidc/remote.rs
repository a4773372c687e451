//! The remote provider: its cached metadata and keys, and the calls to it.

use std::{
    sync::{Arc, OnceLock},
    time::Duration,
};

use http::StatusCode;
use reqwest::{Client, RequestBuilder, Response};

use super::{
    OidcError, SigningAlgorithm, TokenError,
    cache::{Cache, CacheEntry},
    key_set::{KeySet, Verification},
    metadata::{self, Metadata},
    token::Token,
};
use crate::calls;

/// The largest response, in bytes. Key sets with certificates are the largest.
const LIMIT: usize = 256 * 1024;
const METADATA_COOLDOWN: Duration = Duration::from_secs(3);
/// Bounds the fetches that tokens with unknown keys cause.
const KEYS_COOLDOWN: Duration = Duration::from_secs(30);

pub(super) struct Remote {
    issuer: String,
    client: OnceLock<Client>,
    metadata: Arc<Cache<Metadata>>,
    keys: Arc<Cache<KeySet>>,
}

impl Remote {
    pub(super) fn new(issuer: String) -> Self {
        Self {
            issuer,
            client: OnceLock::new(),
            metadata: Cache::new(METADATA_COOLDOWN),
            keys: Cache::new(KEYS_COOLDOWN),
        }
    }

    pub(super) fn issuer(&self) -> &str {
        &self.issuer
    }

    /// The HTTP client, created on first use, since creating it can fail.
    pub(super) fn client(&self) -> Result<&Client, OidcError> {
        if let Some(client) = self.client.get() {
            return Ok(client);
        }
        let client = calls::client(&self.issuer).map_err(OidcError::from_transport)?;
        Ok(self.client.get_or_init(|| client))
    }

    pub(super) async fn metadata(&self) -> Result<Arc<Metadata>, OidcError> {
        let request = self.client()?.get(metadata::address(&self.issuer));
        let issuer = self.issuer.clone();
        let fetch = async move {
            let document = fetch(request, "metadata").await?;
            Metadata::parse(&issuer, &document)
        };
        Ok(self.metadata.get(fetch).await?.value)
    }

    /// Verifies the signature of a token. Fetches the keys again if it names an unknown key.
    ///
    /// # Errors
    ///
    /// A [`TokenError`] for an invalid signature: reject the token. [`OidcError::KeyNotKnownYet`]
    /// during the cooldown, or an error of the fetch: try again later.
    pub(super) async fn verify(
        &self,
        token: &Token<'_>,
        algorithm: SigningAlgorithm,
    ) -> Result<(), OidcError> {
        let signed = token.signed();
        let known = self.keys.get(self.fetch_keys().await?).await?;
        let keys = match known.value.verify(&signed, algorithm) {
            Verification::UnknownKey if !known.is_fresh => {
                let fetch = self.fetch_keys().await?;
                self.keys.newer_than(Some(&known.value), fetch).await?
            }
            _ => known,
        };
        let CacheEntry { value, is_fresh } = keys;
        match value.verify(&signed, algorithm) {
            Verification::Valid => Ok(()),
            Verification::Invalid => Err(TokenError::Signature.into()),
            Verification::UnknownKey if is_fresh => Err(TokenError::NoSuchKey.into()),
            // Another task fetched the keys, perhaps before this one was published.
            Verification::UnknownKey => Err(OidcError::KeyNotKnownYet),
        }
    }

    async fn fetch_keys(
        &self,
    ) -> Result<impl Future<Output = Result<KeySet, OidcError>> + Send + 'static, OidcError> {
        let address = self.metadata().await?.jwks_uri.clone();
        let request = self.client()?.get(address);
        Ok(async move { KeySet::parse(&fetch(request, "keys").await?) })
    }
}

async fn fetch(request: RequestBuilder, what: &'static str) -> Result<Vec<u8>, OidcError> {
    let response = send(request).await?;
    let status = response.status();
    if status != StatusCode::OK {
        return Err(OidcError::Status { what, status });
    }
    read(response).await
}

pub(super) async fn send(request: RequestBuilder) -> Result<Response, OidcError> {
    request.send().await.map_err(OidcError::from_transport)
}

pub(super) async fn read(response: Response) -> Result<Vec<u8>, OidcError> {
    let body = calls::read_body(response, LIMIT).await;
    body.map_err(|error| OidcError::from_reading(error, LIMIT))
}
