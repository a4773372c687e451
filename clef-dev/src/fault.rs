use std::time::Duration;

use axum::{
    Json,
    extract::{Request, State},
    middleware::Next,
    response::{Html, IntoResponse, Response},
};
use http::StatusCode;
use serde_json::json;

use super::service::Service;

/// A way in which the service can misbehave on purpose, to see what a site makes of it.
///
/// Several at a time go together: [`ClefService::misbehave`](super::ClefService::misbehave) adds
/// one, [`ClefService::behave`](super::ClefService::behave) ends them all. The pages go on as if
/// nothing was wrong, and a call that gets a wrong answer has no effect: the code that it carried
/// is as good as before.
///
/// A site asks the API in the middle of a login and of a webhook, so a fault of the API shows in
/// both: the site answers a login with 502 and a webhook with 503 until it ends, and the webhook
/// is tried again. Both sides give a call five seconds, so [`Hangs`](Self::Hangs) costs as much.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Fault {
    /// The API answers rightly, but only after this time.
    Slow(Duration),
    /// The API never answers.
    Hangs,
    /// The API answers 500 with a page.
    Down,
    /// The API answers 200 with a page.
    HtmlInsteadOfJson,
    /// The API answers 200 with JSON that has nothing of what was asked for.
    WrongAnswer,
    /// Each webhook is on its way for this time. Logins in between do not hold it up: it is a
    /// notice that comes late. [`Delivery::took`](super::Delivery::took) counts from when it is
    /// there.
    WebhookLate(Duration),
    /// Each webhook comes twice, with the same logout token; both are in the log as the same
    /// attempt.
    WebhookTwice,
}

const PAGE: Html<&str> = Html("<!doctype html><title>Clef</title><p>Something went wrong.</p>\n");

/// Answers the API's calls as the faults of the moment say.
pub(super) async fn misbehave(
    State(service): State<Service>,
    request: Request,
    next: Next,
) -> Response {
    for fault in service.read(|state| state.faults.clone()) {
        match fault {
            Fault::Slow(time) => {
                service.unless_stopped(tokio::time::sleep(time)).await;
            }
            Fault::Hangs => {
                service.unless_stopped(std::future::pending::<()>()).await;
            }
            Fault::Down => return (StatusCode::INTERNAL_SERVER_ERROR, PAGE).into_response(),
            Fault::HtmlInsteadOfJson => return PAGE.into_response(),
            Fault::WrongAnswer => return Json(json!({ "answer": [42] })).into_response(),
            Fault::WebhookLate(_) | Fault::WebhookTwice => {}
        }
    }
    next.run(request).await
}
