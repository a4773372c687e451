//! With leased users too: no server is asked at all, and the promise holds.

use std::{sync::atomic::Ordering::SeqCst, time::Duration};

use axum::Router;
use axum_clef::leased::Leased;
use tokio::time::Instant;

use crate::{
    browser::Browser,
    site::{Site, Users},
};

const LEASE: Duration = Duration::from_secs(3);

/// A node of its own memory.
fn node(site: &Site) -> Router {
    let users: Leased<Users> = Leased::new(site.users.clone(), LEASE);
    site.app_with(site.layer_over(users).sign_out_everywhere())
}

#[tokio::test(start_paused = true)]
async fn a_logged_in_request_touches_no_server() {
    let site = Site::new();
    let app = node(&site);
    let mut browser = Browser::default();
    browser.log_in(&app, "12345").await;
    assert_eq!(browser.is(&app).await.as_deref(), Some("12345"));
    let calls = site.users.calls.load(SeqCst);
    for _ in 0..1_000 {
        assert_eq!(browser.is(&app).await.as_deref(), Some("12345"));
    }
    assert_eq!(site.users.calls.load(SeqCst), calls);
    // Nor does it matter that there is none, for a lease.
    site.users.failing.store(true, SeqCst);
    assert_eq!(browser.is(&app).await.as_deref(), Some("12345"));
    tokio::time::advance(LEASE).await;
    assert_eq!(browser.get(&app, "/account").await.status, 503);
    site.users.failing.store(false, SeqCst);
    assert_eq!(browser.is(&app).await.as_deref(), Some("12345"));
}

#[tokio::test(start_paused = true)]
async fn a_logout_is_answered_when_no_node_serves_a_copy_any_more() {
    for by_sign_out in [true, false] {
        let site = Site::new();
        let (here, there) = (node(&site), node(&site));
        let mut browser = Browser::default();
        browser.log_in(&here, "12345").await;
        let mut copy = browser.clone();
        for app in [&here, &there] {
            assert_eq!(copy.is(app).await.as_deref(), Some("12345"));
        }
        let began_at = Instant::now();
        if by_sign_out {
            let answer = browser.sign_out(&here).await;
            assert_eq!((answer.status, answer.header("location")), (303, "/"));
            assert_eq!(browser, Browser::default());
        } else {
            assert_eq!(Site::notice(&here, "12345").await, 200);
        }
        // The other node may have kept it so long.
        assert!(began_at.elapsed() >= LEASE, "{:?}", began_at.elapsed());
        for app in [&here, &there] {
            assert_eq!(copy.is(app).await, None);
        }
        browser.log_in(&there, "12345").await;
        assert_eq!(browser.is(&here).await.as_deref(), Some("12345"));
        assert_eq!(copy.is(&here).await, None);
    }
}

#[tokio::test(start_paused = true)]
async fn who_presses_twice_while_the_leases_run_out_is_signed_out_by_both() {
    let site = Site::new();
    let app = node(&site);
    let mut browser = Browser::default();
    browser.log_in(&app, "12345").await;
    assert_eq!(browser.is(&app).await.as_deref(), Some("12345"));
    let (mut once, mut again) = (browser.clone(), browser.clone());
    let pressed = tokio::join!(once.sign_out(&app), async {
        tokio::time::sleep(LEASE / 2).await;
        again.sign_out(&app).await
    });
    assert_eq!((pressed.0.status, pressed.1.status), (303, 303));
    assert_eq!((once, again), (Browser::default(), Browser::default()));
}
