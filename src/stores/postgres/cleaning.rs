//! Where a statement begins to look for old rows to delete.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use sqlx::{PgPool, Postgres, postgres::PgArguments, query::QueryScalar};

use crate::postgres_connection::write;

/// How long old rows are left after a statement has timed out at them, in microseconds: an hour.
const PAUSE: i64 = 60 * 60 * 1_000_000;

/// Which old rows of a table are deleted next.
///
/// Deleted rows stay in the index while a long transaction, such as a backup, may still see
/// them. Each statement would pass all of them again, and take ever longer.
#[derive(Clone)]
pub(super) struct Cleaning(Arc<Mutex<Progress>>);

/// Times by the clock of the server, in microseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Progress {
    /// Earlier rows are deleted, or left for now.
    from: i64,
    /// When the rows that are left for now are tried again.
    again_at: i64,
}

impl Progress {
    const START: Self = Self {
        from: i64::MIN,
        again_at: i64::MAX,
    };
    /// Leaves all old rows to the statements after the next one, which asks for the time.
    const TIMED_OUT: Self = Self {
        from: i64::MAX,
        again_at: i64::MAX,
    };

    /// The rows up to this time are deleted.
    fn cleaned(self, until: i64) -> Self {
        if self.from == i64::MAX {
            return Self {
                from: until,
                again_at: until.saturating_add(PAUSE),
            };
        }
        match until >= self.again_at {
            true => Self::START,
            false => Self {
                from: until,
                ..self
            },
        }
    }
}

impl Cleaning {
    pub(super) fn new() -> Self {
        Self(Arc::new(Mutex::new(Progress::START)))
    }

    /// Runs a write that deletes old rows too. Its last parameter is where they begin.
    pub(super) async fn run(
        &self,
        query: QueryScalar<'_, Postgres, i64, PgArguments>,
        pool: &PgPool,
    ) -> Result<(), sqlx::Error> {
        let from = self.progress().from;
        let query = query.bind(from);
        let cleaned = write(pool, async |to| query.fetch_optional(to).await).await;
        let mut progress = self.progress();
        match &cleaned {
            Ok(Some(until)) => *progress = progress.cleaned(*until),
            // It may have been passing deleted rows.
            Err(error) if is_timeout(error) => *progress = Progress::TIMED_OUT,
            _ => {}
        }
        cleaned.map(|_| ())
    }

    fn progress(&self) -> MutexGuard<'_, Progress> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether it is `query_canceled`, by `statement_timeout`.
fn is_timeout(error: &sqlx::Error) -> bool {
    let code = error.as_database_error().and_then(|error| error.code());
    code.as_deref() == Some("57014")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_deleted_from_where_the_last_statement_stopped() {
        let progress = Progress::START.cleaned(7);
        assert_eq!(progress.from, 7);
        assert_eq!(progress.cleaned(9).from, 9);
    }

    #[test]
    fn rows_at_which_a_statement_timed_out_are_left_for_an_hour() {
        // The next statement deletes nothing, and so does not time out.
        let progress = Progress::TIMED_OUT;
        assert_eq!(progress.from, i64::MAX);
        let progress = progress.cleaned(1_000);
        assert_eq!(progress.from, 1_000);
        let progress = progress.cleaned(PAUSE + 999);
        assert_eq!(progress.from, PAUSE + 999);
        assert_eq!(progress.cleaned(PAUSE + 1_000), Progress::START);
    }
}
