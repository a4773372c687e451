//! When a login ends by itself: its idle time, its lifetime, and how it is renewed.

use std::{sync::atomic::Ordering::SeqCst, time::Duration};

use time::OffsetDateTime;

use crate::support::{
    Browser, Jar, World,
    clock::{DAY, MINUTE, SECOND},
    jar::{set_cookie, set_cookies},
    record::login_in,
};

const HOUR: i64 = 60 * MINUTE;

#[tokio::test]
async fn a_login_ends_with_its_lifetime_and_with_idleness_whatever_the_store_says() {
    let world = World::new();
    let lasting = world.node().await;
    let brief = world.builder().lifetime(Duration::from_secs(3600));
    let brief = world.node_with(brief.build().unwrap()).await;
    let browser = Browser::new();
    browser.log_in(&lasting, "12345").await;
    world.clock.advance(59 * MINUTE);
    assert!(browser.is_in(&brief).await);
    world.clock.advance(MINUTE);
    assert!(!browser.is_in(&brief).await, "however busy it was");
    assert!(browser.is_in(&lasting).await, "by setting only");

    // A day without a request; the store's clock has not moved.
    world.clock.advance(24 * 60 * MINUTE);
    assert!(!browser.is_in(&lasting).await);
}

#[tokio::test]
async fn the_idle_time_is_a_setting_and_counts_from_the_last_request() {
    let world = World::new();
    for (kind, sessions) in world.both() {
        let hour = Duration::from_secs(3_600);
        let app = world.app_of(world.builder_over(sessions).idle_expiry(hour));
        let mut jar = Jar::logged_in(&app, "12345").await;
        for _ in 0..3 {
            world.clock.advance(59 * MINUTE);
            assert!(jar.is_in(&app).await, "{kind}");
        }
        world.clock.advance(60 * MINUTE);
        assert!(!jar.is_in(&app).await, "{kind}");
        assert!(!jar.is_in(&app).await, "nor is it used by that request");
    }
}

/// What a session store says of expiry is housekeeping, written with a margin.
#[tokio::test]
async fn the_store_keeps_a_record_a_little_longer_than_its_login() {
    let world = World::new();
    let hour = Duration::from_secs(3_600);
    let app = world.app_of(world.builder().idle_expiry(hour));
    Jar::logged_in(&app, "12345").await;
    let kept_for = world.sessions.last_saved().expiry_date - OffsetDateTime::now_utc();
    assert!(kept_for > time::Duration::minutes(119), "{kept_for}");
    assert!(kept_for <= time::Duration::minutes(120), "{kept_for}");
}

#[tokio::test]
async fn a_login_in_use_is_renewed_at_most_twenty_times_in_its_idle_time() {
    let world = World::new();
    for (kind, sessions) in world.both() {
        let app = world.app_over(sessions);
        let mut jar = Jar::logged_in(&app, "12345").await;
        let (mut renewals, login) = (0, jar.cookies["auth-9"].clone());
        let saved = || login_in(&world.sessions.last_saved());
        let before = (kind == "stored").then(saved);
        for _ in 0..24 * 60 {
            world.clock.advance(MINUTE);
            let calls = world.sessions.calls.load(SeqCst);
            let response = jar.get(&app, "/account").await;
            assert_eq!(response.status(), 200);
            let cookies = set_cookies(response.headers()).count();
            let saves = (world.sessions.calls.load(SeqCst) - calls).saturating_sub(1);
            renewals += cookies + saves;
        }
        assert!((18..=20).contains(&renewals), "{kind}: {renewals}");
        assert_eq!(jar.cookies["auth-9"], login);
        if let Some(before) = before {
            for field in ["at", "auth_at", "id", "secret"] {
                assert_eq!(
                    saved()[field],
                    before[field],
                    "{field} is set at the login only"
                );
            }
        }
    }
}

#[tokio::test]
async fn a_renewal_of_a_sealed_login_sets_the_cookie_of_the_idle_time_alone() {
    let world = World::new();
    let app = world.app_over(world.sealed());
    let mut jar = Jar::logged_in(&app, "12345").await;
    world.clock.advance(2 * HOUR);
    let response = jar.get(&app, "/").await;
    let cookies: Vec<_> = set_cookies(response.headers()).collect();
    assert_eq!(cookies.len(), 1, "{cookies:?}");
    let idle = set_cookie(response.headers(), "auth-9-idle").unwrap();
    for attribute in ["HttpOnly", "SameSite=Lax", "Path=/", "Max-Age=90000"] {
        assert!(idle.contains(attribute), "{attribute} in {idle}");
    }
    assert_eq!(response.headers()["cache-control"], "no-store");
}

