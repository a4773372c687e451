//! Which logins a logout ends.

use crate::{RevocationKey, Subject};

/// Which logins a logout ends.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum LogoutKey {
    /// All logins of the user with this id.
    User(String),
    /// All logins of the users of this subject.
    Subject(Subject),
    /// The logins under this key.
    Revocation(RevocationKey),
}
