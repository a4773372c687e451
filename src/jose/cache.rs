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
/// The shortest time between a failed fetch and the next.
const RETRY_COOLDOWN: Duration = Duration::from_secs(3);

/// Caches one value, such as the metadata or the keys of an issuer.
pub(crate) struct Cache<T> {
    /// The shortest time between the starts of two fetches, and after the end of a failed one.
    cooldown: Duration,
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
    /// Of the last fetch.
    failure: Option<RemoteError>,
    /// The first failure since the last value.
    failing_since: Option<Instant>,
}

/// How a value may be used.
enum Use {
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
    pub(crate) fn new(cooldown: Duration, longest_use: Duration) -> Arc<Self> {
        Arc::new(Self {
            cooldown,
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
    /// one first.
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
                let newer = self.newer_than(Some(&value), self.cooldown, fetch).await;
                if newer.is_ok() {
                    return newer;
                }
            }
            Use::WhileRefreshed if self.may_refresh() => {
                let (cache, seen) = (Arc::clone(self), Arc::clone(&value));
                tokio::spawn(async move {
                    // A failure is logged.
                    let _ = cache.newer_than(Some(&seen), cache.cooldown, fetch).await;
                });
            }
            Use::WhileRefreshed | Use::AsItIs => {}
        }
        let is_fresh = false;
        Ok(CacheEntry { value, is_fresh })
    }

    /// The value that may be used, unless it is time to refresh it.
    pub(crate) fn current(&self) -> Option<CacheEntry<T>> {
        let (value, allowed) = self.look_up();
        let is_current = match allowed {
            Use::AsItIs => true,
            Use::WhileRefreshed => !self.may_refresh(),
            Use::OnceRefreshed => self.state().is_cooling_down(self.cooldown),
            Use::Never => false,
        };
        let value = value.filter(|_| is_current)?;
        let is_fresh = false;
        Some(CacheEntry { value, is_fresh })
    }

    /// The value, and how it may be used: both of one moment.
    fn look_up(&self) -> (Option<Arc<T>>, Use) {
        let state = self.state();
        (state.value.clone(), state.allowed(self.longest_use))
    }

    /// Whether a refresh may begin, and none runs: one that takes longer than the cooldown would
    /// collect a waiting task for each caller.
    fn may_refresh(&self) -> bool {
        !self.state().is_cooling_down(self.cooldown) && self.flight.try_lock().is_ok()
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
            state.tried_at = Some(Instant::now());
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
        // From the first failed fetch to the last: a value may be used that nothing has asked for since.
        let outage = match (self.failing_since, self.tried_at) {
            (Some(since), Some(tried_at)) => tried_at.duration_since(since),
            _ => Duration::ZERO,
        };
        if outage >= longest_use {
            Use::Never
        } else if age >= longest_use {
            Use::OnceRefreshed
        } else if age >= LIFETIME {
            Use::WhileRefreshed
        } else {
            Use::AsItIs
        }
    }

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
    const DAY: Duration = Duration::from_secs(24 * 60 * 60);

    async fn hangs(fetches: Arc<AtomicUsize>) -> Result<u8, RemoteError> {
        fetches.fetch_add(1, SeqCst);
        tokio::time::sleep(HANGS).await;
        Err(RemoteError::TimedOut)
    }

    #[tokio::test(start_paused = true)]
    async fn callers_that_waited_for_a_failed_fetch_do_not_fetch_in_turn() {
        let (cache, fetches) = (Cache::new(COOLDOWN, DAY), Arc::<AtomicUsize>::default());
        let started_at = Instant::now();
        let waiting = (0..10).map(|_| cache.get(COOLDOWN, hangs(Arc::clone(&fetches))));
        let answers = futures_util::future::join_all(waiting).await;
        assert!(answers.iter().all(Result::is_err));
        assert_eq!((fetches.load(SeqCst), started_at.elapsed()), (1, HANGS));
    }

    /// Asks for the value after some hours, and gives its refresh the time to end.
    async fn after(
        cache: &Arc<Cache<u8>>,
        hours: u64,
        fetched: Result<u8, RemoteError>,
    ) -> Option<u8> {
        tokio::time::advance(Duration::from_secs(hours * 60 * 60)).await;
        let found = cache.get(COOLDOWN, async move { fetched }).await;
        tokio::time::sleep(COOLDOWN).await;
        found.map(|found| *found.value).ok()
    }

