//! Polling, for a site that no sender can reach.

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst},
    },
    time::Duration,
};

use axum_clef::{
    BoxError, BuildError, ClefLayer,
    secrecy::SecretString,
    security_events::{AccessToken, EventPoll, EventReceiver},
    stores::MemoryUserStore,
};
use serde_json::json;
use tokio::time::Instant;
use tower_sessions::MemoryStore;

use crate::{
    management::TOKEN,
    polling::Polling,
    support::{AUDIENCE, OTHER_RSA, RISC, header, log, now, sign},
};

#[tokio::test]
async fn a_polled_event_ends_logins_and_is_acknowledged() {
    let polling = Polling::new().await;
    let scene = &polling.scene;
    polling.offer("one", sign(&scene.disabled()));
    polling.until_settled().await;
    assert_eq!(scene.who_is_in().await, ["kim"]);
    let polls = polling.polls();
    assert_eq!(
        polls[0],
        json!({ "maxEvents": 16, "returnImmediately": false })
    );
    assert!(polls.iter().any(|poll| poll["ack"] == json!(["one"])));
    assert!(polls.iter().all(|poll| poll.get("setErrs").is_none()));
    // The same event changes nothing when it is repeated.
    let claims = scene.of_alex(&format!("{RISC}/account-purged"), json!({}));
    polling.offer("two", sign(&claims));
    polling.until_settled().await;
    scene.log_in().await;
    polling.offer("two", sign(&claims));
    polling.until_settled().await;
    assert!(scene.all_are_in().await);
}

#[tokio::test]
async fn an_event_is_acknowledged_only_once_it_is_written() {
    let polling = Polling::new().await;
    let scene = &polling.scene;
    scene.site.users.fail_logouts(true);
    polling.offer("one", sign(&scene.disabled()));
    let asked = polling.polls().len();
    polling
        .until("asked again", |management| {
            management.polls.len() > asked + 2
        })
        .await;
    for poll in polling.polls() {
        assert!(
            poll.get("ack").is_none() && poll.get("setErrs").is_none(),
            "{poll}"
        );
    }
    assert_eq!(
        scene.phone.is(&scene.nodes[1]).await,
        None,
        "refused meanwhile"
    );
    scene.site.users.fail_logouts(false);
    polling.until_settled().await;
    assert_eq!(scene.who_is_in().await, ["kim"]);
}

/// As many as a request asks for, and the sender sends the oldest first.
#[tokio::test]
async fn events_that_fail_do_not_hold_up_those_behind_them() {
    let polling = Polling::new().await;
    polling.scene.site.users.fail_logouts(true);
    let failing = (10..40).map(|number| (number.to_string(), sign(&polling.scene.disabled())));
    let later = ("later".to_owned(), "x".to_owned());
    let offered: Vec<_> = failing.chain([later]).collect();
    polling.management(|management| management.waiting.extend(offered));
    polling
        .until("not refused", |management| {
            !management.waiting.contains_key("later")
        })
        .await;
    polling.scene.site.users.fail_logouts(false);
    polling.until_settled().await;
    assert_eq!(polling.scene.who_is_in().await, ["kim"]);
}

/// More are asked for, so that new ones come beside those that have failed.
#[tokio::test]
async fn sixteen_events_are_handled_at_a_time_and_new_ones_first() {
    let running = Arc::<[AtomicUsize; 2]>::default();
    let calls = Arc::<Mutex<Vec<String>>>::default();
    let shared = (Arc::clone(&running), Arc::clone(&calls));
    let polling = Polling::with(|receiver| {
        receiver.on_event(move |event| {
            let (running, calls) = shared.clone();
            calls.lock().unwrap().push(event.token_id);
            async move {
                let [now, most] = &*running;
                most.fetch_max(now.fetch_add(1, SeqCst) + 1, SeqCst);
                tokio::time::sleep(Duration::from_millis(500)).await;
                now.fetch_sub(1, SeqCst);
                Err(BoxError::from("the table of accounts is locked"))
            }
        })
    });
    let polling = polling.await;
    let id = |number: usize| format!("{number:02}");
    let offered: Vec<_> = (0..60)
        .map(|number| {
            let mut claims = polling.scene.disabled();
            claims["jti"] = id(number).into();
            (id(number), sign(&claims))
        })
        .collect();
    polling.management(|management| management.waiting.extend(offered));
    polling
        .until("not asked for more", |management| {
            let mut polls = management.polls.iter();
            polls.any(|poll| poll["maxEvents"] == 64)
        })
        .await;
    assert_eq!(running[1].load(SeqCst), 16);
    let calls = calls.lock().unwrap().clone();
    for (calls, expected) in calls.chunks(16).zip([0..16, 16..32, 32..48]) {
        let mut calls = calls.to_vec();
        calls.sort();
        assert_eq!(calls, expected.map(id).collect::<Vec<_>>());
    }
    assert!(polling.scene.all_are_in().await);
}

