//! The state that a verification event repeats (SSF 1.0, section 8.1.4).

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use secrecy::{ExposeSecret as _, SecretString};
use subtle::ConstantTimeEq as _;
use tokio::time::Instant;

use super::{SecurityEvent, SecurityEventError, SecurityEventKind};

/// How long a state is expected. An event for another node may be the next.
const STATE_LIMIT: Duration = Duration::from_secs(60);

/// The state of the next verification event, and since when it is expected.
#[derive(Clone, Default)]
pub(super) struct ExpectedState(Arc<Mutex<Option<(SecretString, Instant)>>>);

impl ExpectedState {
    /// Expects a state instead of an earlier one.
    pub(super) fn expect(&self, state: SecretString) {
        *self.state() = Some((state, Instant::now()));
    }

    /// Compares the state of a verification event with the expected one, which is then spent.
    ///
    /// # Errors
    ///
    /// When another state is expected.
    pub(super) fn check(&self, events: &[SecurityEvent]) -> Result<(), SecurityEventError> {
        for event in events {
            let SecurityEventKind::Verification { state: Some(state) } = &event.kind else {
                continue;
            };
            let mut expected = self.state();
            if let Some((secret, since)) = &*expected
                && since.elapsed() < STATE_LIMIT
            {
                let secret = secret.expose_secret();
                if !bool::from(secret.as_bytes().ct_eq(state.as_bytes())) {
                    return Err(SecurityEventError::State);
                }
            }
            *expected = None;
        }
        Ok(())
    }

    fn state(&self) -> MutexGuard<'_, Option<(SecretString, Instant)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Map, json};

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_state_is_expected_for_a_minute() {
        let expected = ExpectedState::default();
        let accepts = |state: &str| {
            let uri = "https://schemas.openid.net/secevent/ssf/event-type/verification";
            let members = Map::from_iter([("state".to_owned(), json!(state))]);
            let event = SecurityEvent::new("https://id.test", "1", uri, &members);
            expected.check(&[event]).is_ok()
        };
        assert!(accepts("of another node"));
        for seconds in [0, 59] {
            expected.expect("ours".into());
            tokio::time::advance(Duration::from_secs(seconds)).await;
            assert!(!accepts("of another node"), "{seconds}");
            assert!(accepts("ours"), "{seconds}");
            assert!(accepts("of another node"), "it has come");
        }
        expected.expect("ours".into());
        tokio::time::advance(Duration::from_secs(60)).await;
        assert!(accepts("of another node"), "it never came");
    }
}
