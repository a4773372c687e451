//! The cookies of a request, and those that go out with its answer.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use cookie::{Cookie, CookieJar};
use http::{HeaderMap, HeaderValue, header};

/// What a browser sent under a name, as it stands: our own values need no decoding. The last
/// one counts, as in a jar.
pub(crate) fn named<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    let mut found = None;
    for value in headers.get_all(header::COOKIE) {
        let mut start = 0;
        let ends = memchr::memchr_iter(b';', value.as_bytes());
        for end in ends.chain([value.len()]) {
            let cookie = value.as_bytes()[start..end].trim_ascii_start();
            start = end + 1;
            let rest = cookie.strip_prefix(name.as_bytes());
            if let Some(value) = rest.and_then(|rest| rest.strip_prefix(b"=")) {
                found = str::from_utf8(value.trim_ascii_end()).ok();
            }
        }
    }
    found
}

/// Adds a cookie to an answer.
pub(crate) fn set(headers: &mut HeaderMap, cookie: &Cookie<'_>) {
    // Not to be had with a name and a value of ours, which are plain.
    if let Ok(value) = HeaderValue::try_from(cookie.encoded().to_string()) {
        headers.append(header::SET_COOKIE, value);
    }
}

/// The cookies of one request as its routes see and change them.
#[derive(Clone)]
pub(crate) struct Cookies(Arc<Mutex<CookieJar>>);

impl Cookies {
    /// Those that came with a request.
    pub(crate) fn of(headers: &HeaderMap) -> Self {
        let mut jar = CookieJar::new();
        let values = headers.get_all(header::COOKIE).iter();
        for value in values.filter_map(|value| value.to_str().ok()) {
            for cookie in Cookie::split_parse_encoded(value.to_owned()).flatten() {
                jar.add_original(cookie);
            }
        }
        Self(Arc::new(Mutex::new(jar)))
    }

    pub(crate) fn get(&self, name: &str) -> Option<Cookie<'static>> {
        self.jar().get(name).cloned()
    }

    pub(crate) fn add(&self, cookie: Cookie<'static>) {
        self.jar().add(cookie);
    }

    /// Makes the browser forget a cookie; path and domain are those that it was set with.
    pub(crate) fn remove(&self, cookie: Cookie<'static>) {
        self.jar().remove(cookie);
    }

    /// Puts what changed into an answer.
    pub(crate) fn set(&self, headers: &mut HeaderMap) {
        for cookie in self.jar().delta() {
            set(headers, cookie);
        }
    }

    fn jar(&self) -> MutexGuard<'_, CookieJar> {
        // Whole after every step.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_of_a_name_counts_and_no_longer_name() {
        let mut headers = HeaderMap::new();
        assert_eq!(named(&headers, "a"), None);
        for value in ["ab=1; a=2;a=3 ; xa=4", "b=5; a; a2=6"] {
            headers.append(header::COOKIE, HeaderValue::from_static(value));
        }
        assert_eq!(named(&headers, "a"), Some("3"));
        assert_eq!(named(&headers, "b"), Some("5"));
        let jar = Cookies::of(&headers);
        assert_eq!(jar.get("a").unwrap().value(), "3");
    }
}
