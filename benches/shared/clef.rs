//! The application with axum-clef, and a user who logs in there.

use axum::{Router, routing::get};
use axum_clef::{LoggedIn, clef::Clef, stores::Account};
use clef_dev::{ClefService, PEOPLE, TEST_APPLICATIONS};
use test_support::{Jar, location};

use super::{Site, answer_to, public};

/// Where the sites are, to those who log in.
pub const SITE: &str = "http://127.0.0.1:3000";

/// A Clef of this process.
pub async fn service() -> ClefService {
    let address = "127.0.0.1:0".parse().unwrap();
    ClefService::start(address).await.unwrap()
}

/// Its client.
pub fn client(service: &ClefService) -> Clef {
    let application = &TEST_APPLICATIONS[0];
    Clef::new(&service.url(), application.id(), application.secret()).unwrap()
}

/// The pages, without the layer.
pub fn pages() -> Router {
    async fn user(LoggedIn(account): LoggedIn<Account>) -> String {
        answer_to(&account)
    }
    Router::new()
        .route("/public", get(public))
        .route("/user", get(user))
}

/// A site at which a user has logged in.
pub async fn site(name: impl Into<String>, app: Router, service: &ClefService) -> Site {
    let mut browser = Jar::default();
    let start = browser.get(&app, "/clef/login").await;
    let callback = service.approve(PEOPLE[0].id(), location(&start)).await;
    let callback = callback.unwrap();
    let (path, query) = (callback.path(), callback.query().unwrap());
    browser.get(&app, &format!("{path}?{query}")).await;
    Site::new(name, app, browser.header())
}
