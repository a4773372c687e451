//! The interface for programs: the notes of a user, as JSON. The guard is the one of the pages.

use axum::{Json, extract::State, http::StatusCode};
use axum_clef::{BoxError, LoggedIn, SameOrigin, User as _, stores::Account};
use serde::Deserialize;
use sqlx::SqlitePool;

use crate::{Problem, Site};

/// The table of notes.
#[derive(Clone)]
pub(crate) struct Notes {
    pool: SqlitePool,
}

impl Notes {
    pub(crate) async fn create(pool: SqlitePool) -> Result<Self, BoxError> {
        sqlx::query(
            "create table if not exists notes (
                id integer primary key,
                user_id text not null,
                text text not null
            ) strict",
        )
        .execute(&pool)
        .await?;
        Ok(Self { pool })
    }
}

#[derive(Deserialize)]
pub(crate) struct NewNote {
    text: String,
}

/// `GET /api/notes`: the newest hundred, in the order in which they were added.
pub(crate) async fn list(
    LoggedIn(user): LoggedIn<Account>,
    State(site): State<Site>,
) -> Result<Json<Vec<String>>, Problem> {
    let notes = sqlx::query_scalar(
        "select text from (
            select id, text from notes where user_id = ? order by id desc limit 100
         ) order by id",
    )
    .bind(user.id())
    .fetch_all(&site.notes.pool)
    .await?;
    Ok(Json(notes))
}

/// `POST /api/notes`. A request with a token passes `SameOrigin`, whatever its origin.
pub(crate) async fn add(
    _: SameOrigin,
    LoggedIn(user): LoggedIn<Account>,
    State(site): State<Site>,
    Json(note): Json<NewNote>,
) -> Result<StatusCode, Problem> {
    sqlx::query("insert into notes (user_id, text) values (?, ?)")
        .bind(user.id())
        .bind(note.text)
        .execute(&site.notes.pool)
        .await?;
    Ok(StatusCode::CREATED)
}
