//! Keeps the promise of cookie name prefixes (RFC 6265bis, section 4.1.3) for a session layer of
//! the application.
//!
//! A browser lets nobody but this host set a cookie named `__Host-…`. But cookie parsers
//! decode percent signs in names and trim what they hold for white space, so another host of
//! the domain can set `__%48ost-…`, which the browser lets pass and the parser turns into the
//! name that it must not be. And they find no cookie in a header that is not UTF-8. So the
//! session layer sees neither kind; the application inside it sees the headers as they came.

use std::task::{Context, Poll};

use axum::http::{HeaderMap, HeaderValue, Request, header};
use percent_encoding::percent_decode_str;
use tower_service::Service;

/// Drops cookies with a disguised prefix, around the service that reads cookies.
#[derive(Clone, Debug)]
pub struct WithoutDisguisedCookies<S> {
    inner: S,
    /// Sessions of our own need no help: nothing is decoded there.
    active: bool,
}

/// The `Cookie` headers of a request as they came.
#[derive(Clone)]
struct OriginalCookies(Vec<HeaderValue>);

impl<S> WithoutDisguisedCookies<S> {
    pub(super) fn new(inner: S, active: bool) -> Self {
        Self { inner, active }
    }
}

impl<S: Service<Request<B>>, B> Service<Request<B>> for WithoutDisguisedCookies<S> {
    type Response = S::Response;
    type Error = S::Error;
    type Future = S::Future;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, mut request: Request<B>) -> Self::Future {
        if self.active
            && let Some(came) = drop_disguised(request.headers_mut())
        {
            request.extensions_mut().insert(came);
        }
        self.inner.call(request)
    }
}

/// Puts back what was dropped, inside the service that reads cookies.
pub(super) fn restore<B>(request: &mut Request<B>) {
    if let Some(OriginalCookies(came)) = request.extensions_mut().remove() {
        replace(request.headers_mut(), came);
    }
}

/// Drops what is disguised, if anything is. Then: what was there.
fn drop_disguised(headers: &mut HeaderMap) -> Option<OriginalCookies> {
    if !headers.get_all(header::COOKIE).iter().any(hides_something) {
        return None;
    }
    let came: Vec<_> = headers.get_all(header::COOKIE).iter().cloned().collect();
    replace(headers, came.iter().filter_map(without_disguised));
    Some(OriginalCookies(came))
}

fn replace(headers: &mut HeaderMap, cookies: impl IntoIterator<Item = HeaderValue>) {
    headers.remove(header::COOKIE);
    for value in cookies {
        headers.append(header::COOKIE, value);
    }
}

/// Whether there is anything to drop. A first look, at all bytes, because many at once are looked
/// at faster than one after another until something is found, is nearly always the only one.
fn hides_something(value: &HeaderValue) -> bool {
    let bytes = value.as_bytes();
    bytes.iter().fold(false, |found, byte| found | is_odd(byte)) && !cookies(bytes).all(is_kept)
}

/// Whether it can be part of a disguise, or of what is not UTF-8.
fn is_odd(byte: &u8) -> bool {
    *byte == b'%' || !byte.is_ascii()
}

fn without_disguised(value: &HeaderValue) -> Option<HeaderValue> {
    let kept: Vec<_> = cookies(value.as_bytes())
        .filter(|cookie| is_kept(cookie))
        .map(<[u8]>::trim_ascii_start)
        .collect();
    HeaderValue::from_bytes(&kept.join(&b"; "[..])).ok()
}

fn cookies(value: &[u8]) -> impl Iterator<Item = &[u8]> {
    value.split(|byte| *byte == b';')
}

/// A cookie that is not UTF-8 would hide the others of its header.
fn is_kept(cookie: &[u8]) -> bool {
    str::from_utf8(cookie).is_ok_and(|cookie| !is_disguised(cookie))
}

fn is_disguised(cookie: &str) -> bool {
    let name = cookie.split('=').next().unwrap_or_default();
    if !name.bytes().any(|byte| is_odd(&byte)) {
        return false;
    }
    let name = name.trim_matches([' ', '\t']);
    let decoded = percent_decode_str(name).decode_utf8_lossy();
    let meant = decoded.trim();
    let prefixed = ["__host-", "__secure-"].iter().any(|prefix| {
        let start = meant.as_bytes().get(..prefix.len());
        start.is_some_and(|start| start.eq_ignore_ascii_case(prefix.as_bytes()))
    });
    prefixed && meant != name
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kept(cookies: &str) -> String {
        let mut headers = HeaderMap::new();
        let value = HeaderValue::from_bytes(cookies.as_bytes()).unwrap();
        headers.insert(header::COOKIE, value);
        drop_disguised(&mut headers);
        let value = headers.get(header::COOKIE);
        value.map_or(String::new(), |value| {
            String::from_utf8(value.as_bytes().to_vec()).unwrap()
        })
    }

    #[test]
    fn a_disguised_prefix_is_dropped_and_nothing_else() {
        let good = "__Host-clef-session=a; b%20c=d%20e; f=__%48ost-g";
        assert_eq!(kept(good), good);
        for disguised in [
            "__%48ost-clef-session=x",
            "__Host%2Dclef-session=x",
            "%5f_Secure-clef-session=x",
            "\u{2000}__Host-clef-session=x",
            "__host%2dclef-session=x",
            "\u{85}__Host-clef-session",
        ] {
            assert_eq!(kept(disguised), "", "{disguised:?}");
            assert_eq!(kept(&format!("{good}; {disguised}")), good, "{disguised:?}");
            assert_eq!(kept(&format!("{disguised}; {good}")), good, "{disguised:?}");
        }
    }

    #[test]
    fn a_cookie_that_is_not_utf_8_does_not_hide_the_others() {
        for odd in [&b"x=\xff"[..], b"x=Andr\xe9", b"\xff"] {
            let mut request = Request::new(());
            let value = [odd, b"; clef-session-9=a"].concat();
            let value = HeaderValue::from_bytes(&value).unwrap();
            request.headers_mut().insert(header::COOKIE, value.clone());
            let came = drop_disguised(request.headers_mut()).unwrap();
            assert_eq!(request.headers()[header::COOKIE], "clef-session-9=a");
            request.extensions_mut().insert(came);
            restore(&mut request);
            assert_eq!(request.headers()[header::COOKIE], value);
        }
    }
}
