//! `POST /clef/sign-out`: ends the login of this browser, and of no other.

use std::sync::Arc;

use axum::{
    extract::State,
    http::{Extensions, HeaderMap, HeaderValue, header},
    response::{IntoResponse as _, Redirect, Response},
};

use super::{
    Context, LoginFailure, LoginFailureKind, callback::forget_key, failure::Reason, for_once,
    session_and_cookies,
};
use crate::session;

pub(super) async fn sign_out(
    State(context): State<Arc<Context>>,
    headers: HeaderMap,
    extensions: Extensions,
) -> Response {
    match end(&context, &headers, &extensions).await {
        Ok(()) => for_once(signed_out(&context)),
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
    forget_key(context, &cookies);
    session::end(&session).await.map_err(Reason::store)?;
    tracing::info!("signed out on this device");
    Ok(())
}

fn signed_out(context: &Context) -> Response {
    let mut response = Redirect::to("/").into_response();
    // The session layer takes its cookie away without `Secure`, which browsers refuse for
    // a name with a prefix.
    if context.site.is_secure()
        && let Some(name) = &context.session_cookie
        && let Ok(removal) = HeaderValue::try_from(context.site.removal(name.clone()).to_string())
    {
        response.headers_mut().append(header::SET_COOKIE, removal);
    }
    response
}

/// Whether a browser says that the request comes from elsewhere. Whoever sends neither
/// header is no browser of these years, and sends no cookie by itself either.
fn is_foreign(origin: &str, headers: &HeaderMap) -> bool {
    let foreign_origin = headers
        .get_all(header::ORIGIN)
        .iter()
        .any(|value| value != origin);
    let foreign_fetch = headers
        .get_all("sec-fetch-site")
        .iter()
        .any(|value| value != "same-origin" && value != "none");
    foreign_origin || foreign_fetch
}
