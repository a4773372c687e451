//! A CLI of the site: `notes log-in SITE`, `notes list`, `notes add TEXT`, `notes log-out`.
//!
//! Its token is in `NOTES_TOKEN_FILE`, or else in `.config/notes/token` of the home directory, which
//! only its user can read. It is read from standard input, as others can see the arguments of a
//! program.

#[path = "../private_file.rs"]
mod private_file;

use std::{env, fs, io, path::PathBuf, process::ExitCode, time::Duration};

use axum_clef::{
    secrecy::{ExposeSecret as _, SecretString},
    url::{Host, Url},
};
use reqwest::{Client, RequestBuilder, StatusCode, redirect::Policy};
use serde::Serialize;

#[derive(Serialize)]
struct NewNote<'a> {
    text: &'a str,
}

/// The site, and the token for it.
struct Session {
    client: Client,
    site: Url,
    token: SecretString,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match run(&arguments).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(sentence) => {
            eprintln!("{sentence}");
            ExitCode::FAILURE
        }
    }
}

async fn run(arguments: &[&str]) -> Result<(), String> {
    match arguments {
        ["log-in", site] => log_in(site).await,
        ["list"] => {
            let session = Session::open()?;
            let answer = send(session.get("/api/notes")?).await?;
            let notes: Vec<String> = answer.json().await.map_err(|error| error.to_string())?;
            notes.iter().for_each(|note| println!("{note}"));
            Ok(())
        }
        ["add", text] => {
            let session = Session::open()?;
            send(session.post("/api/notes")?.json(&NewNote { text })).await?;
            Ok(())
        }
        ["log-out"] => {
            let session = Session::open()?;
            // Ends this token, unless it has ended already.
            let answer = session.post("/auth/sign-out")?.send().await;
            let status = answer.map_err(|error| error.to_string())?.status();
            match status.is_success() || status == StatusCode::UNAUTHORIZED {
                true => remove(),
                false => Err(format!("the site answers {status}; try again")),
            }
        }
        _ => Err("usage: notes log-in SITE | list | add TEXT | log-out".to_owned()),
    }
}

/// Keeps the token that a user has made on the site, if it works.
async fn log_in(site: &str) -> Result<(), String> {
    let site = Url::parse(site).map_err(|error| format!("{site}: {error}"))?;
    eprintln!("Make a token on the site, and paste it here:");
    let mut token = String::new();
    io::stdin()
        .read_line(&mut token)
        .map_err(|error| error.to_string())?;
    let session = Session::new(site, SecretString::from(token.trim()))?;
    send(session.get("/api/notes")?).await?;
    let path = token_file()?;
    if let Some(directory) = path.parent() {
        fs::create_dir_all(directory).map_err(|error| error.to_string())?;
    }
    let content = format!("{}\n{}\n", session.site, session.token.expose_secret());
    let written = private_file::write(&path, content.as_bytes());
    written.map_err(|error| format!("{}: {error}", path.display()))
}

impl Session {
    /// The one that is kept.
    fn open() -> Result<Self, String> {
        let path = token_file()?;
        let content = private_file::read(&path).map_err(|error| match error.kind() {
            io::ErrorKind::NotFound => "run `notes log-in SITE` first".to_owned(),
            _ => format!("{}: {error}", path.display()),
        })?;
        let content = String::from_utf8(content).ok();
        let parts = content
            .as_deref()
            .and_then(|content| content.trim().split_once('\n'));
        let (site, token) = parts.ok_or("run `notes log-in SITE` again")?;
        let site = Url::parse(site).map_err(|error| error.to_string())?;
        Self::new(site, SecretString::from(token))
    }

    fn new(site: Url, token: SecretString) -> Result<Self, String> {
        let is_this_machine = match site.host() {
            Some(Host::Ipv4(address)) => address.is_loopback(),
            Some(Host::Ipv6(address)) => address.is_loopback(),
            _ => false,
        };
        if site.scheme() != "https" && !is_this_machine {
            return Err("the token would be sent unencrypted; use an https address".to_owned());
        }
        let client = Client::builder()
            .timeout(Duration::from_secs(30))
            // The token is for the site alone.
            .redirect(Policy::none())
            .build();
        Ok(Self {
            client: client.map_err(|error| error.to_string())?,
            site,
            token,
        })
    }

    fn get(&self, path: &str) -> Result<RequestBuilder, String> {
        Ok(self.authorized(self.client.get(self.url(path)?)))
    }

    fn post(&self, path: &str) -> Result<RequestBuilder, String> {
        Ok(self.authorized(self.client.post(self.url(path)?)))
    }

    fn authorized(&self, request: RequestBuilder) -> RequestBuilder {
        request.bearer_auth(self.token.expose_secret())
    }

    fn url(&self, path: &str) -> Result<Url, String> {
        self.site.join(path).map_err(|error| error.to_string())
    }
}

async fn send(request: RequestBuilder) -> Result<reqwest::Response, String> {
    let answer = request.send().await.map_err(|error| error.to_string())?;
    match answer.status() {
        status if status.is_success() => Ok(answer),
        StatusCode::UNAUTHORIZED => {
            Err("the token has ended; make a new one, and run `notes log-in SITE`".to_owned())
        }
        status => Err(format!("the site answers {status}")),
    }
}

fn token_file() -> Result<PathBuf, String> {
    if let Some(path) = env::var_os("NOTES_TOKEN_FILE") {
        return Ok(path.into());
    }
    let home = env::home_dir().ok_or("set NOTES_TOKEN_FILE to a path")?;
    Ok(home.join(".config/notes/token"))
}

fn remove() -> Result<(), String> {
    fs::remove_file(token_file()?).map_err(|error| error.to_string())
}
