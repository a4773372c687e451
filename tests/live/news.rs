//! Stores that hear what other nodes write.

use std::{collections::HashSet, sync::atomic::Ordering::SeqCst, time::Duration};

use axum_clef::{
    ClefLayer, LogoutKey, LogoutNews, LogoutReason, ProviderSession, RevocationKey, Subject,
};
use tokio::sync::broadcast::{self, Sender};

use crate::{
    counted::{Counted, world},
    place::{Browser, Node, text},
    support::{World, provider::ISSUER},
};

const SECOND: Duration = Duration::from_secs(1);
const INTERVAL: Duration = Duration::from_secs(10);

/// Two nodes, of which the first hears news.
struct Site {
    world: World,
    users: Counted,
    news: Sender<LogoutNews>,
    here: Node,
    elsewhere: Node,
}

impl Site {
    fn new() -> Self {
        let news = Sender::new(4);
        let (world, users) = world(Some(news.clone()));
        let node = || {
            let layer = ClefLayer::builder(World::SITE, users.clone(), world.stored());
            Node::with(&world, layer.provider(world.provider.clone()))
        };
        let (here, elsewhere) = (node(), node());
        Self {
            world,
            users,
            news,
            here,
            elsewhere,
        }
    }

    /// So long that only news can have done it, and far less than the interval.
    async fn moment(&self) {
        self.here.pass(Duration::from_millis(1)).await;
    }
}

fn person(id: &str) -> LogoutNews {
    LogoutNews::LoggedOut(LogoutKey::Subject(Subject::new(ISSUER, id)))
}

#[tokio::test(start_paused = true)]
async fn news_of_a_logout_is_looked_into_at_once() {
    let user = LogoutNews::LoggedOut(LogoutKey::User("1".to_owned()));
    let session = RevocationKey::Session(ProviderSession::new(ISSUER, "abc"));
    let session = LogoutNews::LoggedOut(LogoutKey::Revocation(session));
    for (notice, news) in [
        ("token:12345", person("12345")),
        ("token:12345", user),
        ("session:abc", session),
    ] {
        let site = Site::new();
        let mut browser = Browser::of(&site.here, "code:12345:sid:abc").await;
        let mut desk = Browser::of(&site.here, "code:67890:sid:def").await;
        let end = site.here.end(&mut browser).await;
        let others = site.here.end(&mut desk).await;
        site.here.pass(2 * INTERVAL).await;
        site.elsewhere.notice(notice).await;
        site.users.asked();
        site.news.send(news).unwrap();
        site.moment().await;
        assert_eq!(end.reason(), Some(LogoutReason::LoggedOut));
        assert!(!others.has_ended());
        assert_eq!(site.users.asked(), ["12345"], "about nobody else");
    }
}

#[tokio::test(start_paused = true)]
async fn news_of_a_sign_out_is_looked_into_at_once() {
    let site = Site::new();
    let mut phone = Browser::of(&site.here, "code:12345").await;
    let mut desk = Browser::of(&site.here, "code:12345").await;
    let id = text(phone.get(&site.here, "/id").await).await;
    let end = site.here.end(&mut phone).await;
    let others = site.here.end(&mut desk).await;
    site.here.pass(2 * INTERVAL).await;
    phone.post(&site.elsewhere, "/auth/sign-out").await;
    let key = LogoutKey::Revocation(RevocationKey::Login(id.parse().unwrap()));
    site.news.send(LogoutNews::LoggedOut(key)).unwrap();
    site.moment().await;
    assert_eq!(end.reason(), Some(LogoutReason::SessionGone));
    site.here.pass(INTERVAL).await;
    assert!(!others.has_ended());
}

#[tokio::test(start_paused = true)]
async fn news_is_a_hint_and_the_store_is_the_judge() {
    let site = Site::new();
    let mut browser = Browser::of(&site.here, "code:12345").await;
    let end = site.here.end(&mut browser).await;
    site.here.pass(2 * INTERVAL).await;
    site.users.asked();
    site.news.send(person("12345")).unwrap();
    site.news.send(person("nobody here")).unwrap();
    site.moment().await;
    assert_eq!(site.users.asked(), ["12345"]);
    assert!(!end.has_ended());
}

