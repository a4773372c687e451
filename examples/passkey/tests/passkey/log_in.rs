//! Signing up and logging in, with an authenticator that answers as it should and otherwise.

use passkey::{CEREMONY_LIFETIME, MOST_ATTEMPTS};
use reqwest::header::{CONTENT_SECURITY_POLICY, RETRY_AFTER, SET_COOKIE};

use crate::{
    authenticator::Authenticator,
    site::{Served, location},
};

const FAILED: &str = "/log-in?failed=true";

#[tokio::test]
async fn a_member_signs_up_signs_out_and_logs_in_without_a_name() {
    let site = Served::start().await;
    let browser = site.browser(1);
    let options = browser
        .challenge("/sign-up/start", &[("name", " Alex ")])
        .await;
    let selection = &options["publicKey"]["authenticatorSelection"];
    assert_eq!(selection["residentKey"], "required");
    assert_eq!(selection["userVerification"], "required");
    let mut passkey = site.authenticator();
    let credential = passkey.create(&options);
    assert_eq!(
        location(&browser.answer("/sign-up", &credential).await),
        "/"
    );
    assert!(browser.text("/").await.contains("Hello, Alex."));
    browser.send("/auth/sign-out", &[]).await;
    assert!(!browser.is_in().await);

    let options = browser.challenge("/log-in/start", &[]).await;
    assert!(
        options["publicKey"]["allowCredentials"]
            .as_array()
            .is_none_or(Vec::is_empty)
    );
    let credential = passkey.get(&options);
    assert_eq!(location(&browser.answer("/log-in", &credential).await), "/");
    assert!(browser.is_in().await);
    // Another member with the same name is another member.
    let (noor, _) = site.member(2).await;
    assert_eq!(noor.passkeys().await, ["2"]);
    assert_eq!(browser.passkeys().await, ["1"]);
}

#[tokio::test]
async fn the_login_leads_to_the_page_that_was_asked_for() {
    let site = Served::start().await;
    let (_, mut passkey) = site.member(1).await;
    let browser = site.browser(2);
    assert_eq!(
        location(&browser.open("/account").await),
        "/log-in?next=%2Faccount"
    );
    for (next, leads_to) in [("/account", "/account"), ("https://evil.example/", "/")] {
        let options = browser.challenge("/log-in/start", &[]).await;
        let credential = passkey.get(&options);
        let path = format!("/log-in?next={next}");
        let response = browser.answer(&path, &credential).await;
        assert_eq!(location(&response), leads_to);
    }
}

#[tokio::test]
async fn a_wrong_answer_logs_nobody_in() {
    let site = Served::start().await;
    let (_, mut passkey) = site.member(1).await;
    type Wrong = fn(&mut Authenticator);
    let wrong: [(&str, Wrong); 9] = [
        ("of a page of another site", |key| {
            key.origin = "https://evil.example".to_owned()
        }),
        ("of another port", |key| {
            key.origin = "http://localhost:1".to_owned()
        }),
        ("for another domain", |key| {
            key.domain = "evil.example".to_owned()
        }),
        ("without the user", |key| key.flags = 0),
        ("with a user who is not verified", Authenticator::unverified),
        ("with another signature", |key| key.breaks_signature = true),
        ("of another member", |key| key.handle = Some(vec![7; 16])),
        ("of no member", |key| key.handle = None),
        ("to a registration", |key| {
            key.kind = Some("webauthn.create")
        }),
    ];
    for (number, (name, wrong)) in (2..).zip(wrong) {
        let browser = site.browser(number);
        let good = (
            passkey.origin.clone(),
            passkey.domain.clone(),
            passkey.flags,
            passkey.handle.clone(),
        );
        wrong(&mut passkey);
        assert_eq!(
            location(&browser.log_in(&mut passkey).await),
            FAILED,
            "{name}"
        );
        assert!(!browser.is_in().await, "{name}");
        (
            passkey.origin,
            passkey.domain,
            passkey.flags,
            passkey.handle,
        ) = good;
        (passkey.breaks_signature, passkey.kind) = (false, None);
        assert_eq!(
            location(&browser.log_in(&mut passkey).await),
            "/",
            "after {name}"
        );
    }
    let mut unknown = site.authenticator();
    unknown.handle.clone_from(&passkey.handle);
    let browser = site.browser(20);
    assert_eq!(
        location(&browser.log_in(&mut unknown).await),
        FAILED,
        "unknown"
    );
    let page = browser.text(FAILED).await;
    assert!(page.contains("This passkey is not known here."), "{page}");
}

