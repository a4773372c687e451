//! The questions that a store left without an answer, for the log.

/// A question to a store. While the store is down any client can cause it, so the log has one line
/// a second for each kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Unanswered {
    Check,
    Login,
    Renewal,
    SignOut,
}
