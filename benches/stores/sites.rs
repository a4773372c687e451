//! The application at axum-login, and at axum-clef in four ways.

use std::{sync::Arc, time::Duration};

use axum_clef::{ClefLayer, UserStore, leased::Leased, stores::PostgresUserStore};
use clef_dev::ClefService;
use time::OffsetDateTime;
use tower_sessions::{Expiry, SessionManagerLayer, cookie::SameSite};
use tower_sessions_cookie_store::{CookieSessionConfig, CookieSessionManagerLayer, Key};
use tower_sessions_redis_store::{RedisStore, fred::prelude::Pool};

use crate::{
    servers::Servers,
    shared::{Site, clef, login},
};

/// How long sessions last without a use: nobody tidies them up.
const IDLE: Duration = Duration::from_secs(60 * 60);
/// For how long users are kept.
const LEASE: Duration = Duration::from_secs(1);

/// The name of a site.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    AxumLogin,
    Plain,
    Leased,
    /// The cookie is written anew at each request, to keep the session from expiring.
    SealedLeased,
    /// It is written at the login, and the session ends at a fixed time.
    SealedOnceLeased,
}

pub fn name(kind: Kind, connections: u32, pings: bool) -> String {
    let kind = match kind {
        Kind::AxumLogin => "axum-login",
        Kind::Plain => "axum-clef",
        Kind::Leased => "axum-clef, leased",
        Kind::SealedLeased => "axum-clef, sealed and leased",
        Kind::SealedOnceLeased => "axum-clef, sealed once and leased",
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
            sites.push(axum_clef(plain, users.clone(), &sessions, service).await);
            // What is in memory needs no connection, and no ping of it.
            if !pings {
                let leased = Leased::new(users.clone(), LEASE);
                sites.push(axum_clef(name(Kind::Leased), leased, &sessions, service).await);
            }
            if !pings && connections == 8 {
                for kind in [Kind::SealedLeased, Kind::SealedOnceLeased] {
                    sites.push(sealed(kind, name(kind), users.clone(), service).await);
                }
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
    users: impl UserStore,
    sessions: &RedisStore<Pool>,
    service: &ClefService,
) -> Site {
    let auth = ClefLayer::new(clef::SITE, clef::client(service), users, sessions.clone());
    let auth = auth.unwrap().idle_expiry(IDLE);
    let pages = clef::pages().merge(auth.routes());
    clef::site(name, pages.layer(auth).with_state(()), service).await
}

async fn sealed(kind: Kind, name: String, users: PostgresUserStore, service: &ClefService) -> Site {
    let config = CookieSessionConfig::default().with_same_site(SameSite::Lax);
    let idle = IDLE.try_into().unwrap();
    let config = if kind == Kind::SealedLeased {
        let config = config.with_expiry(Expiry::OnInactivity(idle));
        config.with_always_save(true)
    } else {
        config.with_expiry(Expiry::AtDateTime(OffsetDateTime::now_utc() + idle))
    };
    let sessions = CookieSessionManagerLayer::private(Key::generate()).with_config(config);
    let users = Leased::new(users, LEASE);
    let auth =
        ClefLayer::with_session_layer(clef::SITE, clef::client(service), users, sessions).unwrap();
    let pages = clef::pages().merge(auth.routes());
    clef::site(name, pages.layer(auth).with_state(()), service).await
}
