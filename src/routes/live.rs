//! `GET /auth/live`: server-sent events that signal the end of a login to an open page.
//!
//! The first event is `logged-in`, with a pseudonym of the user for this page, or `logged-out`.
//! When the login ends, `logged-out` follows. If the page may have a newer cookie, or no store
//! answers, the stream ends without it. Events have no ids: a page that reconnects is checked again.

use std::{
    borrow::Cow,
    future::Future as _,
    pin::Pin,
    sync::Arc,
    task::{Context as TaskContext, Poll},
    time::Duration,
};

use axum::{
    extract::State,
    http::{HeaderName, HeaderValue, StatusCode, header, request::Parts},
    response::{
        IntoResponse as _, Response,
        sse::{Event, KeepAlive, Sse},
    },
};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use futures_core::Stream;
use rand::Rng as _;
use serde_json::json;
use sha2::{Digest as _, Sha256};
use url::form_urlencoded;

use super::{failure_page::shared_failure, state::RoutesState};
use crate::{
    EndedLogin, LoggedInRejection, LogoutReason,
    auth::AuthState,
    extract::is_forged,
    live::{LogoutSignal, Page},
    page::PageRenderer,
};

/// The interval of the `alive` events, which detect lost connections and keep proxies from closing
/// idle ones. They are events, since scripts cannot see comments.
const KEEP_ALIVE: Duration = Duration::from_secs(15);
/// When a browser reconnects after a loss, in milliseconds. Random, so that the pages of a stopped
/// node do not reconnect all at once.
const RECONNECT_AFTER: std::ops::Range<u64> = 1_000..3_000;
/// When a browser reconnects if only its next request shows whether the login is valid, besides the
/// wait of a logout: a login that replaces another sends its cookie only after that wait.
const RECONNECT_SOON: Duration = Duration::from_millis(100);
/// The longest name of a page, in bytes. The script uses 32.
const LONGEST_PAGE_NAME: usize = 64;

pub(super) async fn live(State(shared): State<Arc<RoutesState>>, parts: Parts) -> Response {
    if is_forged(&shared.auth, &parts.headers) {
        return StatusCode::FORBIDDEN.into_response();
    }
    let request = match shared.request_auth(&parts) {
        Ok(request) => request,
        Err(reason) => return shared_failure(&shared, reason, &parts.headers),
    };
    // An open page does not count as activity.
    request.set_passive();
    let pages = shared.auth.listeners.pages();
    if !pages.have_room() {
        return unavailable();
    }
    let authenticated = match request.authenticated(&parts.headers).await {
        Ok(authenticated) => authenticated,
        Err(error) => return LoggedInRejection::of(error, &parts).into_response(),
    };
    let texts = language(&shared, &parts);
    let (page, state) = match authenticated {
        Some(authenticated) => {
            let signal = request.listen(authenticated);
            let user_id = authenticated.login.record().user_id;
            let name = page_name(parts.uri.query());
            let name = name.as_deref();
            let Some(page) = pages.admit(user_id, &signal, name) else {
                return unavailable();
            };
            (
                Some(page),
                StreamState::LoggedIn(signal, pseudonym(name, user_id)),
            )
        }
        // One event and the end, without a place.
        None => {
            let ended = request.ended_login();
            let ended = ended.map(|ended| ended_data(ended, &texts));
            (None, StreamState::LoggedOut(ended))
        }
    };
    let events = LiveEvents {
        page,
        state,
        texts,
        auth: Arc::clone(&shared.auth),
    };
    let alive = Event::default().event("alive").data("{}");
    let alive = KeepAlive::new().interval(KEEP_ALIVE).event(alive);
    let events = Sse::new(events).keep_alive(alive);
    // Reverse proxies must not buffer the events.
    let unbuffered = (
        HeaderName::from_static("x-accel-buffering"),
        HeaderValue::from_static("no"),
    );
    ([unbuffered], events).into_response()
}

fn unavailable() -> Response {
    (
        StatusCode::SERVICE_UNAVAILABLE,
        [(header::RETRY_AFTER, "5")],
    )
        .into_response()
}

/// A field of the query, in `GET /auth/live?page=…&lang=…`.
fn field<'a>(query: Option<&'a str>, name: &str) -> Option<Cow<'a, str>> {
    let mut fields = form_urlencoded::parse(query?.as_bytes());
    fields.find_map(|(field, value)| (field == name).then_some(value))
}

/// The language of the cover, which the script has chosen, or else the browser's.
fn language(shared: &RoutesState, parts: &Parts) -> PageRenderer {
    let pages = &shared.auth.pages;
    let named = field(parts.uri.query(), "lang");
    match named.and_then(|tag| pages.languages.named(&tag)) {
        language @ Some(_) => PageRenderer::in_language(pages, language),
        None => PageRenderer::new(pages, &parts.headers),
    }
}

/// The random name of a page.
fn page_name(query: Option<&str>) -> Option<Cow<'_, str>> {
    let page = field(query, "page")?;
    let is_plain = page.bytes().all(|byte| byte.is_ascii_alphanumeric());
    (is_plain && !page.is_empty() && page.len() <= LONGEST_PAGE_NAME).then_some(page)
}

