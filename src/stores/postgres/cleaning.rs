//! Where a statement begins to look for old rows to delete.

use std::sync::{
    Arc,
    atomic::{AtomicI64, Ordering::Relaxed},
};

use sqlx::{PgPool, Postgres, postgres::PgArguments, query::QueryScalar};

/// Until when the old rows of a table are deleted, by the clock of the server.
///
/// Deleted rows stay in the index while a long transaction, such as that of a backup, may still see
/// them. Each statement would pass all of them again, and take ever longer.
#[derive(Clone)]
pub(super) struct Cleaning(Arc<AtomicI64>);

impl Cleaning {
    pub(super) fn new() -> Self {
        Self(Arc::new(AtomicI64::new(i64::MIN)))
    }

    /// Runs a write that deletes old rows too. Its last parameter is where they begin.
    pub(super) async fn run(
        &self,
        write: QueryScalar<'_, Postgres, i64, PgArguments>,
        pool: &PgPool,
    ) -> Result<(), sqlx::Error> {
        let cleaned = write.bind(self.0.load(Relaxed)).fetch_optional(pool).await;
        match &cleaned {
            Ok(Some(until)) => self.0.store(*until, Relaxed),
            // Maybe it was still passing deleted rows. The next one leaves all of them out.
            Err(error) if is_timeout(error) => self.0.store(i64::MAX, Relaxed),
            _ => {}
        }
        cleaned.map(|_| ())
    }
}

/// Whether it is `query_canceled`, by `statement_timeout`.
fn is_timeout(error: &sqlx::Error) -> bool {
    let code = error.as_database_error().and_then(|error| error.code());
    code.as_deref() == Some("57014")
}
