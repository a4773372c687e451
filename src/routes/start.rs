//! `GET /clef/login?next=`: starts a login. And `POST /clef/login`: the same for a form. With
//! `max_age`, the user proves their credentials again.

use axum::{
    RequestExt as _,
    extract::{Form, Query, Request, State, rejection::QueryRejection},
    http::{HeaderMap, StatusCode, header, request::Parts},
    response::{IntoResponse as _, Redirect, Response},
};
use serde::Deserialize;
use url::Url;

use super::{
    failure::{LoginFailureKind, Reason},
    failure_page::failure_response,
    state::{ARRIVAL_LIMIT, EXCHANGE_LIMIT, LoginTarget, RouteState},
};
use crate::{
    LoggedInRejection,
    auth::{
        MaxAge, Reauthentication, RequestAuth, is_by_person, is_scripted, is_speculative,
        login_required, referring_page,
    },
    extract::is_cross_origin,
    page::PageRenderer,
    provider::LoginRequest,
    site::{ReturnPath, Site},
    texts::PageText,
    time_limit::answer,
};

#[derive(Deserialize)]
pub(super) struct Start {
    next: Option<String>,
    max_age: Option<String>,
    #[serde(default)]
    link: bool,
}

pub(super) async fn start(
    State(route): State<RouteState>,
    query: Result<Query<Start>, QueryRejection>,
    parts: Parts,
) -> Response {
    if let Some(response) = not_by_a_person(&route, &parts) {
        return response;
    }
    let target = match query {
        Ok(Query(start)) if start.link => Err(Reason::bad_request(
            "an identity is linked by a form, which posts `link`",
        )),
        Ok(Query(start)) => target_of(&route, start),
        Err(error) => Err(Reason::bad_request(error.body_text())),
    };
    match begun(&route, target, &parts).await {
        Ok(url) => Redirect::to(url.as_str()).into_response(),
        Err(response) => response,
    }
}

/// Starts a login by a form, with `next` and `max_age` in its body. With `link=true`, the identity
/// that is proven is linked to the logged-in user.
pub(super) async fn start_by_form(State(route): State<RouteState>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    if let Some(response) = not_by_a_person(&route, &parts) {
        return response;
    }
    let form = Request::from_parts(parts.clone(), body).extract::<Form<Start>, _>();
    let target = match tokio::time::timeout(ARRIVAL_LIMIT, form).await {
        _ if is_cross_origin(route.site(), &parts.headers) => {
            Err(Reason::bad_request("a page of another site sent the form"))
        }
        Err(_) => Err(Reason::bad_request("the form took too long to arrive")),
        Ok(Ok(Form(start))) => target_of(&route, start),
        // Without fields, some clients send no content type.
        Ok(Err(_)) if !parts.headers.contains_key(header::CONTENT_TYPE) => {
            Ok(LoginTarget::front(route.site()))
        }
        Ok(Err(error)) => Err(Reason::bad_request(error.body_text())),
    };
    match begun(&route, target, &parts).await {
        Ok(url) => {
            let pages = PageRenderer::new(&route.auth().pages, &parts.headers);
            pages.redirect(PageText::ContinueToLogIn, url.as_str())
        }
        Err(response) => response,
    }
}

/// The answer to a request that begins no login, since no person waits for it.
fn not_by_a_person(route: &RouteState, parts: &Parts) -> Option<Response> {
    if is_speculative(&parts.headers) {
        return Some(not_ahead_of_time());
    }
    is_scripted(&parts.headers).then(|| {
        let page = referring_page(parts);
        let page = page.and_then(|page| ReturnPath::parse(route.site(), &page));
        let target = LoginTarget {
            next: page.unwrap_or_else(|| ReturnPath::front(route.site())),
            max_age: MaxAge::in_query(parts.uri.query()),
            links: false,
        };
        let login = target.start(route.site(), &route.mounted);
        let detail = format!("A script cannot log in. Open {login} in the browser.");
        login_required(&detail, &login)
    })
}

/// The answer to a browser that loads a page ahead of time. Not 204, with which some browsers would
/// then open the page: they discard every status that is an error.
pub(super) fn not_ahead_of_time() -> Response {
    StatusCode::SERVICE_UNAVAILABLE.into_response()
}

