//! The response to a failed login or sign-out.

use axum::{
    http::{HeaderMap, HeaderValue, header},
    response::{IntoResponse as _, Response},
};
use maud::html;

use super::{
    failure::{Causes, LoginFailure, LoginFailureKind, Reason},
    state::{ClientEvent, LoginTarget, RouteState, RoutesState},
};
use crate::{
    auth::{MountedProvider, is_scripted, problem},
    metrics,
    page::{NO_SCRIPT, PageRenderer},
    texts::PageText,
};

/// Logs and renders a failure of a provider's route. `target` is where the login would have led.
pub(super) fn failure_response(
    route: &RouteState,
    reason: Reason,
    target: Option<&LoginTarget>,
    headers: &HeaderMap,
) -> Response {
    let pages = PageRenderer::new(&route.auth().pages, headers);
    let mounted = Some(&route.mounted);
    respond(&route.shared, mounted, reason, target, pages, false)
}

/// Logs and renders a failure of a route that belongs to no provider, for a person or a script.
pub(super) fn shared_failure(
    shared: &RoutesState,
    reason: Reason,
    headers: &HeaderMap,
) -> Response {
    let mounted = match &shared.auth.providers[..] {
        [only] => Some(only),
        _ => None,
    };
    let pages = PageRenderer::new(&shared.auth.pages, headers);
    let is_scripted = is_scripted(headers);
    respond(shared, mounted, reason, None, pages, is_scripted)
}

fn respond(
    shared: &RoutesState,
    mounted: Option<&MountedProvider>,
    Reason { kind, source }: Reason,
    target: Option<&LoginTarget>,
    pages: PageRenderer,
    is_scripted: bool,
) -> Response {
    let site = shared.site();
    let target = target.cloned().unwrap_or_else(|| LoginTarget::front(site));
    let retry = match target.links {
        true => target.next.as_str().to_owned(),
        false => target.login_path(&shared.auth, mounted),
    };
    let failure = LoginFailure {
        kind,
        source,
        provider: mounted.map(|mounted| mounted.provider.name().to_owned()),
        retry_url: format!("{}{retry}", site.origin()),
        offers_choice: shared.auth.login_page().is_some(),
        links: target.links,
        sign_out_path: site.path(&shared.settings.sign_out_path),
        pages,
    };
    metrics::LOGIN_FAILURES.count([("kind", format_args!("{kind:?}"))]);
    if let Some(count) = shared.log_limit.count(ClientEvent::LoginFailed(kind)) {
        log(&failure, count);
    }
    let mut response = match &shared.settings.render_failure {
        Some(render) => render(&failure),
        None if is_scripted => problem(failure.status(), &failure.to_string(), None),
        None => failure_page(&failure),
    };
    if kind.can_be_repeated() {
        let headers = response.headers_mut();
        headers
            .entry(header::RETRY_AFTER)
            .or_insert(HeaderValue::from_static("5"));
    }
    response
}

/// Logs a failure with the number of its kind since the last event.
fn log(failure: &LoginFailure, count: u64) {
    let reason = Causes(&*failure.source);
    if failure.kind == LoginFailureKind::NotSignedOut {
        tracing::error!(%reason, count, "a sign-out could not end the logins yet");
    } else if failure.kind == LoginFailureKind::SignOutIncomplete {
        tracing::error!(%reason, count, "a sign-out ended in this browser alone so far");
    } else if failure.kind == LoginFailureKind::Overloaded {
        tracing::warn!(%reason, count, "a login was not admitted");
    } else if failure.status().is_server_error() {
        tracing::error!(kind = ?failure.kind, %reason, count, "a login failed");
    } else {
        tracing::info!(kind = ?failure.kind, %reason, count, "a login was rejected");
    }
}

fn failure_page(failure: &LoginFailure) -> Response {
    let pages = &failure.pages;
    let provider = failure.provider_name(pages);
    let to_front = pages.to_front(true);
    let content = html! {
        p {
            (pages.html(failure.explanation(), &html! { (provider) }))
            @if let Some(mistake) = failure.mistake() {
                " " span lang="en" dir="ltr" { (mistake) }
            }
        }
        @if let LoginFailureKind::ForeignOrigin | LoginFailureKind::SignOutIncomplete = failure.kind() {
            (pages.to_front(false))
        } @else if failure.kind() == LoginFailureKind::Overloaded {
            // The same URL: the login continues where it was rejected.
            a href="" { (pages.text(PageText::TryAgain)) }
            (to_front)
        } @else if failure.kind() == LoginFailureKind::NotSignedOut {
            form method="post" action=(failure.sign_out_path()) {
                button { (pages.text(PageText::SignOut)) }
                (to_front)
            }
        } @else if failure.links {
            a href=(failure.retry_url()) { (pages.text(PageText::GoBack)) }
        } @else {
            a href=(failure.retry_url()) {
                @match (failure.offers_choice(), failure.provider()) {
                    (false, Some(provider)) => {
                        (pages.html(PageText::LogInWith, &html! { (provider) }))
                    }
                    _ => (pages.text(PageText::LogIn)),
                }
            }
            (to_front)
        }
    };
    let headline = failure.kind().title();
    let page = pages.page(headline, &provider, &html! {}, &content, NO_SCRIPT);
    (failure.status(), page).into_response()
}

/// Keeps a response out of caches and its URL out of `Referer`.
pub(super) fn no_store(mut response: Response) -> Response {
    let headers = response.headers_mut();
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(
        header::REFERRER_POLICY,
        HeaderValue::from_static("no-referrer"),
    );
    response
}
