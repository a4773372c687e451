use std::{sync::Arc, time::Instant};

use axum::{
    Router,
    extract::{Path, RawQuery, State},
    middleware::from_fn,
    response::{IntoResponse, Redirect, Response},
    routing::{get, post},
};
use http::{HeaderMap, StatusCode, header};

use super::{
    Person,
    cookies::Cookie,
    destination::{BadDestination, Destination},
    events,
    fetch_site::{refuse_background_requests, refuse_other_sites},
    fields::Fields,
    host::base_url,
    log_out::tell_what_is_owed,
    pages::{
        self,
        wave::{Display, Wave},
    },
    service::Service,
};

/// The pages on which a browser waits for the phone.
pub(super) fn routes() -> Router<Service> {
    let buttons = Router::new()
        .route("/iframes/qr/{key}/approve", post(approve_here))
        .route("/iframes/qr/{key}/refuse", post(refuse_here))
        .route("/iframes/login", post(choose_on_a_phone))
        .route_layer(from_fn(refuse_other_sites));
    let events = Router::new()
        .route("/iframes/qr/{key}/events", get(follow))
        .route_layer(from_fn(refuse_other_sites));
    let starts = Router::new()
        .route("/iframes/qr", get(begin).head(only_get))
        .route("/iframes/login", get(on_a_phone).head(only_get))
        .route_layer(from_fn(refuse_background_requests));
    Router::new()
        .route("/iframes/qr/{key}", get(show))
        .route("/iframes/qr/{key}/finish", get(finish).head(only_get))
        .merge(starts)
        .merge(events)
        .merge(buttons)
}

/// These begin and end logins: nothing for whoever only looks whether they are there.
async fn only_get() -> impl IntoResponse {
    (StatusCode::METHOD_NOT_ALLOWED, [(header::ALLOW, "GET")])
}

/// The wave, or one click for a browser whose person is known.
async fn begin(
    State(service): State<Service>,
    headers: HeaderMap,
    query: Fields,
) -> Result<Response, BadDestination> {
    let destination = Destination::read(&query, service.directory())?;
    let display = Display::read(&query);
    let now = Instant::now();
    let Some(key) = service.change(|state| state.waiting.begin(&destination, now)) else {
        return Ok(too_many());
    };
    let known = person_of_browser(&service, &headers).filter(|_| query.get("anew").is_none());
    if let Some(person) = known {
        return Ok(pages::wave::one_click(&key, &destination, &person, display));
    }
    Ok(wave(&service, &headers, &key, display).unwrap_or_else(over))
}

/// The wave of a login that is under way.
async fn show(
    State(service): State<Service>,
    Path(key): Path<String>,
    headers: HeaderMap,
    query: Fields,
) -> Response {
    wave(&service, &headers, &key, Display::read(&query)).unwrap_or_else(over)
}

fn wave(service: &Service, headers: &HeaderMap, key: &str, display: Display) -> Option<Response> {
    let (id, destination) = service.read(|state| {
        let login = state.waiting.get(key, Instant::now())?;
        Some((login.id.clone(), login.destination.clone()))
    })?;
    Some(pages::wave::wave(&Wave {
        key,
        phone: base_url(headers)?
            .join(&format!("/phone?login={id}"))
            .ok()?,
        destination: &destination,
        people: service.directory().people(),
        display,
    }))
}

/// Pushes how far the login is.
async fn follow(State(service): State<Service>, Path(key): Path<String>) -> Response {
    service.change(|state| state.waiting.follow(&key));
    let page = Follower {
        service: service.clone(),
        key,
    };
    events::push(service, move |state| {
        let stage = state.waiting.stage(&page.key, Instant::now());
        stage.as_str().to_owned()
    })
}

/// A page that listens. It goes when the connection does.
struct Follower {
    service: Service,
    key: String,
}

impl Drop for Follower {
    fn drop(&mut self) {
        self.service
            .change(|state| state.waiting.unfollow(&self.key));
    }
}