    #[tokio::test(start_paused = true)]
    async fn a_value_is_used_until_fetches_have_failed_for_a_day() {
        let cache = Cache::new(COOLDOWN, DAY);
        let fails = || Err(RemoteError::TimedOut);
        assert_eq!(after(&cache, 0, Ok(7)).await, Some(7));
        for (hours, found) in [(2, Some(7)), (23, Some(7)), (1, Some(7)), (1, None)] {
            assert_eq!(after(&cache, hours, fails()).await, found, "{hours}");
        }
        assert_eq!(after(&cache, 0, Ok(8)).await, Some(8), "the issuer is back");
    }

    #[tokio::test(start_paused = true)]
    async fn a_value_that_nothing_has_asked_for_is_refreshed_first() {
        let cache = Cache::new(COOLDOWN, DAY);
        assert_eq!(after(&cache, 0, Ok(6)).await, Some(6));
        assert_eq!(after(&cache, 23, Ok(6)).await, Some(6));
        assert_eq!(after(&cache, 24, Ok(7)).await, Some(7));
        for _ in 0..2 {
            let failed = after(&cache, 30, Err(RemoteError::TimedOut)).await;
            assert_eq!(failed, Some(7), "the first failures");
            assert_eq!(after(&cache, 1, Ok(7)).await, Some(7));
        }
        let cache = Cache::new(COOLDOWN, Duration::MAX);
        assert_eq!(after(&cache, 0, Ok(7)).await, Some(7));
        for _ in 0..9 {
            let failed = after(&cache, 20, Err(RemoteError::TimedOut)).await;
            assert_eq!(failed, Some(7), "it is used whatever fails");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_value_that_is_no_longer_used_is_not_current() {
        let cache = Cache::new(COOLDOWN, DAY);
        assert!(cache.current().is_none(), "nothing was fetched");
        let found = cache.get(COOLDOWN, async { Ok(7) }).await.unwrap();
        assert!(cache.current().is_some());
        for (outage, is_current) in [("none", true), ("a day", false)] {
            tokio::time::advance(DAY).await;
            let fails = async { Err(RemoteError::TimedOut) };
            let fetched = cache.newer_than(Some(&found.value), COOLDOWN, fails);
            assert!(fetched.await.is_err());
            // The cooldown keeps a refresh from being due.
            assert_eq!(cache.current().is_some(), is_current, "outage: {outage}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_young_value_is_current_and_is_not_refreshed() {
        let (cache, fetches) = (Cache::new(COOLDOWN, DAY), Arc::<AtomicUsize>::default());
        assert!(cache.get(COOLDOWN, async { Ok(7) }).await.is_ok());
        tokio::time::advance(LIFETIME / 2).await;
        assert!(cache.current().is_some());
        let found = cache.get(COOLDOWN, hangs(Arc::clone(&fetches))).await;
        assert_eq!(found.map(|found| *found.value).ok(), Some(7));
        // A refresh would begin meanwhile.
        tokio::time::sleep(HANGS).await;
        assert_eq!(fetches.load(SeqCst), 0);
        tokio::time::advance(LIFETIME / 2).await;
        assert!(cache.current().is_none(), "it is time to refresh it");
    }

    /// An answer of the issuer, which needs a key now, asks again soon.
    #[tokio::test(start_paused = true)]
    async fn after_a_failed_fetch_the_next_one_is_soon() {
        let cache = Cache::new(Duration::from_secs(30), DAY);
        let fetch = async |cooldown: u64, fetched: Result<u8, RemoteError>| {
            let cooldown = Duration::from_secs(cooldown);
            let found = cache.get(cooldown, async move { fetched });
            found.await.map(|found| *found.value).ok()
        };
        assert_eq!(fetch(0, Err(RemoteError::TimedOut)).await, None);
        assert_eq!(fetch(0, Ok(7)).await, None, "at once");
        tokio::time::advance(RETRY_COOLDOWN).await;
        assert_eq!(fetch(30, Ok(7)).await, None, "for what any client may send");
        assert_eq!(fetch(0, Ok(7)).await, Some(7));
    }

    #[tokio::test(start_paused = true)]
    async fn an_old_value_is_refreshed_by_one_task_while_refreshes_fail() {
        let (cache, fetches) = (Cache::new(COOLDOWN, DAY), Arc::<AtomicUsize>::default());
        assert!(cache.get(COOLDOWN, async { Ok(7) }).await.is_ok());
        tokio::time::advance(LIFETIME).await;
        let runtime = tokio::runtime::Handle::current();
        for _ in 0..1_000 {
            let found = cache.get(COOLDOWN, hangs(Arc::clone(&fetches))).await;
            assert_eq!(found.map(|found| *found.value).ok(), Some(7));
            tokio::time::sleep(Duration::from_millis(100)).await;
            let tasks = runtime.metrics().num_alive_tasks();
            assert!(tasks <= 2, "{tasks} wait");
        }
        assert!(fetches.load(SeqCst) > 10);
    }
}
