//! The button of the provider in a page of the application.

use std::sync::atomic::Ordering::SeqCst;

use axum::{Router, routing::get};
use axum_clef::ClefLayer;

use crate::support::{
    Browser, Jar, World,
    browser::location,
    jar::{location as location_of, text},
};

#[tokio::test]
async fn the_button_prints_the_script_the_link_and_nothing_unescaped() {
    use axum_clef::clef::{ButtonColor, ButtonStyle, ButtonType, Clef};

    let world = World::new();
    let clef = Clef::new("https://clef.example", "an \"app\" <id>", "secret").unwrap();
    let layer = ClefLayer::builder(World::SITE, world.users.clone(), world.sessions.clone())
        .provider(clef)
        .build()
        .unwrap();
    let app = Router::new()
        .route(
            "/",
            get(|button: axum_clef::ClefButton| async move { button.html() }),
        )
        .route(
            "/dressed",
            get(|button: axum_clef::ClefButton| async move {
                button
                    .color(ButtonColor::White)
                    .style(ButtonStyle::Button)
                    .kind(ButtonType::Register)
                    .embed()
                    .color(ButtonColor::Blue)
                    .next("/welcome?a=\"1\"&b=<2>")
                    .html()
            }),
        )
        .merge(layer.routes())
        .layer(layer.clone());
    let node = world.serve(app, layer).await;
    let browser = Browser::new();

    let response = browser.open(&node, "/?q=1").await;
    assert_eq!(response.headers()["cache-control"], "no-store");
    let html = response.text().await.unwrap();
    let state = state_of(&html);
    assert_eq!(
        html,
        format!(
            "<script class=\"clef-button\" src=\"https://clef.example/v3/clef.js\" \
             data-app-id=\"an &quot;app&quot; &lt;id&gt;\" \
             data-redirect-url=\"http://127.0.0.1:9/clef/callback\" data-state=\"{state}\">\
             </script><noscript><a href=\"/clef/login?next=%2F%3Fq%3D1\">Log in with Clef</a>\
             </noscript>"
        )
    );

    let before = browser.cookies(&node).matches("-attempt-").count();
    let html = browser.open(&node, "/dressed").await.text().await.unwrap();
    for attribute in [
        "data-color=\"blue\"",
        "data-style=\"button\"",
        "data-type=\"register\"",
        "data-embed=\"true\"",
    ] {
        assert_eq!(html.matches(attribute).count(), 1, "{attribute} in {html}");
    }
    assert!(!html.contains("white") && !html.contains("<2>"), "{html}");
    let link = "<noscript><a href=\"/clef/login?next=\
                %2Fwelcome%3Fa%3D%25221%2522%26b%3D%253C2%253E\">";
    assert!(html.contains(link), "{html}");
    let after = browser.cookies(&node).matches("-attempt-").count();
    assert_eq!(after, before + 1, "one login a button");
}

#[tokio::test]
async fn the_state_of_a_button_logs_in() {
    let (_, node) = World::with_node().await;
    let browser = Browser::new();
    let html = browser
        .open(&node, "/button?q=1")
        .await
        .text()
        .await
        .unwrap();
    let response = browser
        .come_back(&node, "code:12345", &state_of(&html))
        .await;
    assert_eq!(response.status(), 303);
    assert_eq!(location(&response), "/button?q=1");
}

fn state_of(html: &str) -> String {
    let (_, rest) = html.split_once("data-state=\"").unwrap();
    rest.split('"').next().unwrap().to_owned()
}

#[tokio::test]
async fn the_login_of_a_button_leads_to_its_next() {
    let world = World::new();
    let layer = world.layer();
    let app = world
        .pages(layer.routes())
        .route(
            "/dressed",
            get(|button: axum_clef::ClefButton| async move {
                button.next("/welcome?a=\"1\"&b=<2>").html()
            }),
        )
        .route(
            "/circular",
            get(|button: axum_clef::ClefButton| async move { button.next("/clef/login").html() }),
        )
        .layer(layer);
    for (path, leads_to) in [
        ("/dressed", "/welcome?a=%221%22&b=%3C2%3E"),
        ("/circular", "/"),
    ] {
        let mut jar = Jar::default();
        let html = text(jar.get(&app, path).await).await;
        let callback = format!("/clef/callback?code=code:12345&state={}", state_of(&html));
        let response = jar.get(&app, &callback).await;
        assert_eq!(location_of(&response), leads_to, "{path}");
    }
}

#[tokio::test]
async fn the_button_is_that_of_the_first_provider_that_has_one() {
    use axum_clef::Paths;

    use crate::support::ScriptedProvider;

    let world = World::new();
    let without = |other| {
        let mut provider = ScriptedProvider::default();
        provider.other = other;
        provider.has_no_button.store(true, SeqCst);
        provider
    };
    let builder = ClefLayer::builder(World::SITE, world.users.clone(), world.stored());
    let builder = builder
        .provider_at(Paths::under("/one").unwrap(), without(true))
        .provider_at(Paths::under("/two").unwrap(), without(true));
    let third = Paths::under("/three").unwrap();
    let app = world.app_of(builder.provider_at(third, world.provider.clone()));
    let mut jar = Jar::default();
    let html = text(jar.get(&app, "/button").await).await;
    assert!(html.contains("Log in with Clef"), "{html}");
    assert!(html.contains("/three/login?next=%2Fbutton"), "{html}");
    let callback = format!("/three/callback?code=code:12345&state={}", state_of(&html));
    assert_eq!(location_of(&jar.get(&app, &callback).await), "/button");

    // Without any, it is a link, and begins nothing.
    world.provider.has_no_button.store(true, SeqCst);
    let mut jar = Jar::default();
    let html = text(jar.get(&app, "/button").await).await;
    let link = "<a href=\"/one/login?next=%2Fbutton\">Log in with Other</a>";
    assert_eq!(html, link);
    assert_eq!(jar, Jar::default());
}

#[tokio::test]
async fn a_button_on_the_login_page_leads_where_that_page_leads() {
    let world = World::new();
    let builder = world.builder().login_page("/button");
    let app = world.app_of(builder);
    for (path, leads_to) in [
        ("/button?next=%2Faccount%3Ftab%3D1", "/account?tab=1"),
        ("/button?next=%2Fsearch%3Fq%3Da%5Cb", "/search?q=a%5Cb"),
        ("/button", "/"),
        ("/button?next=", "/"),
        ("/button?next=%2Fbutton", "/"),
        ("/button?next=%2Fclef%2Flogin", "/"),
        ("/button?next=https%3A%2F%2Fevil.example", "/"),
    ] {
        let mut jar = Jar::default();
        let html = text(jar.get(&app, path).await).await;
        let callback = format!("/clef/callback?code=code:12345&state={}", state_of(&html));
        let response = jar.get(&app, &callback).await;
        assert_eq!(location_of(&response), leads_to, "{path}");
    }
    // Nor does the start lead back to it.
    let mut jar = Jar::default();
    let start = jar.get(&app, "/clef/login?next=/button").await;
    let state = crate::support::browser::state_in(location_of(&start));
    let callback = format!("/clef/callback?code=code:12345&state={state}");
    assert_eq!(location_of(&jar.get(&app, &callback).await), "/");
}
