//! A site with two providers: each has paths of its own, and users and logins stay apart.

use std::sync::atomic::Ordering::SeqCst;

use axum_clef::{AdmissionLimits, Paths};
use reqwest::Response;
use url::Url;

use crate::support::{
    Browser, Node, ScriptedProvider, World,
    browser::{location, state_in},
    provider::{ISSUER, OTHER_ISSUER},
};

/// A node whose second provider lies under `/other`.
async fn node(world: &World, other: &ScriptedProvider) -> Node {
    let layer = world
        .builder()
        .provider_at(Paths::under("/other").unwrap(), other.clone())
        .login_page("/login")
        .build();
    world.node_with(layer.unwrap()).await
}

/// Begins a login by the provider under this path: where the browser is sent.
async fn begin(browser: &Browser, node: &Node, under: &str) -> Url {
    let path = format!("{under}/login?next=/account");
    let response = browser.open(node, &path).await;
    assert_eq!(response.status(), 303);
    location(&response).parse().unwrap()
}

async fn come_back(browser: &Browser, node: &Node, under: &str, state: &str) -> Response {
    let path = format!("{under}/callback?code=code:12345&state={state}");
    browser.open(node, &path).await
}

/// A whole login as 12345 by the provider under this path.
async fn logged_in(node: &Node, under: &str) -> Browser {
    let browser = Browser::new();
    let state = state_in(begin(&browser, node, under).await.as_str());
    let response = come_back(&browser, node, under, &state).await;
    assert_eq!(location(&response), "/account");
    browser
}

/// Sends a notice to the webhook under this path.
async fn notice(node: &Node, under: &str, token: &str) -> u16 {
    let request = reqwest::Client::new().post(node.url(&format!("{under}/logout")));
    let response = request.form(&[("logout_token", token)]).send().await;
    response.unwrap().status().as_u16()
}

#[tokio::test]
async fn users_choose_on_a_page_of_the_application_and_log_in_by_either() {
    let (world, other) = (World::new(), ScriptedProvider::other());
    let node = node(&world, &other).await;
    let response = Browser::new().open(&node, "/account?tab=1").await;
    assert_eq!(location(&response), "/login?next=%2Faccount%3Ftab%3D1");

    for (under, issuer) in [("/clef", ISSUER), ("/other", OTHER_ISSUER)] {
        let browser = Browser::new();
        let url = begin(&browser, &node, under).await;
        assert_eq!(url.origin().ascii_serialization(), issuer);
        let (_, callback) = url.query_pairs().next().unwrap();
        assert_eq!(callback, format!("{}{under}/callback", World::SITE));
        let response = come_back(&browser, &node, under, &state_in(url.as_str())).await;
        assert_eq!(location(&response), "/account");
        assert!(browser.is_in(&node).await);
    }
    let counted = [&world.provider, &other].map(|provider| provider.exchanges.load(SeqCst));
    assert_eq!(counted, [1, 1]);
}

