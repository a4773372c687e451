//! `GET /clef/callback?code&state`: completes a login attempt.

use axum::{
    extract::State,
    http::request::Parts,
    response::{IntoResponse as _, Redirect, Response},
};
use cookie::Cookie;
use secrecy::{ExposeSecret, SecretString};
use url::form_urlencoded;

use super::{
    authorization_error,
    failure::{LoginFailureKind, Reason},
    page::failure_response,
    state::{EXCHANGE_LIMIT, RouteState},
};
use crate::{
    ProviderKey,
    auth::{EndedAttempt, LoginError, VerifiedLogin},
    provider::{CodeExchange, LoginSecret, ProviderLogin},
    revocation::AdmissionPermit,
    time_limit::{STORE_LIMIT, answer, detached, within},
};

/// The longest accepted code, in bytes.
const LONGEST_CODE: usize = 4_096;

/// The parameters of a callback.
#[derive(Default)]
struct Callback {
    code: Option<SecretString>,
    /// At most two: a callback with a repeated state is refused, and still leads to `next`.
    states: Vec<SecretString>,
    /// Sent instead of a code (RFC 6749, section 4.1.2.1).
    error: Option<String>,
    /// The issuer (RFC 9207).
    iss: Option<String>,
    /// Whether a parameter is repeated, which RFC 6749 (section 3.1) forbids.
    has_repeated: bool,
}

impl Callback {
    fn parse(query: &str) -> Self {
        let mut callback = Self::default();
        for (name, value) in form_urlencoded::parse(query.as_bytes()) {
            let is_repeated = match &*name {
                "code" => {
                    let value = SecretString::from(value.into_owned());
                    callback.code.replace(value).is_some()
                }
                "state" if callback.states.len() < 2 => {
                    callback.states.push(value.into_owned().into());
                    callback.states.len() > 1
                }
                "state" => true,
                "error" => callback.error.replace(value.into_owned()).is_some(),
                "iss" => callback.iss.replace(value.into_owned()).is_some(),
                _ => false,
            };
            callback.has_repeated |= is_repeated;
        }
        callback.error = callback.error.filter(|error| !error.is_empty());
        callback
    }
}

pub(super) async fn callback(State(route): State<RouteState>, parts: Parts) -> Response {
    let query = Callback::parse(parts.uri.query().unwrap_or_default());
    let auth = match route.request_auth(&parts) {
        Ok(auth) => auth,
        Err(reason) => return failure_response(&route, reason, None),
    };
    let cookies = auth.cookies(&parts.headers);
    let callback_url = route.callback_url();
    let attempts = &route.auth().attempts;
    let states = || query.states.iter().map(ExposeSecret::expose_secret);
    let began = states().find(|state| attempts.began(cookies, &callback_url, state));
    let state = began.or_else(|| states().next());
    // Before the state is used, so that a rejected callback can be repeated.
    let permit = if began.is_some() && code(&query).is_ok() {
        match route.admit_exchange(&parts).await {
            Some(permit) => Some(permit),
            None => return failure_response(&route, Reason::overloaded(), None),
        }
    } else {
        None
    };
    // Before anything else can fail, so that each state is used at most once.
    let ended = state.and_then(|state| attempts.end(cookies, &callback_url, state));
    let Some(EndedAttempt { secret, next }) = ended else {
        let reason = match query.has_repeated {
            true => repeated(),
            false => Reason::new(
                LoginFailureKind::StateMismatch,
                "no login with this state is under way in this browser",
            ),
        };
        return failure_response(&route, reason, None);
    };
    // In a task of its own, so that a client that hangs up does not abort a write.
    let work = {
        let (route, parts) = (route.clone(), parts.clone());
        async move { log_in(&route, &query, &secret, permit, &parts).await }
    };
    let begun = detached(work)
        .await
        .map_err(|error| Reason::store(error.into()));
    match begun.and_then(std::convert::identity) {
        Ok(begun) => {
            for cookie in begun {
                cookies.add(cookie);
            }
            Redirect::to(next.as_str()).into_response()
        }
        Err(reason) => failure_response(&route, reason, Some(&next)),
    }
}

/// Logs the user in, from the timestamp to the record. Nothing is stored unless all steps succeed.
async fn log_in(
    route: &RouteState,
    query: &Callback,
    secret: &LoginSecret,
    permit: Option<AdmissionPermit>,
    parts: &Parts,
) -> Result<Vec<Cookie<'static>>, Reason> {
    let code = code(query)?;
    let auth = route.auth();
    // Before the exchange, so that a logout during it is later than the timestamp.
    let logged_in_at = within(STORE_LIMIT, auth.users.now())
        .await
        .map_err(Reason::store)?;
    let proven = exchange(route, query, code, secret).await?;
    drop(permit);
    let identities = &route.mounted.identities;
    let user_id = within(STORE_LIMIT, identities.find_or_create(&proven.profile))
        .await
        .map_err(Reason::store)?
        .ok_or_else(|| Reason::from(LoginError::TurnedAway))?;
    let verified = VerifiedLogin {
        user_id: &user_id,
        logged_in_at,
        authenticated_at: proven.authenticated_at,
        subject: Some(&proven.profile.subject),
        provider_key: provider_key(route, &proven),
        callback: route.mounted.paths.callback(),
        sign_out_hint: proven.sign_out_hint.as_ref(),
    };
    Ok(auth.begin_login(&verified, parts).await?)
}

async fn exchange(
    route: &RouteState,
    query: &Callback,
    code: &SecretString,
    secret: &LoginSecret,
) -> Result<ProviderLogin, Reason> {
    let (callback_url, logout_url) = (route.callback_url(), route.logout_url());
    let exchange = CodeExchange::new(code, &callback_url, &logout_url, secret)
        .with_issuer(query.iss.as_deref());
    let exchange = route.mounted.provider.exchange(&exchange);
    let proven = answer(EXCHANGE_LIMIT, exchange)
        .await
        .map_err(|error| Reason::new(LoginFailureKind::ProviderUnavailable, error))??;
    // A login stores one issuer, so the end of such a session would not find it.
    let session = proven.session.as_ref();
    if session.is_some_and(|session| session.issuer() != proven.profile.subject.issuer()) {
        return Err(Reason::new(
            LoginFailureKind::Misconfigured,
            "the issuer of the session differs from the issuer of the subject",
        ));
    }
    Ok(proven)
}

/// The key of the login at the provider: the session, or the subject if a provider with sessions
/// names none.
fn provider_key<'a>(route: &RouteState, proven: &'a ProviderLogin) -> Option<ProviderKey<'a>> {
    let subject = &proven.profile.subject;
    match &proven.session {
        Some(session) => Some(ProviderKey::Session {
            issuer: session.issuer(),
            id: session.id(),
        }),
        None if route.mounted.provider.names_sessions() => Some(ProviderKey::Subject {
            issuer: subject.issuer(),
            id: subject.id(),
        }),
        None => None,
    }
}

fn repeated() -> Reason {
    Reason::bad_request("a parameter is repeated")
}

fn code(query: &Callback) -> Result<&SecretString, Reason> {
    if query.has_repeated {
        return Err(repeated());
    }
    if let Some(error) = &query.error {
        return Err(authorization_error::reason(error));
    }
    match &query.code {
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
