//! A model of the promise: whatever happens in whatever order, it holds. Random runs of many
//! browsers at several nodes are played against the site and a small oracle.
//!
//! `MODEL_CASES` is the number of runs, `MODEL_SEED` repeats those of an earlier time.

mod browser;
mod holds;
mod oracle;
mod play;
mod provider;
mod steps;
mod tally;
mod world;

use std::{
    cell::RefCell,
    env,
    io::{self, Write as _},
    time::Instant,
};

use proptest::test_runner::{Config, RngSeed, TestCaseError, TestRunner};

use self::{play::play, tally::Tally, world::Stores};

/// How many steps a run has.
const STEPS: usize = 80;

#[test]
fn the_promise_holds_whatever_happens_over_memory() {
    check(Stores::Memory, 150);
}

#[test]
fn the_promise_holds_whatever_happens_over_sqlite() {
    check(Stores::Sqlite, 12);
}

/// Plays as many runs as `MODEL_CASES` says.
fn check(stores: Stores, cases: u32) {
    let seed = from_env("MODEL_SEED").unwrap_or_else(rand::random);
    let cases = match (stores, from_env("MODEL_CASES")) {
        (_, None) => cases,
        (Stores::Memory, Some(cases)) => cases.try_into().unwrap(),
        (Stores::Sqlite, Some(cases)) => (cases / 10).max(1).try_into().unwrap(),
    };
    say(&format!("{stores:?}: {cases} runs of MODEL_SEED={seed}"));
    let begun_at = Instant::now();
    let tally = RefCell::new(Tally::default());
    let mut runner = TestRunner::new(Config {
        cases,
        rng_seed: RngSeed::Fixed(seed),
        failure_persistence: None,
        max_shrink_iters: 3_000,
        ..Config::default()
    });
    let outcome = runner.run(&steps::runs(STEPS), |run| {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        let seen = runtime.block_on(play(stores, &run));
        *tally.borrow_mut() += seen.map_err(TestCaseError::fail)?;
        Ok(())
    });
    if let Err(violation) = outcome {
        panic!("{violation}\nagain with MODEL_SEED={seed}");
    }
    let tally = tally.into_inner();
    let seconds = begun_at.elapsed().as_secs_f32();
    say(&format!("{stores:?}: {tally}; {seconds:.1} seconds"));
    assert_eq!(
        tally.missing(),
        [""; 0],
        "the runs are too short or too few"
    );
}

fn from_env(name: &str) -> Option<u64> {
    env::var(name).ok().map(|value| value.parse().unwrap())
}

/// Past the capture of the test harness, which shows only what fails.
fn say(text: &str) {
    let _ = writeln!(io::stderr(), "{text}");
}
