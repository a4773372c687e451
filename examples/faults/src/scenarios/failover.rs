//! PostgreSQL fails over to its standby.

use axum_clef::BoxError;
use test_support::Cut;
use tokio::time::sleep;

use super::{LONG, NODE, SHORT, happened, visit_once_up};
use crate::{run::Run, site::Standby};

/// The node that stays with the old primary.
const LEFT: usize = 2;

/// Nothing is acknowledged while the standby does not confirm it.
pub async fn standby_cut_off(run: &mut Run) -> Result<(), BoxError> {
    standby(run)?.primary.cut(Cut::All);
    sleep(LONG).await;
    happened(run.load.figures.all().unavailable > 0, "no request failed")?;
    standby(run)?.primary.cut(Cut::None);
    run.recover().await
}

pub async fn synchronous(run: &mut Run) -> Result<(), BoxError> {
    standby(run)?.primary.cut(Cut::All);
    // Many are under way when the primary dies, and none is acknowledged.
    let acknowledged = run.load.log_everybody_out(NODE).await;
    happened(acknowledged == 0, "a logout did not wait for the standby")?;
    fail_over(run).await?;
    run.recover().await
}

/// Logouts that the standby does not have are lost with the primary.
pub async fn asynchronous(run: &mut Run) -> Result<(), BoxError> {
    let warned = run
        .site
        .nodes
        .iter()
        .all(|node| node.log().contains("synchronous_standby_names"));
    happened(
        warned,
        "the nodes do not warn of a standby that no logout waits for",
    )?;
    standby(run)?.primary.cut(Cut::All);
    // The load alone would log everybody out again before anyone looked.
    run.load.end_none(true);
    let acknowledged = run.load.log_everybody_out(NODE).await;
    happened(acknowledged > 0, "no user was logged out")?;
    fail_over(run).await?;
    visit_once_up(run).await?;
    run.load.end_none(false);
    run.recover().await
}

/// The standby is promoted while the old primary still runs, and one node stays with it.
pub async fn unfenced(run: &mut Run) -> Result<(), BoxError> {
    let port = standby(run)?.server.port;
    standby(run)?.server.promote().await?;
    for (number, node) in run.site.nodes.iter().enumerate() {
        if number != LEFT {
            node.postgres.close_connections();
            node.postgres.lead_to(format!("127.0.0.1:{port}"));
        }
    }
    let acknowledged = run.load.log_everybody_out(NODE).await;
    happened(acknowledged > 0, "no user was logged out")?;
    for visit in run.load.visit_with_many(LEFT) {
        visit.await?;
    }
    run.site.postgres.kill().await?;
    run.site.fail_over()?;
    run.recover().await
}

/// The primary dies; the standby is promoted, and the nodes are led to it.
async fn fail_over(run: &mut Run) -> Result<(), BoxError> {
    run.site.postgres.kill().await?;
    sleep(SHORT).await;
    standby(run)?.server.promote().await?;
    run.site.fail_over()
}

fn standby(run: &Run) -> Result<&Standby, BoxError> {
    Ok(run.site.standby.as_ref().ok_or("there is no standby")?)
}
