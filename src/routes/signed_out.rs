//! `GET /clef/signed-out`: back from the provider, where the sign-out went on.
//!
//! The login here was over before the browser left. So there is nothing to do but to go home,
//! whoever sends the browser here.

use std::time::Duration;

use axum::{
    extract::{Query, State, rejection::QueryRejection},
    http::request::Parts,
    response::{IntoResponse as _, Redirect, Response},
};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use rand::Rng as _;
use secrecy::{ExposeSecret as _, SecretString};
use serde::Deserialize;
use subtle::ConstantTimeEq as _;

use super::{ClientEvent, RouteState, session_and_cookies};
use crate::{cookies::Cookies, provider::OneTimeState, site::Site};

/// How long a sign-out may take at the provider: some ask before they do it.
const LIFETIME: Duration = Duration::from_secs(10 * 60);

/// The sign-outs that go on at a provider, each by its state in a cookie.
#[derive(Clone)]
pub(crate) struct SignOuts {
    site: Site,
}

impl SignOuts {
    pub(crate) fn new(site: Site) -> Self {
        Self { site }
    }

    pub(super) fn state(&self) -> OneTimeState {
        let mut bytes = [0; 32];
        rand::rng().fill_bytes(&mut bytes);
        OneTimeState::new(URL_SAFE_NO_PAD.encode(bytes))
    }

    pub(super) fn begin(&self, cookies: &Cookies, state: &OneTimeState) {
        let value = state.expose().to_owned();
        cookies.add(self.site.cookie(self.cookie_name(), value, LIFETIME));
    }

    /// Whether a sign-out of this browser comes back. Whatever comes, it is over.
    fn end(&self, cookies: &Cookies, state: Option<&SecretString>) -> bool {
        let name = self.cookie_name();
        let begun = cookies.get(&name);
        cookies.remove(self.site.removal(name));
        begun.zip(state).is_some_and(|(begun, state)| {
            let state = state.expose_secret().as_bytes();
            begun.as_bytes().ct_eq(state).into()
        })
    }

    fn cookie_name(&self) -> String {
        self.site.cookie_name("sign-out", None)
    }
}

#[derive(Deserialize)]
pub(super) struct SignedOut {
    state: Option<SecretString>,
}

pub(super) async fn signed_out(
    State(route): State<RouteState>,
    query: Result<Query<SignedOut>, QueryRejection>,
    parts: Parts,
) -> Response {
    let state = query.ok().and_then(|Query(SignedOut { state })| state);
    let cookies = session_and_cookies(&parts).map(|(_, cookies)| cookies);
    let sign_outs = &route.context.sign_outs;
    let ours = cookies.is_some_and(|cookies| sign_outs.end(cookies, state.as_ref()));
    let event = ClientEvent::SignOutReturned { begun_here: ours };
    if let Some(count) = route.context.log_limit.count(event) {
        if ours {
            tracing::info!(count, "signed out at the provider too");
        } else {
            tracing::info!(
                count,
                "a browser returned from a sign-out that it did not begin"
            );
        }
    }
    Redirect::to("/").into_response()
}
