//! When the sender of polled events is asked again.

use std::{
    future::ready,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
    time::Duration,
};

use axum_clef::BoxError;

use crate::{
    polling::{Polling, advance},
    support::sign,
};

/// Longer than a test takes.
const INTERVAL: Duration = Duration::from_secs(60);
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
    for number in 0..=160 {
        let id = format!("{number:03}");
        let mut claims = polling.scene.disabled();
        claims["jti"] = id.clone().into();
        polling.offer(&id, sign(&claims));
    }
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
