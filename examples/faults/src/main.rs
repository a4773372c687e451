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

use std::{env, fs, os::unix::fs::PermissionsExt as _, process::ExitCode, time::Instant};

use axum_clef::BoxError;

use crate::{postgres::Installation, run::Run, scenarios::Scenario};

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
    let mut good = true;
    for scenario in scenarios {
        if scenario.needs_root() && !rustix::process::geteuid().is_root() {
            println!(
                "{:<28} left out: only root can mount a disk to fill",
                scenario.name()
            );
            continue;
        }
        let began_at = Instant::now();
        let own = directory.path().join(scenario.name());
        fs::create_dir(&own)?;
        match Run::play(scenario, &installation, &own).await {
            Ok(line) => println!("{line}  {:.0} s", began_at.elapsed().as_secs_f64()),
            Err(error) => {
                good = false;
                println!("{:<28} FAILED: {error}", scenario.name());
            }
        }
        fs::remove_dir_all(&own)?;
    }
    Ok(good)
}
