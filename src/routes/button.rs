//! The button that starts a login from a page of the application.

use std::{fmt, sync::Arc};

use axum::{
    extract::{FromRequestParts, OriginalUri},
    http::{Method, request::Parts},
};
use maud::html;
use tower_cookies::Cookies;
use url::form_urlencoded;

use super::{Context, return_path::ReturnPath};
use crate::{
    Rejection,
    clef::{ButtonColor, ButtonStyle, ButtonType},
    extract::Visit,
    provider::{ButtonScript, LoginRequest, OneTimeState},
};

/// The provider's own login button for the page that a handler renders: a script with
/// application id, redirect URL and a fresh state filled in, and a plain link for browsers
/// without scripts. Print it into the page as it is; it is HTML and escaped.
///
/// The login leads back to the page with the button, unless [`next`](Self::next) says
/// otherwise. The state is good for one login within ten minutes, so the answer is marked
/// `Cache-Control: no-store`, and each page view with a button sets a cookie. Where that is
/// not wanted, link to the start route yourself: `<a href="/clef/login?next=/account">`.
///
/// ```
/// use axum::response::Html;
/// use axum_clef::{ClefButton, clef::ButtonColor};
///
/// async fn welcome(button: ClefButton) -> Html<String> {
///     let button = button.color(ButtonColor::White).next("/account");
///     Html(format!("<h1>Welcome</h1>{button}"))
/// }
/// # fn assert_handler<T, H: axum::handler::Handler<T, ()>>(_: H) {}
/// # assert_handler(welcome);
/// ```
pub struct ClefButton {
    context: Arc<Context>,
    cookies: Cookies,
    state: OneTimeState,
    next: ReturnPath,
    script: Option<ButtonScript>,
}

impl ClefButton {
    fn begin(context: Arc<Context>, cookies: Cookies, next: ReturnPath) -> Self {
        let state = context.attempts.begin(&cookies, &next);
        let callback_url = context.callback_url();
        let script = context
            .provider
            .button(&LoginRequest::new(&callback_url, &state));
        Self {
            context,
            cookies,
            state,
            next,
            script,
        }
    }

    /// Where the login leads back to: a path on this site. Anything else leads to the front
    /// page.
    #[must_use]
    pub fn next(self, path: &str) -> Self {
        let next = ReturnPath::parse(&self.context.site, path).unwrap_or_else(ReturnPath::front);
        self.context.attempts.forget(&self.cookies, &self.state);
        let attributes = self.script.map(|script| script.attributes);
        let mut button = Self::begin(self.context, self.cookies, next);
        // What was chosen before stays chosen.
        for (name, value) in attributes.into_iter().flatten() {
            let known = button
                .script
                .iter()
                .flat_map(|script| &script.attributes)
                .any(|(known, _)| *known == name);
            if !known {
                button = button.attribute(name, &value);
            }
        }
        button
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
    fn attribute(mut self, name: &'static str, value: &str) -> Self {
        if let Some(script) = &mut self.script {
            script.attributes.retain(|(known, _)| *known != name);
            script.attributes.push((name, value.to_owned()));
        }
        self
    }

    fn link(&self) -> String {
        let next: String = form_urlencoded::byte_serialize(self.next.as_str().as_bytes()).collect();
        format!("{}?next={next}", self.context.paths.start())
    }
}

impl fmt::Display for ClefButton {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let link = html! {
            a href=(self.link()) { "Log in with " (self.context.provider.name()) }
        };
        let Some(script) = &self.script else {
            return formatter.write_str(&link.into_string());
        };
        // Attribute names are the provider's own, not data; the values are escaped.
        write!(
            formatter,
            "<script class=\"{}\" src=\"{}\"",
            script.class,
            escaped(script.source.as_str())
        )?;
        for (name, value) in &script.attributes {
            write!(formatter, " {name}=\"{}\"", escaped(value))?;
        }
        write!(
            formatter,
            "></script><noscript>{}</noscript>",
            link.into_string()
        )
    }
}

/// Text as it may stand between the quotes of an attribute.
fn escaped(text: &str) -> String {
    html! { (text) }.into_string()
}

impl<S: Sync> FromRequestParts<S> for ClefButton {
    type Rejection = Rejection;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Rejection> {
        let extensions = &parts.extensions;
        let (Some(context), Some(visit), Some(cookies)) = (
            extensions.get::<Arc<Context>>(),
            extensions.get::<Arc<Visit>>(),
            extensions.get::<Cookies>(),
        ) else {
            return Err(Rejection::layer_missing());
        };
        visit.forbid_storing();
        let next = if parts.method == Method::GET {
            this_page(parts, context)
        } else {
            ReturnPath::front()
        };
        Ok(Self::begin(Arc::clone(context), cookies.clone(), next))
    }
}

fn this_page(parts: &Parts, context: &Context) -> ReturnPath {
    let uri = parts
        .extensions
        .get::<OriginalUri>()
        .map_or(&parts.uri, |OriginalUri(uri)| uri);
    let path = uri.path_and_query().map_or("/", |path| path.as_str());
    ReturnPath::parse(&context.site, path).unwrap_or_else(ReturnPath::front)
}

impl fmt::Debug for ClefButton {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("ClefButton")
            .field("next", &self.next)
            .finish_non_exhaustive()
    }
}
