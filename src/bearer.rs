//! Bearer tokens in requests (RFC 6750, section 2.1).

use http::{HeaderMap, header};

/// What the `Authorization` headers of a request say of bearer tokens.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Bearer<'a> {
    /// Nothing: there is no header, or another scheme.
    Absent,
    /// Not one token: two headers, no token, or more than a token.
    Malformed,
    Token(&'a [u8]),
}

/// Reads the `Authorization` headers of a request.
pub(crate) fn bearer(headers: &HeaderMap) -> Bearer<'_> {
    let mut found = Bearer::Absent;
    let count = headers.get_all(header::AUTHORIZATION).iter().count();
    for value in headers.get_all(header::AUTHORIZATION) {
        let value = value.as_bytes();
        let length = value.iter().position(|byte| !is_token_character(*byte));
        let (scheme, rest) = value.split_at(length.unwrap_or(value.len()));
        if scheme.eq_ignore_ascii_case(b"bearer") {
            found = match token68(rest) {
                Some(token) if count == 1 => Bearer::Token(token),
                _ => return Bearer::Malformed,
            };
        }
    }
    found
}

/// The token after the scheme: spaces and `token68` (RFC 9110, section 11.2).
fn token68(rest: &[u8]) -> Option<&[u8]> {
    let start = rest.iter().position(|byte| *byte != b' ')?;
    let (spaces, token) = rest.split_at(start);
    let end = token.iter().rposition(|byte| *byte != b'=')?;
    let plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"-._~+/".contains(byte);
    (!spaces.is_empty() && token[..=end].iter().all(plain)).then_some(token)
}

/// A character of a scheme (RFC 9110, section 5.6.2).
fn is_token_character(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn headers(values: &[&str]) -> HeaderMap {
        let values = values.iter().map(|value| {
            let value = HeaderValue::from_bytes(value.as_bytes()).unwrap();
            (header::AUTHORIZATION, value)
        });
        values.collect()
    }

    #[test]
    fn one_token_is_read_whatever_the_case_of_its_scheme() {
        for value in ["Bearer abc", "bearer abc", "BEARER   abc"] {
            assert_eq!(bearer(&headers(&[value])), Bearer::Token(b"abc"), "{value}");
        }
        let all = "Bearer AZaz09-._~+/==";
        assert_eq!(bearer(&headers(&[all])), Bearer::Token(b"AZaz09-._~+/=="));
    }

    #[test]
    fn other_schemes_are_none_of_ours() {
        for values in [
            &[][..],
            &[""],
            &["Basic abc"],
            &["Bearerabc"],
            &["Bearer-abc"],
            &["DPoP abc"],
            &["Basic abc", "Digest abc"],
        ] {
            assert_eq!(bearer(&headers(values)), Bearer::Absent, "{values:?}");
        }
    }

    #[test]
    fn more_or_less_than_one_token_is_malformed() {
        for values in [
            &["Bearer"][..],
            &["Bearer "],
            &["Bearer ="],
            &["Bearer\tabc"],
            &["Bearer \tabc"],
            &["Bearer abc def"],
            &["Bearer abc "],
            &["Bearer a=b"],
            &["Bearer abc, Bearer abc"],
            &["Bearer \"abc\""],
            &["Bearer \u{e9}"],
            &["Bearer:abc"],
            &["Bearer,abc"],
            &["Bearer abc", "Bearer abc"],
            &["Bearer abc", "Basic abc"],
            &["Basic abc", "bearer abc"],
        ] {
            assert_eq!(bearer(&headers(values)), Bearer::Malformed, "{values:?}");
        }
    }
}
