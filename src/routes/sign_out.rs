//! `POST /clef/sign-out`: ends the login of this browser, and by setting all of its person's.

use std::{convert::identity, sync::Arc, time::Duration};

use axum::{
    extract::State,
    http::request::Parts,
    response::{IntoResponse as _, Redirect, Response},
};
use secrecy::SecretString;
use url::Url;

use super::{
    ClientEvent, Context, Entrance, LoginFailure, LoginFailureKind, RouteState,
    failure::{Causes, Reason},
    session_and_cookies,
};
use crate::{
    BoxError, LoginEnding,
    cookies::{self, Cookies},
    extract::{Logouts, Visit, is_cross_origin},
    provider::SignOutRequest,
    session,
    time_limit::{STORE_LIMIT, answer, detached, within},
};

/// How long a provider may take to say where its own sign-out is. The login here is over by
/// then, and a person waits.
const PROVIDER_LIMIT: Duration = Duration::from_secs(5);

pub(super) async fn sign_out(State(route): State<RouteState>, parts: Parts) -> Response {
    let context = Arc::clone(&route.context);
    // A client that hangs up has signed out all the same, and aborts no write.
    let ended = detached(async move { end(&context, &parts).await }).await;
    let ended = ended.map_err(|none| Reason::store(none.into()));
    match ended.and_then(identity) {
        Ok(goes_on_to) => {
            Redirect::to(goes_on_to.as_ref().map_or("/", Url::as_str)).into_response()
        }
        Err(reason) => LoginFailure::answer(&route, reason, None),
    }
}

/// Ends the login here. Then: where it goes on at the provider, if it does.
async fn end(context: &Context, parts: &Parts) -> Result<Option<Url>, Reason> {
    if is_cross_origin(&context.gate.origin, &parts.headers) {
        return Err(Reason::new(
            LoginFailureKind::ForeignOrigin,
            "a page of another site asked to sign out",
        ));
    }
    let (session, cookies) = session_and_cookies(parts).ok_or_else(Reason::layer_missing)?;
    if context.sign_out_everywhere {
        // Before anything is taken from the browser: without its login nobody could try again.
        everywhere(context, parts).await?;
    }
    let key = cookies::named(&parts.headers, &context.gate.key_cookie);
    // Even where the store then fails: without its key the session is nobody's.
    cookies.remove(context.key_cookie(String::new(), Duration::ZERO));
    let signed_out = session.id().map(|id| {
        let live = &context.gate.live;
        move || live.session_over(id, LoginEnding::SignedOut)
    });
    // Its other pages and streams are over too, even where the store then fails; and once it has
    // not, also those that came by meanwhile.
    signed_out.iter().for_each(|tell| tell());
    let login = within(STORE_LIMIT, session::end(session, key))
        .await
        .map_err(Reason::store)?;
    if let Some(keeper) = &context.gate.keeper {
        cookies.remove(keeper.removal());
    }
    signed_out.iter().for_each(|tell| tell());
    let Some((realm, hint)) = login else {
        return Ok(None);
    };
    tracing::info!("signed out on this device");
    let mut entrances = context.entrances.iter();
    match entrances.find(|entrance| context.realm(&entrance.paths) == realm) {
        Some(entrance) => {
            Ok(at_the_provider(context, entrance, hint.as_ref(), parts, cookies).await)
        }
        None => Ok(None),
    }
}

/// Ends all logins of the person, if that of this browser is good: whoever has kept a copy of
/// one that is over must not end the newer ones. Nobody hears that they are signed out as long
/// as a login like theirs is served anywhere.
async fn everywhere(context: &Context, parts: &Parts) -> Result<(), Reason> {
    let visit = parts.extensions.get::<Arc<Visit>>();
    let visit = visit.ok_or_else(Reason::layer_missing)?;
    let logouts = Logouts::new(Arc::clone(&context.gate));
    let visitor = visit.visitor(parts).await;
    let ended = match visitor.map_err(Reason::not_signed_out)? {
        Some(visitor) => logouts.log_out(visitor.login.subject()).await.map(drop),
        None => match visit
            .owed_a_logout(parts)
            .await
            .map_err(Reason::not_signed_out)?
        {
            // Of a sign-out that was tried before, or twice at once.
            Some(login) => {
                let session = login.session.as_ref();
                logouts.until_written(&login.subject, session).await
            }
            None => Ok(()),
        },
    };
    ended.map_err(Reason::not_signed_out)
}

/// Where the login goes on to end at the provider.
async fn at_the_provider(
    context: &Context,
    entrance: &Entrance,
    hint: Option<&SecretString>,
    parts: &Parts,
    cookies: &Cookies,
) -> Option<Url> {
    let state = context.sign_outs.state();
    let return_url = context.site.url(entrance.paths.signed_out());
    let request = SignOutRequest::new(&return_url, &state, hint);
    let reason: BoxError = match context.admit_redirect(parts).await {
        Some(_permit) => {
            let url = entrance.provider.sign_out_url(&request);
            match answer(PROVIDER_LIMIT, url).await {
                Ok(Ok(url)) => {
                    if url.is_some() {
                        context.sign_outs.begin(cookies, &state);
                    }
                    return url;
                }
                Ok(Err(error)) => error.into(),
                Err(none) => none.into(),
            }
        }
        None => "too many calls to the provider are in progress".into(),
    };
    if let Some(count) = context.log_limit.count(ClientEvent::SignOutNotContinued) {
        let reason = Causes(&*reason);
        tracing::warn!(%reason, count, "a sign-out could not go on at the provider");
    }
    None
}
