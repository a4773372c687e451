//! An application whose middleware answers an error where the login has succeeded: the login is
//! kept, and the browser has its cookie.

use axum::{
    http::StatusCode,
    middleware::map_response,
    response::{IntoResponse as _, Response},
};

use crate::{browser::Browser, site::Site};

#[tokio::test]
async fn a_login_whose_answer_is_replaced_by_an_error_stands() {
    let site = Site::new();
    let node = site.node();
    let replaces = async |response: Response| match response.headers().get("location") {
        Some(location) if location == "/account" => StatusCode::BAD_GATEWAY.into_response(),
        _ => response,
    };
    let app = crate::site::pages(node.layer.routes())
        .layer(map_response(replaces))
        .layer(node.layer.clone());
    let mut browser = Browser::default();
    let callback = browser.begin(&app, "code:12345").await;
    let answer = browser.get(&app, &callback).await;
    assert_eq!(answer.status, 502);
    assert_eq!(answer.header("cache-control"), "no-store");
    // Neither a record without a cookie nor a cookie without a record.
    assert_eq!(site.logged_in().await.len(), 1);
    assert_eq!(browser.is(&app).await.as_deref(), Some("12345"));
}
