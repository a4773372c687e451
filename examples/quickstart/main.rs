//! A site whose people log in with Clef, and a Clef to try it with, in one command:
//! `cargo run --example quickstart`.
//!
//! Everything that a site of your own needs stands in `run` and in the three handlers below
//! it. `pages.rs` holds the HTML, `surroundings.rs` and `loopback.rs` the addresses and the
//! errors of a trial.

mod loopback;
mod pages;
mod surroundings;

use axum::{Json, Router, response::Html, routing::get};
use axum_clef::{
    ClefButton, ClefLayer, LoggedIn, Login, User as _, clef::Clef, dev::TEST_APPLICATIONS,
    stores::Account,
};
use serde_json::{Value, json};
use tower_sessions::MemoryStore;

use crate::{loopback::Failure, surroundings::Surroundings};

#[tokio::main]
async fn main() -> Result<(), Failure> {
    run(Surroundings::prepare().await?).await
}

async fn run(surroundings: Surroundings) -> Result<(), Failure> {
    // Users in a SQLite file (for your own table: implement `UserStore`), sessions in memory
    // (or in any store for tower-sessions 0.14).
    let users = surroundings.users().await?;
    let sessions = MemoryStore::default();

    // Who vouches for people, and the layer that asks them.
    let application = &TEST_APPLICATIONS[0];
    let clef =
        Clef::new(application.id(), application.secret()).base_url(&surroundings.clef_url())?;
    let auth = ClefLayer::new(&surroundings.site_url(), clef, users, sessions)?;

    // The site as it was, with the routes merged in and the layer around it.
    let app = Router::new()
        .route("/", get(home))
        .route("/account", get(account))
        .route("/api/me", get(me))
        .merge(auth.routes())
        .layer(auth);

    surroundings.serve(app).await
}

/// Public: greets whoever is logged in, and shows the button to everybody else.
async fn home(user: Option<LoggedIn<Account>>, button: ClefButton) -> Html<String> {
    match user {
        Some(LoggedIn(user)) => pages::greeting(&user),
        None => pages::welcome(&button.next("/account")),
    }
}

/// Guarded: the extractor is the guard.
async fn account(LoggedIn(user): LoggedIn<Account>, login: Login) -> Html<String> {
    pages::account(&user, &login)
}

/// Guarded, for scripts: 401 instead of a redirect.
async fn me(LoggedIn(user): LoggedIn<Account>) -> Json<Value> {
    Json(json!({
        "id": user.id(),
        "clef_id": user.profile().subject.id(),
        "name": user.profile().name(),
        "email": user.profile().email,
    }))
}
