//! A kit for whoever writes a [`UserStore`]: it checks that the store keeps its contract.
//!
//! The promise of this crate rests on a few rules that are easy to break in a table of one's
//! own, and that no login by hand shows: find-or-create in one step, a stamp that only rises
//! however many write it, a clock as fine as the stamps. [`check_user_store`] tries them all;
//! call it from a test of your own, with a closure that opens your store:
//!
//! ```no_run
//! use axum_clef::{stores::SqliteUserStore, testing::check_user_store};
//!
//! # /*
//! #[tokio::test(flavor = "multi_thread")]
//! # */
//! async fn my_store_keeps_the_contract() -> Result<(), Box<dyn std::error::Error>> {
//!     let directory = tempfile::tempdir()?;
//!     let url = format!("sqlite://{}", directory.path().join("users.db").display());
//!     check_user_store(async || SqliteUserStore::connect(&url).await).await?;
//!     Ok(())
//! }
//! ```
//!
//! A store in memory, whose handles share what they keep, is opened by giving out another
//! handle:
//!
//! ```
//! use std::{convert::Infallible, sync::Arc};
//!
//! use axum_clef::{stores::MemoryUserStore, testing::check_user_store};
//!
//! # tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap().block_on(async {
//! let store = Arc::new(MemoryUserStore::new());
//! check_user_store(async || Ok::<_, Infallible>(Arc::clone(&store))).await?;
//! # Ok::<(), axum_clef::testing::BrokenRule>(())
//! # }).unwrap();
//! ```
//!
//! # What it needs
//!
//! - A store that lets everybody in. The kit's people are made up, with every field of a
//!   [`Profile`](crate::Profile) filled, and new at each run: the store may be empty or full,
//!   and others may use it meanwhile. The kit cannot delete them, so several hundred stay behind,
//!   and some thirty ends of sessions.
//! - A tokio runtime with its time enabled and not paused. Make it `multi_thread`: on one
//!   thread, calls meet only where they wait, and a race between two locks of a mutex goes
//!   unseen.
//! - Some ten seconds. Most of them go by while calls are dropped, as those of a client that hangs
//!   up: at each await, and after each millisecond.
//! - Stamps of the system clock or of a database, not of a clock that is held still.
//!
//! # What it does not see
//!
//! A race shows only when it happens, so what passes is not proved. A clock that is set back,
//! the end of a session that is forgotten before its month is over, an id that is given again
//! after its user was deleted, a logout lost in a power cut, a call that goes on after it was
//! dropped, and machines other than this one are out of its reach.
//!
//! # Sessions of providers
//!
//! A store that answers `false` to `log_out_session` keeps none, and nothing more is asked of it.
//! Any other must keep them apart and let them rise as it does with people. Their ids are any text
//! of up to 255 characters.
//!
//! # What people's ids may be
//!
//! Any text of up to 255 characters, as OpenID Connect has it, the empty one too. What is
//! longer, or holds the character NUL, may be refused with an error or turned away, but must
//! not be taken for somebody else. `load` answers `Ok(None)` to every id that nobody has, up to
//! 10,000 characters; to one with a NUL it may answer an error.

mod broken_rule;
mod clock;
mod dropped_calls;
mod handle;
mod log_out;
mod log_outs_at_once;
mod person;
mod rising;
mod rule;
mod sessions;
mod standing;
mod tasks;
mod users;
mod whose;

use std::{future::Future, time::Duration};

pub use self::{broken_rule::BrokenRule, rule::Rule};
use self::{
    clock::check_clock,
    dropped_calls::{Method, check_dropped_calls},
    handle::{Handle, Handles, described},
    log_out::{
        check_every_handle_sees_log_out, check_log_out, check_log_out_ends_one_person,
        check_log_out_of_nobody, check_login_keeps_log_out,
    },
    log_outs_at_once::{check_log_outs_at_once, check_logins_that_a_log_out_finds},
    sessions::{
        check_any_session, check_session_log_out_ends_one_session, check_sessions_kept_or_not,
        check_unknown_session,
    },
    standing::check_standing,
    users::{check_any_subject, check_first_logins_at_once, check_people, check_unknown_ids},
    whose::Whose,
};
use crate::{BoxError, UserStore};

/// How long one check may take. Two hundred writes that each wait for a slow disk stay below it.
const CHECK_LIMIT: Duration = Duration::from_secs(60);

