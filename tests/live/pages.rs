//! `GET /auth/live`, as a browser meets it.

use std::{sync::atomic::Ordering::SeqCst, time::Duration};

use axum::http::Method;
use test_support::{Jar, LivePage, World, text};
use tokio::{net::TcpListener, sync::oneshot, time::Instant};

use crate::place::Node;

#[tokio::test(start_paused = true)]
async fn it_says_whether_the_login_counts_and_nothing_else() {
    let node = Node::new();
    let mut page = node.page(&mut node.logged_in("12345").await).await;
    assert_eq!(page.headers["content-type"], "text/event-stream");
    assert_eq!(page.headers["cache-control"], "no-store");
    assert_eq!(page.headers["x-accel-buffering"], "no");
    assert!(!page.headers.contains_key("set-cookie"));
    node.notice("token:12345").await;
    page.hears_at_once().await;
    let mut lines: Vec<_> = page.text.lines().collect();
    let retry = lines.iter().position(|line| line.starts_with("retry: "));
    let retry = lines.remove(retry.unwrap());
    let retry: u64 = retry.strip_prefix("retry: ").unwrap().parse().unwrap();
    assert!((1_000..3_000).contains(&retry), "{retry}");
    let lines = lines.join("\n");
    let events = "event: logged-in\ndata: {}\n\nevent: logged-out\ndata: {\"cause\":\"provider\",\
        \"text\":\"You were logged out{time} by the service that you log in with.\"}\n";
    assert_eq!(lines, events);
}

#[tokio::test(start_paused = true)]
async fn whoever_has_no_login_hears_so_and_that_is_all() {
    let node = Node::new();
    let mut stranger = Jar::default();
    let mut page = node.open(&mut stranger).await;
    assert_eq!(page.status, 200);
    page.hears_at_once().await;
    assert!(!page.headers.contains_key("set-cookie"));
    let calls = node.world.sessions.calls.load(SeqCst);
    assert_eq!(calls, 0, "nothing for nothing");
    assert_eq!(stranger.status(&node, "/end").await, 401);
    let perhaps = stranger.get(&node, "/perhaps").await;
    assert_eq!(text(perhaps).await, "false");
}

#[tokio::test(start_paused = true)]
async fn it_shows_that_it_is_alive() {
    let node = Node::new();
    let mut page = node.page(&mut node.logged_in("12345").await).await;
    let said = page.text.len();
    page.hears_nothing_within(Duration::from_secs(61)).await;
    assert_eq!(page.text[said..].matches("event: alive\n").count(), 4);
}

#[tokio::test(start_paused = true)]
async fn only_the_sites_own_pages_are_told() {
    let node = Node::new();
    let mut browser = node.logged_in("12345").await;
    for (name, value, status) in [
        ("sec-fetch-site", "cross-site", 403),
        ("sec-fetch-site", "same-site", 403),
        ("sec-fetch-site", "same-origin", 200),
        ("origin", "https://evil.example", 403),
        ("origin", World::SITE, 200),
    ] {
        let page = (Method::GET, "/auth/live");
        let answer = browser.send_with(&node, page, &[(name, value)]).await;
        assert_eq!(answer.status(), status, "{name}: {value}");
    }
    let head = browser.send(&node, Method::HEAD, "/auth/live").await;
    assert_eq!(head.status(), 405);
}

#[tokio::test(start_paused = true)]
async fn a_store_that_cannot_answer_is_503() {
    let node = Node::new();
    let mut browser = node.logged_in("12345").await;
    let (users, sessions) = (&node.world.users, &node.world.sessions);
    for broken in [&users.failing, &users.hanging, &sessions.failing] {
        broken.store(true, SeqCst);
        let begun = Instant::now();
        for path in ["/auth/live", "/end", "/perhaps"] {
            let answer = browser.get(&node, path).await;
            assert_eq!(answer.status(), 503);
            assert!(answer.headers().contains_key("retry-after"));
        }
        assert!(begun.elapsed() <= Duration::from_millis(30_030));
        assert_eq!(node.layer.live_pages(), 0);
        broken.store(false, SeqCst);
        node.page(&mut browser).await;
    }
}

#[tokio::test(start_paused = true)]
async fn pages_have_a_limit_and_a_place_comes_back() {
    let world = World::new();
    let node = Node::with(&world, world.builder().most_live_pages(2));
    let mut browser = node.logged_in("12345").await;
    let mut other = node.logged_in("67890").await;
    let mut pages = vec![node.open(&mut browser).await, node.open(&mut other).await];
    let turned_away = browser.get(&node, "/auth/live").await;
    assert_eq!(turned_away.status(), 503);
    assert!(turned_away.headers().contains_key("retry-after"));
    assert_eq!(node.layer.live_pages(), 2);
    // What a handler listens to is the application's to count.
    let _end = node.end(&mut browser).await;
    pages.pop();
    node.page(&mut other).await;
}

#[tokio::test(start_paused = true)]
async fn pages_are_ended_for_a_server_that_stops() {
    let node = Node::new();
    let mut browser = node.logged_in("12345").await;
    let mut page = node.page(&mut browser).await;
    let end = node.end(&mut browser).await;
    node.layer.close_live_pages();
    let begun = Instant::now();
    assert_eq!(page.event().await, None, "not that it is logged out");
    assert_eq!(begun.elapsed(), Duration::ZERO);
    assert_eq!(browser.status(&node, "/auth/live").await, 503);
    assert!(!end.has_ended());
    assert_eq!(browser.status(&node, "/account").await, 200);
}

#[tokio::test]
async fn a_server_that_stops_does_not_wait_for_open_pages() {
    let world = World::new();
    let layer = world.layer();
    let app = world.app(&layer);
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (stop, stopped) = oneshot::channel::<()>();
    let closing = layer.clone();
    let server = axum::serve(listener, app).with_graceful_shutdown(async move {
        stopped.await.unwrap();
        closing.close_live_pages();
    });
    let server = tokio::spawn(server.into_future());
    let browser = Node::over(&world, layer).logged_in("12345").await;
    let cookies = browser.header();
    let page = LivePage::open(address, cookies.to_str().unwrap());
    let mut page = page.await.unwrap();
    assert_eq!(page.event().await.unwrap().as_deref(), Some("logged-in"));
    stop.send(()).unwrap();
    let ended = tokio::time::timeout(Duration::from_secs(60), server).await;
    ended.expect("it waits for the page").unwrap().unwrap();
    assert_eq!(page.event().await.unwrap(), None);
}
