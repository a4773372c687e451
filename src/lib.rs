//! Log out once, logged out everywhere, at once: timestamped logins for axum.
//!
//! The session remembers when it was logged in, the user remembers when they were logged out,
//! and whenever a handler asks who is there, the two are compared. So a logout is one write,
//! whatever the number of devices, sessions and nodes, and no request in flight can undo it.
//!
//! - [`ClefLayer`] goes around a router: it brings sessions in and has the routes of login
//!   and logout.
//! - [`LoggedIn`] is the guard of a handler, [`Login`] says when and whose, [`Logouts`] ends
//!   logins from inside the application, [`LoginEnd`] tells what is still open that one has ended,
//!   [`SameOrigin`] keeps forms of other sites out.
//! - [`UserStore`] is what an application implements for its users; [`stores`] has three.
//!   `testing` (a feature) checks one of your own.
//! - [`clef`] speaks Clef's API, behind the [`provider`] seam; the crate `clef-dev` is
//!   a service to develop against. `oidc` (a feature) logs people in at any OpenID provider.
//!
//! ```
//! use axum::{Router, routing::get};
//! use axum_clef::{
//!     ClefLayer, LoggedIn,
//!     clef::Clef,
//!     stores::{Account, MemoryUserStore},
//! };
//! use tower_sessions::MemoryStore;
//!
//! async fn home(user: Option<LoggedIn<Account>>) -> &'static str {
//!     match user {
//!         Some(_) => "Welcome back!",
//!         None => "Hello! Log in at /clef/login",
//!     }
//! }
//!
//! # fn main() -> Result<(), axum_clef::AddressError> {
//! let clef = Clef::new("https://clef.example.com", "your app id", "your app secret")?;
//! let users = MemoryUserStore::new();
//! let auth = ClefLayer::new("https://example.com", clef, users, MemoryStore::default())?;
//!
//! let app: Router = Router::new()
//!     .route("/", get(home))
//!     .merge(auth.routes())
//!     .layer(auth);
//! # Ok(())
//! # }
//! ```
//!
//! # Features
//!
//! | feature | what it adds |
//! |---|---|
//! | `sqlite` | `stores::SqliteUserStore`, through sqlx |
//! | `postgres` | `stores::PostgresUserStore`, through sqlx, for several nodes |
//! | `leased` | `leased::Leased`: users kept in memory for a moment, on any number of nodes |
//! | `redis` | `leased::RedisLogoutBus`: news of logouts over Redis |
//! | `oidc` | `oidc::Oidc`: OpenID Connect with back-channel logout |
//! | `testing` | `testing::check_user_store`, for tests of your own store |
//!
//! All are off by default.

#![cfg_attr(docsrs, feature(doc_cfg))]

mod address;
mod box_error;
mod calls;
pub mod clef;
mod cookies;
mod extract;
mod layer;
#[cfg(feature = "leased")]
pub mod leased;
mod live;
mod log_limit;
mod logout_scope;
#[cfg(feature = "oidc")]
pub mod oidc;
mod pending;
mod profile;
pub mod provider;
mod provider_session;
mod routes;
mod session;
mod site;
pub mod stores;
mod strangers;
#[cfg(feature = "testing")]
pub mod testing;
mod time_limit;
mod timestamp;
mod user;

/// The session store of tower-sessions 0.14, as it is: every store published for it plugs in.
pub use tower_sessions::SessionStore;

pub use self::{
    address::AddressError,
    box_error::BoxError,
    extract::{
        LoggedIn, Login, LogoutError, Logouts, Rejection, RejectionKind, SameOrigin,
        SameOriginRejection,
    },
    layer::{ClefLayer, ClefLayerService, ClefSessions},
    live::{LoginEnd, LoginEnding},
    profile::{Profile, Subject},
    provider_session::ProviderSession,
    routes::{AdmissionLimits, ClefButton, LoginFailure, LoginFailureKind, Paths, PathsError},
    timestamp::Timestamp,
    user::{LoginReference, LogoutNews, Standing, User, UserStore},
};

/// The code of the README runs too.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
