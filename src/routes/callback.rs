//! `GET /clef/callback?code&state`: ends a login, in a session or on a page that says why
//! not.

use std::{convert::identity, sync::Arc, time::Duration};

use axum::{
    extract::{Query, State, rejection::QueryRejection},
    http::{HeaderMap, request::Parts},
    response::{IntoResponse as _, Redirect, Response},
};
use cookie::Cookie;
use secrecy::{ExposeSecret as _, SecretString};
use serde::Deserialize;
use tower_sessions::Session;

use super::{
    EXCHANGE_LIMIT, LoginFailure, LoginFailureKind, RouteState, admission::AdmissionPermit,
    attempt::Ended, failure::Reason, return_path::ReturnPath, session_and_cookies,
};
use crate::{
    BoxError, cookies,
    extract::Visit,
    provider::{CodeExchange, LoginSecret, ProviderLogin},
    session::{self, Ending, LoginKey, LoginRecord},
    strangers,
    time_limit::{STORE_LIMIT, answer, detached, detached_within, within},
};

/// How long the browser keeps the key of a login: as long as browsers keep anything. The
/// session decides how long the login lasts; the key alone is worth nothing.
const KEY_LIFETIME: Duration = Duration::from_secs(400 * 24 * 60 * 60);
/// The longest code that is passed on, in bytes.
const LONGEST_CODE: usize = 4_096;

#[derive(Deserialize)]
pub(super) struct Callback {
    code: Option<SecretString>,
    state: Option<SecretString>,
    /// What OAuth 2.0 (RFC 6749, section 4.1.2.1) sends instead of a code.
    error: Option<String>,
    /// Who sends this (RFC 9207).
    iss: Option<String>,
}

pub(super) async fn callback(
    State(route): State<RouteState>,
    query: Result<Query<Callback>, QueryRejection>,
    parts: Parts,
) -> Response {
    let query = match query {
        Ok(Query(query)) => query,
        Err(error) => {
            let reason = Reason::bad_request(error.body_text());
            return LoginFailure::answer(&route, reason, None);
        }
    };
    let (Some((session, cookies)), Some(visit)) = (
        session_and_cookies(&parts),
        parts.extensions.get::<Arc<Visit>>(),
    ) else {
        return LoginFailure::answer(&route, Reason::layer_missing(), None);
    };
    let callback_url = route.callback_url();
    let attempts = &route.context.attempts;
    let state = query.state.as_ref();
    let began =
        state.is_some_and(|state| attempts.began(cookies, &callback_url, state.expose_secret()));
    // Before the state is burnt: after a refusal the same callback can be sent again.
    let permit = if began && code(&query).is_ok() {
        match route.context.admit_exchange(&parts).await {
            Some(permit) => Some(permit),
            None => return LoginFailure::answer(&route, Reason::overloaded(), None),
        }
    } else {
        None
    };
    // Burnt before anything else can fail: whatever comes next, this state is used.
    let ended =
        state.and_then(|state| attempts.burn(cookies, &callback_url, state.expose_secret()));
    let Some(Ended { secret, next }) = ended else {
        let reason = Reason::new(
            LoginFailureKind::StateMismatch,
            "no login with this state is under way in this browser",
        );
        return LoginFailure::answer(&route, reason, None);
    };
    match log_in(&route, query, secret, session, permit).await {
        Ok((user_id, key)) => {
            let redirect = Redirect::to(next.as_str()).into_response();
            let key_cookie = route.context.key_cookie(key.into_cookie(), KEY_LIFETIME);
            visit.saving.end_with(LoggedIn {
                user_id,
                key_cookie,
                route,
                next,
            });
            redirect
        }
        Err(reason) => LoginFailure::answer(&route, reason, Some(&next)),
    }
}

/// The last step of a login: it counts once its session is saved.
struct LoggedIn {
    user_id: String,
    key_cookie: Cookie<'static>,
    route: RouteState,
    next: ReturnPath,
}

impl Ending for LoggedIn {
    fn saved(self: Box<Self>, headers: &mut HeaderMap) {
        cookies::set(headers, &self.key_cookie);
        tracing::info!(user = ?self.user_id, "logged in");
    }

    fn failed(self: Box<Self>, error: BoxError) -> Response {
        let reason = Reason::store(error);
        super::for_once(LoginFailure::answer(&self.route, reason, Some(&self.next)))
    }
}

/// A login whose user is known and in which nothing is written yet but the user.
struct Proven {
    login: LoginRecord<'static>,
    key: LoginKey,
    sign_out_hint: Option<SecretString>,
}

