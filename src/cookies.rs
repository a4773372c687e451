//! The cookies of a request, and those that its answer sets.
//!
//! `Cookie` headers are read in bytes, one cookie at a time, and nothing is decoded: the names and
//! values of this crate are plain ASCII. So a cookie that is not UTF-8 hides no other, and a name
//! in percent encoding is not mistaken for one of ours.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use cookie::Cookie;
use http::{HeaderMap, HeaderValue, header};

/// The values that came under a name, in their order.
pub(crate) fn values<'a>(
    headers: &'a HeaderMap,
    name: &'a str,
) -> impl Iterator<Item = &'a [u8]> + use<'a> {
    let headers = headers.get_all(header::COOKIE).into_iter();
    let cookies = headers.flat_map(|header| split(header.as_bytes()));
    cookies.filter_map(move |cookie| {
        let value = cookie.strip_prefix(name.as_bytes())?;
        value.strip_prefix(b"=")
    })
}

/// The last value that came under a name and is UTF-8. Browsers send the cookie with the longest
/// path first, and ours have the shortest.
pub(crate) fn named<'a>(headers: &'a HeaderMap, name: &'a str) -> Option<&'a str> {
    let readable = values(headers, name).filter_map(|value| str::from_utf8(value).ok());
    readable.last()
}

/// The cookies of one header, each `name=value`, without the white space around them.
fn split(header: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut start = 0;
    let ends = memchr::memchr_iter(b';', header).chain([header.len()]);
    ends.map(move |end| {
        let cookie = &header[start..end];
        start = end + 1;
        cookie.trim_ascii()
    })
}

/// Adds a cookie to an answer.
pub(crate) fn set(headers: &mut HeaderMap, cookie: &Cookie<'_>) {
    // Cannot fail: the names and values of this crate are plain ASCII.
    if let Ok(value) = HeaderValue::try_from(cookie.encoded().to_string()) {
        headers.append(header::SET_COOKIE, value);
    }
}

/// Whether an answer sets a cookie of this name.
fn sets(headers: &HeaderMap, name: &str) -> bool {
    headers.get_all(header::SET_COOKIE).iter().any(|value| {
        let value = value.as_bytes().strip_prefix(name.as_bytes());
        value.is_some_and(|value| value.starts_with(b"="))
    })
}

/// The cookies of one request, as its routes read and change them.
#[derive(Clone)]
pub(crate) struct Cookies(Arc<Inner>);

struct Inner {
    /// The `Cookie` headers of the request, and no others.
    came: HeaderMap,
    /// One a name, removals included.
    changed: Mutex<Vec<Cookie<'static>>>,
}

impl Cookies {
    /// Those of a request.
    pub(crate) fn of(headers: &HeaderMap) -> Self {
        let values = headers.get_all(header::COOKIE).iter().cloned();
        Self(Arc::new(Inner {
            came: values.map(|value| (header::COOKIE, value)).collect(),
            changed: Mutex::default(),
        }))
    }

    /// The value of a cookie, as this request has changed it.
    pub(crate) fn get(&self, name: &str) -> Option<String> {
        let changed = self.changed();
        match changed.iter().find(|cookie| cookie.name() == name) {
            Some(cookie) => Some(cookie.value().to_owned()).filter(|value| !value.is_empty()),
            None => named(&self.0.came, name).map(str::to_owned),
        }
    }

    /// Sets a cookie, in place of an earlier one of its name.
    pub(crate) fn add(&self, cookie: Cookie<'static>) {
        let mut changed = self.changed();
        changed.retain(|earlier| earlier.name() != cookie.name());
        changed.push(cookie);
    }

    /// Removes a cookie from the browser, whether or not it came with the request. Path and domain
    /// are those that it was set with.
    pub(crate) fn remove(&self, mut cookie: Cookie<'static>) {
        cookie.make_removal();
        self.add(cookie);
    }

