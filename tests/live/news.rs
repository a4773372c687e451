//! Stores that hear what other nodes write.

use std::{collections::HashSet, time::Duration};

use axum_clef::{ClefLayer, LogoutReason, ProviderSession, RevocationKey, Subject};
use test_support::{ISSUER, World, text};

use crate::{
    counted::{Users, world},
    place::{INTERVAL, Node, SECOND},
    wire::OtherNode,
};

/// Two nodes, of which the first receives the news of a third.
struct Site {
    users: Users,
    news: OtherNode,
    here: Node,
    elsewhere: Node,
}

impl Site {
    fn new() -> Self {
        let (world, users) = world();
        let news = OtherNode::new();
        let leased = news.tells(users.clone());
        let layer = ClefLayer::builder(World::SITE, leased, world.stored());
        let here = Node::with(&world, layer.provider(world.provider.clone()));
        let elsewhere = Node::with(&world, world.builder_of(&users));
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

fn person(id: &str) -> Subject {
    Subject::new(ISSUER, id)
}

#[tokio::test(start_paused = true)]
async fn news_of_a_logout_is_looked_into_at_once() {
    for (notice, news) in [
        ("token:12345", "the subject"),
        ("token:12345", "the user"),
        ("session:abc", "the session"),
    ] {
        let site = Site::new();
        let (_, end) = site.here.login("12345:sid:abc").await;
        let (_, others) = site.here.login("67890:sid:def").await;
        site.here.pass(2 * INTERVAL).await;
        site.elsewhere.notice(notice).await;
        site.users.asked();
        match news {
            "the subject" => site.news.log_out(&person("12345")).await,
            "the user" => site.news.log_out_user("1").await,
            _ => {
                let session = ProviderSession::new(ISSUER, "abc");
                site.news.revoke(RevocationKey::Session(session)).await;
            }
        }
        site.moment().await;
        assert_eq!(end.reason(), Some(LogoutReason::LoggedOut), "{news}");
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
    let key = RevocationKey::Login(id.parse().unwrap());
    site.news.revoke(key).await;
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
    site.news.log_out(&person("12345")).await;
    site.news.log_out(&person("nobody here")).await;
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
    site.news.log_out(&person("12345")).await;
    site.users.answered.reached().await;
    // It has read what was there before this.
    site.elsewhere.notice("token:12345").await;
    site.news.log_out(&person("12345")).await;
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
        site.news.log_out(&person(&number.to_string())).await;
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
            site.news.floods(&person("nobody here")).await;
        } else {
            site.news.loses_news();
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
    let site = Site::new();
    let (_, end) = site.here.login("12345").await;
    site.elsewhere.notice("token:12345").await;
    site.moment().await;
    site.here.pass(INTERVAL).await;
    assert_eq!(end.reason(), Some(LogoutReason::LoggedOut));
}

#[tokio::test(start_paused = true)]
async fn what_was_told_before_anybody_listened_is_not_missed() {
    let site = Site::new();
    let mut browser = site.here.logged_in("12345").await;
    let late = site.here.listen_late(&browser).await;
    site.elsewhere.notice("token:12345").await;
    // No page listens yet.
    site.news.log_out(&person("12345")).await;
    site.here.go_on(late).await;
    site.here.pass(SECOND).await;
    let end = site.here.taken();
    assert_eq!(end.reason(), Some(LogoutReason::LoggedOut));
    browser.log_in(&site.here, "12345").await;
}
