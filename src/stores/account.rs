//! The user of the built-in stores.

use std::{fmt, sync::Arc};

use crate::{Profile, Timestamp, User};

/// A user of a built-in store: an id of this site, and the latest profile from the provider.
#[derive(Clone, PartialEq, Eq)]
pub struct Account {
    pub(super) id: i64,
    /// Shared, since each request clones the account.
    pub(super) profile: Arc<Profile>,
    /// The latest login, by the clock of the store. A logout is written above it, so that a login
    /// never outlives a logout, even if the clock steps back.
    pub(super) last_login_at: Option<Timestamp>,
    pub(super) logged_out_at: Option<Timestamp>,
}

/// The number in the id of an account. Only as [`User::id`] writes it: a logout of `07` would end the
/// logins of `7` in the store, while what keeps or waits for logins by their user looks for `07`.
pub(super) fn read_id(id: &str) -> Option<i64> {
    let digits = id.strip_prefix('-').unwrap_or(id);
    let is_plain = id == "0" || !digits.starts_with(['+', '0']);
    id.parse().ok().filter(|_| is_plain)
}

impl Account {
    /// Ends every login that began until now.
    pub(super) fn log_out(&mut self, now: Timestamp) {
        let previous = self.logged_out_at.max(self.last_login_at);
        self.logged_out_at = Some(now.raised_above(previous));
    }

    /// The latest profile from the provider. It is untrusted: escape it in HTML.
    pub fn profile(&self) -> &Profile {
        &self.profile
    }
}

impl User for Account {
    fn id(&self) -> String {
        self.id.to_string()
    }

    fn logged_out_at(&self) -> Option<Timestamp> {
        self.logged_out_at
    }
}

impl fmt::Debug for Account {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Account")
            .field("id", &self.id)
            .field("profile", &self.profile)
            .field("logged_out_at", &self.logged_out_at)
            .finish()
    }
}
