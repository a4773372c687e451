//! Real faults: three nodes as processes, a PostgreSQL and a Redis of this program's own, people who use
//! the site and are logged out of it, and servers, nodes and cables that break.
//!
//! ```sh
//! cargo run -p faults                          # every fault; or, after `--`, those with these names
//! cargo run -p faults -- node-killed clock-set-back
//! ```
//!
//! It needs Debian's `postgresql`, `redis-server` and `faketime`. The servers run on free ports of
//! loopback, with their files in a temporary directory; others on the machine are not touched. As root
//! it runs PostgreSQL by the user `postgres`, and mounts small disks to fill; otherwise the faults of
//! disks are left out, and say so.
//!
//! For each fault it prints what was done, and two figures that count: how many requests got a user by a
//! login whose logout or sign-out had been acknowledged before (`stale`), and how many were refused
//! whose login nothing had ended (`refused`). At the end every login there was is tried at every node.
//! Both must be zero where the documentation names no exception; where it names one, the exception must
//! show.

mod figures;
mod load;
mod node;
mod oracle;
mod postgres;
mod process;
mod redis;
mod run;
mod scenarios;
mod site;

use std::{
    env, fs, os::unix::fs::PermissionsExt as _, path::Path, process::ExitCode, time::Instant,
};

use axum_clef::BoxError;
use futures_util::{StreamExt as _, stream};

use crate::{postgres::Installation, run::Run, scenarios::Scenario};

/// How many faults are played at a time, each with servers of its own. They mostly wait.
const AT_ONCE: usize = 2;

#[tokio::main]
async fn main() -> ExitCode {
    let done = match env::var(node::ADDRESS) {
        Ok(address) => node::serve(&address).await.map(|()| true),
        Err(_) => play_all().await,
    };
    match done {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("Error: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Whether everything was as it must be.
async fn play_all() -> Result<bool, BoxError> {
    let names: Vec<_> = env::args().skip(1).collect();
    let mut scenarios = Vec::new();
    for name in &names {
        let scenario = Scenario::ALL.into_iter().find(|one| one.name() == name);
        scenarios.push(scenario.ok_or_else(|| format!("there is no fault {name}"))?);
    }
    if names.is_empty() {
        scenarios.extend(Scenario::ALL);
    }
    let directory = tempfile::tempdir()?;
    // PostgreSQL is another user.
    fs::set_permissions(directory.path(), fs::Permissions::from_mode(0o755))?;
    let installation = Installation::find(directory.path()).await?;
    println!("{}", run::HEAD);
    let (installation, directory) = (&installation, directory.path());
    let lines = scenarios
        .into_iter()
        .map(|scenario| play(scenario, installation, directory));
    let mut lines = stream::iter(lines).buffered(AT_ONCE);
    let mut good = true;
    while let Some(line) = lines.next().await {
        match line {
            Ok(line) => println!("{line}"),
            Err(line) => {
                good = false;
                println!("{line}");
            }
        }
    }
    Ok(good)
}

/// The line of one fault.
async fn play(
    scenario: Scenario,
    installation: &Installation,
    directory: &Path,
) -> Result<String, String> {
    let name = scenario.name();
    if scenario.needs_root() && !rustix::process::geteuid().is_root() {
        return Ok(format!(
            "{name:<28} left out: only root can mount a disk to fill"
        ));
    }
    let began_at = Instant::now();
    let failed = |error: BoxError| format!("{name:<28} FAILED: {error}");
    let own = directory.join(name);
    fs::create_dir(&own).map_err(|error| failed(error.into()))?;
    let line = Run::play(scenario, installation, &own)
        .await
        .map_err(failed)?;
    fs::remove_dir_all(&own).map_err(|error| failed(error.into()))?;
    Ok(format!(
        "{line} {:>4.0} s",
        began_at.elapsed().as_secs_f64()
    ))
}