/// Takes an approved login back to the site.
async fn finish(State(service): State<Service>, Path(key): Path<String>) -> Response {
    let approved = service.read(|state| {
        let now = Instant::now();
        let person = Arc::clone(state.waiting.approved_by(&key, now)?);
        Some((person, state.waiting.get(&key, now)?.destination.clone()))
    });
    let Some((person, destination)) = approved else {
        return over();
    };
    tell_what_is_owed(&service, &person, &destination).await;
    // Meanwhile it may have been withdrawn, or picked up by another window.
    match service.change(|state| state.finish(&key, Instant::now())) {
        Some(finish) => (
            Cookie::Browser.set(&service, &finish.browser),
            Redirect::to(finish.url.as_str()),
        )
            .into_response(),
        None => over(),
    }
}

/// Approves a login on the page itself: as the person chosen, or as the one this browser knows.
async fn approve_here(
    State(service): State<Service>,
    Path(key): Path<String>,
    headers: HeaderMap,
    form: Fields,
) -> Response {
    let person = match form.get("person") {
        Some(id) => service.directory().person(id).cloned(),
        None => person_of_browser(&service, &headers),
    };
    let Some(person) = person else {
        return pages::refusal(
            StatusCode::FORBIDDEN,
            "You are not logged in here any more.",
            "Go back to the site and begin again.",
        );
    };
    if !service.change(|state| state.approve(&key, &person, Instant::now())) {
        return over();
    }
    match Display::read(&form) {
        // It shows the page that hands the login over to the window which opened it.
        Display::Popup => Redirect::to(&format!("/iframes/qr/{key}?display=popup")),
        Display::Page | Display::Embed => Redirect::to(&format!("/iframes/qr/{key}/finish")),
    }
    .into_response()
}

async fn refuse_here(State(service): State<Service>, Path(key): Path<String>) -> Response {
    let refused = service.change(|state| {
        let now = Instant::now();
        let url = state.waiting.get(&key, now)?.destination.refused();
        state.waiting.refuse(&key, now).then_some(url)
    });
    match refused {
        Some(url) => Redirect::to(url.as_str()).into_response(),
        None => over(),
    }
}

/// The login page on a phone: approve in place.
async fn on_a_phone(
    State(service): State<Service>,
    headers: HeaderMap,
    query: Fields,
) -> Result<Response, BadDestination> {
    let destination = Destination::read(&query, service.directory())?;
    let person = Cookie::Phone
        .read(&service, &headers)
        .and_then(|id| service.directory().person(id))
        .filter(|_| query.get("anew").is_none());
    let Some(person) = person else {
        let people = service.directory().people();
        return Ok(pages::wave::choose_in_place(&destination, people));
    };
    let now = Instant::now();
    let Some(key) = service.change(|state| state.waiting.begin(&destination, now)) else {
        return Ok(too_many());
    };
    Ok(pages::wave::approve_in_place(&key, &destination, person))
}

async fn choose_on_a_phone(
    State(service): State<Service>,
    RawQuery(query): RawQuery,
    form: Fields,
) -> Result<Response, BadDestination> {
    let query = Fields::parse(query.unwrap_or_default().as_bytes());
    let destination = Destination::read(&query, service.directory())?;
    let Some(person) = form
        .get("person")
        .and_then(|id| service.directory().person(id))
    else {
        return Ok(pages::nobody());
    };
    let back = format!("/iframes/login?{}", destination.query());
    let cookie = Cookie::Phone.set(&service, person.id());
    Ok((cookie, Redirect::to(&back)).into_response())
}

fn person_of_browser(service: &Service, headers: &HeaderMap) -> Option<Arc<Person>> {
    let key = Cookie::Browser.read(service, headers)?;
    service.read(|state| state.person_of_browser(key, Instant::now()).cloned())
}

fn over() -> Response {
    framed_refusal(
        StatusCode::GONE,
        "This login is over.",
        "It waited too long, or it is finished already. Go back to the site and begin again.",
    )
}

fn too_many() -> Response {
    framed_refusal(
        StatusCode::SERVICE_UNAVAILABLE,
        "Too many logins wait.",
        "Close some of the pages with the wave, and begin again at the site.",
    )
}

/// A refusal that also shows inside the page of a site.
fn framed_refusal(status: StatusCode, title: &str, explanation: &str) -> Response {
    let mut response = pages::refusal(status, title, explanation);
    let policy = pages::wave::framing(None);
    response
        .headers_mut()
        .insert(header::CONTENT_SECURITY_POLICY, policy);
    response
}
