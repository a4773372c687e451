//! A Clef that is wrong in one of its calls, on a socket of its own.

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex},
    time::Duration,
};

use axum_clef::clef::Clef;
use tokio::{
    io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    task::JoinHandle,
};

/// A call of the API.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    Authorize,
    Info,
    Logout,
}

/// What it does instead of an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wrong {
    ClosesAtOnce,
    ClosesInTheHead,
    ClosesInTheBody,
    /// Answers nothing.
    IsSilent,
    /// One byte after the other, in good time each.
    DripsTheHead,
    DripsTheBody,
    /// What is no HTTP.
    Garbage,
    /// HTTP with a body that is none of JSON.
    GarbageInside,
    TruncatedJson,
    Nothing,
    /// A page for people.
    Page,
    EndlessHead,
    EndlessBody,
    /// To another server, with this status.
    Redirects(u16),
}

impl Wrong {
    pub const ALL: [Self; 18] = [
        Self::ClosesAtOnce,
        Self::ClosesInTheHead,
        Self::ClosesInTheBody,
        Self::IsSilent,
        Self::DripsTheHead,
        Self::DripsTheBody,
        Self::Garbage,
        Self::GarbageInside,
        Self::TruncatedJson,
        Self::Nothing,
        Self::Page,
        Self::EndlessHead,
        Self::EndlessBody,
        Self::Redirects(301),
        Self::Redirects(302),
        Self::Redirects(303),
        Self::Redirects(307),
        Self::Redirects(308),
    ];

    /// Whether it is the limit that ends it.
    pub fn is_slow(self) -> bool {
        matches!(
            self,
            Self::IsSilent | Self::DripsTheHead | Self::DripsTheBody
        )
    }
}

pub struct WrongClef {
    pub address: SocketAddr,
    shared: Shared,
    server: JoinHandle<()>,
}

#[derive(Clone, Default)]
struct Shared(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    wrong: Option<(Step, Wrong)>,
    /// Where it sends whom it redirects.
    elsewhere: Option<SocketAddr>,
    asked: Vec<Step>,
}

impl WrongClef {
    /// One that is right, until told otherwise.
    pub async fn start() -> Self {
        Self::listen("127.0.0.1:0".parse().unwrap()).await
    }

    pub async fn listen(address: SocketAddr) -> Self {
        let listener = TcpListener::bind(address).await.unwrap();
        let address = listener.local_addr().unwrap();
        let shared = Shared::default();
        let server = tokio::spawn({
            let shared = shared.clone();
            async move {
                while let Ok((stream, _)) = listener.accept().await {
                    tokio::spawn(serve(stream, shared.clone()));
                }
            }
        });
        Self {
            address,
            shared,
            server,
        }
    }

    /// Stops listening, and gives the port back.
    pub async fn stop(self) {
        self.server.abort();
        let _ = self.server.await;
    }

    pub fn client(&self) -> Clef {
        let base = format!("http://{}", self.address);
        Clef::new(&base, "the id", "the secret").unwrap()
    }

    pub fn be(&self, step: Step, wrong: Wrong, elsewhere: SocketAddr) {
        let mut state = self.shared.0.lock().unwrap();
        state.asked.clear();
        state.wrong = Some((step, wrong));
        state.elsewhere = Some(elsewhere);
    }

    pub fn behave(&self) {
        self.shared.0.lock().unwrap().wrong = None;
    }

    /// What it was asked since it is wrong.
    pub fn asked(&self) -> Vec<Step> {
        self.shared.0.lock().unwrap().asked.clone()
    }
}

async fn serve(mut stream: TcpStream, shared: Shared) {
    let Some(step) = read_request(&mut stream).await else {
        return;
    };
    let (wrong, elsewhere) = {
        let mut state = shared.0.lock().unwrap();
        state.asked.push(step);
        let wrong = state.wrong.filter(|(at, _)| *at == step);
        (wrong.map(|(_, wrong)| wrong), state.elsewhere)
    };
    // Whoever is wrong for ever ends with an error: nobody listens any more.
    let _ = match wrong {
        None => stream.write_all(answer(good(step)).as_bytes()).await,
        Some(wrong) => be_wrong(&mut stream, wrong, good(step), elsewhere).await,
    };
}

