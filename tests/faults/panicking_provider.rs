//! A provider with a mistake in it: what it panics at has failed, and nothing else.

use std::sync::atomic::Ordering::SeqCst;

use crate::{
    browser::{Browser, notice},
    site::Site,
};

#[tokio::test(start_paused = true)]
async fn a_provider_that_panics_has_not_answered() {
    let site = Site::new();
    let node = site.node();
    let mut browser = Browser::default();
    let callback = browser.begin(&node.app, "code:12345").await;

    site.provider_panics.store(true, SeqCst);
    for path in ["/clef/login", &callback] {
        let answer = browser.get(&node.app, path).await;
        assert_eq!(answer.status, 502, "{path}");
        assert!(answer.text.contains("Log in with Clef"), "{path}");
    }
    assert_eq!(notice(&node.app, "token:12345:once").await.status, 503);
    assert_eq!(node.layer.pending_logouts(), 0);
    assert_eq!(site.users.returned.lock().unwrap().len(), 0);

    site.provider_panics.store(false, SeqCst);
    assert_eq!(browser.get(&node.app, &callback).await.status, 403);
    browser.log_in(&node.app, "code:12345").await;
    assert_eq!(notice(&node.app, "token:12345:once").await.status, 200);
    assert_eq!(browser.is(&node.app).await, None);
}
