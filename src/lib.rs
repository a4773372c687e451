//! Log out once, logged out everywhere, at once: timestamped logins for axum.
//!
//! A login has the time at which it began, a user has the time of their latest logout, and each
//! request that asks for the user compares the two. So a logout is one write, whatever the number of
//! devices, logins and nodes, and no request in progress undoes it.
//!
//! - [`ClefLayer`] goes around a router, and has the routes of login and logout.
//! - [`LoggedIn`] is the guard of a handler, [`Login`] is the login of the request, [`Logouts`] ends
//!   logins from inside the application, [`SignOut`] ends the login of this browser, and
//!   [`SameOrigin`] refuses forms of other sites. `LogoutSignal` (feature `live`) ends with the
//!   login, for what stays open.
//! - [`Permitted`] guards what not every user may do, by a [`Permission`] of the application's own.
//! - [`RecentLogin`] asks for credentials that were proven a moment ago, for what is dangerous.
//! - [`NewLogin`] logs a user in from a handler, for forms of the application's own, with or without
//!   a provider. [`SuspendedLogin`] is a login over several requests.
//! - [`NewToken`] makes bearer tokens for programs, which count on the same guards and end with the
//!   same logouts.
//! - [`UserStore`] is what an application implements for its users, and [`IdentityStore`] for users
//!   who log in at a provider; [`stores`] has three of both. `testing` (a feature) checks one of
//!   your own.
//! - [`Sessions`] is where logins are kept: in any session store of tower-sessions, or sealed in the
//!   cookie.
//! - [`provider`] is the interface to services that users log in with. `oidc` (a feature) logs users
//!   in at any OpenID provider, and `oauth2` (a feature) at GitHub and its like. `clef` (a feature)
//!   is a client of Clef's API, and the crate `clef-dev` is a service to develop against.
//!
//! The [`guide`] has a chapter on each topic, from a first site to operating one. How the code is
//! built is in `docs/architecture.md`.
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
//! # fn main() -> Result<(), axum_clef::BoxError> {
//! let clef = Clef::new("https://clef.example.com", "your app id", "your app secret")?;
//! let (users, sessions) = (MemoryUserStore::new(), MemoryStore::default());
//! let auth = ClefLayer::builder("https://example.com", users, sessions)
//!     .provider(clef)
//!     .build()?;
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
//! | `live` | `LogoutSignal` and open pages: streams, sockets and pages that end with their login |
//! | `clef` | `clef::Clef`, a client of Clef's API, and `ClefButton` |
//! | `oidc` | `oidc::Oidc`: OpenID Connect with back-channel logout |
//! | `oauth2` | `oauth2::OAuth2`: logins at OAuth 2.0 providers without OpenID Connect, such as GitHub |
//! | `security-events` | `security_events::EventReceiver`: security events of other services (SSF, CAEP, RISC) |
//! | `metrics` | counters and a gauge, through the facade `metrics` |
//! | `testing` | `testing::check_user_store` and `check_identity_store`, for tests of your own store |
//!
//! All are off by default. Those that call other services, and `postgres`, need one of three features
//! for TLS:
//!
//! | feature | TLS |
//! |---|---|
//! | `aws-lc-rs`, on by default | rustls with AWS-LC, which takes the longest to build |
//! | `ring` | rustls with ring |
//! | `native-tls` | the TLS of the platform: OpenSSL, Schannel or Secure Transport |
//!
//! To use another one, switch the default off:
//! `axum-clef = { version = "0.1", default-features = false, features = ["oidc", "ring"] }`. With `ring`,
//! an application that builds a client of reqwest without a TLS feature must first install a default
//! provider of rustls, or that panics.

#![cfg_attr(docsrs, feature(doc_cfg))]
#![warn(clippy::return_self_not_must_use)]

