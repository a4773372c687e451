//! The clock of PostgreSQL is set back.

use std::{sync::Arc, time::Duration};

use axum_clef::BoxError;
use tokio::time::sleep;

use super::{NODE, SHORT, happened};
use crate::{load::Page, run::Run};

const HOUR: i64 = 3_600;
/// The one whose login is under way while the clock is set, and another one.
const PERSON: usize = 0;
const OTHER: usize = 1;

/// Logins from before are in the future, and so is the stamp of a logout that is above them: the user
/// cannot log in until the clock is there.
pub async fn set_back(run: &mut Run) -> Result<(), BoxError> {
    let load = Arc::clone(&run.load);
    let under_way = tokio::spawn(async move { load.log_in(NODE, PERSON, SHORT * 3).await });
    sleep(SHORT).await;
    run.site.postgres.set_clock(-HOUR)?;
    sleep(SHORT).await;
    let refused = run.load.figures.all().refused;
    happened(refused > 0, "no login was refused")?;
    let acknowledged = run.load.log_everybody_out(NODE).await;
    happened(acknowledged > 0, "no user was logged out")?;
    let anew = run.load.log_in(NODE, OTHER, Duration::ZERO).await;
    happened(anew.is_none(), "a user could log in who was logged out")?;
    let under_way = under_way.await?;
    // The true time again: the logouts must stand, and so must the one during the login.
    run.site.postgres.set_clock(0)?;
    if let Some(login) = under_way
        && run.load.visit(NODE, &login).await == Page::User
    {
        return Err("a login outlives a logout that came while it was under way".into());
    }
    run.recover().await
}