#[tokio::test]
async fn an_answer_counts_once() {
    let site = Served::start().await;
    let (_, mut passkey) = site.member(1).await;
    let browser = site.browser(2);
    let options = browser.challenge("/log-in/start", &[]).await;
    let credential = passkey.get(&options);
    let first = browser.answer("/log-in", &credential).await;
    assert_eq!(location(&first), "/");
    browser.send("/auth/sign-out", &[]).await;
    let again = browser.answer("/log-in", &credential).await;
    assert_eq!(again.status(), 403);
    let page = again.text().await.unwrap();
    assert!(page.contains("Please start again."), "{page}");

    // To a challenge of its own it is an answer to another one, here and elsewhere.
    for browser in [browser, site.browser(3)] {
        browser.challenge("/log-in/start", &[]).await;
        assert_eq!(
            location(&browser.answer("/log-in", &credential).await),
            FAILED
        );
        assert!(!browser.is_in().await);
    }
}

#[tokio::test]
async fn a_failed_answer_ends_its_ceremony_too() {
    let site = Served::start().await;
    let (_, mut passkey) = site.member(1).await;
    let browser = site.browser(2);
    let options = browser.challenge("/log-in/start", &[]).await;
    let good = passkey.get(&options);
    passkey.breaks_signature = true;
    let wrong = passkey.get(&options);
    assert_eq!(location(&browser.answer("/log-in", &wrong).await), FAILED);
    assert_eq!(browser.answer("/log-in", &good).await.status(), 403);
    assert!(!browser.is_in().await);
}

#[tokio::test]
async fn a_copy_of_a_passkey_is_found_by_its_counter() {
    let site = Served::start().await;
    let browser = site.browser(1);
    let mut passkey = site.authenticator();
    passkey.counter = 1;
    browser.sign_up("Alex", &mut passkey).await;
    for (counter, leads_to) in [(5, "/"), (5, FAILED), (4, FAILED), (0, FAILED), (6, "/")] {
        passkey.counter = counter;
        let response = site.browser(2).log_in(&mut passkey).await;
        assert_eq!(location(&response), leads_to, "{counter}");
    }
    // Of two answers at once with one counter, one counts.
    passkey.counter = 7;
    let (one, two) = (site.browser(3), site.browser(4));
    let options = one.challenge("/log-in/start", &[]).await;
    let first = passkey.get(&options);
    let options = two.challenge("/log-in/start", &[]).await;
    let second = passkey.get(&options);
    tokio::join!(
        one.answer("/log-in", &first),
        two.answer("/log-in", &second)
    );
    assert_ne!(one.is_in().await, two.is_in().await);
}

#[tokio::test]
async fn a_ceremony_ends_after_ten_minutes() {
    let site = Served::start().await;
    let (_, mut passkey) = site.member(1).await;
    for (waits, status) in [(CEREMONY_LIFETIME / 2, 303), (CEREMONY_LIFETIME, 403)] {
        let browser = site.browser(2);
        let options = browser.challenge("/log-in/start", &[]).await;
        site.wait(waits);
        let response = browser.answer("/log-in", &passkey.get(&options)).await;
        assert_eq!(response.status(), status);
        assert_eq!(browser.is_in().await, status == 303);

        let browser = site.browser(3);
        let options = browser
            .challenge("/sign-up/start", &[("name", "Noor")])
            .await;
        site.wait(waits);
        let response = browser
            .answer("/sign-up", &site.authenticator().create(&options))
            .await;
        assert_eq!(response.status(), status);
    }
}

#[tokio::test]
async fn a_ceremony_is_of_one_browser_and_for_one_purpose() {
    let site = Served::start().await;
    let (_, mut passkey) = site.member(1).await;
    let browser = site.browser(2);
    let response = browser.fetch("/log-in/start", &[]).await;
    let cookie = response.headers()[SET_COOKIE].to_str().unwrap();
    assert!(cookie.contains("HttpOnly; SameSite=Strict"), "{cookie}");
    let options = response.json().await.unwrap();
    let credential = passkey.get(&options);
    let other = site.browser(3);
    assert_eq!(other.answer("/log-in", &credential).await.status(), 403);
    assert_eq!(location(&browser.answer("/log-in", &credential).await), "/");

    let other_options = other.challenge("/sign-up/start", &[("name", "Noor")]).await;
    let credential = passkey.get(&other_options);
    assert_eq!(other.answer("/log-in", &credential).await.status(), 403);
    let options = other.challenge("/log-in/start", &[]).await;
    let mut options = options.clone();
    options["publicKey"]["user"] = other_options["publicKey"]["user"].clone();
    let credential = site.authenticator().create(&options);
    assert_eq!(other.answer("/sign-up", &credential).await.status(), 403);
    assert!(!other.is_in().await);
}

