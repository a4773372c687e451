//! What was fetched from a provider and is kept: asked for by one at a time, and not too often.

use std::{
    future::Future,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::{sync::Mutex as Flight, time::Instant};

use super::OidcError;

/// How long it is kept before it is asked for again. Meanwhile, and if that fails, the old one
/// stays in use.
const LIFETIME: Duration = Duration::from_secs(60 * 60);

/// Something of a provider's.
pub(super) struct Kept<T> {
    /// From the beginning of one fetch to that of the next, whatever became of it.
    pause: Duration,
    state: Mutex<State<T>>,
    /// Held by the one who fetches.
    flight: Arc<Flight<()>>,
}

struct State<T> {
    value: Option<Arc<T>>,
    fetched_at: Option<Instant>,
    tried_at: Option<Instant>,
    failure: Option<OidcError>,
}

/// What there is.
pub(super) struct Found<T> {
    pub(super) value: Arc<T>,
    /// Whether it was fetched for the one who asks, and not before.
    pub(super) just_now: bool,
}

impl<T: Send + Sync + 'static> Kept<T> {
    pub(super) fn new(pause: Duration) -> Arc<Self> {
        Arc::new(Self {
            pause,
            state: Mutex::new(State {
                value: None,
                fetched_at: None,
                tried_at: None,
                failure: None,
            }),
            flight: Arc::default(),
        })
    }

    /// What there is; fetched if there is nothing, and fetched by the way if it is old.
    pub(super) async fn get<F>(self: &Arc<Self>, fetch: F) -> Result<Found<T>, OidcError>
    where
        F: Future<Output = Result<T, OidcError>> + Send + 'static,
    {
        let (value, is_due) = {
            let state = self.state();
            let is_old = state.fetched_at.is_none_or(|at| at.elapsed() >= LIFETIME);
            (state.value.clone(), is_old && !self.is_pausing(&state))
        };
        let Some(value) = value else {
            return self.newer_than(None, fetch).await;
        };
        if is_due {
            let (kept, seen) = (Arc::clone(self), Arc::clone(&value));
            tokio::spawn(async move {
                if let Err(error) = kept.newer_than(Some(&seen), fetch).await {
                    tracing::warn!(%error, "what is known of the provider could not be refreshed");
                }
            });
        }
        let just_now = false;
        Ok(Found { value, just_now })
    }

    /// Something newer than what the caller has seen. Fetched unless somebody else just did, or
    /// it was tried too short a time ago.
    pub(super) async fn newer_than<F>(
        self: &Arc<Self>,
        seen: Option<&Arc<T>>,
        fetch: F,
    ) -> Result<Found<T>, OidcError>
    where
        F: Future<Output = Result<T, OidcError>> + Send + 'static,
    {
        let flight = Arc::clone(&self.flight).lock_owned().await;
        {
            let mut state = self.state();
            let newer = match (&state.value, seen) {
                (Some(value), Some(seen)) => !Arc::ptr_eq(value, seen),
                (Some(_), None) => true,
                (None, _) => false,
            };
            if let Some(value) = state.value.clone().filter(|_| newer) {
                let just_now = false;
                return Ok(Found { value, just_now });
            }
            if self.is_pausing(&state) {
                let failure = state.failure.clone();
                return Err(failure.unwrap_or(OidcError::KeyNotKnownYet));
            }
            state.tried_at = Some(Instant::now());
        }
        // A task of its own: a browser that hangs up does not take the answer along, for which
        // others wait.
        let kept = Arc::clone(self);
        let task = tokio::spawn(async move {
            let fetched = fetch.await;
            let kept = kept.keep(fetched);
            drop(flight);
            kept
        });
        let value = task.await.map_err(|_| OidcError::Stopped)??;
        let just_now = true;
        Ok(Found { value, just_now })
    }

    fn keep(&self, fetched: Result<T, OidcError>) -> Result<Arc<T>, OidcError> {
        let mut state = self.state();
        state.failure = fetched.as_ref().err().cloned();
        let value = Arc::new(fetched?);
        state.value = Some(Arc::clone(&value));
        state.fetched_at = Some(Instant::now());
        Ok(value)
    }

    fn is_pausing(&self, state: &State<T>) -> bool {
        state.tried_at.is_some_and(|at| at.elapsed() < self.pause)
    }

    fn state(&self) -> MutexGuard<'_, State<T>> {
        // Each change is one step that cannot panic halfway.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
