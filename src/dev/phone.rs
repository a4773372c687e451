use std::time::Instant;

use axum::{
    Json, Router,
    extract::{Path, State},
    middleware::from_fn,
    response::{IntoResponse, Redirect, Response},
    routing::{get, post},
};
use http::{HeaderMap, StatusCode};
use serde_json::json;

use super::{
    accept::prefers_html,
    applications::{self, Application},
    fetch_site::refuse_other_sites,
    fields::Fields,
    log_out::log_out,
    loopback::{self, LoopbackUrl},
    pages,
    people::{self, PEOPLE, Person},
    service::Service,
};

/// The longest `state` taken, in bytes.
const LONGEST_STATE: usize = 2048;

/// The pages, and the two buttons on them.
pub(super) fn routes() -> Router<Service> {
    let buttons = Router::new()
        .route("/phone/{person}/log-in", post(press_log_in))
        .route("/phone/{person}/log-out", post(press_log_out))
        .route_layer(from_fn(refuse_other_sites));
    Router::new()
        .route("/iframes/qr", get(choose))
        .route("/iframes/login", get(choose))
        .route("/", get(phone))
        .route("/phone", get(phone))
        .route("/phone/{person}", get(phone_of))
        .merge(buttons)
}

/// Where a login leads, checked.
pub(super) struct Destination<'a> {
    pub(super) application: &'static Application,
    pub(super) redirect: LoopbackUrl,
    /// The redirect URL as the site wrote it.
    pub(super) redirect_text: &'a str,
    pub(super) state: Option<&'a str>,
}

/// What is wrong with a destination.
enum BadDestination {
    Application,
    Redirect,
    State,
}

impl<'a> Destination<'a> {
    fn read(fields: &'a Fields) -> Result<Self, BadDestination> {
        let application = fields
            .get("app_id")
            .and_then(applications::find)
            .ok_or(BadDestination::Application)?;
        let redirect_text = fields.get("redirect_url").unwrap_or_default();
        let redirect = LoopbackUrl::parse(redirect_text).ok_or(BadDestination::Redirect)?;
        let state = fields.get("state");
        // A browser would change line breaks on the way through the form.
        if state.is_some_and(|s| s.len() > LONGEST_STATE || s.contains(char::is_control)) {
            return Err(BadDestination::State);
        }
        Ok(Self {
            application,
            redirect,
            redirect_text,
            state,
        })
    }
}

impl IntoResponse for BadDestination {
    fn into_response(self) -> Response {
        let (status, title, explanation) = match self {
            Self::Application => (
                StatusCode::FORBIDDEN,
                "Invalid App ID.",
                "This service knows the two test applications that Clef published; \
                 TEST_APPLICATIONS lists them.",
            ),
            Self::Redirect => (
                StatusCode::BAD_REQUEST,
                "Invalid redirect URL.",
                loopback::RULE,
            ),
            Self::State => (
                StatusCode::BAD_REQUEST,
                "Invalid state.",
                "It may have up to 2 KiB of text without control characters.",
            ),
        };
        pages::refusal(status, title, explanation)
    }
}

async fn choose(query: Fields) -> Result<Response, BadDestination> {
    let destination = Destination::read(&query)?;
    Ok(pages::choose(&destination))
}

async fn phone(State(service): State<Service>) -> Response {
    let now = Instant::now();
    let logins = service.logins();
    let people = PEOPLE.each_ref().map(|p| (p, logins.sites(p, now)));
    drop(logins);
    pages::phone(&people)
}

async fn phone_of(State(service): State<Service>, Path(person): Path<String>) -> Response {
    let Some(person) = people::find(&person) else {
        return nobody();
    };
    let sites = service.logins().sites(person, Instant::now());
    pages::phone_of(person, &sites)
}

async fn press_log_in(
    State(service): State<Service>,
    Path(person): Path<String>,
    form: Fields,
) -> Result<Response, BadDestination> {
    let Some(person) = people::find(&person) else {
        return Ok(nobody());
    };
    let destination = Destination::read(&form)?;
    let code = service.logins().give_code(
        person,
        destination.application,
        &destination.redirect,
        destination.redirect_text,
        Instant::now(),
    );
    let url = destination.redirect.with_answer(&code, destination.state);
    Ok(Redirect::to(url.as_str()).into_response())
}

async fn press_log_out(
    State(service): State<Service>,
    Path(person): Path<String>,
    headers: HeaderMap,
) -> Response {
    let html = prefers_html(&headers);
    match people::find(&person) {
        Some(person) => answer_log_out(&service, person, html).await,
        None if html => nobody(),
        None => (
            StatusCode::NOT_FOUND,
            Json(json!({ "error": "Nobody here has this id." })),
        )
            .into_response(),
    }
}

async fn answer_log_out(service: &Service, person: &'static Person, html: bool) -> Response {
    let rows = log_out(service, person).await;
    if html {
        pages::logged_out(person, &rows)
    } else {
        Json(rows).into_response()
    }
}

fn nobody() -> Response {
    pages::refusal(
        StatusCode::NOT_FOUND,
        "Nobody here has this id.",
        "The phone shows who there is.",
    )
}
