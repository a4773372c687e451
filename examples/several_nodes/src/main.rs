//! One node of a site that runs on several: users in PostgreSQL, cached for a second with a logout bus, and
//! logins in Redis.
//!
//! With a Clef to log in with (`cargo run -p clef-dev`) and both servers running:
//!
//! ```sh
//! export POSTGRES_URL=postgres://postgres@127.0.0.1:5432/test REDIS_URL=redis://127.0.0.1:6379
//! cargo run -p several_nodes                            # one node
//! SITE_ADDR=127.0.0.1:3001 cargo run -p several_nodes   # another
//! ```
//!
//! Log in at `http://127.0.0.1:3000`, and look at both nodes. Log out everywhere at one of them, or press
//! "Log out now" on the phone, and look again.
//!
//! `SITE_URL` is the address in the browser, the same for all nodes. Behind a load balancer it is the load
//! balancer's. It defaults to the first node, `http://127.0.0.1:3000`.

use std::{
    env,
    future::pending,
    net::{Ipv4Addr, SocketAddr},
    time::Duration,
};

use axum::{
    Router,
    response::{Html, Redirect},
    routing::{get, post},
};
use axum_clef::{
    BoxError, ClefLayer, LoggedIn, Login, LogoutCause, LogoutError, Logouts, SameOrigin, User as _,
    clef::Clef,
    leased::{Leased, PostgresLogoutBus},
    stores::{Account, PostgresUserStore},
};
use clef_dev::TEST_APPLICATIONS;
use tokio::{net::TcpListener, signal};
use tower_sessions_redis_store::{
    RedisStore,
    fred::prelude::{ClientLike as _, Config, Pool, ReconnectPolicy},
};

/// Connections to Redis.
const REDIS_CONNECTIONS: usize = 4;

/// How long a node caches users.
const LEASE: Duration = Duration::from_secs(1);

#[tokio::main]
async fn main() -> Result<(), BoxError> {
    let users = PostgresUserStore::connect(&variable("POSTGRES_URL")?).await;
    let users = users.map_err(|error| format!("no server answers at POSTGRES_URL: {error}"))?;
    users.migrate().await?;
    let bus = PostgresLogoutBus::new(users.pool().clone());
    let users = Leased::new(users, LEASE).bus(bus.clone());

    // Connects again after a tenth of a second, and then after up to two seconds. Zero is no limit.
    let again = ReconnectPolicy::new_exponential(0, 100, 2_000, 2);
    let redis = Config::from_url(&variable("REDIS_URL")?)?;
    let redis = Pool::new(redis, None, None, Some(again), REDIS_CONNECTIONS)?;
    let connected = redis.init().await;
    connected.map_err(|error| format!("no server answers at REDIS_URL: {error}"))?;
    let sessions = RedisStore::new(redis);

    let clef = or_else("CLEF_URL", "http://127.0.0.1:5050");
    let application = &TEST_APPLICATIONS[0];
    let clef = Clef::new(&clef, application.id(), application.secret())?;
    let site = or_else("SITE_URL", "http://127.0.0.1:3000");
    let listener = TcpListener::bind(or_else("SITE_ADDR", "127.0.0.1:3000")).await?;
    let address = listener.local_addr()?;
    let mut auth = ClefLayer::builder(&site, users, sessions).provider(clef);
    // Opened by its own port, and not through a load balancer.
    let own = format!("http://{address}");
    if address.ip() == Ipv4Addr::LOCALHOST && own != site {
        auth = auth.trusted_origin(&own);
    }
    let auth = auth.build()?;

    let app = Router::new()
        .route("/", get(home))
        .route("/log-out-everywhere", post(log_out_everywhere))
        .merge(auth.routes())
        .layer(auth);
    println!("http://{address} of {site}");
    // The login routes limit each client by its address. Behind a load balancer, set
    // `ClefLayerBuilder::client_address` too.
    let app = app.into_make_service_with_connect_info::<SocketAddr>();
    axum::serve(listener, app)
        .with_graceful_shutdown(stop())
        .await?;
    // So that no logout at another node waits for this one.
    bus.leave().await?;
    Ok(())
}

/// Resolves with Ctrl-C, and with the SIGTERM of systemd, Docker and Kubernetes.
async fn stop() {
    let ctrl_c = async {
        if signal::ctrl_c().await.is_err() {
            pending::<()>().await;
        }
    };
    #[cfg(unix)]
    let terminate = async {
        match signal::unix::signal(signal::unix::SignalKind::terminate()) {
            Ok(mut terminate) => drop(terminate.recv().await),
            Err(_) => pending().await,
        }
    };
    #[cfg(not(unix))]
    let terminate = pending::<()>();
    tokio::select! {
        () = ctrl_c => {}
        () = terminate => {}
    }
}

async fn home(user: Option<LoggedIn<Account>>) -> Html<String> {
    Html(match user {
        Some(LoggedIn(user)) => format!(
            r#"<p>You are user {}.
            <form method="post" action="/log-out-everywhere"><button>Log out everywhere</button></form>"#,
            user.id()
        ),
        None => r#"<p>You are not logged in. <a href="/clef/login">Log in</a>"#.to_owned(),
    })
}

async fn log_out_everywhere(
    _: SameOrigin,
    login: Login,
    logouts: Logouts,
) -> Result<Redirect, LogoutError> {
    let logouts = logouts.with_cause(LogoutCause::User);
    logouts.log_out_user(login.user_id()).await?;
    Ok(Redirect::to("/"))
}

fn variable(name: &str) -> Result<String, String> {
    env::var(name).map_err(|_| format!("{name} is not set; the top of this example says how"))
}

fn or_else(name: &str, default: &str) -> String {
    env::var(name).unwrap_or_else(|_| default.to_owned())
}
