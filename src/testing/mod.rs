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
//!   behind, and as many revocations, which need to be kept for an hour. One of them ends every login
//!   of the store.
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
//! # Keeping one login
//!
//! A store whose `keeps_one_login` is `false` leaves `log_out_others` to its default. For any other,
//! the kit checks that one login stays and that all others end.
//!
//! # The cause of a logout
//!
//! A store that returns no [`logout_cause`](crate::User::logout_cause) is right. One that returns any
//! must return the time of the latest logout, whichever method has written it. The kit makes its logouts by
//! the methods that take a cause, as the layer does, and by `log_out` too.
//!
//! # What the ids of subjects may be
//!
//! Any text of up to 255 characters, as OpenID Connect has it, the empty one too. What is
//! longer, or holds the character NUL, may be refused with an error or turned away, but must
//! not be taken for another id. `load` returns `Ok(None)` for every id that no user has, up to
//! 10,000 characters; for one with a NUL it may return an error.

mod dropped_calls;
mod handle;
mod log_out;
mod log_out_others;
mod logout_causes;
mod revocations;
mod rule;
mod samples;
mod subjects;
mod target;
mod users;

use std::sync::Arc;

pub use self::rule::{BrokenRule, Rule};
use self::{
    dropped_calls::{Method, check_dropped_calls},
    handle::{Handle, Handles, answered},
    log_out::{
        check_every_handle_sees_log_out, check_log_out, check_log_out_ends_one_user,
        check_log_outs_at_once, check_login_keeps_log_out, check_logins_that_a_log_out_finds,
    },
    log_out_others::{
        check_log_out_others, check_log_outs_of_others_at_once, check_one_login_kept_or_not,
    },
    logout_causes::{check_logout_causes, check_subject_logout_cause},
    revocations::{
        check_any_key, check_every_key, check_revocation_ends_one_key, check_revocation_is_kept,
        check_revocations_kept_or_not, check_unknown_keys,
    },
    rule::Result,
    samples::{random_issuer, random_subject},
    subjects::{
        check_any_subject, check_first_logins_at_once, check_identifiers, check_log_out_subject,
        check_session_users, check_subject_keys, check_subjects,
    },
    target::Target,
    users::{check_check_login, check_clock, check_new_user, check_unknown_ids},
};
use crate::{BoxError, IdentityStore, Subject, UserStore};

/// Checks that a store keeps the contract of [`UserStore`], and stops at the first rule that it
/// breaks. [The module](self) says what it needs, and shows a test.
///
/// `open` opens the same store anew each time, as another node would: another pool to the same
/// database, another handle of the same memory. It is called four times at the most. `new_user`
/// makes a user who was never logged out, and returns the id.
///
/// Each call ends after a minute. Only a store that blocks its thread for good cannot be
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
    let store = open_store(&open).await?;
    let handles = Handles {
        one: Handle::of_users(Arc::clone(&store)),
        other: Handle::of_users(open_store(&open).await?),
    };
    let open = async || Ok(Handle::of_users(open_store(&open).await?));
    let new_user = async || answered("new_user", new_user(&store)).await;
    check_users(&handles, &open, &new_user).await?;
    drop_user_calls(&handles, &new_user().await?).await
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
    let handles = Handles {
        one: Handle::of_identities(open_store(&open).await?),
        other: Handle::of_identities(open_store(&open).await?),
    };
    let open = async || Ok(Handle::of_identities(open_store(&open).await?));
    check_subjects(&handles).await?;
    check_first_logins_at_once(&handles).await?;
    let new_user = async || Ok(handles.one.find_or_create(&random_subject()).await?.id);
    check_users(&handles, &open, &new_user).await?;
    check_subject_logouts(&handles, &open).await?;
    check_any_subject(&handles).await?;
    drop_user_calls(&handles, &new_user().await?).await?;
    let subject = random_subject();
    let user_id = handles.one.find_or_create(&subject).await?.id;
    let find = Method::Find(subject.clone());
    for method in [Method::Create, find, Method::LogOutSubject(subject)] {
        check_dropped_calls(&handles, method, &user_id).await?;
    }
    Ok(())
}

