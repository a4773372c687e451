use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use axum::{
    Json, Router,
    extract::{Path, State},
    middleware::from_fn,
    response::{IntoResponse, Redirect, Response},
    routing::{get, post},
};
use http::{HeaderMap, StatusCode};
use serde_json::{Value, json};
use url::form_urlencoded::byte_serialize;

use super::{
    Delivery, Person,
    accept::prefers_html,
    cookies::Cookie,
    delivery,
    destination::{BadDestination, Destination},
    events,
    fetch_site::refuse_other_sites,
    fields::Fields,
    host::base_url,
    log_out::{log_out, tell_what_is_owed},
    pages::{
        self,
        phone::{Length, Phone},
    },
    service::Service,
};

/// The phone of each person, and the buttons on it.
pub(super) fn routes() -> Router<Service> {
    let buttons = Router::new()
        .route("/phone", post(choose))
        .route("/phone/{person}/approve", post(press_approve))
        .route("/phone/{person}/refuse", post(press_refuse))
        .route("/phone/{person}/timer", post(press_timer))
        .route("/phone/{person}/log-in", post(press_log_in))
        .route("/phone/{person}/log-out", post(press_log_out))
        .route_layer(from_fn(refuse_other_sites));
    let events = Router::new()
        .route("/phone/{person}/events", get(follow))
        .route_layer(from_fn(refuse_other_sites));
    Router::new()
        .route("/", get(front))
        .route("/phone", get(phone))
        .route("/phone/{person}", get(phone_of))
        .route("/phone/{person}/deliveries", get(deliveries))
        .merge(events)
        .merge(buttons)
}

/// What to write into a site, with the service as the browser names it.
async fn front(headers: HeaderMap) -> Response {
    let base = base_url(&headers).map_or_else(String::new, |url| url.to_string());
    pages::front::front(base.trim_end_matches('/'))
}

/// The phone of the person whose it is, or the question whose it is.
async fn phone(State(service): State<Service>, headers: HeaderMap, query: Fields) -> Response {
    let login = query.get("login");
    let person = Cookie::Phone
        .read(&service, &headers)
        .and_then(|id| service.directory().person(id))
        .filter(|_| query.get("anew").is_none());
    match person {
        Some(person) => Redirect::to(&address(person, login)).into_response(),
        None => pages::phone::choose(service.directory().people(), login),
    }
}

async fn choose(State(service): State<Service>, form: Fields) -> Response {
    let Some(person) = form
        .get("person")
        .and_then(|id| service.directory().person(id))
    else {
        return pages::nobody();
    };
    let cookie = Cookie::Phone.set(&service, person.id());
    let phone = Redirect::to(&address(person, form.get("login")));
    (cookie, phone).into_response()
}

/// A person's phone, with the login to look at.
fn address(person: &Person, login: Option<&str>) -> String {
    match login {
        Some(login) => {
            let login: String = byte_serialize(login.as_bytes()).collect();
            format!("/phone/{}?login={login}", person.id())
        }
        None => format!("/phone/{}", person.id()),
    }
}

async fn phone_of(
    State(service): State<Service>,
    Path(person): Path<String>,
    query: Fields,
) -> Response {
    let Some(person) = service.directory().person(&person) else {
        return pages::nobody();
    };
    service.read(|state| {
        pages::phone::phone(&Phone {
            person,
            state,
            now: Instant::now(),
            scanned: query.get("login"),
        })
    })
}

/// Pushes that something has changed; the page fetches itself then.
async fn follow(State(service): State<Service>) -> Response {
    events::push(service, |state| state.version.to_string())
}

async fn press_approve(
    State(service): State<Service>,
    Path(person): Path<String>,
    form: Fields,
) -> Response {
    answer(&service, &person, &form, |state, key, person, now| {
        state.approve(key, person, now)
    })
}

async fn press_refuse(
    State(service): State<Service>,
    Path(person): Path<String>,
    form: Fields,
) -> Response {
    answer(&service, &person, &form, |state, key, _, now| {
        state.waiting.refuse(key, now)
    })
}

/// Answers the login in the form, as a person.
fn answer(
    service: &Service,
    person: &str,
    form: &Fields,
    give: impl FnOnce(&mut super::state::State, &str, &Arc<Person>, Instant) -> bool,
) -> Response {
    let Some(person) = service.directory().person(person) else {
        return pages::nobody();
    };
    let id = form.get("login").unwrap_or_default();
    let answered = service.change(|state| {
        let now = Instant::now();
        let key = state.waiting.key_of(id, now);
        key.is_some_and(|key| give(state, &key, person, now))
    });
    if answered {
        return Redirect::to(&address(person, None)).into_response();
    }
    pages::refusal(
        StatusCode::GONE,
        "This login waits no more.",
        "It was answered already, or it waited too long. Begin it again at the site.",
    )
}

async fn press_timer(
    State(service): State<Service>,
    Path(person): Path<String>,
    form: Fields,
) -> Response {
    let Some(person) = service.directory().person(&person) else {
        return pages::nobody();
    };
    let Some(length) = form.get("length").and_then(Length::parse) else {
        return pages::refusal(
            StatusCode::BAD_REQUEST,
            "No such timer.",
            "The field length takes 15m, 1h, 8h or never.",
        );
    };
    set_timer(&service, person, length.duration());
    Redirect::to(&address(person, None)).into_response()
}

/// Sets a person's timer.
pub(super) fn set_timer(service: &Service, person: &Person, length: Option<Duration>) {
    service.change(|state| state.timers.set(person, length, Instant::now()));
}

async fn press_log_in(
    State(service): State<Service>,
    Path(person): Path<String>,
    form: Fields,
) -> Result<Response, BadDestination> {
    let Some(person) = service.directory().person(&person) else {
        return Ok(pages::nobody());
    };
    let destination = Destination::read(&form, service.directory())?;
    tell_what_is_owed(&service, person, &destination).await;
    let url = service.change(|state| state.log_in(person, &destination, Instant::now()));
    Ok(Redirect::to(url.as_str()).into_response())
}

async fn press_log_out(
    State(service): State<Service>,
    Path(person): Path<String>,
    headers: HeaderMap,
) -> Response {
    let html = prefers_html(&headers);
    let Some(person) = service.directory().person(&person) else {
        return nobody(html);
    };
    let rows = log_out(&service, person).rows().await;
    if html {
        pages::deliveries::logged_out(person, &rows)
    } else {
        let rows: Vec<Value> = rows.iter().map(row).collect();
        Json(rows).into_response()
    }
}

fn row(delivery: &Delivery) -> Value {
    let mut row = json!({
        "url": delivery.url,
        "status": delivery.status,
        "milliseconds": delivery::milliseconds(delivery.took),
    });
    if let Some(error) = &delivery.error {
        row["error"] = error.as_str().into();
    }
    row
}

/// The delivery log of a person.
async fn deliveries(
    State(service): State<Service>,
    Path(person): Path<String>,
    headers: HeaderMap,
) -> Response {
    let html = prefers_html(&headers);
    let Some(person) = service.directory().person(&person) else {
        return nobody(html);
    };
    let log: Vec<Delivery> =
        service.read(|state| state.deliveries.of(person.id()).cloned().collect());
    if html {
        pages::deliveries::log(person, &log)
    } else {
        Json(log).into_response()
    }
}

fn nobody(html: bool) -> Response {
    if html {
        return pages::nobody();
    }
    let error = json!({ "error": "Nobody here has this id." });
    (StatusCode::NOT_FOUND, Json(error)).into_response()
}
