//! A kit for authors of a [`UserStore`]: it checks that the store keeps its contract.
//!
//! The promise of this crate rests on a few rules that are easy to break in a table of one's
//! own, and that no login by hand shows: find-or-create in one step, a stamp that only rises
//! however many calls write it, a clock as fine as the stamps. Call the kit from a test of your
//! own, with a closure that opens your store. [`check_identity_store`] is for a store whose users
//! log in at a provider:
//!
//! ```no_run
//! use axum_clef::{stores::SqliteUserStore, testing::check_identity_store};
//!
//! # /*
//! #[tokio::test(flavor = "multi_thread")]
//! # */
//! async fn my_store_keeps_the_contract() -> Result<(), Box<dyn std::error::Error>> {
//!     let directory = tempfile::tempdir()?;
//!     let url = format!("sqlite://{}", directory.path().join("users.db").display());
//!     check_identity_store(async || SqliteUserStore::connect(&url).await).await?;
//!     Ok(())
//! }
//! ```
//!
//! [`check_user_store`] is for a [`UserStore`] alone, and takes a second closure that makes a user.
//! A store in memory, whose handles share what they keep, is opened by cloning a handle:
//!
//! ```
//! use std::{convert::Infallible, sync::Arc};
//!
//! use axum_clef::{
//!     BoxError, IdentityStore as _, Profile, Subject, User as _, stores::MemoryUserStore,
//!     testing::check_user_store,
//! };
//!
//! # tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap().block_on(async {
//! let store = MemoryUserStore::new();
//! let numbers = std::sync::atomic::AtomicU64::new(1);
//! let new_user = async |store: &MemoryUserStore| -> Result<String, BoxError> {
//!     let number = numbers.fetch_add(1, std::sync::atomic::Ordering::Relaxed).to_string();
//!     let profile = Profile::new(Subject::new("https://example.com", number));
//!     let user = store.find_or_create(&profile).await?.ok_or("turned away")?;
//!     Ok(user.id())
//! };
//! check_user_store(async || Ok::<_, Infallible>(store.clone()), new_user).await?;
//! # Ok::<(), axum_clef::testing::BrokenRule>(())
//! # }).unwrap();
//! ```
//!
//! # What it needs
//!
//! - A store that turns no user away. The kit's users are made up, with every field of a
//!   [`Profile`](crate::Profile) filled, and new at each run: the store may be empty or full,
//!   and others may use it meanwhile. The kit cannot delete them, so several hundred users stay
//!   behind, and as many revocations, which need to be kept for an hour.
//! - A tokio runtime with its time enabled and not paused. Make it `multi_thread`: on one
//!   thread, calls meet only where they wait, and a race between two locks of a mutex goes
//!   unseen.
//! - Some ten seconds. Most of that time goes to calls that are dropped, such as those of a client
//!   that hangs up: at each await, and after each millisecond.
//! - Stamps of the system clock or of a database, not of a clock that is held still.
//!
//! # What it does not see
//!
//! A race shows only when it happens, so what passes is not proved. Out of reach of the kit are a
//! clock that is set back (and with it a login that is not noted), a revocation that is removed
//! before its time is over, an id that is given again after its user was deleted, a logout lost in a
//! power cut, a call that goes on after it was dropped, and other machines.
//!
//! # Revocations
//!
//! A store whose `keeps_revocations` is `false` keeps none, and nothing more is asked of it. Any
//! other must keep its keys apart and let their stamps rise like those of users. Their ids are any
//! text of up to 255 characters.
//!
//! # What the ids of subjects may be
//!
//! Any text of up to 255 characters, as OpenID Connect has it, the empty one too. What is
//! longer, or holds the character NUL, may be refused with an error or turned away, but must
//! not be taken for another id. `load` returns `Ok(None)` for every id that no user has, up to
//! 10,000 characters; for one with a NUL it may return an error.

mod answers;
mod broken_rule;
mod check_login;
mod clock;
mod dropped_calls;
mod dropped_method;
mod handle;
mod log_out;
mod log_outs_at_once;
mod made_up;
mod revocations;
mod rising;
mod rule;
mod subjects;
mod target;
mod tasks;
mod users;

use std::{future::Future, time::Duration};

