//! `POST /clef/callback`: the callback of a provider that sends it as a form (OAuth 2.0 Form Post
//! Response Mode 1.0).
//!
//! A page of the provider sends the form, so the browser adds no `SameSite=Lax` cookie to it. The
//! answer redirects to the `GET` of the same path, to which it does.

use std::time::Duration;

use axum::{
    extract::{FromRequest as _, RawForm, Request, State},
    response::{IntoResponse as _, Redirect, Response},
};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use secrecy::SecretString;
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;
use url::form_urlencoded;

use super::{
    failure::Reason,
    failure_page::failure_response,
    state::{ARRIVAL_LIMIT, RouteState},
};
use crate::{cookies::Cookies, site::Site};

/// The fields that the redirect passes on, each twice at the most: one that is repeated is refused
/// there.
const PASSED_ON: [&str; 4] = ["code", "state", "error", "iss"];
/// The longest query of the redirect, in bytes. A code may have 4,096.
const LONGEST_QUERY: usize = 8 * 1024;
/// The longest description of the user, in bytes. Apple's has a name and an address.
const LONGEST_USER: usize = 1_024;
/// How long the browser keeps the description of the user: it follows the redirect at once, and a
/// callback that meets too many others can be repeated.
const USER_LIFETIME: Duration = Duration::from_secs(5 * 60);

pub(super) async fn callback_by_form(
    State(route): State<RouteState>,
    request: Request,
) -> Response {
    let headers = request.headers().clone();
    match redirect(&route, request).await {
        Ok(response) => response,
        Err(reason) => failure_response(&route, reason, None, &headers),
    }
}

async fn redirect(route: &RouteState, request: Request) -> Result<Response, Reason> {
    let (parts, body) = request.into_parts();
    let auth = route.request_auth(&parts)?;
    let form = RawForm::from_request(Request::from_parts(parts.clone(), body), &());
    let form = tokio::time::timeout(ARRIVAL_LIMIT, form).await;
    let form = form.map_err(|_| Reason::bad_request("the form took too long to arrive"))?;
    let RawForm(body) = form.map_err(|error| Reason::bad_request(error.body_text()))?;
    let form = CallbackForm::parse(&body);
    let query = form.query();
    if query.len() > LONGEST_QUERY {
        return Err(Reason::bad_request("the form is too large"));
    }
    if let Some((state, user)) = form.user() {
        let value = format!("{}.{}", digest_of(&state), URL_SAFE_NO_PAD.encode(user));
        let name = cookie_name(route.site());
        let cookie = route.site().cookie(name, value, USER_LIFETIME);
        auth.cookies(&parts.headers).add(cookie);
    }
    let callback = route.site().path(route.mounted.paths.callback());
    Ok(Redirect::to(&format!("{callback}?{query}")).into_response())
}

/// The fields of a form, which any page can send.
struct CallbackForm<'a>(form_urlencoded::Parse<'a>);

impl<'a> CallbackForm<'a> {
    fn parse(body: &'a [u8]) -> Self {
        Self(form_urlencoded::parse(body))
    }

    /// The values of a field.
    fn values(&self, name: &str) -> impl Iterator<Item = String> {
        let fields = self.0.filter(move |(field, _)| field == name);
        fields.map(|(_, value)| value.into_owned())
    }

    /// The query of the redirect. What describes the user is not in it.
    fn query(&self) -> String {
        let mut query = form_urlencoded::Serializer::new(String::new());
        for name in PASSED_ON {
            for value in self.values(name).take(2) {
                query.append_pair(name, &value);
            }
        }
        query.finish()
    }

    /// The state, and the description of the user that came with it. One that is repeated or too
    /// long counts as absent.
    fn user(&self) -> Option<(String, String)> {
        let only = |name| {
            let mut values = self.values(name);
            values.next().filter(|_| values.next().is_none())
        };
        let user = only("user").filter(|user| (1..=LONGEST_USER).contains(&user.len()))?;
        Some((only("state")?, user))
    }
}

/// The description of the user that came with this state, if the provider sends its callbacks as
/// forms. No provider has signed it.
pub(super) fn user(route: &RouteState, cookies: &Cookies, state: &str) -> Option<SecretString> {
    if !route.mounted.provider.uses_form_post() {
        return None;
    }
    let value = cookies.get(&cookie_name(route.site()))?;
    let (digest, user) = value.split_once('.')?;
    let is_of_state: bool = digest.as_bytes().ct_eq(digest_of(state).as_bytes()).into();
    let user = is_of_state
        .then(|| URL_SAFE_NO_PAD.decode(user).ok())
        .flatten()?;
    let user = String::from_utf8(user).ok()?;
    (user.len() <= LONGEST_USER).then(|| user.into())
}

/// Removes the description of the user that came with this state.
pub(super) fn forget_user(route: &RouteState, cookies: &Cookies, state: &str) {
    if user(route, cookies, state).is_some() {
        let name = cookie_name(route.site());
        cookies.remove(route.site().removal(name));
    }
}

fn cookie_name(site: &Site) -> String {
    site.cookie_name("-form-user", None)
}

/// A digest of the state, so that the cookie of one login counts in no other.
fn digest_of(state: &str) -> String {
    URL_SAFE_NO_PAD.encode(Sha256::digest(state))
}
