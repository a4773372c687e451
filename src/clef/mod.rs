//! Clef, version 1 of its API: log in by a wave of the phone, and end every login with one
//! tap on it.
//!
//! The hosted service closed in 2017. [`Clef::new`] takes the base URL of a service that speaks
//! its API; for development and tests, the crate `clef-dev` is one on your own machine.
//!
//! # In a test
//!
//! A whole test of a site, without a browser and without a phone:
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
//! let auth = ClefLayer::new(&site, clef, MemoryUserStore::new(), MemoryStore::default())?;
//! let app = Router::new()
//!     .route("/account", get(|_: LoggedIn<Account>| async { "yours" }))
//!     .merge(auth.routes())
//!     .layer(auth);
//! // With the client's address, by which the login routes limit each client.
//! let app = app.into_make_service_with_connect_info::<SocketAddr>();
//! tokio::spawn(async move { axum::serve(listener, app).await });
//!
//! // A browser: it keeps cookies, and shows where it is sent.
//! let browser = Client::builder()
//!     .cookie_store(true)
//!     .redirect(redirect::Policy::none())
//!     .build()?;
//! let account = format!("{site}/account");
//! assert_eq!(browser.get(&account).send().await?.status(), StatusCode::UNAUTHORIZED);
//!
//! // The site sends it to Clef, Alex approves, and it comes back.
//! let start = browser.get(format!("{site}/clef/login")).send().await?;
//! let callback = service.approve(alex, start.headers()["location"].to_str()?).await?;
//! browser.get(callback).send().await?;
//! assert_eq!(browser.get(&account).send().await?.status(), StatusCode::OK);
//!
//! // "Log out now": when every site has answered, the login is over.
//! let deliveries = service.log_out(alex).await?;
//! assert!(deliveries[0].succeeded());
//! assert_eq!(browser.get(&account).send().await?.status(), StatusCode::UNAUTHORIZED);
//! # Ok(())
//! # }
//! ```

mod answer;
mod button;
mod client;
mod error;

pub use self::{
    button::{ButtonColor, ButtonStyle, ButtonType},
    client::Clef,
    error::ClefError,
};
