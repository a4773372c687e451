//! A soak: a real site on loopback with thousands of sessions, logouts arriving all along, and
//! a count of what must never happen: `cargo run -p soak`.
//!
//! The site is served over HTTP, and its Clef is the local one, so logins and logouts go the whole
//! way. Everything runs in this process, the browsers too. Some of them hang up in the middle of a
//! callback, a sign-out or a page. Every notice comes twice, and again where the site had to put it
//! off.
//!
//! - `SOAK_SECONDS`: how long, by default 60.
//! - `SOAK_SESSIONS`: how many sessions, by default 4000; eight of each person.
//! - `SOAK_STORE`: where the users are: `sqlite` (a file that goes with the soak), `memory` or
//!   `postgres`.
//! - `POSTGRES_URL`: the PostgreSQL server, by default `postgres://postgres@127.0.0.1:5432/test`; a
//!   schema of the soak's own is created there and dropped at the end.
//! - `SOAK_SEALED`: 1 to seal logins in their cookies instead of storing them in memory.
//! - `SOAK_SEED`: what is done is drawn from it. What meets what is up to the machine, so the same
//!   seed is not the same run.
//! - `RUST_LOG`: what the site and Clef say, by default errors alone.
//!
//! The last line is the figures. It fails unless `stale_accepts`, `false_refusals` and `errors` are
//! all 0 and enough was done to say so, up to the end. Memory grows at first, with the connections and with what
//! the site and Clef remember up to a bound; whether it goes on shows from the half to the end.

mod browser;
mod browsing;
mod database;
mod figures;
mod hanging_up;
mod logging_out;
mod memory;
mod oracle;
mod settings;
mod site;
mod soak;

use std::{
    process::ExitCode,
    time::{Duration, Instant},
};

use axum_clef::BoxError;

use crate::{database::Database, memory::Memory, settings::Settings, soak::Soak};

/// How often it says how far it is.
const PROGRESS: Duration = Duration::from_secs(10);

#[tokio::main]
async fn main() -> ExitCode {
    test_support::run_program(run()).await
}

/// Whether everything was as it must be.
async fn run() -> Result<bool, BoxError> {
    let settings = Settings::from_env()?;
    eprintln!("SOAK_SEED={}", settings.seed);
    let database = Database::open(settings.store).await?;
    soak(settings, &database).await
}

async fn soak(settings: Settings, database: &Database) -> Result<bool, BoxError> {
    let site = site::serve(&settings, database).await?;
    let soak = Soak::new(settings, site)?;

    let begun_at = Instant::now();
    soak.log_everybody_in().await?;
    let took = begun_at.elapsed().as_secs_f32();
    eprintln!(
        "{} sessions after {took:.1} seconds",
        soak.settings.sessions
    );
    // The figures are of what follows.
    let set_up = soak.tally.take();
    let start = Memory::now(&soak.site.sessions);

    let begun_at = Instant::now();
    let ends_at = begun_at + soak.settings.length;
    let tasks = soak.start(ends_at);
    tell_until(begun_at + soak.settings.length / 2, &soak).await;
    let half = Memory::now(&soak.site.sessions);
    tell_until(ends_at - soak.settings.length / 10, &soak).await;
    let early_writes = soak.tally.writes();
    tell_until(ends_at, &soak).await;
    for task in tasks {
        task.await?;
    }
    soak.nothing_in_the_background().await;
    if !soak.site.owes_nothing().await {
        soak.tally.error("a logout was never written".to_owned());
    }

    let figures = figures::Figures {
        settings: &soak.settings,
        took: begun_at.elapsed(),
        counts: soak.tally.take(),
        start,
        half,
        end: Memory::now(&soak.site.sessions),
        early_writes,
    };
    let missing = figures.missing();
    if !missing.is_empty() {
        eprintln!("too little was done to say anything: {missing:?}");
    }
    if !set_up.is_clean() {
        eprintln!("not everybody could log in at the start");
    }
    println!("{figures}");
    Ok(figures.counts.is_clean() && set_up.is_clean() && missing.is_empty())
}

/// Waits, and says now and then how far it is.
async fn tell_until(moment: Instant, soak: &Soak) {
    while let Some(rest) = moment.checked_duration_since(Instant::now()) {
        tokio::time::sleep(PROGRESS.min(rest)).await;
        let memory = Memory::now(&soak.site.sessions).mib();
        eprintln!("{}, {memory} MiB", soak.tally.progress());
    }
}
