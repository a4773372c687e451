//! Linking an identity at a provider to the logged-in user: the end of an attempt that began with
//! `link=true`.

use std::sync::Arc;

use axum::http::request::Parts;

use super::{
    failure::{LoginFailureKind, Reason},
    state::RouteState,
};
use crate::{
    LinkOutcome, Timestamp,
    auth::{LoginError, MaxAge, Reauthentication, RequestAuth},
    provider::ProviderLogin,
    sessions::PresentedLogin,
    time_limit::{STORE_LIMIT, within},
};

/// The login of the request, if it is the one that began this, and was recent when it did.
///
/// So a user's browser that is led to the callback of another links nothing to its user. A thief of a
/// cookie can make up an attempt of its login, which links nothing once the login is old.
pub(super) async fn linked_login(
    request: &RequestAuth,
    parts: &Parts,
    linking: &Reauthentication,
) -> Result<Arc<PresentedLogin>, Reason> {
    let authenticated = request.authenticated(&parts.headers).await;
    let authenticated = authenticated.map_err(|error| Reason::store(error.into()))?;
    // At most ten minutes more, whatever the `login_timeout` is: the time in a made-up attempt is made up
    // too.
    let max_age = MaxAge::OF_LINKS.as_duration();
    let under_way = request.state().attempts.lifetime().min(max_age);
    let oldest = max_age.saturating_add(under_way);
    let recent = authenticated.filter(|authenticated| authenticated.is_proven_within(oldest));
    let login = recent.map(|authenticated| &authenticated.login);
    let login = login.filter(|login| linking.links_to(login));
    login.cloned().ok_or_else(|| {
        Reason::new(
            LoginFailureKind::StateMismatch,
            "the request does not come with the login that the identity was to be linked to, or it \
             is no longer recent",
        )
    })
}

/// Links an identity that was just proven, and returns the id of its user.
pub(super) async fn link(
    route: &RouteState,
    login: &PresentedLogin,
    linking: &Reauthentication,
    proven: &ProviderLogin,
    logged_in_at: Timestamp,
) -> Result<String, Reason> {
    let authenticated_at = proven.authentication.at(logged_in_at);
    let max_age = linking.max_age.min(MaxAge::OF_LINKS);
    if !max_age.allows(authenticated_at, logged_in_at) {
        return Err(Reason::from(LoginError::NotReauthenticated));
    }
    let record = login.record();
    // Again: the exchange of the code takes a while.
    let ended = within(STORE_LIMIT, route.auth().has_ended(record)).await;
    if ended.map_err(Reason::store)? || route.auth().has_pending_logout(record) {
        return Err(Reason::from(LoginError::LoggedOutMeanwhile));
    }
    let identities = &route.mounted.identities;
    let linked = within(
        STORE_LIMIT,
        identities.link(record.user_id, &proven.profile),
    )
    .await;
    match linked.map_err(Reason::store)? {
        LinkOutcome::Linked => {
            tracing::info!(user = ?record.user_id, "an identity was linked");
            Ok(record.user_id.to_string())
        }
        LinkOutcome::OtherUser => Err(Reason::new(
            LoginFailureKind::LinkedToOtherUser,
            "the identity belongs to another user",
        )),
        LinkOutcome::TurnedAway => Err(Reason::from(LoginError::TurnedAway)),
        LinkOutcome::NotSupported => Err(Reason::new(
            LoginFailureKind::Misconfigured,
            "the user store links no identities; implement `IdentityStore::link`",
        )),
    }
}
