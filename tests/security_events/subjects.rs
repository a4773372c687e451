//! Whom an event names: a person, a session, or a subject that this site does not know.

use std::sync::atomic::Ordering::SeqCst;

use axum_clef::{
    BuildError, ClefLayer,
    oidc::Oidc,
    security_events::{EventPoll, EventReceiver},
};
use secrecy::SecretString;
use serde_json::{Value, json};
use test_support::SubjectsAlone;
use tower_sessions::MemoryStore;

use crate::support::{
    ALEX, AUDIENCE, CAEP, DESK, KIM, OAUTH, PATH, RISC, Scene, Site, error_code, sign,
};

fn revoked() -> String {
    format!("{CAEP}/session-revoked")
}

fn opaque(id: &str) -> Value {
    json!({ "format": "opaque", "id": id })
}

#[tokio::test]
async fn a_session_ends_alone() {
    let scene = Scene::new().await;
    for subject in [
        json!({ "format": "complex", "user": scene.alex(), "session": opaque(DESK.session) }),
        json!({ "format": "complex", "session": opaque(DESK.session), "tenant": opaque("1") }),
        // In older drafts complex subjects have no format.
        json!({ "user": scene.alex(), "session": opaque(DESK.session) }),
        // The subject is the session itself.
        opaque(DESK.session),
    ] {
        let claims = scene.about(&revoked(), json!({}), subject.clone());
        assert_eq!(scene.send(&claims).await, 202, "{subject}");
        assert_eq!(scene.who_is_in().await, ["phone", "kim"], "{subject}");
        scene.log_in().await;
    }
}

#[tokio::test]
async fn an_unknown_session_ends_nobody() {
    let scene = Scene::new().await;
    for user in [scene.alex(), Value::Null] {
        let subject = json!({ "format": "complex", "user": user, "session": opaque("unknown") });
        let claims = scene.about(&revoked(), json!({}), subject.clone());
        assert_eq!(scene.send(&claims).await, 202, "{subject}");
        assert!(scene.all_are_in().await, "{subject}");
    }
    for id in ["unknown", "alex", ALEX.subject, "1"] {
        assert_eq!(
            scene
                .send(&scene.about(&revoked(), json!({}), opaque(id)))
                .await,
            202
        );
        assert!(scene.all_are_in().await, "{id}");
    }
}

/// Keycloak sends one event for all sessions of a user.
#[tokio::test]
async fn the_session_all_is_every_session_of_the_user() {
    let scene = Scene::new().await;
    let all = opaque("ALL");
    let subject = json!({ "format": "complex", "user": scene.alex(), "session": all });
    let claims = scene.about(&revoked(), json!({}), subject);
    assert_eq!(scene.send(&claims).await, 202);
    assert_eq!(scene.who_is_in().await, ["kim"]);
    scene.log_in().await;
    // Without an accepted user, it can end no login.
    let email = json!({ "format": "email", "email": "alex@example.com" });
    for subject in [
        json!({ "format": "complex", "session": all }),
        json!({ "format": "complex", "session": all, "tenant": opaque("1") }),
        json!({ "format": "complex", "user": email, "session": all }),
        all.clone(),
    ] {
        let claims = scene.about(&revoked(), json!({}), subject.clone());
        let heard = scene.push(&sign(&claims)).await;
        assert_eq!(error_code(&heard), "invalid_request", "{subject}");
        assert!(scene.all_are_in().await, "{subject}");
    }
}