/// Where the login leads, and what it has to prove.
fn target_of(route: &RouteState, start: Start) -> Result<LoginTarget, Reason> {
    let Start {
        next,
        max_age,
        link: links,
    } = start;
    let site = route.site();
    let max_age = match max_age {
        Some(max_age) => Some(MaxAge::parse(&max_age).ok_or_else(|| {
            Reason::bad_request("`max_age` is not a number of seconds from a minute to a day")
        })?),
        None => None,
    };
    let max_age = match links {
        true => Some(max_age.map_or(MaxAge::OF_LINKS, |age| age.min(MaxAge::OF_LINKS))),
        false => max_age,
    };
    let next = match next {
        Some(next) if !next.is_empty() => ReturnPath::normalize(site, &next)
            .ok_or_else(|| Reason::bad_request("`next` is not a path on this site"))?,
        _ => ReturnPath::front(site),
    };
    let next = match route.auth().leads_nowhere(next.path()) {
        true => ReturnPath::front(site),
        false => next,
    };
    Ok(LoginTarget {
        next,
        max_age,
        links,
    })
}

/// Begins a login, and returns the URL of the provider.
async fn begun(
    route: &RouteState,
    target: Result<LoginTarget, Reason>,
    parts: &Parts,
) -> Result<Url, Response> {
    let headers = &parts.headers;
    let target = target.map_err(|reason| failure_response(route, reason, None, headers))?;
    let failed = |reason| failure_response(route, reason, Some(&target), headers);
    let auth = route.request_auth(parts).map_err(failed)?;
    if let Some(mistake) = opened_under_another_name(route.site(), headers) {
        return Err(failed(Reason::other_name(mistake)));
    }
    let reauthentication = match target.max_age {
        Some(max_age) if target.links => Some(linking(auth, max_age, parts).await?),
        Some(max_age) => {
            let found = auth.reauthentication(&parts.headers, max_age).await;
            Some(found.map_err(|error| failed(Reason::store(error.into())))?)
        }
        None => None,
    };
    let begun = begin(route, auth, &target, reauthentication, parts).await;
    begun.map_err(failed)
}

/// What to write if the site is on this machine, and the browser has opened it under another name.
fn opened_under_another_name(site: &Site, headers: &HeaderMap) -> Option<String> {
    let host = headers.get(header::HOST)?.to_str().ok()?;
    site.other_name(&format!("http://{host}"))
}

/// The linking of an identity to the logged-in user, who has proven their credentials recently.
async fn linking(
    auth: &RequestAuth,
    max_age: MaxAge,
    parts: &Parts,
) -> Result<Reauthentication, Response> {
    let rejection = match auth.authenticated(&parts.headers).await {
        Ok(Some(authenticated)) if authenticated.is_recent(max_age) => {
            return Ok(Reauthentication::linking(max_age, &authenticated.login));
        }
        Ok(Some(authenticated)) => {
            let record = authenticated.login.record();
            LoggedInRejection::reauthentication_required(record, max_age, parts)
        }
        Ok(None) => LoggedInRejection::unauthenticated(parts),
        Err(error) => LoggedInRejection::of(error, parts),
    };
    Err(rejection.into_response())
}

async fn begin(
    route: &RouteState,
    auth: &RequestAuth,
    target: &LoginTarget,
    reauthentication: Option<Reauthentication>,
    parts: &Parts,
) -> Result<Url, Reason> {
    let admitted = route.admit_redirect(parts).await;
    let _permit = admitted.ok_or_else(Reason::overloaded)?;
    let callback_url = route.callback_url();
    let attempts = &route.auth().attempts;
    let begun = attempts.begin(&callback_url, reauthentication, &target.next);
    let max_age = target.max_age.map(MaxAge::as_duration);
    let login = LoginRequest::new(&callback_url, &begun.state, &begun.secret).with_max_age(max_age);
    let url = answer(EXCHANGE_LIMIT, route.mounted.provider.login_url(&login));
    match url.await {
        Ok(Ok(url)) => {
            let by_person = is_by_person(&parts.headers);
            attempts.keep(auth.cookies(&parts.headers), begun, by_person);
            Ok(url)
        }
        Ok(Err(error)) => Err(Reason::from(error)),
        Err(error) => Err(Reason::new(LoginFailureKind::ProviderUnavailable, error)),
    }
}
