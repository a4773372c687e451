//! A site whose people log in with Clef, and a Clef to try it with, in one command:
//! `cargo run -p quickstart`.
//!
//! Everything that a site of your own needs stands in `run` and in the handlers below it.
//! `pages.rs` holds the HTML and its policy, `notes.rs` what people write, `surroundings.rs` and
//! `loopback.rs` the addresses and the errors of a trial.

mod loopback;
mod notes;
mod pages;
mod surroundings;

use axum::{
    Form, Json, Router,
    extract::State,
    http::header::CONTENT_TYPE,
    middleware::map_response,
    response::{Html, Redirect},
    routing::{get, post},
};
use axum_clef::{
    ClefButton, ClefLayer, LoggedIn, Login, SameOrigin, User as _, clef::Clef, stores::Account,
};
use clef_dev::TEST_APPLICATIONS;
use serde::Deserialize;
use serde_json::{Value, json};
use tower_sessions::MemoryStore;

use crate::{loopback::Failure, notes::Notes, surroundings::Surroundings};

#[tokio::main]
async fn main() -> Result<(), Failure> {
    run(Surroundings::prepare().await?).await
}

async fn run(surroundings: Surroundings) -> Result<(), Failure> {
    // Users in a SQLite file (for a table of your own, implement `UserStore`), logins in memory (or
    // in any session store for tower-sessions 0.14).
    let users = surroundings.users().await?;
    let sessions = MemoryStore::default();

    // The provider that users log in at, and the layer around the site.
    let application = &TEST_APPLICATIONS[0];
    let clef = Clef::new(
        &surroundings.clef_url(),
        application.id(),
        application.secret(),
    )?;
    let auth = ClefLayer::builder(surroundings.site_url(), users, sessions)
        .provider(clef)
        .build()?;

    let policy = pages::policy(&surroundings.clef_url())?;

    // The site as it was, with the routes merged in and the layer around it.
    let app = Router::new()
        .route("/", get(home))
        .route("/account", get(account))
        .route("/account/note", post(keep_note))
        .route("/api/me", get(me))
        .route(
            "/style.css",
            get(([(CONTENT_TYPE, "text/css")], pages::STYLE)),
        )
        .with_state(Notes::default())
        .merge(auth.routes())
        .layer(auth)
        .layer(map_response(move |response| {
            pages::under(policy.clone(), response)
        }));

    surroundings.serve(app).await
}

/// Public: greets the user, or shows the login button.
async fn home(user: Option<LoggedIn<Account>>, button: ClefButton) -> Html<String> {
    match user {
        Some(LoggedIn(user)) => pages::greeting(&user),
        None => pages::welcome(&button.next("/account")),
    }
}

/// Guarded: the extractor is the guard.
async fn account(
    State(notes): State<Notes>,
    LoggedIn(user): LoggedIn<Account>,
    login: Login,
) -> Html<String> {
    pages::account(&user, &login, &notes.of(&user))
}

#[derive(Deserialize)]
struct Note {
    note: String,
}

/// Guarded too, and `SameOrigin` refuses what pages of other origins post. The cookie's
/// `SameSite=Lax` would let another port of this machine do that.
async fn keep_note(
    _: SameOrigin,
    State(notes): State<Notes>,
    LoggedIn(user): LoggedIn<Account>,
    Form(Note { note }): Form<Note>,
) -> Redirect {
    notes.keep(&user, note.chars().take(pages::LONGEST_NOTE).collect());
    Redirect::to("/account")
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
