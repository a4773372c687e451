//! The script of open pages, and how it knows whose page it is on.

use axum::http::Method;
use axum_clef::{ClefLayer, Paths};
use test_support::{Jar, ScriptedProvider, World, location, state_in, text};

use crate::place::{Node, Page};

/// What a page of this name is told of its person.
async fn who(browser: &mut Jar, node: &Node, query: &str) -> String {
    let path = format!("/auth/live?{query}");
    let mut page = Page::of(browser.get(node, &path).await);
    page.is_in().await;
    let mut lines = page.text.lines();
    let data = lines.find_map(|line| line.strip_prefix("data: "));
    data.unwrap().to_owned()
}

#[tokio::test(start_paused = true)]
async fn a_page_knows_its_person_again_and_nothing_else_of_them() {
    let world = World::new();
    let (node, other_node) = (Node::of(&world), Node::of(&world));
    let mut alex = node.logged_in("12345").await;
    let mut again = other_node.logged_in("12345").await;
    let mut noor = node.logged_in("67890").await;
    let page = "page=0123456789abcdef";
    let told = who(&mut alex, &node, page).await;
    assert!(told.starts_with("{\"who\":\""), "{told}");
    assert_eq!(who(&mut again, &other_node, page).await, told);
    assert_ne!(who(&mut noor, &node, page).await, told);
    assert_ne!(who(&mut alex, &node, "page=other").await, told);
    assert_eq!(who(&mut alex, &node, "").await, "{}");
    node.notice("token:12345").await;
    alex.log_in(&node, "12345").await;
    assert_eq!(who(&mut alex, &node, page).await, told, "a new login");
}

#[tokio::test(start_paused = true)]
async fn the_script_is_small_may_be_kept_and_is_a_script_to_every_browser() {
    let world = World::new();
    let node = Node::of(&world);
    let mut stranger = Jar::default();
    let answer = stranger.get(&node, "/auth/live.js").await;
    assert_eq!(answer.status(), 200);
    let headers = answer.headers().clone();
    assert_eq!(headers["content-type"], "text/javascript; charset=utf-8");
    assert_eq!(headers["x-content-type-options"], "nosniff");
    assert_eq!(headers["cache-control"], "max-age=300");
    assert!(!headers.contains_key("set-cookie"));
    assert!(!headers.contains_key("vary"));
    let script = text(answer).await;
    assert!(script.len() < 12_000, "{}", script.len());
    let places = r#")(...["/auth/live","/clef/login?next=%2Fauth%2Flive%2Fback",{"en":{"#;
    assert!(script.contains(places), "{script}");
    assert!(script.ends_with("}}]);\n"), "{script}");

    for (tags, status) in [
        (headers["etag"].to_str().unwrap(), 304),
        ("\"another\"", 200),
    ] {
        let script = (Method::GET, "/auth/live.js");
        let answer = stranger
            .send_with(&node, script, &[("if-none-match", tags)])
            .await;
        assert_eq!(answer.status(), status);
        assert_eq!(answer.headers()["etag"], headers["etag"]);
    }

    let layer = ClefLayer::builder(World::SITE, world.users.clone(), world.stored())
        .provider_at(Paths::under("/auth").unwrap(), world.provider.clone());
    let node = Node::with(&world, layer.login_page("/who"));
    let script = text(stranger.get(&node, "/auth/live.js").await).await;
    let places = r#"["/auth/live","/who?next=%2Fauth%2Flive%2Fback",{"#;
    assert!(script.contains(places), "{script}");
}

#[tokio::test(start_paused = true)]
async fn the_script_of_several_providers_leads_back_to_the_first() {
    let world = World::new();
    let staff = Paths::under("/staff").unwrap();
    let layer = world.builder().live_path("/open");
    let layer = layer.provider_at(staff, ScriptedProvider::other());
    let node = Node::with(&world, layer);
    let script = text(Jar::default().get(&node, "/open.js").await).await;
    let places = r#"["/open","/clef/login?next=%2Fopen%2Fback",{"#;
    assert!(script.contains(places), "{script}");
}

#[tokio::test(start_paused = true)]
async fn a_login_over_a_page_ends_where_its_window_closes() {
    let world = World::new();
    let node = Node::of(&world);
    let mut browser = Jar::default();
    let mut lands = async |path: &str| {
        let start = format!("/clef/login?next=%2F{path}");
        let begun = browser.get(&node, &start).await;
        let state = state_in(location(&begun));
        let callback = format!("/clef/callback?code=code:12345&state={state}");
        location(&browser.get(&node, &callback).await).to_owned()
    };
    assert_eq!(lands("auth%2Flive%2Fback").await, "/auth/live/back");
    // But at no other of the routes.
    for path in [
        "auth%2Flive",
        "auth%2Flive.js",
        "auth%2Fsign-out",
        "clef%2Fcallback",
    ] {
        assert_eq!(lands(path).await, "/", "{path}");
    }
    let back = browser.get(&node, "/auth/live/back").await;
    assert_eq!(back.status(), 200);
    assert_eq!(back.headers()["cache-control"], "no-store");
    let policy = back.headers()["content-security-policy"].to_str().unwrap();
    assert!(policy.starts_with("default-src 'none'; script-src 'self';"));
    assert!(policy.ends_with("frame-ancestors 'none'"));
    assert_eq!(back.headers()["x-content-type-options"], "nosniff");
    assert_eq!(back.headers()["cross-origin-opener-policy"], "same-origin");
    let page = text(back).await;
    assert!(page.contains(r#"<script src="/auth/live.js" data-back defer>"#));
}
