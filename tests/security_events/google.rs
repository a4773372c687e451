//! Google's Cross-Account Protection: what it writes differently.

use std::sync::{Arc, Mutex};

use axum_clef::{Subject, SubjectIdentifier, security_events::EventReceiver};
use serde_json::{Value, json};

use crate::support::{ALEX, OAUTH, RISC, RSA, Scene, Site, Transmitter, error_code, now, sign};

const CLIENT_ID: &str = "123.apps.googleusercontent.com";

async fn scene() -> Scene {
    scene_with(|receiver| receiver).await
}

async fn scene_with(set: impl FnOnce(EventReceiver) -> EventReceiver) -> Scene {
    let (site, transmitter) = (Site::start().await, Transmitter::start().await);
    transmitter.script().metadata_path = "/.well-known/risc-configuration".to_owned();
    let receiver = EventReceiver::new(&*transmitter.issuer, CLIENT_ID).unwrap();
    let receiver = receiver
        .google_dialect()
        .audience("456.apps.googleusercontent.com")
        .subject_issuers([&*site.provider.issuer]);
    Scene::of(site, transmitter, set(receiver)).await
}

/// The claims as Google documents them, with slashes behind the issuers.
fn claims(scene: &Scene, uri: &str, kind: &str) -> Value {
    let mut claims = scene.transmitter.claims(
        uri,
        json!({
            "subject": {
                "subject_type": kind,
                "iss": format!("{}/", scene.site.provider.issuer),
                "sub": "alex",
                "email": "alex@example.com",
            },
            "reason": "hijacking",
        }),
    );
    claims["iss"] = format!("{}/", scene.transmitter.issuer).into();
    claims["aud"] = json!(["789.apps.googleusercontent.com", CLIENT_ID]);
    claims
}

#[tokio::test]
async fn googles_events_end_logins() {
    let scene = scene().await;
    for (uri, kind) in [
        (format!("{RISC}/account-disabled"), "iss-sub"),
        (format!("{RISC}/sessions-revoked"), "id_token_claims"),
        (format!("{OAUTH}/tokens-revoked"), "iss_sub"),
    ] {
        // With its type and without.
        for token in [
            sign(&claims(&scene, &uri, kind)),
            RSA.sign(&claims(&scene, &uri, kind)),
        ] {
            let heard = scene.push(&token).await;
            assert_eq!((heard.status, &*heard.body), (202, ""), "{uri}");
            assert_eq!(scene.who_is_in().await, ["kim"], "{uri}");
            scene.log_in().await;
        }
    }
    let token = json!({ "subject_type": "oauth_token", "token_type": "refresh_token" });
    let revoked = scene.transmitter.claims(
        &format!("{OAUTH}/token-revoked"),
        json!({ "subject": token }),
    );
    let mut revoked = revoked;
    revoked["aud"] = CLIENT_ID.into();
    assert_eq!(scene.send(&revoked).await, 202);
    let verification = format!("{RISC}/verification");
    let mut verification = scene
        .transmitter
        .claims(&verification, json!({ "state": "1" }));
    verification["aud"] = CLIENT_ID.into();
    assert_eq!(scene.send(&verification).await, 202);
    assert!(scene.all_are_in().await);
}

/// The metadata of other senders must name the issuer exactly.
#[tokio::test]
async fn a_slash_behind_the_issuer_of_the_metadata_makes_no_difference() {
    let scene = scene().await;
    let issuer = format!("{}/", scene.transmitter.issuer);
    scene.transmitter.script().metadata = json!({ "issuer": issuer });
    let disabled = claims(&scene, &format!("{RISC}/account-disabled"), "iss-sub");
    assert_eq!(scene.send(&disabled).await, 202);
    assert_eq!(scene.who_is_in().await, ["kim"]);
}

#[tokio::test]
async fn other_tokens_of_google_are_no_events() {
    let scene = scene().await;
    let id_token = json!({
        "iss": scene.transmitter.issuer, "aud": CLIENT_ID, "sub": "alex", "nonce": "1",
        "iat": now(), "exp": now() + 300, "jti": "1",
    });
    let mut logout = scene.site.provider.logout_claims(ALEX);
    logout["iss"] = scene.transmitter.issuer.clone().into();
    logout["aud"] = CLIENT_ID.into();
    for token in [&id_token, &logout] {
        let heard = scene.push(&RSA.sign(token)).await;
        assert_eq!(error_code(&heard), "invalid_request");
    }
    assert!(scene.all_are_in().await);
}

#[test]
fn google_is_configured_by_its_client_ids() {
    let receiver = EventReceiver::google([CLIENT_ID]).unwrap();
    let shown = format!("{receiver:?}");
    assert!(shown.contains("https://accounts.google.com") && shown.contains(CLIENT_ID));
}

/// So it can be compared with the subject of a login.
#[tokio::test]
async fn the_hook_receives_the_subject_as_the_provider_writes_it() {
    let received = Arc::<Mutex<Vec<_>>>::default();
    let events = Arc::clone(&received);
    let scene = scene_with(|receiver| {
        receiver.on_event(move |event| {
            events.lock().unwrap().push(event.subject);
            async { Ok(()) }
        })
    });
    let scene = scene.await;
    let enabled = claims(&scene, &format!("{RISC}/account-enabled"), "iss-sub");
    assert_eq!(scene.push(&sign(&enabled)).await.status, 202);
    let subject = received.lock().unwrap().pop().flatten().unwrap();
    let alex = Subject::new(&scene.site.provider.issuer, ALEX.subject);
    assert_eq!(subject.user, Some(SubjectIdentifier::IssSub(alex)));
}