/// A disabled account has no login that goes on, whatever session the event names beside it.
#[tokio::test]
async fn a_session_narrows_no_other_event() {
    let scene = Scene::new().await;
    let session = |session: Value| json!({ "user": scene.alex(), "session": session });
    for uri in [
        format!("{RISC}/account-disabled"),
        format!("{RISC}/account-purged"),
        format!("{RISC}/account-credential-change-required"),
        format!("{RISC}/credential-compromise"),
        format!("{RISC}/sessions-revoked"),
        format!("{CAEP}/credential-change"),
        format!("{OAUTH}/tokens-revoked"),
    ] {
        for subject in [
            session(opaque(DESK.session)),
            session(opaque("unknown")),
            session(json!({ "format": "jwt_id", "iss": "x", "jti": "1" })),
        ] {
            let claims = scene.about(&uri, json!({}), subject.clone());
            assert_eq!(scene.send(&claims).await, 202, "{uri} {subject}");
            assert_eq!(scene.who_is_in().await, ["kim"], "{uri} {subject}");
            scene.log_in().await;
        }
    }
    // Nothing else is named.
    let alone = json!({ "format": "complex", "session": opaque(DESK.session) });
    let claims = scene.about(&format!("{RISC}/account-disabled"), json!({}), alone);
    assert_eq!(scene.send(&claims).await, 202);
    assert_eq!(scene.who_is_in().await, ["phone", "kim"]);
}

/// Its sender would take the logout for done.
#[tokio::test]
async fn a_subject_that_can_end_nothing_is_refused() {
    let scene = Scene::new().await;
    let mut subjects = Vec::new();
    for session in [
        json!({ "format": "jwt_id", "iss": "x", "jti": "1" }),
        json!({ "format": "email", "email": "alex@example.com" }),
        scene.alex(),
    ] {
        subjects.push(json!({ "user": scene.alex(), "session": session }));
        subjects.push(json!({ "format": "complex", "session": session }));
    }
    for more in ["device", "tenant", "org_unit", "group", "application"] {
        subjects.push(json!({ "format": "complex", more: opaque("1") }));
    }
    for subject in subjects {
        let claims = scene.about(&revoked(), json!({}), subject.clone());
        let heard = scene.push(&sign(&claims)).await;
        assert_eq!(error_code(&heard), "invalid_request", "{subject}");
        assert!(scene.all_are_in().await, "{subject}");
        // An event that ends nothing may name anything.
        let risk = format!("{CAEP}/risk-level-change");
        let claims = scene.about(&risk, json!({}), subject.clone());
        assert_eq!(scene.send(&claims).await, 202, "{subject}");
    }
}

#[tokio::test]
async fn a_session_ends_the_person_where_no_sessions_are_kept() {
    let scene = Scene::new().await;
    scene.site.users.no_revocations.store(true, SeqCst);
    let session = opaque(DESK.session);
    let unnamed = json!({ "format": "complex", "session": session });
    let heard = scene
        .push(&sign(&scene.about(&revoked(), json!({}), unnamed)))
        .await;
    assert_eq!(error_code(&heard), "invalid_request");
    assert!(scene.all_are_in().await);
    let named = json!({ "format": "complex", "user": scene.alex(), "session": session });
    assert_eq!(
        scene.send(&scene.about(&revoked(), json!({}), named)).await,
        202
    );
    assert_eq!(scene.who_is_in().await, ["kim"]);
}

#[tokio::test]
async fn a_complex_subject_without_a_session_is_the_person() {
    let scene = Scene::new().await;
    for more in ["device", "tenant", "org_unit", "group", "application"] {
        let with_user = json!({ "format": "complex", "user": scene.alex(), more: opaque("1") });
        assert_eq!(
            scene
                .send(&scene.about(&revoked(), json!({}), with_user))
                .await,
            202
        );
        assert_eq!(scene.who_is_in().await, ["kim"], "{more}");
        scene.log_in().await;
    }
}

