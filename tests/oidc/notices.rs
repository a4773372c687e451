//! The request that a logout token comes in (Back-Channel Logout 1.0, section 2.5).

use reqwest::{Method, header::CONTENT_TYPE};

use crate::support::{ALEX, Heard, Site};

const FORM: &str = "application/x-www-form-urlencoded";

#[tokio::test]
async fn a_form_that_is_none_is_400() {
    let (site, node, browser) = Site::logged_in(ALEX).await;
    let token = site.provider.logout_token(ALEX);
    let large = format!("logout_token={}", "x".repeat(17 * 1024));
    for (what, kind, body) in [
        (
            "repeated",
            FORM,
            format!("logout_token={token}&logout_token={token}"),
        ),
        (
            "repeated, empty",
            FORM,
            format!("logout_token=&logout_token={token}"),
        ),
        ("without a token", FORM, "other=1".to_owned()),
        ("empty", FORM, String::new()),
        ("an empty token", FORM, "logout_token=".to_owned()),
        ("another name", FORM, format!("Logout_Token={token}")),
        (
            "JSON",
            "application/json",
            format!("{{\"logout_token\":\"{token}\"}}"),
        ),
        ("a bare token", "application/jwt", token.clone()),
        ("text", "text/plain", format!("logout_token={token}")),
        ("too large", FORM, large),
    ] {
        let request = node.back_channel().header(CONTENT_TYPE, kind).body(body);
        let heard = Heard::from(request).await;
        assert_eq!(
            (heard.status, &*heard.error()),
            (400, "invalid_request"),
            "{what}"
        );
        assert!(browser.is(&node).await.is_some(), "{what}");
    }
    for (method, status) in [(Method::GET, 405), (Method::PUT, 405)] {
        let client = reqwest::Client::builder().no_proxy().build().unwrap();
        let request = client.request(method, node.url("/clef/logout"));
        let request = request.query(&[("logout_token", &token)]);
        assert_eq!(request.send().await.unwrap().status(), status);
        assert!(browser.is(&node).await.is_some());
    }
    // It is no browser's door: who asks from where makes no difference.
    let request = node
        .back_channel()
        .header(CONTENT_TYPE, format!("{FORM}; charset=utf-8"))
        .header("origin", "https://id.example.com")
        .header("sec-fetch-site", "cross-site")
        .body(format!("more=1&logout_token={token}&more=2"));
    assert_eq!(Heard::from(request).await.status, 200);
    assert_eq!(browser.is(&node).await, None);
}
