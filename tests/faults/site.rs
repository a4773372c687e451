//! A site over stores with faults.

use std::{
    collections::HashSet,
    net::{IpAddr, Ipv4Addr},
    sync::{Arc, Mutex, atomic::Ordering::SeqCst},
    time::Duration,
};

use axum::{
    Router,
    extract::Query,
    http::{StatusCode, request::Parts},
    response::Redirect,
    routing::{get, post},
};
use axum_clef::{
    ClefLayer, IdentityStore, LogInError, LoggedIn, Login, LogoutError, Logouts, NewLogin,
    NewToken, NewTokenError, OtherLogins, OtherLoginsError, RecentLogin, SessionKey, Sessions,
    SignOut, SignOutError,
    provider::{Provider, ProviderError, ProviderErrorKind},
    secrecy::ExposeSecret as _,
    stores::Account,
};
use test_support::{
    Asked, HookedSessions, HookedUsers, InParts, LinkedUsers, ScriptedProvider, TestClock, World,
    hook::Flag, record::login_in, refused,
};
use tower_sessions::MemoryStore;

use crate::fault::Faults;

/// Everything that the nodes of the site share.
pub struct Site {
    pub faults: Faults,
    pub users: HookedUsers<Faults>,
    pub sessions: HookedSessions<Faults>,
    pub provider: ScriptedProvider,
    /// The provider panics at everything.
    pub provider_panics: Flag,
    clock: TestClock,
}

/// One process of the site.
pub struct Node {
    pub app: Router,
    pub layer: ClefLayer,
}

impl Site {
    pub fn new() -> Self {
        let (faults, clock) = (Faults::default(), TestClock::new());
        let provider_panics = Flag::default();
        Self {
            users: HookedUsers::with(LinkedUsers::new(clock.users()), faults.clone()),
            sessions: HookedSessions::with(MemoryStore::default(), faults.clone()),
            provider: provider(&provider_panics),
            provider_panics,
            faults,
            clock,
        }
    }

    /// Turns the clock of the users forward.
    pub fn advance(&self, time: Duration) {
        self.clock.advance_by(time);
    }

    /// The ids of the users whose logins are stored.
    pub async fn logged_in(&self) -> Vec<String> {
        let ids: HashSet<_> = self
            .faults
            .records
            .lock()
            .unwrap()
            .iter()
            .copied()
            .collect();
        let mut users = Vec::new();
        for id in ids {
            if let Some(record) = self.sessions.inner.load(&id).await.unwrap() {
                users.push(login_in(&record)["user"].as_str().unwrap().to_owned());
            }
        }
        users
    }

    pub fn node(&self) -> Node {
        self.node_with(self.provider.clone())
    }

    /// A node whose users log in at another provider.
    pub fn node_with(&self, provider: impl Provider) -> Node {
        let users = self.users.clone();
        node(users, self.sessions.clone(), provider, loopback)
    }

    /// A node that finds the client address of a request so.
    pub fn node_behind(
        &self,
        find: impl Fn(&Parts) -> Option<IpAddr> + Send + Sync + 'static,
    ) -> Node {
        let (users, sessions) = (self.users.clone(), self.sessions.clone());
        node(users, sessions, self.provider.clone(), find)
    }

    /// A node that checks a login by several questions to the user store.
    pub fn node_in_parts(&self) -> Node {
        let users = InParts(self.users.clone());
        node(
            users,
            self.sessions.clone(),
            self.provider.clone(),
            loopback,
        )
    }

    /// A node whose logins are sealed.
    pub fn sealed_node(&self) -> Node {
        let sessions = Sessions::sealed([SessionKey::from_bytes([7; 32])]);
        node(
            self.users.clone(),
            sessions,
            self.provider.clone(),
            loopback,
        )
    }
}

/// A token is good for one exchange, as Clef's are. The token `unknown-key` cannot be checked.
fn provider(panics: &Flag) -> ScriptedProvider {
    let (panics, exchanged) = (Arc::clone(panics), Arc::<Mutex<HashSet<_>>>::default());
    ScriptedProvider::default().with_step(move |asked, secret| {
        assert!(!panics.load(SeqCst), "the provider panics");
        let unknown_key = secret.starts_with("unknown-key");
        let again = asked == Asked::Notice && !exchanged.lock().unwrap().insert(secret);
        async move {
            if unknown_key {
                let kind = ProviderErrorKind::Unavailable;
                return Err(ProviderError::new(kind, "the key is not known"));
            }
            match again {
                true => Err(refused("exchanged before")),
                false => Ok(()),
            }
        }
    })
}

fn loopback(_: &Parts) -> Option<IpAddr> {
    Some(Ipv4Addr::LOCALHOST.into())
}

fn node(
    users: impl IdentityStore,
    sessions: impl Into<Sessions>,
    provider: impl Provider,
    client_address: impl Fn(&Parts) -> Option<IpAddr> + Send + Sync + 'static,
) -> Node {
    let layer = ClefLayer::builder(World::SITE, users, sessions)
        .provider(provider)
        .client_address(client_address)
        .bearer_tokens([SessionKey::from_bytes([8; 32])])
        .build()
        .unwrap();
    Node {
        app: app(&layer),
        layer,
    }
}

fn app(layer: &ClefLayer) -> Router {
    pages(layer.routes()).layer(layer.clone())
}

/// The pages of the site, and nothing around them.
pub fn pages(routes: Router) -> Router {
    Router::new()
        .route("/", get(home))
        .route("/account", get(account))
        .route("/everywhere", post(everywhere))
        .route("/leave", post(leave))
        .route("/form", post(form))
        .route("/recent", get(recent))
        .route("/token", post(token))
        .route("/others", post(others))
        .merge(routes)
}

async fn home(user: Option<LoggedIn<Account>>) -> String {
    user.map_or("nobody".to_owned(), id)
}

async fn account(user: LoggedIn<Account>) -> String {
    id(user)
}

fn id(LoggedIn(user): LoggedIn<Account>) -> String {
    user.profile().subject.id().to_owned()
}

async fn everywhere(login: Login, logouts: Logouts) -> Result<(), StatusCode> {
    match logouts.log_out_user(login.user_id()).await {
        Ok(known) => {
            assert!(known);
            Ok(())
        }
        Err(LogoutError::Pending) => Err(StatusCode::SERVICE_UNAVAILABLE),
        Err(_) => Err(StatusCode::INTERNAL_SERVER_ERROR),
    }
}

async fn leave(sign_out: SignOut) -> Result<(), SignOutError> {
    sign_out.end().await
}

#[derive(serde::Deserialize)]
struct Form {
    user: String,
}

async fn form(login: NewLogin, Query(form): Query<Form>) -> Result<Redirect, LogInError> {
    login.begin(&form.user).await
}

async fn recent(_: RecentLogin<10>, user: LoggedIn<Account>) -> String {
    id(user)
}

async fn token(token: NewToken<10>) -> Result<String, NewTokenError> {
    let token = token.mint("a program").await?;
    Ok(token.secret().expose_secret().to_owned())
}

async fn others(others: OtherLogins) -> Result<(), OtherLoginsError> {
    others.log_out().await
}
