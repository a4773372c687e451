//! A Clef behind https whose certificate nobody has signed, or that does not speak TLS at all:
//! it learns nothing.

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
    time::{Duration, Instant},
};

use axum_clef::clef::Clef;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpListener,
};
use tokio_rustls::{
    TlsAcceptor,
    rustls::{
        ServerConfig,
        crypto::aws_lc_rs,
        pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer},
    },
};

use crate::{
    clef_down::Visitor,
    wrong_clef::{answer, good, read_request},
};

/// A service with a certificate of its own making: its address, and how many requests it read.
async fn self_signed() -> (String, Arc<AtomicUsize>) {
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
    let read = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&read);
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let (acceptor, counted) = (acceptor.clone(), Arc::clone(&counted));
            tokio::spawn(async move {
                let Ok(mut stream) = acceptor.accept(stream).await else {
                    return;
                };
                if let Some(step) = read_request(&mut stream).await {
                    counted.fetch_add(1, SeqCst);
                    let answer = answer(good(step));
                    stream.write_all(answer.as_bytes()).await.unwrap();
                    stream.shutdown().await.unwrap();
                }
            });
        }
    });
    (url, read)
}

#[tokio::test]
async fn a_certificate_that_nobody_has_signed_is_not_trusted() {
    let (url, read) = self_signed().await;
    let clef = Clef::new(&url, "the id", "the secret").unwrap();
    let mut visitor = Visitor::at(clef).await;
    visitor.comes_back_in_vain("self-signed").await;
    visitor.logs_out_in_vain("self-signed").await;
    assert_eq!(read.load(SeqCst), 0, "no secret was sent");

    // It is the certificate and nothing else: who trusts everybody gets an answer.
    let trusting = reqwest::Client::builder()
        .tls_danger_accept_invalid_certs(true)
        .no_proxy()
        .build()
        .unwrap();
    let request = trusting.get(url + "/api/v1/info");
    assert_eq!(request.send().await.unwrap().status(), 200);
    assert_eq!(read.load(SeqCst), 1);
}

#[tokio::test]
async fn a_service_without_tls_is_not_spoken_to() {
    for greeting in ["", "HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n"] {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("https://{}", listener.local_addr().unwrap());
        let heard = Arc::new(Mutex::new(Vec::new()));
        let hears = Arc::clone(&heard);
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let hears = Arc::clone(&hears);
                tokio::spawn(async move {
                    // Silent, or plain.
                    let _ = stream.write_all(greeting.as_bytes()).await;
                    while let Ok(byte) = stream.read_u8().await {
                        hears.lock().unwrap().push(byte);
                    }
                });
            }
        });
        let clef = Clef::new(&url, "the id", "the secret").unwrap();
        let begun = Instant::now();
        let mut visitor = Visitor::at(clef).await;
        visitor.comes_back_in_vain("no TLS").await;
        visitor.logs_out_in_vain("no TLS").await;
        // To shake hands is a part of connecting, which may take two seconds, here twice.
        assert!(begun.elapsed() < Duration::from_secs(8), "{greeting:?}");
        let heard = String::from_utf8_lossy(&heard.lock().unwrap()).into_owned();
        assert!(heard.len() > 100, "a client has said hello");
        assert!(!heard.contains("secret"), "{heard:?}");
    }
}
