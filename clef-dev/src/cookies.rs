use http::{HeaderMap, HeaderName, HeaderValue, header};

use super::service::Service;

/// The two things that a browser is asked to remember.
#[derive(Clone, Copy)]
pub(super) enum Cookie {
    /// On the computer: the key of a login, so that the next site needs only a click.
    Browser,
    /// On the phone: whose it is.
    Phone,
}

impl Cookie {
    /// Cookies do not tell ports apart, so the name does.
    fn name(self, service: &Service) -> String {
        let kind = match self {
            Self::Browser => "browser",
            Self::Phone => "phone",
        };
        format!("clef-{kind}-{}", service.settings().port)
    }

    /// What the browser remembers.
    pub(super) fn read<'a>(self, service: &Service, headers: &'a HeaderMap) -> Option<&'a str> {
        let name = self.name(service);
        headers
            .get_all(header::COOKIE)
            .iter()
            // One by one: a cookie that is not UTF-8 hides no other.
            .flat_map(|value| value.as_bytes().split(|byte| *byte == b';'))
            .filter_map(|pair| str::from_utf8(pair).ok()?.trim_ascii().split_once('='))
            .find(|(key, _)| *key == name)
            .map(|(_, value)| value)
    }

    /// The header that makes a browser remember a value of letters and digits.
    pub(super) fn set(self, service: &Service, value: &str) -> [(HeaderName, HeaderValue); 1] {
        let name = self.name(service);
        let cookie = format!("{name}={value}; Path=/; HttpOnly; SameSite=Lax; Max-Age=2592000");
        // Ids and keys are checked to be plain; anything else is not remembered.
        let cookie = HeaderValue::try_from(cookie).unwrap_or(HeaderValue::from_static(""));
        [(header::SET_COOKIE, cookie)]
    }
}
