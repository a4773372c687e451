//! The query of a callback: `code`, `state`, `error` and `iss`.

use secrecy::{ExposeSecret as _, SecretString};
use url::form_urlencoded;

use super::{authorization_error, failure::Reason};
use crate::provider::Provider;

/// The longest accepted code, in bytes.
const LONGEST_CODE: usize = 4_096;

/// The parameters of a callback.
#[derive(Default)]
pub(super) struct CallbackQuery {
    code: Option<SecretString>,
    /// At most two: a callback with a repeated state is refused, and still leads to `next`.
    states: Vec<SecretString>,
    /// Sent instead of a code (RFC 6749, section 4.1.2.1).
    error: Option<String>,
    /// The issuer (RFC 9207).
    issuer: Option<String>,
    /// Whether a parameter is repeated, which RFC 6749 (section 3.1) forbids.
    has_repeated: bool,
}

impl CallbackQuery {
    pub(super) fn parse(query: Option<&str>) -> Self {
        let mut parsed = Self::default();
        for (name, value) in form_urlencoded::parse(query.unwrap_or_default().as_bytes()) {
            let is_repeated = match &*name {
                "code" => {
                    let value = SecretString::from(value.into_owned());
                    parsed.code.replace(value).is_some()
                }
                "state" if parsed.states.len() < 2 => {
                    parsed.states.push(value.into_owned().into());
                    parsed.states.len() > 1
                }
                "state" => true,
                "error" => parsed.error.replace(value.into_owned()).is_some(),
                "iss" => parsed.issuer.replace(value.into_owned()).is_some(),
                _ => false,
            };
            parsed.has_repeated |= is_repeated;
        }
        parsed.error = parsed.error.filter(|error| !error.is_empty());
        parsed
    }

    pub(super) fn states(&self) -> impl Iterator<Item = &str> {
        self.states.iter().map(SecretString::expose_secret)
    }

    pub(super) fn issuer(&self) -> Option<&str> {
        self.issuer.as_deref()
    }

    /// Checks that no parameter is repeated.
    ///
    /// # Errors
    ///
    /// A reason for a page that begins again.
    pub(super) fn check_repeated(&self) -> Result<(), Reason> {
        match self.has_repeated {
            true => Err(Reason::bad_request("a parameter is repeated")),
            false => Ok(()),
        }
    }

    /// The code to exchange.
    ///
    /// # Errors
    ///
    /// A reason if there is none, or the `provider` or another one returned an error instead.
    pub(super) fn code(&self, provider: &dyn Provider) -> Result<&SecretString, Reason> {
        self.check_repeated()?;
        if let Some(error) = &self.error {
            // An error of another provider has nothing to do with the settings of this one.
            provider.check_issuer(self.issuer())?;
            return Err(authorization_error::reason(error));
        }
        match &self.code {
            Some(code) if code.expose_secret().is_empty() => {
                Err(Reason::bad_request("the code is empty"))
            }
            Some(code) if code.expose_secret().len() > LONGEST_CODE => {
                Err(Reason::bad_request("the code is too long"))
            }
            Some(code) => Ok(code),
            None => Err(Reason::bad_request("there is no code")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_repeated_states_two_are_kept() {
        let query = CallbackQuery::parse(Some("state=a&state=b&state=c"));
        assert_eq!(query.states().collect::<Vec<_>>(), ["a", "b"]);
        assert!(query.check_repeated().is_err());
    }
}
