//! Signing up and logging in.

use reqwest::header::SET_COOKIE;

use crate::site::{PASSWORD, Served, location};

#[tokio::test]
async fn a_member_signs_up_signs_out_and_logs_in() {
    let site = Served::start().await;
    let browser = site.member("Alex").await;
    assert!(browser.text("/").await.contains("Hello, alex."));
    let response = browser.send("/auth/sign-out", &[]).await;
    assert_eq!(location(&response), "/");
    assert!(!browser.is_in().await);
    let response = browser.log_in(" ALEX ", PASSWORD).await;
    assert_eq!(location(&response), "/");
    assert!(browser.is_in().await);
}

#[tokio::test]
async fn the_login_leads_to_the_page_that_was_asked_for() {
    let site = Served::start().await;
    site.member("alex").await;
    let browser = site.browser();
    let guarded = browser.open("/account/password").await;
    let form = location(&guarded);
    assert_eq!(form, "/log-in?next=%2Faccount%2Fpassword");
    let page = browser.text(form).await;
    assert!(
        page.contains("/sign-up?next=%2Faccount%2Fpassword"),
        "{page}"
    );

    // Wrong the first time: the form is shown again and keeps the page.
    let wrong = [("name", "alex"), ("password", "another sentence")];
    let again = browser.send(form, &wrong).await;
    let again = location(&again);
    assert_eq!(again, "/log-in?failed=true&next=%2Faccount%2Fpassword");
    let right = [("name", "alex"), ("password", PASSWORD)];
    let response = browser.send(again, &right).await;
    assert_eq!(location(&response), "/account/password");

    // Signing up leads there too, and no login leads to another site.
    let right = [("name", "noor"), ("password", PASSWORD)];
    let response = site.browser().send("/sign-up?next=/account", &right).await;
    assert_eq!(location(&response), "/account");
    let elsewhere = "/log-in?next=https://evil.example/";
    let response = browser.send(elsewhere, &right).await;
    assert_eq!(location(&response), "/");
}

#[tokio::test]
async fn wrong_credentials_are_answered_alike() {
    let site = Served::start().await;
    site.member("alex").await;
    let browser = site.browser();
    let mut answers = Vec::new();
    for (name, password) in [
        ("alex", "not the sentence"),
        ("nobody", PASSWORD),
        ("no name at all!", PASSWORD),
        ("", ""),
    ] {
        let computed = site.passwords.computed();
        let response = browser.log_in(name, password).await;
        assert!(!response.headers().contains_key(SET_COOKIE), "{name}");
        let page = browser.text(location(&response)).await;
        assert!(
            page.contains("The name or the password is wrong."),
            "{page}"
        );
        answers.push((location(&response).to_owned(), page));
        // As many hashes for a name that no member has, so that the time is the same.
        assert_eq!(site.passwords.computed(), computed + 1, "{name}");
        assert!(!browser.is_in().await, "{name}");
    }
    assert!(answers.iter().all(|answer| *answer == answers[0]));
}

#[tokio::test]
async fn a_login_that_is_not_remembered_ends_with_the_browser() {
    let site = Served::start().await;
    site.member("alex").await;
    let form = [("name", "alex"), ("password", PASSWORD)];
    for (remember, lasts) in [(None, false), (Some(("remember", "on")), true)] {
        let form: Vec<_> = form.into_iter().chain(remember).collect();
        let response = site.browser().send("/log-in", &form).await;
        let cookie = response.headers()[SET_COOKIE].to_str().unwrap();
        assert_eq!(cookie.contains("Max-Age="), lasts, "{cookie}");
    }
}

#[tokio::test]
async fn a_name_exists_once_and_a_password_is_long() {
    let site = Served::start().await;
    site.member("alex").await;
    let browser = site.browser();
    for (name, password, status, says) in [
        ("Alex", PASSWORD, 409, "This name is taken."),
        ("a", PASSWORD, 422, "A name has 2 to 32"),
        ("<b>alex</b>", PASSWORD, 422, "&lt;b&gt;alex"),
        ("noor", "short", 422, "Use 15 characters or more"),
        (
            "noor",
            &"long".repeat(100),
            422,
            "Use 256 characters or fewer",
        ),
    ] {
        let response = browser.sign_up(name, password).await;
        assert_eq!(response.status(), status, "{name}");
        let page = response.text().await.unwrap();
        assert!(page.contains(says), "{page}");
        assert!(!page.contains(password), "{page}");
        assert!(!browser.is_in().await, "{name}");
    }
    // The member has the password of the first sign-up.
    assert!(site.logged_in("alex").await.is_in().await);
    let response = browser.sign_up("noor", &"long".repeat(2_000)).await;
    assert_eq!(response.status(), 413);
}
