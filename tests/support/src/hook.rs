//! What a test does around each call of a store.

use std::{future::Future, sync::Arc};

use axum_clef::{BoxError, Profile, RevocationKey, Subject, Timestamp, stores::Account};
use tower_sessions::{
    session::{Id, Record},
    session_store,
};

/// A call of a user store or a session store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs)] // They are the methods of the traits.
pub enum Call {
    FindOrCreate,
    LogIn,
    LoadUser,
    CheckLogin,
    LogOut,
    LogOutSubject,
    LogOutOthers,
    UsersOf,
    Link,
    Revoke,
    RevokedAt,
    Now,
    Create,
    Save,
    LoadSession,
    Delete,
}

impl Call {
    /// Every call.
    pub const ALL: [Self; 16] = [
        Self::FindOrCreate,
        Self::LogIn,
        Self::LoadUser,
        Self::CheckLogin,
        Self::LogOut,
        Self::LogOutSubject,
        Self::LogOutOthers,
        Self::UsersOf,
        Self::Link,
        Self::Revoke,
        Self::RevokedAt,
        Self::Now,
        Self::Create,
        Self::Save,
        Self::LoadSession,
        Self::Delete,
    ];

    /// Whether it is one of a session store.
    pub fn is_of_sessions(self) -> bool {
        matches!(
            self,
            Self::Create | Self::Save | Self::LoadSession | Self::Delete
        )
    }
}

/// The arguments of a call.
#[derive(Debug, Clone, Copy)]
pub enum About<'a> {
    /// No arguments, or those that no hook reads.
    Nothing,
    /// The id of a user.
    User(&'a str),
    /// A profile from a provider.
    Profile(&'a Profile),
    /// A subject at a provider.
    Subject(&'a Subject),
    /// The keys to revoke, and how long that is kept.
    Keys(&'a [RevocationKey], Timestamp),
    /// The id of a record.
    Record(Id),
}

/// An error of either store.
#[derive(Debug)]
pub enum StoreError {
    /// The store does not work.
    Down(String),
    /// The store found something that it cannot read.
    Unreadable(String),
    /// An error of the inner user store.
    Users(BoxError),
    /// An error of the inner session store.
    Sessions(session_store::Error),
}

impl StoreError {
    /// The store does not work.
    pub fn down(text: impl Into<String>) -> Self {
        Self::Down(text.into())
    }
}

impl From<StoreError> for BoxError {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Down(text) | StoreError::Unreadable(text) => text.into(),
            StoreError::Users(error) => error,
            StoreError::Sessions(error) => error.into(),
        }
    }
}

impl From<StoreError> for session_store::Error {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Down(text) => Self::Backend(text),
            StoreError::Unreadable(text) => Self::Decode(text),
            StoreError::Users(error) => Self::Backend(error.to_string()),
            StoreError::Sessions(error) => error,
        }
    }
}

/// The outcome of a call.
pub type Done<T> = Result<T, StoreError>;

/// The work of a call, which is done when a hook awaits it.
pub trait Work<T>: Future<Output = Done<T>> + Send {}

impl<T, F: Future<Output = Done<T>> + Send> Work<T> for F {}

/// What a test does around each call of [`HookedUsers`](crate::HookedUsers) and
/// [`HookedSessions`](crate::HookedSessions).
pub trait Hook: Clone + Send + Sync + 'static {
    /// Does the work of a call, or something else.
    fn around<T: Send>(&self, call: Call, about: About<'_>, work: impl Work<T>) -> impl Work<T>;

    /// The subject by which the inner store knows this one.
    fn subject(&self, subject: &Subject) -> Subject {
        subject.clone()
    }

    /// Whether `find_or_create` or `check_login` answers that there is no such user.
    fn denies(&self, call: Call) -> bool {
        let _ = call;
        false
    }

    /// Receives a user that the inner store has found, created or logged in.
    fn returned(&self, call: Call, user: &Account) {
        let _ = (call, user);
    }

    /// Whether the store keeps revocations, given whether the inner one does.
    fn keeps_revocations(&self, inner: bool) -> bool {
        inner
    }

    /// Changes a record that the inner store is about to create.
    fn creates(&self, record: &mut Record) {
        let _ = record;
    }

    /// Receives a record that the inner store has created or saved.
    fn stored(&self, record: &Record) {
        let _ = record;
    }
}

/// A shared counter of calls.
pub type Count = Arc<std::sync::atomic::AtomicUsize>;
/// A shared switch.
pub type Flag = Arc<std::sync::atomic::AtomicBool>;
