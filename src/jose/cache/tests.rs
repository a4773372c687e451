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
    let (cache, fetches) = (Cache::new(DAY), Arc::<AtomicUsize>::default());
    let started_at = Instant::now();
    let waiting = (0..10).map(|_| cache.get(COOLDOWN, hangs(Arc::clone(&fetches))));
    let answers = futures_util::future::join_all(waiting).await;
    assert!(answers.iter().all(Result::is_err));
    assert_eq!((fetches.load(SeqCst), started_at.elapsed()), (1, HANGS));
}

/// Asks for the value after some hours, and gives its refresh the time to end.
async fn after(cache: &Arc<Cache<u8>>, hours: u64, fetched: Result<u8, RemoteError>) -> Option<u8> {
    tokio::time::advance(Duration::from_secs(hours * 60 * 60)).await;
    let found = cache.get(COOLDOWN, async move { fetched }).await;
    tokio::time::sleep(COOLDOWN).await;
    found.map(|found| *found.value).ok()
}

#[tokio::test(start_paused = true)]
async fn a_value_is_used_until_fetches_have_failed_for_a_day() {
    let cache = Cache::new(DAY);
    let fails = || Err(RemoteError::TimedOut);
    assert_eq!(after(&cache, 0, Ok(7)).await, Some(7));
    for (hours, found) in [(2, Some(7)), (23, Some(7)), (1, None), (48, None)] {
        assert_eq!(after(&cache, hours, fails()).await, found, "{hours}");
    }
    assert_eq!(after(&cache, 0, Ok(8)).await, Some(8), "the issuer is back");
    for hour in 1..=24 {
        assert_eq!(after(&cache, 1, fails()).await, Some(8), "{hour}");
    }
    assert_eq!(after(&cache, 1, fails()).await, None);
}

#[tokio::test(start_paused = true)]
async fn failures_that_are_more_than_a_day_apart_are_no_outage() {
    let cache = Cache::new(DAY);
    assert_eq!(after(&cache, 0, Ok(7)).await, Some(7));
    for hours in [2, 60, 0, 0] {
        let failed = after(&cache, hours, Err(RemoteError::TimedOut)).await;
        assert_eq!(failed, Some(7), "{hours}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_value_that_nothing_has_asked_for_is_refreshed_first() {
    let cache = Cache::new(DAY);
    assert_eq!(after(&cache, 0, Ok(6)).await, Some(6));
    assert_eq!(after(&cache, 23, Ok(6)).await, Some(6));
    assert_eq!(after(&cache, 24, Ok(7)).await, Some(7));
    for _ in 0..2 {
        let failed = after(&cache, 30, Err(RemoteError::TimedOut)).await;
        assert_eq!(failed, Some(7), "the first failures");
        assert_eq!(after(&cache, 1, Ok(7)).await, Some(7));
    }
    let cache = Cache::new(Duration::MAX);
    assert_eq!(after(&cache, 0, Ok(7)).await, Some(7));
    for _ in 0..9 {
        let failed = after(&cache, 20, Err(RemoteError::TimedOut)).await;
        assert_eq!(failed, Some(7), "it is used whatever fails");
    }
    tokio::time::advance(LIFETIME).await;
    assert!(cache.current().is_none(), "it is refreshed each hour");
}

/// The issuer may have withdrawn a key.
#[tokio::test(start_paused = true)]
async fn a_value_of_a_day_is_not_used_while_its_refresh_runs() {
    for (refreshed, expected) in [(Ok(8), 8), (Err(RemoteError::TimedOut), 7)] {
        let cache = Cache::new(DAY);
        assert!(cache.get(COOLDOWN, async { Ok(7) }).await.is_ok());
        tokio::time::advance(DAY).await;
        let first = cache.get(COOLDOWN, async move {
            tokio::time::sleep(HANGS).await;
            refreshed
        });
        let second = async {
            // Less than the cooldown after the fetch has begun.
            tokio::time::sleep(COOLDOWN / 2).await;
            assert!(cache.current().is_none());
            cache.get(COOLDOWN, async { Ok(9) }).await
        };
        let (first, second) = futures_util::future::join(first, second).await;
        let found = [first, second].map(|found| *found.unwrap().value);
        assert_eq!(found, [expected; 2]);
        assert!(cache.current().is_some(), "the refresh has ended");
    }
}

#[tokio::test(start_paused = true)]
async fn a_value_that_is_no_longer_used_is_not_current() {
    let cache = Cache::new(DAY);
    assert!(cache.current().is_none(), "nothing was fetched");
    let found = cache.get(COOLDOWN, async { Ok(7) }).await.unwrap();
    assert!(cache.current().is_some());
    for (outage, is_current) in [("none", true), ("half a day", true), ("a day", false)] {
        tokio::time::advance(DAY / 2).await;
        let fails = async { Err(RemoteError::TimedOut) };
        let fetched = cache.newer_than(Some(&found.value), COOLDOWN, fails);
        assert!(fetched.await.is_err());
        // The cooldown keeps a refresh from being due.
        assert_eq!(cache.current().is_some(), is_current, "outage: {outage}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_young_value_is_current_and_is_not_refreshed() {
    let (cache, fetches) = (Cache::new(DAY), Arc::<AtomicUsize>::default());
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
    let cache = Cache::new(DAY);
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
    let (cache, fetches) = (Cache::new(DAY), Arc::<AtomicUsize>::default());
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
    assert!(fetches.load(SeqCst) > 1);
}

/// Counts the fetches of ten minutes in which the value is asked for each second.
async fn failed_fetches(cache: &Arc<Cache<u8>>) -> usize {
    let fetches = Arc::<AtomicUsize>::default();
    for _ in 0..600 {
        let counted = Arc::clone(&fetches);
        let fetch = async move {
            counted.fetch_add(1, SeqCst);
            Err(RemoteError::OtherIssuer)
        };
        // Is an error only without a value.
        let _ = cache.get(COOLDOWN, fetch).await;
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    fetches.load(SeqCst)
}

#[tokio::test(start_paused = true)]
async fn a_value_in_use_is_refreshed_ever_less_often_while_that_fails() {
    let cache = Cache::new(Duration::MAX);
    let without_a_value = failed_fetches(&cache).await;
    assert_eq!(without_a_value, 200, "each three seconds");
    assert!(cache.get(COOLDOWN, async { Ok(7) }).await.is_ok());
    tokio::time::advance(LIFETIME).await;
    let fetches = failed_fetches(&cache).await;
    assert!((4..=8).contains(&fetches), "{fetches}");
}
