//! Calls that are dropped before they end, as those of a client that hangs up.

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
    handle::{Handle, Handles},
    log_out::written,
    person::{fresh_person, fresh_session},
    rising::RisingStamp,
    tasks::at_once,
    whose::Whose,
};
use crate::{LoginReference, ProviderSession, Subject, Timestamp, User as _, UserStore};

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

/// A method whose calls are dropped.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Method {
    /// `log_in` of a person who is new.
    FirstLogIn,
    LogIn,
    Load,
    LogOut,
    Now,
    Standing,
    LogOutSession,
    SessionLoggedOutAt,
}

impl Method {
    pub(super) const ALL: [Self; 8] = [
        Self::FirstLogIn,
        Self::LogIn,
        Self::Load,
        Self::LogOut,
        Self::Now,
        Self::Standing,
        Self::LogOutSession,
        Self::SessionLoggedOutAt,
    ];

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::FirstLogIn | Self::LogIn => "log_in",
            Self::Load => "load",
            Self::LogOut => "log_out",
            Self::Now => "now",
            Self::Standing => "standing",
            Self::LogOutSession => "log_out_session",
            Self::SessionLoggedOutAt => "session_logged_out_at",
        }
    }

    /// Whether it needs a store that keeps the ends of sessions.
    pub(super) fn is_of_sessions(self) -> bool {
        matches!(self, Self::LogOutSession | Self::SessionLoggedOutAt)
    }
}

