//! Disks that are full.

use std::time::Duration;

use axum_clef::BoxError;
use tokio::time::sleep;

use super::{LONG, SHORT, happened};
use crate::{run::Run, site::SmallDisk};

/// How many new users need room, and how often the log of writes goes on in a new file.
const NEW_USERS: u32 = 200;
const NEW_FILES: u32 = 100;

pub async fn tables(run: &mut Run) -> Result<(), BoxError> {
    disk(run)?.fill()?;
    let mut failed = 0;
    for _ in 0..NEW_USERS {
        failed += u32::from(run.load.probe(0).await.is_err());
        if failed == 10 {
            break;
        }
    }
    happened(failed > 0, "PostgreSQL found room")?;
    disk(run)?.free()?;
    run.recover().await
}

/// The server ends itself: it cannot keep what it has promised.
pub async fn wal(run: &mut Run) -> Result<(), BoxError> {
    disk(run)?.fill()?;
    for _ in 0..NEW_FILES {
        let switched = run
            .site
            .postgres
            .run("postgres", "select pg_switch_wal()")
            .await;
        if switched.is_err() {
            break;
        }
        sleep(Duration::from_millis(50)).await;
    }
    let full = run.site.postgres.log().contains("No space left on device");
    happened(full, "PostgreSQL found room")?;
    sleep(SHORT).await;
    disk(run)?.free()?;
    // Unless it has started itself again.
    let _ = run.site.postgres.kill().await;
    run.site.postgres.start().await?;
    run.recover().await
}

/// Redis refuses writes once a snapshot has failed.
pub async fn redis(run: &mut Run) -> Result<(), BoxError> {
    disk(run)?.fill()?;
    sleep(LONG).await;
    happened(run.load.figures.all().unavailable > 0, "no request failed")?;
    disk(run)?.free()?;
    run.recover().await
}

fn disk(run: &Run) -> Result<&SmallDisk, BoxError> {
    Ok(run.site.disk.as_ref().ok_or("there is no small disk")?)
}
