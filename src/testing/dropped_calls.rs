//! Calls that are dropped before they end, such as those of a client that hangs up.

use std::{
    future::{Future, poll_fn},
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::Poll,
    time::{Duration, Instant},
};

use tokio::time::{sleep, timeout};

use super::{
    BrokenRule, Rule,
    answers::Answers,
    dropped_method::DroppedMethod,
    handle::{Handle, Handles},
    log_out::written,
    rising::RisingStamp,
    target::{KeyTarget, LogoutTarget, UserTarget},
    tasks::at_once,
};
use crate::{LoginReference, User as _, UserStore};

/// How long a store may take for one answer meanwhile, beside its `log_out_wait`: as long as the
/// layer waits for one attempt to write a logout.
const ANSWER_LIMIT: Duration = Duration::from_secs(5);
/// How many make whole calls while others are dropped.
const CALLERS: usize = 4;
/// How much longer each of them pauses than a call took: a database that is busy all the time
/// serves some callers late.
const PAUSE: u32 = 3;
/// How often a method is dropped at each of its awaits, unless that takes longer than `TIME`: more
/// often than a pool of the usual ten has connections.
const SWEEPS: usize = 12;
/// How long the sweeps of one method take, but for the last.
const TIME: Duration = Duration::from_millis(500);
/// A call that is polled more often is dropped no later than here.
const MOST_POLLS: usize = 200;
/// A call that takes more milliseconds is dropped at so many moments of that time.
const MOST_MOMENTS: u32 = 25;

/// Drops calls of one method at each of their awaits and after each millisecond, while others call
/// the same store about this user.
pub(super) async fn check_dropped_calls<S: UserStore, M: DroppedMethod<S>>(
    handles: &Handles<S>,
    method: M,
    user_id: &str,
    keeps_revocations: bool,
) -> Result<(), BrokenRule> {
    let calls = Calls::prepare(handles, method, user_id, keeps_revocations).await?;
    let calls = Arc::new(calls);
    let tasks = (0..1 + CALLERS).map(|number| {
        let calls = Arc::clone(&calls);
        async move {
            match number {
                0 => Calls::drop_many(&calls).await,
                caller => calls.make_whole_ones(caller).await,
            }
        }
    });
    at_once(tasks).await?;
    calls.check_whole().await
}

/// The calls of one method, and of others beside it.
struct Calls<S, M> {
    handles: Handles<S>,
    method: M,
    user_id: String,
    user: RisingStamp<S, UserTarget>,
    /// `None` if the store keeps no revocations.
    key: Option<RisingStamp<S, KeyTarget>>,
    answers: Answers,
    done: AtomicBool,
}

impl<S: UserStore, M: DroppedMethod<S>> Calls<S, M> {
    async fn prepare(
        handles: &Handles<S>,
        method: M,
        user_id: &str,
        keeps_revocations: bool,
    ) -> Result<Self, BrokenRule> {
        let store = &handles.one;
        let rule = Rule::DroppedCallIsWholeOrUndone;
        let user = UserTarget(user_id.to_owned());
        let mut key = None;
        if keeps_revocations {
            let target = KeyTarget::new(store).await?;
            key = Some(RisingStamp::new(store, target, rule).await?);
        }
        Ok(Self {
            handles: handles.clone(),
            user_id: user_id.to_owned(),
            user: RisingStamp::new(store, user, rule).await?,
            key,
            answers: Answers {
                limit: ANSWER_LIMIT + store.store().log_out_wait(),
                method: method.name(),
            },
            method,
            done: AtomicBool::new(false),
        })
    }

    /// Drops many, and marks that as done.
    async fn drop_many(calls: &Arc<Self>) -> Result<(), BrokenRule> {
        let began_at = Instant::now();
        for _ in 0..SWEEPS {
            let usual_time = calls.drop_at_each_await().await?;
            Self::drop_at_each_millisecond(calls, usual_time).await?;
            calls.check_whole().await?;
            if began_at.elapsed() > TIME {
                break;
            }
        }
        calls.done.store(true, Ordering::Release);
        Ok(())
    }

    /// Returns how long a call takes that is not dropped.
    async fn drop_at_each_await(&self) -> Result<Duration, BrokenRule> {
        let mut usual_time = Duration::ZERO;
        for polls in 0..MOST_POLLS {
            let mut ended = true;
            for (turn, once_woken) in [(polls, false), (polls + 1, true)] {
                let began_at = Instant::now();
                if self
                    .drop_one(turn, End::Polls { polls, once_woken })
                    .await?
                {
                    usual_time = usual_time.max(began_at.elapsed());
                } else {
                    ended = false;
                }
            }
            if ended {
                break;
            }
        }
        Ok(usual_time)
    }

    async fn drop_at_each_millisecond(
        calls: &Arc<Self>,
        usual_time: Duration,
    ) -> Result<(), BrokenRule> {
        let usual_time = usual_time.max(Duration::from_millis(1));
        let millis = u32::try_from(usual_time.as_millis()).unwrap_or(u32::MAX);
        let moments = millis.min(MOST_MOMENTS);
        let tasks: Vec<_> = (1..=moments)
            .map(|moment| {
                let calls = Arc::clone(calls);
                let end = End::Time(usual_time * moment / moments);
                async move { calls.drop_one(moment as usize, end).await }
            })
            .collect();
        at_once(tasks.into_iter()).await?;
        Ok(())
    }

