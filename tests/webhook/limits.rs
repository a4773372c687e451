//! How many are checked at once, how many wait and how long, and what gives places back.

use std::{convert::Infallible, sync::atomic::Ordering::SeqCst, time::Duration};

use axum::{
    body::Body,
    http::{Request, StatusCode, header},
};
use axum_clef::AdmissionLimits;
use futures_util::StreamExt as _;
use tokio::{
    task::{JoinHandle, JoinSet},
    time::sleep,
};

use crate::site::{ATTACKER, Answer, MILLISECOND, PROVIDER, Site, answer, attacker};

/// How long the routes wait for a provider.
const CHECK: Duration = Duration::from_secs(15);
/// How long a sender waits for a store that fails at first.
const PATIENCE: Duration = Duration::from_secs(1);

fn busy(after: Duration) -> Answer {
    Answer {
        status: StatusCode::SERVICE_UNAVAILABLE,
        retry_after: true,
        after,
    }
}

/// Sends a notice and lets it come as far as it does.
async fn sent(site: &Site, token: &str) -> JoinHandle<Answer> {
    let answer = tokio::spawn(site.send(Some(ATTACKER), token));
    sleep(MILLISECOND).await;
    answer
}

#[tokio::test(start_paused = true)]
async fn no_more_call_the_provider_at_once_than_are_to() {
    for at_once in [1, 2, 7, 64] {
        let limits = AdmissionLimits::default().concurrency(at_once).queue(1_000);
        let site = Site::new(20 * MILLISECOND, limits).await;
        site.know_the_provider().await;
        let mut forged = JoinSet::new();
        for number in 0..500 {
            let sender = attacker(number % 10);
            forged.spawn(site.send(Some(sender), &format!("forged {number}")));
            forged.spawn(site.send(None, &format!("from nowhere {number}")));
        }
        sleep(10 * MILLISECOND).await;
        assert_eq!(site.calls.gauge.now(), at_once);
        // As many more of known senders, and no more of them.
        let mut real = JoinSet::new();
        for number in 0..500 {
            real.spawn(site.send(Some(PROVIDER), &format!("token:{}:{number}", number % 100)));
        }
        sleep(MILLISECOND).await;
        assert_eq!(site.calls.gauge.now(), 2 * at_once);
        forged.join_all().await;
        real.join_all().await;
        assert_eq!(site.calls.gauge.most(), 2 * at_once);
        assert_eq!(site.calls.gauge.now(), 0);
    }
}

#[tokio::test(start_paused = true)]
async fn a_wait_is_as_long_as_it_may_be_and_whoever_may_not_wait_hears_so_at_once() {
    for (waiting, longest_wait) in [(0, 300), (1, 300), (3, 700), (5, 5_000)] {
        let longest_wait = longest_wait * MILLISECOND;
        let limits = AdmissionLimits::default()
            .concurrency(1)
            .queue(waiting)
            .queue_timeout(longest_wait);
        let site = Site::new(Duration::ZERO, limits).await;
        let hung = sent(&site, "hang").await;
        let mut waits = JoinSet::new();
        for number in 0..waiting {
            waits.spawn(site.send(Some(ATTACKER), &format!("waits {number}")));
        }
        sleep(MILLISECOND).await;
        for number in 0..20 {
            let more = site.send(Some(ATTACKER), &format!("more {number}")).await;
            assert_eq!(more, busy(Duration::ZERO));
        }
        for waited in waits.join_all().await {
            assert_eq!(waited, busy(longest_wait));
        }
        assert_eq!(site.calls.gauge.all(), 1);
        assert_eq!(hung.await.unwrap(), busy(CHECK));
    }
}

#[tokio::test(start_paused = true)]
async fn a_notice_that_comes_again_waits_for_the_first_and_few_may() {
    let limits = AdmissionLimits::default()
        .concurrency(1)
        .queue(8)
        .queue_timeout(700 * MILLISECOND);
    let site = Site::new(Duration::ZERO, limits).await;

    // For one that is checked, no longer than its check.
    let hung = sent(&site, "hang").await;
    let again = [sent(&site, "hang").await, sent(&site, "hang").await];
    // One address has a quarter of the queue; another still waits.
    let one_more = site.send(Some(ATTACKER), "hang").await;
    assert_eq!(one_more, busy(Duration::ZERO));
    let elsewhere = tokio::spawn(site.send(None, "hang"));
    assert_eq!(hung.await.unwrap(), busy(CHECK));
    assert_eq!(elsewhere.await.unwrap(), busy(CHECK - 3 * MILLISECOND));
    for (number, again) in (1..).zip(again) {
        assert_eq!(again.await.unwrap(), busy(CHECK - number * MILLISECOND));
    }
    assert_eq!(site.calls.gauge.all(), 1);

    // For one that waits itself, no longer than its wait.
    let hung = sent(&site, "hang").await;
    let waits = sent(&site, "waits").await;
    let again = sent(&site, "waits").await;
    assert_eq!(waits.await.unwrap(), busy(700 * MILLISECOND));
    assert_eq!(again.await.unwrap(), busy(699 * MILLISECOND));
    assert_eq!(hung.await.unwrap(), busy(CHECK));

    // For one that is being written, as long as its sender does.
    site.users.log_out_fails.store(true, SeqCst);
    let written = sent(&site, "token:1").await;
    let again = sent(&site, "token:1").await;
    assert_eq!(written.await.unwrap(), busy(PATIENCE));
    assert_eq!(again.await.unwrap(), busy(PATIENCE));
    // The store takes it in the end, and nobody has to wait any more.
    site.users.log_out_fails.store(false, SeqCst);
    sleep(CHECK).await;
    let calls = site.calls.gauge.all();
    // Its sender is known by now: it may take the check and all eight places behind it.
    for _ in 0..1 + 8 {
        sent(&site, "hang").await;
    }
    let one_more = site.send(Some(ATTACKER), "hang").await;
    assert_eq!(one_more, busy(Duration::ZERO));
    let applied = site.send(Some(ATTACKER), "token:1").await;
    assert_eq!(
        (applied.status, applied.after),
        (StatusCode::OK, Duration::ZERO)
    );
    assert_eq!(site.calls.gauge.all(), calls + 1);
}

