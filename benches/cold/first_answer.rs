//! The first answer of a node, and those of a warm one.

use std::time::Instant;

use axum::{Router, http::HeaderValue, routing::get};
use axum_clef::{
    ClefLayer, LoggedIn, SessionKey, Sessions,
    stores::{Account, MemoryUserStore},
};
use test_support::{Jar, ScriptedProvider, World};

use crate::cluster::ask;

/// In microseconds, the medians of so many rounds: the first answer from the builder on, and one of a
/// warm node.
pub async fn measure(rounds: usize) -> (f64, f64) {
    let users = MemoryUserStore::new();
    let warm = node(&users);
    let cookies = Jar::logged_in(&warm, "1").await.header();
    let (mut firsts, mut others) = (Vec::new(), Vec::new());
    for _ in 0..rounds {
        firsts.push(time(|| node(&users), &cookies).await);
        others.push(time(|| warm.clone(), &cookies).await);
    }
    (median(firsts), median(others))
}

fn node(users: &MemoryUserStore) -> Router {
    let sessions = Sessions::sealed([SessionKey::from_bytes([1; 32])]);
    let layer = ClefLayer::builder(World::SITE, users.clone(), sessions)
        .provider(ScriptedProvider::default())
        .build()
        .unwrap();
    Router::new()
        .route("/account", get(|_: LoggedIn<Account>| async { "yours" }))
        .merge(layer.routes())
        .layer(layer)
        .with_state(())
}

async fn time(node: impl FnOnce() -> Router, cookies: &HeaderValue) -> f64 {
    let begun = Instant::now();
    ask(&node(), cookies).await;
    begun.elapsed().as_secs_f64() * 1e6
}

fn median(mut times: Vec<f64>) -> f64 {
    times.sort_by(f64::total_cmp);
    times[times.len() / 2]
}
