//! The values of the settings of open pages.

use std::time::Duration;

use super::BuildError;
use crate::live::{LogoutSignals, PageLimits};

/// Where an open page listens for the end of its login by default.
const PATH: &str = "/auth/live";
/// How often the stores are asked by default.
const INTERVAL: Duration = Duration::from_secs(10);

pub(super) struct LiveSettings {
    pub(super) path: String,
    pub(super) interval: Duration,
    pub(super) pages: Option<usize>,
    pub(super) pages_per_user: Option<usize>,
    pub(super) pages_per_login: Option<usize>,
}

impl Default for LiveSettings {
    fn default() -> Self {
        Self {
            path: PATH.to_owned(),
            interval: INTERVAL,
            pages: None,
            pages_per_user: None,
            pages_per_login: None,
        }
    }
}

impl LiveSettings {
    pub(super) fn check(&self) -> Result<(), BuildError> {
        const PAGES: &str = "most_live_pages";
        const PER_USER: &str = "most_live_pages_per_user";
        const PER_LOGIN: &str = "most_live_pages_per_login";
        let limits = self.limits();
        for (setting, is_zero) in [
            ("live_interval", self.interval.is_zero()),
            (PAGES, limits.all == 0),
            (PER_USER, limits.per_user == 0),
            (PER_LOGIN, limits.per_login == 0),
        ] {
            if is_zero {
                return Err(BuildError::Zero(setting));
            }
        }
        for (setting, value, above, most) in [
            (PER_LOGIN, self.pages_per_login, PER_USER, limits.per_user),
            (PER_USER, self.pages_per_user, PAGES, limits.all),
        ] {
            if value.is_some_and(|value| value > most) {
                return Err(BuildError::NeverReached(setting, above));
            }
        }
        Ok(())
    }

    fn limits(&self) -> PageLimits {
        let PageLimits {
            all,
            per_user,
            per_login,
        } = PageLimits::default();
        PageLimits {
            all: self.pages.unwrap_or(all),
            per_user: self.pages_per_user.unwrap_or(per_user),
            per_login: self.pages_per_login.unwrap_or(per_login),
        }
    }

    pub(super) fn signals(&self) -> LogoutSignals {
        LogoutSignals::new(self.interval, self.limits())
    }
}
