//! Polling logout notices from services that cannot reach this site.

use std::sync::Arc;

use super::{BuildError, ClefLayer};
use crate::{
    routes::{MountedEndpoint, receive_polled},
    security_events::EventPoll,
};

impl ClefLayer {
    /// Polls security events, for a site that their sender cannot reach: the future never ends. An
    /// application spawns it once per stream; dropping it ends the polling, and nothing that has
    /// arrived is lost.
    ///
    /// # Errors
    ///
    /// [`BuildError::NoLogoutEndpoint`] for a site without a provider and without a logout endpoint:
    /// no event can name a user of it. [`BuildError::IdentifiersNotKnown`] for a receiver that
    /// accepts e-mail addresses or other identifiers, over a user store that knows none.
    /// [`BuildError::LogoutEndpoint`] for a receiver with a setting that cannot work.
    ///
    /// ```no_run
    /// use axum_clef::{BuildError, ClefLayer, security_events::EventPoll};
    ///
    /// fn start(auth: &ClefLayer, poll: EventPoll) -> Result<(), BuildError> {
    ///     tokio::spawn(auth.poll_events(poll)?);
    ///     Ok(())
    /// }
    /// ```
    pub fn poll_events(
        &self,
        poll: EventPoll,
    ) -> Result<impl Future<Output = ()> + Send + 'static, BuildError> {
        let Some(identities) = &self.routes.auth.identities else {
            return Err(BuildError::NoLogoutEndpoint("poll_events"));
        };
        let shared = Arc::clone(&self.routes);
        let mounted = MountedEndpoint {
            path: poll.url().to_string(),
            endpoint: Arc::new(poll.receiver()),
        };
        if mounted.endpoint.names_identifiers() && !identities.knows_identifiers() {
            return Err(BuildError::IdentifiersNotKnown(mounted.path));
        }
        let checked = mounted.endpoint.check_settings();
        checked.map_err(|error| BuildError::LogoutEndpoint {
            path: mounted.path.clone(),
            error,
        })?;
        Ok(poll.run(move |message| {
            let (shared, mounted) = (Arc::clone(&shared), mounted.clone());
            async move { receive_polled(shared, mounted, message).await }
        }))
    }
}