async fn open_store<S, E>(open: &impl AsyncFn() -> Result<S, E>) -> Result<Arc<S>>
where
    E: Into<BoxError>,
{
    Ok(Arc::new(answered("open", open()).await?))
}

/// What every store must keep.
async fn check_users(
    handles: &Handles,
    open: impl AsyncFn() -> Result<Handle>,
    new_user: impl AsyncFn() -> Result<String>,
) -> Result {
    let alex = new_user().await?;
    check_new_user(handles, &alex).await?;
    check_unknown_ids(handles, &alex).await?;
    check_clock(handles).await?;
    let target = Target::User(alex.clone());
    check_log_out(handles, &target).await?;
    check_login_keeps_log_out(handles, &alex).await?;
    let others = [new_user().await?, new_user().await?];
    check_log_out_ends_one_user(handles, &target, &others).await?;
    let [noor, _] = others;
    let target = Target::User(noor.clone());
    check_every_handle_sees_log_out(handles, &open, &target).await?;
    check_log_outs_at_once(handles, target).await?;
    check_logins_that_a_log_out_finds(handles, &noor).await?;
    check_one_login_kept_or_not(handles).await?;
    if handles.keep_one_login() {
        check_log_out_others(handles, &noor, &alex).await?;
        check_log_outs_of_others_at_once(handles, &noor).await?;
    }
    check_logout_causes(handles, &noor, &alex).await?;
    check_revocations_kept_or_not(handles).await?;
    let sam = new_user().await?;
    check_check_login(handles, &sam).await?;
    if handles.keep_revocations() {
        check_revocations(handles, open, &sam).await?;
    }
    Ok(())
}

/// What a store must keep that keeps revocations.
async fn check_revocations(
    handles: &Handles,
    open: impl AsyncFn() -> Result<Handle>,
    user_id: &str,
) -> Result {
    check_unknown_keys(handles).await?;
    check_every_key(handles).await?;
    let key = Target::new_key(&handles.one).await?;
    check_log_out(handles, &key).await?;
    check_revocation_ends_one_key(handles, user_id).await?;
    check_any_key(handles).await?;
    let key = Target::new_key(&handles.one).await?;
    check_every_handle_sees_log_out(handles, open, &key).await?;
    check_log_outs_at_once(handles, key).await?;
    check_revocation_is_kept(handles).await
}

/// Logouts by subject keep the rules of those by id.
async fn check_subject_logouts(
    handles: &Handles,
    open: impl AsyncFn() -> Result<Handle>,
) -> Result {
    check_log_out_subject(handles).await?;
    check_subject_logout_cause(handles).await?;
    let subject = random_subject();
    let user_id = handles.one.find_or_create(&subject).await?.id;
    let mut others = Vec::new();
    for other in [
        Subject::new(subject.issuer(), "67890"),
        Subject::new(random_issuer(), subject.id()),
    ] {
        others.push(handles.one.find_or_create(&other).await?.id);
    }
    let target = Target::Subject { subject, user_id };
    check_log_out(handles, &target).await?;
    check_log_out_ends_one_user(handles, &target, &others).await?;
    check_every_handle_sees_log_out(handles, open, &target).await?;
    check_log_outs_at_once(handles, target).await?;
    if handles.keep_revocations() {
        check_subject_keys(handles).await?;
    }
    if handles.one.notes_sessions() {
        check_session_users(handles).await?;
    }
    if handles.one.knows_identifiers() {
        check_identifiers(handles).await?;
    }
    Ok(())
}

async fn drop_user_calls(handles: &Handles, user_id: &str) -> Result {
    let mut methods = vec![
        Method::LogIn,
        Method::Load,
        Method::LogOut,
        Method::Now,
        Method::CheckLogin,
    ];
    if handles.keep_revocations() {
        methods.extend([Method::Revoke, Method::RevokedAt]);
    }
    if handles.keep_one_login() {
        methods.push(Method::LogOutOthers);
    }
    for method in methods {
        check_dropped_calls(handles, method, user_id).await?;
    }
    Ok(())
}
