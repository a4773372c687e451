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
/// After this time a value is used no more: the issuer may have withdrawn a key.
const LONGEST_USE: Duration = Duration::from_secs(24 * 60 * 60);
/// The shortest time between a failed fetch and the next.
const RETRY_COOLDOWN: Duration = Duration::from_secs(3);

/// Caches one value, such as the metadata or the keys of an issuer.
pub(crate) struct Cache<T> {
    /// The shortest time between the starts of two fetches, and after the end of a failed one.
    cooldown: Duration,
    state: Mutex<State<T>>,
    /// Held while a fetch runs.
    flight: Arc<Flight<()>>,
}

struct State<T> {
    value: Option<Arc<T>>,
    fetched_at: Option<Instant>,
    tried_at: Option<Instant>,
    failure: Option<RemoteError>,
}

/// A value, and whether it was fetched for this caller.
pub(crate) struct CacheEntry<T> {
    pub(crate) value: Arc<T>,
    pub(crate) is_fresh: bool,
}

impl<T: Send + Sync + 'static> Cache<T> {
    pub(crate) fn new(cooldown: Duration) -> Arc<Self> {
        Arc::new(Self {
            cooldown,
            state: Mutex::new(State {
                value: None,
                fetched_at: None,
                tried_at: None,
                failure: None,
            }),
            flight: Arc::default(),
        })
    }

    /// Returns the cached value, or fetches it. An old value is refreshed in the background, and one
    /// that is a day old is fetched anew.
    ///
    /// # Errors
    ///
    /// The error of the fetch, if there is no such value.
    pub(crate) async fn get<F>(self: &Arc<Self>, fetch: F) -> Result<CacheEntry<T>, RemoteError>
    where
        F: Future<Output = Result<T, RemoteError>> + Send + 'static,
    {
        let cached = self.cached();
        let Some(value) = cached.clone().filter(|_| self.age() < LONGEST_USE) else {
            return self.newer_than(cached.as_ref(), self.cooldown, fetch).await;
        };
        if self.is_due() {
            let (cache, seen) = (Arc::clone(self), Arc::clone(&value));
            tokio::spawn(async move {
                if let Err(error) = cache.newer_than(Some(&seen), cache.cooldown, fetch).await {
                    tracing::warn!(%error, "the metadata or keys of the provider could not be refreshed");
                }
            });
        }
        let is_fresh = false;
        Ok(CacheEntry { value, is_fresh })
    }

    /// The cached value, unless it is time to refresh it.
    pub(crate) fn current(&self) -> Option<CacheEntry<T>> {
        let is_good = self.age() < LONGEST_USE && !self.is_due();
        let value = self.cached().filter(|_| is_good)?;
        let is_fresh = false;
        Some(CacheEntry { value, is_fresh })
    }

    /// Whether it is time for a fetch, and none runs: one that takes longer than the cooldown would
    /// collect a waiting task for each caller.
    fn is_due(&self) -> bool {
        let is_old = self.age() >= LIFETIME;
        let state = self.state();
        is_old && !state.is_cooling_down(self.cooldown) && self.flight.try_lock().is_ok()
    }

    /// How long ago the value was fetched.
    fn age(&self) -> Duration {
        let fetched_at = self.state().fetched_at;
        fetched_at.map_or(Duration::MAX, |at| at.elapsed())
    }

    /// The cached value, however old. Fetches nothing.
    pub(crate) fn cached(&self) -> Option<Arc<T>> {
        self.state().value.clone()
    }

    /// Returns a newer value than `seen`: one that another task has just fetched, or a new fetch, no
    /// sooner than `cooldown` after the last one, and than three seconds after one that has failed.
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
                Some(_) => RETRY_COOLDOWN,
                None => cooldown,
            };
            if state.is_cooling_down(cooldown) {
                return Err(failure.unwrap_or(RemoteError::KeyNotKnownYet));
            }
            state.tried_at = Some(Instant::now());
        }
        // In a task of its own: others wait for the value even if this caller hangs up.
        let cache = Arc::clone(self);
        let task = tokio::spawn(async move {
            let fetched = fetch.await;
            let stored = cache.store(fetched);
            drop(flight);
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
            // The fetch may have outlasted the cooldown. Callers that waited for it get its error
            // instead of a fetch each.
            state.tried_at = Some(Instant::now());
        }
        let value = Arc::new(fetched?);
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
    fn is_cooling_down(&self, cooldown: Duration) -> bool {
        self.tried_at.is_some_and(|at| at.elapsed() < cooldown)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

    use super::*;

    /// Shorter than a fetch that hangs.
    const COOLDOWN: Duration = Duration::from_secs(3);
    const HANGS: Duration = Duration::from_secs(5);

    async fn hangs(fetches: Arc<AtomicUsize>) -> Result<u8, RemoteError> {
        fetches.fetch_add(1, SeqCst);
        tokio::time::sleep(HANGS).await;
        Err(RemoteError::TimedOut)
    }

    #[tokio::test(start_paused = true)]
    async fn callers_that_waited_for_a_failed_fetch_do_not_fetch_in_turn() {
        let (cache, fetches) = (Cache::new(COOLDOWN), Arc::<AtomicUsize>::default());
        let started_at = Instant::now();
        let waiting = (0..10).map(|_| cache.get(hangs(Arc::clone(&fetches))));
        let answers = futures_util::future::join_all(waiting).await;
        assert!(answers.iter().all(Result::is_err));
        assert_eq!((fetches.load(SeqCst), started_at.elapsed()), (1, HANGS));
    }

    #[tokio::test(start_paused = true)]
    async fn a_value_is_used_for_a_day_while_refreshes_fail() {
        let cache = Cache::new(COOLDOWN);
        let get = async |fetched: Result<u8, RemoteError>| {
            let found = cache.get(async move { fetched }).await;
            found.map(|found| *found.value).ok()
        };
        assert_eq!(get(Ok(7)).await, Some(7));
        for (hours, found) in [(23, Some(7)), (1, None)] {
            tokio::time::advance(Duration::from_secs(hours * 60 * 60)).await;
            assert_eq!(get(Err(RemoteError::TimedOut)).await, found);
            tokio::time::sleep(COOLDOWN).await;
        }
        assert_eq!(get(Ok(8)).await, Some(8), "the issuer is back");
    }

    /// An answer of the issuer, which needs a key now, asks again soon.
    #[tokio::test(start_paused = true)]
    async fn after_a_failed_fetch_the_next_one_is_soon() {
        let cache = Cache::new(Duration::from_secs(30));
        let fetch = async |fetched: Result<u8, RemoteError>| {
            let found = cache.newer_than(None, Duration::ZERO, async move { fetched });
            found.await.map(|found| *found.value).ok()
        };
        assert_eq!(fetch(Err(RemoteError::TimedOut)).await, None);
        assert_eq!(fetch(Ok(7)).await, None, "at once");
        tokio::time::advance(RETRY_COOLDOWN).await;
        assert_eq!(fetch(Ok(7)).await, Some(7));
    }

    #[tokio::test(start_paused = true)]
    async fn an_old_value_is_refreshed_by_one_task_while_refreshes_fail() {
        let (cache, fetches) = (Cache::new(COOLDOWN), Arc::<AtomicUsize>::default());
        assert!(cache.get(async { Ok(7) }).await.is_ok());
        tokio::time::advance(LIFETIME).await;
        let runtime = tokio::runtime::Handle::current();
        for _ in 0..1_000 {
            let found = cache.get(hangs(Arc::clone(&fetches))).await;
            assert_eq!(found.map(|found| *found.value).ok(), Some(7));
            tokio::time::sleep(Duration::from_millis(100)).await;
            let tasks = runtime.metrics().num_alive_tasks();
            assert!(tasks <= 2, "{tasks} wait");
        }
        assert!(fetches.load(SeqCst) > 10);
    }
}
