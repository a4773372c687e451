//! `GET /clef/callback?code&state`: completes a login attempt.

use std::sync::Arc;

use axum::{
    extract::State,
    http::request::Parts,
    response::{IntoResponse as _, Redirect, Response},
};
use cookie::Cookie;
use secrecy::SecretString;

use super::{
    callback_form,
    callback_query::CallbackQuery,
    exchanges::{Claim, ProvenUser, Publisher},
    failure::{LoginFailureKind, Reason},
    failure_page::failure_response,
    link,
    start::not_ahead_of_time,
    state::{EXCHANGE_LIMIT, LoginTarget, RouteState},
};
use crate::{
    LoginId, ProviderSession, Timestamp,
    auth::{
        LoginError, MountedProvider, Reauthentication, RequestAuth, ReturnedAttempt, ReturnedStage,
        VerifiedLogin, is_speculative,
    },
    provider::{CodeExchange, LoginSecret, ProviderLogin},
    revocation::AdmissionPermit,
    sessions::PresentedLogin,
    time_limit::{STORE_LIMIT, answer, detached, within},
};

pub(super) async fn callback(State(route): State<RouteState>, parts: Parts) -> Response {
    if is_speculative(&parts.headers) {
        return not_ahead_of_time();
    }
    let completed = complete(&route, &parts).await;
    let repeatable = |(reason, _): &Failure| reason.kind.can_be_repeated();
    if !completed.as_ref().is_err_and(repeatable) {
        forget_user(&route, &parts);
    }
    match completed {
        Ok(response) => response,
        Err((reason, target)) => failure_response(&route, reason, target.as_ref(), &parts.headers),
    }
}

/// Removes what a form has said of the user.
fn forget_user(route: &RouteState, parts: &Parts) {
    if let Ok(request) = route.request_auth(parts) {
        let query = CallbackQuery::parse(parts.uri.query());
        let cookies = request.cookies(&parts.headers);
        for state in query.states() {
            callback_form::forget_user(route, cookies, state);
        }
    }
}

