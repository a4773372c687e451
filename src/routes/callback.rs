//! `GET /clef/callback?code&state`: ends a login, in a session or on a page that says why
//! not.

use std::{sync::Arc, time::Duration};

use axum::{
    extract::{Query, State, rejection::QueryRejection},
    http::Extensions,
    response::{IntoResponse as _, Redirect, Response},
};
use secrecy::{ExposeSecret as _, SecretString};
use serde::Deserialize;
use tower_cookies::Cookies;
use tower_sessions::Session;

use super::{
    Context, EXCHANGE_LIMIT, LoginFailure, LoginFailureKind, failure::Reason, session_and_cookies,
};
use crate::{
    provider::CodeExchange,
    session::{self, LoginKey, LoginRecord},
    time_limit::{STORE_LIMIT, within},
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
}

pub(super) async fn callback(
    State(context): State<Arc<Context>>,
    query: Result<Query<Callback>, QueryRejection>,
    extensions: Extensions,
) -> Response {
    let query = match query {
        Ok(Query(query)) => query,
        Err(error) => {
            let reason = Reason::bad_request(error.body_text());
            return LoginFailure::answer(&context, reason, None);
        }
    };
    let Some((session, cookies)) = session_and_cookies(&extensions) else {
        return LoginFailure::answer(&context, Reason::layer_missing(), None);
    };
    // Burnt before anything else can fail: whatever comes next, this state is used.
    let next = query
        .state
        .as_ref()
        .and_then(|state| context.attempts.burn(&cookies, state.expose_secret()));
    let Some(next) = next else {
        let reason = Reason::new(
            LoginFailureKind::StateMismatch,
            "no login with this state is under way in this browser",
        );
        return LoginFailure::answer(&context, reason, None);
    };
    match log_in(&context, &query, &session, &cookies).await {
        Ok(()) => Redirect::to(next.as_str()).into_response(),
        Err(reason) => LoginFailure::answer(&context, reason, Some(&next)),
    }
}

/// The login, from the stamp to the session. Nothing is kept unless all of it works.
async fn log_in(
    context: &Context,
    query: &Callback,
    session: &Session,
    cookies: &Cookies,
) -> Result<(), Reason> {
    let code = code(query)?;
    let gate = &context.gate;
    // Before the exchange: a logout that comes while it runs is then later than the stamp.
    let logged_in_at = within(STORE_LIMIT, gate.users.now())
        .await
        .map_err(Reason::store)?;
    let (callback_url, logout_url) = (context.callback_url(), context.logout_url());
    let exchange = CodeExchange::new(code, &callback_url, &logout_url);
    let exchange = context.provider.exchange(&exchange);
    let profile = tokio::time::timeout(EXCHANGE_LIMIT, exchange)
        .await
        .map_err(|elapsed| Reason::new(LoginFailureKind::ProviderUnavailable, elapsed))??;
    let user = within(STORE_LIMIT, gate.users.log_in(&profile))
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
    // In this order: a stranger's logout is remembered before it is no longer owed.
    let logged_out = !logged_in_at.outlives(user.logged_out_at)
        || gate.pending.contains(&profile.subject)
        || !logged_in_at.outlives(gate.strangers.logged_out_at(&profile.subject));
    if logged_out {
        return Err(Reason::new(
            LoginFailureKind::LoggedOutMeanwhile,
            "the person was logged out while the login was under way",
        ));
    }
    let key = LoginKey::generate();
    let login = LoginRecord {
        realm: gate.realm.clone(),
        user_id: user.id,
        subject: profile.subject,
        logged_in_at,
        key: key.fingerprint(),
    };
    within(STORE_LIMIT, session::begin(session, &login))
        .await
        .map_err(Reason::store)?;
    cookies.add(context.key_cookie(key.into_cookie(), KEY_LIFETIME));
    tracing::info!(user = ?login.user_id, "logged in");
    Ok(())
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