#[tokio::test]
async fn a_bad_event_is_reported_with_its_code() {
    let polling = Polling::new().await;
    let scene = &polling.scene;
    let mut foreign = scene.disabled();
    foreign["aud"] = "https://elsewhere.test".into();
    polling.offer("audience", sign(&foreign));
    polling.offer("garbage", "x".to_owned());
    polling.offer("large", "x".repeat(17 * 1024));
    polling.offer(
        "key",
        OTHER_RSA.sign_with(&header(&OTHER_RSA), &scene.disabled()),
    );
    polling.until_settled().await;
    assert!(scene.all_are_in().await);
    let mut errors = json!({});
    for poll in polling.polls() {
        assert!(poll.get("ack").is_none(), "{poll}");
        for (id, error) in poll["setErrs"].as_object().into_iter().flatten() {
            errors[id] = error["err"].clone();
            assert!(error["description"].is_string());
        }
    }
    let expected = json!({
        "audience": "invalid_audience", "garbage": "invalid_request", "large": "invalid_request",
        "key": "invalid_key",
    });
    assert_eq!(errors, expected);
    // The descriptions are in English (RFC 8936, section 2.6).
    let languages = polling.management(|management| management.poll_languages.clone());
    for (poll, language) in polling.polls().iter().zip(languages) {
        let expected = poll.get("setErrs").map(|_| "en");
        assert_eq!(language.as_deref(), expected, "{poll}");
    }
}

/// The sender kept it while this site was away.
#[tokio::test]
async fn an_old_event_is_good_if_it_was_polled() {
    let polling = Polling::new().await;
    let mut old = polling.scene.disabled();
    old["iat"] = (now() - 30 * 24 * 60 * 60).into();
    assert_eq!(polling.scene.send(&old).await, 400, "pushed");
    polling.offer("old", sign(&old));
    polling.until_settled().await;
    assert_eq!(polling.scene.who_is_in().await, ["kim"]);
}

#[tokio::test]
async fn a_sender_that_waits_is_asked_once_and_answers_at_once() {
    let polling = Polling::new().await;
    polling.management(|management| management.holds = Duration::from_secs(30));
    // The request that acknowledges an event is the first that surely waits.
    let enabled = format!("{RISC}/account-enabled");
    let ends_nothing = polling.scene.of_alex(&enabled, json!({}));
    polling.offer("zero", sign(&ends_nothing));
    polling.until_settled().await;
    let asked = polling.polls().len();
    tokio::time::sleep(Duration::from_millis(700)).await;
    assert_eq!(polling.polls().len(), asked, "it waits");
    let offered_at = Instant::now();
    polling.offer("one", sign(&polling.scene.disabled()));
    polling.until_settled().await;
    assert!(offered_at.elapsed() < Duration::from_secs(2));
    assert_eq!(polling.scene.who_is_in().await, ["kim"]);
}

#[tokio::test]
async fn a_sender_that_does_not_wait_or_repeats_itself_is_not_asked_all_the_time() {
    let polling = Polling::new().await;
    polling.management(|management| management.repeats = true);
    for offered in [false, true] {
        if offered {
            polling.offer("one", sign(&polling.scene.disabled()));
            polling.offer("bad", "x".to_owned());
        }
        let before = polling.polls().len();
        tokio::time::sleep(Duration::from_secs(1)).await;
        let asked = polling.polls().len() - before;
        assert!((3..=15).contains(&asked), "{asked} requests a second");
    }
}

/// Whatever the sender says, nothing of it is new.
#[tokio::test]
async fn a_sender_that_always_says_that_it_has_more_is_not_asked_all_the_time() {
    let polling = Polling::new().await;
    let set = |id: &str| {
        let token = sign(&polling.scene.disabled());
        json!({ "sets": { id: token, "bad": "x" }, "moreAvailable": true })
    };
    let long = "x".repeat(1_025);
    let nothing = json!({ "sets": {}, "moreAvailable": true });
    for rounds in [
        vec![nothing.clone()],
        vec![set("one"), set("two")],
        vec![set("one"), nothing, set("two"), set("three")],
        vec![json!({ "sets": { long: "x" }, "moreAvailable": true })],
    ] {
        polling.management(|management| management.rounds = rounds);
        let before = polling.polls().len();
        tokio::time::sleep(Duration::from_secs(1)).await;
        let asked = polling.polls().len() - before;
        assert!((3..=18).contains(&asked), "{asked} requests a second");
    }
}

/// A backlog comes in many answers.
#[tokio::test]
async fn new_events_are_asked_for_without_a_pause() {
    let mut polling = Polling::new().await;
    polling.task.take().unwrap().abort();
    let token = sign(&polling.scene.disabled());
    let rounds = (0..=50).map(|id| json!({ "sets": { id.to_string(): token } }));
    let rounds = rounds.chain([json!({ "sets": {} })]).collect();
    polling.management(|management| {
        management.rounds = rounds;
        management.polls.clear();
    });
    polling.poll = polling.poll.clone().interval(Duration::from_secs(60));
    polling.start();
    polling
        .until("the backlog", |management| management.polls.len() >= 51)
        .await;
    assert_eq!(polling.scene.who_is_in().await, ["kim"]);
}

