//! How many pages may be open, and whose.

use std::time::Duration;

use test_support::{Jar, World, log};

use crate::{
    counted,
    place::{Node, Page},
};

/// Opens pages until one is turned away.
async fn open_all(browser: &mut Jar, node: &Node) -> Vec<Page> {
    let mut pages = Vec::new();
    loop {
        assert!(pages.len() < 10_000, "there is no limit");
        let mut page = node.open(browser).await;
        if page.status != 200 {
            assert_eq!(page.status, 503);
            assert_eq!(page.headers["retry-after"], "5");
            assert!(!page.headers.contains_key("set-cookie"));
            return pages;
        }
        page.is_in().await;
        pages.push(page);
    }
}

/// Logs a person in again and again, and opens all pages that each login gets.
async fn open_by_many_logins(node: &Node, code: &str, logins: usize) -> Vec<Page> {
    let mut pages = Vec::new();
    for _ in 0..logins {
        pages.extend(open_all(&mut node.logged_in(code).await, node).await);
    }
    pages
}

async fn is_let_in(node: &Node, code: &str) -> Page {
    node.page(&mut node.logged_in(code).await).await
}

#[tokio::test(start_paused = true)]
async fn one_login_has_16_pages_and_one_user_64() {
    let node = Node::new();
    let mut browser = node.logged_in("12345").await;
    let mut of_login = open_all(&mut browser, &node).await;
    assert_eq!(of_login.len(), 16);
    of_login.pop();
    of_login.extend(open_all(&mut browser, &node).await);
    assert_eq!(of_login.len(), 16, "a place comes back");

    let mut of_user = open_by_many_logins(&node, "12345", 9).await;
    assert_eq!(of_user.len(), 64 - 16);
    assert_eq!(node.layer.live_pages(), 64);
    let _other = is_let_in(&node, "67890").await;

    // The places of one login are there for another.
    drop(of_login);
    of_user.extend(open_by_many_logins(&node, "12345", 2).await);
    assert_eq!(of_user.len(), 64);
    drop(of_user);
    assert_eq!(node.layer.live_pages(), 1);
}

#[tokio::test(start_paused = true)]
async fn the_limits_are_settings() {
    let world = World::new();
    let layer = world.builder();
    let layer = layer
        .most_live_pages_per_login(2)
        .most_live_pages_per_user(5);
    let node = Node::with(&world, layer);
    let mut browser = node.logged_in("12345").await;
    let of_login = open_all(&mut browser, &node).await;
    assert_eq!(of_login.len(), 2);
    let of_user = open_by_many_logins(&node, "12345", 3).await;
    assert_eq!(of_user.len(), 3);
}

#[tokio::test(start_paused = true)]
async fn one_account_leaves_a_quarter_of_the_places_to_others() {
    let world = World::new();
    let node = Node::with(&world, world.builder().most_live_pages(50));
    let taken = open_by_many_logins(&node, "12345", 10).await;
    assert_eq!(taken.len(), 37);
    let mut others = Vec::new();
    for other in 0..13 {
        let mut browser = node.logged_in(&format!("other{other}")).await;
        let first = open_all(&mut browser, &node).await;
        assert_eq!(first.len(), 1, "the reserve is for first pages");
        others.extend(first);
    }
    assert_eq!(node.layer.live_pages(), 50);
    let mut browser = node.logged_in("one-more").await;
    assert_eq!(browser.status(&node, "/auth/live").await, 503);
    drop(taken);
    assert_eq!(open_all(&mut browser, &node).await.len(), 16);
}

#[tokio::test(start_paused = true)]
async fn a_full_server_turns_a_page_away_without_a_store_call() {
    let (world, users) = counted::world();
    let node = Node::with(&world, world.builder_of(&users).most_live_pages(1));
    let mut browser = node.logged_in("12345").await;
    let mut other = node.logged_in("67890").await;
    log::listen();
    let _page = node.page(&mut browser).await;
    assert_eq!(log::events(), [""; 0]);
    assert_eq!(users.asked().last().map(String::as_str), Some("12345"));
    assert_eq!(node.open(&mut other).await.status, 503);
    assert_eq!(users.asked(), [""; 0]);
    log::assert_one(&["WARN", "count=1 ", "by_all=1 "], "it is counted");
}

#[tokio::test(start_paused = true)]
async fn a_page_without_a_login_takes_no_place() {
    let world = World::new();
    let node = Node::with(&world, world.builder().most_live_pages(1));
    let mut open = Vec::new();
    for _ in 0..3 {
        let page = node.open(&mut Jar::default()).await;
        assert_eq!(page.status, 200);
        open.push(page);
    }
    assert_eq!(node.layer.live_pages(), 0);
    let _page = is_let_in(&node, "12345").await;
}

#[tokio::test(start_paused = true)]
async fn a_page_that_connects_anew_takes_over_its_own_place() {
    let world = World::new();
    let node = Node::with(&world, world.builder().most_live_pages_per_login(2));
    let mut browser = node.logged_in("12345").await;
    let elsewhere = node.logged_in("12345").await;
    let other = node.logged_in("67890").await;
    let mut pages = Vec::new();
    for (mut browser, name) in [
        (browser.clone(), "a"),
        (browser.clone(), "b"),
        (elsewhere, "a"),
        (other, "a"),
    ] {
        let mut page = Page::of(browser.get(&node, &format!("/auth/live?page={name}")).await);
        page.is_in().await;
        pages.push(page);
    }
    // The network has lost the connection, and has not said so.
    let mut again = Page::of(browser.get(&node, "/auth/live?page=a").await);
    again.is_in().await;
    pages.remove(0).breaks_off().await;
    assert_eq!(node.layer.live_pages(), 4);
    for page in pages.iter_mut().chain([&mut again]) {
        page.hears_nothing_within(Duration::from_secs(60)).await;
    }
    for another in ["page=c", ""] {
        let path = format!("/auth/live?{another}");
        assert_eq!(browser.status(&node, &path).await, 503);
    }
    drop(again);
    let mut last = Page::of(browser.get(&node, "/auth/live?page=a").await);
    last.is_in().await;
    assert_eq!(node.layer.live_pages(), 4);
    drop((last, pages));
    assert_eq!(node.layer.live_pages(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_flood_of_pages_is_one_line_a_second() {
    let node = Node::new();
    let mut browser = node.logged_in("12345").await;
    log::listen();
    let _pages = open_all(&mut browser, &node).await;
    log::assert_one(&["WARN", "count=1 ", "by_login=1 "], "the first at once");
    for _ in 0..1_000 {
        assert_eq!(browser.status(&node, "/auth/live").await, 503);
    }
    log::assert_one(&[], "none within a second");
    log::listen();
    tokio::time::advance(Duration::from_secs(1)).await;
    for _ in 0..2 {
        assert_eq!(browser.status(&node, "/auth/live").await, 503);
    }
    log::assert_one(&["WARN", "count=1001 ", "by_user=0 "], "all are counted");

    // A server that stops turns away all, and that is no news.
    log::listen();
    tokio::time::advance(Duration::from_secs(1)).await;
    node.layer.close_live_pages();
    assert_eq!(browser.status(&node, "/auth/live").await, 503);
    assert_eq!(log::events(), Vec::<String>::new());
}
