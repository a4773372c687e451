//! Calls to a service outside: the client that makes them, and how much of an answer is read.

use std::time::Duration;

use reqwest::{Client, Response, redirect};

/// How long connecting may take.
const CONNECT_LIMIT: Duration = Duration::from_secs(2);
/// How long a whole call may take, answer included.
const CALL_LIMIT: Duration = Duration::from_secs(5);

/// Why an answer could not be read.
pub(crate) enum ReadError {
    /// It is larger than allowed.
    TooLarge,
    /// The connection broke, or it took too long.
    Transport(reqwest::Error),
}

/// A client for the service at this address. It follows no redirect.
pub(crate) fn client(address: &str) -> Result<Client, reqwest::Error> {
    let mut builder = Client::builder()
        .connect_timeout(CONNECT_LIMIT)
        .timeout(CALL_LIMIT)
        .redirect(redirect::Policy::none())
        .user_agent(concat!("axum-clef/", env!("CARGO_PKG_VERSION")));
    if address.starts_with("http:") {
        // On this machine; no proxy stands between.
        builder = builder.no_proxy();
    }
    builder.build()
}

/// Reads an answer, of `limit` bytes at the most.
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
