//! What a member does with their account, in two browsers.

use reqwest::header::SET_COOKIE;

use crate::site::{PASSWORD, Served, location};

const NEW: &str = "a newer sentence of mine";

#[tokio::test]
async fn a_change_of_the_password_keeps_this_browser_alone() {
    let site = Served::start().await;
    let (here, bystander) = (site.member("alex").await, site.member("noor").await);
    let there = site.logged_in("alex").await;
    let response = here.change_password(PASSWORD, NEW).await;
    assert_eq!(location(&response), "/account?changed=true");
    let cookie = response.headers()[SET_COOKIE].to_str().unwrap();
    assert!(!cookie.contains("Max-Age="), "not remembered: {cookie}");
    assert!(here.is_in().await);
    let page = here.text("/account?changed=true").await;
    assert!(page.contains("All other logins have ended."), "{page}");
    assert!(!there.is_in().await);
    assert!(bystander.is_in().await);
    let why = there.text("/log-in").await;
    assert!(why.contains(" because your password or another credential was changed."));

    let response = there.log_in("alex", PASSWORD).await;
    assert_eq!(location(&response), "/log-in?failed=true");
    let response = there.log_in("alex", NEW).await;
    assert_eq!(location(&response), "/");
    assert!(there.is_in().await && here.is_in().await);
}

#[tokio::test]
async fn a_password_that_is_not_changed_ends_no_login() {
    let site = Served::start().await;
    let here = site.member("alex").await;
    let there = site.logged_in("alex").await;
    for (current, new, says) in [
        ("not the sentence", NEW, "This is not your password."),
        (PASSWORD, "short", "Use 15 characters or more"),
    ] {
        let response = here.change_password(current, new).await;
        assert_eq!(response.status(), 422);
        let page = response.text().await.unwrap();
        assert!(page.contains(says), "{page}");
        assert!(here.is_in().await && there.is_in().await);
    }
    let response = site.browser().change_password(PASSWORD, NEW).await;
    assert_eq!(response.status(), 401, "only a member changes a password");
    site.logged_in("alex").await;
}

#[tokio::test]
async fn of_two_changes_at_once_one_takes_place() {
    let site = Served::start().await;
    let one = site.member("alex").await;
    let two = site.logged_in("alex").await;
    let (first, second) = tokio::join!(
        one.change_password(PASSWORD, "the sentence of one"),
        two.change_password(PASSWORD, "the sentence of two"),
    );
    let one_won = first.status() == 303;
    assert_ne!(one_won, second.status() == 303);
    assert_eq!(one.is_in().await, one_won);
    assert_eq!(two.is_in().await, !one_won);
}

#[tokio::test]
async fn log_out_everywhere_ends_this_browser_too() {
    let site = Served::start().await;
    let (here, bystander) = (site.member("alex").await, site.member("noor").await);
    let there = site.logged_in("alex").await;
    let response = here.send("/account/log-out-everywhere", &[]).await;
    assert_eq!(location(&response), "/");
    assert!(!here.is_in().await && !there.is_in().await);
    assert!(bystander.is_in().await);
    let why = there.text("/log-in").await;
    assert!(why.contains(", here or on another device."), "{why}");
    site.logged_in("alex").await;
}

#[tokio::test]
async fn an_account_is_deleted_after_a_recent_login_alone() {
    let site = Served::start().await;
    let (bystander, here) = (site.member("noor").await, site.member("alex").await);
    let there = site.logged_in("alex").await;
    site.make_logins_old().await;
    let response = here.send("/account/delete", &[]).await;
    assert_eq!(response.status(), 401);
    assert!(here.is_in().await, "nothing is deleted");
    let response = here.open("/account/delete").await;
    let form = location(&response).to_owned();
    assert_eq!(form, "/log-in?max_age=600&next=%2Faccount%2Fdelete");
    let page = here.text(&form).await;
    assert!(page.contains("Please log in again to continue."), "{page}");

    // Neither a wrong password nor another member.
    let wrong = [("name", "alex"), ("password", "not the sentence")];
    let response = here.send(&form, &wrong).await;
    let again = "/log-in?failed=true&max_age=600&next=%2Faccount%2Fdelete";
    assert_eq!(location(&response), again);
    let other = [("name", "noor"), ("password", PASSWORD)];
    assert_eq!(here.send(&form, &other).await.status(), 403);
    assert_eq!(here.send("/account/delete", &[]).await.status(), 401);

    let right = [("name", "alex"), ("password", PASSWORD)];
    let response = here.send(&form, &right).await;
    assert_eq!(location(&response), "/account/delete");
    assert_eq!(here.open("/account/delete").await.status(), 200);
    let response = here.send("/account/delete", &[]).await;
    assert_eq!(location(&response), "/");
    assert!(!here.is_in().await && !there.is_in().await);
    assert!(bystander.is_in().await);
    let response = there.log_in("alex", PASSWORD).await;
    assert_eq!(location(&response), "/log-in?failed=true");

    // The name is free, and its next member is another one: the id is not given again.
    let newcomer = site.member("alex").await;
    assert!(newcomer.is_in().await && !there.is_in().await);
}

#[tokio::test]
async fn a_form_of_another_site_is_refused() {
    let site = Served::start().await;
    let browser = site.member("alex").await;
    let computed = site.passwords.computed();
    let credentials = [("name", "noor"), ("password", PASSWORD)];
    for (path, form) in [
        ("/sign-up", &credentials[..]),
        ("/log-in", &[("name", "alex"), ("password", PASSWORD)]),
        ("/account/password", &[("current", PASSWORD), ("new", NEW)]),
        ("/account/log-out-everywhere", &[]),
        ("/account/delete", &[]),
        ("/auth/sign-out", &[]),
    ] {
        for origin in ["https://evil.example", "http://127.0.0.1:1", "null"] {
            let response = browser.send_from(origin, path, form).await;
            assert_eq!(response.status(), 403, "{path} from {origin}");
            assert!(browser.is_in().await, "{path} from {origin}");
        }
    }
    assert_eq!(site.passwords.computed(), computed, "none was looked at");
    site.logged_in("alex").await;
}