#[cfg(all(
    any(
        feature = "clef",
        feature = "oauth2",
        feature = "oidc",
        feature = "postgres",
        feature = "security-events"
    ),
    not(any(feature = "aws-lc-rs", feature = "native-tls", feature = "ring"))
))]
compile_error!(
    "axum-clef needs TLS for these features: enable its default features, or its feature `ring` or \
     `native-tls`"
);

mod address;
mod auth;
mod bearer;
#[cfg(any(
    feature = "clef",
    feature = "oidc",
    feature = "oauth2",
    feature = "security-events"
))]
mod calls;
#[cfg(feature = "clef")]
pub mod clef;
mod cookies;
mod extract;
#[cfg(any(doc, doctest))]
pub mod guide;
mod identity;
#[cfg(any(feature = "oidc", feature = "security-events"))]
mod jose;
mod layer;
#[cfg(feature = "leased")]
pub mod leased;
#[cfg(feature = "live")]
mod live;
mod log_limit;
#[cfg_attr(
    not(feature = "metrics"),
    expect(dead_code, reason = "nothing is counted without it")
)]
mod metrics;
#[cfg(feature = "oauth2")]
pub mod oauth2;
#[cfg(feature = "oidc")]
pub mod oidc;
mod page;
#[cfg(feature = "postgres")]
mod postgres_connection;
pub mod provider;
mod revocation;
mod routes;
#[cfg(feature = "security-events")]
pub mod security_events;
mod sessions;
mod site;
pub mod stores;
#[cfg(feature = "testing")]
pub mod testing;
mod texts;
mod time_limit;
mod timestamp;
#[cfg(any(feature = "oidc", feature = "oauth2"))]
mod token_request;
mod users;

/// The session store of tower-sessions 0.14, unchanged: every store published for it plugs in.
pub use tower_sessions::SessionStore;
// The crates whose types are part of this crate's interface, in the versions that it uses.
#[cfg(feature = "redis")]
#[doc(no_inline)]
pub use fred;
#[cfg(feature = "live")]
#[doc(no_inline)]
pub use futures_core;
#[cfg(any(feature = "sqlite", feature = "postgres"))]
#[doc(no_inline)]
pub use sqlx;
#[doc(no_inline)]
pub use {
    async_trait, axum, http, secrecy, serde_json, tokio, tower_layer, tower_service,
    tower_sessions, url,
};

#[cfg(feature = "live")]
pub use self::live::{LogoutSignal, LogoutStream};
#[cfg(feature = "clef")]
pub use self::routes::ClefButton;
pub use self::{
    address::AddressError,
    auth::{LoggedInRejection, LogoutError, RejectionKind},
    extract::{
        AllOf, AnyOf, BearerToken, LogInError, LogInErrorKind, LoggedIn, Logouts, NewLogin,
        NewToken, NewTokenError, OtherLogins, OtherLoginsError, OtherLoginsErrorKind,
        OtherLoginsRejection, Permission, Permitted, RecentLogin, SameOrigin, SameOriginRejection,
        SignOut, SignOutError, SuspendedLogin, UserPermission,
    },
    identity::{
        EventName, LoginId, LoginIdError, LogoutCause, LogoutScope, Profile, ProviderKey,
        ProviderSession, ProviderTokens, RevocationKey, Subject, SubjectIdentifier,
    },
    layer::{BuildError, ClefLayer, ClefLayerBuilder, ClefService, ResponseFuture},
    revocation::AdmissionLimits,
    routes::{LoginFailure, LoginFailureKind},
    sessions::{InvalidSessionKey, Login, SessionKey, Sessions},
    site::{Paths, PathsError},
    texts::{PageText, Translation},
    timestamp::Timestamp,
    users::{
        EndedLogin, IdentityStore, LinkOutcome, LoginCheck, LoginReference, LogoutReason, User,
        UserStore,
    },
};

/// Any error of a store or a provider.
///
/// It is logged and is the `source` of an error, but is shown on no page. It must not contain a
/// secret.
pub type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// The code of the README runs too.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