/// The stamp of a login, and its cookies.
type BegunLogin = (Timestamp, Vec<Cookie<'static>>);

/// Why a callback failed, and where the login would have led, if that is known.
type Failure = (Reason, Option<LoginTarget>);

async fn complete(route: &RouteState, parts: &Parts) -> Result<Response, Failure> {
    let query = CallbackQuery::parse(parts.uri.query());
    let request = route.request_auth(parts).map_err(|reason| (reason, None))?;
    let cookies = request.cookies(&parts.headers);
    let attempts = &route.auth().attempts;
    let callback_url = route.callback_url();
    let found = query.states().find_map(|state| {
        let attempt = attempts.find(cookies, &callback_url, state)?;
        Some((state, attempt))
    });
    let Some((state, attempt)) = found else {
        query.check_repeated().map_err(|reason| (reason, None))?;
        return Err((unknown_state(), None));
    };
    let target = Some(target_of(&attempt));
    if !matches!(attempt.stage, ReturnedStage::Open(_)) {
        query
            .check_repeated()
            .map_err(|reason| (reason, target.clone()))?;
    }
    let secret = match &attempt.stage {
        ReturnedStage::Open(secret) => secret.clone(),
        ReturnedStage::Used(Some(stamp)) => {
            return second_request(route, request, parts, &attempt, Some(*stamp)).await;
        }
        ReturnedStage::Used(None) => return Err((unknown_state(), target)),
        ReturnedStage::Expired => {
            attempts.forget(cookies, &attempt);
            return Err((unknown_state(), target));
        }
    };
    let code = match query.code(&*route.mounted.provider) {
        Ok(code) => code.clone(),
        Err(reason) => {
            attempts.mark_used(cookies, &attempt, state, None);
            return Err((reason, target));
        }
    };
    let linked_to = match &attempt.reauthentication {
        Some(linking) if linking.links() => {
            let found = link::linked_login(request, parts, linking).await;
            Some(found.map_err(|reason| (reason, target.clone()))?)
        }
        _ => None,
    };
    let exchanges = &route.shared.exchanges;
    let (claim, permit) = match exchanges.join(state, &code) {
        Some(claim) => (claim, None),
        None => {
            // Before the state is used, so that a rejected callback can be repeated.
            let permit = route.admit_exchange(parts).await;
            let permit = permit.ok_or_else(|| (Reason::overloaded(), target.clone()))?;
            (exchanges.claim(state, &code), Some(permit))
        }
    };
    // In a task of its own, so that a client that hangs up does not abort a write.
    let begun = match claim {
        Claim::First(publisher) => {
            let work = {
                let issuer = query.issuer().map(str::to_owned);
                let user = callback_form::user(route, cookies, state);
                let (route, parts) = (route.clone(), parts.clone());
                let reauthentication = attempt.reauthentication.clone();
                async move {
                    let login = CodeLogin {
                        code: &code,
                        secret: &secret,
                        issuer: issuer.as_deref(),
                        user: user.as_ref(),
                        reauthentication: reauthentication.as_ref(),
                        linked_to: linked_to.as_deref(),
                    };
                    login.log_in(&route, &publisher, permit, &parts).await
                }
            };
            detached(work).await
        }
        // The sign-out of the first login could not be seen.
        Claim::Shared(exchange) if !route.auth().users.keeps_revocations() => {
            drop(permit);
            let stamp = match exchange.outcome().await {
                Some(Ok(user)) => Some(user.logged_in_at),
                _ => None,
            };
            return second_request(route, request, parts, &attempt, stamp).await;
        }
        Claim::Shared(exchange) => {
            drop(permit);
            let work = {
                let (route, parts) = (route.clone(), parts.clone());
                let (expected, links) = (attempt.reauthentication.clone(), attempt.links());
                async move {
                    match exchange.outcome().await {
                        Some(Ok(user)) if links => Ok((user.logged_in_at, Vec::new())),
                        Some(Ok(user)) => {
                            begin_login(&route, &user, expected.as_ref(), None, &parts).await
                        }
                        Some(Err(kind)) => Err(Reason::new(kind, SHARED_FAILURE)),
                        None => Err(Reason::store(SHARED_FAILURE.into())),
                    }
                }
            };
            detached(work).await
        }
        Claim::Over(stamp) => {
            return second_request(route, request, parts, &attempt, stamp).await;
        }
    };
    let begun = begun
        .map_err(|error| Reason::store(error.into()))
        .and_then(std::convert::identity);
    let (stamp, begun) = begun.map_err(|reason| {
        attempts.mark_used(cookies, &attempt, state, None);
        (reason, target)
    })?;
    attempts.mark_used(cookies, &attempt, state, Some(stamp));
    for cookie in begun {
        cookies.add(cookie);
    }
    Ok(Redirect::to(attempt.next.as_str()).into_response())
}

const SHARED_FAILURE: &str = "another request with the same state failed";

fn unknown_state() -> Reason {
    Reason::new(
        LoginFailureKind::StateMismatch,
        "no login with this state is under way in this browser",
    )
}

/// Where the login of an attempt leads.
fn target_of(attempt: &ReturnedAttempt) -> LoginTarget {
    LoginTarget {
        next: attempt.next.clone(),
        max_age: attempt
            .reauthentication
            .as_ref()
            .map(|expected| expected.max_age),
        links: attempt.links(),
    }
}

/// Answers a request whose state was used before, such as a reload or the back button: a redirect to
/// the page behind the login if the browser has that login or a younger one, otherwise to a new
/// start, once.
async fn second_request(
    route: &RouteState,
    request: &RequestAuth,
    parts: &Parts,
    attempt: &ReturnedAttempt,
    logged_in_at: Option<Timestamp>,
) -> Result<Response, Failure> {
    let target = target_of(attempt);
    if target.links {
        return Ok(Redirect::to(target.next.as_str()).into_response());
    }
    if let Some(stamp) = logged_in_at {
        let authenticated = request.authenticated_if_any(&parts.headers).await;
        let authenticated =
            authenticated.map_err(|error| (Reason::store(error.into()), Some(target.clone())))?;
        if authenticated.is_some_and(|user| user.login.record().logged_in_at >= stamp) {
            return Ok(Redirect::to(target.next.as_str()).into_response());
        }
    }
    let cookies = request.cookies(&parts.headers);
    route.auth().attempts.forget(cookies, attempt);
    let start = target.start(route.site(), &route.mounted);
    Ok(Redirect::to(&start).into_response())
}

/// A login by a code.
struct CodeLogin<'a> {
    code: &'a SecretString,
    secret: &'a LoginSecret,
    issuer: Option<&'a str>,
    /// What a form has said of the user, unsigned.
    user: Option<&'a SecretString>,
    reauthentication: Option<&'a Reauthentication>,
    /// The login whose user the identity is linked to, instead of a new login.
    linked_to: Option<&'a PresentedLogin>,
}

