//! One scenario on its own servers: the load before, during and after the fault.

use std::{
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};

use axum_clef::BoxError;
use tokio::{task::JoinHandle, time::sleep};

use crate::{
    figures::Counts,
    load::Load,
    postgres::Installation,
    scenarios::{Exception, Scenario},
    site::Site,
};

/// How long the load runs before the fault and after it.
const CALM: Duration = Duration::from_millis(1_500);
/// How long it may take after a fault until every node works again.
const RECOVERY_LIMIT: Duration = Duration::from_secs(30);

pub struct Run {
    pub site: Site,
    pub load: Arc<Load>,
    tasks: Vec<JoinHandle<()>>,
    recovered_in: Option<Duration>,
}

impl Run {
    /// Plays a scenario. Returns its line of the table.
    ///
    /// # Errors
    ///
    /// If the promise does not hold, or the fault did not happen.
    pub async fn play(
        scenario: Scenario,
        installation: &Installation,
        directory: &Path,
    ) -> Result<String, BoxError> {
        let site = Site::start(installation, directory, scenario.setup()).await?;
        let nodes = site.nodes.iter().map(|node| node.address.clone());
        let load = Load::new(nodes.collect())?;
        let mut run = Self {
            tasks: load.start(),
            site,
            load,
            recovered_in: None,
        };
        sleep(CALM).await;
        run.load.end_some().await;
        let played = scenario.play(&mut run).await;
        let counts = match played {
            Ok(()) => run.finish(scenario).await,
            Err(error) => Err(error),
        };
        counts.map_err(|error| format!("{error}\n{}", run.logs()).into())
    }

    /// Waits until every node works again, and no logout is pending.
    ///
    /// # Errors
    ///
    /// If one does not.
    pub async fn recover(&mut self) -> Result<(), BoxError> {
        let began_at = Instant::now();
        for node in 0..self.load.nodes.len() {
            while let Err(step) = self.load.probe(node).await {
                if began_at.elapsed() > RECOVERY_LIMIT {
                    return Err(format!("node {} does not work again: {step}", node + 1).into());
                }
                sleep(Duration::from_millis(50)).await;
            }
        }
        self.recovered_in = Some(began_at.elapsed());
        self.load.figures.recovered();
        self.load.settle(RECOVERY_LIMIT).await?;
        sleep(CALM).await;
        Ok(())
    }

    /// Ends the load.
    ///
    /// # Errors
    ///
    /// If a task of it has panicked.
    pub async fn stop_load(&mut self) -> Result<(), BoxError> {
        self.load.stop();
        for task in self.tasks.drain(..) {
            task.await?;
        }
        Ok(())
    }

    async fn finish(&mut self, scenario: Scenario) -> Result<String, BoxError> {
        self.stop_load().await?;
        self.load.try_all().await;
        let counts = self.load.figures.all();
        let line = self.line(scenario, &counts);
        judge(scenario, &counts).map_err(|error| format!("{line}\n{error}"))?;
        Ok(line)
    }

    fn line(&self, scenario: Scenario, counts: &Counts) -> String {
        let recovered_in = self.recovered_in.unwrap_or_default().as_secs_f64();
        format!(
            "{:<28} {:>6} {:>6} {:>7} {:>5} {:>6} {:>5} {:>6.1} s {:>6} {:>5} {:>6} {:>5} {:>5} {:>5}",
            scenario.name(),
            counts.logins,
            counts.pages,
            counts.logouts,
            counts.sign_outs,
            counts.unavailable,
            counts.unavailable_after,
            recovered_in,
            counts.tried_ended,
            counts.tried_valid,
            counts.stale,
            counts.stale_at_end,
            counts.refused,
            counts.refused_at_end,
        )
    }

    /// The last lines that the nodes and servers have logged.
    fn logs(&self) -> String {
        let mut logs = String::new();
        let mut add = |name: &str, log: &str| {
            let lines: Vec<_> = log.lines().rev().take(20).collect();
            logs += &format!("-- {name}\n");
            for line in lines.into_iter().rev() {
                logs += line;
                logs.push('\n');
            }
        };
        for (number, node) in self.site.nodes.iter().enumerate() {
            add(&format!("node {}", number + 1), &node.log());
        }
        add("PostgreSQL", &self.site.postgres.log());
        if let Some(standby) = &self.site.standby {
            add("the standby", &standby.server.log());
        }
        logs
    }
}

/// What stands over the lines.
pub const HEAD: &str = "
                             |                                         | at the end   | promise broken
fault                        | logins pages logouts s-outs 503 later back in  | ended valid  | stale, end  refused, end";

/// Whether a scenario was as it must be.
fn judge(scenario: Scenario, counts: &Counts) -> Result<(), BoxError> {
    let stale = counts.stale + counts.stale_at_end;
    let refused = counts.refused + counts.refused_at_end;
    let exception = scenario.exception();
    if counts.logouts == 0 || counts.sign_outs == 0 || counts.tried_ended == 0 {
        return Err("too little was done to show anything".into());
    }
    match exception {
        Exception::Stale if stale == 0 => {
            return Err("the exception that the documentation names did not show".into());
        }
        Exception::Stale => {}
        _ if stale > 0 => return Err("a login that had ended got in".into()),
        _ => {}
    }
    match exception {
        Exception::Refused if refused == 0 => {
            return Err("the exception that the documentation names did not show".into());
        }
        Exception::Refused | Exception::Stale => {}
        Exception::None if refused > 0 => {
            return Err("a login that had not ended was refused".into());
        }
        Exception::None => {}
    }
    if counts.unavailable_after > scenario.late_errors() {
        return Err("requests failed after the nodes had worked again".into());
    }
    Ok(())
}
