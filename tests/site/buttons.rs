//! The button of the provider in a page of the application.

use axum::{Router, routing::get};
use axum_clef::ClefLayer;

use crate::support::{Browser, World, browser::location};

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
    let after = browser.cookies(&node).matches("-attempt-").count();
    assert_eq!(after, before + 1, "one login a button");
}

#[tokio::test]
async fn the_state_of_a_button_logs_in() {
    let world = World::new();
    let node = world.node().await;
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
