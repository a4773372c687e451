use serde::Deserialize;
use serde_json::{Value, json};

use crate::node_process::NodeProcess;

/// The provider of `provider/` as a process, on a port of its own; dropped, it ends.
///
/// Its people are those of `provider/people.mjs`, its commands those of `provider/server.mjs`.
pub struct RealProvider {
    issuer: String,
    claims: Claims,
    clients: Vec<Value>,
    process: NodeProcess,
}

/// Where a person's name, address and number stand.
#[derive(Clone, Copy)]
pub enum Claims {
    /// In the ID token, and at the userinfo endpoint.
    InIdToken,
    /// At the userinfo endpoint alone: the ID token says who by the subject only.
    AtUserinfo,
}

/// What becomes of the keys before the new ones.
#[derive(Clone, Copy)]
pub enum OldKeys {
    /// They sign no more, and stay published.
    Kept,
    /// They are gone at once.
    Gone,
}

/// A logout notice that the provider has sent.
#[derive(Debug, Deserialize)]
pub struct Notice {
    pub client_id: String,
    pub sub: String,
    /// For clients that registered `backchannel_logout_session_required`.
    pub sid: Option<String>,
    /// Answered with 200 or 204.
    pub accepted: bool,
    /// The other status it was answered with, if it was answered within 2.5 seconds.
    pub status: Option<u16>,
}

/// Requests that the provider got.
pub struct Requests(Vec<Request>);

#[derive(Deserialize)]
struct Request {
    path: String,
    /// Of the `Authorization` header, if there was one.
    scheme: Option<String>,
}

impl Requests {
    /// How many were for this path.
    pub fn of(&self, path: &str) -> usize {
        self.schemes(path).len()
    }

    /// How those for this path said who asks.
    pub fn schemes(&self, path: &str) -> Vec<Option<&str>> {
        let asked = self.0.iter().filter(|request| request.path == path);
        asked.map(|request| request.scheme.as_deref()).collect()
    }
}

impl RealProvider {
    pub async fn start(claims: Claims) -> Self {
        let (process, issuer) = start(0, claims).await;
        Self {
            issuer,
            claims,
            clients: Vec::new(),
            process,
        }
    }

    pub fn issuer(&self) -> &str {
        &self.issuer
    }

    /// Registers a client by its metadata, or changes that of one.
    pub async fn register(&mut self, client: Value) {
        self.process.ask("register", &client).await;
        self.clients
            .retain(|known| known["client_id"] != client["client_id"]);
        self.clients.push(client);
    }

    /// Signs with new keys from now on. Who is logged in stays so.
    pub async fn rotate_keys(&mut self, old: OldKeys) {
        let keep = matches!(old, OldKeys::Kept);
        self.process
            .ask("rotate_keys", &json!({ "keep": keep }))
            .await;
    }

    /// From now on all sessions are so many seconds older.
    pub async fn age_sessions(&mut self, seconds: u64) {
        self.process
            .ask("age_sessions", &json!({ "seconds": seconds }))
            .await;
    }

    /// The notices that were sent since the last time. A page that logs out has been answered
    /// only after all of its notices were.
    pub async fn take_notices(&mut self) -> Vec<Notice> {
        let mut answer = self.process.ask("take_notices", &json!({})).await;
        serde_json::from_value(answer["notices"].take()).unwrap()
    }

    /// The requests that were made since the last time.
    pub async fn take_requests(&mut self) -> Requests {
        let mut answer = self.process.ask("take_requests", &json!({})).await;
        Requests(serde_json::from_value(answer["requests"].take()).unwrap())
    }

    /// Ends the process: from now on nobody listens at the issuer's address.
    pub async fn stop(&mut self) {
        self.process.stop().await;
    }

    /// Starts again where it was, with the same clients, new keys and nobody logged in.
    pub async fn start_again(&mut self) {
        let (_, port) = self.issuer.rsplit_once(':').unwrap();
        let (process, issuer) = start(port.parse().unwrap(), self.claims).await;
        assert_eq!(issuer, self.issuer);
        self.process = process;
        for client in &self.clients {
            self.process.ask("register", client).await;
        }
    }
}

/// The process, and the issuer that it says to be.
async fn start(port: u16, claims: Claims) -> (NodeProcess, String) {
    let in_id_token = if matches!(claims, Claims::InIdToken) {
        "1"
    } else {
        "0"
    };
    let port = port.to_string();
    let environment = [
        ("PORT", &*port),
        ("CLIENTS", "[]"),
        ("CLAIMS_IN_ID_TOKEN", in_id_token),
        ("CONTROL", "1"),
    ];
    NodeProcess::start("provider", &environment).await
}
