//! The hook of the application, and the events that only it cares about.

use std::sync::{
    Arc, Mutex,
    atomic::{AtomicBool, Ordering::SeqCst},
};

use axum_clef::{
    BoxError, SubjectIdentifier, Timestamp,
    security_events::{
        ChangeType, EventReceiver, Initiator, SecurityEvent, SecurityEventKind as Kind,
    },
};
use serde_json::json;

use crate::support::{CAEP, RISC, SSF, Scene, error_code, now, sign};

/// What the hook has received, and whether it fails.
#[derive(Clone, Default)]
struct Received {
    events: Arc<Mutex<Vec<SecurityEvent>>>,
    fails: Arc<AtomicBool>,
    panics: Arc<AtomicBool>,
}

impl Received {
    async fn scene(&self) -> Scene {
        let hook = self.clone();
        Scene::with(|receiver| {
            receiver.on_event(move |event| {
                let hook = hook.clone();
                async move { hook.receive(event) }
            })
        })
        .await
    }

    fn receive(&self, event: SecurityEvent) -> Result<(), BoxError> {
        assert!(!self.panics.load(SeqCst), "the hook panics");
        self.events.lock().unwrap().push(event);
        match self.fails.load(SeqCst) {
            true => Err("the table of accounts is locked".into()),
            false => Ok(()),
        }
    }

    fn last(&self) -> SecurityEvent {
        self.events.lock().unwrap().last().cloned().unwrap()
    }

    fn count(&self) -> usize {
        self.events.lock().unwrap().len()
    }
}

#[tokio::test]
async fn the_hook_receives_each_event_with_its_types() {
    let received = Received::default();
    let scene = received.scene().await;
    let claims = scene.of_alex(
        &format!("{CAEP}/credential-change"),
        json!({
            "credential_type": "fido2-roaming",
            "change_type": "delete",
            "event_timestamp": 1_615_304_991_643_u64,
            "initiating_entity": "admin",
            "reason_admin": { "en": "Landspeed violation", "de": "Zu schnell" },
            "reason_user": "Call us",
            "friendly_name": "The blue key",
        }),
    );
    assert_eq!(scene.send(&claims).await, 202);
    let event = received.last();
    assert_eq!(event.issuer, scene.transmitter.issuer);
    assert_eq!(event.token_id, claims["jti"]);
    let Kind::CredentialChange(change) = &event.kind else {
        panic!("{event:?}");
    };
    assert_eq!(change.credential_type, "fido2-roaming");
    assert_eq!(change.change, ChangeType::Delete);
    assert_eq!(
        event.at,
        Some(Timestamp::from_micros(1_615_304_991_643_000))
    );
    assert_eq!(event.initiator, Some(Initiator::Administrator));
    assert_eq!(event.reason_admin["de"], "Zu schnell");
    assert_eq!(event.reason_user[""], "Call us");
    assert_eq!(event.text("friendly_name"), Some("The blue key"));
    let subject = event.subject.unwrap();
    let Some(SubjectIdentifier::IssSub(alex)) = subject.user else {
        panic!("{subject:?}");
    };
    assert_eq!(
        (alex.issuer(), alex.id()),
        (&*scene.site.provider.issuer, "alex")
    );

    let mut later = scene.of_alex("https://elsewhere.test/unknown", json!({ "more": 1 }));
    later["toe"] = 1_615_304_991.into();
    let issued_at = now() - 60;
    later["iat"] = json!(issued_at as f64 + 0.5);
    assert_eq!(scene.send(&later).await, 202);
    let event = received.last();
    let issued_at = Timestamp::from_micros(issued_at as i64 * 1_000_000 + 500_000);
    assert_eq!(event.issued_at, issued_at);
    let uri = "https://elsewhere.test/unknown".to_owned();
    assert_eq!(event.kind, Kind::Unknown { uri });
    assert_eq!(
        event.at,
        Some(Timestamp::from_micros(1_615_304_991_000_000))
    );

    let status = json!({ "status": "paused", "reason": "maintenance" });
    let updated = scene
        .transmitter
        .claims(&format!("{SSF}/stream-updated"), status);
    assert_eq!(scene.send(&updated).await, 202);
    let (status, reason) = ("paused".to_owned(), Some("maintenance".to_owned()));
    assert_eq!(received.last().kind, Kind::StreamUpdated { status, reason });
    assert!(received.count() == 3);
}

