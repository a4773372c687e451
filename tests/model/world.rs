//! Several nodes of one site, with the stores that they share.

use std::{
    mem,
    sync::{Arc, Mutex, atomic::Ordering::SeqCst},
    time::Duration,
};

use axum::Router;
use axum_clef::{
    IdentityStore, Logouts, SessionKey, SessionStore, Sessions,
    leased::{Leased, PostgresLogoutBus},
    stores::{Account, SqliteUserStore},
};
use sqlx::PgPool;
use tempfile::TempDir;
use test_support::{
    App, Database, Hold, Holds, HookedSessions, HookedUsers, MINUTE, TestClock, Wire, hook::Flag,
};
use tokio::sync::watch;
use tower_sessions::{MemoryStore, session::Id};
use tower_sessions_redis_store::{RedisStore, fred::prelude::Pool};
use tower_sessions_sqlx_store::SqliteStore;

use crate::{
    clock::{Clock, off_by},
    cut_bus::CutBus,
    hook::{self, StoreHook},
    real_time::{self, StoppedClock, StoreCalls},
    site::site,
    steps::{NODES, Run},
    stores::{Stores, postgres_sessions, redis},
};

/// Far less than what clocks that run apart make of a lease.
const STEP: Duration = Duration::from_millis(4);
/// The same for a bus over PostgreSQL, whose nodes have the same clock. Far less than the time between
/// two heartbeats.
const BUS_STEP: Duration = Duration::from_millis(50);
/// The real time that such a bus has for its messages in each step. With less it is only slower.
const BUS_TIME: Duration = Duration::from_millis(3);

pub struct World {
    pub nodes: Vec<Node>,
    pub holds: Holds,
    pub logouts_fail: Flag,
    calls: StoreCalls,
    stores: Stores,
    wire: Wire,
    clock: Clock,
    /// Whether the bus is over PostgreSQL.
    is_bus_real: bool,
    /// The ids of the records of logins.
    records: Arc<Mutex<Vec<Id>>>,
    /// Where they are.
    redis: Option<RedisStore<Pool>>,
    /// What the stores need as long as the world lasts.
    _files: Option<TempDir>,
    _database: Option<Database>,
}

pub struct Node {
    pub router: Router,
    skew: i64,
    clock: Clock,
    pub logouts: Logouts,
    pending: Box<dyn Fn() -> usize + Send + Sync>,
    cut: Cut,
}

/// Cuts the bus at a node, or mends it.
type Cut = Box<dyn Fn(bool) + Send + Sync>;

impl World {
    pub async fn new(stores: Stores, run: &Run) -> Self {
        let clock = TestClock::new();
        let mut world = Self {
            nodes: Vec::new(),
            holds: Holds::default(),
            logouts_fail: Arc::default(),
            calls: StoreCalls::new(stores.take_time()),
            stores,
            wire: Wire::default(),
            clock: Clock::Here(clock.clone()),
            is_bus_real: false,
            records: Arc::default(),
            redis: None,
            _files: None,
            _database: None,
        };
        let proves = run.bus.unwrap_or_default();
        world.wire.proves_nothing.store(!proves, SeqCst);
        match stores {
            Stores::Memory | Stores::Sealed | Stores::LeasedMemory => {
                world.open_memory(run, &clock);
            }
            Stores::Sqlite | Stores::LeasedSqlite => world.open_sqlite(run, &clock).await,
            Stores::Postgres | Stores::LeasedPostgres => world.open_postgres(run).await,
        }
        world
    }

    fn open_memory(&mut self, run: &Run, clock: &TestClock) {
        let users = clock.users();
        let sessions = match self.stores {
            Stores::Sealed => Sessions::sealed([SessionKey::from_bytes([7; 32])]),
            _ => MemoryStore::default().into(),
        };
        for (skew, rate) in run.skews.into_iter().zip(run.rates) {
            let users = users.clone().with_clock(off_by(clock, skew));
            self.add_node(skew, (rate, run.bus), users, sessions.clone());
        }
    }

    async fn open_sqlite(&mut self, run: &Run, clock: &TestClock) {
        let _clock = StoppedClock::new();
        let files = tempfile::tempdir().unwrap();
        let url = format!("sqlite://{}", files.path().join("site.db").display());
        let users = SqliteUserStore::connect(&url).await.unwrap();
        let sessions = SqliteStore::new(users.pool().clone());
        sessions.migrate().await.unwrap();
        let sessions = self.sessions(sessions);
        for (skew, rate) in run.skews.into_iter().zip(run.rates) {
            let users = users.clone().with_clock(off_by(clock, skew));
            self.add_node(skew, (rate, run.bus), users, sessions.clone());
        }
        self._files = Some(files);
    }

