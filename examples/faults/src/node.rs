//! One node of the site, as a process: users in PostgreSQL, leased with the bus; logins in Redis.

use std::{env, net::SocketAddr, time::Duration};

use axum::{
    Router,
    extract::Path,
    http::StatusCode,
    response::{IntoResponse as _, Response},
    routing::{get, post},
};
use axum_clef::{
    BoxError, ClefLayer, IdentityStore as _, LogInError, LoggedIn, Logouts, NewLogin, Profile,
    Subject, User as _,
    leased::{Leased, PostgresLogoutBus},
    stores::{Account, PostgresUserStore},
};
use tokio::net::TcpListener;
use tower_sessions_redis_store::{
    RedisStore,
    fred::prelude::{ClientLike as _, Config, Pool, ReconnectPolicy},
};
use tracing_subscriber::{EnvFilter, filter::LevelFilter};

/// The address that a node listens at. A process without it is the driver.
pub const ADDRESS: &str = "FAULTS_NODE";
/// The servers of a node.
pub const POSTGRES: &str = "FAULTS_POSTGRES";
pub const REDIS: &str = "FAULTS_REDIS";

/// How long each node keeps what it reads.
pub const LEASE: Duration = Duration::from_secs(1);
/// Connections to Redis.
const REDIS_CONNECTIONS: usize = 4;

/// Serves until the process is killed.
///
/// # Errors
///
/// If a server does not answer at the start.
pub async fn serve(address: &str) -> Result<(), BoxError> {
    let filter = EnvFilter::builder().with_default_directive(LevelFilter::WARN.into());
    tracing_subscriber::fmt()
        .with_env_filter(filter.from_env_lossy())
        .with_ansi(false)
        .with_writer(std::io::stderr)
        .init();
    let users = PostgresUserStore::connect(&env::var(POSTGRES)?).await?;
    users.migrate().await?;
    let bus = PostgresLogoutBus::new(users.pool().clone());

    let again = ReconnectPolicy::new_exponential(0, 100, 2_000, 2);
    let redis = Config::from_url(&env::var(REDIS)?)?;
    let redis = Pool::new(redis, None, None, Some(again), REDIS_CONNECTIONS)?;
    redis.init().await?;

    let leased = Leased::new(users.clone(), LEASE).bus(bus);
    let layer = ClefLayer::builder("https://faults.test", leased, RedisStore::new(redis));
    let layer = layer.login_page("/log-in").build()?;
    let pending = layer.clone();
    let app = Router::new()
        .route("/account", get(account))
        .route(
            "/log-in/{person}/{milliseconds}",
            post(
                async move |login: NewLogin, Path((person, pause)): Path<(String, u64)>| {
                    log_in(login, &users, person, Duration::from_millis(pause)).await
                },
            ),
        )
        .route("/log-out/{user}", post(log_out))
        .route(
            "/pending",
            get(async move || pending.pending_logouts().to_string()),
        )
        .merge(layer.routes())
        .layer(layer);
    let app = app.into_make_service_with_connect_info::<SocketAddr>();
    axum::serve(TcpListener::bind(address).await?, app).await?;
    Ok(())
}

async fn account(LoggedIn(user): LoggedIn<Account>) -> String {
    user.id()
}

/// A login whose credentials take so long to check.
async fn log_in(
    login: NewLogin,
    users: &PostgresUserStore,
    person: String,
    pause: Duration,
) -> Result<Response, LogInError> {
    tokio::time::sleep(pause).await;
    let profile = Profile::new(Subject::new("https://faults.test", person));
    match users.find_or_create(&profile).await {
        Ok(Some(user)) => Ok(login.begin(&user.id()).await?.into_response()),
        Ok(None) => Ok(StatusCode::FORBIDDEN.into_response()),
        Err(_) => Ok(StatusCode::SERVICE_UNAVAILABLE.into_response()),
    }
}

async fn log_out(logouts: Logouts, Path(user): Path<String>) -> StatusCode {
    match logouts.log_out_user(&user).await {
        Ok(true) => StatusCode::OK,
        Ok(false) => StatusCode::NOT_FOUND,
        Err(_) => StatusCode::SERVICE_UNAVAILABLE,
    }
}
