//! Goes through all schedules of a scenario, depth first.

use futures_util::FutureExt as _;
use test_support::settle;

use crate::{
    gates::Gates,
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

fn explore_kind(
    kind: Kind,
    prepare: impl AsyncFn(&mut Scene) -> Vec<Actor>,
    check: impl AsyncFn(&Scene),
) -> usize {
    // Which of those who wait goes on, at each step; and how many there were.
    let mut schedule: Vec<(usize, usize)> = Vec::new();
    let mut schedules = 0;
    loop {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .start_paused(true)
            .build()
            .unwrap();
        schedule = runtime.block_on(async {
            let mut scene = Scene::new(kind);
            let actors = prepare(&mut scene).await;
            let taken = run(&scene.gates, actors, &schedule).await;
            let order = scene.gates.passed();
            let checked = std::panic::AssertUnwindSafe(check(&scene));
            if let Err(panic) = checked.catch_unwind().await {
                eprintln!("{kind:?}, the order was: {order:#?}");
                std::panic::resume_unwind(panic);
            }
            taken
        });
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
            return schedules;
        }
    }
}

/// One run: by the schedule as far as it goes, then whoever came first.
async fn run(
    gates: &Gates,
    actors: Vec<Actor>,
    schedule: &[(usize, usize)],
) -> Vec<(usize, usize)> {
    gates.close();
    let tasks: Vec<_> = actors.into_iter().map(tokio::spawn).collect();
    let mut taken = Vec::new();
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
        let chosen = match schedule.get(taken.len()) {
            Some((chosen, expected)) => {
                assert_eq!(waiting, *expected, "the same schedule runs the same way");
                *chosen
            }
            None => 0,
        };
        taken.push((chosen, waiting));
        gates.release(chosen);
    }
    for task in tasks {
        task.await.unwrap();
    }
    gates.open();
    taken
}
