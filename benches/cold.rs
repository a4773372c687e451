//! What a node costs that has just started: `cargo bench --bench cold`. It takes a minute and a half.
//!
//! - The first answer of a node, from the builder on, beside one of a warm node. Users are in memory.
//! - The first minute of a node that joins another one over PostgreSQL, with leases of a second and
//!   the bus, and logins in cookies. Tasks ask both nodes for the pages of 300 logins all the time.
//!   The reads of the user store in the first second, beside a later one.
//! - Requests of one login all at once: how many reads they share, at a node that was built a tenth of
//!   a second before, and at a warm one whose lease is over.
//!
//! `POSTGRES_URL` names the server, if it is not on this machine as `.ci/run` has it.
//!
//! The last lines are for machines: `ratio NAME VALUE`. Without `--bench` all of it is done once, for
//! a moment, and nothing is measured.

#[path = "cold/cluster.rs"]
mod cluster;
#[path = "cold/first_answer.rs"]
mod first_answer;

use std::{env, process::ExitCode};

use test_support::Database;

use self::cluster::{Cluster, Reads};

/// Where PostgreSQL is by default.
const POSTGRES: &str = "postgres://postgres@127.0.0.1:5432/test";
/// How many requests of one login come at once.
const AT_ONCE: usize = 1_000;

fn main() -> ExitCode {
    let in_full = env::args().any(|argument| argument == "--bench");
    let runtime = tokio::runtime::Runtime::new().unwrap();
    match runtime.block_on(run(in_full)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(missing) => {
            eprintln!("{missing}");
            ExitCode::FAILURE
        }
    }
}

/// # Errors
///
/// When the server is missing.
async fn run(in_full: bool) -> Result<(), String> {
    let (rounds, seconds) = if in_full { (201, 60) } else { (1, 2) };
    let (first, warm) = first_answer::measure(rounds).await;
    println!("The first answer from the builder on: {first:.1} µs; of a warm node: {warm:.1} µs");

    let url = env::var("POSTGRES_URL").unwrap_or_else(|_| POSTGRES.to_owned());
    let database = Database::create_at(&url).await.map_err(|error| {
        format!(
            "the bench needs PostgreSQL, and the server of POSTGRES_URL is not there ({error}): \
             start it, or set POSTGRES_URL to where it is"
        )
    })?;
    let cluster = Cluster::start(&database).await;
    let at_start = cluster.stampede(AT_ONCE, false).await;
    let when_warm = cluster.stampede(AT_ONCE, true).await;
    println!(
        "{AT_ONCE} requests of one login at once: {at_start} reads at a new node, {when_warm} at a \
         warm one"
    );
    let minute = cluster.join(seconds).await;
    println!("\nA node that joins: requests and reads in each second");
    for (second, Reads { requests, reads }) in minute.iter().enumerate().take(5) {
        println!("{second:>6}{requests:>10}{reads:>8}");
    }
    let later: Vec<_> = minute.iter().skip(5).map(|second| second.reads).collect();
    let steady = median(later);
    println!(" later{:>10}{steady:>8}\n", "");
    if in_full {
        let per_request = |reads: u64| reads as f64 / AT_ONCE as f64;
        for (name, ratio) in [
            ("first_answer_vs_warm", first / warm),
            (
                "first_second_reads_vs_later",
                minute[0].reads as f64 / steady as f64,
            ),
            ("stampede_reads_per_request", per_request(at_start)),
            ("warm_stampede_reads_per_request", per_request(when_warm)),
        ] {
            println!("ratio cold_{name} {ratio:.4}");
        }
    }
    Ok(())
}

/// 0 if there is none.
fn median(mut counts: Vec<u64>) -> u64 {
    counts.sort_unstable();
    counts.get(counts.len() / 2).copied().unwrap_or_default()
}
