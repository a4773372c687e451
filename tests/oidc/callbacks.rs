//! The way back from the provider: whose it is, and what the token endpoint makes of it.

use serde_json::json;

use crate::support::{ALEX, Browser, Site, query};

#[tokio::test]
async fn a_callback_names_the_provider_or_is_refused() {
    let site = Site::start().await;
    for (says, came, status) in [
        (true, Some(None), 303),
        (true, None, 502),
        (true, Some(Some("https://evil.example")), 502),
        (true, Some(Some("")), 502),
        (false, None, 303),
        (false, Some(None), 303),
        (false, Some(Some("https://evil.example")), 502),
    ] {
        let name = "authorization_response_iss_parameter_supported";
        site.provider.script().metadata = json!({ name: says });
        let node = site.node().await;
        let browser = Browser::new();
        let url = browser.begin(&node).await;
        let code = site.provider.approve(&url, ALEX);
        let query = query(&url);
        let mut parameters = vec![("code", code.as_str()), ("state", &query["state"])];
        if let Some(issuer) = came {
            parameters.push(("iss", issuer.unwrap_or(&site.provider.issuer)));
        }
        let asked = site.provider.script().token_requests.len();
        let response = browser.come_back(&node, &parameters).await;
        assert_eq!(response.status(), status, "{says} {came:?}");
        let exchanged = site.provider.script().token_requests.len() > asked;
        assert_eq!(exchanged, status == 303, "the code goes nowhere else");
    }
}

/// The page does not call this site misconfigured. The state is used, as by a code of another provider.
#[tokio::test]
async fn an_error_of_another_provider_is_refused() {
    let site = Site::start().await;
    for (says, came, status) in [
        (true, Some(None), 500),
        (true, None, 502),
        (true, Some(Some("https://evil.example")), 502),
        (true, Some(Some("")), 502),
        (false, None, 500),
        (false, Some(None), 500),
        (false, Some(Some("https://evil.example")), 502),
    ] {
        let name = "authorization_response_iss_parameter_supported";
        site.provider.script().metadata = json!({ name: says });
        let node = site.node().await;
        let browser = Browser::new();
        let url = browser.begin(&node).await;
        let code = site.provider.approve(&url, ALEX);
        let query = query(&url);
        let state = &*query["state"];
        let mut parameters = vec![("error", "invalid_scope"), ("state", state)];
        if let Some(issuer) = came {
            parameters.push(("iss", issuer.unwrap_or(&site.provider.issuer)));
        }
        let response = browser.come_back(&node, &parameters).await;
        assert_eq!(response.status(), status, "{says} {came:?}");
        let page = response.text().await.unwrap();
        let is_shown = page.contains("This site is misconfigured");
        assert_eq!(is_shown, status == 500, "{says} {came:?}: {page}");
        assert!(page.contains("/clef/login?next=%2Faccount\""), "{page}");

        let issuer = ("iss", &*site.provider.issuer);
        let good = [("code", &*code), ("state", state), issuer];
        let response = browser.come_back(&node, &good).await;
        assert_eq!(response.status(), 403, "{says} {came:?}");
    }
    assert!(site.provider.script().token_requests.is_empty());
}

