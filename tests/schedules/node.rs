//! One process of the site: a layer over the stores that all of them share, and handlers.

use std::sync::{Arc, Mutex, atomic::Ordering::SeqCst};

use axum::{
    Router,
    extract::FromRequestParts as _,
    http::{StatusCode, request::Parts},
    routing::{get, post},
};
use axum_clef::{
    ClefLayer, LoggedIn, LoginId, LogoutSignal, Logouts, NewToken, NewTokenError, OtherLogins,
    SessionKey, Sessions, secrecy::ExposeSecret as _, stores::Account,
};
use test_support::{HookedUsers, World, hook::Count};

use crate::gated::{GatedStores, gated_provider};

#[derive(Clone)]
pub struct Node {
    pub router: Router,
    pub application: Logouts,
}

/// What the handlers leave behind, and what they know of each other.
#[derive(Clone, Default)]
pub struct Results {
    /// Of the requests of `/listen`.
    pub listeners: Arc<Mutex<Vec<LogoutSignal>>>,
    /// The statuses of the answers so far.
    pub statuses: Arc<Mutex<Vec<u16>>>,
    /// The tokens that were made: what a program sends, and their ids.
    pub tokens: Arc<Mutex<Vec<(String, LoginId)>>>,
    /// How many tokens were asked for once a logout or a sign-out was answered.
    pub late_tokens: Count,
}

impl Node {
    pub fn new(
        gated: &GatedStores,
        users: HookedUsers<GatedStores>,
        sessions: Sessions,
        results: &Results,
    ) -> Self {
        let gates = &gated.gates;
        let layer = ClefLayer::builder(World::SITE, users, sessions)
            .provider(gated_provider(gated))
            .bearer_tokens([SessionKey::from_bytes([8; 32])])
            .build()
            .unwrap();
        let (slow, late, minting) = (gates.clone(), gates.clone(), gates.clone());
        let (listening, minted) = (results.clone(), results.clone());
        let trace = gated.trace.clone();
        let application = layer.logouts();
        let router = Router::new()
            .route("/account", get(|_: LoggedIn<Account>| async {}))
            .route(
                "/others",
                post(|others: OtherLogins| async move { others.log_out().await }),
            )
            .route(
                "/work",
                post(|user: Option<LoggedIn<Account>>| async move {
                    slow.pass("the handler goes on").await;
                    user.map_or(StatusCode::UNAUTHORIZED, |_| StatusCode::OK)
                }),
            )
            .route(
                "/listen",
                get(|_: LoggedIn<Account>, mut parts: Parts| async move {
                    late.pass("a handler begins to listen").await;
                    let end = LogoutSignal::from_request_parts(&mut parts, &()).await;
                    listening.listeners.lock().unwrap().push(end.unwrap());
                }),
            )
            .route(
                "/new-token",
                post(|token: NewToken| async move {
                    minting.pass("the handler asks for the token").await;
                    let is_late = !minted.statuses.lock().unwrap().is_empty();
                    let token = token.mint("laptop").await?;
                    let late = usize::from(is_late);
                    minted.late_tokens.fetch_add(late, SeqCst);
                    let header = format!("Bearer {}", token.secret().expose_secret());
                    trace.receives(Some(&header));
                    minted.tokens.lock().unwrap().push((header, token.id()));
                    Ok::<_, NewTokenError>(())
                }),
            )
            .merge(layer.routes())
            .layer(layer);
        Self {
            router,
            application,
        }
    }
}