#[tokio::test(start_paused = true)]
async fn news_during_a_question_makes_for_another() {
    let site = Site::new();
    let mut browser = Browser::of(&site.here, "code:12345").await;
    let end = site.here.end(&mut browser).await;
    site.here.pass(2 * INTERVAL).await;
    site.users.answered.set();
    site.news.send(person("12345")).unwrap();
    site.users.answered.reached().await;
    // It has read what was there before this.
    site.elsewhere.notice("token:12345").await;
    site.news.send(person("12345")).unwrap();
    site.moment().await;
    site.users.answered.go();
    site.moment().await;
    assert_eq!(end.reason(), Some(LogoutReason::LoggedOut));
}

#[tokio::test(start_paused = true)]
async fn whoever_news_is_about_does_not_wait_behind_the_rest() {
    let site = Site::new();
    let mut ends = Vec::new();
    for number in 0..200 {
        let mut browser = Browser::of(&site.here, &format!("code:{number}")).await;
        ends.push(site.here.end(&mut browser).await);
    }
    // Eight at once: about everybody in twenty-five seconds.
    site.users.takes(SECOND);
    site.here.pass(6 * INTERVAL).await;
    for number in [7, 42, 123] {
        site.elsewhere.notice(&format!("token:{number}")).await;
        site.news.send(person(&number.to_string())).unwrap();
        // One that is under way, and its own; or one of before, and another.
        site.here.pass(3 * SECOND).await;
        assert!(ends[number].has_ended(), "{number}");
    }
}

#[tokio::test(start_paused = true)]
async fn where_news_was_missed_everybody_is_asked_about_soon() {
    const USERS: usize = 100;
    for lags in [false, true] {
        let site = Site::new();
        let mut ends = Vec::new();
        for number in 0..USERS {
            let mut browser = Browser::of(&site.here, &format!("code:{number}")).await;
            ends.push(site.here.end(&mut browser).await);
        }
        site.here.pass(2 * INTERVAL).await;
        site.elsewhere.notice("token:42").await;
        site.users.asked();
        site.users.most_at_once.store(0, SeqCst);
        site.users.takes(Duration::from_millis(50));
        if lags {
            for _ in 0..10 {
                site.news.send(person("nobody here")).unwrap();
            }
        } else {
            site.news.send(LogoutNews::Lagged).unwrap();
        }
        site.here.pass(SECOND + Duration::from_millis(100)).await;
        let asked: HashSet<_> = site.users.asked().into_iter().collect();
        assert_eq!(asked.len(), USERS);
        assert!(site.users.most_at_once.load(SeqCst) <= 8);
        for (number, end) in ends.iter().enumerate() {
            assert_eq!(end.has_ended(), number == 42);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn where_news_does_not_come_the_interval_shows_it() {
    let mut site = Site::new();
    let mut browser = Browser::of(&site.here, "code:12345").await;
    let end = site.here.end(&mut browser).await;
    site.elsewhere.notice("token:12345").await;
    site.moment().await;
    site.here.pass(INTERVAL).await;
    assert_eq!(end.reason(), Some(LogoutReason::LoggedOut));

    // Nor when nobody sends any more.
    browser.log_in(&site.here, "code:12345").await;
    let end = site.here.end(&mut browser).await;
    site.here.pass(INTERVAL).await;
    site.news = broadcast::Sender::new(1);
    site.users.news = None;
    site.elsewhere.notice("token:12345:again").await;
    site.here.pass(INTERVAL).await;
    assert_eq!(end.reason(), Some(LogoutReason::LoggedOut));
}

#[tokio::test(start_paused = true)]
async fn what_was_told_before_anybody_listened_is_not_missed() {
    let site = Site::new();
    let mut browser = Browser::of(&site.here, "code:12345").await;
    site.world.slow.set();
    let request = browser.request(axum::http::Request::get("/late"));
    let late = tokio::spawn(tower::ServiceExt::oneshot(site.here.app.clone(), request));
    site.world.slow.reached().await;
    site.elsewhere.notice("token:12345").await;
    let unheard = site.news.send(person("12345"));
    assert!(unheard.is_err(), "nobody listens yet");
    site.world.slow.go();
    assert_eq!(late.await.unwrap().unwrap().status(), 200);
    site.here.pass(SECOND).await;
    let end = site.here.taken();
    assert_eq!(end.reason(), Some(LogoutReason::LoggedOut));
    browser.log_in(&site.here, "code:12345").await;
}
