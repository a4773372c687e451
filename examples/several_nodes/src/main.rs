//! One node of a site that runs on several: users in PostgreSQL, logins in Redis.
//!
//! With a Clef to log in with (`cargo run -p clef-dev`) and both servers at hand:
//!
//! ```sh
//! export POSTGRES_URL=postgres://postgres@127.0.0.1:5432/test REDIS_URL=redis://127.0.0.1:6379
//! cargo run -p several_nodes                            # one node
//! SITE_ADDR=127.0.0.1:3001 cargo run -p several_nodes   # another
//! ```
//!
//! `SITE_URL`, by default `http://127.0.0.1:3000`, is the address that people know, of the
//! load balancer say: the same for all nodes. Log in there, look at both nodes, press "Log out
//! now" on the phone, and look again: Clef tells one of them, and both know.

use std::{env, error::Error, net::SocketAddr};

use axum::{Router, routing::get};
use axum_clef::{
    ClefLayer, LoggedIn, User as _,
    clef::Clef,
    stores::{Account, PostgresUserStore},
};
use clef_dev::TEST_APPLICATIONS;
use tokio::net::TcpListener;
use tower_sessions_redis_store::{
    RedisStore,
    fred::prelude::{ClientLike as _, Config, Pool, ReconnectPolicy},
};

/// Connections to Redis.
const REDIS_CONNECTIONS: usize = 4;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let users = PostgresUserStore::connect(&variable("POSTGRES_URL")?).await;
    let users = users.map_err(|error| format!("no server answers at POSTGRES_URL: {error}"))?;
    users.migrate().await?;

    // A Redis that is gone is connected to again, after a tenth of a second and then longer and
    // longer, up to two seconds. The zero: as often as it takes.
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
    let auth = ClefLayer::builder(&site, users, sessions)
        .provider(clef)
        .build()?;

    let app = Router::new()
        .route("/", get(home))
        .merge(auth.routes())
        .layer(auth);
    let listener = TcpListener::bind(or_else("SITE_ADDR", "127.0.0.1:3000")).await?;
    println!("http://{} of {site}", listener.local_addr()?);
    // With the client's address, by which the login routes limit each client. Behind a load
    // balancer, set `ClefLayerBuilder::client_address` too.
    let app = app.into_make_service_with_connect_info::<SocketAddr>();
    axum::serve(listener, app).await?;
    Ok(())
}

async fn home(user: Option<LoggedIn<Account>>) -> String {
    match user {
        Some(LoggedIn(user)) => format!("You are user {}.\n", user.id()),
        None => "You are nobody here. Log in at /clef/login\n".to_owned(),
    }
}

fn variable(name: &str) -> Result<String, String> {
    env::var(name).map_err(|_| format!("{name} is not set; the top of this example says how"))
}

fn or_else(name: &str, default: &str) -> String {
    env::var(name).unwrap_or_else(|_| default.to_owned())
}
