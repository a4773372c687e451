//! Recent logins: `max_age` and `auth_time` (OpenID Connect Core 1.0, sections 3.1.2.1 and 3.1.3.7).

use std::{sync::Arc, time::Duration};

use serde_json::{Value, json};

use crate::support::{ALEX, Browser, Node, Person, Site, location, query};

const START: &str = "/clef/login?max_age=600&next=%2Frecent";

/// The next ID tokens have this `auth_time`, in seconds from now, or none.
fn proven(site: &Site, seconds: Option<i64>) {
    proven_as(site, move |issued_at| match seconds {
        Some(seconds) => json!(issued_at + seconds),
        None => Value::Null,
    });
}

fn proven_as(site: &Site, auth_time: impl Fn(i64) -> Value + Send + Sync + 'static) {
    site.provider.script().id_token = Arc::new(move |claims| {
        claims["auth_time"] = auth_time(claims["iat"].as_i64().unwrap());
    });
}

async fn recent(browser: &Browser, node: &Node) -> u16 {
    browser.get(node, "/recent").await.status().as_u16()
}

#[tokio::test]
async fn only_auth_time_makes_an_ordinary_login_recent() {
    let (site, node) = Site::with_node().await;
    for (auth_time, status) in [
        (None, 401),
        (Some(0), 200),
        (Some(-590), 200),
        (Some(-610), 401),
        (Some(-86_400), 401),
        // The provider's clock is ahead by less than the leeway, and by more.
        (Some(110), 200),
        (Some(130), 401),
        (Some(1_000_000_000), 401),
    ] {
        proven(&site, auth_time);
        let browser = Browser::new();
        browser.log_in(&node, &site.provider, ALEX).await;
        assert_eq!(recent(&browser, &node).await, status, "{auth_time:?}");
    }
    for malformed in [json!(0), json!("1"), json!(-1), json!([]), json!(true)] {
        let text = malformed.to_string();
        proven_as(&site, move |_| malformed.clone());
        let browser = Browser::new();
        browser.log_in(&node, &site.provider, ALEX).await;
        assert_eq!(recent(&browser, &node).await, 401, "{text}");
    }
}

#[tokio::test]
async fn the_provider_is_asked_and_has_to_show_when_the_user_proved_it() {
    let (site, node) = Site::with_node().await;
    for (auth_time, status) in [
        (None, 403),
        (Some(-610), 403),
        (Some(-86_400), 403),
        (Some(130), 403),
        (Some(1_000_000_000), 403),
        (Some(-590), 303),
        (Some(0), 303),
        (Some(110), 303),
    ] {
        // A silent round trip first: the provider still has its session.
        proven(&site, Some(-7_200));
        let browser = Browser::new();
        browser.log_in(&node, &site.provider, ALEX).await;
        assert_eq!(recent(&browser, &node).await, 401, "{auth_time:?}");

        proven(&site, auth_time);
        let url = browser.begin_at(&node, START).await;
        assert_eq!(query(&url)["max_age"], "600", "{auth_time:?}");
        let response = browser.finish(&node, &site.provider, ALEX, &url).await;
        assert_eq!(response.status(), status, "{auth_time:?}");
        if status == 303 {
            assert_eq!(location(&response), "/recent", "{auth_time:?}");
            assert_eq!(recent(&browser, &node).await, 200, "{auth_time:?}");
        } else {
            let page = response.text().await.unwrap();
            assert!(page.contains("did not ask who you are"), "{page}");
            assert_eq!(recent(&browser, &node).await, 401, "{auth_time:?}");
        }
        let stays = browser.is(&node).await;
        assert_eq!(stays.as_deref(), Some("alex"), "{auth_time:?}");
    }
}

#[tokio::test]
async fn another_person_at_the_provider_begins_no_login() {
    let (site, node) = Site::with_node().await;
    let other = Person {
        subject: "noor",
        session: "session-2",
    };
    proven(&site, Some(0));
    let browser = Browser::new();
    browser.log_in(&node, &site.provider, ALEX).await;
    let url = browser.begin_at(&node, START).await;
    let response = browser.finish(&node, &site.provider, other, &url).await;
    assert_eq!(response.status(), 403);
    let page = response.text().await.unwrap();
    assert!(page.contains("This is another account"), "{page}");
    assert_eq!(browser.is(&node).await.as_deref(), Some("alex"));
}

/// The lower of the two ages is asked for, and each is checked.
#[tokio::test]
async fn a_max_age_for_every_login_counts_too() {
    let site = Site::start().await;
    for (setting, start, asked) in [
        (60, START, "60"),
        (3_600, START, "600"),
        (3_600, "/clef/login", "3600"),
    ] {
        let client = site.provider.client();
        let client = client.max_age(Duration::from_secs(setting));
        let node = site.node_with(client).await;
        let url = Browser::new().begin_at(&node, start).await;
        assert_eq!(query(&url)["max_age"], asked);
    }
}
