//! Clef, version 1 of its API: users log in with their phone, and end all their logins there.
//!
//! The hosted service closed in 2017. [`Clef::new`] takes the base URL of a service with its API.
//! For development and tests, the crate `clef-dev` runs one on your machine.
//!
//! # In a test
//!
//! A complete test of a site, without a browser and a phone:
//!
//! ```
//! use std::net::SocketAddr;
//!
//! use axum::{Router, routing::get};
//! use axum_clef::{
//!     ClefLayer, LoggedIn,
//!     clef::Clef,
//!     stores::{Account, MemoryUserStore},
//! };
//! use clef_dev::{ClefService, PEOPLE, TEST_APPLICATIONS};
//! use reqwest::{Client, StatusCode, redirect};
//! use tower_sessions::MemoryStore;
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let service = ClefService::start("127.0.0.1:0".parse()?).await?;
//! let application = &TEST_APPLICATIONS[0];
//! let alex = PEOPLE[0].id();
//!
//! // The site under test, on a free port.
//! let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
//! let site = format!("http://{}", listener.local_addr()?);
//! let clef = Clef::new(&service.url(), application.id(), application.secret())?;
//! let auth = ClefLayer::builder(&site, MemoryUserStore::new(), MemoryStore::default())
//!     .provider(clef)
//!     .build()?;
//! let app = Router::new()
//!     .route("/account", get(|_: LoggedIn<Account>| async { "yours" }))
//!     .merge(auth.routes())
//!     .layer(auth);
//! // The login routes limit clients by their address.
//! let app = app.into_make_service_with_connect_info::<SocketAddr>();
//! tokio::spawn(async move { axum::serve(listener, app).await });
//!
//! // A browser with cookies that does not follow redirects.
//! let browser = Client::builder()
//!     .cookie_store(true)
//!     .redirect(redirect::Policy::none())
//!     .build()?;
//! let account = format!("{site}/account");
//! assert_eq!(browser.get(&account).send().await?.status(), StatusCode::UNAUTHORIZED);
//!
//! // The site redirects it to Clef, Alex approves, and Clef redirects it back.
//! let start = browser.get(format!("{site}/clef/login")).send().await?;
//! let callback = service.approve(alex, start.headers()["location"].to_str()?).await?;
//! browser.get(callback).send().await?;
//! assert_eq!(browser.get(&account).send().await?.status(), StatusCode::OK);
//!
//! // "Log out now" returns when every site has answered. Then the login has ended.
//! let deliveries = service.log_out(alex).await?;
//! assert!(deliveries[0].succeeded());
//! assert_eq!(browser.get(&account).send().await?.status(), StatusCode::UNAUTHORIZED);
//! # Ok(())
//! # }
//! ```

mod button;
mod client;
mod error;
mod response;

pub use self::{
    button::{ButtonColor, ButtonStyle, ButtonType},
    client::Clef,
    error::ClefError,
};
