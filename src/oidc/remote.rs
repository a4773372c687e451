//! The provider at the other end: what is known of it, and the calls to it.

use std::{
    sync::{Arc, OnceLock},
    time::Duration,
};

use http::StatusCode;
use reqwest::{Client, RequestBuilder, Response};

use super::{
    OidcError, SigningAlgorithm, TokenError,
    kept::{Found, Kept},
    key_set::{KeySet, Verdict},
    metadata::{self, Metadata},
    token::Token,
};
use crate::calls;

/// The most that is read of an answer, in bytes. Key sets with certificates are the largest.
const LIMIT: usize = 256 * 1024;
/// How often the metadata is asked for at the most.
const METADATA_PAUSE: Duration = Duration::from_secs(3);
/// How often the keys are asked for at the most, however many tokens name keys that nobody
/// knows.
const KEYS_PAUSE: Duration = Duration::from_secs(30);

/// A provider, with what it has said of itself.
pub(super) struct Remote {
    issuer: String,
    client: OnceLock<Client>,
    metadata: Arc<Kept<Metadata>>,
    keys: Arc<Kept<KeySet>>,
}

impl Remote {
    pub(super) fn new(issuer: String) -> Self {
        Self {
            issuer,
            client: OnceLock::new(),
            metadata: Kept::new(METADATA_PAUSE),
            keys: Kept::new(KEYS_PAUSE),
        }
    }

    pub(super) fn issuer(&self) -> &str {
        &self.issuer
    }

    /// The client, made at the first call: making it can fail, and its pool of connections is
    /// worth keeping.
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

    /// Whether a token is signed by this provider. Asks for the keys again if it may be by one
    /// that is not known yet.
    pub(super) async fn verify(
        &self,
        token: &Token<'_>,
        algorithm: SigningAlgorithm,
    ) -> Result<(), OidcError> {
        let signed = token.signed();
        let known = self.keys.get(self.fetch_keys().await?).await?;
        let found = match known.value.verify(&signed, algorithm) {
            Verdict::NoSuchKey if !known.just_now => {
                let fetch = self.fetch_keys().await?;
                self.keys.newer_than(Some(&known.value), fetch).await?
            }
            _ => known,
        };
        let Found { value, just_now } = found;
        match value.verify(&signed, algorithm) {
            Verdict::Good => Ok(()),
            Verdict::Wrong => Err(TokenError::Signature.into()),
            Verdict::NoSuchKey if just_now => Err(TokenError::NoSuchKey.into()),
            // Somebody else asked, perhaps before the key was there.
            Verdict::NoSuchKey => Err(OidcError::KeyNotKnownYet),
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