    /// Nodes with connections of their own, and one clock.
    async fn open_postgres(&mut self, run: &Run) {
        let _clock = StoppedClock::new();
        let database = Database::create().await;
        let users = database.open().await;
        let pool = users.pool().clone();
        self.clock = Clock::there(&pool).await;
        let sessions = match self.stores.lease() {
            None => {
                let redis = RedisStore::new(redis().await);
                self.redis = Some(redis.clone());
                self.sessions(redis)
            }
            Some(_) => self.sessions(postgres_sessions(&users, &database).await),
        };
        for _ in 0..NODES {
            let users = database.open().await;
            let pool = users.pool().clone();
            let users = HookedUsers::with(users, self.hook());
            let Some(lease) = self.stores.lease() else {
                self.add(0, Box::new(|_| {}), users, sessions.clone());
                continue;
            };
            let mut leased = Leased::new(users, lease);
            let is_cut = watch::Sender::new(false);
            if run.bus.is_some() {
                let bus = PostgresLogoutBus::new(pool);
                leased = leased.bus(CutBus::new(bus, is_cut.clone()));
                // Joins.
                leased.logout_news();
            }
            let cut = Box::new(move |cut| {
                is_cut.send_replace(cut);
            });
            self.add(0, cut, leased, sessions.clone());
        }
        self.is_bus_real = self.stores.are_leased() && run.bus.is_some();
        while self.is_bus_real && members(&pool).await < NODES {
            self.pass(BUS_STEP).await;
        }
        self._database = Some(database);
    }

    /// The hook of the next node, or of what all nodes share.
    fn hook(&self) -> StoreHook {
        StoreHook {
            node: self.nodes.len(),
            logouts_fail: Arc::clone(&self.logouts_fail),
            calls: self.calls.clone(),
            holds: self.holds.clone(),
            records: Arc::clone(&self.records),
        }
    }

    fn sessions(&self, sessions: impl SessionStore) -> Sessions {
        HookedSessions::with(sessions, self.hook()).into()
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
        let is_cut = Arc::clone(&end.cut);
        let cut = Box::new(move |cut| is_cut.store(cut, SeqCst));
        let Some(lease) = self.stores.lease() else {
            return self.add(skew, cut, users, sessions);
        };
        let leased = Leased::new(users, lease).clock_at(rate);
        let leased = match bus {
            Some(_) => leased.bus(end),
            None => leased,
        };
        self.add(skew, cut, leased, sessions);
    }

    fn add(
        &mut self,
        skew: i64,
        cut: Cut,
        users: impl IdentityStore<User = Account>,
        sessions: Sessions,
    ) {
        let (router, layer) = site(users, sessions, &self.holds);
        self.nodes.push(Node {
            router,
            skew: skew * MINUTE,
            clock: self.clock.clone(),
            logouts: layer.logouts(),
            pending: Box::new(move || layer.pending_logouts()),
            cut,
        });
    }

    /// Holds back the answer of the next read of a node.
    pub fn hold_read(&self, node: usize) -> Hold {
        hook::hold_read(&self.holds, node)
    }

    /// Holds the next logout of a node before the store writes it.
    pub fn hold_write(&self, node: usize) -> Hold {
        hook::hold_write(&self.holds, node)
    }

    pub async fn advance_clock(&self, seconds: i64) {
        self.clock.advance(seconds).await;
    }

    /// Whether a check may go by what the clock showed some time ago.
    pub fn holds_clocks(&self) -> bool {
        self.stores.are_leased()
    }

    /// How long a logout waits at least without a bus; any time without leases.
    pub fn lease(&self) -> Duration {
        self.stores.lease().unwrap_or(Duration::MAX)
    }

    /// Lets more time pass than a request waits for its logout.
    pub async fn wait_for_patience(&self) {
        self.wait(self.stores.patience()).await;
    }

    /// Lets the time of timers pass, which is not the time of stamps.
    pub async fn wait(&self, seconds: u64) {
        self.pass(Duration::from_secs(seconds)).await;
    }

    /// Lets all tasks run until each is held, or waits for time to pass.
    pub async fn settle(&self) {
        self.calls.settle().await;
        if self.is_bus_real {
            real_time::pass(BUS_TIME).await;
            self.calls.settle().await;
        }
    }

    async fn pass(&self, time: Duration) {
        let longest = match self.is_bus_real {
            true => BUS_STEP,
            false => time,
        };
        let mut left = time;
        while !left.is_zero() {
            self.settle().await;
            let step = left.min(longest);
            tokio::time::advance(step).await;
            left -= step;
        }
        self.settle().await;
    }

    /// Lets time pass until something has ended that may wait for a lease, and no longer.
    pub async fn until(&self, ended: impl Fn() -> bool) {
        let step = match self.stores {
            Stores::LeasedPostgres => BUS_STEP,
            _ => STEP,
        };
        while !ended() {
            self.pass(step).await;
        }
    }

    /// Removes what would stay.
    pub async fn close(self) {
        self.settle().await;
        let Some(redis) = &self.redis else {
            return;
        };
        let _clock = StoppedClock::new();
        let records = mem::take(&mut *self.records.lock().unwrap());
        for record in records {
            redis.delete(&record).await.unwrap();
        }
    }
}

/// How many nodes the bus over PostgreSQL has.
async fn members(pool: &PgPool) -> usize {
    let count = sqlx::query_scalar("select count(*) from clef_members");
    let count: i64 = count.fetch_one(pool).await.unwrap();
    count.try_into().unwrap()
}

impl Node {
    /// What the clock of this node shows at the next look.
    pub async fn reading(&self) -> i64 {
        self.clock.next().await + self.skew
    }

    pub fn pending_logouts(&self) -> usize {
        (self.pending)()
    }

    /// Cuts the bus here, or mends it.
    pub fn cut(&self, cut: bool) {
        (self.cut)(cut);
    }
}

impl App for Node {
    fn app(&self) -> Router {
        self.router.clone()
    }
}
