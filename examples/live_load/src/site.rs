//! The site. Its provider needs no network: a code is a person, and so is a logout token.

use std::net::SocketAddr;

use axum::{Router, routing::get};
use axum_clef::{
    ClefLayer, LoggedIn,
    stores::{Account, MemoryUserStore},
};
use test_support::{Call, Calls, HookedUsers, Jar, ScriptedProvider};
use tokio::net::TcpListener;
use tower_sessions::MemoryStore;

use crate::{Failure, settings::Settings};

pub struct Site {
    pub address: SocketAddr,
    pub layer: ClefLayer,
    app: Router,
    calls: Calls,
}

impl Site {
    pub async fn start(settings: &Settings) -> Result<Self, Failure> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let calls = Calls::default();
        let users = HookedUsers::with(MemoryUserStore::new(), calls.clone());
        let site = format!("http://{address}");
        let layer = ClefLayer::builder(&site, users, MemoryStore::default())
            .provider(ScriptedProvider::default())
            // With the reserve on top, for the pages of few people are many here.
            .most_live_pages(settings.pages.saturating_mul(2))
            .most_live_pages_per_user(settings.each)
            .most_live_pages_per_login(settings.each)
            .build()?;
        let app = Router::new()
            .route("/account", get(|_: LoggedIn<Account>| async { "yours" }))
            .merge(layer.routes())
            .layer(layer.clone());
        let served = app.clone();
        let served = served.into_make_service_with_connect_info::<SocketAddr>();
        tokio::spawn(async move { axum::serve(listener, served).await });
        Ok(Self {
            address,
            layer,
            app,
            calls,
        })
    }

    /// How often the user store was asked whether a login counts.
    pub fn questions(&self) -> u64 {
        self.calls.of(Call::CheckLogin)
    }

    /// The cookies of each.
    pub async fn log_everybody_in(&self, people: usize) -> Result<Vec<String>, Failure> {
        let mut all = Vec::with_capacity(people);
        for person in 0..people {
            let jar = Jar::logged_in(&self.app, &person.to_string()).await;
            all.push(jar.header().to_str()?.to_owned());
        }
        Ok(all)
    }
}