#[tokio::test(start_paused = true)]
async fn a_provider_that_panics_or_hangs_gives_the_place_back() {
    let limits = AdmissionLimits::default().concurrency(1).queue(0);
    let site = Site::new(Duration::ZERO, limits).await;
    for number in 0..5 {
        for (token, after) in [("panic", Duration::ZERO), ("hang", CHECK)] {
            assert_eq!(site.send(Some(ATTACKER), token).await, busy(after));
            let next = site.send(None, &format!("token:1:{number}{token}")).await;
            assert_eq!(next.status, StatusCode::OK);
        }
    }
}

/// The sender hangs up; the check goes on in its place, and the wait does not.
#[tokio::test(start_paused = true)]
async fn whoever_hangs_up_while_waiting_gives_the_wait_back() {
    let limits = AdmissionLimits::default()
        .concurrency(1)
        .queue(1)
        .queue_timeout(CHECK);
    let site = Site::new(20 * MILLISECOND, limits).await;
    for number in 0..5 {
        let _checked = sent(&site, &format!("checked {number}")).await;
        let waits = sent(&site, &format!("waits {number}")).await;
        waits.abort();
        assert!(waits.await.unwrap_err().is_cancelled());
        let real = site.send(None, &format!("token:1:{number}")).await;
        assert_eq!((real.status, real.retry_after), (StatusCode::OK, false));
    }
    assert_eq!(site.calls.gauge.all(), 10);
}

#[tokio::test(start_paused = true)]
async fn forged_notices_take_no_place_of_a_logout_that_is_owed() {
    let limits = AdmissionLimits::default().concurrency_per_client(64);
    let site = Site::set_up(20 * MILLISECOND, |layer| {
        layer.notice_limits(limits).pending_logout_limit(5)
    })
    .await;
    site.users.log_out_fails.store(true, SeqCst);
    for owed in 0..5 {
        assert_eq!(site.layer.pending_logouts(), owed);
        // All places to check are taken by what turns out to be forged.
        let mut forged = JoinSet::new();
        for number in 0..63 {
            forged.spawn(site.send(Some(ATTACKER), &format!("forged {owed} {number}")));
        }
        sleep(MILLISECOND).await;
        assert_eq!(site.calls.gauge.now(), 63);
        let real = site.send(Some(PROVIDER), &format!("token:{owed}")).await;
        assert_eq!(
            real,
            busy(20 * MILLISECOND + PATIENCE),
            "owed, not turned away"
        );
        for forged in forged.join_all().await {
            assert_eq!(forged.status, StatusCode::BAD_REQUEST);
        }
    }
    assert_eq!(site.layer.pending_logouts(), 5);

    // All places are owed: nothing is checked, for a good token would be lost.
    let calls = site.calls.gauge.all();
    for token in ["token:50", "token:51", "forged"] {
        let refused = site.send(Some(PROVIDER), token).await;
        assert_eq!(refused, busy(Duration::ZERO));
    }
    assert_eq!(site.calls.gauge.all(), calls);
    assert_eq!(site.layer.pending_logouts(), 5);

    site.users.log_out_fails.store(false, SeqCst);
    sleep(CHECK).await;
    assert_eq!(site.layer.pending_logouts(), 0, "none was lost");
    for token in ["token:50", "token:51"] {
        let real = site.send(Some(PROVIDER), token).await;
        assert_eq!(real.status, StatusCode::OK);
    }
}

#[tokio::test(start_paused = true)]
async fn a_notice_that_is_too_large_or_drips_has_no_place_and_costs_no_call() {
    let limits = AdmissionLimits::default().concurrency(1).queue(0);
    let site = Site::new(Duration::ZERO, limits).await;
    for length in [16 * 1_024 + 1, 1_024 * 1_024] {
        let large = site.send(Some(ATTACKER), &"x".repeat(length)).await;
        assert_eq!(large.status, StatusCode::PAYLOAD_TOO_LARGE);
    }
    // A letter a second, without end.
    let dripping = || {
        let drips = futures_util::stream::repeat(()).then(|()| async {
            sleep(Duration::from_secs(1)).await;
            Ok::<_, Infallible>("l")
        });
        let request = Request::post("/clef/logout")
            .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
            .body(Body::from_stream(drips));
        tokio::spawn(answer(site.app.clone(), request.unwrap()))
    };
    let dripping: Vec<_> = (0..100).map(|_| dripping()).collect();
    sleep(5 * MILLISECOND).await;
    let real = site.send(Some(PROVIDER), "token:1").await;
    assert_eq!((real.status, real.after), (StatusCode::OK, Duration::ZERO));
    assert!(dripping.iter().all(|drips| !drips.is_finished()));
    for drips in dripping {
        let answer = drips.await.unwrap();
        assert_eq!(answer.status, StatusCode::REQUEST_TIMEOUT);
        assert_eq!(answer.after, Duration::from_secs(10));
    }
    assert_eq!(site.calls.gauge.all(), 1);
}
