//! A session layer of the application's: what its store breaks at the end of a request is
//! answered as where the sessions are ours.

use axum::Router;
use axum_clef::ClefLayer;
use tower_sessions::{SessionManagerLayer, cookie::SameSite};

use crate::{
    browser::Browser,
    fault::{Fault, Lasting},
    log,
    site::Site,
};

fn app(site: &Site) -> Router {
    let sessions = SessionManagerLayer::new(site.sessions.clone())
        .with_secure(false)
        .with_same_site(SameSite::Lax);
    let layer = ClefLayer::with_session_layer(
        "http://127.0.0.1:9",
        site.provider.clone(),
        site.users.clone(),
        sessions,
    )
    .unwrap();
    crate::site::pages(layer.routes()).layer(layer)
}

#[tokio::test(start_paused = true)]
async fn a_session_that_such_a_layer_does_not_save_is_503_and_no_login() {
    for fault in Fault::ALL {
        let reason = match fault {
            // The session layer keeps the error to itself.
            Fault::Fails | Fault::FailsOnceDone => "the session store did not take the session",
            Fault::Hangs | Fault::HangsOnceDone => "no answer within 10 seconds",
            Fault::Panics | Fault::PanicsOnceDone => "a panic instead of an answer",
        };
        let site = Site::new();
        let app = app(&site);
        let mut browser = Browser::default();
        let callback = browser.begin(&app, "code:12345").await;
        site.faults.listen();
        log::listen();
        // The calls of a first login before the session is made.
        site.faults.break_at(3, fault, Lasting::Once);
        let answer = browser.get(&app, &callback).await;
        assert_eq!(answer.status, 503, "{fault:?}");
        assert_eq!(answer.header("retry-after"), "5");
        assert_eq!(answer.header("cache-control"), "no-store");
        assert!(answer.text.contains("/clef/login?next=%2Faccount"));
        log::assert_one(&[" ERROR ", reason], &format!("{fault:?}"));
        let cookies: Vec<_> = answer.headers.get_all("set-cookie").iter().collect();
        assert_eq!(cookies.len(), 1, "{fault:?}: {cookies:?}");
        assert!(cookies[0].to_str().unwrap().starts_with("clef-attempt-"));
        assert_eq!(browser.is(&app).await, None, "{fault:?}");

        browser.log_in(&app, "code:12345").await;
        assert_eq!(browser.is(&app).await.as_deref(), Some("12345"));
        log::listen();
        // It is loaded, and saved.
        site.faults.break_at(1, fault, Lasting::Once);
        let answer = browser.post(&app, "/cart").await;
        assert_eq!(answer.status, 503, "{fault:?}");
        assert_eq!(answer.header("retry-after"), "5");
        log::assert_one(&[" ERROR ", reason], &format!("{fault:?}"));
        assert_eq!(browser.post(&app, "/cart").await.status, 200);
        assert_eq!(browser.is(&app).await.as_deref(), Some("12345"));
    }
}
