//! When the sender of polled events is asked again.

use std::{
    future::ready,
    ops::RangeInclusive,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
    time::Duration,
};

use axum_clef::BoxError;
use serde_json::json;

use crate::{
    polling::{Polling, advance},
    support::{RISC, log, sign},
};

/// Longer than a test takes.
const INTERVAL: Duration = Duration::from_secs(60);
/// How long a request waits for an answer.
const LONG_POLL: Duration = Duration::from_secs(55);
/// Longer than all of them.
const HELD: Duration = Duration::from_secs(24 * 60 * 60);
/// Enough for a request that should not be sent.
const MOMENT: Duration = Duration::from_millis(300);

#[tokio::test]
async fn a_sender_without_long_polling_is_asked_once_an_interval() {
    let mut polling = Polling::new().await;
    polling.task.take().unwrap().abort();
    polling.management(|management| management.refuses_long_polls = true);
    polling.poll = polling.poll.clone().interval(INTERVAL).short_polling();
    polling.offer("one", sign(&polling.scene.disabled()));
    polling.start();
    polling.until_settled().await;
    assert_eq!(polling.scene.who_is_in().await, ["kim"]);
    for asked in 2..=4 {
        polling
            .until("not asked again", |management| {
                management.polls.len() == asked
            })
            .await;
        tokio::time::sleep(MOMENT).await;
        assert_eq!(polling.polls().len(), asked);
        advance(INTERVAL).await;
    }
    let polls = polling.polls();
    assert!(polls.iter().all(|poll| poll["returnImmediately"] == true));
}

/// Offers an event of each number, which is its id.
fn offer_all(polling: &Polling, numbers: RangeInclusive<u8>) {
    for number in numbers {
        let id = format!("{number:03}");
        let mut claims = polling.scene.disabled();
        claims["jti"] = id.clone().into();
        polling.offer(&id, sign(&claims));
    }
}

/// It is the oldest, and the others come in ten answers.
#[tokio::test]
async fn an_event_that_always_fails_slows_down_no_others() {
    let tries = Arc::<AtomicUsize>::default();
    let counted = Arc::clone(&tries);
    let polling = Polling::with(|receiver| {
        receiver.on_event(move |event| {
            if event.token_id != "000" {
                return ready(Ok(()));
            }
            counted.fetch_add(1, SeqCst);
            ready(Err(BoxError::from("the table of accounts is locked")))
        })
    });
    let mut polling = polling.await;
    polling.task.take().unwrap().abort();
    offer_all(&polling, 0..=160);
    polling.poll = polling.poll.clone().interval(INTERVAL);
    polling.start();
    polling
        .until("not settled", |management| management.waiting.len() == 1)
        .await;
    assert_eq!(polling.scene.who_is_in().await, ["kim"]);
    for tried in 1..=3 {
        polling
            .until("not tried again", |_| tries.load(SeqCst) == tried)
            .await;
        tokio::time::sleep(MOMENT).await;
        assert_eq!(tries.load(SeqCst), tried);
        advance(INTERVAL).await;
    }
    assert!(!polling.management(|management| management.acknowledged("000")));
}

/// More than one answer has.
#[tokio::test]
async fn events_that_all_fail_delay_none_behind_them() {
    let polling = Polling::with(|receiver| {
        receiver.on_event(|event| match &*event.token_id < "040" {
            true => ready(Err(BoxError::from("the table of accounts is locked"))),
            false => ready(Ok(())),
        })
    });
    let mut polling = polling.await;
    polling.task.take().unwrap().abort();
    offer_all(&polling, 0..=40);
    polling.poll = polling.poll.clone().interval(INTERVAL);
    polling.start();
    polling
        .until("not settled", |management| management.waiting.len() == 40)
        .await;
    tokio::time::sleep(MOMENT).await;
    assert!(polling.polls().len() <= 5, "{:?}", polling.polls().len());
}

#[tokio::test]
async fn a_short_poll_without_an_answer_fails_within_seconds() {
    log::listen();
    let mut polling = Polling::new().await;
    polling.task.take().unwrap().abort();
    polling.management(|management| management.holds = HELD);
    polling.poll = polling.poll.clone().short_polling();
    polling.start();
    polling
        .until("not asked", |management| management.polls.len() == 1)
        .await;
    advance(Duration::from_secs(5)).await;
    polling
        .until("no failure", |_| log::events("WARN").len() == 1)
        .await;
    advance(Duration::from_secs(1)).await;
    polling
        .until("not asked again", |management| management.polls.len() == 2)
        .await;
}

#[tokio::test]
async fn a_poll_that_is_held_for_too_long_is_sent_again() {
    log::listen();
    let polling = Polling::new().await;
    polling.management(|management| management.holds = HELD);
    let enabled = format!("{RISC}/account-enabled");
    let ends_nothing = polling.scene.of_alex(&enabled, json!({}));
    polling.offer("zero", sign(&ends_nothing));
    polling
        .until("not acknowledged", |management| management.polls.len() == 2)
        .await;
    advance(LONG_POLL).await;
    polling
        .until("not sent again", |management| management.polls.len() == 3)
        .await;
    let polls = polling.polls();
    assert_eq!(polls[1]["ack"], json!(["zero"]));
    assert_eq!(polls[1], polls[2]);
    polling.offer("one", sign(&polling.scene.disabled()));
    polling.until_settled().await;
    assert_eq!(polling.scene.who_is_in().await, ["kim"]);
    assert_eq!(log::events("WARN"), [""; 0]);
}

/// It may have no events, or hang behind a load balancer.
#[tokio::test]
async fn a_sender_that_answers_no_poll_is_logged_once_an_hour() {
    log::listen();
    let polling = Polling::new().await;
    polling.management(|management| management.holds = HELD);
    for asked in 1..=76 {
        polling
            .until("not asked again", |management| {
                management.polls.len() == asked
            })
            .await;
        let lines = match asked {
            ..=10 => 0,
            11..=75 => 1,
            _ => 2,
        };
        let warnings = log::events("WARN");
        assert_eq!(warnings.len(), lines, "{asked}: {warnings:?}");
        advance(LONG_POLL).await;
    }
    assert!(log::events("WARN")[0].contains("`StreamClient::verify`"));
}

#[tokio::test]
async fn an_answer_that_never_ends_is_a_failure() {
    log::listen();
    let polling = Polling::new().await;
    polling.management(|management| management.stalls = true);
    polling
        .until("not asked", |management| management.polls.len() == 1)
        .await;
    // The head of the answer arrives.
    tokio::time::sleep(MOMENT).await;
    polling.management(|management| management.stalls = false);
    advance(LONG_POLL).await;
    polling.offer("one", sign(&polling.scene.disabled()));
    polling.until_settled().await;
    assert_eq!(polling.scene.who_is_in().await, ["kim"]);
    let warnings = log::events("WARN");
    assert_eq!(warnings.len(), 1, "{warnings:?}");
    assert!(warnings[0].contains("no answer in time"));
}
