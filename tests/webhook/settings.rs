//! The settings reach the webhook.

use std::{
    net::{IpAddr, SocketAddr},
    sync::atomic::Ordering::SeqCst,
    time::Duration,
};

use axum::{
    extract::ConnectInfo,
    http::{StatusCode, request::Parts},
};
use axum_clef::AdmissionLimits;
use tokio::time::sleep;

use test_support::notice_request;

use crate::site::{ATTACKER, Builder, MILLISECOND, Site, answer, attacker, peer};

/// How many are checked at once, how many wait and how long, and how many may be owed.
async fn measured(site: &Site) -> (usize, usize, Duration, usize) {
    let send = |number: usize| {
        let sender = attacker(number);
        tokio::spawn(site.send(Some(sender), &format!("forged {number}")))
    };
    let sent: Vec<_> = (0..2_000).map(send).collect();
    sleep(MILLISECOND).await;
    let at_once = site.calls.gauge.now();
    let mut waited = Vec::new();
    for sent in sent {
        let answer = sent.await.unwrap();
        if answer.retry_after && !answer.after.is_zero() {
            waited.push(answer.after);
        }
    }
    let longest = waited.iter().max().copied().unwrap_or_default();

    site.users.log_out_fails.store(true, SeqCst);
    site.calls.takes(Duration::ZERO);
    for owed in 0..2_000 {
        let token = format!("token:1:{owed}");
        let answer = tokio::spawn(site.send(Some(ATTACKER), &token));
        // Into the place where it is owed, or back with no for an answer.
        sleep(MILLISECOND).await;
        if answer.is_finished() {
            assert!(answer.await.unwrap().retry_after);
            return (at_once, waited.len(), longest, owed);
        }
    }
    panic!("no limit of what may be owed");
}

#[tokio::test(start_paused = true)]
async fn the_limits_are_those_that_are_set() {
    let limits = AdmissionLimits::default()
        .concurrency(3)
        .queue(4)
        .queue_timeout(123 * MILLISECOND);
    // Slow, so that whoever waits does so for as long as they may.
    let set_up = |layer: Builder| layer.notice_limits(limits).pending_logout_limit(5);
    let site = Site::set_up(Duration::from_secs(1), set_up).await;
    let expected = (3, 4, 123 * MILLISECOND, 5);
    assert_eq!(measured(&site).await, expected);
    // And stay so when the client address is set after them.
    let site = Site::set_up(Duration::from_secs(1), |layer| {
        set_up(layer).client_address(peer_of)
    });
    assert_eq!(measured(&site.await).await, expected);
}

#[tokio::test(start_paused = true)]
async fn the_defaults_are_those_that_the_documentation_names() {
    let site = Site::set_up(Duration::from_secs(2), |layer| layer).await;
    let one_second = Duration::from_secs(1);
    assert_eq!(measured(&site).await, (64, 256, one_second, 1_024));

    let site = Site::set_up(Duration::from_secs(2), |layer| layer).await;
    let send = |number: usize| tokio::spawn(site.send(Some(ATTACKER), &format!("{number}")));
    let _sent: Vec<_> = (0..100).map(send).collect();
    sleep(MILLISECOND).await;
    assert_eq!(site.calls.gauge.now(), 16, "of one address");
}

fn peer_of(request: &Parts) -> Option<IpAddr> {
    let ConnectInfo(peer) = request.extensions.get::<ConnectInfo<SocketAddr>>()?;
    Some(peer.ip())
}

/// Behind a proxy all come from one address; the header tells them apart.
#[tokio::test(start_paused = true)]
async fn a_sender_is_known_by_the_header_that_the_application_names() {
    let limits = AdmissionLimits::default().concurrency(1).queue(0);
    let by_header = |layer: Builder| {
        layer.client_address(|request| {
            let address = request.headers.get("x-real-ip")?.to_str().ok()?;
            address.parse::<IpAddr>().ok()
        })
    };
    // In whichever order they are set.
    let last = Site::set_up(20 * MILLISECOND, |layer| {
        by_header(layer.notice_limits(limits))
    });
    told_apart_by_the_header(last.await).await;
    let first = Site::set_up(20 * MILLISECOND, |layer| {
        by_header(layer).notice_limits(limits)
    });
    told_apart_by_the_header(first.await).await;
}

async fn told_apart_by_the_header(site: Site) {
    let send = async |address: &str, token: &str| {
        let mut request = notice_request(token);
        request
            .headers_mut()
            .insert("x-real-ip", address.parse().unwrap());
        request.extensions_mut().insert(peer(ATTACKER));
        answer(site.app.clone(), request).await.status
    };
    assert_eq!(send("203.0.113.7", "token:1").await, StatusCode::OK);
    let mut number = 0;
    for (address, status) in [
        ("203.0.113.7", StatusCode::OK),
        ("203.0.113.8", StatusCode::SERVICE_UNAVAILABLE),
        ("127.0.0.1", StatusCode::SERVICE_UNAVAILABLE),
        ("no address", StatusCode::SERVICE_UNAVAILABLE),
    ] {
        number += 1;
        let forged = site.send(None, &format!("forged {number}"));
        let flood = tokio::spawn(forged);
        sleep(MILLISECOND).await;
        assert_eq!(send(address, &format!("token:2:{number}")).await, status);
        assert_eq!(flood.await.unwrap().status, StatusCode::BAD_REQUEST);
    }
}