#[tokio::test]
async fn a_user_whom_one_refuses_can_choose_again() {
    let (world, other) = (World::new(), ScriptedProvider::other());
    let node = node(&world, &other).await;
    for under in ["/clef", "/other"] {
        let browser = Browser::new();
        let state = state_in(begin(&browser, &node, under).await.as_str());
        let path = format!("{under}/callback?error=access_denied&state={state}");
        let page = browser.open(&node, &path).await.text().await.unwrap();
        let retry = format!(r#"href="{}/login?next=%2Faccount">Log in</a>"#, World::SITE);
        assert!(page.contains(&retry), "{page}");
    }
}

#[tokio::test]
async fn without_a_login_page_a_user_starts_again_at_the_same_provider() {
    let (world, other) = (World::new(), ScriptedProvider::other());
    let under = Paths::under("/other").unwrap();
    let layer = world.builder().provider_at(under, other).build();
    let node = world.node_with(layer.unwrap()).await;
    for under in ["/clef", "/other"] {
        let browser = Browser::new();
        let state = state_in(begin(&browser, &node, under).await.as_str());
        let path = format!("{under}/callback?error=access_denied&state={state}");
        let page = browser.open(&node, &path).await.text().await.unwrap();
        let retry = format!(r#"href="{}{under}/login?next=%2Faccount""#, World::SITE);
        assert!(page.contains(&retry), "{page}");
    }
}

#[tokio::test]
async fn what_one_provider_sends_to_the_callback_of_the_other_is_no_login() {
    let (world, other) = (World::new(), ScriptedProvider::other());
    let node = node(&world, &other).await;
    for (begun_under, comes_under) in [("/clef", "/other"), ("/other", "/clef")] {
        let browser = Browser::new();
        let state = state_in(begin(&browser, &node, begun_under).await.as_str());
        // And then not where it was begun either: the state is burnt.
        for under in [comes_under, begun_under] {
            let response = come_back(&browser, &node, under, &state).await;
            assert_eq!(response.status(), 403);
        }
        assert!(!browser.is_in(&node).await);
    }
    for provider in [&world.provider, &other] {
        assert_eq!(provider.exchanges.load(SeqCst), 0, "no code was given away");
    }
}

#[tokio::test]
async fn the_same_id_at_two_providers_is_two_users() {
    let (world, other) = (World::new(), ScriptedProvider::other());
    let node = node(&world, &other).await;
    let by_clef = logged_in(&node, "/clef").await;
    let by_other = logged_in(&node, "/other").await;
    let mut users = Vec::new();
    for browser in [&by_clef, &by_other] {
        let user = browser.open(&node, "/").await.text().await.unwrap();
        users.push(user);
    }
    assert_ne!(users[0], users[1]);

    // The same token means another person at the other webhook.
    assert_eq!(notice(&node, "/clef", "token:12345").await, 200);
    assert!(!by_clef.is_in(&node).await);
    assert!(by_other.is_in(&node).await);
    assert_eq!(notice(&node, "/other", "token:12345").await, 200);
    assert!(!by_other.is_in(&node).await);
}

/// Where a sign-out leads.
async fn sign_out(browser: &Browser, node: &Node) -> String {
    let request = browser.post(node, "/auth/sign-out");
    let response = request.send().await.unwrap();
    assert_eq!(response.status(), 303);
    location(&response).to_owned()
}

#[tokio::test]
async fn a_sign_out_goes_on_at_the_provider_that_the_login_came_by() {
    let (world, other) = (World::new(), ScriptedProvider::other());
    let node = node(&world, &other).await;
    for provider in [&world.provider, &other] {
        provider.signs_out.store(true, SeqCst);
    }
    for (under, issuer) in [("/clef", ISSUER), ("/other", OTHER_ISSUER)] {
        let browser = logged_in(&node, under).await;
        let url: Url = sign_out(&browser, &node).await.parse().unwrap();
        assert!(!browser.is_in(&node).await);
        assert_eq!(url.origin().ascii_serialization(), issuer);
        let given: Vec<_> = url.query_pairs().collect();
        let return_url = format!("{}{under}/signed-out", World::SITE);
        assert_eq!(given[0], ("return_url".into(), return_url.into()));
        assert_eq!(given[2], ("hint".into(), "hint for code:12345".into()));
    }
    // Without a login there is nowhere to go on to.
    assert_eq!(sign_out(&Browser::new(), &node).await, "/");

    // A provider that cannot say where changes nothing about the sign-out here.
    let browser = logged_in(&node, "/other").await;
    other.down.store(true, SeqCst);
    assert_eq!(sign_out(&browser, &node).await, "/");
    assert!(!browser.is_in(&node).await);
    let browser = logged_in(&node, "/clef").await;
    world.provider.signs_out.store(false, SeqCst);
    assert_eq!(sign_out(&browser, &node).await, "/");
    assert!(!browser.cookies(&node).contains("sign-out"));
}

#[tokio::test]
async fn a_provider_that_hangs_holds_up_no_sign_out_at_another() {
    let (world, other) = (World::new(), ScriptedProvider::other());
    let limits = AdmissionLimits::default().concurrency(1).queue(0);
    let layer = world
        .builder()
        .provider_at(Paths::under("/other").unwrap(), other.clone())
        .login_limits(limits)
        .build();
    let node = world.node_with(layer.unwrap()).await;
    other.signs_out.store(true, SeqCst);
    let browser = logged_in(&node, "/other").await;
    world.provider.during_start.set();
    let hangs = Browser::new().get(&node, "/clef/login").send();
    let hangs = tokio::spawn(hangs);
    world.provider.during_start.reached().await;
    let url = sign_out(&browser, &node).await;
    assert!(url.starts_with(OTHER_ISSUER), "{url}");
    world.provider.during_start.go();
    assert_eq!(hangs.await.unwrap().unwrap().status(), 303);
}

#[tokio::test]
async fn the_way_back_from_a_sign_out_leads_home_and_takes_its_cookie_away() {
    let (world, other) = (World::new(), ScriptedProvider::other());
    let node = node(&world, &other).await;
    other.signs_out.store(true, SeqCst);
    let wrong = "A".repeat(43);
    for back in ["right", &wrong, "", "twice", "none"] {
        let browser = logged_in(&node, "/other").await;
        let state = state_in(&sign_out(&browser, &node).await);
        assert_eq!(state.len(), 43);
        assert!(browser.cookies(&node).contains("sign-out"));
        let query = match back {
            "right" => format!("?state={state}"),
            "twice" => format!("?state={state}&state={state}"),
            "none" => String::new(),
            wrong => format!("?state={wrong}"),
        };
        let path = format!("/other/signed-out{query}");
        let response = browser.open(&node, &path).await;
        assert_eq!(
            (response.status().as_u16(), location(&response)),
            (303, "/")
        );
        assert!(!browser.cookies(&node).contains("sign-out"), "{back}");
    }
    // A browser that did not sign out is sent home too, and stays logged in.
    let browser = logged_in(&node, "/other").await;
    let response = browser.open(&node, "/other/signed-out?state=x").await;
    assert_eq!(location(&response), "/");
    assert!(browser.is_in(&node).await);
}
