//! The login button for a page of the application.

use std::{fmt, sync::Arc};

use axum::{
    extract::FromRequestParts,
    http::{Method, request::Parts},
};
use maud::html;

use super::state::LoginTarget;
use crate::{
    LoggedInRejection,
    auth::{
        AuthState, MaxAge, MountedProvider, Reauthentication, RequestAuth, asked_for, is_by_person,
        is_scripted, is_speculative,
    },
    clef::{ButtonColor, ButtonStyle, ButtonType},
    cookies::Cookies,
    page::PageRenderer,
    provider::LoginRequest,
    site::ReturnPath,
    texts::PageText,
};

/// A provider's own login button, as an extractor for a page.
///
/// It is the button of the first provider that has one, and names that provider. It is a script with
/// the application id, the redirect URL and a new state, and a link for browsers without scripts.
/// Without such a provider it is a link to the first one. The login returns to the page with the
/// button, or on the [`login_page`](crate::ClefLayerBuilder::login_page) to where that page's `next`
/// leads, unless [`next`](Self::next) is set. Only [`html`](Self::html) starts a login, so a handler may extract
/// the button without showing it.
///
/// To avoid a cookie for each page view, link to the start route instead:
/// `<a href="/clef/login?next=/account">`. That also works if the provider's script does not load.
///
/// ```
/// use axum::response::Html;
/// use axum_clef::{ClefButton, clef::ButtonColor};
///
/// async fn welcome(button: ClefButton) -> Html<String> {
///     let button = button.color(ButtonColor::White).next("/account").html();
///     Html(format!("<h1>Welcome</h1>{button}"))
/// }
/// # fn assert_handler<T, H: axum::handler::Handler<T, ()>>(_: H) {}
/// # assert_handler(welcome);
/// ```
pub struct ClefButton {
    auth: Arc<RequestAuth>,
    first: MountedProvider,
    cookies: Cookies,
    /// Whether a person opens the page, for whom a login may begin.
    starts_login: bool,
    by_person: bool,
    next: ReturnPath,
    /// What a login has to prove that begins on this login page.
    reauthentication: Option<Reauthentication>,
    attributes: Vec<(&'static str, &'static str)>,
    pages: PageRenderer,
}

impl ClefButton {
    /// Starts a login and returns the button as escaped HTML.
    ///
    /// Call it in the handler: it sets a cookie and `Cache-Control: no-store` on the response. The
    /// login attempt is valid for ten minutes ([`login_timeout`]). A page that a script fetches, or
    /// that a browser loads ahead of time, gets a link to the start route instead.
    ///
    /// [`login_timeout`]: crate::ClefLayerBuilder::login_timeout
    pub fn html(&self) -> String {
        self.auth.forbid_storing();
        let state = self.auth.state();
        let script = match self.starts_login {
            true => state.providers.iter().find_map(|mounted| {
                let callback_url = state.site.url(mounted.paths.callback());
                let begun =
                    state
                        .attempts
                        .begin(&callback_url, self.reauthentication.clone(), &self.next);
                let max_age = self.max_age().map(MaxAge::as_duration);
                let login = LoginRequest::new(&callback_url, &begun.state, &begun.secret)
                    .with_max_age(max_age);
                let script = mounted.provider.button(&login)?;
                Some((mounted, begun, script))
            }),
            false => None,
        };
        let Some((mounted, begun, script)) = script else {
            return self.link(&self.first);
        };
        state.attempts.keep(&self.cookies, begun, self.by_person);
        let defaults = script.attributes.iter();
        let chosen = self.attributes.iter();
        let attributes = defaults
            .map(|(name, value)| (*name, value.as_str()))
            .chain(chosen.map(|(name, value)| (*name, *value)));
        let mut tag = format!(
            "<script class=\"{}\" src=\"{}\"",
            escaped(script.class),
            escaped(script.source.as_str())
        );
        for (name, value) in attributes {
            // The names are constants.
            tag += &format!(" {name}=\"{}\"", escaped(value));
        }
        format!("{tag}></script><noscript>{}</noscript>", self.link(mounted))
    }

    fn max_age(&self) -> Option<MaxAge> {
        let expected = self.reauthentication.as_ref();
        expected.map(|expected| expected.max_age)
    }

