//! The application at axum-login, and at axum-clef in three ways.

use std::{sync::Arc, time::Duration};

use axum_clef::{
    ClefLayer, IdentityStore, SessionKey, Sessions, leased::Leased, stores::PostgresUserStore,
};
use clef_dev::ClefService;
use tower_sessions::{Expiry, SessionManagerLayer, cookie::SameSite};
use tower_sessions_redis_store::{RedisStore, fred::prelude::Pool};

use crate::{
    servers::Servers,
    shared::{Site, clef, login},
};

/// How long sessions last without a use: nothing deletes them.
const IDLE: Duration = Duration::from_secs(60 * 60);
/// For how long users are kept.
const LEASE: Duration = Duration::from_secs(1);

/// The name of a site.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    AxumLogin,
    Plain,
    Leased,
    SealedLeased,
}

pub fn name(kind: Kind, connections: u32, pings: bool) -> String {
    let kind = match kind {
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