impl CodeLogin<'_> {
    /// Logs the user in, from the timestamp to the record. Nothing is stored unless all steps
    /// succeed.
    async fn log_in(
        &self,
        route: &RouteState,
        publisher: &Publisher,
        permit: Option<AdmissionPermit>,
        parts: &Parts,
    ) -> Result<BegunLogin, Reason> {
        let proven = self.prove(route).await;
        drop(permit);
        match proven {
            Ok((user, hint)) => {
                let user = Arc::new(user);
                publisher.publish(Ok(Arc::clone(&user)));
                if self.linked_to.is_some() {
                    return Ok((user.logged_in_at, Vec::new()));
                }
                begin_login(route, &user, self.reauthentication, hint.as_ref(), parts).await
            }
            Err(reason) => {
                publisher.publish(Err(reason.kind));
                Err(reason)
            }
        }
    }

    /// Exchanges the code and finds the user. Returns the hint for the sign-out too.
    async fn prove(
        &self,
        route: &RouteState,
    ) -> Result<(ProvenUser, Option<SecretString>), Reason> {
        // Before the exchange, so that a logout during it is later than the timestamp.
        let logged_in_at: Timestamp = within(STORE_LIMIT, route.auth().users.now())
            .await
            .map_err(Reason::store)?;
        let mut proven = self.exchange(route).await?;
        let names_sessions = route.mounted.provider.names_sessions();
        if let (Some(login), Some(linking)) = (self.linked_to, self.reauthentication) {
            let user_id = link::link(route, login, linking, &proven, logged_in_at).await?;
            let user = ProvenUser::new(user_id, logged_in_at, proven, names_sessions);
            return Ok((user, None));
        }
        let identities = &route.mounted.identities;
        let user_id = within(STORE_LIMIT, identities.find_or_create(&proven.profile))
            .await
            .map_err(Reason::store)?
            .ok_or_else(|| Reason::from(LoginError::TurnedAway))?;
        note_session(route, &proven, &user_id, logged_in_at).await?;
        let hint = proven.sign_out_hint.take();
        let user = ProvenUser::new(user_id, logged_in_at, proven, names_sessions);
        Ok((user, hint))
    }

    async fn exchange(&self, route: &RouteState) -> Result<ProviderLogin, Reason> {
        let (callback_url, logout_url) = (route.callback_url(), route.logout_url());
        let exchange = CodeExchange::new(self.code, &callback_url, &logout_url, self.secret)
            .with_issuer(self.issuer)
            .with_user(self.user);
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
}

/// Notes whose session at the provider it is, if a notice needs it.
async fn note_session(
    route: &RouteState,
    proven: &ProviderLogin,
    user_id: &str,
    logged_in_at: Timestamp,
) -> Result<(), Reason> {
    let MountedProvider {
        provider,
        identities,
        ..
    } = &route.mounted;
    let is_noted = provider.logs_out_session_users() || route.shared.settings.notes_sessions;
    let (Some(session), true) = (&proven.session, is_noted) else {
        return Ok(());
    };
    if !identities.notes_sessions() {
        return Ok(());
    }
    let keep_until = logged_in_at.after(ProviderSession::KEPT);
    let noted = identities.note_session(session, user_id, keep_until);
    within(STORE_LIMIT, noted).await.map_err(Reason::store)
}

/// Begins one of the logins of a user whose code was exchanged.
async fn begin_login(
    route: &RouteState,
    user: &ProvenUser,
    reauthentication: Option<&Reauthentication>,
    hint: Option<&SecretString>,
    parts: &Parts,
) -> Result<BegunLogin, Reason> {
    let auth = route.auth();
    let id = LoginId::random();
    // A request that is late must not undo the sign-out of a login from the same code.
    user.note(id);
    check_signed_out(route, user, id).await?;
    let verified = VerifiedLogin {
        id,
        user_id: &user.user_id,
        logged_in_at: user.logged_in_at,
        authenticated_at: user.authentication.at(user.logged_in_at),
        reauthentication,
        lifetime: None,
        remember: true,
        subject: Some(&user.subject),
        provider_key: user.provider_key(),
        callback: route.mounted.paths.callback(),
        sign_out_hint: hint,
    };
    let cookies = auth.begin_login(&verified, parts).await?;
    // Again, for a sign-out meanwhile. No browser has the cookies yet.
    check_signed_out(route, user, id).await?;
    Ok((user.logged_in_at, cookies))
}

/// Checks that no other login from the same code was signed out.
async fn check_signed_out(
    route: &RouteState,
    user: &ProvenUser,
    id: LoginId,
) -> Result<(), Reason> {
    for other in user.logins_except(id) {
        let signed_out = route
            .auth()
            .was_signed_out(&user.user_id, other, user.logged_in_at);
        if signed_out.await.map_err(Reason::store)? {
            return Err(Reason::from(LoginError::LoggedOutMeanwhile));
        }
    }
    Ok(())
}
