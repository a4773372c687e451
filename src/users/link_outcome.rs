//! What became of linking an identity to a user.

/// The answer of [`IdentityStore::link`](crate::IdentityStore::link).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum LinkOutcome {
    /// The identity belongs to the user, now or already before.
    Linked,
    /// The identity belongs to another user. Nothing has changed.
    OtherUser,
    /// There is no such user, or they may link none. Nothing has changed.
    TurnedAway,
    /// The store links no identities.
    NotSupported,
}
