//! The same application seven times.

use axum::{
    Router,
    http::{HeaderValue, StatusCode},
    routing::get,
};
use axum_clef::{
    ClefLayer, IdentityStore, SessionKey, Sessions, User as _, UserStore as _, leased::Leased,
    stores::MemoryUserStore,
};
use clef_dev::PEOPLE;
use time::Duration;
use tower_sessions::{Expiry, MemoryStore, Session, SessionManagerLayer, cookie::SameSite};

use crate::shared::{Site, alex, answer_to, clef, login, public};

pub const BARE: &str = "bare axum";
pub const TOWER_SESSIONS: &str = "tower-sessions";
pub const AXUM_LOGIN: &str = "axum-login";
pub const AXUM_CLEF: &str = "axum-clef";
pub const AROUND: &str = "axum-clef, around the router";
pub const SEALED: &str = "axum-clef, sealed";
pub const LEASED: &str = "axum-clef, sealed and leased";

pub async fn all() -> [Site; 7] {
    let users = MemoryUserStore::new;
    let sealed = || Sessions::sealed([SessionKey::from_bytes([1; 32])]);
    let leased = || Leased::new(users(), Leased::<MemoryUserStore>::LONGEST_LEASE);
    [
        bare().await,
        tower_sessions().await,
        axum_login().await,
        axum_clef(AXUM_CLEF, users(), MemoryStore::default()).await,
        around_the_router(users(), MemoryStore::default()).await,
        axum_clef(SEALED, users(), sealed()).await,
        axum_clef(LEASED, leased(), sealed()).await,
    ]
}

/// The sessions of all but axum-clef, which has the same settings by default.
fn sessions() -> SessionManagerLayer<MemoryStore> {
    SessionManagerLayer::new(MemoryStore::default())
        .with_same_site(SameSite::Lax)
        .with_expiry(Expiry::OnInactivity(Duration::days(1)))
}

/// No layer at all, and so no user: the page of the user is a constant.
async fn bare() -> Site {
    let user = async || PEOPLE[0].id().to_owned();
    let app = Router::new()
        .route("/public", get(public))
        .route("/user", get(user))
        .with_state(());
    let cookie = HeaderValue::from_static("session=W1pKVDmVpKPMoxj8s7dMcQ");
    Site::new(BARE, app, cookie)
}

/// What one writes by hand: the id of the user in the session, and a user loaded by it.
async fn tower_sessions() -> Site {
    const USER: &str = "user";
    let users = MemoryUserStore::new();
    let for_login = users.clone();
    let login = async move |session: Session| {
        let account = for_login.find_or_create(&alex()).await.unwrap().unwrap();
        let account = for_login.log_in(&account.id()).await.unwrap().unwrap();
        session.insert(USER, account.id()).await.unwrap();
    };
    let user = async move |session: Session| {
        let id: Option<String> = session.get(USER).await.unwrap();
        let id = id.ok_or(StatusCode::UNAUTHORIZED)?;
        let account = users.load(&id).await.unwrap();
        let account = account.ok_or(StatusCode::UNAUTHORIZED)?;
        Ok::<_, StatusCode>(answer_to(&account))
    };
    let app = Router::new()
        .route("/public", get(public))
        .route("/user", get(user))
        .route("/login", get(login))
        .layer(sessions())
        .with_state(());
    Site::by_login_path(TOWER_SESSIONS, app).await
}

async fn axum_login() -> Site {
    let app = login::app(MemoryUserStore::new(), sessions());
    Site::by_login_path(AXUM_LOGIN, app).await
}

async fn axum_clef(name: &str, users: impl IdentityStore, sessions: impl Into<Sessions>) -> Site {
    let (site, _, _) = clef_site(name, users, sessions).await;
    site
}

async fn around_the_router(users: impl IdentityStore, sessions: impl Into<Sessions>) -> Site {
    let (site, layer, router) = clef_site(AROUND, users, sessions).await;
    site.within(&layer, router)
}

/// At a Clef that is gone when the requests begin. Returns the layer too, and the router without it.
async fn clef_site(
    name: &str,
    users: impl IdentityStore,
    sessions: impl Into<Sessions>,
) -> (Site, ClefLayer, Router) {
    let service = clef::service().await;
    let auth = ClefLayer::builder(clef::SITE, users, sessions);
    let auth = auth.provider(clef::client(&service)).build().unwrap();
    let router = clef::pages().merge(auth.routes()).with_state(());
    let app = router.clone().layer(auth.clone()).with_state(());
    (clef::site(name, app, &service).await, auth, router)
}
