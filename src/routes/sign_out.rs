//! `POST /clef/sign-out`: ends the login of this browser, and of no other.

use std::{sync::Arc, time::Duration};

use axum::{
    extract::State,
    http::{Extensions, HeaderMap, HeaderValue, header},
    response::{IntoResponse as _, Redirect, Response},
};

use super::{Context, LoginFailure, LoginFailureKind, failure::Reason, session_and_cookies};
use crate::{
    session,
    time_limit::{STORE_LIMIT, within},
};

pub(super) async fn sign_out(
    State(context): State<Arc<Context>>,
    headers: HeaderMap,
    extensions: Extensions,
) -> Response {
    match end(&context, &headers, &extensions).await {
        Ok(()) => signed_out(&context),
        Err(reason) => LoginFailure::answer(&context, reason, None),
    }
}

async fn end(
    context: &Context,
    headers: &HeaderMap,
    extensions: &Extensions,
) -> Result<(), Reason> {
    if is_foreign(&context.site.origin(), headers) {
        return Err(Reason::new(
            LoginFailureKind::ForeignOrigin,
            "a page of another site asked to sign out",
        ));
    }
    let (session, cookies) = session_and_cookies(extensions).ok_or_else(Reason::layer_missing)?;
    // Even where the store then fails: without its key the session is nobody's.
    cookies.remove(context.key_cookie(String::new(), Duration::ZERO));
    within(STORE_LIMIT, session::end(&session))
        .await
        .map_err(Reason::store)?;
    tracing::info!("signed out on this device");
    Ok(())
}

fn signed_out(context: &Context) -> Response {
    let mut response = Redirect::to("/").into_response();
    // The session layer takes its cookie away without `Secure`, which browsers refuse for
    // a name with a prefix.
    if context.site.is_secure()
        && let Some(renewal) = &context.gate.renewal
        && let removal = context.site.removal(renewal.cookie.clone())
        && let Ok(removal) = HeaderValue::try_from(removal.to_string())
    {
        response.headers_mut().append(header::SET_COOKIE, removal);
    }
    response
}

/// Whether a browser says that the request comes from elsewhere. Whoever sends neither
/// header is no browser of these years, and sends no cookie by itself either.
fn is_foreign(origin: &str, headers: &HeaderMap) -> bool {
    let values = |name| headers.get_all(name).iter();
    let foreign_fetch =
        values("sec-fetch-site").any(|site| site != "same-origin" && site != "none");
    // A page with `Referrer-Policy: no-referrer` has no origin to name, not even its own.
    let vouched = values("sec-fetch-site").any(|site| site == "same-origin");
    let foreign_origin =
        values("origin").any(|value| value != origin && !(vouched && value == "null"));
    foreign_fetch || foreign_origin
}
