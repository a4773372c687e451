//! An application whose middleware answers an error where the login has succeeded: the session
//! layer saves nothing then, and so nobody is logged in.

use axum::{
    http::StatusCode,
    middleware::map_response,
    response::{IntoResponse as _, Response},
};

use crate::{browser::Browser, site::Site};

#[tokio::test]
async fn a_login_whose_answer_is_replaced_by_an_error_is_none() {
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
    for cookie in answer.headers.get_all("set-cookie") {
        let cookie = cookie.to_str().unwrap();
        assert!(cookie.starts_with("clef-attempt-"), "{cookie}");
    }
    assert_eq!(site.sessions.logged_in().await.len(), 0);
    assert_eq!(browser.is(&app).await, None);
    browser.log_in(&node.app, "code:12345").await;
}
