//! A cache for one document of an issuer: fetched by one task at a time, and not too often.

use std::{
    future::Future,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::{sync::Mutex as Flight, time::Instant};

use super::RemoteError;

/// After this time a value is refreshed. It stays in use meanwhile, and if the refresh fails.
const LIFETIME: Duration = Duration::from_secs(60 * 60);
/// The shortest time between two attempts to refresh a value in use. It is longer than any fetch, which is
/// four calls of five seconds at most: callers during a fetch start no other.
const REFRESH_COOLDOWN: Duration = Duration::from_secs(30);
/// The shortest time between a failed fetch and the next.
const RETRY_COOLDOWN: Duration = Duration::from_secs(3);

/// Caches one value, such as the metadata or the keys of an issuer.
pub(crate) struct Cache<T> {
    /// A value of this age is refreshed before it is used. Once fetches have failed for as long, it is no
    /// longer used.
    longest_use: Duration,
    state: Mutex<State<T>>,
    /// Held while a fetch runs.
    flight: Arc<Flight<()>>,
}

struct State<T> {
    value: Option<Arc<T>>,
    fetched_at: Option<Instant>,
    tried_at: Option<Instant>,
    /// Of the last fetch, and `None` while one runs.
    failure: Option<RemoteError>,
    /// The first failure since the last value, or since fetches paused for `longest_use`.
    failing_since: Option<Instant>,
}

/// How a value may be used.
enum Use {
    /// No refresh is due.
    AsItIs,
    /// It is refreshed in the background.
    WhileRefreshed,
    /// Only if its refresh fails.
    OnceRefreshed,
    Never,
}

/// A value, and whether it was fetched for this caller.
pub(crate) struct CacheEntry<T> {
    pub(crate) value: Arc<T>,
    pub(crate) is_fresh: bool,
}

impl<T: Send + Sync + 'static> Cache<T> {
    pub(crate) fn new(longest_use: Duration) -> Arc<Self> {
        Arc::new(Self {
            longest_use,
            state: Mutex::new(State {
                value: None,
                fetched_at: None,
                tried_at: None,
                failure: None,
                failing_since: None,
            }),
            flight: Arc::default(),
        })
    }

    /// Returns the cached value, or fetches it. An old value is refreshed in the background, and an older
    /// one first. The `cooldown` is for a value that is missing or no longer used.
    ///
    /// # Errors
    ///
    /// The error of the fetch, if no value may be used; see [`newer_than`](Self::newer_than).
    pub(crate) async fn get<F>(
        self: &Arc<Self>,
        cooldown: Duration,
        fetch: F,
    ) -> Result<CacheEntry<T>, RemoteError>
    where
        F: Future<Output = Result<T, RemoteError>> + Send + 'static,
    {
        let (value, allowed) = self.look_up();
        let Some(value) = value else {
            return self.newer_than(None, cooldown, fetch).await;
        };
        match allowed {
            Use::Never => return self.newer_than(Some(&value), cooldown, fetch).await,
            Use::OnceRefreshed => {
                let newer = self.newer_than(Some(&value), REFRESH_COOLDOWN, fetch).await;
                // With this fetch, they may have failed for too long.
                if newer.is_ok() || matches!(self.look_up().1, Use::Never) {
                    return newer;
                }
            }
            Use::WhileRefreshed => {
                let (cache, seen) = (Arc::clone(self), Arc::clone(&value));
                tokio::spawn(async move {
                    // A failure is logged.
                    let _ = cache.newer_than(Some(&seen), REFRESH_COOLDOWN, fetch).await;
                });
            }
            Use::AsItIs => {}
        }
        let is_fresh = false;
        Ok(CacheEntry { value, is_fresh })
    }

    /// The value that may be used, unless its refresh is due, or has to end first.
    pub(crate) fn current(&self) -> Option<CacheEntry<T>> {
        let (value, allowed) = self.look_up();
        let value = value.filter(|_| matches!(allowed, Use::AsItIs))?;
        let is_fresh = false;
        Some(CacheEntry { value, is_fresh })
    }

    /// The value, and how it may be used: both of one moment.
    fn look_up(&self) -> (Option<Arc<T>>, Use) {
        let state = self.state();
        (state.value.clone(), state.allowed(self.longest_use))
    }

    /// The cached value, however old. Fetches nothing.
    pub(crate) fn cached(&self) -> Option<Arc<T>> {
        self.state().value.clone()
    }

    /// Returns a newer value than `seen`: one that another task has just fetched, or a new fetch, no
    /// sooner than `cooldown` after the last one, and than three seconds after a failed one.
    ///
    /// # Errors
    ///
    /// The error of the fetch. During the cooldown, the error of the last fetch, or
    /// [`RemoteError::KeyNotKnownYet`].
    pub(crate) async fn newer_than<F>(
        self: &Arc<Self>,
        seen: Option<&Arc<T>>,
        cooldown: Duration,
        fetch: F,
    ) -> Result<CacheEntry<T>, RemoteError>
    where
        F: Future<Output = Result<T, RemoteError>> + Send + 'static,
    {
        let flight = Arc::clone(&self.flight).lock_owned().await;
        {
            let mut state = self.state();
            let is_newer = match (&state.value, seen) {
                (Some(value), Some(seen)) => !Arc::ptr_eq(value, seen),
                (Some(_), None) => true,
                (None, _) => false,
            };
            if let Some(value) = state.value.clone().filter(|_| is_newer) {
                let is_fresh = false;
                return Ok(CacheEntry { value, is_fresh });
            }
            let failure = state.failure.clone();
            let cooldown = match failure {
                Some(_) => cooldown.max(RETRY_COOLDOWN),
                None => cooldown,
            };
            if state.is_cooling_down(cooldown) {
                return Err(failure.unwrap_or(RemoteError::KeyNotKnownYet));
            }
            state.start_fetch(self.longest_use);
        }
        // In a task of its own: others wait for the value even if this caller hangs up.
        let (cache, is_refresh) = (Arc::clone(self), seen.is_some());
        let task = tokio::spawn(async move {
            let fetched = fetch.await;
            let stored = cache.store(fetched);
            drop(flight);
            if is_refresh && let Err(error) = &stored {
                tracing::warn!(%error, "the metadata or keys of the provider could not be refreshed");
            }
            stored
        });
        let value = task.await.map_err(|_| RemoteError::Stopped)??;
        let is_fresh = true;
        Ok(CacheEntry { value, is_fresh })
    }

    fn store(&self, fetched: Result<T, RemoteError>) -> Result<Arc<T>, RemoteError> {
        let mut state = self.state();
        state.failure = fetched.as_ref().err().cloned();
        if state.failure.is_some() {
            let now = Instant::now();
            // The fetch may have outlasted the cooldown. Callers that waited for it get its error
            // instead of a fetch each.
            state.tried_at = Some(now);
            state.failing_since.get_or_insert(now);
        }
        let value = Arc::new(fetched?);
        state.failing_since = None;
        state.value = Some(Arc::clone(&value));
        state.fetched_at = Some(Instant::now());
        Ok(value)
    }

    fn state(&self) -> MutexGuard<'_, State<T>> {
        // Each change is one step that cannot panic halfway.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T> State<T> {
    fn allowed(&self, longest_use: Duration) -> Use {
        let age = self.fetched_at.map_or(Duration::MAX, |at| at.elapsed());
        let outage = self.outage();
        // It doubles with each failure, as the outage does.
        let cooldown = outage.clamp(REFRESH_COOLDOWN, LIFETIME);
        // There is no failure while the refresh runs.
        let has_just_failed = self.failure.is_some() && self.is_cooling_down(REFRESH_COOLDOWN);
        if outage >= longest_use {
            Use::Never
        } else if age >= longest_use && !has_just_failed {
            Use::OnceRefreshed
        } else if age >= LIFETIME && !self.is_cooling_down(cooldown) {
            Use::WhileRefreshed
        } else {
            Use::AsItIs
        }
    }

    /// From the first failed fetch to the last: a value may be used that nothing has asked for since.
    fn outage(&self) -> Duration {
        match (self.failing_since, self.tried_at) {
            (Some(since), Some(tried_at)) => tried_at.duration_since(since),
            _ => Duration::ZERO,
        }
    }

    fn start_fetch(&mut self, longest_use: Duration) {
        // The issuer may have been back during the pause. A shorter one counts as outage: some nodes fetch
        // every few hours only. A value that is no longer used stays so.
        let has_paused = !self.is_cooling_down(longest_use);
        if has_paused && self.outage() < longest_use {
            self.failing_since = None;
        }
        self.tried_at = Some(Instant::now());
        self.failure = None;
    }

    fn is_cooling_down(&self, cooldown: Duration) -> bool {
        self.tried_at.is_some_and(|at| at.elapsed() < cooldown)
    }
}

#[cfg(test)]
mod tests;
