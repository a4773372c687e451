//! One node of the site, which can be stopped and started, and whose bus can be cut.

use std::{
    net::SocketAddr,
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
};

use axum::{
    Router,
    extract::Path,
    http::StatusCode,
    routing::{get, post},
};
use axum_clef::{
    BoxError, ClefLayer, LoggedIn, Logouts, Subject,
    leased::{Leased, PostgresLogoutBus},
    stores::{Account, PostgresUserStore},
};
use sqlx::postgres::PgPoolOptions;
use test_support::{Calls, Cut, HookedSessions, HookedUsers, Proxy, ScriptedProvider, World};
use tokio::{net::TcpListener, sync::oneshot, task::JoinHandle};

use crate::{LEASE, databases::Databases, wires};

/// Guarded.
pub const ACCOUNT: &str = "/account";
/// Connections of the bus: one listens, the others publish.
const BUS_CONNECTIONS: u32 = 4;

pub struct Node {
    pub address: SocketAddr,
    users: PostgresUserStore,
    sessions: HookedSessions<Calls>,
    calls: Calls,
    bus_url: String,
    issuer: String,
    proxy: Proxy,
    running: Mutex<Option<Running>>,
    /// How often it was started.
    starts: AtomicUsize,
}

struct Running {
    stop: oneshot::Sender<()>,
    server: JoinHandle<()>,
}

impl Node {
    /// # Errors
    ///
    /// When a server or a port cannot be had.
    pub async fn start(
        databases: &Databases,
        number: usize,
        issuer: &str,
    ) -> Result<Self, BoxError> {
        let url = databases.users();
        let users = PostgresUserStore::connect(url.as_str()).await?;
        if number == 0 {
            users.migrate().await?;
        }
        let mut bus_url = url;
        let host = bus_url.host_str().unwrap_or("127.0.0.1");
        let postgres = format!("{host}:{}", bus_url.port().unwrap_or(5432));
        let proxy = Proxy::to(postgres).await?;
        bus_url.set_host(Some("127.0.0.1"))?;
        let set = bus_url.set_port(Some(proxy.address.port()));
        set.map_err(|()| "POSTGRES_URL has no port to change")?;
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let node = Self {
            address: listener.local_addr()?,
            users,
            sessions: databases.sessions().await?,
            calls: databases.calls.clone(),
            bus_url: bus_url.into(),
            issuer: issuer.to_owned(),
            proxy,
            running: Mutex::default(),
            starts: AtomicUsize::new(0),
        };
        node.serve(listener).await?;
        Ok(node)
    }

    /// # Errors
    ///
    /// When its port is taken meanwhile.
    pub async fn start_again(&self) -> Result<(), BoxError> {
        self.serve(TcpListener::bind(self.address).await?).await
    }

    /// As a process does that starts: with an empty memory and a bus of its own.
    async fn serve(&self, listener: TcpListener) -> Result<(), BoxError> {
        let users = HookedUsers::with(self.users.clone(), self.calls.clone());
        let pool = PgPoolOptions::new()
            .max_connections(BUS_CONNECTIONS)
            .test_before_acquire(false);
        let bus = PostgresLogoutBus::new(pool.connect_lazy(&self.bus_url)?);
        let users = Leased::new(users, LEASE).bus(bus);
        let layer = ClefLayer::builder(World::SITE, users, self.sessions.clone());
        let provider = ScriptedProvider::default().with_issuer(&self.issuer);
        provider.names_sessions.store(true, SeqCst);
        let layer = wires::mount(layer.provider(provider), &self.issuer).await?;
        let layer = layer.build()?;
        let issuer = self.issuer.clone();
        let app = Router::new()
            .route(ACCOUNT, get(account))
            .route(
                "/log-out/{person}",
                post(async move |logouts: Logouts, Path(person): Path<String>| {
                    let person = Subject::new(issuer, person);
                    match logouts.log_out_subject(&person).await {
                        Ok(_) => StatusCode::OK,
                        Err(_) => StatusCode::SERVICE_UNAVAILABLE,
                    }
                }),
            )
            .merge(layer.routes())
            .layer(layer);
        let app = app.into_make_service_with_connect_info::<SocketAddr>();
        let (stop, stopped) = oneshot::channel();
        let server = tokio::spawn(async move {
            let serving = axum::serve(listener, app).with_graceful_shutdown(async {
                let _ = stopped.await;
            });
            // There is no error that it ends with.
            let _ = serving.await;
        });
        self.starts.fetch_add(1, SeqCst);
        *self.running() = Some(Running { stop, server });
        Ok(())
    }

    /// Lets what is under way end, and forgets everything.
    pub async fn stop(&self) {
        let running = self.running().take();
        if let Some(Running { stop, server }) = running {
            let _ = stop.send(());
            let _ = server.await;
        }
    }

    pub fn is_running(&self) -> bool {
        self.running().is_some()
    }

    /// How often it was started.
    pub fn starts(&self) -> usize {
        self.starts.load(SeqCst)
    }

    pub fn calls(&self) -> Calls {
        self.calls.clone()
    }

    pub fn cut_bus(&self, cut: bool) {
        self.proxy.cut(if cut { Cut::All } else { Cut::None });
    }

    fn running(&self) -> MutexGuard<'_, Option<Running>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn account(LoggedIn(user): LoggedIn<Account>) -> String {
    user.profile().subject.id().to_owned()
}
