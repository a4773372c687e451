//! TLS by ring, in a program in which nothing else brings a provider of rustls.

use axum_clef::oidc::Oidc;
use tokio::net::TcpListener;

/// reqwest panics without a provider, also for plain http.
#[tokio::test]
async fn a_call_needs_no_provider_of_the_application() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let issuer = format!("http://{}", listener.local_addr().unwrap());
    tokio::select! {
        connected = listener.accept() => assert!(connected.is_ok()),
        found = Oidc::discover(issuer, "id", "secret") => panic!("no call was made: {found:?}"),
    }
}
