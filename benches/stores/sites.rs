//! The application at axum-login, at axum-clef in three ways, and without either.

use std::{sync::Arc, time::Duration};

use axum::{Router, http::HeaderValue, routing::get};
use axum_clef::{
    ClefLayer, IdentityStore, SessionKey, Sessions, User as _, leased::Leased,
    stores::PostgresUserStore,
};
use clef_dev::ClefService;
use sqlx::PgPool;
use tower_sessions::{Expiry, SessionManagerLayer, cookie::SameSite};
use tower_sessions_redis_store::{
    RedisStore,
    fred::{
        prelude::{KeysInterface as _, Pool},
        types::Expiration,
    },
};

use crate::{
    servers::Servers,
    shared::{Site, alex, clef, login, public},
};

/// How long sessions last without a use: nothing deletes them.
const IDLE: Duration = Duration::from_secs(60 * 60);
/// For how long users are kept.
const LEASE: Duration = Duration::from_secs(1);

/// The name of a site.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Floor,
    AxumLogin,
    Plain,
    Leased,
    SealedLeased,
}

pub fn name(kind: Kind, connections: u32, pings: bool) -> String {
    let kind = match kind {
        Kind::Floor => "one GET and one SELECT",
        Kind::AxumLogin => "axum-login",
        Kind::Plain => "axum-clef",
        Kind::Leased => "axum-clef, leased",
        Kind::SealedLeased => "axum-clef, sealed and leased",
    };
    let ping = if pings { ", ping" } else { "" };
    format!("{kind}, {connections}{ping}")
}

/// One of [`all`].
pub fn of(sites: &[Arc<Site>], kind: Kind, connections: u32, pings: bool) -> &Site {
    let name = name(kind, connections, pings);
    sites.iter().find(|site| site.name == name).unwrap()
}

pub async fn all(servers: &Servers, service: &ClefService) -> Vec<Arc<Site>> {
    let mut sites = Vec::new();
    for connections in [8, 16] {
        let sessions = RedisStore::new(servers.sessions(connections as usize).await);
        for pings in [false, true] {
            let users = servers.users(connections, pings).await;
            let name = |kind| name(kind, connections, pings);
            sites.push(axum_login(name(Kind::AxumLogin), &users, &sessions).await);
            let plain = name(Kind::Plain);
            sites.push(axum_clef(plain, users.clone(), sessions.clone(), service).await);
            if !pings {
                let pool = servers.pool(connections, pings).await;
                let redis = servers.sessions(connections as usize).await;
                sites.push(floor(name(Kind::Floor), servers, pool, redis).await);
            }
            // What is in memory needs no connection, and no ping of it.
            if !pings {
                let leased = Leased::new(users.clone(), LEASE);
                let sessions = sessions.clone();
                sites.push(axum_clef(name(Kind::Leased), leased, sessions, service).await);
            }
            if !pings && connections == 8 {
                let leased = Leased::new(users, LEASE);
                let sealed = Sessions::sealed([SessionKey::from_bytes([1; 32])]);
                sites.push(axum_clef(name(Kind::SealedLeased), leased, sealed, service).await);
            }
        }
    }
    sites.into_iter().map(Arc::new).collect()
}

/// The least that a session in Redis and a user in PostgreSQL cost: a session is read, then a user.
async fn floor(name: String, servers: &Servers, pool: PgPool, redis: Pool) -> Site {
    let key = format!("{}:floor", servers.name);
    // As much as the record of a login.
    let lifetime = Some(Expiration::EX(IDLE.as_secs().try_into().unwrap()));
    let set = redis.set::<(), _, _>(&key, "x".repeat(300), lifetime, None, false);
    set.await.unwrap();
    let users = PostgresUserStore::new(pool.clone());
    let account = users.find_or_create(&alex()).await.unwrap().unwrap();
    let id: i64 = account.id().parse().unwrap();
    let user = async move || {
        let session: Vec<u8> = redis.get(&key).await.unwrap();
        assert!(!session.is_empty());
        let select = sqlx::query_scalar("select subject from clef_users where id = $1");
        let subject: String = select.bind(id).fetch_one(&pool).await.unwrap();
        subject
    };
    let app = Router::new()
        .route("/public", get(public))
        .route("/user", get(user));
    Site::new(name, app, HeaderValue::from_static("session=none"))
}

async fn axum_login(name: String, users: &PostgresUserStore, sessions: &RedisStore<Pool>) -> Site {
    let sessions = SessionManagerLayer::new(sessions.clone())
        .with_same_site(SameSite::Lax)
        .with_expiry(Expiry::OnInactivity(IDLE.try_into().unwrap()));
    Site::by_login_path(name, login::app(users.clone(), sessions)).await
}

async fn axum_clef(
    name: String,
    users: impl IdentityStore,
    sessions: impl Into<Sessions>,
    service: &ClefService,
) -> Site {
    let auth = ClefLayer::builder(clef::SITE, users, sessions)
        .provider(clef::client(service))
        .idle_expiry(IDLE)
        .build()
        .unwrap();
    let pages = clef::pages().merge(auth.routes());
    clef::site(name, pages.layer(auth).with_state(()), service).await
}
