//! Adding and removing passkeys.

use std::time::Duration;

use passkey::MOST_PASSKEYS;
use serde_json::Value;

use crate::site::{Served, cookie, location};

const ELEVEN_MINUTES: Duration = Duration::from_secs(11 * 60);

#[tokio::test]
async fn a_second_passkey_logs_in_too() {
    let site = Served::start().await;
    let (browser, mut first) = site.member(1).await;
    let options = browser
        .challenge("/account/add/start", &[("name", "Key")])
        .await;
    let excluded = options["publicKey"]["excludeCredentials"]
        .as_array()
        .unwrap();
    assert_eq!(excluded.len(), 1, "the first one makes no second");
    let mut second = site.authenticator();
    let credential = second.create(&options);
    let response = browser.answer("/account/add", &credential).await;
    assert_eq!(location(&response), "/account");
    assert_eq!(first.handle, second.handle, "one member");
    assert!(browser.text("/account").await.contains("Key, added"));
    for passkey in [&mut first, &mut second] {
        let there = site.browser(2);
        assert_eq!(location(&there.log_in(passkey).await), "/");
        assert_eq!(there.passkeys().await.len(), 2);
    }

    let again = browser.add("Again", &mut second).await;
    assert_eq!(again.status(), 403, "it is there already");
    assert_eq!(browser.passkeys().await.len(), 2);
}

#[tokio::test]
async fn a_member_has_ten_passkeys_at_the_most() {
    let site = Served::start().await;
    let (_, mut passkey) = site.member(1).await;
    let mut added = 1;
    for client in 2..5 {
        let browser = site.browser(client);
        browser.log_in(&mut passkey).await;
        for _ in 0..4 {
            let response = browser.add("Another", &mut site.authenticator()).await;
            match added < MOST_PASSKEYS {
                true => assert_eq!(location(&response), "/account"),
                false => assert_eq!(response.status(), 409),
            }
            added += u32::from(response.status() == 303);
        }
        assert_eq!(browser.passkeys().await.len(), added as usize);
    }
    assert_eq!(added, MOST_PASSKEYS);
}

#[tokio::test]
async fn adding_and_removing_need_a_recent_login() {
    let site = Served::start().await;
    let (browser, mut passkey) = site.member(1).await;
    browser.add("Key", &mut site.authenticator()).await;
    let options = browser
        .challenge("/account/add/start", &[("name", "Late")])
        .await;
    site.wait(ELEVEN_MINUTES);
    assert!(browser.is_in().await);

    let page = browser.open("/account/add").await;
    let log_in = location(&page).to_owned();
    assert_eq!(log_in, "/log-in?max_age=600&next=%2Faccount%2Fadd");
    let start = browser
        .fetch("/account/add/start", &[("name", "Late")])
        .await;
    assert_eq!(start.status(), 401);
    let problem: Value = start.json().await.unwrap();
    assert!(
        problem["type"].as_str().unwrap().contains("recent_logins"),
        "{problem}"
    );
    let credential = site.authenticator().create(&options);
    assert_eq!(
        browser.answer("/account/add", &credential).await.status(),
        401
    );
    let remove = browser.send("/account/remove", &[("number", "1")]).await;
    assert_eq!(remove.status(), 401);
    assert_eq!(browser.passkeys().await.len(), 2);

    // Logging in again leads back, for the same member alone.
    let page = browser.text(&log_in).await;
    assert!(page.contains("Please log in again to continue."), "{page}");
    let (_, mut other) = site.member(2).await;
    let options = browser.challenge("/log-in/start", &[]).await;
    let credential = other.get(&options);
    assert_eq!(browser.answer(&log_in, &credential).await.status(), 403);
    assert_eq!(browser.passkeys().await.len(), 2, "still the first member");
    let options = browser.challenge("/log-in/start", &[]).await;
    let credential = passkey.get(&options);
    let response = browser.answer(&log_in, &credential).await;
    assert_eq!(location(&response), "/account/add");
    assert_eq!(browser.open("/account/add").await.status(), 200);
}

