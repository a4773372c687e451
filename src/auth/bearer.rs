//! The bearer token of a request (RFC 6750, section 2.1).

use std::sync::Arc;

use http::{HeaderMap, header};

use super::{AuthState, CheckError, RejectionKind};
use crate::sessions::PresentedLogin;

/// What the `Authorization` headers of a request say of bearer tokens.
#[derive(Debug, PartialEq, Eq)]
enum Bearer<'a> {
    /// Nothing: there is no header, or another scheme.
    Absent,
    /// Not one token: two headers, no token, or more than a token.
    Malformed,
    Token(&'a [u8]),
}

impl AuthState {
    /// The bearer token of a request, before it is compared with any logout. `None` if the request
    /// has none, or the layer takes none.
    ///
    /// # Errors
    ///
    /// When the header is malformed, or the token is none of this site.
    pub(crate) fn presented_token(
        &self,
        headers: &HeaderMap,
    ) -> Result<Option<Arc<PresentedLogin>>, CheckError> {
        let Some(tokens) = &self.tokens else {
            return Ok(None);
        };
        match bearer(headers) {
            Bearer::Absent => Ok(None),
            Bearer::Malformed => Err(CheckError::token(RejectionKind::MalformedAuthorization)),
            Bearer::Token(token) => match tokens.open(token) {
                Some(login) => Ok(Some(login)),
                None => Err(CheckError::token(RejectionKind::InvalidToken)),
            },
        }
    }

    /// Whether a request comes with a token that this site has made. A page of another site cannot
    /// send one unless it knows it.
    pub(crate) fn has_token(&self, headers: &HeaderMap) -> bool {
        matches!(self.presented_token(headers), Ok(Some(_)))
    }

    /// Marks the credentials of a request for what logs its headers.
    pub(crate) fn mark_sensitive(&self, headers: &mut HeaderMap) {
        if self.tokens.is_none() {
            return;
        }
        if let header::Entry::Occupied(mut entry) = headers.entry(header::AUTHORIZATION) {
            entry.iter_mut().for_each(|value| value.set_sensitive(true));
        }
    }
}

fn bearer(headers: &HeaderMap) -> Bearer<'_> {
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
