//! Nodes that are killed, stopped or cut off.

use std::time::Duration;

use axum_clef::BoxError;
use rustix::process::Signal;
use test_support::Cut;
use tokio::time::sleep;

use super::{LONG, happened};
use crate::{node::LEASE, run::Run};

/// The node that breaks, and one that does not.
const BROKEN: usize = 2;
const OTHER: usize = 0;
/// Longer than until the others evict a node: three leases.
/// How often a node is stopped for a logout alone.
const STOPS: u32 = 3;

pub async fn killed(run: &mut Run) -> Result<(), BoxError> {
    run.site.nodes[BROKEN].kill().await?;
    sleep(LONG).await;
    happened(others_evict(run), "no node was evicted")?;
    run.site.nodes[BROKEN].start_again().await?;
    run.recover().await
}

/// First for as long as a logout takes that waits for the node, so that it goes on at the moment of the
/// answer; then for long.
pub async fn stopped(run: &mut Run) -> Result<(), BoxError> {
    for _ in 0..STOPS {
        run.site.nodes[BROKEN].signal(Signal::STOP)?;
        let acknowledged = run.load.log_everybody_out(OTHER).await;
        happened(acknowledged > 0, "no user was logged out")?;
        // They lie in its sockets until it goes on.
        let visits = run.load.visit_with_many(BROKEN);
        sleep(Duration::from_millis(20)).await;
        run.site.nodes[BROKEN].signal(Signal::CONT)?;
        for visit in visits {
            visit.await?;
        }
        sleep(LEASE).await;
    }
    run.site.nodes[BROKEN].signal(Signal::STOP)?;
    sleep(LONG).await;
    happened(others_evict(run), "no node was evicted")?;
    let visits = run.load.visit_with_many(BROKEN);
    sleep(Duration::from_millis(20)).await;
    run.site.nodes[BROKEN].signal(Signal::CONT)?;
    for visit in visits {
        visit.await?;
    }
    run.recover().await
}

pub async fn cut_off(run: &mut Run) -> Result<(), BoxError> {
    for _ in 0..STOPS {
        // Its sessions still come, so that it would serve what it has cached.
        run.site.nodes[BROKEN].postgres.cut(Cut::All);
        let acknowledged = run.load.log_everybody_out(OTHER).await;
        happened(acknowledged > 0, "no user was logged out")?;
        let visits = run.load.visit_with_many(BROKEN);
        sleep(Duration::from_millis(200)).await;
        run.site.nodes[BROKEN].postgres.cut(Cut::None);
        for visit in visits {
            visit.await?;
        }
        sleep(LEASE).await;
    }
    run.site.nodes[BROKEN].cut(Cut::All);
    sleep(LONG).await;
    happened(others_evict(run), "no node was evicted")?;
    run.site.nodes[BROKEN].cut(Cut::None);
    run.recover().await
}

/// Nothing arrives on the connections to PostgreSQL that there are, and neither side hears of it; new
/// ones work.
pub async fn connections_lost(run: &mut Run) -> Result<(), BoxError> {
    // As many requests at once as fill the node's pool of connections.
    for visit in run.load.visit_with_many(BROKEN) {
        visit.await?;
    }
    run.site.nodes[BROKEN].postgres.lose_connections();
    run.load.log_everybody_out(OTHER).await;
    for visit in run.load.visit_with_many(BROKEN) {
        visit.await?;
    }
    happened(run.load.figures.all().unavailable > 0, "no request failed")?;
    run.recover().await
}

fn others_evict(run: &Run) -> bool {
    let evicts = |log: &str| log.contains("it is evicted");
    run.site.nodes.iter().any(|node| evicts(&node.log()))
}
