//! The routes: sign-out and events for open pages; start, callback and logout webhook of each
//! provider; and the login button.

mod authorization_error;
#[cfg(feature = "clef")]
mod button;
mod callback;
mod callback_form;
mod callback_query;
mod client_address;
mod exchanges;
mod failure;
mod failure_page;
mod link;
#[cfg(feature = "live")]
mod live;
#[cfg(feature = "live")]
mod live_script;
mod logout;
mod notice;
mod sign_out;
mod sign_out_states;
mod start;
mod state;

use std::sync::{Arc, atomic::Ordering};

use axum::{
    Router,
    extract::DefaultBodyLimit,
    http::{StatusCode, header},
    middleware::map_response,
    response::IntoResponse,
    routing::{get, post},
};

#[cfg(feature = "clef")]
pub use self::button::ClefButton;
pub use self::failure::{LoginFailure, LoginFailureKind};
#[cfg(feature = "security-events")]
pub(crate) use self::logout::receive_polled;
pub(crate) use self::{
    client_address::ClientAddress,
    failure::RenderFailure,
    state::{MountedEndpoint, RouteSettings, RoutesState},
};
use self::{failure_page::no_store, state::RouteState};

/// The largest form that starts or completes a login, in bytes.
const LONGEST_FORM: usize = 16 * 1024;

/// All routes, for a router of any state.
pub(crate) fn router<S: Clone + Send + Sync + 'static>(shared: &Arc<RoutesState>) -> Router<S> {
    shared.auth.has_routes.store(true, Ordering::Relaxed);
    let settings = &shared.settings;
    let own = Router::new().route(&settings.sign_out_path, post(sign_out::sign_out));
    #[cfg(feature = "live")]
    let own = own.route(&settings.live.events, get(live::live).head(get_only));
    let own = own
        .layer(map_response(async |response| no_store(response)))
        .with_state(Arc::clone(shared));
    #[cfg(feature = "live")]
    let own = own.merge(live_script::router(shared));
    let providers = shared.auth.providers.iter();
    let routers = providers
        .zip(&shared.login_admissions)
        .map(|(mounted, admission)| {
            let start = get(start::start)
                .post(start::start_by_form)
                .head(get_or_post_only)
                .layer(DefaultBodyLimit::max(LONGEST_FORM));
            let paths = &mounted.paths;
            let callback = get(callback::callback);
            let callback = match mounted.provider.uses_form_post() {
                false => callback.head(get_only),
                true => callback
                    .post(callback_form::callback_by_form)
                    .head(get_or_post_only)
                    .layer(DefaultBodyLimit::max(LONGEST_FORM)),
            };
            Router::new()
                .route(paths.start(), start)
                .route(paths.callback(), callback)
                .route(paths.signed_out(), get(sign_out::signed_out))
                .layer(map_response(async |response| no_store(response)))
                .with_state(RouteState {
                    shared: Arc::clone(shared),
                    mounted: mounted.clone(),
                    admission: admission.clone(),
                })
        });
    let endpoints = shared.logout_endpoints().map(|endpoint| {
        logout::router(shared, endpoint)
            .layer(map_response(async |response| no_store(response)))
            .with_state(())
    });
    routers.chain(endpoints).fold(own, Router::merge)
}

/// Rejects `HEAD`, which must neither start nor complete a login nor open a stream.
async fn get_only() -> impl IntoResponse {
    (StatusCode::METHOD_NOT_ALLOWED, [(header::ALLOW, "GET")])
}

/// The same for a route that takes forms too.
async fn get_or_post_only() -> impl IntoResponse {
    let allow = [(header::ALLOW, "GET, POST")];
    (StatusCode::METHOD_NOT_ALLOWED, allow)
}
