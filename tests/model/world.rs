//! Several nodes of one site, with the stores that they share.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::SeqCst},
    },
    time::Duration,
};

use axum::{
    Router,
    extract::Query,
    http::HeaderMap,
    response::Redirect,
    routing::{get, post},
};
use axum_clef::{
    ClefLayer, IdentityStore, LogInError, LoggedIn, Logouts, NewLogin, NewToken, NewTokenError,
    OtherLogins, Profile, RecentLogin, SessionKey, Sessions, Subject, Timestamp, User as _,
    leased::Leased,
    secrecy::ExposeSecret as _,
    stores::{Account, SqliteUserStore},
};
use tempfile::TempDir;
use test_support::{
    About, App, Call, Hold, Holds, Hook, HookedSessions, HookedUsers, ISSUER, MINUTE,
    ScriptedProvider, TestClock, Wire, World as AnySite,
    hook::{Done, Flag, StoreError, Work},
    settle,
};
use tower_sessions::MemoryStore;
use tower_sessions_sqlx_store::SqliteStore;

use crate::{
    real_time::{StoppedClock, StoreCalls},
    steps::Run,
};

/// Far less than what clocks that run apart make of a lease.
const STEP: Duration = Duration::from_millis(4);
const LEASE: Duration = Duration::from_millis(500);

/// Where users and logins are kept. Both session stores upsert when they save, so a record
/// that was deleted comes back with a renewal that still had it.
#[derive(Debug, Clone, Copy)]
pub enum Stores {
    Memory,
    /// Users in memory, and logins sealed in cookies.
    Sealed,
    Sqlite,
    /// The same, and every node keeps what it reads for a lease.
    LeasedMemory,
    LeasedSqlite,
}

impl Stores {
    /// Whether a call takes real time, and does not end at once.
    fn take_time(self) -> bool {
        matches!(self, Self::Sqlite | Self::LeasedSqlite)
    }

    fn are_leased(self) -> bool {
        matches!(self, Self::LeasedMemory | Self::LeasedSqlite)
    }
}

pub struct World {
    pub nodes: Vec<Node>,
    pub holds: Holds,
    pub logouts_fail: Flag,
    calls: StoreCalls,
    stores: Stores,
    wire: Wire,
    clock: TestClock,
    /// The files of the stores, as long as the world lasts.
    _files: Option<TempDir>,
}

/// What the form of the site sends.
#[derive(serde::Deserialize)]
struct Form {
    person: String,
    hold: String,
}

pub struct Node {
    pub router: Router,
    /// Of the bus, where there is one.
    pub cut: Arc<AtomicBool>,
    skew: i64,
    clock: TestClock,
    pub logouts: Logouts,
    pending: Box<dyn Fn() -> usize + Send + Sync>,
}

impl World {
    pub async fn new(stores: Stores, run: &Run) -> Self {
        let mut world = Self {
            nodes: Vec::new(),
            holds: Holds::default(),
            logouts_fail: Arc::default(),
            calls: StoreCalls::new(stores.take_time()),
            stores,
            wire: Wire::default(),
            clock: TestClock::new(),
            _files: None,
        };
        let proves = run.bus.unwrap_or_default();
        world.wire.proves_nothing.store(!proves, SeqCst);
        let nodes = run.skews.iter().zip(run.rates);
        match stores {
            Stores::Memory | Stores::Sealed | Stores::LeasedMemory => {
                let users = world.clock.users();
                let sessions = match stores {
                    Stores::Sealed => Sessions::sealed([SessionKey::from_bytes([7; 32])]),
                    _ => MemoryStore::default().into(),
                };
                for (skew, rate) in nodes {
                    let users = users.clone().with_clock(world.clock(*skew));
                    world.add_node(*skew, (rate, run.bus), users, sessions.clone());
                }
            }
            Stores::Sqlite | Stores::LeasedSqlite => {
                let _clock = StoppedClock::new();
                let files = tempfile::tempdir().unwrap();
                let url = format!("sqlite://{}", files.path().join("site.db").display());
                let users = SqliteUserStore::connect(&url).await.unwrap();
                let sessions = SqliteStore::new(users.pool().clone());
                sessions.migrate().await.unwrap();
                let sessions = HookedSessions::with(sessions, world.hook());
                let sessions = Sessions::from(sessions);
                for (skew, rate) in nodes {
                    let users = users.clone().with_clock(world.clock(*skew));
                    world.add_node(*skew, (rate, run.bus), users, sessions.clone());
                }
                world._files = Some(files);
            }
        }
        world
    }