/// The data of `logged-in`: a pseudonym of the user for the page with this name, as JSON.
///
/// A covered page is uncovered only for the same user. The pseudonym is a digest of the page's name
/// and the user's id. It is the same for all logins of the user on every node, but different for
/// every page.
fn pseudonym(page: Option<&str>, user_id: &str) -> String {
    let Some(page) = page else {
        return "{}".to_owned();
    };
    // Page names do not contain the separator.
    let digest = Sha256::new()
        .chain_update(page.as_bytes())
        .chain_update([0])
        .chain_update(user_id)
        .finalize();
    format!("{{\"who\":\"{}\"}}", URL_SAFE_NO_PAD.encode(&digest[..16]))
}

/// The events of one page.
struct LiveEvents {
    /// `None` without a login.
    page: Option<Page>,
    state: StreamState,
    texts: PageRenderer,
    auth: Arc<AuthState>,
}

/// What the stream does next.
enum StreamState {
    /// Sends `logged-in` with this data.
    LoggedIn(LogoutSignal, String),
    /// Waits for the end of the login.
    Open(LogoutSignal),
    /// Sends `logged-out`, with this data if a login has ended.
    LoggedOut(Option<String>),
    Done,
}

/// The error that closes a connection which the page has replaced.
#[derive(Debug, thiserror::Error)]
#[error("the page has reconnected")]
struct Replaced;

impl Stream for LiveEvents {
    type Item = Result<Event, Replaced>;

    fn poll_next(
        mut self: Pin<&mut Self>,
        context: &mut TaskContext<'_>,
    ) -> Poll<Option<Self::Item>> {
        let Self {
            page,
            state,
            texts,
            auth,
        } = &mut *self;
        match std::mem::replace(state, StreamState::Done) {
            StreamState::LoggedIn(signal, data) => {
                *state = StreamState::Open(signal);
                let retry = Duration::from_millis(rand::thread_rng().gen_range(RECONNECT_AFTER));
                let event = Event::default().event("logged-in").data(data);
                Poll::Ready(Some(Ok(event.retry(retry))))
            }
            StreamState::Open(mut signal) => {
                let reason = Pin::new(&mut signal).poll(context);
                let closing = page.as_mut().map(|page| page.poll_closing(context));
                let replaced = page.as_mut().map(|page| page.poll_replaced(context));
                match reason {
                    Poll::Ready(LogoutReason::SessionGone) => {
                        // Not that of the start: a node that joins or leaves the bus has another wait.
                        reconnect_after(RECONNECT_SOON + auth.users.log_out_wait())
                    }
                    // The page reconnects, and gets a 503 until the stores answer.
                    Poll::Ready(LogoutReason::Unknown) => Poll::Ready(None),
                    Poll::Ready(_) => {
                        let ended = signal.ended_login();
                        logged_out(ended.map(|ended| ended_data(ended, texts)))
                    }
                    Poll::Pending if closing.is_some_and(|closing| closing.is_ready()) => {
                        Poll::Ready(None)
                    }
                    Poll::Pending if replaced.is_some_and(|replaced| replaced.is_ready()) => {
                        Poll::Ready(Some(Err(Replaced)))
                    }
                    Poll::Pending => {
                        *state = StreamState::Open(signal);
                        Poll::Pending
                    }
                }
            }
            StreamState::LoggedOut(data) => logged_out(data),
            StreamState::Done => Poll::Ready(None),
        }
    }
}

/// The data of `logged-out`, as JSON: the cause of a logout, when it was in milliseconds, and a
/// sentence for the user with a place for the time. Empty where there is nothing to say.
fn ended_data(ended: &EndedLogin, texts: &PageRenderer) -> String {
    let mut data = json!({});
    if ended.reason() == LogoutReason::LoggedOut {
        data["cause"] = ended.cause().to_string().into();
        if let Some(at) = ended.logged_out_at() {
            data["at"] = at.as_micros().div_euclid(1_000).into();
        }
    }
    if let Some(text) = ended.text() {
        data["text"] = texts.plain(text, "{time}").into();
    }
    data.to_string()
}

fn logged_out(data: Option<String>) -> Poll<Option<Result<Event, Replaced>>> {
    let data = data.unwrap_or_else(|| "{}".to_owned());
    let event = Event::default().event("logged-out").data(data);
    Poll::Ready(Some(Ok(event)))
}

/// Sets the reconnection time without an event for the page. The end of the stream follows.
fn reconnect_after(pause: Duration) -> Poll<Option<Result<Event, Replaced>>> {
    Poll::Ready(Some(Ok(Event::default().retry(pause))))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn data(query: Option<&str>, user_id: &str) -> String {
        pseudonym(page_name(query).as_deref(), user_id)
    }

    #[test]
    fn a_pseudonym_is_the_same_for_one_page_and_user_only() {
        let alex = data(Some("page=a1"), "1");
        assert_eq!(alex.len(), "{\"who\":\"\"}".len() + 22);
        assert_eq!(data(Some("x=y&page=a1"), "1"), alex);
        for (query, user) in [("page=a1", "2"), ("page=a2", "1"), ("page=a", "11")] {
            assert_ne!(data(Some(query), user), alex);
        }
    }

    #[test]
    fn an_invalid_name_gets_no_pseudonym() {
        let long = format!("page={}", "a".repeat(LONGEST_PAGE_NAME + 1));
        for query in [
            None,
            Some(""),
            Some("page="),
            Some("page=a%00"),
            Some(&long),
        ] {
            assert_eq!(data(query, "1"), "{}");
        }
    }
}
