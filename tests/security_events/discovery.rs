//! The metadata and the keys of a sender.

use axum_clef::security_events::{
    EventReceiver, RemoteError, SecurityEventError, SigningAlgorithm,
};
use serde_json::json;

use crate::support::{AUDIENCE, EC, OTHER_RSA, Scene, Site, Transmitter, header, log, sign};

async fn scene_at(transmitter: Transmitter) -> Scene {
    let site = Site::start().await;
    let receiver = EventReceiver::new(&*transmitter.issuer, AUDIENCE).unwrap();
    let receiver = receiver.subject_issuers([&*site.provider.issuer]);
    Scene::of(site, transmitter, receiver).await
}

#[tokio::test]
async fn the_metadata_is_found_under_each_of_its_names() {
    for (path, found) in [
        ("", "/.well-known/ssf-configuration"),
        ("", "/.well-known/sse-configuration"),
        ("", "/.well-known/risc-configuration"),
        (
            "/realms/staff",
            "/.well-known/ssf-configuration/realms/staff",
        ),
        (
            "/realms/staff",
            "/.well-known/risc-configuration/realms/staff",
        ),
        (
            "/realms/staff",
            "/realms/staff/.well-known/ssf-configuration",
        ),
    ] {
        let transmitter = Transmitter::start_at(path).await;
        transmitter.script().metadata_path = found.to_owned();
        let scene = scene_at(transmitter).await;
        assert_eq!(scene.send(&scene.disabled()).await, 202, "{found}");
        assert_eq!(scene.who_is_in().await, ["kim"], "{found}");
    }
}

#[tokio::test]
async fn the_metadata_and_keys_are_fetched_once() {
    let scene = Scene::new().await;
    for _ in 0..3 {
        assert_eq!(scene.send(&scene.disabled()).await, 202);
    }
    let requests = scene.transmitter.script().requests.clone();
    assert_eq!(requests, ["/.well-known/ssf-configuration", "/keys"]);
}

#[tokio::test]
async fn metadata_that_cannot_be_fetched_is_not_searched_under_another_name() {
    let scene = Scene::new().await;
    scene.transmitter.script().metadata_down = true;
    assert_eq!(scene.send(&scene.disabled()).await, 503);
    let requests = scene.transmitter.script().requests.clone();
    assert_eq!(requests, ["/.well-known/ssf-configuration"]);
    assert!(scene.all_are_in().await);
}

#[tokio::test]
async fn metadata_that_cannot_be_right_is_an_error_at_the_start() {
    let transmitter = Transmitter::start().await;
    let discover = || EventReceiver::discover(&*transmitter.issuer, AUDIENCE);
    assert!(discover().await.is_ok());
    for (metadata, expected) in [
        (
            json!({ "issuer": "https://elsewhere.test" }),
            "another issuer",
        ),
        (
            json!({ "issuer": format!("{}/", transmitter.issuer) }),
            "another issuer",
        ),
        (json!({ "issuer": 1 }), "issuer"),
        (json!({ "jwks_uri": null }), "jwks_uri"),
        (
            json!({ "critical_subject_members": "tenant" }),
            "critical_subject_members",
        ),
        (
            json!({ "critical_subject_members": [1] }),
            "critical_subject_members",
        ),
        (json!({ "jwks_uri": "http://example.com/keys" }), "jwks_uri"),
    ] {
        transmitter.script().metadata = metadata;
        let error = discover().await.unwrap_err();
        assert!(matches!(error, SecurityEventError::Remote(_)), "{error:?}");
        assert!(error.to_string().contains(expected), "{error}");
    }
    transmitter.script().metadata = json!({});
    let with_slash = format!("{}/", transmitter.issuer);
    let error = EventReceiver::discover(with_slash, AUDIENCE).await;
    assert!(
        matches!(
            error,
            Err(SecurityEventError::Remote(RemoteError::OtherIssuer))
        ),
        "{error:?}"
    );
    let error = EventReceiver::discover("http://example.com", AUDIENCE).await;
    let error = error.unwrap_err();
    let is_address = matches!(
        error,
        SecurityEventError::Remote(RemoteError::MetadataAddress { .. })
    );
    assert!(is_address, "{error:?}");
    // One that does not answer is a warning.
    log::listen();
    assert!(
        EventReceiver::discover("http://127.0.0.1:1", AUDIENCE)
            .await
            .is_ok()
    );
    assert_eq!(log::events("WARN").len(), 1);
}

