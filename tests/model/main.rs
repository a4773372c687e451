//! A model of the promise: whatever happens in whatever order, it holds. Random runs of many
//! browsers at several nodes are played against the site and a small oracle.
//!
//! `MODEL_CASES` is the number of runs, `MODEL_SEED` repeats those of an earlier time.

mod clock;
mod cut_bus;
mod hook;
mod oracle;
mod play;
mod real_time;
mod site;
mod steps;
mod stores;
mod tally;
mod world;

use std::{
    cell::RefCell,
    env,
    io::{self, Write as _},
    time::{Duration, Instant},
};

use proptest::test_runner::{Config, RngSeed, TestCaseError, TestError, TestRunner};

use self::{
    play::play,
    steps::{NODES, Run, Step},
    stores::Stores,
    tally::Tally,
};

/// How many runs there are over memory, unless `MODEL_CASES` says otherwise: far more than
/// ten thousand steps. Where calls take time there are a tenth as many.
const DEFAULT_RUNS: u32 = 170;
/// How long a failing run is shortened, and once more its idle steps left out.
const LONGEST_SHRINK: Duration = Duration::from_secs(60);
/// How many steps the longest runs have; the others are as long as they happen to be.
const LONGEST: usize = 160;

#[test]
fn the_promise_holds_whatever_happens_over_memory() {
    check(Stores::Memory);
}

#[test]
fn the_promise_holds_whatever_happens_in_sealed_cookies() {
    check(Stores::Sealed);
}

#[test]
fn the_promise_holds_whatever_happens_over_sqlite() {
    check(Stores::Sqlite);
}

#[test]
fn the_promise_holds_whatever_happens_over_leases_in_memory() {
    check(Stores::LeasedMemory);
}

#[test]
fn the_promise_holds_whatever_happens_over_leases_in_sqlite() {
    check(Stores::LeasedSqlite);
}

#[test]
#[ignore = "needs PostgreSQL at POSTGRES_URL and Redis at REDIS_URL; .ci/run runs it"]
fn the_promise_holds_whatever_happens_over_postgres() {
    check(Stores::Postgres);
}

#[test]
#[ignore = "needs PostgreSQL at POSTGRES_URL; .ci/run runs it"]
fn the_promise_holds_whatever_happens_over_leases_in_postgres() {
    check(Stores::LeasedPostgres);
}

/// What is kept holds the clock as it was. It says nothing of a login that began after that.
#[test]
fn a_new_login_works_however_far_the_clock_goes_on_within_a_lease() {
    let at = |browser, node| Step::LogIn {
        browser,
        node,
        person: 0,
    };
    let on = |seconds| Step::Clock { seconds };
    let ask = |browser| Step::Ask { browser, node: 0 };
    for steps in [
        vec![at(0, 0), on(199), at(1, 1), ask(1)],
        vec![at(0, 0), on(90), on(90), on(90), at(1, 1), ask(1)],
        vec![at(0, 0), on(100), on(-50), on(100), at(1, 1), ask(1)],
    ] {
        let run = Run {
            skews: [-1, 1, 0],
            rates: [1_000; NODES],
            bus: None,
            steps,
        };
        play_alone(Stores::LeasedMemory, &run).unwrap();
    }
}

/// Plays random runs, and shows what they saw or the one that fails.
fn check(stores: Stores) {
    let seed = from_env("MODEL_SEED").unwrap_or_else(rand::random);
    let cases = from_env("MODEL_CASES").map_or(DEFAULT_RUNS, |cases| cases.try_into().unwrap());
    let cases = match stores.take_time() {
        true => (cases / 10).max(1),
        false => cases,
    };
    say(&format!("{stores:?}: {cases} runs of MODEL_SEED={seed}"));
    let begun_at = Instant::now();
    let tally = RefCell::new(Tally::default());
    let mut runner = TestRunner::new(Config {
        cases,
        rng_seed: RngSeed::Fixed(seed),
        failure_persistence: None,
        max_shrink_iters: 2_000,
        max_shrink_time: LONGEST_SHRINK.as_millis().try_into().unwrap(),
        ..Config::default()
    });
    let outcome = runner.run(&steps::runs(LONGEST), |run| {
        *tally.borrow_mut() += play_alone(stores, &run).map_err(TestCaseError::fail)?;
        Ok(())
    });
    match outcome {
        Ok(()) => {}
        Err(TestError::Fail(violation, run)) => {
            let violation = violation.message().to_owned();
            let (run, violation) = without_idle_steps(stores, run, violation);
            let steps: Vec<_> = run.steps.iter().map(|step| format!("  {step:?}")).collect();
            let (steps, skews) = (steps.join("\n"), run.skews);
            let (rates, bus) = (run.rates, run.bus);
            panic!(
                "{violation}\nclocks apart by {skews:?} minutes, at rates of {rates:?}, bus {bus:?}\n\
                 {steps}\nagain: MODEL_SEED={seed}"
            );
        }
        Err(TestError::Abort(reason)) => panic!("{reason}"),
    }
    let tally = tally.into_inner();
    let seconds = begun_at.elapsed().as_secs_f32();
    say(&format!("{stores:?}: {tally}; {seconds:.1} seconds"));
    // Fewer runs may miss something by chance.
    if cases >= DEFAULT_RUNS {
        assert_eq!(tally.missing(), [""; 0], "the runs are too few");
    }
}

/// Plays a run in a runtime of its own, whose tasks end with it.
fn play_alone(stores: Stores, run: &Run) -> Result<Tally, String> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .start_paused(true)
        .build()
        .unwrap();
    runtime.block_on(play(stores, run))
}

/// Leaves out the steps that a failing run does not need, which proptest leaves in where it
/// has made them idle, and says how it fails.
fn without_idle_steps(stores: Stores, mut run: Run, mut violation: String) -> (Run, String) {
    let begun_at = Instant::now();
    for step in (0..run.steps.len()).rev() {
        if begun_at.elapsed() >= LONGEST_SHRINK {
            break;
        }
        let mut shorter = run.clone();
        shorter.steps.remove(step);
        if let Err(still) = play_alone(stores, &shorter) {
            (run, violation) = (shorter, still);
        }
    }
    (run, violation)
}

fn from_env(name: &str) -> Option<u64> {
    env::var(name).ok().map(|value| value.parse().unwrap())
}

/// Past the capture of the test harness, which shows only what fails.
fn say(text: &str) {
    let _ = writeln!(io::stderr(), "{text}");
}
