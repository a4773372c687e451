//! Logouts that are owed: how many there can be, and what becomes of them.

use std::time::Duration;

use axum_clef::{Profile, Subject, User as _};

use crate::{
    browser::{Browser, notice},
    fault::{Fault, Lasting},
    site::Site,
};

/// How many logouts one node keeps.
const MOST: usize = 1_024;

#[tokio::test(start_paused = true)]
async fn a_long_outage_owes_a_bounded_number_of_logouts_and_loses_none() {
    let site = Site::new();
    let node = site.node();
    let users = &site.users.inner;
    let mut accounts = Vec::new();
    for person in 0..MOST + 40 {
        let profile = Profile::new(Subject::new("https://clef.test", person.to_string()));
        accounts.push(users.find_or_create(&profile).await.unwrap().unwrap().id());
    }
    let logged_out = async |account: &String| {
        let account = users.load(account).await.unwrap().unwrap();
        account.logged_out_at().is_some()
    };
    site.faults.break_at(0, Fault::Fails, Lasting::UntilMended);
    for person in 0..MOST + 40 {
        let answer = notice(&node.app, &format!("token:{person}:once")).await;
        assert_eq!((answer.status, answer.header("retry-after")), (503, "5"));
        let owed = node.layer.pending_logouts();
        assert_eq!(owed, MOST.min(person + 1));
    }

    site.faults.mend();
    tokio::time::sleep(Duration::from_secs(6)).await;
    assert_eq!(node.layer.pending_logouts(), 0);
    for (person, account) in accounts.iter().enumerate() {
        assert_eq!(logged_out(account).await, person < MOST, "{person}");
    }
    // The tokens of the others were not exchanged, so their senders can come back with them.
    for (person, account) in accounts.iter().enumerate().skip(MOST) {
        let answer = notice(&node.app, &format!("token:{person}:once")).await;
        assert_eq!(answer.status, 200, "{person}");
        assert!(logged_out(account).await);
    }
}

#[tokio::test(start_paused = true)]
async fn a_login_under_way_while_a_logout_is_owed_does_not_come_through() {
    let site = Site::new();
    let node = site.node();
    let mut browser = Browser::default();
    browser.log_in(&node.app, "code:12345").await;
    let callback = browser.begin(&node.app, "code:12345").await;
    // The only call of the notice, and so none of the login's.
    site.faults.break_at(0, Fault::Hangs, Lasting::Once);
    assert_eq!(notice(&node.app, "token:12345:once").await.status, 503);
    assert_eq!(node.layer.pending_logouts(), 1);
    let answer = browser.get(&node.app, &callback).await;
    assert_eq!(answer.status, 403, "{}", answer.text);
    assert!(answer.text.contains("You were logged out during the login"));
    assert_eq!(browser.is(&node.app).await, None);

    tokio::time::sleep(Duration::from_secs(6)).await;
    assert_eq!(node.layer.pending_logouts(), 0);
    browser.log_in(&node.app, "code:12345").await;
}
