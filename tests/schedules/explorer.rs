//! Goes through all schedules of a scenario, depth first, or through some at random.

use futures_util::FutureExt as _;
use rand::{Rng as _, SeedableRng as _, rngs::StdRng};
use test_support::settle;

use crate::{
    gates::Gates,
    trace::Traces,
    world::{Actor, Kind, Scene},
};

/// Runs a scenario once for each order in which its actors can go on, with logins kept in each of
/// these ways. `prepare` makes the scene and what the actors do in it, `check` asserts what has
/// become of it. There must be at least so many schedules.
pub fn explore(
    kinds: &[Kind],
    at_least: usize,
    prepare: impl AsyncFn(&mut Scene) -> Vec<Actor>,
    check: impl AsyncFn(&Scene),
) {
    for kind in kinds {
        let schedules = explore_kind(*kind, &prepare, &check);
        assert!(schedules >= at_least, "{kind:?}: {schedules} schedules");
    }
}

/// Runs a scenario in so many random orders, the same ones each time. It has too many for
/// [`explore`].
pub fn explore_some(
    kinds: &[Kind],
    schedules: u64,
    prepare: impl AsyncFn(&mut Scene) -> Vec<Actor>,
    check: impl AsyncFn(&Scene),
) {
    for kind in kinds {
        let mut traces = Traces::default();
        for seed in 0..schedules {
            let mut random = StdRng::seed_from_u64(seed);
            let choose = |waiting| random.gen_range(0..waiting);
            run_once(*kind, &prepare, &check, choose, &mut traces);
        }
        traces.write();
    }
}

fn explore_kind(
    kind: Kind,
    prepare: impl AsyncFn(&mut Scene) -> Vec<Actor>,
    check: impl AsyncFn(&Scene),
) -> usize {
    // Which of those who wait goes on, at each step; and how many there were.
    let mut schedule: Vec<(usize, usize)> = Vec::new();
    let mut schedules = 0;
    let mut traces = Traces::default();
    loop {
        let mut taken = Vec::new();
        // By the schedule as far as it goes, then the one that came first.
        let choose = |waiting| {
            let chosen = match schedule.get(taken.len()) {
                Some((chosen, expected)) => {
                    assert_eq!(waiting, *expected, "the same schedule runs the same way");
                    *chosen
                }
                None => 0,
            };
            taken.push((chosen, waiting));
            chosen
        };
        run_once(kind, &prepare, &check, choose, &mut traces);
        schedule = taken;
        schedules += 1;
        assert!(schedules < 50_000, "too many schedules to go through");
        // The last step where another could have gone on.
        while let Some((chosen, waiting)) = schedule.pop() {
            if chosen + 1 < waiting {
                schedule.push((chosen + 1, waiting));
                break;
            }
        }
        if schedule.is_empty() {
            traces.write();
            return schedules;
        }
    }
}

/// Runs a scenario in the order that `choose` gives, of those who wait at each step.
fn run_once(
    kind: Kind,
    prepare: impl AsyncFn(&mut Scene) -> Vec<Actor>,
    check: impl AsyncFn(&Scene),
    choose: impl FnMut(usize) -> usize,
    traces: &mut Traces,
) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .start_paused(true)
        .build()
        .unwrap();
    runtime.block_on(async {
        let mut scene = Scene::new(kind);
        let actors = prepare(&mut scene).await;
        run(&scene.gates, actors, choose).await;
        scene.trace.ends_with_processes();
        let order = scene.gates.passed();
        let checked = std::panic::AssertUnwindSafe(check(&scene));
        if let Err(panic) = checked.catch_unwind().await {
            eprintln!("{kind:?}, the order was: {order:#?}");
            std::panic::resume_unwind(panic);
        }
        traces.add(&scene.trace);
    });
}

async fn run(gates: &Gates, actors: Vec<Actor>, mut choose: impl FnMut(usize) -> usize) {
    gates.close();
    let tasks: Vec<_> = actors.into_iter().map(tokio::spawn).collect();
    loop {
        settle().await;
        let waiting = gates.waiting();
        if waiting == 0 {
            if tasks.iter().all(tokio::task::JoinHandle::is_finished) {
                break;
            }
            // They wait for the time: it jumps to where the next one wakes.
            tokio::time::sleep(std::time::Duration::from_millis(1)).await;
            continue;
        }
        gates.release(choose(waiting));
    }
    for task in tasks {
        task.await.unwrap();
    }
    gates.open();
}
