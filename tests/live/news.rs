//! Stores that hear what other nodes write.

use std::{collections::HashSet, time::Duration};

use axum_clef::{LogoutKey, LogoutNews, LogoutReason, ProviderSession, RevocationKey, Subject};
use test_support::{ISSUER, text};
use tokio::sync::broadcast::Sender;

use crate::{
    counted::{Users, world},
    place::{INTERVAL, Node, SECOND},
};

/// Two nodes, of which the first hears news.
struct Site {
    users: Users,
    news: Sender<LogoutNews>,
    here: Node,
    elsewhere: Node,
}

impl Site {
    fn new() -> Self {
        let news = Sender::new(4);
        let (world, users) = world(Some(news.clone()));
        let node = || Node::with(&world, world.builder_of(&users));
        let (here, elsewhere) = (node(), node());
        Self {
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
        let (_, end) = site.here.login("12345:sid:abc").await;
        let (_, others) = site.here.login("67890:sid:def").await;
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
    let (mut phone, end) = site.here.login("12345").await;
    let (_, others) = site.here.login("12345").await;
    let id = text(phone.get(&site.here, "/id").await).await;
    site.here.pass(2 * INTERVAL).await;
    phone.sign_out(&site.elsewhere).await;
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
    let (_, end) = site.here.login("12345").await;
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
    let (_, end) = site.here.login("12345").await;
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
        ends.push(site.here.login(&number.to_string()).await.1);
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
            ends.push(site.here.login(&number.to_string()).await.1);
        }
        site.here.pass(2 * INTERVAL).await;
        site.elsewhere.notice("token:42").await;
        site.users.asked();
        site.users.questions.forget_most();
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
        assert!(site.users.questions.most() <= 8);
        for (number, end) in ends.iter().enumerate() {
            assert_eq!(end.has_ended(), number == 42);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn where_news_does_not_come_the_interval_shows_it() {
    let mut site = Site::new();
    let (mut browser, end) = site.here.login("12345").await;
    site.elsewhere.notice("token:12345").await;
    site.moment().await;
    site.here.pass(INTERVAL).await;
    assert_eq!(end.reason(), Some(LogoutReason::LoggedOut));

    // Nor when nobody sends any more.
    browser.log_in(&site.here, "12345").await;
    let end = site.here.end(&mut browser).await;
    site.here.pass(INTERVAL).await;
    site.news = Sender::new(1);
    site.users.hook.news = None;
    site.elsewhere.notice("token:12345:again").await;
    site.here.pass(INTERVAL).await;
    assert_eq!(end.reason(), Some(LogoutReason::LoggedOut));
}

#[tokio::test(start_paused = true)]
async fn what_was_told_before_anybody_listened_is_not_missed() {
    let site = Site::new();
    let mut browser = site.here.logged_in("12345").await;
    let late = site.here.listen_late(&browser).await;
    site.elsewhere.notice("token:12345").await;
    let unheard = site.news.send(person("12345"));
    assert!(unheard.is_err(), "nobody listens yet");
    site.here.go_on(late).await;
    site.here.pass(SECOND).await;
    let end = site.here.taken();
    assert_eq!(end.reason(), Some(LogoutReason::LoggedOut));
    browser.log_in(&site.here, "12345").await;
}
