//! Answers of the provider that begin no login.

use test_support::{Jar, log, text};

use crate::{provider::ACCESS_TOKEN, site::Site};

/// The status of the callback, what the log says, and that no secret is said.
async fn refused(site: &Site, status: u16, words: &str, what: &str) {
    log::listen();
    let mut jar = Jar::default();
    let response = site.log_in(&mut jar).await;
    assert_eq!(response.status(), status, "{what}");
    let page = text(response).await;
    let events = log::events().join("\n");
    assert!(events.contains(words), "{what}: {words}: {events}");
    for text in [&page, &events] {
        for secret in [ACCESS_TOKEN, "SECRET", "alex@example.com"] {
            assert!(!text.contains(secret), "{what}: {text}");
        }
    }
    assert!(!jar.is_in(&site.app).await, "{what}");
}

#[tokio::test]
async fn answers_without_tokens_begin_no_login() {
    let with = |error: &str| format!(r#"{{"error":"{error}","error_description":"SECRET"}}"#);
    let large = format!(r#"{{"access_token":"{}"}}"#, "x".repeat(1024 * 1024));
    for (status, body, expected, words) in [
        // RFC 6749, and GitHub with the status 200.
        (400, with("invalid_grant"), 403, "start the login again"),
        (
            200,
            with("bad_verification_code"),
            403,
            "start the login again",
        ),
        (401, with("invalid_client"), 500, "client id and secret"),
        (
            200,
            with("incorrect_client_credentials"),
            500,
            "client id and secret",
        ),
        (401, String::new(), 500, "client id and secret"),
        (400, with("invalid_scope"), 500, "invalid_scope"),
        (
            200,
            with("redirect_uri_mismatch"),
            500,
            "redirect_uri_mismatch",
        ),
        (200, with("SECRET"), 502, "malformed"),
        (503, String::new(), 502, "503"),
        (302, String::new(), 502, "302"),
        (
            200,
            "access_token=SECRET&token_type=bearer".to_owned(),
            502,
            "malformed",
        ),
        (200, "{}".to_owned(), 502, "no bearer token"),
        (200, "[]".to_owned(), 502, "malformed"),
        (200, "null".to_owned(), 502, "malformed"),
        (
            200,
            r#"{"access_token":""}"#.to_owned(),
            502,
            "no bearer token",
        ),
        (200, r#"{"access_token":7}"#.to_owned(), 502, "malformed"),
        (
            200,
            r#"{"access_token":"SECRET","token_type":"mac"}"#.to_owned(),
            502,
            "no bearer token",
        ),
        (200, large, 502, "larger than 1048576 bytes"),
    ] {
        let what = format!("{status} {:.60}", body);
        // A site of its own, as the log of failures is limited.
        let site = Site::start().await;
        site.provider
            .change(|script| script.token_answer = Some((status, body)));
        refused(&site, expected, words, &what).await;
        assert!(site.provider.script().api_requests.is_empty(), "{what}");
        site.provider.change(|script| script.token_answer = None);
        assert_eq!(site.log_in(&mut Jar::default()).await.status(), 303);
    }
}

#[tokio::test]
async fn user_information_without_an_id_begins_no_login() {
    let long = format!(r#"{{"id":"{}"}}"#, "x".repeat(256));
    let large = format!(r#"{{"id":1,"bio":"{}"}}"#, "x".repeat(256 * 1024));
    for (document, status, body, words) in [
        ("user", 401, "{}", "401"),
        ("user", 500, "SECRET", "500"),
        ("user", 302, "", "302"),
        ("user", 200, "SECRET", "malformed"),
        ("user", 200, r#"{"id":1"#, "malformed"),
        ("user", 200, "[]", "is no id"),
        ("user", 200, "null", "is no id"),
        ("user", 200, "{}", "is no id"),
        ("user", 200, r#"{"id":null}"#, "is no id"),
        ("user", 200, r#"{"id":""}"#, "is no id"),
        ("user", 200, r#"{"id":1.5}"#, "is no id"),
        ("user", 200, r#"{"id":true}"#, "is no id"),
        ("user", 200, r#"{"id":[1]}"#, "is no id"),
        ("user", 200, r#"{"id":{"id":1}}"#, "is no id"),
        ("user", 200, &long, "is no id"),
        ("user", 200, &large, "larger than 262144 bytes"),
        ("emails", 404, "[]", "404"),
        ("emails", 200, "{}", "no list of e-mails"),
    ] {
        let site = Site::start().await;
        site.provider.change(|script| {
            script.documents.insert(document, (status, body.to_owned()));
        });
        let what = format!("{document} {status} {body:.60}");
        refused(&site, 502, words, &what).await;
        let found = site.world.users.last_profile.lock().unwrap().is_some();
        assert!(!found, "{what}");
    }
}