#[tokio::test]
async fn a_removed_passkey_ends_every_login_and_begins_none() {
    let site = Served::start().await;
    let (browser, mut first) = site.member(1).await;
    let (bystander, _) = site.member(2).await;
    let mut second = site.authenticator();
    browser.add("Key", &mut second).await;
    let thief = site.browser(3);
    thief.log_in(&mut first).await;
    // Under way while the passkey is removed.
    let late = site.browser(4);
    let options = late.challenge("/log-in/start", &[]).await;
    let credential = first.get(&options);

    let numbers = browser.passkeys().await;
    let response = browser
        .send("/account/remove", &[("number", &numbers[0])])
        .await;
    assert_eq!(location(&response), "/log-in?next=/account");
    assert!(!browser.is_in().await && !thief.is_in().await);
    assert!(bystander.is_in().await);
    assert_eq!(
        location(&late.answer("/log-in", &credential).await),
        "/log-in?failed=true"
    );
    let again = site.browser(5);
    assert_eq!(
        location(&again.log_in(&mut first).await),
        "/log-in?failed=true"
    );
    assert_eq!(location(&again.log_in(&mut second).await), "/");
    assert_eq!(again.passkeys().await.len(), 1);
}

#[tokio::test]
async fn the_last_passkey_and_those_of_others_stay() {
    let site = Served::start().await;
    let (browser, _) = site.member(1).await;
    let (other, _) = site.member(2).await;
    other.add("Key", &mut site.authenticator()).await;
    let page = browser.text("/account").await;
    assert!(!page.contains("Remove"), "{page}");
    for number in ["1", "2", "3", "99"] {
        let response = browser.send("/account/remove", &[("number", number)]).await;
        assert_eq!(response.status(), 409, "{number}");
        assert!(browser.is_in().await, "{number}");
    }
    for form in [
        &[][..],
        &[("number", "first")],
        &[("number", "1"), ("number", "2")],
    ] {
        let response = browser.send("/account/remove", form).await;
        assert_eq!(response.status(), 422, "{form:?}");
    }
    assert_eq!(other.passkeys().await.len(), 2);
    // Nor does a member who has two remove the one of another.
    let response = other.send("/account/remove", &[("number", "1")]).await;
    assert_eq!(response.status(), 409);
    assert_eq!(browser.passkeys().await, ["1"]);
    let anybody = site.browser(3);
    let response = anybody.send("/account/remove", &[("number", "1")]).await;
    assert_eq!(response.status(), 401);
}

#[tokio::test]
async fn two_removals_at_once_leave_one_passkey() {
    let site = Served::start().await;
    let (browser, mut first) = site.member(1).await;
    let mut second = site.authenticator();
    browser.add("Key", &mut second).await;
    let numbers = browser.passkeys().await;
    let (one, two) = ([("number", &*numbers[0])], [("number", &*numbers[1])]);
    let (one, two) = tokio::join!(
        browser.send("/account/remove", &one),
        browser.send("/account/remove", &two),
    );
    let removed = [one.status(), two.status()].map(|status| status == 303);
    assert_eq!(removed.iter().filter(|removed| **removed).count(), 1);
    let mut left = Vec::new();
    for passkey in [&mut first, &mut second] {
        let response = site.browser(2).log_in(passkey).await;
        left.push(location(&response) == "/");
    }
    assert_eq!(left, removed.map(|removed| !removed));
}

#[tokio::test]
async fn a_passkey_is_added_by_the_member_who_began() {
    let site = Served::start().await;
    let (browser, _) = site.member(1).await;
    let form = [("name", "Key")];
    let started = browser.fetch("/account/add/start", &form).await;
    let ceremony = cookie(&started);
    let credential = site.authenticator().create(&started.json().await.unwrap());

    // With the login of another member, who would get a passkey of the first one's making.
    let (_, mut other) = site.member(2).await;
    let there = site.browser(3);
    let login = cookie(&there.log_in(&mut other).await);
    let planted = [login, ceremony].join("; ");
    let form = [("credential", credential.as_str())];
    let response = there.send_with(&planted, "/account/add", &form).await;
    assert_eq!(response.status(), 403);
    assert_eq!(browser.passkeys().await.len(), 1);
    assert_eq!(there.passkeys().await.len(), 1);

    // A login in the same browser replaces the ceremony.
    let form = [("name", "Key")];
    let options = browser.challenge("/account/add/start", &form).await;
    let credential = site.authenticator().create(&options);
    browser.log_in(&mut other).await;
    let response = browser.answer("/account/add", &credential).await;
    assert_eq!(response.status(), 403);
    assert_eq!(browser.passkeys().await.len(), 1);
}
