//! When the sender of polled events is asked again.

use std::time::Duration;

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
