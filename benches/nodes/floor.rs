//! What no protocol between nodes can save.

use std::time::Instant;

use axum_clef::{IdentityStore as _, Profile, Subject, User as _, UserStore as _};
use sqlx::postgres::PgListener;
use tokio::task::spawn_local;

use crate::{database::Database, times::Times};

const NOTIFY: &str = "select pg_notify($1, 'to and fro')::text";

/// The write of a logout, and a notification to another connection and back.
pub async fn measure(database: &Database, number: usize) -> [Times; 2] {
    let [mut writes, mut notifications] = <[Times; 2]>::default();
    let users = database.users("floor", 2).await;
    let alex = Profile::new(Subject::new("https://clef.example", "1"));
    let id = users.find_or_create(&alex).await.unwrap().unwrap().id();
    for _ in 0..number {
        let start = Instant::now();
        assert!(users.log_out(&id).await.unwrap());
        writes.extend([start.elapsed().as_secs_f64()]);
    }

    let pool = database.pool("floor", 4).await;
    let mut there = PgListener::connect_with(&pool).await.unwrap();
    there.listen("there").await.unwrap();
    let mut here = PgListener::connect_with(&pool).await.unwrap();
    here.listen("here").await.unwrap();
    let answering = spawn_local({
        let pool = pool.clone();
        async move {
            while there.recv().await.is_ok() {
                let answer = sqlx::query(NOTIFY).bind("here");
                answer.execute(&pool).await.unwrap();
            }
        }
    });
    for _ in 0..number {
        let start = Instant::now();
        let ask = sqlx::query(NOTIFY).bind("there");
        ask.execute(&pool).await.unwrap();
        here.recv().await.unwrap();
        notifications.extend([start.elapsed().as_secs_f64()]);
    }
    answering.abort();
    [writes, notifications]
}