/// Reads a request with its body, and tells which call it is.
pub async fn read_request(stream: &mut (impl AsyncRead + Unpin)) -> Option<Step> {
    let mut request = Vec::new();
    let mut chunk = [0; 4096];
    loop {
        let read = stream
            .read(&mut chunk)
            .await
            .ok()
            .filter(|read| *read > 0)?;
        request.extend_from_slice(&chunk[..read]);
        let text = String::from_utf8_lossy(&request);
        let Some((head, body)) = text.split_once("\r\n\r\n") else {
            continue;
        };
        let length = head
            .lines()
            .find_map(|line| line.strip_prefix("content-length: "));
        let length: usize = length.map_or(0, |length| length.parse().unwrap());
        if body.len() >= length {
            return Some(match head.split([' ', '?']).nth(1).unwrap() {
                "/api/v1/authorize" => Step::Authorize,
                "/api/v1/info" => Step::Info,
                "/api/v1/logout" => Step::Logout,
                other => panic!("{other} is not of the API"),
            });
        }
    }
}

/// What is right.
pub fn good(step: Step) -> &'static str {
    match step {
        Step::Authorize => r#"{"success":true,"access_token":"an access token"}"#,
        Step::Info => r#"{"success":true,"info":{"id":12345,"first_name":"Alex"}}"#,
        Step::Logout => r#"{"success":true,"clef_id":12345}"#,
    }
}

pub fn answer(body: &str) -> String {
    let length = body.len();
    format!("HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n{body}")
}

async fn be_wrong(
    stream: &mut (impl AsyncRead + AsyncWrite + Unpin),
    wrong: Wrong,
    good: &str,
    elsewhere: Option<SocketAddr>,
) -> std::io::Result<()> {
    let half = &good[..good.len() / 2];
    let text = match wrong {
        Wrong::ClosesAtOnce => String::new(),
        Wrong::ClosesInTheHead => "HTTP/1.1 200 OK\r\ncontent-le".to_owned(),
        Wrong::ClosesInTheBody => answer(good).replace(good, half),
        Wrong::IsSilent => {
            // Until the other side has had enough.
            stream.read_u8().await?;
            return Ok(());
        }
        Wrong::DripsTheHead => {
            stream.write_all(b"HTTP/1.1 200 OK\r\nx-slow: ").await?;
            return drip(stream, b"x").await;
        }
        Wrong::DripsTheBody => {
            let head = "HTTP/1.1 200 OK\r\ncontent-length: 60000\r\n\r\n";
            stream.write_all(head.as_bytes()).await?;
            stream.write_all(good.as_bytes()).await?;
            return drip(stream, b" ").await;
        }
        Wrong::Garbage => "\0\u{ff}\u{1}SSH-2.0-none\r\n\r\n".repeat(20),
        Wrong::GarbageInside => answer("\0\u{ff}{\"success\":\u{1}"),
        Wrong::TruncatedJson => answer(half),
        Wrong::Nothing => answer(""),
        Wrong::Page => answer("<!doctype html><h1>It works!</h1>")
            .replace("connection", "content-type: text/html\r\nconnection"),
        Wrong::EndlessHead => {
            stream.write_all(b"HTTP/1.1 200 OK\r\n").await?;
            loop {
                stream.write_all(b"x-more: and more\r\n").await?;
            }
        }
        Wrong::EndlessBody => {
            let head = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n";
            stream.write_all(head.as_bytes()).await?;
            loop {
                stream.write_all(b"10\r\n0123456789abcdef\r\n").await?;
            }
        }
        Wrong::Redirects(status) => {
            let elsewhere = elsewhere.unwrap();
            // With what would be right as its body.
            answer(good)
                .replace("200 OK", &format!("{status} Elsewhere"))
                .replace(
                    "connection",
                    &format!("location: http://{elsewhere}/api/v1/logout\r\nconnection"),
                )
        }
    };
    stream.write_all(text.as_bytes()).await
}

async fn drip(stream: &mut (impl AsyncWrite + Unpin), byte: &[u8]) -> std::io::Result<()> {
    loop {
        stream.write_all(byte).await?;
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}