#[tokio::test]
async fn the_hook_runs_before_the_logout_and_its_failure_is_503() {
    let received = Received::default();
    let scene = received.scene().await;
    received.fails.store(true, SeqCst);
    let token = sign(&scene.disabled());
    let heard = scene.push(&token).await;
    assert_eq!((heard.status, &*heard.body), (503, ""));
    assert!(scene.all_are_in().await, "nothing has ended yet");
    received.panics.store(true, SeqCst);
    assert_eq!(scene.push(&token).await.status, 503);
    received.panics.store(false, SeqCst);
    received.fails.store(false, SeqCst);
    assert_eq!(scene.push(&token).await.status, 202);
    assert_eq!(scene.who_is_in().await, ["kim"]);
    assert_eq!(received.count(), 2);
    assert_eq!(scene.push(&token).await.status, 202);
    assert_eq!(received.count(), 2, "a replay does not reach it");
}

#[tokio::test]
async fn what_is_refused_does_not_reach_the_hook() {
    let received = Received::default();
    let scene = received.scene().await;
    let mut forged = scene.disabled();
    forged["aud"] = "https://elsewhere.test".into();
    assert_eq!(scene.send(&forged).await, 400);
    let good = sign(&scene.disabled());
    let broken = format!("{}AAAA", &good[..good.len() - 4]);
    assert_ne!(scene.push(&broken).await.status, 202);
    let without_subject = scene
        .transmitter
        .claims(&format!("{RISC}/account-disabled"), json!({}));
    assert_eq!(scene.send(&without_subject).await, 400);
    assert_eq!(received.count(), 0);
}

#[tokio::test]
async fn a_verification_event_has_the_state_that_was_asked_for() {
    let received = Received::default();
    let (mut receiver, hook) = (None, received.clone());
    let scene = Scene::with(|with| {
        let with: EventReceiver = with.on_event(move |event| {
            let hook = hook.clone();
            async move { hook.receive(event) }
        });
        receiver = Some(with.clone());
        with
    })
    .await;
    let receiver = receiver.unwrap();
    let verification = |members| {
        let mut claims = scene
            .transmitter
            .claims(&format!("{SSF}/verification"), members);
        claims["sub_id"] = json!({ "format": "opaque", "id": "the stream" });
        claims
    };
    // Unasked, with and without a state.
    for members in [json!({}), json!({ "state": "any" })] {
        assert_eq!(scene.send(&verification(members)).await, 202);
    }
    receiver.expect_state("the state");
    let heard = scene
        .push(&sign(&verification(json!({ "state": "another" }))))
        .await;
    assert_eq!(error_code(&heard), "invalid_state");
    assert_eq!(received.count(), 2);
    assert_eq!(
        scene
            .send(&verification(json!({ "state": "the state" })))
            .await,
        202
    );
    let state = Some("the state".to_owned());
    assert_eq!(received.last().kind, Kind::Verification { state });
    assert!(scene.all_are_in().await);
}

/// An account must not be unlocked for a person of another issuer.
#[tokio::test]
async fn a_person_of_another_issuer_reaches_no_hook() {
    let received = Received::default();
    let scene = received.scene().await;
    let elsewhere = json!({ "format": "iss_sub", "iss": "https://elsewhere.test", "sub": "alex" });
    let aliases = json!({ "format": "aliases", "identifiers": [elsewhere] });
    for uri in [
        format!("{RISC}/account-enabled"),
        format!("{RISC}/account-disabled"),
    ] {
        for subject in [&elsewhere, &aliases] {
            let claims = scene.about(&uri, json!({}), subject.clone());
            assert_eq!(scene.send(&claims).await, 400, "{uri} {subject}");
        }
    }
    assert_eq!(received.count(), 0);
    // Of several names, those of accepted issuers.
    let aliases = json!({ "format": "aliases", "identifiers": [elsewhere, scene.alex()] });
    let claims = scene.about(&format!("{RISC}/account-enabled"), json!({}), aliases);
    assert_eq!(scene.send(&claims).await, 202);
    let user = received.last().subject.unwrap().user.unwrap();
    let alex = serde_json::from_value(scene.alex()).unwrap();
    assert_eq!(user, SubjectIdentifier::Aliases(vec![alex]));
    assert!(scene.all_are_in().await);
}