#[tokio::test]
async fn an_idle_cookie_of_another_login_counts_as_absent() {
    let world = World::new();
    let app = world.app_over(world.sealed());
    let mut jar = Jar::logged_in(&app, "12345").await;
    world.clock.advance(23 * HOUR);
    let other = Jar::logged_in(&app, "67890").await;
    let idle_of_other = other.cookies["auth-9-idle"].clone();
    jar.cookies.insert("auth-9-idle".to_owned(), idle_of_other);
    // Used when it began, and due for a renewal of its own.
    let mut copy = jar.clone();
    assert_eq!(copy.user(&app).await.as_deref(), Some("12345"));
    assert_ne!(copy.cookies["auth-9-idle"], jar.cookies["auth-9-idle"]);
    let mut without = jar.clone();
    without.cookies.remove("auth-9-idle");
    assert!(without.clone().is_in(&app).await);

    world.clock.advance(HOUR);
    assert!(!jar.is_in(&app).await);
    assert!(!without.is_in(&app).await);
    assert!(copy.is_in(&app).await);
}

#[tokio::test]
async fn a_sealed_login_that_is_kept_busy_ends_after_thirty_days_by_default() {
    let world = World::new();
    let app = world.app_over(world.sealed());
    let mut copy = Jar::logged_in(&app, "12345").await;
    for _ in 0..59 {
        world.clock.advance(DAY / 2);
        assert!(copy.is_in(&app).await);
    }
    world.clock.advance(DAY / 2);
    assert!(!copy.is_in(&app).await);
}

/// A later setting brings an end forward and never back.
#[tokio::test]
async fn a_longer_lifetime_prolongs_no_login_that_has_an_end() {
    let world = World::new();
    for (kind, sessions) in world.both() {
        let day = Duration::from_secs(24 * 60 * 60);
        let builder = || world.builder_over(sessions.clone()).idle_expiry(90 * day);
        let brief = world.app_of(builder().lifetime(day));
        let long = world.app_of(builder().lifetime(60 * day));
        let mut jar = Jar::logged_in(&brief, "12345").await;
        world.clock.advance(DAY - MINUTE);
        assert!(jar.is_in(&long).await);
        world.clock.advance(MINUTE);
        assert!(!jar.is_in(&long).await, "{kind}");
    }
}

#[tokio::test]
async fn a_renewal_that_fails_fails_no_request() {
    let (world, app) = World::with_app();
    let mut jar = Jar::logged_in(&app, "12345").await;
    world.clock.advance(2 * HOUR);
    world.sessions.saves_fail.store(true, SeqCst);
    assert!(jar.is_in(&app).await);
    world.sessions.saves_fail.store(false, SeqCst);
    let seen = login_in(&world.sessions.last_saved())["seen"].clone();
    assert!(jar.is_in(&app).await);
    let renewed = login_in(&world.sessions.last_saved());
    assert_ne!(renewed["seen"], seen, "the next request renews");
}

#[tokio::test(start_paused = true)]
async fn a_renewal_that_hangs_holds_no_request_for_long() {
    let (world, app) = World::with_app();
    let mut jar = Jar::logged_in(&app, "12345").await;
    world.clock.advance(2 * HOUR);
    world.sessions.before_write.set();
    let began = tokio::time::Instant::now();
    assert!(jar.is_in(&app).await);
    assert!(began.elapsed() <= Duration::from_secs(1));
}

/// Each save may have a connection that other requests wait for.
#[tokio::test(start_paused = true)]
async fn few_renewals_that_hang_are_under_way_at_once() {
    let (world, app) = World::with_app();
    let jar = Jar::logged_in(&app, "12345").await;
    world.clock.advance(2 * HOUR);
    world.sessions.saves_hang.store(true, SeqCst);
    let calls = world.sessions.calls.load(SeqCst);
    let requests = (0..20).map(async |_| jar.clone().is_in(&app).await);
    let are_in = futures_util::future::join_all(requests).await;
    assert_eq!(are_in, [true; 20]);
    let saves = world.sessions.calls.load(SeqCst) - calls - 20;
    assert_eq!(saves, 4);

    // Each still has its connection.
    tokio::time::sleep(Duration::from_secs(11)).await;
    let calls = world.sessions.calls.load(SeqCst);
    assert!(jar.clone().is_in(&app).await);
    assert_eq!(world.sessions.calls.load(SeqCst) - calls, 1, "a load");

    world.sessions.saves_hang.store(false, SeqCst);
    tokio::time::sleep(Duration::from_secs(16 * 60)).await;
    let seen = || login_in(&world.sessions.last_saved())["seen"].clone();
    let before = seen();
    assert!(jar.clone().is_in(&app).await);
    assert_ne!(seen(), before, "the hung ones were given up");
}

/// Open pages come back for ever: they would keep any login alive.
#[tokio::test]
async fn an_open_page_is_no_activity() {
    let world = World::new();
    for (kind, sessions) in world.both() {
        let app = world.app_over(sessions);
        let mut jar = Jar::logged_in(&app, "12345").await;
        world.clock.advance(23 * HOUR + 59 * MINUTE + 50 * SECOND);
        let calls = world.sessions.calls.load(SeqCst);
        let response = jar.get(&app, "/auth/live").await;
        assert_eq!(response.status(), 200);
        assert_eq!(response.headers()["cache-control"], "no-store");
        assert_eq!(set_cookies(response.headers()).next(), None);
        let asked = world.sessions.calls.load(SeqCst) - calls;
        assert_eq!(asked, usize::from(kind == "stored"), "a load at most");
        world.clock.advance(10 * SECOND);
        assert!(!jar.is_in(&app).await, "{kind}");
    }
}
