//! The metadata of an issuer, which names its keys.

use reqwest::Client;
use serde_json::{Map, Value};
use url::Url;

use super::RemoteError;
use crate::address;

/// The metadata of an issuer, in one protocol.
pub(crate) trait Metadata: Sized + Send + Sync + 'static {
    /// What some issuers write differently; `()` where none does.
    type Dialect: Copy + Send + Sync + 'static;

    /// Fetches the metadata.
    ///
    /// # Errors
    ///
    /// A [`RemoteError`] of the call, or of the metadata.
    fn fetch(
        issuer: String,
        dialect: Self::Dialect,
        client: Client,
    ) -> impl Future<Output = Result<Self, RemoteError>> + Send + 'static;

    /// Where its keys are.
    fn jwks_uri(&self) -> &Url;
}

/// The URL in a member of metadata; `None` if there is none.
///
/// # Errors
///
/// [`RemoteError::Metadata`], [`MetadataAddress`](RemoteError::MetadataAddress) or
/// [`MetadataEndpoint`](RemoteError::MetadataEndpoint): the issuer has to mend its metadata.
pub(crate) fn endpoint(
    document: &Map<String, Value>,
    issuer: &Url,
    name: &'static str,
) -> Result<Option<Url>, RemoteError> {
    let text = match document.get(name) {
        None | Some(Value::Null) => return Ok(None),
        Some(Value::String(text)) => text,
        Some(_) => return Err(RemoteError::Metadata(name)),
    };
    let url =
        address::endpoint(text).map_err(|reason| RemoteError::MetadataAddress { name, reason })?;
    if is_less_safe(&url, issuer) {
        return Err(RemoteError::MetadataEndpoint(name));
    }
    Ok(Some(url))
}

/// Whether an endpoint is less safe than its issuer: unencrypted, or on loopback. Remote metadata
/// must not make this machine call its own services.
fn is_less_safe(endpoint: &Url, issuer: &Url) -> bool {
    let unencrypted = endpoint.scheme() != "https" && issuer.scheme() == "https";
    let local = address::leads_to_loopback(endpoint) && !address::leads_to_loopback(issuer);
    unencrypted || local
}