    /// Begins a call, drops it, and checks what it left. Returns whether it had ended before.
    async fn drop_one(&self, turn: usize, end: End) -> Result<bool, BrokenRule> {
        let (handle, other) = (self.handles.turn(turn), self.handles.turn(turn + 1));
        let target = self.method.target();
        let call = self.method.call(&handle, &target);
        let ended = async { end.drop_call(call).await.transpose() };
        let ended = self.answers.answer(ended).await?.is_some();
        let checked = self.method.check(&self.answers, &handle, &other, &target);
        checked.await?;
        self.check_stamps(&other).await?;
        Ok(ended)
    }

    /// Makes calls that are not dropped, until the others are.
    async fn make_whole_ones(&self, caller: usize) -> Result<(), BrokenRule> {
        let mut turn = caller;
        while !self.done.load(Ordering::Acquire) {
            let handle = self.handles.turn(turn);
            turn += 1;
            let began_at = Instant::now();
            match (caller % CALLERS, &self.key) {
                (0, _) => self.log_in(&handle).await?,
                (1, Some(key)) => self.log_out(&handle, key).await?,
                _ => self.log_out(&handle, &self.user).await?,
            }
            let took = began_at.elapsed();
            self.check_stamps(&handle).await?;
            sleep(took * PAUSE).await;
        }
        Ok(())
    }

    /// The store works, and nothing in it contradicts anything else.
    async fn check_whole(&self) -> Result<(), BrokenRule> {
        let Handles { one, other } = &self.handles;
        let before = self.user.highest();
        let key_before = self.key.as_ref().map(RisingStamp::highest);
        self.log_in(one).await?;
        self.log_out(one, &self.user).await?;
        if let Some(key) = &self.key {
            self.log_out(one, key).await?;
        }
        self.check_stamps(other).await?;

        let key = self.key.as_ref().map(|key| &key.target.key);
        let login = LoginReference::new(&self.user_id);
        let login = login.with_provider_key(key.and_then(|key| key.provider_key()));
        let Some(check) = self.answers.answer(other.check_login(login)).await? else {
            let expected = format!("`check_login` to find the user {:?}", self.user_id);
            return Err(self.answers.half_done(&expected, "`Ok(None)`"));
        };
        let stamps = [
            (Some(before), check.user.logged_out_at()),
            (key_before, check.provider_revoked_at),
        ];
        for (before, seen) in stamps {
            if before.is_some() && seen <= before {
                let expected = format!("the logout after {before:?} in `check_login`");
                return Err(self.answers.half_done(&expected, written(seen)));
            }
        }
        Ok(())
    }

    async fn log_in(&self, handle: &Handle<S>) -> Result<(), BrokenRule> {
        let logged_in = self
            .answers
            .answer(handle.log_in(&self.user_id))
            .await?
            .id();
        if logged_in == self.user_id {
            return Ok(());
        }
        let expected = format!("`log_in` to find the user {:?}", self.user_id);
        let seen = format!("the user {logged_in:?}");
        Err(self.answers.half_done(&expected, seen))
    }

    async fn log_out<T: LogoutTarget<S>>(
        &self,
        handle: &Handle<S>,
        stamp: &RisingStamp<S, T>,
    ) -> Result<(), BrokenRule> {
        let answers = &self.answers;
        let (highest, before) = (stamp.highest(), answers.answer(handle.now()).await?);
        let found = answers.answer(stamp.target.log_out(handle)).await?;
        let seen = answers.answer(stamp.read(handle)).await?;
        if found && seen > highest && !before.outlives(Some(seen)) {
            return Ok(());
        }
        let lowest = before.max(highest);
        let expected = format!("a logout that ends the logins before {lowest:?}");
        Err(answers.half_done(&expected, format!("`{found}` and {seen:?}")))
    }

    /// No stamp has fallen, and none lies ahead.
    async fn check_stamps(&self, handle: &Handle<S>) -> Result<(), BrokenRule> {
        self.check_stamp(handle, &self.user).await?;
        match &self.key {
            Some(key) => self.check_stamp(handle, key).await,
            None => Ok(()),
        }
    }

    async fn check_stamp<T: LogoutTarget<S>>(
        &self,
        handle: &Handle<S>,
        stamp: &RisingStamp<S, T>,
    ) -> Result<(), BrokenRule> {
        let seen = self.answers.answer(stamp.read(handle)).await?;
        let now = self.answers.answer(handle.now()).await?;
        if now.outlives(Some(seen)) {
            return Ok(());
        }
        let expected = format!("{} before {now:?}, which `now` returned later", T::STAMP);
        Err(self.answers.half_done(&expected, format!("{seen:?}")))
    }
}

/// When a call is dropped.
#[derive(Clone, Copy)]
enum End {
    /// After so many polls: at once, or when it could go on.
    Polls { polls: usize, once_woken: bool },
    /// After this time.
    Time(Duration),
}

impl End {
    /// Begins a call and drops it then. Returns what it returned, if it had ended before.
    async fn drop_call<T>(self, call: impl Future<Output = T>) -> Option<T> {
        let (mut left, once_woken) = match self {
            Self::Time(time) => return timeout(time, call).await.ok(),
            Self::Polls { polls, once_woken } => (polls, once_woken),
        };
        let mut call = pin!(call);
        poll_fn(|context| {
            if left == 0 {
                return Poll::Ready(None);
            }
            left -= 1;
            match call.as_mut().poll(context) {
                Poll::Ready(returned) => Poll::Ready(Some(returned)),
                Poll::Pending if left == 0 && !once_woken => Poll::Ready(None),
                Poll::Pending => Poll::Pending,
            }
        })
        .await
    }
}
