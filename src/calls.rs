//! HTTP calls to providers: the client, its limits, and the size of responses.

use std::{
    error::Error,
    net::{Ipv4Addr, Ipv6Addr, SocketAddr},
    sync::{Arc, OnceLock},
    time::Duration,
};

use reqwest::{
    Client, ClientBuilder, RequestBuilder, Response,
    dns::{Addrs, Name, Resolve, Resolving},
    redirect,
};
use tokio::net::lookup_host;
use url::Url;

use crate::address::{is_localhost, is_loopback};

/// How long connecting may take.
const CONNECT_LIMIT: Duration = Duration::from_secs(2);
/// How long a call may take, including the response.
const CALL_LIMIT: Duration = Duration::from_secs(5);
const BYTE_ORDER_MARK: &[u8] = "\u{feff}".as_bytes();

/// Why a call has no result.
pub(crate) enum CallError {
    /// The response is larger than the limit, in bytes.
    TooLarge { limit: usize },
    /// It took longer than the limit.
    TimedOut,
    /// The certificate is not trusted.
    Certificate(Arc<dyn Error + Send + Sync>),
    /// The connection failed or broke.
    Unreachable(Arc<dyn Error + Send + Sync>),
}

/// A client that is created on first use, since creating it can fail.
#[derive(Clone, Default)]
pub(crate) struct LazyClient(OnceLock<Client>);

impl LazyClient {
    /// The client for the service at this URL, which is always the same.
    pub(crate) fn get(&self, address: &str) -> Result<&Client, CallError> {
        if let Some(client) = self.0.get() {
            return Ok(client);
        }
        let client = client(address)?;
        Ok(self.0.get_or_init(|| client))
    }
}

/// Sends a request.
pub(crate) async fn send(request: RequestBuilder) -> Result<Response, CallError> {
    request.send().await.map_err(CallError::from)
}

/// Reads a response of at most `limit` bytes, without the byte order mark that some providers write
/// (RFC 8259, section 8.1).
pub(crate) async fn read(mut response: Response, limit: usize) -> Result<Vec<u8>, CallError> {
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await? {
        if body.len() + chunk.len() > limit {
            return Err(CallError::TooLarge { limit });
        }
        body.extend_from_slice(&chunk);
    }
    if body.starts_with(BYTE_ORDER_MARK) {
        body.drain(..BYTE_ORDER_MARK.len());
    }
    Ok(body)
}

impl From<reqwest::Error> for CallError {
    fn from(error: reqwest::Error) -> Self {
        if error.is_timeout() {
            return Self::TimedOut;
        }
        let error: Arc<dyn Error + Send + Sync> = Arc::new(error.without_url());
        // The error of the TLS library, whose type is not public through reqwest.
        match innermost(&*error).contains("certificate") {
            true => Self::Certificate(error),
            false => Self::Unreachable(error),
        }
    }
}

#[cfg(all(feature = "ring", not(feature = "aws-lc-rs")))]
impl From<rustls::Error> for CallError {
    fn from(error: rustls::Error) -> Self {
        Self::Certificate(Arc::new(error))
    }
}

/// The innermost cause of an error.
pub(crate) fn innermost(error: &(dyn Error + Send + Sync + 'static)) -> String {
    let mut cause: &dyn Error = error;
    while let Some(source) = cause.source() {
        cause = source;
    }
    cause.to_string()
}

/// Creates a client for the service at this URL. It follows no redirect, and resolves `localhost`
/// and the names under it to loopback.
fn client(address: &str) -> Result<Client, CallError> {
    let mut builder = with_tls(Client::builder())?
        .connect_timeout(CONNECT_LIMIT)
        .timeout(CALL_LIMIT)
        .redirect(redirect::Policy::none())
        .dns_resolver(LocalhostResolver)
        .user_agent(concat!("axum-clef/", env!("CARGO_PKG_VERSION")));
    if Url::parse(address).is_ok_and(|url| is_loopback(&url)) {
        // A proxy would resolve the name to its own machine.
        builder = builder.no_proxy();
    }
    Ok(builder.build()?)
}

/// Uses the TLS of the first enabled feature of `aws-lc-rs`, `ring` and `native-tls`.
#[cfg(not(all(feature = "ring", not(feature = "aws-lc-rs"))))]
fn with_tls(builder: ClientBuilder) -> Result<ClientBuilder, CallError> {
    #[cfg(feature = "aws-lc-rs")]
    let builder = builder.tls_backend_rustls();
    #[cfg(not(feature = "aws-lc-rs"))]
    let builder = builder.tls_backend_native();
    Ok(builder)
}

/// Uses TLS by ring with the roots of the platform. The default of the process belongs to the
/// application.
#[cfg(all(feature = "ring", not(feature = "aws-lc-rs")))]
fn with_tls(builder: ClientBuilder) -> Result<ClientBuilder, CallError> {
    use rustls_platform_verifier::BuilderVerifierExt as _;

    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_platform_verifier()?
        .with_no_client_auth();
    Ok(builder.tls_backend_preconfigured(config))
}

/// Resolves the names of [`is_localhost`] to loopback, and all others with the system resolver.
///
/// Some systems query a name server for `x.localhost`. Its answer could redirect secrets that are
/// sent over plain http.
struct LocalhostResolver;

impl Resolve for LocalhostResolver {
    fn resolve(&self, name: Name) -> Resolving {
        Box::pin(async move {
            // The connector replaces port 0 with the port of the URL.
            let addresses: Vec<SocketAddr> = if is_localhost(name.as_str()) {
                vec![
                    (Ipv4Addr::LOCALHOST, 0).into(),
                    (Ipv6Addr::LOCALHOST, 0).into(),
                ]
            } else {
                lookup_host((name.as_str(), 0)).await?.collect()
            };
            Ok(Box::new(addresses.into_iter()) as Addrs)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn names_under_localhost_are_loopback_without_a_query() {
        for name in ["localhost", "x.localhost", "a.b.LocalHost", "x.localhost."] {
            let found = LocalhostResolver.resolve(name.parse().unwrap()).await;
            let found: Vec<String> = found
                .unwrap()
                .map(|address| address.ip().to_string())
                .collect();
            assert_eq!(found, ["127.0.0.1", "::1"], "{name}");
        }
    }
}