#[tokio::test]
async fn a_page_of_another_site_begins_and_ends_nothing() {
    let site = Served::start().await;
    let (browser, mut passkey) = site.member(1).await;
    let other = site.browser(2);
    let options = other.challenge("/log-in/start", &[]).await;
    let credential = passkey.get(&options);
    for origin in ["https://evil.example", "http://localhost:1", "null"] {
        for path in [
            "/sign-up/start",
            "/log-in/start",
            "/account/add/start",
            "/account/add",
        ] {
            let response = browser.send_from(origin, path, &[("name", "Alex")]).await;
            assert_eq!(response.status(), 403, "{path} from {origin}");
        }
        for path in [
            "/account/remove",
            "/account/log-out-everywhere",
            "/auth/sign-out",
        ] {
            let response = browser.send_from(origin, path, &[("number", "1")]).await;
            assert_eq!(response.status(), 403, "{path} from {origin}");
        }
        for path in ["/log-in", "/sign-up"] {
            let form = [("credential", credential.as_str())];
            let response = other.send_from(origin, path, &form).await;
            assert_eq!(response.status(), 403, "{path} from {origin}");
        }
    }
    assert!(browser.is_in().await && !other.is_in().await);
    assert_eq!(location(&other.answer("/log-in", &credential).await), "/");
}

#[tokio::test]
async fn what_is_no_answer_is_an_error_of_the_client() {
    let site = Served::start().await;
    let mut clients = 1..;
    for (path, start) in [("/log-in", "/log-in/start"), ("/sign-up", "/sign-up/start")] {
        let long = "long".repeat(8_000);
        for (credential, status) in [
            ("", 422),
            ("null", 422),
            ("{}", 422),
            ("[]", 422),
            ("\"", 422),
            ("{\"id\":\"a\",\"rawId\":\"%\"}", 422),
            (&long, 413),
        ] {
            let browser = site.browser(clients.next().unwrap());
            browser.challenge(start, &[("name", "Alex")]).await;
            let response = browser.answer(path, credential).await;
            assert_eq!(response.status(), status, "{path}: {credential}");
            assert!(!browser.is_in().await);
        }
        let browser = site.browser(clients.next().unwrap());
        let response = browser.send(path, &[]).await;
        assert_eq!(response.status(), 422, "{path}: no field");
    }
    let browser = site.browser(clients.next().unwrap());
    for name in ["", "  ", "a\u{0}b", &"long".repeat(17)] {
        let response = browser.fetch("/sign-up/start", &[("name", name)]).await;
        assert_eq!(response.status(), 422, "{name}");
    }
}

#[tokio::test]
async fn a_passkey_is_of_one_member() {
    let site = Served::start().await;
    let (_, mut passkey) = site.member(1).await;
    let handle = passkey.handle.clone();
    let thief = site.browser(2);
    let response = thief.sign_up("Noor", &mut passkey).await;
    assert_eq!(response.status(), 409);
    assert!(!thief.is_in().await);
    passkey.handle = handle;
    let browser = site.browser(3);
    assert_eq!(location(&browser.log_in(&mut passkey).await), "/");
    assert!(browser.text("/").await.contains("Hello, Alex."));
}

#[tokio::test]
async fn too_many_attempts_of_a_client_are_429() {
    let site = Served::start().await;
    let browser = site.browser(1);
    let mut refused = None;
    for _ in 0..10 * MOST_ATTEMPTS.get() {
        let response = browser.fetch("/log-in/start", &[]).await;
        if response.status() == 429 {
            refused = Some(response);
            break;
        }
    }
    let refused = refused.unwrap();
    let wait = refused.headers()[RETRY_AFTER].to_str().unwrap();
    assert!((1..=7).contains(&wait.parse::<u64>().unwrap()), "{wait}");
}

#[tokio::test]
async fn the_pages_run_one_script_of_this_site() {
    let site = Served::start().await;
    let (browser, _) = site.member(1).await;
    for path in [
        "/",
        "/log-in",
        "/sign-up",
        "/account",
        "/account/add",
        "/nowhere",
    ] {
        let response = browser.open(path).await;
        let policy = response.headers()[CONTENT_SECURITY_POLICY]
            .to_str()
            .unwrap();
        assert!(
            policy.starts_with("default-src 'none'; script-src 'self'; "),
            "{policy}"
        );
        assert!(!policy.contains("unsafe"), "{policy}");
        let page = response.text().await.unwrap();
        let scripts = page.matches("<script").count();
        let own = page
            .matches("<script src=\"/passkey.js\" defer></script>")
            .count();
        assert_eq!(scripts, own, "{path}");
        assert!(
            !page.contains("onclick") && !page.contains("style="),
            "{path}"
        );
    }
    let browser = site.browser(2);
    browser
        .sign_up("<script>alert(1)</script>", &mut site.authenticator())
        .await;
    assert!(browser.text("/account").await.contains("&lt;script&gt;"));
}
