//! A site over stores with faults.

use std::{
    net::{IpAddr, Ipv4Addr},
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering::SeqCst},
    },
    time::Duration,
};

use axum::{
    Router,
    http::{StatusCode, request::Parts},
    routing::{get, post},
};
use axum_clef::{
    ClefLayer, IdentityStore, LoggedIn, Login, LogoutError, Logouts, SessionKey, Sessions, SignOut,
    SignOutError, Timestamp,
    provider::Provider,
    stores::{Account, MemoryUserStore},
};

use crate::{
    fault::Faults,
    provider::OnceOnly,
    sessions::FaultySessions,
    users::{FaultyUsers, InParts},
};

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
    pub layer: ClefLayer,
}

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

    /// A node whose users log in at another provider.
    pub fn node_with(&self, provider: impl Provider) -> Node {
        let users = self.users.clone();
        node(users, self.sessions.clone(), provider, loopback)
    }

    /// A node that finds the client address of a request so.
    pub fn node_behind(
        &self,
        find: impl Fn(&Parts) -> Option<IpAddr> + Send + Sync + 'static,
    ) -> Node {
        let (users, sessions) = (self.users.clone(), self.sessions.clone());
        node(users, sessions, self.provider.clone(), find)
    }

    /// A node that checks a login by several questions to the user store.
    pub fn node_in_parts(&self) -> Node {
        let users = InParts(self.users.clone());
        node(
            users,
            self.sessions.clone(),
            self.provider.clone(),
            loopback,
        )
    }

    /// A node whose logins are sealed.
    pub fn sealed_node(&self) -> Node {
        let sessions = Sessions::sealed([SessionKey::from_bytes([7; 32])]);
        node(
            self.users.clone(),
            sessions,
            self.provider.clone(),
            loopback,
        )
    }
}

fn loopback(_: &Parts) -> Option<IpAddr> {
    Some(Ipv4Addr::LOCALHOST.into())
}

fn node(
    users: impl IdentityStore,
    sessions: impl Into<Sessions>,
    provider: impl Provider,
    client_address: impl Fn(&Parts) -> Option<IpAddr> + Send + Sync + 'static,
) -> Node {
    let layer = ClefLayer::builder("http://127.0.0.1:9", users, sessions)
        .provider(provider)
        .client_address(client_address)
        .build()
        .unwrap();
    Node {
        app: app(&layer),
        layer,
    }
}

fn app(layer: &ClefLayer) -> Router {
    pages(layer.routes()).layer(layer.clone())
}

/// The pages of the site, and nothing around them.
pub fn pages(routes: Router) -> Router {
    Router::new()
        .route("/", get(home))
        .route("/account", get(account))
        .route("/everywhere", post(everywhere))
        .route("/leave", post(leave))
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
    match logouts.log_out_user(login.user_id()).await {
        Ok(known) => {
            assert!(known);
            Ok(())
        }
        Err(LogoutError::Pending) => Err(StatusCode::SERVICE_UNAVAILABLE),
        Err(_) => Err(StatusCode::INTERNAL_SERVER_ERROR),
    }
}

async fn leave(sign_out: SignOut) -> Result<(), SignOutError> {
    sign_out.end().await
}