    /// The clock of a node: a microsecond later at every look.
    fn clock(&self, skew: i64) -> impl Fn() -> Timestamp + Send + Sync + 'static {
        let clock = self.clock.clone();
        move || Timestamp::from_micros(clock.read().as_micros() + skew * MINUTE)
    }

    /// The hook of the next node, or of what all nodes share.
    fn hook(&self) -> StoreHook {
        StoreHook {
            node: self.nodes.len(),
            logouts_fail: Arc::clone(&self.logouts_fail),
            calls: self.calls.clone(),
            holds: self.holds.clone(),
        }
    }

    /// Holds back the answer of the next read of a node.
    pub fn hold_read(&self, node: usize) -> Hold {
        self.holds.prepare(&read_at(node))
    }

    /// Holds the next logout of a node before the store writes it.
    pub fn hold_write(&self, node: usize) -> Hold {
        self.holds.prepare(&write_at(node))
    }

    fn add_node(
        &mut self,
        skew: i64,
        (rate, bus): (u32, Option<bool>),
        users: impl IdentityStore<User = Account>,
        sessions: Sessions,
    ) {
        let users = HookedUsers::with(users, self.hook());
        let end = self.wire.end();
        let cut = Arc::clone(&end.cut);
        if !self.stores.are_leased() {
            return self.add(skew, cut, users, sessions);
        }
        let leased = Leased::new(users, LEASE).clock_at(rate);
        let leased = match bus {
            Some(_) => leased.bus(end),
            None => leased,
        };
        self.add(skew, cut, leased, sessions);
    }

    fn add(
        &mut self,
        skew: i64,
        cut: Arc<AtomicBool>,
        users: impl IdentityStore<User = Account>,
        sessions: Sessions,
    ) {
        let users = Arc::new(users);
        let at_provider = self.holds.clone();
        let provider = ScriptedProvider::default().with_step(move |_, secret| {
            let holds = at_provider.clone();
            async move {
                holds.pass(&secret, String::new()).await;
                Ok(())
            }
        });
        let layer = ClefLayer::builder(AnySite::SITE, Arc::clone(&users), sessions)
            .provider(provider)
            .bearer_tokens([SessionKey::from_bytes([8; 32])])
            .build()
            .unwrap();
        let holds = self.holds.clone();
        let work = |user: Option<LoggedIn<Account>>, headers: HeaderMap| async move {
            let who = user.map_or("nobody".to_owned(), |LoggedIn(user)| id(&user));
            let hold = headers["x-hold"].to_str().unwrap();
            holds.pass(hold, who.clone()).await;
            who
        };
        let holds = self.holds.clone();
        let form = |login: NewLogin, Query(form): Query<Form>| async move {
            holds.pass(&form.hold, String::new()).await;
            let profile = Profile::new(Subject::new(ISSUER, form.person));
            let user = users.find_or_create(&profile).await?.unwrap();
            login.begin(&user.id()).await as Result<Redirect, LogInError>
        };
        let router = Router::new()
            .route("/form", post(form))
            .route(
                "/others",
                post(|others: OtherLogins| async move { others.log_out().await }),
            )
            .route(
                "/account",
                get(|LoggedIn(user): LoggedIn<Account>| async move { id(&user) }),
            )
            .route("/recent", get(recent))
            .route("/token", post(token))
            .route("/work", post(work))
            .merge(layer.routes())
            .layer(layer.clone());
        self.nodes.push(Node {
            router,
            cut,
            skew: skew * MINUTE,
            clock: self.clock.clone(),
            logouts: layer.logouts(),
            pending: Box::new(move || layer.pending_logouts()),
        });
    }

    pub async fn advance_clock(&self, seconds: i64) {
        self.clock.advance(seconds * test_support::SECOND);
    }

    /// Whether a check may go by what the clock showed some time ago.
    pub fn holds_clocks(&self) -> bool {
        self.stores.are_leased()
    }

    /// Lets the time of timers pass, which is not the time of stamps.
    pub async fn wait(&self, seconds: u64) {
        self.pass(Duration::from_secs(seconds)).await;
    }

    /// Lets all tasks run until each is held, or waits for time to pass.
    pub async fn settle(&self) {
        settle().await;
        while self.calls.any() {
            self.calls.ended().await;
            settle().await;
        }
    }

    async fn pass(&self, time: Duration) {
        self.settle().await;
        tokio::time::advance(time).await;
        self.settle().await;
    }

    /// Lets time pass until something has ended that may wait for a lease, and no longer.
    pub async fn until(&self, ended: impl Fn() -> bool) {
        while !ended() {
            self.pass(STEP).await;
        }
    }
}

/// Who has logged in within the last five minutes.
async fn recent(recent: Option<RecentLogin<5>>, user: Option<LoggedIn<Account>>) -> String {
    match (recent, user) {
        (Some(_), Some(LoggedIn(user))) => id(&user),
        _ => "nobody".to_owned(),
    }
}

/// The id of a new token, and the token. No run lasts a day.
async fn token(token: NewToken<1_440>) -> Result<String, NewTokenError> {
    let token = token.mint("a program").await?;
    let secret = token.secret().expose_secret();
    Ok(format!("{} {secret}", token.id()))
}

impl Node {
    /// What the clock of this node shows at the next look.
    pub async fn reading(&self) -> i64 {
        self.clock.next() + self.skew
    }

    pub fn pending_logouts(&self) -> usize {
        (self.pending)()
    }
}

impl App for Node {
    fn app(&self) -> Router {
        self.router.clone()
    }
}

fn id(user: &Account) -> String {
    user.profile().subject.id().to_owned()
}

/// At times the user store accepts no logouts, writes one late, or answers a read late.
#[derive(Clone)]
struct StoreHook {
    node: usize,
    logouts_fail: Flag,
    calls: StoreCalls,
    holds: Holds,
}

impl Hook for StoreHook {
    async fn around<T: Send>(&self, call: Call, _: About<'_>, work: impl Work<T>) -> Done<T> {
        let logs_out = matches!(
            call,
            Call::LogOut | Call::LogOutSubject | Call::LogOutOthers | Call::Revoke
        );
        if logs_out {
            self.holds.pass(&write_at(self.node), String::new()).await;
        }
        if logs_out && self.logouts_fail.load(SeqCst) {
            return Err(StoreError::down("the store accepts no logouts"));
        }
        let running = self.calls.begin();
        let answer = work.await;
        drop(running);
        if call == Call::CheckLogin {
            self.holds.pass(&read_at(self.node), String::new()).await;
        }
        answer
    }
}

/// The name of the place where a read of a node is held.
fn read_at(node: usize) -> String {
    format!("read at {node}")
}

/// The name of the place where a logout of a node is held.
fn write_at(node: usize) -> String {
    format!("write at {node}")
}
