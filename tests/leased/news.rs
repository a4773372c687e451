//! The news of a node of logouts at others.

use std::{
    sync::{Arc, Mutex, atomic::Ordering::SeqCst},
    time::Duration,
};

use async_trait::async_trait;
use axum_clef::{
    BoxError, IdentityStore as _, ProviderSession, RevocationKey, Timestamp, UserStore as _,
    leased::{Leased, LogoutBus, LogoutKey, LogoutListener, LogoutNews, Reach},
    stores::MemoryUserStore,
};
use test_support::Wire;
use tokio::time::Instant;

use crate::world::{LEASE, World, log_in, pass, settle, subject, two_nodes_on};

#[tokio::test(start_paused = true)]
async fn a_logout_at_one_node_is_news_at_the_other_alone() {
    let wire = Wire::default();
    let (_world, [here, there], [_, there_end]) = two_nodes_on(&wire).await;
    let mut here_news = here.leased.logout_news().unwrap();
    let mut there_news = there.leased.logout_news().unwrap();
    let user = || LogoutNews::LoggedOut(LogoutKey::User("1".to_owned()));
    here.leased.log_out("1").await.unwrap();
    assert_eq!(there_news.try_recv(), Ok(user()));
    // A subject by its users, if it stands for any.
    let subject = subject("1");
    here.leased.log_out_subject(&subject).await.unwrap();
    let unknown = LogoutNews::LoggedOut(LogoutKey::Subject(subject.clone()));
    assert_eq!(there_news.try_recv(), Ok(unknown));
    assert_eq!(log_in(&*here.leased, &subject).await, "1");
    here.leased.log_out_subject(&subject).await.unwrap();
    assert_eq!(there_news.try_recv(), Ok(user()));
    let session = ProviderSession::new("https://clef.test", "abc");
    let keys = [
        RevocationKey::Session(session),
        RevocationKey::Subject(subject),
    ];
    let keep_until = Timestamp::from_micros(i64::MAX);
    here.leased.revoke(&keys, keep_until).await.unwrap();
    for key in keys {
        let key = LogoutKey::Revocation(key);
        assert_eq!(there_news.try_recv(), Ok(LogoutNews::LoggedOut(key)));
    }
    assert!(here_news.try_recv().is_err(), "its own is no news");
    there_end.cut.store(true, SeqCst);
    here.leased.log_out("1").await.unwrap();
    assert!(there_news.try_recv().is_err());
    assert_eq!(wire.published.load(SeqCst), 5);
}

#[tokio::test(start_paused = true)]
async fn keys_that_are_too_long_for_a_bus_are_any_login() {
    let wire = Wire::default();
    let (_world, [here, there], _) = two_nodes_on(&wire).await;
    let mut news = there.leased.logout_news().unwrap();
    let browser = there.browser_of("1").await;
    assert!(there.serves(&browser).await);
    let reads = there.users.reads();
    here.leased.log_out(&"long ".repeat(2_000)).await.unwrap();
    assert_eq!(news.try_recv(), Ok(LogoutNews::Lagged));
    assert!(there.serves(&browser).await);
    assert_eq!(there.users.reads(), reads + 1, "everything was invalidated");
}

#[tokio::test(start_paused = true)]
async fn the_end_of_every_login_invalidates_all_on_every_node() {
    let issuer = RevocationKey::Issuer("https://clef.test".to_owned());
    for key in [issuer, RevocationKey::Everyone] {
        let wire = Wire::default();
        let (_world, [here, there], _) = two_nodes_on(&wire).await;
        let mut news = there.leased.logout_news().unwrap();
        let browser = there.browser_of("1").await;
        assert!(there.serves(&browser).await);
        let began_at = tokio::time::Instant::now();
        let keep_until = Timestamp::from_micros(i64::MAX);
        let reads = there.users.reads();
        here.leased.revoke(&[key], keep_until).await.unwrap();
        assert_eq!(began_at.elapsed(), Duration::ZERO, "every node has heard");
        assert_eq!(news.try_recv(), Ok(LogoutNews::Lagged));
        assert!(!there.serves(&browser).await);
        assert_eq!(there.users.reads(), reads + 1);
    }
}

#[tokio::test(start_paused = true)]
async fn a_bus_that_panics_is_listened_to_again() {
    let (wire, world) = (Wire::default(), World::new());
    wire.panics.store(true, SeqCst);
    let [here, there] = [wire.end(), wire.end()].map(|end| world.node_at(end));
    let mut news = there.leased.logout_news().unwrap();
    settle().await;
    wire.panics.store(false, SeqCst);
    pass(Duration::from_secs(1)).await;
    here.leased.log_out("1").await.unwrap();
    assert_eq!(news.try_recv(), Ok(LogoutNews::Lagged));
    let key = LogoutKey::User("1".to_owned());
    assert_eq!(news.try_recv(), Ok(LogoutNews::LoggedOut(key)));
}

/// Fails at once until it has been called this often, lasts for a while, and fails again.
struct FailingBus {
    calls: Arc<Mutex<Vec<Instant>>>,
    lasts_at: usize,
}

#[async_trait]
impl LogoutBus for FailingBus {
    async fn listen(&self, _: &LogoutListener) {
        let calls = {
            let mut calls = self.calls.lock().unwrap();
            calls.push(Instant::now());
            calls.len()
        };
        if calls == self.lasts_at {
            tokio::time::sleep(Duration::from_secs(6)).await;
        }
    }

    async fn publish(&self, _: &str) -> Result<Reach, BoxError> {
        Ok(Reach::Unknown)
    }
}

#[tokio::test(start_paused = true)]
async fn a_bus_that_fails_is_listened_to_after_longer_and_longer_pauses() {
    let calls = Arc::default();
    let bus = FailingBus {
        calls: Arc::clone(&calls),
        lasts_at: 10,
    };
    assert!(bus.may_cache(), "by default");
    let leased = Leased::new(MemoryUserStore::new(), Duration::from_secs(1)).bus(bus);
    let _news = leased.logout_news().unwrap();
    tokio::time::sleep(Duration::from_secs(60)).await;
    let calls = calls.lock().unwrap().clone();
    let pauses = calls.windows(2).map(|calls| calls[1] - calls[0]);
    let pauses: Vec<_> = pauses.map(|pause| pause.as_millis()).take(12).collect();
    let doubled = [50, 100, 200, 400, 800, 1_600, 3_200, 5_000, 5_000];
    assert_eq!(pauses[..9], doubled);
    // It has worked for six seconds, so it is another failure.
    assert_eq!(pauses[9..], [6_050, 100, 200]);
}

/// Takes news, and never answers.
struct HangingBus;

#[async_trait]
impl LogoutBus for HangingBus {
    async fn listen(&self, _: &LogoutListener) {
        std::future::pending::<()>().await;
    }

    async fn publish(&self, _: &str) -> Result<Reach, BoxError> {
        std::future::pending().await
    }
}

#[tokio::test(start_paused = true)]
async fn a_logout_waits_for_a_bus_that_hangs_no_longer_than_for_the_lease() {
    let node = World::new().node_of(|users| Leased::new(users, LEASE).bus(HangingBus));
    let browser = node.browser_of("1").await;
    assert!(node.serves(&browser).await);
    let began_at = Instant::now();
    assert_eq!(node.notice("1").await.unwrap().status, 200);
    let took = began_at.elapsed();
    assert!(LEASE < took && took < LEASE * 2, "{took:?}");
    assert!(!node.serves(&browser).await);
}

#[tokio::test(start_paused = true)]
async fn without_a_bus_there_is_no_news() {
    assert!(World::new().node().leased.logout_news().is_none());
}
