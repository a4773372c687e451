//! PostgreSQL and Redis that are killed, stopped or full.

use std::time::Duration;

use axum_clef::BoxError;
use rustix::process::Signal;
use sqlx::{Connection as _, PgConnection};
use tokio::time::{Instant, sleep};

use super::{LONG, SHORT, happened, visit_once_up};
use crate::run::Run;

/// The bus waits five seconds for the longest of its statements.
const LONGER_THAN_A_STATEMENT: Duration = Duration::from_secs(7);

pub async fn postgres_killed(run: &mut Run) -> Result<(), BoxError> {
    run.site.postgres.kill().await?;
    sleep(SHORT).await;
    happened(run.load.figures.all().unavailable > 0, "no request failed")?;
    run.site.postgres.start().await?;
    run.recover().await
}

pub async fn postgres_stopped(run: &mut Run) -> Result<(), BoxError> {
    run.site.postgres.signal(Signal::STOP)?;
    sleep(LONGER_THAN_A_STATEMENT).await;
    run.site.postgres.signal(Signal::CONT)?;
    let stopped = "the logout bus over PostgreSQL has stopped";
    let noticed = run
        .site
        .nodes
        .iter()
        .all(|node| node.log().contains(stopped));
    happened(noticed, "the bus of a node went on")?;
    run.recover().await
}

/// Another application takes every connection that the server has for others than superusers.
pub async fn too_many_connections(run: &mut Run) -> Result<(), BoxError> {
    let url = format!("postgres://site@127.0.0.1:{}/site", run.site.postgres.port);
    let taken = format!("{url}?application_name=other");
    let mut others = Vec::new();
    let until = Instant::now() + LONG;
    let mut refused = false;
    while Instant::now() < until {
        match PgConnection::connect(&taken).await {
            Ok(connection) => others.push(connection),
            Err(_) => {
                refused = true;
                let end = "select pg_terminate_backend(pid) from pg_stat_activity
                    where usename = 'site' and application_name <> 'other'";
                // The server may have no place for this either, and the next pass tries again.
                let _ = run.site.postgres.run("postgres", end).await;
            }
        }
    }
    happened(
        refused && run.load.figures.all().unavailable > 0,
        "no request failed",
    )?;
    for connection in others {
        connection.close().await?;
    }
    run.recover().await
}

pub async fn redis_killed(run: &mut Run) -> Result<(), BoxError> {
    run.site.redis.kill().await?;
    // Requests wait longer than that for its client, which connects again.
    sleep(SHORT).await;
    run.site.redis.start_again().await?;
    run.recover().await
}

/// Redis is back with a snapshot from before logouts and sign-outs. The records of later logins are
/// gone, so these logins are refused; nothing that has ended comes back.
pub async fn redis_snapshot(run: &mut Run) -> Result<(), BoxError> {
    run.load.end_none(true);
    sleep(SHORT).await;
    run.site.redis.command(&["save"]).await?;
    let signed_out = run.load.end_some().await;
    happened(signed_out > 0, "no user was signed out")?;
    // They log in anew.
    sleep(SHORT).await;
    run.site.redis.kill().await?;
    run.site.redis.start_again().await?;
    visit_once_up(run).await?;
    run.load.end_none(false);
    run.recover().await
}
