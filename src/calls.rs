//! HTTP calls to providers: the client, its limits, and the size of responses.

use std::{
    net::{Ipv4Addr, Ipv6Addr, SocketAddr},
    time::Duration,
};

use reqwest::{
    Client, Response,
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

/// Why a response could not be read.
pub(crate) enum ReadError {
    /// It is larger than the limit.
    TooLarge,
    /// The connection failed or timed out.
    Transport(reqwest::Error),
}

/// Creates a client for the service at this URL. It follows no redirect, and resolves `localhost`
/// and the names under it to loopback.
pub(crate) fn client(address: &str) -> Result<Client, reqwest::Error> {
    let mut builder = Client::builder()
        .connect_timeout(CONNECT_LIMIT)
        .timeout(CALL_LIMIT)
        .redirect(redirect::Policy::none())
        .dns_resolver(LocalhostResolver)
        .user_agent(concat!("axum-clef/", env!("CARGO_PKG_VERSION")));
    if Url::parse(address).is_ok_and(|url| is_loopback(&url)) {
        // A proxy would resolve the name to its own machine.
        builder = builder.no_proxy();
    }
    builder.build()
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

/// Reads a response of at most `limit` bytes.
pub(crate) async fn read_body(mut response: Response, limit: usize) -> Result<Vec<u8>, ReadError> {
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(ReadError::Transport)? {
        if body.len() + chunk.len() > limit {
            return Err(ReadError::TooLarge);
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
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
