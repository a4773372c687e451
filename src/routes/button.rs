//! The button that starts a login from a page of the application.

use std::{fmt, sync::Arc};

use axum::{
    extract::FromRequestParts,
    http::{Method, request::Parts},
};
use maud::html;

use super::{Context, Entrance, return_path::ReturnPath};
use crate::{
    Rejection,
    clef::{ButtonColor, ButtonStyle, ButtonType},
    cookies::Cookies,
    extract::{Visit, asked_for},
    provider::LoginRequest,
};

/// The provider's own login button for the page that a handler makes: a script with
/// application id, redirect URL and a fresh state filled in, and a plain link for browsers
/// without scripts.
///
/// The login leads back to the page with the button, unless [`next`](Self::next) says
/// otherwise. Only [`html`](Self::html) begins one, so a handler may take the button and not
/// show it. Where a cookie for each page view is not wanted, link to the start route
/// yourself: `<a href="/clef/login?next=/account">`. Such a link also works where the
/// provider's script does not load.
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
    context: Arc<Context>,
    entrance: Entrance,
    cookies: Cookies,
    visit: Arc<Visit>,
    next: ReturnPath,
    attributes: Vec<(&'static str, &'static str)>,
}

impl ClefButton {
    /// The button as HTML, escaped, to print into the page as it is. Call it in the handler:
    /// it begins a login, which is good for ten minutes, and so sets a cookie and marks the
    /// answer `Cache-Control: no-store`.
    pub fn html(&self) -> String {
        self.visit.forbid_storing();
        let entrance = &self.entrance;
        let callback_url = self.context.site.url(entrance.paths.callback());
        let attempts = &self.context.attempts;
        let begun = attempts.begin(&callback_url, &self.next);
        attempts.keep(&self.cookies, &begun);
        let login = LoginRequest::new(&callback_url, &begun.state, &begun.secret);
        let link = html! {
            a href=(entrance.start_for(&self.next)) { "Log in with " (entrance.provider.name()) }
        };
        let Some(script) = entrance.provider.button(&login) else {
            return link.into_string();
        };
        let given = script.attributes.iter();
        let chosen = self.attributes.iter();
        let attributes = given
            .map(|(name, value)| (*name, value.as_str()))
            .chain(chosen.map(|(name, value)| (*name, *value)));
        let mut tag = format!(
            "<script class=\"{}\" src=\"{}\"",
            escaped(script.class),
            escaped(script.source.as_str())
        );
        for (name, value) in attributes {
            // The names are written in the program, not taken from anywhere.
            tag += &format!(" {name}=\"{}\"", escaped(value));
        }
        format!("{tag}></script><noscript>{}</noscript>", link.into_string())
    }

    /// Where the login leads back to: a path on this site. Anything else leads to the front
    /// page.
    #[must_use]
    pub fn next(mut self, path: &str) -> Self {
        self.next = ReturnPath::parse(&self.context.site, path).unwrap_or_else(ReturnPath::front);
        self
    }

    /// The color: `data-color`.
    #[must_use]
    pub fn color(self, color: ButtonColor) -> Self {
        self.attribute("data-color", color.as_str())
    }

    /// The style: `data-style`.
    #[must_use]
    pub fn style(self, style: ButtonStyle) -> Self {
        self.attribute("data-style", style.as_str())
    }

    /// What the button says it does: `data-type`.
    #[must_use]
    pub fn kind(self, kind: ButtonType) -> Self {
        self.attribute("data-type", kind.as_str())
    }

    /// Shows the wave inside the page instead of a button: `data-embed`.
    #[must_use]
    pub fn embed(self) -> Self {
        self.attribute("data-embed", "true")
    }

    /// Sets an attribute, in place of an earlier one of that name.
    fn attribute(mut self, name: &'static str, value: &'static str) -> Self {
        self.attributes.retain(|(known, _)| *known != name);
        self.attributes.push((name, value));
        self
    }
}

/// Text as it may stand between the quotes of an attribute.
fn escaped(text: &str) -> String {
    html! { (text) }.into_string()
}

impl<S: Sync> FromRequestParts<S> for ClefButton {
    type Rejection = Rejection;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Rejection> {
        let Some(visit) = parts.extensions.get::<Arc<Visit>>() else {
            return Err(Rejection::layer_missing());
        };
        let Some(context) = Context::of(visit) else {
            return Err(Rejection::layer_missing());
        };
        let next = if parts.method == Method::GET {
            this_page(parts, &context)
        } else {
            ReturnPath::front()
        };
        let Some(entrance) = context.entrances.first() else {
            return Err(Rejection::layer_missing());
        };
        Ok(Self {
            entrance: entrance.clone(),
            context,
            cookies: visit.cookies(&parts.headers).clone(),
            visit: Arc::clone(visit),
            next,
            attributes: Vec::new(),
        })
    }
}

fn this_page(parts: &Parts, context: &Context) -> ReturnPath {
    ReturnPath::parse(&context.site, asked_for(parts)).unwrap_or_else(ReturnPath::front)
}

impl fmt::Debug for ClefButton {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("ClefButton")
            .field("next", &self.next)
            .finish_non_exhaustive()
    }
}