pub use self::{broken_rule::BrokenRule, rule::Rule};
use self::{
    check_login::check_check_login,
    clock::check_clock,
    dropped_calls::check_dropped_calls,
    dropped_method::{DroppedMethod, IdentityMethod, UserMethod},
    handle::{Handle, Handles, described, no_answer},
    log_out::{
        check_every_handle_sees_log_out, check_log_out, check_log_out_ends_one_user,
        check_login_keeps_log_out,
    },
    log_outs_at_once::{check_log_outs_at_once, check_logins_that_a_log_out_finds},
    made_up::fresh_issuer,
    revocations::{
        check_any_key, check_every_key, check_revocation_ends_one_key, check_revocation_is_kept,
        check_revocations_kept_or_not, check_unknown_keys,
    },
    subjects::{
        check_any_subject, check_first_logins_at_once, check_log_out_subject, check_subject_keys,
        check_subjects, new_user,
    },
    target::{KeyTarget, SubjectTarget, UserTarget},
    users::{check_new_user, check_unknown_ids},
};
use crate::{BoxError, IdentityStore, Subject, User as _, UserStore};

/// How long one check may take. Two hundred writes that each wait for a slow disk stay below it.
const CHECK_LIMIT: Duration = Duration::from_secs(60);

/// Checks that a store keeps the contract of [`UserStore`], and stops at the first rule that it
/// breaks. [The module](self) says what it needs, and shows a test.
///
/// `open` opens the same store anew each time, as another node would: another pool to the same
/// database, another handle of the same memory. It is called four times at the most. `new_user`
/// makes a user who was never logged out, and returns the id.
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
pub async fn check_user_store<S, E, F>(
    open: impl AsyncFn() -> Result<S, E>,
    new_user: impl AsyncFn(&S) -> Result<String, F>,
) -> Result<(), BrokenRule>
where
    S: UserStore,
    E: Into<BoxError>,
    F: Into<BoxError>,
{
    let open = async || open_handle(&open).await;
    let handles = open_twice(&open).await?;
    let new_user = async || {
        let made = new_user(handles.one.store()).await;
        made.map_err(|error| no_answer("new_user", error.into()))
    };
    let keeps_revocations = check_users(&handles, &open, &new_user).await?;
    drop_user_calls(&handles, &new_user, keeps_revocations).await
}

/// Checks that a store keeps the contract of [`IdentityStore`] and of [`UserStore`], as
/// [`check_user_store`] does.
///
/// # Errors
///
/// The first [`BrokenRule`].
///
/// # Panics
///
/// Like [`check_user_store`].
pub async fn check_identity_store<S, E>(
    open: impl AsyncFn() -> Result<S, E>,
) -> Result<(), BrokenRule>
where
    S: IdentityStore,
    E: Into<BoxError>,
{
    let open = async || open_handle(&open).await;
    let handles = open_twice(&open).await?;
    in_time("finding users", check_subjects(&handles)).await?;
    in_time("first logins at once", check_first_logins_at_once(&handles)).await?;
    let new_user = async || Ok(new_user(&handles).await?.user_id);
    let keeps_revocations = check_users(&handles, &open, &new_user).await?;
    check_subject_logouts(&handles, &open, keeps_revocations).await?;
    in_time("subjects with any id", check_any_subject(&handles)).await?;
    drop_user_calls(&handles, &new_user, keeps_revocations).await?;
    let SubjectTarget { subject, user_id } = subjects::new_user(&handles).await?;
    for method in IdentityMethod::all(&subject) {
        drop_calls(&handles, method, &user_id, keeps_revocations).await?;
    }
    Ok(())
}

async fn open_handle<S, E>(open: &impl AsyncFn() -> Result<S, E>) -> Result<Handle<S>, BrokenRule>
where
    S: UserStore,
    E: Into<BoxError>,
{
    match open().await {
        Ok(store) => Ok(Handle::new(store)),
        Err(error) => {
            let seen = described(&error.into());
            Err(BrokenRule::new(Rule::Answers, "the store to open", seen))
        }
    }
}

async fn open_twice<S>(
    open: impl AsyncFn() -> Result<Handle<S>, BrokenRule>,
) -> Result<Handles<S>, BrokenRule> {
    Ok(Handles {
        one: in_time("opening the store", open()).await?,
        other: in_time("opening the store again", open()).await?,
    })
}

