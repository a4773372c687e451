//! What a check leaves for whoever wants to hear of the end of the login.

use std::time::Duration;

use tokio::time::Instant;
use tower_sessions::session::Id;

use crate::{ProviderSession, Subject, Timestamp};

/// A login that was checked, and found to count.
pub(crate) struct Checked<'a> {
    /// The application's id of the user.
    pub(crate) user_id: &'a str,
    pub(crate) subject: &'a Subject,
    pub(crate) provider_session: Option<&'a ProviderSession>,
    pub(crate) logged_in_at: Timestamp,
    /// The session that it is in.
    pub(crate) session: Option<Id>,
    /// When it ends by itself, unless its session is used meanwhile.
    pub(crate) ends_at: Option<Instant>,
    /// How many logouts had been heard of when its request came, before anything was looked at.
    pub(crate) heard: u64,
}

/// The instant so far ahead, where there is one.
pub(crate) fn in_a_while(now: Instant, left: Option<Duration>) -> Option<Instant> {
    left.and_then(|left| now.checked_add(left))
}
