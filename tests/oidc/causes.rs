//! What the log and the errors say: the innermost cause, once, and what to do.

use std::sync::Arc;

use axum_clef::{
    oidc::Oidc,
    provider::{LoginRequest, LoginSecret, OneTimeState, Provider as _},
};
use serde_json::json;
use tokio::net::TcpListener;
use tokio_rustls::{
    TlsAcceptor,
    rustls::{
        ServerConfig,
        crypto::aws_lc_rs,
        pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer},
    },
};

use crate::support::{ALEX, Browser, OTHER_RSA, RSA, Site, log, query};

/// A service whose certificate no authority has signed.
async fn self_signed() -> String {
    let made = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).unwrap();
    let key = PrivatePkcs8KeyDer::from(made.signing_key.serialize_der());
    let config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![made.cert.der().clone()], PrivateKeyDer::from(key))
        .unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("https://{}", listener.local_addr().unwrap());
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let _ = acceptor.accept(stream).await;
        }
    });
    url
}

#[tokio::test]
async fn an_error_says_its_innermost_cause_and_what_to_do() {
    let insecure = Oidc::discover("http://id.example.com", "id", "secret").await;
    let text = insecure.unwrap_err().to_string();
    assert!(text.contains("plain `http` is for loopback"), "{text}");
    for (issuer, words) in [
        (
            self_signed().await,
            ["certificate", "certificate store of this system"],
        ),
        (
            "http://127.0.0.1:1".to_owned(),
            ["refused", "try again later"],
        ),
    ] {
        let oidc = Oidc::new(issuer, "id", "secret").unwrap();
        let callback = "https://example.com/clef/callback".parse().unwrap();
        let (state, secret) = (OneTimeState::new("x"), LoginSecret::from_bytes([7; 32]));
        let login = LoginRequest::new(&callback, &state, &secret);
        let error = oidc.login_url(&login).await.unwrap_err();
        let text = std::error::Error::source(&error).unwrap().to_string();
        for word in words {
            assert!(text.contains(word), "{word}: {text}");
        }
    }
}

#[tokio::test]
async fn a_failed_login_is_logged_once_by_whose_error_it_is() {
    let site = Site::start().await;
    site.provider.script().id_token = Arc::new(|claims| claims["nonce"] = json!("another"));
    let node = site.node().await;
    let browser = Browser::new();
    log::listen();
    assert_eq!(
        browser.enter(&node, &site.provider, ALEX).await.status(),
        502
    );
    let events = log::events("ERROR");
    assert_eq!(events.len(), 1, "{events:?}");
    assert_eq!(
        events[0].matches("it belongs to another login").count(),
        1,
        "{events:?}"
    );
    for (error, level) in [("invalid_scope", "ERROR"), ("access_denied", "INFO")] {
        let url = browser.begin(&node).await;
        let state = &query(&url)["state"];
        log::listen();
        let parameters = [
            ("error", error),
            ("error_description", "SECRET"),
            ("state", state),
            ("iss", &site.provider.issuer),
        ];
        browser.come_back(&node, &parameters).await;
        let events = log::events(level);
        assert_eq!(events.len(), 1, "{events:?}");
        assert!(
            events[0].contains(error) && !events[0].contains("SECRET"),
            "{events:?}"
        );
    }
}

#[tokio::test]
async fn a_notice_that_the_provider_has_signed_is_refused_with_a_warning() {
    let site = Site::start().await;
    let client = Oidc::discover(&*site.provider.issuer, "the site:1", "secret");
    let client = client.await.unwrap().strict_logout_token_type();
    let node = site.node_with(client).await;
    for (key, status, level, words) in [
        (
            &*RSA,
            400,
            "WARN",
            "a token that the provider has signed is invalid: its `typ`",
        ),
        (&*OTHER_RSA, 400, "INFO", "the token is invalid: its `typ`"),
    ] {
        log::listen();
        let token = key.sign_with(&RSA.header(), &site.provider.logout_claims(ALEX));
        assert_eq!(node.notice(&token).await.status, status);
        let events = log::events(level);
        assert_eq!(events.len(), 1, "{events:?}");
        assert!(events[0].contains(words), "{events:?}");
    }
    assert_eq!(site.provider.script().key_fetches, 1, "no call for either");
}
