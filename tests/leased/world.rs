//! Nodes of one site in one process, in a time that is turned.

use std::{
    sync::{Arc, atomic::Ordering::SeqCst},
    time::Duration,
};

use axum::{Router, http::Method, routing::get};
use axum_clef::{
    ClefLayer, IdentityStore, LoggedIn, Profile, Subject, User as _,
    leased::Leased,
    stores::{Account, MemoryUserStore},
};
pub use test_support::settle;
use test_support::{
    About, Answer, App, Call, End, Holds, Hook, HookedUsers, ISSUER, Jar, ScriptedProvider, Wire,
    World as Site, answer,
    hook::{Count, Done, Flag, StoreError, Work},
    notice_request,
};
use tokio::task::JoinHandle;
use tower_sessions::MemoryStore;

pub const MILLISECOND: Duration = Duration::from_millis(1);
pub const LEASE: Duration = Duration::from_secs(1);
/// How long a logout waits for that.
pub const WAIT: Duration = Duration::from_nanos(1_020_202_020);

/// What comes after the id of a subject that stands for the same user as the one without.
pub const AT_WORK: &str = " at work";

/// One handle of the user store, as a node has it.
pub type Users = HookedUsers<Reads>;

/// Counts reads, fails, and holds calls.
#[derive(Clone, Default)]
pub struct Reads {
    reads: Count,
    pub failing: Flag,
    /// `read` is where a read waits that has its answer already, `write` where a logout waits
    /// before it writes. `written` is where a logout or login waits after that.
    pub holds: Holds,
}

impl Reads {
    pub fn reads(&self) -> usize {
        self.reads.load(SeqCst)
    }
}

impl Hook for Reads {
    async fn around<T: Send>(&self, call: Call, _: About<'_>, work: impl Work<T>) -> Done<T> {
        let (before, after) = match call {
            Call::CheckLogin => (None, "read"),
            Call::LogIn => (None, "written"),
            Call::LogOut | Call::LogOutSubject | Call::Revoke => (Some("write"), "written"),
            _ => return work.await,
        };
        if call == Call::CheckLogin {
            self.reads.fetch_add(1, SeqCst);
        }
        if let Some(before) = before {
            self.holds.pass(before, String::new()).await;
        }
        let answer = match self.failing.load(SeqCst) {
            true => Err(StoreError::down("the user store is down")),
            false => work.await,
        };
        if answer.is_ok() || call == Call::CheckLogin {
            self.holds.pass(after, String::new()).await;
        }
        answer
    }

    fn subject(&self, subject: &Subject) -> Subject {
        Subject::new(subject.issuer(), subject.id().trim_end_matches(AT_WORK))
    }
}

/// What the nodes of a site share.
pub struct World {
    pub store: MemoryUserStore,
    sessions: MemoryStore,
    provider: ScriptedProvider,
}

/// One node.
pub struct Node {
    router: Router,
    /// Its handle of the store, below the lease.
    pub users: Users,
    pub leased: Arc<Leased<Users>>,
}

impl World {
    pub fn new() -> Self {
        Self {
            store: MemoryUserStore::new(),
            sessions: MemoryStore::default(),
            provider: ScriptedProvider::default(),
        }
    }

    pub fn node(&self) -> Node {
        self.node_of(|users| Leased::new(users, LEASE))
    }

    pub fn node_at(&self, end: End) -> Node {
        self.node_of(|users| Leased::new(users, LEASE).bus(end))
    }

    pub fn node_of(&self, lease: impl FnOnce(Users) -> Leased<Users>) -> Node {
        let users = Users::new(self.store.clone());
        let leased = Arc::new(lease(users.clone()));
        let layer = ClefLayer::builder(Site::SITE, Arc::clone(&leased), self.sessions.clone());
        let layer = layer.provider(self.provider.clone()).build().unwrap();
        let router = Router::new()
            .route("/account", get(account))
            .merge(layer.routes())
            .layer(layer);
        Node {
            router,
            users,
            leased,
        }
    }
}

/// Two nodes with a bus between them.
pub async fn two_nodes_on(wire: &Wire) -> (World, [Node; 2], [End; 2]) {
    let world = World::new();
    let ends = [wire.end(), wire.end()];
    let nodes = ends.clone().map(|end| world.node_at(end));
    // They join when they are built.
    settle().await;
    assert_eq!(wire.listeners.lock().unwrap().len(), 2);
    (world, nodes, ends)
}

async fn account(LoggedIn(user): LoggedIn<Account>) -> String {
    user.profile().subject.id().to_owned()
}

pub fn subject(id: &str) -> Subject {
    Subject::new(ISSUER, id)
}

/// A user of this subject who has just logged in, without a browser: the id.
pub async fn log_in(users: &impl IdentityStore, subject: &Subject) -> String {
    let user = users.find_or_create(&Profile::new(subject.clone())).await;
    let id = user.unwrap().unwrap().id();
    users.log_in(&id).await.unwrap().unwrap();
    id
}

impl App for Node {
    fn app(&self) -> Router {
        self.router.clone()
    }
}

impl Node {
    /// A browser of a user who has just logged in, of whom the node keeps nothing.
    pub async fn browser_of(&self, subject: &str) -> Jar {
        let browser = Jar::logged_in(self, subject).await;
        // Invalidates what the node has read to begin the login.
        log_in(&*self.leased, &self::subject(subject)).await;
        self.users.reads.store(0, SeqCst);
        browser
    }

    /// The status of a page for users.
    pub async fn status(&self, browser: &Jar) -> u16 {
        let answer = browser.ask(self, Method::GET, "/account").await;
        answer.status().as_u16()
    }

    pub async fn serves(&self, browser: &Jar) -> bool {
        match self.status(browser).await {
            200 => true,
            401 => false,
            status => panic!("neither served nor refused: {status}"),
        }
    }

    /// A request that is answered some time.
    pub fn request(&self, browser: &Jar) -> JoinHandle<Answer> {
        let (app, request) = (self.app(), browser.request(Method::GET, "/account"));
        tokio::spawn(async move { answer(&app, request).await })
    }

    /// A new logout notice, which is answered some time.
    pub fn notice(&self, subject: &str) -> JoinHandle<Answer> {
        let token = format!("token:{subject}:{:x}", rand::random::<u64>());
        let (app, request) = (self.app(), notice_request(&token));
        tokio::spawn(async move { answer(&app, request).await })
    }
}

/// The answer of a request, however much time has to pass until it comes.
pub async fn in_time<T>(answer: JoinHandle<T>) -> T {
    while !answer.is_finished() {
        pass(10 * MILLISECOND).await;
    }
    answer.await.unwrap()
}

/// Lets so much time pass.
pub async fn pass(time: Duration) {
    settle().await;
    tokio::time::advance(time).await;
    settle().await;
}
