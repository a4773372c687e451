//! What a session layer of the application's gives the browser: its cookies, looked over on
//! their way out.

use axum::http::{HeaderMap, HeaderValue, header};

/// The most that a browser takes of a cookie, its name and its value together, in bytes
/// (RFC 6265bis, section 5.6). It drops a larger one, and tells nobody.
const MOST: usize = 4_096;

/// The session does not reach the browser.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "the session takes a cookie of {0} bytes, and browsers keep {MOST} at the most; keep less in \
     the session, or sessions in a store"
)]
pub(super) struct TooLarge(usize);

/// Looks over the cookies behind the first ones, which are the handler's. They are good for one
/// browser, so no cache may store them, whatever the handler says.
///
/// # Errors
///
/// When the browser would not take one. It is left out then, so that the one before it stays.
pub(super) fn look_over(headers: &mut HeaderMap, of_handler: usize) -> Result<(), TooLarge> {
    let cookies = headers.get_all(header::SET_COOKIE).iter();
    if cookies.count() <= of_handler {
        return Ok(());
    }
    let no_store = HeaderValue::from_static("no-store");
    headers.insert(header::CACHE_CONTROL, no_store);
    let all = headers.get_all(header::SET_COOKIE).iter();
    let all: Vec<_> = all.cloned().collect();
    headers.remove(header::SET_COOKIE);
    let mut given = Ok(());
    for (index, cookie) in all.into_iter().enumerate() {
        let cookie = if index < of_handler {
            cookie
        } else {
            let size = size(&cookie);
            if size > MOST {
                given = Err(TooLarge(size));
                continue;
            }
            secured(cookie)
        };
        headers.append(header::SET_COOKIE, cookie);
    }
    given
}

/// Takes back the cookies behind the first ones, which are the handler's: the session is not to be
/// renewed.
pub(super) fn take_back(headers: &mut HeaderMap, of_handler: usize) {
    let all = headers.get_all(header::SET_COOKIE).iter();
    let first: Vec<_> = all.take(of_handler).cloned().collect();
    headers.remove(header::SET_COOKIE);
    for cookie in first {
        headers.append(header::SET_COOKIE, cookie);
    }
}

/// Of name and value; the `=` between them does not count.
fn size(cookie: &HeaderValue) -> usize {
    let pair = cookie.as_bytes().split(|byte| *byte == b';').next();
    pair.map_or(0, |pair| pair.trim_ascii().len().saturating_sub(1))
}

/// A browser takes no cookie with a prefix (section 4.1.3) unless it is `Secure`, not even one
/// that takes it away, and session layers remove theirs without saying so.
fn secured(cookie: HeaderValue) -> HeaderValue {
    let Ok(text) = cookie.to_str() else {
        return cookie;
    };
    // In capitals or not: browsers take both for the prefix.
    let prefixed = ["__Host-", "__Secure-"].iter().any(|prefix| {
        let start = text.get(..prefix.len());
        start.is_some_and(|start| start.eq_ignore_ascii_case(prefix))
    });
    let mut attributes = text.split(';').skip(1);
    if !prefixed || attributes.any(|attribute| attribute.trim().eq_ignore_ascii_case("secure")) {
        return cookie;
    }
    HeaderValue::try_from(format!("{text}; Secure")).unwrap_or(cookie)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn looked_over(cookies: &[&str], of_handler: usize) -> (HeaderMap, Result<(), TooLarge>) {
        let mut headers = HeaderMap::new();
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("public"));
        for cookie in cookies {
            let cookie = HeaderValue::try_from(*cookie).unwrap();
            headers.append(header::SET_COOKIE, cookie);
        }
        let given = look_over(&mut headers, of_handler);
        (headers, given)
    }

    #[test]
    fn the_cookies_of_the_handler_are_its_own_business() {
        let large = format!("__Host-a={}", "x".repeat(MOST));
        let (headers, given) = looked_over(&[&large], 1);
        assert_eq!(given, Ok(()));
        assert_eq!(headers[header::SET_COOKIE], *large);
        assert_eq!(headers[header::CACHE_CONTROL], "public");

        // Beside one of the session layer's too.
        let (headers, given) = looked_over(&[&large, "b=1"], 1);
        assert_eq!(given, Ok(()));
        let left: Vec<_> = headers.get_all(header::SET_COOKIE).iter().collect();
        assert_eq!(left, [&*large, "b=1"]);
    }

    #[test]
    fn a_cookie_that_no_browser_takes_is_an_error_and_left_out() {
        let fits = format!("a={}; Path=/; HttpOnly", "x".repeat(MOST - 1));
        let (headers, given) = looked_over(&["b=1", &fits], 1);
        assert_eq!(given, Ok(()));
        assert_eq!(headers.get_all(header::SET_COOKIE).iter().count(), 2);
        assert_eq!(headers[header::CACHE_CONTROL], "no-store");

        let large = format!("a={}; Path=/", "x".repeat(MOST));
        let (headers, given) = looked_over(&["b=1", &large, "c=2"], 1);
        assert_eq!(given, Err(TooLarge(MOST + 1)));
        let left: Vec<_> = headers.get_all(header::SET_COOKIE).iter().collect();
        assert_eq!(left, ["b=1", "c=2"]);
    }

    #[test]
    fn a_removal_is_as_secure_as_its_name_says() {
        for (cookie, expected) in [
            ("__Host-a=; Max-Age=0", "__Host-a=; Max-Age=0; Secure"),
            ("__Secure-a=; Max-Age=0", "__Secure-a=; Max-Age=0; Secure"),
            ("__host-a=; Max-Age=0", "__host-a=; Max-Age=0; Secure"),
            ("__SECURE-a=; Max-Age=0", "__SECURE-a=; Max-Age=0; Secure"),
            ("__Host-a=1; secure; Path=/", "__Host-a=1; secure; Path=/"),
            ("a=; Max-Age=0", "a=; Max-Age=0"),
        ] {
            let (headers, _) = looked_over(&[cookie], 0);
            assert_eq!(headers[header::SET_COOKIE], expected);
        }
    }
}
