//! One node of the site, as an application writes it.

use std::sync::Arc;

use axum::{
    Router,
    extract::Query,
    http::HeaderMap,
    response::Redirect,
    routing::{get, post},
};
use axum_clef::{
    ClefLayer, IdentityStore, LogInError, LoggedIn, NewLogin, NewToken, NewTokenError, OtherLogins,
    Profile, RecentLogin, SessionKey, Sessions, Subject, User as _, secrecy::ExposeSecret as _,
    stores::Account,
};
use test_support::{Holds, ISSUER, ScriptedProvider, World as AnySite};

/// What the form of the site sends.
#[derive(serde::Deserialize)]
struct Form {
    person: String,
    hold: String,
}

/// The routes of a node, and its layer.
pub fn site(
    users: impl IdentityStore<User = Account>,
    sessions: Sessions,
    holds: &Holds,
) -> (Router, ClefLayer) {
    let users = Arc::new(users);
    let at_provider = holds.clone();
    let provider = ScriptedProvider::default().with_step(move |_, secret| {
        let holds = at_provider.clone();
        async move {
            holds.pass(&secret, String::new()).await;
            Ok(())
        }
    });
    let layer = ClefLayer::builder(AnySite::SITE, Arc::clone(&users), sessions)
        .provider(provider)
        .bearer_tokens([SessionKey::from_bytes([8; 32])])
        .build()
        .unwrap();
    let at_work = holds.clone();
    let work = |user: Option<LoggedIn<Account>>, headers: HeaderMap| async move {
        let who = user.map_or("unauthenticated".to_owned(), |LoggedIn(user)| id(&user));
        let hold = headers["x-hold"].to_str().unwrap();
        at_work.pass(hold, who.clone()).await;
        who
    };
    let holds = holds.clone();
    let form = |login: NewLogin, Query(form): Query<Form>| async move {
        holds.pass(&form.hold, String::new()).await;
        let profile = Profile::new(Subject::new(ISSUER, form.person));
        let user = users.find_or_create(&profile).await?.unwrap();
        login.begin(&user.id()).await as Result<Redirect, LogInError>
    };
    let router = Router::new()
        .route("/form", post(form))
        .route(
            "/others",
            post(|others: OtherLogins| async move { others.log_out().await }),
        )
        .route(
            "/account",
            get(|LoggedIn(user): LoggedIn<Account>| async move { id(&user) }),
        )
        .route("/recent", get(recent))
        .route("/token", post(token))
        .route("/work", post(work))
        .merge(layer.routes())
        .layer(layer.clone());
    (router, layer)
}

/// Who has logged in within the last five minutes.
async fn recent(recent: Option<RecentLogin<5>>, user: Option<LoggedIn<Account>>) -> String {
    match (recent, user) {
        (Some(_), Some(LoggedIn(user))) => id(&user),
        _ => "unauthenticated".to_owned(),
    }
}

/// The id of a new token, and the token. No run lasts a day.
async fn token(token: NewToken<1_440>) -> Result<String, NewTokenError> {
    let token = token.mint("a program").await?;
    let secret = token.secret().expose_secret();
    Ok(format!("{} {secret}", token.id()))
}

fn id(user: &Account) -> String {
    user.profile().subject.id().to_owned()
}
