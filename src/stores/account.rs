//! The user of the ready stores.

use std::{fmt, sync::Arc};

use crate::{Profile, Timestamp, User};

/// A user of a ready store: an id of this site's own, and what the provider told last.
#[derive(Clone, PartialEq, Eq)]
pub struct Account {
    pub(super) id: i64,
    /// Shared, for each request gets an account of its own.
    pub(super) profile: Arc<Profile>,
    /// No login of this user began later, by the clock of the store. A logout is raised above
    /// it, so that not even a clock that steps back lets a login outlive a logout.
    pub(super) last_login_at: Timestamp,
    pub(super) logged_out_at: Option<Timestamp>,
}

impl Account {
    /// What the provider told: subject, names, e-mail address. Escape it where you show it.
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