/// Drops calls of one method at each of their awaits and after each millisecond, while others call
/// the same store.
pub(super) async fn check_dropped_calls<S: UserStore>(
    handles: &Handles<S>,
    method: Method,
    keeps_sessions: bool,
) -> Result<(), BrokenRule> {
    let calls = Calls::prepare(handles, method, keeps_sessions).await?;
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

/// The calls of one method, to the users and sessions of this check.
struct Calls<S> {
    handles: Handles<S>,
    method: Method,
    person: Subject,
    user_id: String,
    /// `None` if the store keeps no ends of sessions.
    session: Option<ProviderSession>,
    stamp: RisingStamp,
    session_stamp: Option<RisingStamp>,
    limit: Duration,
    done: AtomicBool,
}

impl<S: UserStore> Calls<S> {
    async fn prepare(
        handles: &Handles<S>,
        method: Method,
        keeps_sessions: bool,
    ) -> Result<Self, BrokenRule> {
        let store = &handles.one;
        let rule = Rule::DroppedCallIsWholeOrUndone;
        let person = fresh_person();
        let user_id = store.log_in(&person).await?.id();
        let whose = Whose::Person(person.clone(), user_id.clone());
        let stamp = RisingStamp::new(store, whose, rule).await?;
        let session = keeps_sessions.then(fresh_session);
        let session_stamp = match &session {
            Some(session) => {
                let whose = Whose::Session(session.clone());
                Some(RisingStamp::new(store, whose, rule).await?)
            }
            None => None,
        };
        Ok(Self {
            handles: handles.clone(),
            method,
            person,
            user_id,
            session,
            stamp,
            session_stamp,
            limit: ANSWER_LIMIT + store.store().log_out_wait(),
            done: AtomicBool::new(false),
        })
    }

    /// Drops many, and tells the others when that is done.
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

    /// Gives how long a call takes that is not dropped.
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

    /// Begins a call, drops it, and looks at what it left. Gives whether it had ended before.
    async fn drop_one(&self, turn: usize, end: End) -> Result<bool, BrokenRule> {
        let (handle, other) = (self.handles.turn(turn), self.handles.turn(turn + 1));
        let person = match self.method {
            Method::FirstLogIn => fresh_person(),
            _ => self.person.clone(),
        };
        let call = self.call(&handle, &person);
        let ended = async { end.drop_call(call).await.transpose() };
        let ended = self.answer(ended).await?.is_some();
        if self.method == Method::FirstLogIn {
            self.check_one_user(&handle, &other, &person).await?;
        } else {
            self.look(&other).await?;
        }
        Ok(ended)
    }

    async fn call(&self, handle: &Handle<S>, person: &Subject) -> Result<(), BrokenRule> {
        match (self.method, &self.session) {
            (Method::FirstLogIn | Method::LogIn, _) => handle.log_in(person).await.map(drop),
            (Method::Load, _) => handle.load(&self.user_id).await.map(drop),
            (Method::LogOut, _) => handle.log_out(person).await.map(|_| ()),
            (Method::Standing, session) => {
                let login = LoginReference::new(&self.user_id, person);
                let login = login.in_session(session.as_ref());
                handle.standing(login).await.map(drop)
            }
            (Method::LogOutSession, Some(session)) => {
                handle.log_out_session(session).await.map(|_| ())
            }
            (Method::SessionLoggedOutAt, Some(session)) => {
                handle.session_logged_out_at(session).await.map(|_| ())
            }
            (Method::Now | Method::LogOutSession | Method::SessionLoggedOutAt, _) => {
                handle.now().await.map(|_| ())
            }
        }
    }

    /// Makes calls that are not dropped, until the others are.
    async fn make_whole_ones(&self, caller: usize) -> Result<(), BrokenRule> {
        let mut turn = caller;
        while !self.done.load(Ordering::Acquire) {
            let handle = self.handles.turn(turn);
            turn += 1;
            let began_at = Instant::now();
            match (caller % CALLERS, &self.session_stamp) {
                (0, _) => self.log_in(&handle).await?,
                (1, Some(stamp)) => self.log_out(&handle, stamp).await?,
                _ => self.log_out(&handle, &self.stamp).await?,
            }
            let took = began_at.elapsed();
            self.look(&handle).await?;
            sleep(took * PAUSE).await;
        }
        Ok(())
    }

    /// The store works, and nothing in it contradicts anything else.
    async fn check_whole(&self) -> Result<(), BrokenRule> {
        let Handles { one, other } = &self.handles;
        let before = self.stamp.highest();
        let session_before = self.session_stamp.as_ref().map(RisingStamp::highest);
        self.log_in(one).await?;
        self.log_out(one, &self.stamp).await?;
        if let Some(stamp) = &self.session_stamp {
            self.log_out(one, stamp).await?;
        }
        self.look(other).await?;

        let login = LoginReference::new(&self.user_id, &self.person);
        let login = login.in_session(self.session.as_ref());
        let Some(standing) = self.answer(other.standing(login)).await? else {
            let expected = format!("`standing` to find the user {:?}", self.user_id);
            return Err(self.half_done(expected, "`Ok(None)`"));
        };
        let stamps = [
            (Some(before), standing.user.logged_out_at()),
            (session_before, standing.session_logged_out_at),
        ];
        for (before, seen) in stamps {
            if before.is_some() && seen <= before {
                let expected = format!("the logout after {before:?} in `standing`");
                return Err(self.half_done(expected, written(seen)));
            }
        }
        Ok(())
    }

    async fn log_in(&self, handle: &Handle<S>) -> Result<(), BrokenRule> {
        let user_id = self.answer(handle.log_in(&self.person)).await?.id();
        if user_id == self.user_id {
            return Ok(());
        }
        let expected = format!("`log_in` to find the user {:?}", self.user_id);
        Err(self.half_done(expected, format!("the user {user_id:?}")))
    }

    async fn log_out(&self, handle: &Handle<S>, stamp: &RisingStamp) -> Result<(), BrokenRule> {
        let (highest, before) = (stamp.highest(), self.answer(handle.now()).await?);
        let found = self.answer(stamp.whose.log_out(handle)).await?;
        let seen = self.answer(stamp.look(handle)).await?;
        if found && seen > highest && !before.outlives(Some(seen)) {
            return Ok(());
        }
        let lowest = before.max(highest);
        let expected = format!("a logout that is `true` and ends the logins before {lowest:?}");
        Err(self.half_done(expected, format!("`{found}` and {seen:?}")))
    }

    /// No stamp has fallen, and none lies ahead.
    async fn look(&self, handle: &Handle<S>) -> Result<(), BrokenRule> {
        for stamp in [Some(&self.stamp), self.session_stamp.as_ref()] {
            let Some(stamp) = stamp else { continue };
            let seen = self.answer(stamp.look(handle)).await?;
            let now = self.answer(handle.now()).await?;
            if !now.outlives(Some(seen)) {
                let moment = stamp.whose.moment();
                let expected = format!("{moment} before {now:?}, which `now` gave afterwards");
                return Err(self.half_done(expected, format!("{seen:?}")));
            }
        }
        Ok(())
    }

    /// A person whose first login was dropped logs in as one user, who is there and new.
    async fn check_one_user(
        &self,
        handle: &Handle<S>,
        other: &Handle<S>,
        person: &Subject,
    ) -> Result<(), BrokenRule> {
        let user = self.answer(handle.log_in(person)).await?;
        let id = user.id();
        let again = self.answer(other.log_in(person)).await?.id();
        if again != id {
            let expected = format!("the user {id:?} at each login");
            return Err(self.half_done(expected, format!("the user {again:?}")));
        }
        let loaded = self.answer(other.load(&id)).await?;
        let stamp = loaded
            .as_ref()
            .map(|user| (user.id(), user.logged_out_at()));
        if stamp != Some((id.clone(), None)) || user.logged_out_at().is_some() {
            let expected = format!("`load` to find the user {id:?}, who was never logged out");
            let stamp: Option<Option<Timestamp>> = stamp.map(|(_, stamp)| stamp);
            let seen = stamp.map_or("`Ok(None)`".to_owned(), written);
            return Err(self.half_done(expected, seen));
        }
        Ok(())
    }

    /// What a call gives that must be answered, in time and without an error.
    async fn answer<T>(
        &self,
        call: impl Future<Output = Result<T, BrokenRule>>,
    ) -> Result<T, BrokenRule> {
        let name = self.method.name();
        let (rule, expected, seen) = match timeout(self.limit, call).await {
            Ok(Ok(given)) => return Ok(given),
            Ok(Err(broken)) => {
                let rule = match broken.rule() {
                    Rule::Answers => Rule::DroppedCallLeavesNoLock,
                    _ => Rule::DroppedCallIsWholeOrUndone,
                };
                (rule, broken.expected().to_owned(), broken.seen().to_owned())
            }
            Err(_) => {
                let expected = format!("an answer within {} seconds", self.limit.as_secs());
                (Rule::DroppedCallLeavesNoLock, expected, "none".to_owned())
            }
        };
        let expected = format!("{expected}, while calls of `{name}` are dropped");
        Err(BrokenRule::new(rule, expected, seen))
    }

    fn half_done(&self, expected: String, seen: impl Into<String>) -> BrokenRule {
        let name = self.method.name();
        let expected = format!("{expected}, while calls of `{name}` are dropped");
        BrokenRule::new(Rule::DroppedCallIsWholeOrUndone, expected, seen)
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
    /// Begins a call and drops it then. Gives what it gave, if it had ended before.
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
                Poll::Ready(given) => Poll::Ready(Some(given)),
                Poll::Pending if left == 0 && !once_woken => Poll::Ready(None),
                Poll::Pending => Poll::Pending,
            }
        })
        .await
    }
}