#[tokio::test]
async fn a_new_key_of_the_sender_is_used_at_once() {
    let scene = Scene::new().await;
    scene.transmitter.script().keys = json!([OTHER_RSA.jwk()]);
    let token = OTHER_RSA.sign_with(&header(&OTHER_RSA), &scene.disabled());
    assert_eq!(scene.push(&token).await.status, 202);
    assert_eq!(scene.who_is_in().await, ["kim"]);
}

#[tokio::test]
async fn another_algorithm_is_accepted_where_it_is_set() {
    let scene = Scene::with(|receiver| receiver.signing_algorithm(SigningAlgorithm::Es256)).await;
    scene.transmitter.script().keys = json!([EC.jwk()]);
    assert_eq!(scene.send(&scene.disabled()).await, 400, "RS256");
    let token = EC.sign_with(&header(&EC), &scene.disabled());
    assert_eq!(scene.push(&token).await.status, 202);
    assert_eq!(scene.who_is_in().await, ["kim"]);
}

#[tokio::test]
async fn a_setting_that_refuses_what_the_sender_signs_is_a_warning() {
    let scene = Scene::new().await;
    assert_eq!(scene.send(&scene.disabled()).await, 202);
    let email = json!({ "format": "email", "email": "alex@example.com" });
    let mut foreign = scene.alex();
    foreign["iss"] = "https://elsewhere.test".into();
    let uri = scene.disabled()["events"]
        .as_object()
        .unwrap()
        .keys()
        .next()
        .cloned()
        .unwrap();
    for (claims, advice) in [
        (
            scene.about(&uri, json!({}), email),
            "accept_verified_emails",
        ),
        (scene.about(&uri, json!({}), foreign), "subject_issuers"),
    ] {
        log::listen();
        assert_eq!(scene.push(&sign(&claims)).await.status, 400);
        let warnings = log::events("WARN");
        assert_eq!(warnings.len(), 1, "{warnings:?}");
        assert!(warnings[0].contains(advice), "{warnings:?}");
        tokio::time::sleep(std::time::Duration::from_millis(1_050)).await;
    }
}

/// Nothing personal is logged, whatever arrives.
#[tokio::test]
async fn the_log_names_nobody() {
    log::listen();
    let scene = Scene::with(|receiver| receiver.accept_verified_emails()).await;
    let disabled = || scene.disabled();
    let uri = format!("{}/account-disabled", crate::support::RISC);
    let session = json!({ "format": "opaque", "id": "desk-session" });
    let mut secrets = Vec::new();
    for claims in [
        disabled(),
        scene.about(
            &uri,
            json!({}),
            json!({ "format": "email", "email": "alex@example.com" }),
        ),
        scene.about(
            &uri,
            json!({}),
            json!({ "user": scene.alex(), "session": session }),
        ),
        scene.about(
            "https://elsewhere.test/of-alex@example.com",
            json!({}),
            scene.alex(),
        ),
        scene.about(
            &uri,
            json!({ "reason_user": "alex@example.com" }),
            json!({ "format": 1 }),
        ),
    ] {
        let token = sign(&claims);
        scene.push(&token).await;
        secrets.push(token.rsplit('.').next().unwrap().to_owned());
        secrets.push(claims["jti"].as_str().unwrap().to_owned());
    }
    secrets.extend(["alex@", "Alex@", "desk-session"].map(str::to_owned));
    let text = test_support::log::text();
    let ours: Vec<_> = text
        .lines()
        .filter(|line| line.contains(" axum_clef::"))
        .collect();
    assert!(ours.len() > 3, "{ours:?}");
    for line in ours {
        for secret in &secrets {
            assert!(!line.contains(secret), "{secret}: {line}");
        }
    }
}
