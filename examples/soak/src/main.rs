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
//! - `SOAK_SEALED`: 1 to seal logins in their cookies instead of storing them.
//! - `SOAK_LOGINS`: where logins are stored, `memory` (the default) or `redis`.
//! - `REDIS_URL`: the Redis server, by default `redis://127.0.0.1:6379`. Records are deleted at the end.
//!   All keys of the database are counted, so name one of the soak's own, as in `…:6379/9`.
//! - `SOAK_LIFETIME_SECONDS`: how long a login lasts at most, by default without limit.
//! - `SOAK_CLOCK_SPEED`: how many seconds the clock of the user store advances in each second, by
//!   default 1. The end of a login is kept for a day after its lifetime: at 48, for half an hour.
//! - `SOAK_REQUESTS_PER_SECOND`: the pace of a long run, by default as fast as the site answers. Below
//!   60 too little is done. A login that is not used for ten minutes expires, so a slow pace needs few
//!   sessions.
//! - `SOAK_PROGRESS_SECONDS`: how often a line of progress is printed, by default 10.
//! - `SOAK_SEED`: what is done is drawn from it. What meets what is up to the machine, so the same
//!   seed is not the same run.
//! - `RUST_LOG`: what the site and Clef say, by default errors alone.
//!
//! The lines `soak NAME VALUE` are what the process and its stores held at the start, at each quarter and
//! at the end: memory, open files, tasks, records and rows. The last line is the figures. The run fails
//! unless `stale_accepts`, `false_refusals` and `errors` are all 0 and enough was done, up to the end.
//! Memory grows at first, with the connections and with what the site and Clef keep up to a bound;
//! whether it goes on shows from the half to the end.
//!
//! Endurance, two hours over PostgreSQL and Redis:
//!
//! ```text
//! SOAK_SECONDS=7200 SOAK_SESSIONS=800 SOAK_LIFETIME_SECONDS=120 SOAK_CLOCK_SPEED=48 \
//! SOAK_REQUESTS_PER_SECOND=120 SOAK_STORE=postgres SOAK_LOGINS=redis REDIS_URL=redis://127.0.0.1/9 \
//! cargo run --release -p soak
//! ```

mod browser;
mod browsing;
mod clock;
mod database;
mod figures;
mod hanging_up;
mod logging_out;
mod oracle;
mod pace;
mod sessions;
mod settings;
mod site;
mod soak;
mod state;
mod tables;

use std::{process::ExitCode, time::Instant};

use axum_clef::BoxError;

use crate::{database::Database, figures::States, settings::Settings, soak::Soak, state::State};

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
    let start = State::now(&soak.site).await?;

    let begun_at = Instant::now();
    let ends_at = begun_at + soak.settings.length;
    let tasks = soak.start(ends_at);
    let quarter = tell_until(begun_at + soak.settings.length / 4, &soak).await?;
    let half = tell_until(begun_at + soak.settings.length / 2, &soak).await?;
    let three_quarters = tell_until(begun_at + soak.settings.length / 4 * 3, &soak).await?;
    tell_until(ends_at - soak.settings.length / 10, &soak).await?;
    let early_writes = soak.tally.writes();
    let end = tell_until(ends_at, &soak).await?;
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
        states: States {
            start,
            quarter,
            half,
            three_quarters,
            end,
        },
        early_writes,
    };
    let missing = figures.missing();
    if !missing.is_empty() {
        eprintln!("too little was done to say anything: {missing:?}");
    }
    if !set_up.is_clean() {
        eprintln!("not everybody could log in at the start");
    }
    soak.site.sessions.delete_all().await?;
    print!("{}", figures.states);
    println!("{figures}");
    Ok(figures.counts.is_clean() && set_up.is_clean() && missing.is_empty())
}

/// Waits, and prints progress meanwhile. Returns what is held then.
///
/// # Errors
///
/// When a store does not answer at that moment.
async fn tell_until(moment: Instant, soak: &Soak) -> Result<State, BoxError> {
    while let Some(rest) = moment.checked_duration_since(Instant::now()) {
        tokio::time::sleep(soak.settings.progress.min(rest)).await;
        let progress = soak.tally.progress();
        match State::now(&soak.site).await {
            Ok(state) => eprintln!("{progress}, {state}"),
            // A busy server: the next line has it.
            Err(error) => eprintln!("{progress}, {error}"),
        }
    }
    State::now(&soak.site).await
}