#[tokio::test]
async fn the_subject_is_in_the_token_or_in_the_event() {
    let scene = Scene::new().await;
    let disabled = format!("{RISC}/account-disabled");
    let inside = |subject: Value| json!({ "subject": subject });
    let claims = scene.transmitter.claims(&disabled, inside(scene.alex()));
    assert_eq!(scene.send(&claims).await, 202);
    assert_eq!(scene.who_is_in().await, ["kim"]);
    scene.log_in().await;
    let both = scene.of_alex(&disabled, inside(scene.alex()));
    assert_eq!(scene.send(&both).await, 202);
    assert_eq!(scene.who_is_in().await, ["kim"]);
    scene.log_in().await;
    for claims in [
        scene.of_alex(&disabled, inside(scene.person(KIM))),
        scene.of_alex(&disabled, inside(json!({ "format": "email" }))),
        scene.transmitter.claims(&disabled, json!({})),
        scene.transmitter.claims(&disabled, inside("alex".into())),
        scene.about(&disabled, json!({}), json!([scene.alex()])),
        scene.about(&disabled, json!({}), json!({ "format": "complex" })),
        scene.about(
            &disabled,
            json!({}),
            json!({ "format": "iss_sub", "iss": "x" }),
        ),
        // Also of an event that ends nothing.
        scene.about(
            &format!("{CAEP}/risk-level-change"),
            json!({}),
            json!({ "format": "iss_sub", "iss": "x" }),
        ),
        // Google's word, of another sender.
        scene.about(
            &disabled,
            json!({}),
            json!({ "subject_type": "iss-sub", "iss": scene.site.provider.issuer, "sub": "alex" }),
        ),
    ] {
        let heard = scene.push(&sign(&claims)).await;
        assert_eq!(error_code(&heard), "invalid_request", "{claims}");
        assert!(scene.all_are_in().await, "{claims}");
    }
}

#[tokio::test]
async fn a_subject_of_another_issuer_is_refused() {
    let scene = Scene::new().await;
    for issuer in [&*scene.transmitter.issuer, "https://elsewhere.test"] {
        let subject = json!({ "format": "iss_sub", "iss": issuer, "sub": "alex" });
        let complex = json!({ "format": "complex", "user": subject, "session": opaque("1") });
        for subject in [subject, complex] {
            let claims = scene.about(&revoked(), json!({}), subject);
            let heard = scene.push(&sign(&claims)).await;
            assert_eq!(error_code(&heard), "invalid_request");
            assert!(scene.all_are_in().await);
        }
    }
}

#[tokio::test]
async fn an_unknown_person_is_no_secret_that_an_answer_tells() {
    let scene = Scene::new().await;
    let mut unknown = scene.alex();
    unknown["sub"] = "unknown".into();
    let heard = scene
        .push(&sign(&scene.about(&revoked(), json!({}), unknown)))
        .await;
    assert_eq!((heard.status, &*heard.body), (202, ""));
    assert!(scene.all_are_in().await);
}

#[tokio::test]
async fn an_address_ends_logins_only_where_it_may() {
    let email = json!({ "format": "email", "email": "Alex@Example.com" });
    let refusing = Scene::new().await;
    let claims = refusing.about(&revoked(), json!({}), email.clone());
    let heard = refusing.push(&sign(&claims)).await;
    assert_eq!(error_code(&heard), "invalid_request");
    assert!(refusing.all_are_in().await);
    // An event that ends nothing may name a person so.
    let risk = format!("{CAEP}/risk-level-change");
    assert_eq!(
        refusing
            .send(&refusing.about(&risk, json!({}), email.clone()))
            .await,
        202
    );

    let scene = Scene::with(|receiver| receiver.accept_verified_emails()).await;
    assert_eq!(
        scene.send(&scene.about(&revoked(), json!({}), email)).await,
        202
    );
    assert_eq!(scene.who_is_in().await, ["kim"]);
    let unknown = json!({ "format": "email", "email": "unknown@example.com" });
    assert_eq!(
        scene
            .send(&scene.about(&revoked(), json!({}), unknown))
            .await,
        202
    );
    assert_eq!(scene.who_is_in().await, ["kim"]);
}