    fn link(&self, mounted: &MountedProvider) -> String {
        let site = &self.auth.state().site;
        let target = LoginTarget {
            next: self.next.clone(),
            max_age: self.max_age(),
            links: false,
        };
        let start = target.start(site, mounted);
        let name = mounted.provider.name();
        let text = self.pages.html(PageText::LogInWith, &html! { (name) });
        html! { a href=(start) lang=[self.pages.chosen_language()] { (text) } }.into_string()
    }

    /// The path on this site to return to after the login. Defaults to the page with the button. An
    /// invalid path, and the path of the login page, are replaced by the front page.
    #[must_use]
    pub fn next(mut self, path: &str) -> Self {
        self.next = {
            let state = self.auth.state();
            ReturnPath::parse(&state.site, path)
                .filter(|path| !state.leads_nowhere(path.path()))
                .unwrap_or_else(|| ReturnPath::front(&state.site))
        };
        self
    }

    /// The color (`data-color`). Defaults to the provider's.
    #[must_use]
    pub fn color(self, color: ButtonColor) -> Self {
        self.attribute("data-color", color.as_str())
    }

    /// The style (`data-style`). Defaults to the provider's.
    #[must_use]
    pub fn style(self, style: ButtonStyle) -> Self {
        self.attribute("data-style", style.as_str())
    }

    /// The purpose (`data-type`). Defaults to the provider's.
    #[must_use]
    pub fn kind(self, kind: ButtonType) -> Self {
        self.attribute("data-type", kind.as_str())
    }

    /// Shows the wave in the page instead of a button (`data-embed`).
    #[must_use]
    pub fn embed(self) -> Self {
        self.attribute("data-embed", "true")
    }

    /// Sets an attribute and replaces an earlier one with this name.
    fn attribute(mut self, name: &'static str, value: &'static str) -> Self {
        self.attributes.retain(|(known, _)| *known != name);
        self.attributes.push((name, value));
        self
    }
}

/// Escapes text for an attribute.
fn escaped(text: &str) -> String {
    html! { (text) }.into_string()
}

impl<S: Sync> FromRequestParts<S> for ClefButton {
    type Rejection = LoggedInRejection;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, LoggedInRejection> {
        let auth = RequestAuth::of(parts).ok_or_else(LoggedInRejection::layer_missing)?;
        let state = auth.state();
        let first = state.providers.first();
        let first = first.ok_or_else(LoggedInRejection::provider_missing)?;
        let reauthentication = match max_age(parts, state) {
            Some(max_age) => {
                let found = auth.reauthentication(&parts.headers, max_age).await;
                Some(found.map_err(|error| LoggedInRejection::of(error, parts))?)
            }
            None => None,
        };
        Ok(Self {
            next: this_page(parts, state),
            reauthentication,
            first: first.clone(),
            cookies: auth.cookies(&parts.headers).clone(),
            starts_login: !is_scripted(&parts.headers) && !is_speculative(&parts.headers),
            by_person: is_by_person(&parts.headers),
            auth: Arc::clone(auth),
            attributes: Vec::new(),
            pages: PageRenderer::new(&state.pages, &parts.headers),
        })
    }
}

/// The page with the button. The login page leads to where its own `next` does.
fn this_page(parts: &Parts, state: &AuthState) -> ReturnPath {
    let site = &state.site;
    let page = (parts.method == Method::GET).then(|| site.arrived(asked_for(parts)));
    let page = page.and_then(|page| ReturnPath::parse(site, &page));
    let page = page.unwrap_or_else(|| ReturnPath::front(site));
    if !state.leads_nowhere(page.path()) {
        return page;
    }
    state.next_in(parts.uri.query())
}

/// How recent a login has to be, if a guard has redirected to this login page.
fn max_age(parts: &Parts, state: &AuthState) -> Option<MaxAge> {
    let page = state.site.arrived(asked_for(parts));
    let path = page.split('?').next();
    match state.login_page() {
        login_page @ Some(_) if login_page == path => MaxAge::in_query(parts.uri.query()),
        _ => None,
    }
}

impl fmt::Debug for ClefButton {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("ClefButton")
            .field("next", &self.next)
            .finish_non_exhaustive()
    }
}
