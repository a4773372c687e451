//! `GET /clef/live`: tells an open page that its login has ended, by server-sent events.
//!
//! At the start `logged-in`, if the login that the cookies name counts, with what the page knows its
//! person by; `logged-out` when it ends, or at once. There is nothing to number: whoever comes back
//! after a loss is checked anew, and what happened meanwhile shows in that.

use std::{
    future::Future as _,
    pin::Pin,
    sync::Arc,
    task::{Context as TaskContext, Poll},
    time::Duration,
};

use axum::{
    extract::{FromRequestParts as _, State},
    http::{HeaderName, HeaderValue, StatusCode, header, request::Parts},
    response::{
        IntoResponse as _, Response,
        sse::{Event, KeepAlive, Sse},
    },
};
use futures_core::Stream;
use rand::RngExt as _;
use tokio::time::Sleep;

use super::{RouteState, live_person};
use crate::{
    LoginEnd, LoginEnding, Rejection,
    extract::{Visit, is_cross_origin},
    live::Page,
};

/// How often a silent connection says that it is still there, so that no proxy closes it and a
/// browser that is gone is noticed. By an event, and not by a comment, which scripts cannot see:
/// where the way here is broken, and nobody says so, the page notices the silence.
const KEEP_ALIVE: Duration = Duration::from_secs(15);
/// How soon a browser comes back that lost the connection: somewhere between, so that those of a
/// node that stopped do not all come at once.
const COME_BACK: std::ops::Range<u64> = 1_000..3_000;
/// How soon it comes back where only its next request shows whether the login goes on.
const LOOK_AGAIN: Duration = Duration::from_millis(100);
/// Where the application keeps its sessions itself nobody looks at them but a request, so the
/// browser makes one after this time.
const UNSEEN_SESSIONS: Duration = Duration::from_secs(5 * 60);

pub(super) async fn live(State(route): State<RouteState>, mut parts: Parts) -> Response {
    let context = &route.context;
    if is_cross_origin(&context.gate.origin, &parts.headers) {
        return StatusCode::FORBIDDEN.into_response();
    }
    let Some(visit) = parts.extensions.get::<Arc<Visit>>().cloned() else {
        return Rejection::layer_missing().into_response();
    };
    // A page that is only left open must not keep its session from going idle.
    visit.only_looks();
    let pages = context.gate.live.pages();
    if !pages.have_room() {
        return come_back_later();
    }
    let end = match Option::<LoginEnd>::from_request_parts(&mut parts, &()).await {
        Ok(end) => end,
        Err(rejection) => return rejection.into_response(),
    };
    let (page, next) = match (end, visit.visitor(&parts).await) {
        (Some(end), Ok(Some(visitor))) => {
            let user_id = visitor.user_id();
            let name = live_person::page_name(parts.uri.query());
            let name = name.as_deref();
            let Some(page) = pages.admit(user_id, &end, name) else {
                return come_back_later();
            };
            let whose = live_person::of(name, user_id);
            (Some(page), Next::LoggedIn(end, whose))
        }
        // One event and the end: this takes no place.
        _ => (None, Next::LoggedOut),
    };
    let told = Told {
        page,
        unseen: match context.gate.keeper {
            Some(_) => None,
            None => Some(Box::pin(tokio::time::sleep(UNSEEN_SESSIONS))),
        },
        next,
    };
    let alive = Event::default().event("alive").data("{}");
    let alive = KeepAlive::new().interval(KEEP_ALIVE).event(alive);
    let events = Sse::new(told).keep_alive(alive);
    // For a reverse proxy that would collect what is sent bit by bit.
    let unbuffered = (
        HeaderName::from_static("x-accel-buffering"),
        HeaderValue::from_static("no"),
    );
    ([unbuffered], events).into_response()
}

fn come_back_later() -> Response {
    (
        StatusCode::SERVICE_UNAVAILABLE,
        [(header::RETRY_AFTER, "5")],
    )
        .into_response()
}

/// What one page is told.
struct Told {
    /// Absent without a login.
    page: Option<Page>,
    unseen: Option<Pin<Box<Sleep>>>,
    next: Next,
}

enum Next {
    LoggedIn(LoginEnd, String),
    Ending(LoginEnd),
    LoggedOut,
    Nothing,
}

/// Breaks the connection off, so that it is no open file any more.
#[derive(Debug, thiserror::Error)]
#[error("the page has connected anew")]
struct Replaced;

impl Stream for Told {
    type Item = Result<Event, Replaced>;

    fn poll_next(
        mut self: Pin<&mut Self>,
        context: &mut TaskContext<'_>,
    ) -> Poll<Option<Self::Item>> {
        let Self { page, unseen, next } = &mut *self;
        match std::mem::replace(next, Next::Nothing) {
            Next::LoggedIn(end, whose) => {
                *next = Next::Ending(end);
                let come_back = Duration::from_millis(rand::rng().random_range(COME_BACK));
                let event = Event::default().event("logged-in").data(whose);
                Poll::Ready(Some(Ok(event.retry(come_back))))
            }
            Next::Ending(mut end) => {
                let ending = Pin::new(&mut end).poll(context);
                let unseen = unseen.as_mut().map(|unseen| unseen.as_mut().poll(context));
                let closing = page.as_mut().map(|page| page.poll_closing(context));
                let replaced = page.as_mut().map(|page| page.poll_replaced(context));
                match ending {
                    Poll::Ready(LoginEnding::SessionGone) => look_again(),
                    // The page comes back, and hears 503 until the stores answer.
                    Poll::Ready(LoginEnding::Unknown) => Poll::Ready(None),
                    Poll::Ready(_) => logged_out(),
                    Poll::Pending if unseen.is_some_and(|unseen| unseen.is_ready()) => look_again(),
                    Poll::Pending if closing.is_some_and(|closing| closing.is_ready()) => {
                        Poll::Ready(None)
                    }
                    Poll::Pending if replaced.is_some_and(|replaced| replaced.is_ready()) => {
                        Poll::Ready(Some(Err(Replaced)))
                    }
                    Poll::Pending => {
                        *next = Next::Ending(end);
                        Poll::Pending
                    }
                }
            }
            Next::LoggedOut => logged_out(),
            Next::Nothing => Poll::Ready(None),
        }
    }
}

fn logged_out() -> Poll<Option<Result<Event, Replaced>>> {
    let event = Event::default().event("logged-out").data("{}");
    Poll::Ready(Some(Ok(event)))
}

/// No event for a page, only how soon to come back: the end of the stream follows.
fn look_again() -> Poll<Option<Result<Event, Replaced>>> {
    Poll::Ready(Some(Ok(Event::default().retry(LOOK_AGAIN))))
}
