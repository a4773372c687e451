//! The pages of this crate, in the language of their visitor.

use std::{fmt, sync::Arc};

use axum::response::{IntoResponse as _, Response};
use http::{HeaderMap, HeaderName, HeaderValue, header};
use maud::{DOCTYPE, Markup, PreEscaped, html};

use crate::texts::{Languages, PageText};

const STYLE: &str = include_str!("page.css");

/// Isolates a page from its opener, so that another site cannot navigate it after the login.
const OPENER_POLICY: HeaderName = HeaderName::from_static("cross-origin-opener-policy");

/// The content security policy of a page with an inline style only.
pub(crate) const NO_SCRIPT: &str =
    "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; frame-ancestors 'none'";
/// The same, with scripts of the site.
#[cfg(feature = "live")]
pub(crate) const OWN_SCRIPT: &str = "default-src 'none'; script-src 'self'; \
     style-src 'unsafe-inline'; base-uri 'none'; frame-ancestors 'none'";

/// What all pages of a site share.
#[derive(Clone, Default)]
pub(crate) struct PageSettings {
    pub(crate) languages: Languages,
    /// The path of the front page.
    pub(crate) front: String,
    /// A style sheet of the application.
    pub(crate) style: Option<String>,
}

/// Renders pages for one visitor. By default, in English.
#[derive(Clone, Default)]
pub(crate) struct PageRenderer {
    settings: Arc<PageSettings>,
    language: Option<usize>,
}

impl PageRenderer {
    pub(crate) fn new(settings: &Arc<PageSettings>, headers: &HeaderMap) -> Self {
        Self::in_language(settings, settings.languages.of(headers))
    }

    pub(crate) fn in_language(settings: &Arc<PageSettings>, language: Option<usize>) -> Self {
        Self {
            settings: Arc::clone(settings),
            language,
        }
    }

    /// The tag of the language.
    pub(crate) fn language(&self) -> &str {
        self.settings.languages.tag(self.language)
    }

    /// The tag of the language where the site has several: for a part of a page in another one.
    #[cfg(feature = "clef")]
    pub(crate) fn chosen_language(&self) -> Option<&str> {
        let languages = &self.settings.languages;
        languages.is_choice().then(|| self.language())
    }

    /// The direction of the language: `ltr` or `rtl`.
    pub(crate) fn direction(&self) -> &'static str {
        self.settings.languages.direction(self.language)
    }

    /// Whether the texts are in English, which the application may have worded anew.
    pub(crate) fn is_english(&self) -> bool {
        self.language().split('-').next() == Some("en")
    }

    /// A text with `value` for its placeholder, if it has one.
    pub(crate) fn plain(&self, text: PageText, value: &str) -> String {
        let translated = self.settings.languages.text(self.language, text);
        match PageText::split(&translated.text) {
            (before, Some(after)) => format!("{before}{value}{after}"),
            (text, None) => text.to_owned(),
        }
    }

    /// The same as HTML. A text that is not translated is marked as English.
    pub(crate) fn html(&self, text: PageText, value: &Markup) -> Markup {
        let translated = self.settings.languages.text(self.language, text);
        let text = match PageText::split(&translated.text) {
            (before, Some(after)) => html! { (before) (value) (after) },
            (text, None) => html! { (text) },
        };
        match translated.is_translated {
            true => text,
            false => html! { span lang="en" dir="ltr" { (text) } },
        }
    }

    /// A text without a placeholder as HTML.
    pub(crate) fn text(&self, text: PageText) -> Markup {
        self.html(text, &html! {})
    }

    /// A link to the front page, beside another one or alone.
    pub(crate) fn to_front(&self, is_beside: bool) -> Markup {
        let class = is_beside.then_some("quiet");
        html! {
            a class=[class] href=(self.settings.front) { (self.text(PageText::FrontPage)) }
        }
    }

    /// A page with a headline and the value of its placeholder.
    pub(crate) fn page(
        &self,
        headline: PageText,
        value: &str,
        head: &Markup,
        content: &Markup,
        policy: &'static str,
    ) -> Response {
        let languages = &self.settings.languages;
        let page = html! {
            (DOCTYPE)
            html lang=(self.language()) dir=(self.direction()) {
                head {
                    meta charset="utf-8";
                    meta name="viewport" content="width=device-width, initial-scale=1";
                    meta name="color-scheme" content="light dark";
                    title { (self.plain(headline, value)) }
                    style { (PreEscaped(STYLE)) }
                    @if let Some(style) = &self.settings.style {
                        // `build` has checked that it does not end the element.
                        style { (PreEscaped(style)) }
                    }
                    (head)
                }
                body {
                    main {
                        h1 { (self.html(headline, &html! { (value) })) }
                        (content)
                    }
                }
            }
        };
        let mut response = (
            [
                (header::CONTENT_TYPE, "text/html; charset=utf-8"),
                (header::CONTENT_SECURITY_POLICY, policy),
                (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
                (OPENER_POLICY, "same-origin"),
            ],
            page.into_string(),
        )
            .into_response();
        let headers = response.headers_mut();
        // `build` has checked the tag.
        if let Ok(language) = HeaderValue::from_str(self.language()) {
            headers.insert(header::CONTENT_LANGUAGE, language);
        }
        if languages.is_choice() {
            headers.append(header::VARY, HeaderValue::from_static("accept-language"));
        }
        response
    }

    /// A page that redirects by itself, with a link. After a form of a page whose policy has
    /// `form-action 'self'`, browsers follow no redirect response to another origin.
    pub(crate) fn redirect(&self, headline: PageText, url: &str) -> Response {
        let head = html! { meta http-equiv="refresh" content={ "0; url=" (url) }; };
        let content = html! { a href=(url) { (self.text(PageText::Continue)) } };
        self.page(headline, "", &head, &content, NO_SCRIPT)
    }
}

impl fmt::Debug for PageRenderer {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "PageRenderer({})", self.language())
    }
}