#[tokio::test]
async fn every_answer_of_the_token_endpoint_has_its_meaning() {
    let (site, node) = Site::with_node().await;
    let large = format!("{{\"access_token\":\"{}\"}}", "x".repeat(1024 * 1024));
    for (status, answer, page) in [
        (400, r#"{"error":"invalid_grant"}"#, 403),
        (401, r#"{"error":"invalid_client"}"#, 500),
        (401, "<h1>Unauthorized</h1>", 500),
        (400, r#"{"error":"unauthorized_client"}"#, 500),
        (400, r#"{"error":"invalid_request"}"#, 500),
        (400, r#"{"error":"invalid_scope"}"#, 500),
        (400, r#"{"error":"something new"}"#, 502),
        (400, r#"{"error":["invalid_scope"]}"#, 502),
        (500, "<h1>Oops</h1>", 502),
        (307, "", 502),
        (200, "{}", 502),
        (200, "not JSON", 502),
        (
            200,
            r#"{"access_token":"x","token_type":"mac","id_token":"x"}"#,
            502,
        ),
        (200, r#"{"access_token":"x","token_type":"bearer"}"#, 502),
        (
            200,
            r#"{"access_token":"x","token_type":"bearer","id_token":"x"}"#,
            502,
        ),
        (200, &large, 502),
    ] {
        site.provider.script().token_answer = Some((status, answer.to_owned()));
        let browser = Browser::new();
        let response = browser.enter(&node, &site.provider, ALEX).await;
        assert_eq!(response.status(), page, "{status} {answer:.60}");
        assert_eq!(browser.is(&node).await, None);
    }
}

#[tokio::test]
async fn a_code_is_good_in_the_browser_that_began_and_in_no_other() {
    let (site, node) = Site::with_node().await;
    let (victim, thief) = (Browser::new(), Browser::new());
    let url = victim.begin(&node).await;
    let stolen = site.provider.approve(&url, ALEX);
    // The thief's own state, and the victim's code: PKCE and nonce are of another login.
    let own = query(&thief.begin(&node).await);
    let issuer = ("iss", site.provider.issuer.as_str());
    let parameters = [("code", stolen.as_str()), ("state", &own["state"]), issuer];
    let refused = thief.come_back(&node, &parameters).await;
    assert_eq!(refused.status(), 403);
    assert_eq!(thief.is(&node).await, None);
}

#[tokio::test]
async fn an_error_of_the_callback_is_the_users_the_providers_or_ours_and_keeps_next() {
    let (site, node) = Site::with_node().await;
    for (error, status, headline) in [
        ("access_denied", 403, "The login was not completed"),
        ("consent_required", 403, "The login was not completed"),
        ("temporarily_unavailable", 502, "is temporarily unavailable"),
        ("server_error", 502, "is temporarily unavailable"),
        ("unheard_of", 502, "is temporarily unavailable"),
        ("invalid_scope", 500, "This site is misconfigured"),
        ("unauthorized_client", 500, "This site is misconfigured"),
    ] {
        let browser = Browser::new();
        let query = query(&browser.begin(&node).await);
        let parameters = [
            ("error", error),
            ("error_description", "alex@example.com"),
            ("state", &query["state"]),
            ("iss", &site.provider.issuer),
        ];
        let response = browser.come_back(&node, &parameters).await;
        assert_eq!(response.status(), status, "{error}");
        let page = response.text().await.unwrap();
        assert!(page.contains(headline), "{error}: {page}");
        assert!(
            page.contains("/clef/login?next=%2Faccount\""),
            "{error}: {page}"
        );
        assert!(!page.contains("alex@"), "{page}");
        assert_eq!(browser.is(&node).await, None);
    }
    assert!(site.provider.script().token_requests.is_empty());
}

#[tokio::test]
async fn a_repeated_parameter_is_refused_and_keeps_next() {
    let (site, node) = Site::with_node().await;
    for (name, value) in [
        ("state", None),
        ("state", Some("other")),
        ("code", None),
        ("code", Some("other")),
        ("iss", None),
        ("iss", Some("https://evil.example")),
        ("error", Some("access_denied")),
    ] {
        for comes_first in [true, false] {
            let browser = Browser::new();
            let url = browser.begin(&node).await;
            let code = site.provider.approve(&url, ALEX);
            let query = query(&url);
            let mut parameters = vec![
                ("code", &*code),
                ("state", &*query["state"]),
                ("iss", &*site.provider.issuer),
                ("error", ""),
            ];
            let once = parameters
                .iter()
                .find(|(other, _)| *other == name)
                .unwrap()
                .1;
            let at = if comes_first { 0 } else { parameters.len() };
            parameters.insert(at, (name, value.unwrap_or(once)));
            let response = browser.come_back(&node, &parameters).await;
            assert_eq!(response.status(), 400, "{name} {value:?}");
            let page = response.text().await.unwrap();
            assert!(
                page.contains("/clef/login?next=%2Faccount\""),
                "{name}: {page}"
            );
            assert_eq!(browser.is(&node).await, None, "{name} {value:?}");

            // The state is used.
            let (state, issuer) = (&*query["state"], &*site.provider.issuer);
            let good = [("code", &*code), ("state", state), ("iss", issuer)];
            let response = browser.come_back(&node, &good).await;
            assert_eq!(response.status(), 403, "{name} {value:?}");
        }
    }
    assert!(site.provider.script().token_requests.is_empty());
    // A flood of states is read no further than the second.
    let many = vec![("state", "x"); 1_000];
    let response = Browser::new().come_back(&node, &many).await;
    assert_eq!(response.status(), 400);
}

#[tokio::test]
async fn an_empty_error_beside_a_code_is_none() {
    let site = Site::start().await;
    let node = site.node().await;
    let browser = Browser::new();
    let url = browser.begin(&node).await;
    let code = site.provider.approve(&url, ALEX);
    let parameters = [
        ("error", ""),
        ("code", &code),
        ("state", &query(&url)["state"]),
        ("iss", &site.provider.issuer),
    ];
    assert_eq!(browser.come_back(&node, &parameters).await.status(), 303);
}
