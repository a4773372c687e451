//! The browser that requests a link, to compare with the one that opens it.

use std::convert::Infallible;

use axum::{
    extract::FromRequestParts,
    http::{header::USER_AGENT, request::Parts},
};
use axum_extra::extract::cookie::{Cookie, CookieJar, SameSite};
use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use time::Duration;

use crate::LINK_LIFETIME;

const COOKIE: &str = "magic_link_browser";

/// Part of the `User-Agent`, and the name that people know. The first that is found counts: most
/// browsers also name the others.
const BROWSERS: &[(&str, &str)] = &[
    ("Edg", "Edge"),
    ("OPR/", "Opera"),
    ("SamsungBrowser/", "Samsung Internet"),
    ("Firefox/", "Firefox"),
    ("FxiOS/", "Firefox"),
    ("CriOS/", "Chrome"),
    ("Chrome/", "Chrome"),
    ("Safari/", "Safari"),
];

const SYSTEMS: &[(&str, &str)] = &[
    ("Android", "Android"),
    ("iPhone", "an iPhone"),
    ("iPad", "an iPad"),
    ("Windows", "Windows"),
    ("CrOS", "ChromeOS"),
    ("Macintosh", "macOS"),
    ("Linux", "Linux"),
];

/// The browser of a request.
///
/// The id only helps to say which browser requested it: it gives no right, and a link works without it.
#[derive(Debug, Clone)]
pub struct RequestingBrowser {
    /// A random id, which it keeps in a cookie.
    pub id: String,
    /// Its name for people, such as "Firefox on Windows". A fixed text, never a visitor's own.
    pub name: String,
}

impl RequestingBrowser {
    /// The cookie that keeps the id as long as a link is open.
    pub fn cookie(&self, is_https: bool) -> Cookie<'static> {
        Cookie::build((COOKIE, self.id.clone()))
            .path("/log-in")
            .http_only(true)
            .secure(is_https)
            .same_site(SameSite::Lax) // comes along if the link is opened in webmail
            .max_age(Duration::try_from(LINK_LIFETIME).unwrap_or_default())
            .build()
    }
}

impl<S: Sync> FromRequestParts<S> for RequestingBrowser {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Infallible> {
        let jar = CookieJar::from_headers(&parts.headers);
        let known = jar.get(COOKIE).map(Cookie::value);
        let known = known.filter(|id| id.len() == 22 && id.is_ascii());
        let id = known.map_or_else(
            || BASE64_URL_SAFE_NO_PAD.encode(rand::random::<[u8; 16]>()),
            str::to_owned,
        );
        let user_agent = parts.headers.get(USER_AGENT);
        let user_agent = user_agent.and_then(|value| value.to_str().ok());
        let name = name(user_agent.unwrap_or_default());
        Ok(Self { id, name })
    }
}

fn name(user_agent: &str) -> String {
    let find = |names: &[(&str, &'static str)]| {
        let found = names.iter().find(|(part, _)| user_agent.contains(part));
        found.map(|(_, name)| *name)
    };
    let browser = find(BROWSERS).unwrap_or("an unknown browser");
    let system = find(SYSTEMS).unwrap_or("an unknown device");
    format!("{browser} on {system}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_browser_has_a_name_for_people() {
        for (user_agent, expected) in [
            (
                "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) \
                 Chrome/140.0.0.0 Safari/537.36 Edg/140.0.0.0",
                "Edge on Windows",
            ),
            (
                "Mozilla/5.0 (iPhone; CPU iPhone OS 18_6 like Mac OS X) AppleWebKit/605.1.15 \
                 (KHTML, like Gecko) Version/18.6 Mobile/15E148 Safari/604.1",
                "Safari on an iPhone",
            ),
            (
                "Mozilla/5.0 (X11; Linux x86_64; rv:142.0) Gecko/20100101 Firefox/142.0",
                "Firefox on Linux",
            ),
            ("<script>", "an unknown browser on an unknown device"),
        ] {
            assert_eq!(name(user_agent), expected);
        }
    }
}
