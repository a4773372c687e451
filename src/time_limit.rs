//! How long anybody outside is waited for.

use std::{future::Future, time::Duration};

use crate::BoxError;

/// How long a store may take for one answer. One that hangs is one that cannot answer.
pub(crate) const STORE_LIMIT: Duration = Duration::from_secs(10);

/// Waits for an answer, but no longer than a limit.
pub(crate) async fn within<T>(
    limit: Duration,
    answer: impl Future<Output = Result<T, BoxError>>,
) -> Result<T, BoxError> {
    match tokio::time::timeout(limit, answer).await {
        Ok(answer) => answer,
        Err(_) => Err(format!("no answer within {} seconds", limit.as_secs()).into()),
    }
}
