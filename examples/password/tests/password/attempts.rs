//! Limits on attempts.

use password::MOST_ATTEMPTS;
use reqwest::header::RETRY_AFTER;

use crate::site::{PASSWORD, Served, location};

#[tokio::test]
async fn too_many_attempts_of_a_client_are_429() {
    let site = Served::start().await;
    let member = site.member("alex").await;
    let browser = site.browser();
    let mut refused = None;
    // More than the limit, as a slow machine gives one back every six seconds.
    for _ in 0..10 * MOST_ATTEMPTS.get() {
        let response = browser.log_in("alex", "not the sentence").await;
        if response.status() == 429 {
            refused = Some(response);
            break;
        }
        assert_eq!(location(&response), "/log-in?failed=true");
    }
    let refused = refused.unwrap();
    let wait = refused.headers()[RETRY_AFTER].to_str().unwrap();
    assert!((1..=7).contains(&wait.parse::<u64>().unwrap()), "{wait}");
    let page = refused.text().await.unwrap();
    assert!(page.contains("You have tried too often."), "{page}");

    // Another client is none the worse, unless it is the one in 65,536 with the same counter.
    let mut others = Vec::new();
    for last in 2..5 {
        let other = site.browser_at([127, 0, 0, last]);
        others.push(other.log_in("alex", PASSWORD).await.status());
    }
    assert!(others.iter().any(|status| *status == 303), "{others:?}");
    assert!(member.is_in().await, "what asks for no password goes on");
}

#[tokio::test]
async fn all_forms_with_a_password_share_the_limit() {
    for (path, form) in [
        ("/sign-up", &[("name", "alex"), ("password", PASSWORD)][..]),
        (
            "/account/password",
            &[("current", "wrong"), ("new", PASSWORD)],
        ),
    ] {
        let site = Served::start().await;
        let browser = site.member("alex").await;
        let mut statuses = Vec::new();
        for _ in 0..10 * MOST_ATTEMPTS.get() {
            let status = browser.send(path, form).await.status();
            statuses.push(status);
            if status == 429 {
                break;
            }
        }
        let attempts = u32::try_from(statuses.len()).unwrap();
        assert!(attempts >= MOST_ATTEMPTS.get(), "{path}: {statuses:?}");
        assert_eq!(statuses.pop().unwrap(), 429, "{path}");
        assert!(
            statuses
                .iter()
                .all(|status| [409, 422].contains(&status.as_u16()))
        );
    }
}
