//! The tokens of a user: their table, and the page that makes, lists and ends them.

use axum::{
    Form,
    extract::{Path, State},
    http::{StatusCode, header::CACHE_CONTROL},
    response::{Html, IntoResponse as _, Redirect, Response},
};
use axum_clef::{
    BearerToken, BoxError, LoggedIn, LoginId, LogoutCause, Logouts, NewToken, SameOrigin,
    Timestamp, User as _, UserStore as _, stores::Account,
};
use serde::Deserialize;
use sqlx::SqlitePool;

use crate::{Problem, Site, pages};

/// The table of tokens. It has what a user needs to tell them apart, and no secret.
#[derive(Clone)]
pub(crate) struct Tokens {
    pool: SqlitePool,
}

/// A token in the list.
pub(crate) struct ListedToken {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) ends_at: Timestamp,
}

impl Tokens {
    pub(crate) async fn create(pool: SqlitePool) -> Result<Self, BoxError> {
        sqlx::query(
            "create table if not exists tokens (
                id text primary key,
                user_id text not null,
                name text not null,
                logged_in_at integer not null,
                ends_at integer not null
            ) strict",
        )
        .execute(&pool)
        .await?;
        Ok(Self { pool })
    }

    async fn add(&self, user: &Account, token: &BearerToken, name: &str) -> sqlx::Result<()> {
        sqlx::query(
            "insert into tokens (id, user_id, name, logged_in_at, ends_at) values (?, ?, ?, ?, ?)",
        )
        .bind(token.id().to_string())
        .bind(user.id())
        .bind(name.trim())
        .bind(token.logged_in_at().as_micros())
        .bind(token.ends_at().as_micros())
        .execute(&self.pool)
        .await
        .map(drop)
    }

    /// The tokens of a user that have not ended. Those that a logout or their own end has ended are
    /// deleted, so that the table does not grow.
    async fn list(&self, user: &Account, now: Timestamp) -> sqlx::Result<Vec<ListedToken>> {
        let logged_out_at = user.logged_out_at().map_or(i64::MIN, Timestamp::as_micros);
        sqlx::query("delete from tokens where user_id = ? and (logged_in_at <= ? or ends_at <= ?)")
            .bind(user.id())
            .bind(logged_out_at)
            .bind(now.as_micros())
            .execute(&self.pool)
            .await?;
        let rows: Vec<(String, String, i64)> =
            sqlx::query_as("select id, name, ends_at from tokens where user_id = ? order by name")
                .bind(user.id())
                .fetch_all(&self.pool)
                .await?;
        let listed = rows.into_iter().map(|(id, name, ends_at)| ListedToken {
            id,
            name,
            ends_at: Timestamp::from_micros(ends_at),
        });
        Ok(listed.collect())
    }

    async fn is_of(&self, user: &Account, id: LoginId) -> sqlx::Result<bool> {
        let found = sqlx::query("select 1 from tokens where id = ? and user_id = ?")
            .bind(id.to_string())
            .bind(user.id())
            .fetch_optional(&self.pool);
        Ok(found.await?.is_some())
    }

    pub(crate) async fn delete(&self, id: LoginId) -> sqlx::Result<()> {
        let deleted = sqlx::query("delete from tokens where id = ?").bind(id.to_string());
        deleted.execute(&self.pool).await.map(drop)
    }
}

#[derive(Deserialize)]
pub(crate) struct NewTokenForm {
    name: String,
}

/// Lists the tokens, with a form for a new one.
pub(crate) async fn page(
    LoggedIn(user): LoggedIn<Account>,
    State(site): State<Site>,
) -> Result<Html<String>, Problem> {
    let now = site.users.now().await.map_err(Problem::Failed)?;
    let tokens = site.tokens.list(&user, now).await?;
    Ok(pages::tokens(&tokens))
}

/// Makes a token, and shows it once. `NewToken` refuses forms of other sites, and logins that are
/// not recent.
pub(crate) async fn make(
    token: NewToken,
    LoggedIn(user): LoggedIn<Account>,
    State(site): State<Site>,
    Form(form): Form<NewTokenForm>,
) -> Result<Response, Problem> {
    let token = token.mint(&form.name).await?;
    // A token that is in no list could not be ended: without the row, it is not shown.
    site.tokens.add(&user, &token, &form.name).await?;
    Ok(([(CACHE_CONTROL, "no-store")], pages::new_token(&token)).into_response())
}

/// Ends one token: first the token, then its row.
pub(crate) async fn end(
    _: SameOrigin,
    LoggedIn(user): LoggedIn<Account>,
    logouts: Logouts,
    State(site): State<Site>,
    Path(id): Path<String>,
) -> Result<Response, Problem> {
    let Ok(id) = id.parse::<LoginId>() else {
        return Ok(StatusCode::NOT_FOUND.into_response());
    };
    if !site.tokens.is_of(&user, id).await? {
        return Ok(StatusCode::NOT_FOUND.into_response());
    }
    logouts.end_login(id).await?;
    site.tokens.delete(id).await?;
    Ok(Redirect::to("/tokens").into_response())
}

/// Ends every login and every token of the user.
pub(crate) async fn log_out_everywhere(
    _: SameOrigin,
    LoggedIn(user): LoggedIn<Account>,
    logouts: Logouts,
) -> Result<Redirect, Problem> {
    let logouts = logouts.with_cause(LogoutCause::User);
    logouts.log_out_user(&user.id()).await?;
    Ok(Redirect::to("/"))
}
