//! Many at once.

use std::{future::Future, sync::Arc};

use tokio::{sync::Barrier, task::JoinSet};

use super::BrokenRule;

/// Runs all of them at once, each in a task of its own, and none before all are there.
/// What they give comes in the order of their ends.
pub(super) async fn at_once<T: Send + 'static>(
    all: impl ExactSizeIterator<Item = impl Future<Output = Result<T, BrokenRule>> + Send + 'static>,
) -> Result<Vec<T>, BrokenRule> {
    let start = Arc::new(Barrier::new(all.len()));
    let mut tasks = JoinSet::new();
    for one in all {
        let start = Arc::clone(&start);
        tasks.spawn(async move {
            start.wait().await;
            one.await
        });
    }
    // The first broken rule drops the set, and that stops the rest.
    let mut given = Vec::new();
    while let Some(ended) = tasks.join_next().await {
        match ended {
            Ok(one) => given.push(one?),
            Err(error) => match error.try_into_panic() {
                // The store's own panic says best what happened.
                Ok(panic) => std::panic::resume_unwind(panic),
                Err(_) => continue,
            },
        }
    }
    Ok(given)
}