    /// Whether an answer sets or removes cookies.
    pub(crate) fn have_changed(&self) -> bool {
        !self.changed().is_empty()
    }

    /// Adds what changed to an answer. A cookie that the answer sets is not removed.
    pub(crate) fn set(&self, headers: &mut HeaderMap) {
        for cookie in self.changed().iter() {
            if !cookie.value().is_empty() || !sets(headers, cookie.name()) {
                set(headers, cookie);
            }
        }
    }

    fn changed(&self) -> MutexGuard<'_, Vec<Cookie<'static>>> {
        let changed = self.0.changed.lock();
        changed.unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(cookies: &[&[u8]]) -> HeaderMap {
        let values = cookies.iter().map(|value| {
            let value = HeaderValue::from_bytes(value).unwrap();
            (header::COOKIE, value)
        });
        values.collect()
    }

    fn set_cookies(cookies: &Cookies, headers: &mut HeaderMap) -> Vec<String> {
        cookies.set(headers);
        let cookies = headers.get_all(header::SET_COOKIE).iter();
        let pairs = cookies.map(|cookie| cookie.to_str().unwrap().split(';').next().unwrap());
        pairs.map(str::to_owned).collect()
    }

    #[test]
    fn the_last_of_a_name_counts_and_no_longer_name() {
        assert_eq!(named(&HeaderMap::new(), "a"), None);
        let headers = headers(&[b"ab=1; a=2;a=3 ; xa=4", b"b=5; a; a2=6"]);
        assert_eq!(named(&headers, "a"), Some("3"));
        assert_eq!(named(&headers, "b"), Some("5"));
        let values: Vec<_> = values(&headers, "a").collect();
        assert_eq!(values, [b"2", b"3"]);
        assert_eq!(Cookies::of(&headers).get("a").as_deref(), Some("3"));
    }

    #[test]
    fn a_cookie_that_is_not_utf_8_hides_no_other() {
        for odd in [
            &b"name=Andr\xe9"[..],
            b"\xff",
            b"name=\xc3\xa9",
            b"\xff\xfe=\x80",
            b"%41=1",
        ] {
            let odd_first = [odd, b"; A=good"].concat();
            let odd_last = [b"A=good; ", odd].concat();
            for headers in [
                headers(&[&odd_first]),
                headers(&[&odd_last]),
                headers(&[odd, b"A=good"]),
            ] {
                assert_eq!(named(&headers, "A"), Some("good"), "{headers:?}");
                assert_eq!(Cookies::of(&headers).get("A").as_deref(), Some("good"));
            }
        }
        // Nor one of its own name.
        assert_eq!(named(&headers(&[b"A=good; A=\xff"]), "A"), Some("good"));
        assert_eq!(named(&headers(&[b"A=\xff"]), "A"), None);
        assert_eq!(values(&headers(&[b"A=\xff"]), "A").count(), 1);
    }

    #[test]
    fn a_removal_is_sent_whether_or_not_the_cookie_came() {
        let cookies = Cookies::of(&headers(&[b"a=1"]));
        cookies.remove(Cookie::new("a", ""));
        cookies.remove(Cookie::new("b", ""));
        assert_eq!(cookies.get("a"), None);
        assert_eq!(set_cookies(&cookies, &mut HeaderMap::new()), ["a=", "b="]);

        // But not behind a new one.
        let mut headers = HeaderMap::new();
        set(&mut headers, &Cookie::new("b", "new"));
        assert_eq!(set_cookies(&cookies, &mut headers), ["b=new", "a="]);
    }

    #[test]
    fn each_name_is_set_once() {
        let cookies = Cookies::of(&headers(&[b"a=1"]));
        cookies.add(Cookie::new("a", "2"));
        cookies.remove(Cookie::new("a", ""));
        cookies.add(Cookie::new("a", "3"));
        assert_eq!(cookies.get("a").as_deref(), Some("3"));
        assert_eq!(set_cookies(&cookies, &mut HeaderMap::new()), ["a=3"]);
    }
}
