//! A site over stores with faults.

use std::{
    net::Ipv4Addr,
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering::SeqCst},
    },
    time::Duration,
};

use axum::{
    Router,
    http::StatusCode,
    routing::{get, post},
};
use axum_clef::{
    ClefLayer, ClefSessions, LoggedIn, Login, LogoutError, Logouts, Timestamp,
    provider::Provider,
    stores::{Account, MemoryUserStore},
};
use tower_sessions::Session;

use crate::{fault::Faults, provider::OnceOnly, sessions::FaultySessions, users::FaultyUsers};

/// Everything that the nodes of the site share.
pub struct Site {
    pub faults: Faults,
    pub users: FaultyUsers,
    pub sessions: FaultySessions,
    pub provider: OnceOnly,
    clock: Arc<AtomicI64>,
}

/// One process of the site.
pub struct Node {
    pub app: Router,
    pub layer: Layer,
}

type Layer = ClefLayer<ClefSessions>;

impl Site {
    pub fn new() -> Self {
        let faults = Faults::default();
        let clock = Arc::new(AtomicI64::new(Timestamp::now().as_micros()));
        let in_memory = Arc::clone(&clock);
        // A microsecond later at every look.
        let users = MemoryUserStore::new()
            .with_clock(move || Timestamp::from_micros(in_memory.fetch_add(1, SeqCst)));
        Self {
            users: FaultyUsers::new(users, faults.clone()),
            sessions: FaultySessions::new(faults.clone()),
            provider: OnceOnly::default(),
            faults,
            clock,
        }
    }

    /// Turns the clock of the users forward.
    pub fn advance(&self, time: Duration) {
        let micros = i64::try_from(time.as_micros()).unwrap();
        self.clock.fetch_add(micros, SeqCst);
    }

    pub fn node(&self) -> Node {
        self.node_with(self.provider.clone())
    }

    /// A node whose people come from another provider.
    pub fn node_with(&self, provider: impl Provider) -> Node {
        let layer = ClefLayer::new(
            "http://127.0.0.1:9",
            provider,
            self.users.clone(),
            self.sessions.clone(),
        )
        .unwrap()
        .client_address(|_| Some(Ipv4Addr::LOCALHOST.into()));
        Node {
            app: app(&layer),
            layer,
        }
    }
}

fn app(layer: &Layer) -> Router {
    pages(layer.routes()).layer(layer.clone())
}

/// The pages of the site, and nothing around them.
pub fn pages(routes: Router) -> Router {
    Router::new()
        .route("/", get(home))
        .route("/account", get(account))
        .route("/everywhere", post(everywhere))
        .route("/cart", post(fill_cart))
        .merge(routes)
}

async fn home(user: Option<LoggedIn<Account>>) -> String {
    user.map_or("nobody".to_owned(), id)
}

async fn account(user: LoggedIn<Account>) -> String {
    id(user)
}

fn id(LoggedIn(user): LoggedIn<Account>) -> String {
    user.profile().subject.id().to_owned()
}

async fn everywhere(login: Login, logouts: Logouts) -> Result<(), StatusCode> {
    match logouts.log_out(login.subject()).await {
        Ok(known) => {
            assert!(known);
            Ok(())
        }
        Err(LogoutError::Owed) => Err(StatusCode::SERVICE_UNAVAILABLE),
        Err(_) => Err(StatusCode::INTERNAL_SERVER_ERROR),
    }
}

async fn fill_cart(session: Session) -> Result<(), StatusCode> {
    let filled = session.insert("cart", "a book").await;
    filled.map_err(|_| StatusCode::SERVICE_UNAVAILABLE)
}
