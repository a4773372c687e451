//! The states of sign-outs that continue at a provider.

use std::time::Duration;

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use rand::RngCore as _;
use secrecy::{ExposeSecret as _, SecretString};
use subtle::ConstantTimeEq as _;

use crate::{cookies::Cookies, provider::OneTimeState, site::Site};

/// How long a sign-out may take at the provider, which may ask the user to confirm.
const LIFETIME: Duration = Duration::from_secs(10 * 60);

/// The sign-outs that continue at a provider, each with its state in a cookie.
#[derive(Clone)]
pub(crate) struct SignOutStates {
    site: Site,
}

impl SignOutStates {
    pub(crate) fn new(site: Site) -> Self {
        Self { site }
    }

    pub(super) fn state(&self) -> OneTimeState {
        let mut bytes = [0; 32];
        rand::thread_rng().fill_bytes(&mut bytes);
        OneTimeState::new(URL_SAFE_NO_PAD.encode(bytes))
    }

    pub(super) fn begin(&self, cookies: &Cookies, state: &OneTimeState) {
        let value = state.expose().to_owned();
        cookies.add(self.site.cookie(self.cookie_name(), value, LIFETIME));
    }

    /// Whether this browser has started a sign-out with this state. Removes the cookie in any case.
    pub(super) fn end(&self, cookies: &Cookies, state: Option<&SecretString>) -> bool {
        let name = self.cookie_name();
        let begun = cookies.get(&name);
        cookies.remove(self.site.removal(name));
        begun.zip(state).is_some_and(|(begun, state)| {
            let state = state.expose_secret().as_bytes();
            begun.as_bytes().ct_eq(state).into()
        })
    }

    fn cookie_name(&self) -> String {
        self.site.cookie_name("-sign-out", None)
    }
}
