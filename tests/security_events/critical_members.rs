//! The members of a subject that a sender lists as critical (SSF 1.0, section 3.6).

use std::{
    error::Error as _,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
};

use axum_clef::{
    BuildError, ClefLayer,
    oidc::Oidc,
    secrecy::SecretString,
    security_events::{EventPoll, EventReceiver, SecurityEventError},
    stores::MemoryUserStore,
};
use serde_json::{Value, json};
use tower_sessions::MemoryStore;

use crate::{
    management::TOKEN,
    polling::Polling,
    support::{AUDIENCE, CAEP, DESK, PATH, RISC, Scene, Site, Transmitter, error_code, log, sign},
};

fn list_critical(transmitter: &Transmitter) {
    let critical = ["user", "session", "tenant", "region"];
    transmitter.script().metadata = json!({ "critical_subject_members": critical });
}

/// Alex, and one member more.
fn alex_and(scene: &Scene, member: &str) -> Value {
    let other = json!({ "format": "opaque", "id": DESK.session });
    json!({ "format": "complex", "user": scene.alex(), member: other })
}

#[tokio::test]
async fn an_event_with_a_critical_member_that_is_not_processed_is_refused() {
    let calls = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&calls);
    let scene = Scene::with(|receiver| {
        receiver.on_event(move |_| {
            counter.fetch_add(1, SeqCst);
            async { Ok(()) }
        })
    })
    .await;
    list_critical(&scene.transmitter);
    log::listen();
    let disabled = format!("{RISC}/account-disabled");
    for member in ["tenant", "region"] {
        let subject = alex_and(&scene, member);
        let inside = json!({ "subject": subject });
        for claims in [
            scene.about(&disabled, json!({}), subject.clone()),
            // Of one that ends nothing, the hook is not called.
            scene.about(&format!("{CAEP}/risk-level-change"), json!({}), subject),
            scene.transmitter.claims(&disabled, inside.clone()),
            scene
                .transmitter
                .claims("https://elsewhere.test/unknown", inside),
        ] {
            let heard = scene.push(&sign(&claims)).await;
            assert_eq!(error_code(&heard), "invalid_request", "{claims}");
            assert!(scene.all_are_in().await, "{claims}");
        }
        if member == "tenant" {
            let warnings = log::events("WARN");
            for word in [": tenant;", "accept_subject_members"] {
                assert!(warnings[0].contains(word), "{warnings:?}");
            }
        }
    }
    assert_eq!(calls.load(SeqCst), 0);
    // One that is not critical, or absent.
    for subject in [
        alex_and(&scene, "device"),
        json!({ "format": "complex", "user": scene.alex(), "tenant": null }),
        scene.alex(),
    ] {
        let claims = scene.about(&disabled, json!({}), subject.clone());
        assert_eq!(scene.send(&claims).await, 202, "{subject}");
        assert_eq!(scene.who_is_in().await, ["kim"], "{subject}");
        scene.log_in().await;
    }
    let revoked = format!("{CAEP}/session-revoked");
    let session = scene.about(&revoked, json!({}), alex_and(&scene, "session"));
    assert_eq!(scene.send(&session).await, 202);
    assert_eq!(scene.who_is_in().await, ["phone", "kim"]);
}

#[tokio::test]
async fn a_critical_member_that_the_application_processes_is_accepted() {
    let scene = Scene::with(|receiver| receiver.accept_subject_members(["tenant"])).await;
    list_critical(&scene.transmitter);
    let disabled = format!("{RISC}/account-disabled");
    let mut subject = alex_and(&scene, "tenant");
    let claims = scene.about(&disabled, json!({}), subject.clone());
    assert_eq!(scene.send(&claims).await, 202);
    assert_eq!(scene.who_is_in().await, ["kim"]);
    scene.log_in().await;
    subject["region"] = subject["tenant"].clone();
    let claims = scene.about(&disabled, json!({}), subject);
    let heard = scene.push(&sign(&claims)).await;
    assert_eq!(error_code(&heard), "invalid_request");
    assert!(scene.all_are_in().await);
}

#[tokio::test]
async fn a_polled_event_with_a_critical_member_is_refused_or_accepted_likewise() {
    for is_accepted in [false, true] {
        let polling = Polling::with(|receiver| match is_accepted {
            true => receiver.accept_subject_members(["tenant"]),
            false => receiver,
        })
        .await;
        let scene = &polling.scene;
        list_critical(&scene.transmitter);
        let uri = format!("{RISC}/account-disabled");
        let claims = scene.about(&uri, json!({}), alex_and(scene, "tenant"));
        polling.offer("one", sign(&claims));
        polling.until_settled().await;
        let polls = polling.polls();
        let mut refusals = polls.iter().filter_map(|poll| poll["setErrs"].get("one"));
        let refusal = refusals.next().map(|refusal| refusal["err"].clone());
        let expected = (!is_accepted).then(|| json!("invalid_request"));
        assert_eq!(refusal, expected);
        assert_eq!(scene.all_are_in().await, !is_accepted);
    }
}

#[tokio::test]
async fn a_member_that_has_no_effect_is_an_error_of_the_build() {
    let receiver = EventReceiver::new("http://127.0.0.1:1", AUDIENCE).unwrap();
    let layer = || {
        let provider = Oidc::new("http://127.0.0.1:1", "site", "secret").unwrap();
        let users = MemoryUserStore::new();
        ClefLayer::builder(Site::ADDRESS, users, MemoryStore::default()).provider(provider)
    };
    let layer_without = layer().build().unwrap();
    let url = "http://127.0.0.1:1/poll";
    for (name, is_refused) in [
        ("tenant", false),
        ("region", false),
        ("", true),
        ("format", true),
        ("user", true),
        ("session", true),
    ] {
        let receiver = receiver.clone().accept_subject_members([name]);
        let built = layer().logout_endpoint(PATH, receiver.clone()).build();
        let poll = EventPoll::new(&receiver, url, SecretString::from(TOKEN)).unwrap();
        let polling = layer_without.poll_events(poll).map(drop);
        for (result, at) in [(built.map(drop), PATH), (polling, url)] {
            let error = match result {
                Ok(()) => {
                    assert!(!is_refused, "{name} {at}");
                    continue;
                }
                Err(error) => error,
            };
            let text = error.to_string();
            assert!(is_refused && text.contains(&format!("{name:?}")), "{text}");
            let BuildError::LogoutEndpoint { path, error } = error else {
                panic!("{error:?}");
            };
            assert_eq!(path, at);
            let cause = error.source().unwrap().downcast_ref::<SecurityEventError>();
            assert!(matches!(cause, Some(SecurityEventError::SubjectMember(_))));
        }
    }
}
