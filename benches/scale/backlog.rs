//! Logouts while old revocations are removed.

use std::time::{Duration, Instant};

use axum_clef::stores::PostgresUserStore;
use tokio::task::JoinSet;

use crate::{calls::Call, database::Database, population::Population, times::Times};

const TASKS: usize = 4;
const TURN: Duration = Duration::from_millis(300);

/// The times of a logout and of a sign-out, in the first schema without old revocations, and in the last
/// one with as many as it has users.
pub async fn measure(
    database: &Database,
    first: &Population,
    last: &Population,
    rounds: usize,
) -> [[Times; 2]; 2] {
    last.revoke(database, last.users, "0").await;
    let mut times = <[[Times; 2]; 2]>::default();
    for _ in 0..rounds {
        for (population, times) in [first, last].into_iter().zip(&mut times) {
            let mut tasks = JoinSet::new();
            for _ in 0..TASKS {
                tasks.spawn(calls(
                    Call::SignOut,
                    population.store.clone(),
                    population.users,
                ));
            }
            let store = population.store.clone();
            times[0].extend(calls(Call::LogOut, store, population.users).await);
            times[1].extend(tasks.join_all().await.into_iter().flatten());
        }
    }
    times
}

/// The times of calls for a while.
async fn calls(call: Call, store: PostgresUserStore, users: u64) -> Vec<f64> {
    let start = Instant::now();
    let mut times = Vec::new();
    while times.is_empty() || start.elapsed() < TURN {
        times.push(call.time(&store, users).await);
    }
    times
}
