use std::{path::Path, process::Stdio};

use serde::Deserialize;
use serde_json::{Value, json};
use tokio::{
    io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader, Lines},
    process::{Child, ChildStdin, ChildStdout, Command},
};

/// The provider of `provider/` as a process, on a port of its own; dropped, it ends.
///
/// Its people are those of `provider/people.mjs`, its commands those of `provider/server.mjs`.
pub struct RealProvider {
    issuer: String,
    claims: Claims,
    clients: Vec<Value>,
    process: Process,
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

struct Process {
    child: Child,
    commands: ChildStdin,
    answers: Lines<BufReader<ChildStdout>>,
}

impl RealProvider {
    pub async fn start(claims: Claims) -> Self {
        let (process, issuer) = Process::start(0, claims).await;
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
        self.process.child.kill().await.unwrap();
    }

    /// Starts again where it was, with the same clients, new keys and nobody logged in.
    pub async fn start_again(&mut self) {
        let (_, port) = self.issuer.rsplit_once(':').unwrap();
        let (process, issuer) = Process::start(port.parse().unwrap(), self.claims).await;
        assert_eq!(issuer, self.issuer);
        self.process = process;
        for client in &self.clients {
            self.process.ask("register", client).await;
        }
    }
}

impl Process {
    /// The process, and the issuer that it says to be.
    async fn start(port: u16, claims: Claims) -> (Self, String) {
        let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/real_provider/provider");
        assert!(
            directory.join("node_modules").exists(),
            "run `npm ci` in {} first",
            directory.display()
        );
        let in_id_token = if matches!(claims, Claims::InIdToken) {
            "1"
        } else {
            "0"
        };
        let mut child = Command::new("node")
            .arg("server.mjs")
            .current_dir(directory)
            .env("PORT", port.to_string())
            .env("CLIENTS", "[]")
            .env("CLAIMS_IN_ID_TOKEN", in_id_token)
            .env("CONTROL", "1")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap_or_else(|error| panic!("node: {error}; install Node.js 20.12 or newer"));
        let mut process = Self {
            commands: child.stdin.take().unwrap(),
            answers: BufReader::new(child.stdout.take().unwrap()).lines(),
            child,
        };
        let ready = process.answer().await;
        let issuer = ready["issuer"].as_str().unwrap().to_owned();
        (process, issuer)
    }

    async fn ask(&mut self, command: &str, input: &Value) -> Value {
        let line = format!("{}\n", json!({ command: input }));
        self.commands.write_all(line.as_bytes()).await.unwrap();
        let answer = self.answer().await;
        assert_eq!(answer["error"], Value::Null, "{command}");
        answer
    }

    async fn answer(&mut self) -> Value {
        let line = self.answers.next_line().await.unwrap();
        let line = line.expect("the provider has ended; what it said stands above");
        serde_json::from_str(&line).unwrap()
    }
}
