//! The routes of a provider: start, callback, logout webhook, sign-out and events for open pages;
//! and the login button.

mod authorization_error;
mod button;
mod callback;
mod client_address;
mod failure;
mod live;
mod live_script;
mod logout;
mod page;
mod sign_out;
mod sign_out_states;
mod start;
mod state;

use std::sync::Arc;

use axum::{
    Router,
    extract::DefaultBodyLimit,
    http::{StatusCode, header},
    middleware::map_response,
    response::IntoResponse,
    routing::{get, post},
};

pub use self::{
    button::ClefButton,
    failure::{LoginFailure, LoginFailureKind},
};
pub(crate) use self::{client_address::ClientAddress, failure::RenderFailure, state::RoutesState};
use self::{page::no_store, state::RouteState};

/// The largest logout notice, in bytes. Clef's have 48, those of OpenID Connect a few thousand.
const LONGEST_NOTICE: usize = 16 * 1024;

/// The routes of all providers, for a router of any state.
pub(crate) fn router<S: Clone + Send + Sync + 'static>(shared: &Arc<RoutesState>) -> Router<S> {
    let providers = shared.auth.providers.iter();
    let routers = providers
        .zip(&shared.login_admissions)
        .map(|(mounted, admission)| {
            let notice = post(logout::logout).layer(DefaultBodyLimit::max(LONGEST_NOTICE));
            let paths = &mounted.paths;
            Router::new()
                .route(paths.start(), get(start::start).head(get_only))
                .route(paths.callback(), get(callback::callback).head(get_only))
                .route(paths.logout(), notice)
                .route(paths.sign_out(), post(sign_out::sign_out))
                .route(paths.signed_out(), get(sign_out::signed_out))
                .route(paths.live(), get(live::live).head(get_only))
                .layer(map_response(async |response| no_store(response)))
                .with_state(RouteState {
                    shared: Arc::clone(shared),
                    mounted: mounted.clone(),
                    admission: admission.clone(),
                })
                .merge(live_script::router(&shared.auth, mounted))
        });
    routers.fold(Router::new(), Router::merge)
}

/// Rejects `HEAD`, which must neither start nor complete a login nor open a stream.
async fn get_only() -> impl IntoResponse {
    (StatusCode::METHOD_NOT_ALLOWED, [(header::ALLOW, "GET")])
}
