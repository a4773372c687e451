//! What listens for the end of a login. Without the feature `live`, nothing does.

#[cfg(feature = "live")]
pub(crate) use crate::live::LogoutSignals as Listeners;
#[cfg(not(feature = "live"))]
use crate::{LoginId, LogoutCause, users::LogoutKey};

/// Receives the ends of logins, and passes them on to nothing.
#[cfg(not(feature = "live"))]
pub(crate) struct Listeners;

#[cfg(not(feature = "live"))]
impl Listeners {
    pub(super) fn logged_out(&self, _: &LogoutKey, _: &LogoutCause) {}

    pub(super) fn check(&self, _: &LogoutKey) {}

    pub(super) fn replaced(&self, _: LoginId) {}

    pub(super) fn signed_out(&self, _: LoginId) {}
}
