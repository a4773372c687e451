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
    handle::{Handle, Handles, LATE, at_once},
    rule::{Result, Rule},
    samples::{random_session, random_subject},
    target::{RisingStamp, Target},
};
use crate::{LoginId, LoginReference, RevocationKey, Subject, Timestamp};

/// How long a store may take for one step meanwhile, beside what it waits for leases: as long as the
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

const WHOLE: Rule = Rule::DroppedCallIsWholeOrUndone;

/// A method whose calls are dropped.
pub(super) enum Method {
    LogIn,
    Load,
    LogOut,
    LogOutOthers,
    Now,
    CheckLogin,
    Revoke,
    RevokedAt,
    /// `find_or_create` of a subject without a user.
    Create,
    /// `find_or_create` of a subject with a user.
    Find(Subject),
    LogOutSubject(Subject),
}

impl Method {
    pub(super) fn name(&self) -> &'static str {
        match self {
            Self::LogIn => "log_in",
            Self::Load => "load",
            Self::LogOut => "log_out",
            Self::LogOutOthers => "log_out_others",
            Self::Now => "now",
            Self::CheckLogin => "check_login",
            Self::Revoke => "revoke",
            Self::RevokedAt => "revoked_at",
            Self::Create | Self::Find(_) => "find_or_create",
            Self::LogOutSubject(_) => "log_out_subject",
        }
    }
}

/// Drops calls of one method at each of their awaits and after each millisecond, while others call
/// the same store about this user.
pub(super) async fn check_dropped_calls(
    handles: &Handles,
    method: Method,
    user_id: &str,
) -> Result {
    let store = &handles.one;
    let mut targets = vec![Target::User(user_id.to_owned())];
    if handles.keep_revocations() {
        targets.push(Target::new_key(store).await?);
    }
    let mut stamps = Vec::new();
    for target in targets {
        stamps.push(RisingStamp::new(store, target, WHOLE).await?);
    }
    let calls = Arc::new(Calls {
        handles: handles.clone(),
        method,
        user_id: user_id.to_owned(),
        keep_until: store.keep_until().await?,
        stamps,
        limit: ANSWER_LIMIT + store.log_out_wait(),
        done: AtomicBool::new(false),
    });
    let tasks = (0..1 + CALLERS).map(|number| {
        let calls = Arc::clone(&calls);
        async move {
            match number {
                0 => Calls::drop_many(&calls).await,
                caller => calls.make_whole_ones(caller).await,
            }
        }
    });
    let checked = match at_once(tasks).await {
        Ok(_) => calls.check_whole().await,
        Err(broken) => Err(broken),
    };
    checked.map_err(|broken| {
        let rule = match broken.rule() {
            Rule::Answers => Rule::DroppedCallLeavesNoLock,
            _ => WHOLE,
        };
        let (name, expected) = (calls.method.name(), broken.expected());
        let expected = format!("{expected}, while calls of `{name}` are dropped");
        rule.broken(expected, broken.seen())
    })
}

/// The calls of one method, and of others beside it.
struct Calls {
    handles: Handles,
    method: Method,
    user_id: String,
    keep_until: Timestamp,
    /// The stamps of the user and, if the store keeps revocations, of a key.
    stamps: Vec<RisingStamp>,
    /// How long an answer may take.
    limit: Duration,
    done: AtomicBool,
}