/// The login, from the stamp to the session: the user and the key. Nothing is kept unless all
/// of it works.
///
/// A client that hangs up aborts no write: both halves run to their end in tasks of their own. If
/// it is gone by the end of the first, its session stays as it was.
async fn log_in(
    route: &RouteState,
    query: Callback,
    secret: LoginSecret,
    session: &Session,
    permit: Option<AdmissionPermit>,
) -> Result<(String, LoginKey), Reason> {
    let of_login = route.clone();
    let proven = detached(async move { prove(&of_login, &query, &secret, permit).await }).await;
    let Proven {
        login,
        key,
        sign_out_hint,
    } = proven
        .map_err(|none| Reason::store(none.into()))
        .and_then(identity)?;
    let (user_id, session) = (login.user_id.clone().into_owned(), session.clone());
    let begun = async move { session::begin(&session, &login, sign_out_hint.as_ref()).await };
    detached_within(STORE_LIMIT, begun)
        .await
        .map_err(Reason::store)?;
    Ok((user_id, key))
}

/// The first half of a login: asks the provider and the user store.
async fn prove(
    route: &RouteState,
    query: &Callback,
    secret: &LoginSecret,
    permit: Option<AdmissionPermit>,
) -> Result<Proven, Reason> {
    let code = code(query)?;
    let context = &route.context;
    let gate = &context.gate;
    // Before the exchange: a logout that comes while it runs is then later than the stamp.
    let logged_in_at = within(STORE_LIMIT, gate.users.now())
        .await
        .map_err(Reason::store)?;
    let (callback_url, logout_url) = (route.callback_url(), route.logout_url());
    let exchange = CodeExchange::new(code, &callback_url, &logout_url, secret)
        .with_issuer(query.iss.as_deref());
    let exchange = route.entrance.provider.exchange(&exchange);
    let ProviderLogin {
        profile,
        session: provider_session,
        sign_out_hint,
    } = answer(EXCHANGE_LIMIT, exchange)
        .await
        .map_err(|none| Reason::new(LoginFailureKind::ProviderUnavailable, none))??;
    drop(permit);
    // The session keeps the issuer once, so the end of such a session would find no login.
    let issuer = profile.subject.issuer();
    if provider_session
        .as_ref()
        .is_some_and(|session| session.issuer() != issuer)
    {
        return Err(Reason::new(
            LoginFailureKind::Misconfigured,
            "the provider names a session of another issuer than the person's",
        ));
    }
    let (user_id, user) = within(STORE_LIMIT, gate.users.log_in(&profile))
        .await
        .map_err(Reason::store)?
        .ok_or_else(|| {
            Reason::new(
                LoginFailureKind::TurnedAway,
                "the user store turned the person away",
            )
        })?;
    // A clock behind the stamp would stamp the next logouts before it too.
    let now = within(STORE_LIMIT, gate.users.now())
        .await
        .map_err(Reason::store)?;
    if now < logged_in_at {
        return Err(Reason::store(
            "its clock stepped back while the login was under way".into(),
        ));
    }
    let mark = strangers::mark(&profile.subject);
    let mut ended_at = None;
    for session in [Some(&mark), provider_session.as_ref()]
        .into_iter()
        .flatten()
    {
        let logged_out_at = gate.users.session_logged_out_at(session);
        let logged_out_at = within(STORE_LIMIT, logged_out_at).await;
        ended_at = ended_at.max(logged_out_at.map_err(Reason::store)?);
    }
    // In this order: a stranger's logout is remembered before it is no longer owed.
    let logged_out = !logged_in_at.outlives(user.logged_out_at)
        || !logged_in_at.outlives(ended_at)
        || gate
            .pending
            .contains(&profile.subject, provider_session.as_ref())
        || !logged_in_at.outlives(gate.strangers.logged_out_at(&profile.subject));
    if logged_out {
        return Err(Reason::new(
            LoginFailureKind::LoggedOutMeanwhile,
            "the person was logged out while the login was under way",
        ));
    }
    let key = LoginKey::generate();
    let login = LoginRecord {
        realm: context.realm(&route.entrance.paths).into(),
        user_id: user_id.into(),
        issuer: profile.subject.issuer().to_owned().into(),
        subject_id: profile.subject.id().to_owned().into(),
        session: provider_session.map(|session| session.id().to_owned().into()),
        logged_in_at,
        key: key.fingerprint().into(),
    };
    Ok(Proven {
        login,
        key,
        sign_out_hint,
    })
}

fn code(query: &Callback) -> Result<&SecretString, Reason> {
    if query.error.is_some() {
        return Err(Reason::new(
            LoginFailureKind::Declined,
            "the provider came back with an error instead of a code",
        ));
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