/// Checks that a store keeps the contract of [`UserStore`], and stops at the first rule that it
/// breaks. [The module](self) says what it needs, and shows a test.
///
/// `open` opens the same store anew each time, as another node would: another pool to the same
/// database, another handle of the same memory. It is called four times at the most.
///
/// Each check ends after a minute. Only a store that blocks its thread for good cannot be
/// stopped.
///
/// # Errors
///
/// The first [`BrokenRule`], in the order of [`Rule::ALL`]. It says which rule it is, what was
/// expected and seen, and what to do.
///
/// # Panics
///
/// Outside of a tokio runtime with its time enabled, and where the store panics.
pub async fn check_user_store<S, E>(open: impl AsyncFn() -> Result<S, E>) -> Result<(), BrokenRule>
where
    S: UserStore,
    E: Into<BoxError>,
{
    let open = async || match open().await {
        Ok(store) => Ok(Handle::new(store)),
        Err(error) => {
            let seen = described(&error.into());
            Err(BrokenRule::new(Rule::Answers, "the store to open", seen))
        }
    };
    let handles = Handles {
        one: in_time("opening the store", open()).await?,
        other: in_time("opening the store again", open()).await?,
    };

    in_time("logging people in", check_people(&handles)).await?;
    in_time("loading unknown ids", check_unknown_ids(&handles)).await?;
    in_time("first logins at once", check_first_logins_at_once(&handles)).await?;
    in_time("reading the clock", check_clock(&handles)).await?;
    in_time("logging nobody out", check_log_out_of_nobody(&handles)).await?;
    let alex = Whose::person(&handles.one).await?;
    in_time("logging somebody out", check_log_out(&handles, &alex)).await?;
    in_time("logging people of any id in", check_any_subject(&handles)).await?;
    in_time(
        "a login after a logout",
        check_login_keeps_log_out(&handles),
    )
    .await?;
    in_time(
        "logging one of several out",
        check_log_out_ends_one_person(&handles),
    )
    .await?;
    let noor = Whose::person(&handles.one).await?;
    let seen = check_every_handle_sees_log_out(&handles, &open, &noor);
    in_time("loading from several handles", seen).await?;
    in_time("logouts at once", check_log_outs_at_once(&handles, noor)).await?;
    in_time(
        "logins in the middle of a logout",
        check_logins_that_a_log_out_finds(&handles),
    )
    .await?;
    in_time("asking for standings", check_standing(&handles)).await?;
    let keeps_sessions = check_sessions(&handles, &open).await?;
    for method in Method::ALL {
        if keeps_sessions || !method.is_of_sessions() {
            let doing = format!("dropping calls of `{}`", method.name());
            let dropped = check_dropped_calls(&handles, method, keeps_sessions);
            in_time(&doing, dropped).await?;
        }
    }
    Ok(())
}

/// What a store must keep that keeps the ends of providers' sessions. Gives whether it does.
async fn check_sessions<S: UserStore>(
    handles: &Handles<S>,
    open: impl AsyncFn() -> Result<Handle<S>, BrokenRule>,
) -> Result<bool, BrokenRule> {
    let kept = check_sessions_kept_or_not(handles);
    if !in_time("logging sessions out", kept).await? {
        return Ok(false);
    }
    let session = Whose::session();
    in_time("unknown sessions", check_unknown_session(handles)).await?;
    in_time("logging a session out", check_log_out(handles, &session)).await?;
    in_time(
        "logging one of several sessions out",
        check_session_log_out_ends_one_session(handles),
    )
    .await?;
    in_time("sessions of any id", check_any_session(handles)).await?;
    let session = Whose::session();
    let seen = check_every_handle_sees_log_out(handles, open, &session);
    in_time("asking several handles for a session", seen).await?;
    in_time(
        "logouts of a session at once",
        check_log_outs_at_once(handles, session),
    )
    .await?;
    Ok(true)
}

async fn in_time<T>(
    doing: &str,
    check: impl Future<Output = Result<T, BrokenRule>>,
) -> Result<T, BrokenRule> {
    let checked = tokio::time::timeout(CHECK_LIMIT, check).await;
    checked.unwrap_or_else(|_| {
        let seconds = CHECK_LIMIT.as_secs();
        Err(BrokenRule::new(
            Rule::Answers,
            format!("{doing} to end within {seconds} seconds"),
            "no end",
        ))
    })
}