/// What every store must keep. Returns whether it keeps revocations.
async fn check_users<S: UserStore>(
    handles: &Handles<S>,
    open: impl AsyncFn() -> Result<Handle<S>, BrokenRule>,
    new_user: impl AsyncFn() -> Result<String, BrokenRule>,
) -> Result<bool, BrokenRule> {
    let new_user = async || in_time("making a user", new_user()).await;
    let alex = new_user().await?;
    in_time("finding a new user", check_new_user(handles, &alex)).await?;
    in_time("finding unknown ids", check_unknown_ids(handles, &alex)).await?;
    in_time("reading the clock", check_clock(handles)).await?;
    let alex_target = UserTarget(alex.clone());
    in_time("logging a user out", check_log_out(handles, &alex_target)).await?;
    in_time(
        "a login after a logout",
        check_login_keeps_log_out(handles, &alex),
    )
    .await?;
    let others = [new_user().await?, new_user().await?];
    in_time(
        "logging one of several out",
        check_log_out_ends_one_user(handles, &alex_target, &others),
    )
    .await?;
    let [noor, _] = others;
    let noor_target = UserTarget(noor.clone());
    let seen = check_every_handle_sees_log_out(handles, &open, &noor_target);
    in_time("loading from several handles", seen).await?;
    in_time(
        "logouts at once",
        check_log_outs_at_once(handles, noor_target),
    )
    .await?;
    in_time(
        "logins in the middle of a logout",
        check_logins_that_a_log_out_finds(handles, &noor),
    )
    .await?;
    let kept = check_revocations_kept_or_not(handles);
    let keeps_revocations = in_time("revoking keys", kept).await?;
    let sam = new_user().await?;
    in_time(
        "checking logins",
        check_check_login(handles, &sam, keeps_revocations),
    )
    .await?;
    if keeps_revocations {
        check_revocations(handles, open, &sam).await?;
    }
    Ok(keeps_revocations)
}

/// What a store must keep that keeps revocations.
async fn check_revocations<S: UserStore>(
    handles: &Handles<S>,
    open: impl AsyncFn() -> Result<Handle<S>, BrokenRule>,
    user_id: &str,
) -> Result<(), BrokenRule> {
    in_time("unknown keys", check_unknown_keys(handles)).await?;
    in_time("revoking several keys", check_every_key(handles)).await?;
    let key = KeyTarget::new(&handles.one).await?;
    in_time("revoking a key", check_log_out(handles, &key)).await?;
    in_time(
        "revoking one of several keys",
        check_revocation_ends_one_key(handles, user_id),
    )
    .await?;
    in_time("keys with any id", check_any_key(handles)).await?;
    let key = KeyTarget::new(&handles.one).await?;
    let seen = check_every_handle_sees_log_out(handles, open, &key);
    in_time("asking several handles for a key", seen).await?;
    in_time("revocations at once", check_log_outs_at_once(handles, key)).await?;
    in_time("keeping revocations", check_revocation_is_kept(handles)).await
}

/// Logouts by subject keep the rules of those by id.
async fn check_subject_logouts<S: IdentityStore>(
    handles: &Handles<S>,
    open: impl AsyncFn() -> Result<Handle<S>, BrokenRule>,
    keeps_revocations: bool,
) -> Result<(), BrokenRule> {
    in_time("logging subjects out", check_log_out_subject(handles)).await?;
    let alex = new_user(handles).await?;
    in_time("logging a subject out", check_log_out(handles, &alex)).await?;
    let same_issuer = Subject::new(alex.subject.issuer(), "67890");
    let same_id = Subject::new(fresh_issuer(), alex.subject.id());
    let mut others = Vec::new();
    for other in [same_issuer, same_id] {
        others.push(handles.one.find_or_create(&other).await?.id());
    }
    in_time(
        "logging one of several subjects out",
        check_log_out_ends_one_user(handles, &alex, &others),
    )
    .await?;
    let seen = check_every_handle_sees_log_out(handles, open, &alex);
    in_time("loading from several handles", seen).await?;
    let at_once = check_log_outs_at_once(handles, alex);
    in_time("logouts of a subject at once", at_once).await?;
    if keeps_revocations {
        in_time("subjects as keys", check_subject_keys(handles)).await?;
    }
    Ok(())
}

async fn drop_user_calls<S: UserStore>(
    handles: &Handles<S>,
    new_user: impl AsyncFn() -> Result<String, BrokenRule>,
    keeps_revocations: bool,
) -> Result<(), BrokenRule> {
    let user_id = new_user().await?;
    for method in UserMethod::all(&handles.one, &user_id, keeps_revocations).await? {
        drop_calls(handles, method, &user_id, keeps_revocations).await?;
    }
    Ok(())
}

async fn drop_calls<S: UserStore>(
    handles: &Handles<S>,
    method: impl DroppedMethod<S>,
    user_id: &str,
    keeps_revocations: bool,
) -> Result<(), BrokenRule> {
    let doing = format!("dropping calls of `{}`", method.name());
    let dropped = check_dropped_calls(handles, method, user_id, keeps_revocations);
    in_time(&doing, dropped).await
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
