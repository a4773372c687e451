//! Who or what ended a login, as the signal and the open page hear it.

use axum_clef::{LogoutCause, LogoutReason, UserStore as _};
use test_support::{Jar, World, text};

use crate::place::{INTERVAL, Node, Page, SECOND};

/// The id of the browser's user.
async fn user(node: &Node, browser: &mut Jar) -> String {
    text(browser.get(node, "/").await).await
}

async fn log_out(node: &Node, id: &str, cause: &LogoutCause) {
    let logouts = node.layer.logouts().with_cause(cause.clone());
    assert_eq!(logouts.log_out_user(id).await, Ok(true));
}

/// The data of the event that a page has heard last.
fn data(page: &Page) -> serde_json::Value {
    let data = page.text.lines().rfind(|line| line.starts_with("data: "));
    serde_json::from_str(&data.unwrap()["data: ".len()..]).unwrap()
}

#[tokio::test(start_paused = true)]
async fn a_logout_at_this_node_says_its_cause_at_once() {
    for (kind, node) in Node::both() {
        for cause in [
            LogoutCause::Administrator,
            LogoutCause::provider("session-revoked"),
            LogoutCause::Unknown,
        ] {
            let (mut browser, end) = node.login("12345").await;
            let id = user(&node, &mut browser).await;
            let mut page = node.page(&mut browser).await;
            assert!(end.ended_login().is_none());
            log_out(&node, &id, &cause).await;
            let ended = end.ended_login().unwrap();
            assert_eq!(ended.reason(), LogoutReason::LoggedOut);
            assert_eq!(*ended.cause(), cause, "{kind}");
            page.hears_at_once().await;
            let data = data(&page);
            assert_eq!(data["cause"], cause.to_string());
            assert!(data["at"].is_null(), "it is now");
            assert!(data["text"].as_str().unwrap().contains("{time}"));
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_logout_at_another_node_says_its_cause_and_its_time_once_the_store_is_asked() {
    let world = World::new();
    let (here, elsewhere) = (Node::of(&world), Node::of(&world));
    let (mut browser, end) = here.login("12345").await;
    let id = user(&here, &mut browser).await;
    let mut page = here.page(&mut browser).await;
    log_out(&elsewhere, &id, &LogoutCause::Administrator).await;
    let logged_out_at = world.users.load(&id).await.unwrap().unwrap();
    let logged_out_at = axum_clef::User::logged_out_at(&logged_out_at).unwrap();
    page.hears_within(INTERVAL).await;
    let ended = end.ended_login().unwrap();
    assert_eq!(*ended.cause(), LogoutCause::Administrator);
    assert_eq!(ended.logged_out_at(), Some(logged_out_at));
    let expected = serde_json::json!({
        "cause": "administrator",
        "at": logged_out_at.as_micros() / 1_000,
        "text": "An administrator logged you out{time}.",
    });
    assert_eq!(data(&page), expected);

    // And so does a page that connects after it, by the cookie of the login.
    let mut late = here.open(&mut browser).await;
    late.hears_at_once().await;
    assert_eq!(data(&late), expected);
    // But not by the id of the login alone.
    let value = browser.cookies["auth-9"].clone();
    let (id, _) = value.split_once('.').unwrap();
    for forged in [
        id.to_owned(),
        format!("{id}."),
        format!("{id}.{}", "A".repeat(43)),
    ] {
        browser.cookies.insert("auth-9".to_owned(), forged);
        let mut stranger = here.open(&mut browser).await;
        stranger.hears_at_once().await;
        assert_eq!(data(&stranger), serde_json::json!({}));
    }
}

#[tokio::test(start_paused = true)]
async fn the_end_of_a_session_at_the_provider_says_its_cause_at_the_node_that_receives_it() {
    for (kind, node) in Node::both() {
        node.world
            .provider
            .names_sessions
            .store(true, std::sync::atomic::Ordering::SeqCst);
        let (_, end) = node.login("12345:sid:abc").await;
        assert_eq!(node.notice("session:abc").await, 200);
        node.pass(SECOND / 1_000).await;
        let ended = end.ended_login().unwrap();
        assert_eq!(ended.reason(), LogoutReason::LoggedOut);
        assert_eq!(*ended.cause(), LogoutCause::Provider(None), "{kind}");
        assert!(ended.logged_out_at().is_some());
    }
}

#[tokio::test(start_paused = true)]
async fn a_sign_out_and_an_expiry_have_no_cause_of_a_logout() {
    let world = World::new();
    let node = Node::with(&world, world.builder().idle_expiry(INTERVAL));
    let (mut browser, end) = node.login("12345").await;
    let mut page = node.page(&mut browser).await;
    browser.sign_out(&node).await;
    page.hears_at_once().await;
    assert_eq!(data(&page), serde_json::json!({}));
    assert_eq!(end.ended_login().unwrap().reason(), LogoutReason::SignedOut);

    let (mut browser, end) = node.login("12345").await;
    let mut page = node.page(&mut browser).await;
    node.pass(2 * INTERVAL).await;
    assert_eq!(end.ended_login().unwrap().reason(), LogoutReason::Expired);
    page.hears_at_once().await;
    let text = serde_json::json!({ "text": "Your login has expired." });
    assert_eq!(data(&page), text);
}