impl Calls {
    /// Drops many, and marks that as done.
    async fn drop_many(calls: &Arc<Self>) -> Result {
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
    async fn drop_at_each_await(&self) -> Result<Duration> {
        let mut usual_time = Duration::ZERO;
        for polls in 0..MOST_POLLS {
            let mut ended = true;
            for (turn, once_woken) in [(polls, false), (polls + 1, true)] {
                let began_at = Instant::now();
                let end = End::Polls { polls, once_woken };
                if self.drop_one(turn, end).await? {
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

    async fn drop_at_each_millisecond(calls: &Arc<Self>, usual_time: Duration) -> Result {
        let usual_time = usual_time.max(Duration::from_millis(1));
        let millis = u32::try_from(usual_time.as_millis()).unwrap_or(u32::MAX);
        let moments = millis.min(MOST_MOMENTS);
        let mut tasks = Vec::new();
        for moment in 1..=moments {
            let calls = Arc::clone(calls);
            let end = End::Time(usual_time * moment / moments);
            tasks.push(async move { calls.drop_one(moment as usize, end).await });
        }
        at_once(tasks.into_iter()).await?;
        Ok(())
    }

    /// Begins a call, drops it, and checks what it left. Returns whether it had ended before.
    async fn drop_one(&self, turn: usize, end: End) -> Result<bool> {
        let (handle, other) = (self.handles.turn(turn), self.handles.turn(turn + 1));
        let subject = random_subject();
        let keys = [
            RevocationKey::Login(LoginId::random()),
            RevocationKey::Session(random_session()),
        ];
        let call = self.call(&handle, &subject, &keys);
        let ended = async { end.drop_call(call).await.transpose() };
        let ended = self.answer(ended).await?.is_some();
        match self.method {
            Method::Revoke => self.answer(check_revoked(&handle, &other, &keys)).await?,
            Method::Create => {
                self.answer(check_created(&handle, &other, &subject))
                    .await?
            }
            _ => {}
        }
        self.check_stamps(&other).await?;
        Ok(ended)
    }

    /// Calls the method, about a subject and keys that are new.
    async fn call(&self, handle: &Handle, subject: &Subject, keys: &[RevocationKey; 2]) -> Result {
        match &self.method {
            Method::LogIn => handle.log_in(&self.user_id).await.map(drop),
            Method::Load => handle.load(&self.user_id).await.map(drop),
            Method::LogOut => handle.log_out(&self.user_id).await.map(drop),
            Method::LogOutOthers => {
                let stamp = handle.now().await?;
                handle.log_out_others(&self.user_id, stamp).await.map(drop)
            }
            Method::Now => handle.now().await.map(drop),
            Method::CheckLogin => {
                let login = LoginReference::new(&self.user_id)
                    .with_id(LoginId::random())
                    .with_provider_key(keys[1].provider_key());
                handle.check_login(login).await.map(drop)
            }
            Method::Revoke => handle.revoke(keys, self.keep_until).await,
            Method::RevokedAt => handle.revoked_at(&keys[1]).await.map(drop),
            Method::Create => handle.find_or_create(subject).await.map(drop),
            Method::Find(subject) => handle.find_or_create(subject).await.map(drop),
            Method::LogOutSubject(subject) => handle.log_out_subject(subject).await.map(drop),
        }
    }

    /// Makes calls that are not dropped, until the others are.
    async fn make_whole_ones(&self, caller: usize) -> Result {
        let mut turn = caller;
        while !self.done.load(Ordering::Acquire) {
            let handle = self.handles.turn(turn);
            turn += 1;
            let began_at = Instant::now();
            match caller % CALLERS {
                0 => self.log_in(&handle).await?,
                caller => {
                    let stamp = &self.stamps[caller % self.stamps.len()];
                    self.answer(stamp.raise(&handle)).await?;
                }
            }
            let took = began_at.elapsed();
            self.check_stamps(&handle).await?;
            sleep(took * PAUSE).await;
        }
        Ok(())
    }

    /// The store works, and nothing in it contradicts anything else.
    async fn check_whole(&self) -> Result {
        let Handles { one, other } = &self.handles;
        let before: Vec<_> = self.stamps.iter().map(RisingStamp::highest).collect();
        self.log_in(one).await?;
        for stamp in &self.stamps {
            self.answer(stamp.raise(one)).await?;
        }
        self.check_stamps(other).await?;

        let mut login = LoginReference::new(&self.user_id);
        for stamp in &self.stamps {
            if let Target::Key { key, .. } = &stamp.target {
                login = login.with_provider_key(key.provider_key());
            }
        }
        let check = self.answer(other.check_login(login)).await?;
        let seen = check.map(|check| [check.user.logged_out_at, check.revoked_at]);
        let rises = |(before, seen): (&Timestamp, _)| seen > Some(*before);
        WHOLE.require(
            before.iter().zip(seen.unwrap_or_default()).all(rises),
            format!("the logouts after {before:?} in `check_login`"),
            format!("{seen:?}"),
        )
    }

    async fn log_in(&self, handle: &Handle) -> Result {
        let user = self.answer(handle.log_in(&self.user_id)).await?;
        WHOLE.require_eq("the user of `log_in`", &self.user_id, &user.id)
    }

    /// No stamp has fallen, and none lies ahead.
    async fn check_stamps(&self, handle: &Handle) -> Result {
        for stamp in &self.stamps {
            let seen = self.answer(stamp.read(handle)).await?;
            let now = self.answer(handle.now()).await?;
            let name = stamp.target.stamp_name();
            WHOLE.require(
                now.outlives(Some(seen)),
                format!("{name} before {now:?}, which `now` returned later"),
                format!("{seen:?}"),
            )?;
        }
        Ok(())
    }

    /// The answer of a step that is not dropped, in time.
    async fn answer<T>(&self, call: impl Future<Output = Result<T>>) -> Result<T> {
        let answer = timeout(self.limit, call).await;
        answer.unwrap_or_else(|_| {
            let expected = format!("an answer within {} seconds", self.limit.as_secs());
            Err(Rule::Answers.broken(expected, LATE))
        })
    }
}

/// All keys of a dropped call are revoked, or none.
///
/// The call may still write, so the first key is read again if the second is there.
async fn check_revoked(
    handle: &Handle,
    other: &Handle,
    [first, second]: &[RevocationKey; 2],
) -> Result {
    let mut first_at = handle.revoked_at(first).await?;
    let second_at = other.revoked_at(second).await?;
    if second_at.is_some() {
        first_at = handle.revoked_at(first).await?;
    }
    let is_whole = first_at.is_some() == second_at.is_some();
    WHOLE.require(
        is_whole,
        "all keys of a call to be revoked, or none",
        "one of two",
    )
}

/// A subject whose first login was dropped stands for one user, who is there and new.
async fn check_created(handle: &Handle, other: &Handle, subject: &Subject) -> Result {
    let user = handle.find_or_create(subject).await?;
    let again = other.find_or_create(subject).await?;
    WHOLE.require_eq("the user at the next login", &user.id, &again.id)?;
    WHOLE.require_eq("`logged_out_at` of a new user", None, user.logged_out_at)?;
    let loaded = other.load(&user.id).await?;
    WHOLE.require_eq("the new user from `load`", Some(user), loaded)
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
