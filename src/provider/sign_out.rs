//! A sign-out that goes on at the provider.

use secrecy::SecretString;
use url::Url;

use super::OneTimeState;

/// A browser that has just signed out here and may go on to the provider, to end its session
/// there too.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct SignOutRequest<'a> {
    /// Where the browser comes back to, an absolute URL of the site.
    pub return_url: &'a Url,
    /// The one-time state to bring back.
    pub state: &'a OneTimeState,
    /// What the provider gave at the login: [`ProviderLogin::sign_out_hint`].
    ///
    /// [`ProviderLogin::sign_out_hint`]: super::ProviderLogin::sign_out_hint
    pub hint: Option<&'a SecretString>,
}

impl<'a> SignOutRequest<'a> {
    /// A sign-out that comes back to `return_url` with `state`.
    pub fn new(
        return_url: &'a Url,
        state: &'a OneTimeState,
        hint: Option<&'a SecretString>,
    ) -> Self {
        Self {
            return_url,
            state,
            hint,
        }
    }
}