/// Identifiers that no ready store knows: a logout would end nothing, and look like one that did.
#[tokio::test]
async fn other_identifiers_end_logins_only_where_they_may() {
    let named = |id: &str| {
        [
            json!({ "format": "account", "uri": format!("acct:{id}@example.com") }),
            json!({ "format": "phone_number", "phone_number": "+12065550100" }),
            json!({ "format": "did", "url": format!("did:example:{id}") }),
            json!({ "format": "uri", "uri": format!("https://id.test/{id}") }),
            opaque(id),
        ]
    };
    let disabled = format!("{RISC}/account-disabled");
    let refusing = Scene::with(|receiver| receiver.accept_verified_emails()).await;
    for subject in named("alex") {
        let claims = refusing.about(&disabled, json!({}), subject.clone());
        let heard = refusing.push(&sign(&claims)).await;
        assert_eq!(error_code(&heard), "invalid_request", "{subject}");
        let user = json!({ "format": "complex", "user": subject, "tenant": opaque("1") });
        let claims = refusing.about(&revoked(), json!({}), user);
        let heard = refusing.push(&sign(&claims)).await;
        assert_eq!(error_code(&heard), "invalid_request", "{subject}");
    }
    assert!(refusing.all_are_in().await);
    let session = refusing.about(&revoked(), json!({}), opaque(DESK.session));
    assert_eq!(refusing.send(&session).await, 202, "a session");
    assert_eq!(refusing.who_is_in().await, ["phone", "kim"]);

    let scene = Scene::with(|receiver| receiver.accept_identifiers()).await;
    for uri in [&disabled, &revoked()] {
        for subject in named("alex") {
            let asked = scene.site.users.calls.load(SeqCst);
            let claims = scene.about(uri, json!({}), subject.clone());
            assert_eq!(scene.send(&claims).await, 202, "{subject}");
            assert!(scene.site.users.calls.load(SeqCst) > asked, "{subject}");
        }
    }
    assert!(scene.all_are_in().await, "the store knows none of them");
    let email = json!({ "format": "email", "email": "alex@example.com" });
    for subject in [
        email,
        json!({ "format": "jwt_id", "iss": "x", "jti": "1" }),
        json!({ "format": "saml_assertion_id", "issuer": "x", "assertion_id": "1" }),
        json!({ "format": "of a later version", "sub": "alex" }),
    ] {
        let heard = scene
            .push(&sign(&scene.about(&revoked(), json!({}), subject)))
            .await;
        assert_eq!(error_code(&heard), "invalid_request");
        assert!(scene.all_are_in().await);
    }
}

#[tokio::test]
async fn of_several_names_those_count_that_are_accepted() {
    let scene = Scene::new().await;
    let email = |name: &str| json!({ "format": "email", "email": format!("{name}@example.com") });
    let foreign = json!({ "format": "iss_sub", "iss": "https://elsewhere.test", "sub": "kim" });
    let aliases = |all: &[Value]| json!({ "format": "aliases", "identifiers": all });
    // The address of Kim is not accepted, so this is Alex alone.
    let mixed = aliases(&[email("kim"), foreign.clone(), scene.alex()]);
    assert_eq!(
        scene.send(&scene.about(&revoked(), json!({}), mixed)).await,
        202
    );
    assert_eq!(scene.who_is_in().await, ["kim"]);
    scene.log_in().await;
    for none in [aliases(&[email("alex")]), aliases(&[foreign]), aliases(&[])] {
        let heard = scene
            .push(&sign(&scene.about(&revoked(), json!({}), none)))
            .await;
        assert_eq!(error_code(&heard), "invalid_request");
        assert!(scene.all_are_in().await);
    }
}

/// Such a setting could end nothing.
#[tokio::test]
async fn identifiers_need_a_store_that_finds_users_by_them() {
    let receiver = EventReceiver::new("http://127.0.0.1:1", AUDIENCE).unwrap();
    let layer = || {
        let users = SubjectsAlone::default();
        let provider = Oidc::new("http://127.0.0.1:1", "site", "secret").unwrap();
        ClefLayer::builder(Site::ADDRESS, users, MemoryStore::default()).provider(provider)
    };
    let layer_without = layer().build().unwrap();
    let url = "http://127.0.0.1:1/poll";
    for (receiver, is_refused) in [
        (receiver.clone(), false),
        (receiver.clone().accept_verified_emails(), true),
        (receiver.accept_identifiers(), true),
    ] {
        let built = layer().logout_endpoint(PATH, receiver.clone()).build();
        let refused = Err(BuildError::IdentifiersNotKnown(PATH.to_owned()));
        assert_eq!(built.map(drop) == refused, is_refused);
        let poll = EventPoll::new(&receiver, url, SecretString::from("token")).unwrap();
        let polling = layer_without.poll_events(poll).map(drop);
        let refused = Err(BuildError::IdentifiersNotKnown(url.to_owned()));
        assert_eq!(polling == refused, is_refused);
    }
}