#[tokio::test]
async fn an_id_that_is_too_long_is_refused_and_logged() {
    log::listen();
    let polling = Polling::new().await;
    let (long, longest) = ("x".repeat(1_025), "y".repeat(1_024));
    polling.offer(&long, sign(&polling.scene.disabled()));
    polling.until_settled().await;
    assert!(polling.scene.all_are_in().await);
    let polls = polling.polls();
    let mut errors = polls.iter().filter_map(|poll| poll["setErrs"].get(&long));
    assert_eq!(errors.next().unwrap()["err"], "invalid_request");
    let warnings = log::events("WARN");
    assert_eq!(warnings.len(), 1, "{warnings:?}");
    assert!(warnings[0].contains("too long") && !warnings[0].contains("xx"));
    polling.offer(&longest, sign(&polling.scene.disabled()));
    polling.until_settled().await;
    assert_eq!(polling.scene.who_is_in().await, ["kim"]);
}

#[tokio::test]
async fn a_function_for_the_token_that_panics_ends_no_polling() {
    log::listen();
    let mut polling = Polling::new().await;
    polling.task.take().unwrap().abort();
    for panics_at_once in [true, false] {
        let is_first = Arc::new(AtomicBool::new(true));
        let token = AccessToken::new(move || {
            let panics = is_first.swap(false, SeqCst);
            assert!(!(panics && panics_at_once), "no token yet");
            async move {
                assert!(!panics, "no token yet");
                Ok(SecretString::from(TOKEN))
            }
        });
        let receiver = EventReceiver::new(&*polling.scene.transmitter.issuer, AUDIENCE).unwrap();
        let receiver = receiver.subject_issuers([&*polling.scene.site.provider.issuer]);
        let url = polling.scene.transmitter.url("/ssf/poll");
        polling.poll = EventPoll::new(&receiver, &url, token).unwrap();
        polling.start();
        polling.offer("one", sign(&polling.scene.disabled()));
        polling.until_settled().await;
        assert_eq!(polling.scene.who_is_in().await, ["kim"]);
        polling.task.take().unwrap().abort();
        polling.scene.log_in().await;
    }
    assert_eq!(log::events("WARN").len(), 2);
    polling.start();
}

#[tokio::test]
async fn a_failing_sender_is_asked_less_and_less_and_nothing_is_lost() {
    log::listen();
    let mut polling = Polling::new().await;
    polling.task.take().unwrap().abort();
    polling.management(|management| management.refuses = Some(500));
    let before = polling.polls().len();
    polling.start();
    tokio::time::sleep(Duration::from_millis(3_500)).await;
    let asked = polling.polls().len() - before;
    assert!((2..=3).contains(&asked), "{asked} requests in 3.5 seconds");
    assert_eq!(log::events("WARN").len(), asked);
    assert!(log::events("WARN")[0].contains("500"));
    for body in [
        "",
        "[]",
        "{\"sets\":[]}",
        &"[".repeat(10_000),
        &"x".repeat(600_000),
    ] {
        polling.management(|management| {
            management.refuses = None;
            management.body = Some(body.to_owned());
        });
        polling.task.take().unwrap().abort();
        polling.start();
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    assert!(polling.scene.all_are_in().await);
    polling.management(|management| management.body = None);
    polling.offer("one", sign(&polling.scene.disabled()));
    polling.until_settled().await;
    assert_eq!(polling.scene.who_is_in().await, ["kim"]);
}

#[tokio::test]
async fn polling_ends_with_its_future_and_its_logouts_go_on() {
    let mut polling = Polling::new().await;
    polling.scene.site.users.before_log_out.set();
    polling.offer("one", sign(&polling.scene.disabled()));
    polling.scene.site.users.before_log_out.reached().await;
    let task = polling.task.take().unwrap();
    task.abort();
    assert!(task.await.unwrap_err().is_cancelled());
    polling.scene.site.users.before_log_out.go();
    let asked = polling.polls().len();
    tokio::time::sleep(Duration::from_millis(500)).await;
    assert_eq!(polling.polls().len(), asked);
    assert_eq!(polling.scene.who_is_in().await, ["kim"]);
    // The sender repeats it, which changes nothing.
    polling.scene.log_in().await;
    polling.start();
    polling.until_settled().await;
    assert!(polling.scene.all_are_in().await);
}

#[tokio::test]
async fn a_site_that_knows_nobody_by_an_identity_polls_nothing() {
    let layer = ClefLayer::builder(
        "https://site.example",
        MemoryUserStore::new(),
        MemoryStore::default(),
    );
    let layer = layer.login_page("/log-in").build().unwrap();
    let receiver = EventReceiver::new("http://127.0.0.1:1", AUDIENCE).unwrap();
    let token = SecretString::from(TOKEN);
    let poll = EventPoll::new(&receiver, "http://127.0.0.1:1/poll", token.clone()).unwrap();
    let error = layer.poll_events(poll).err();
    assert!(matches!(
        error,
        Some(BuildError::NoLogoutEndpoint("poll_events"))
    ));
    assert!(EventPoll::new(&receiver, "http://example.com/poll", token).is_err());
}
