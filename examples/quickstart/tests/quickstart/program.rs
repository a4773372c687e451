//! The quickstart itself, as a program of its own.

use std::process::Stdio;

use clef_dev::ClefService;
use reqwest::Client;
use tempfile::TempDir;
use tokio::{
    io::{AsyncBufReadExt as _, BufReader, Lines},
    process::{Child, ChildStdout, Command},
};

/// The program, which `cargo test` builds before it runs this.
pub fn command() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_quickstart"));
    command.stdout(Stdio::piped()).kill_on_drop(true);
    command
}

/// A program that prints where it is.
struct Running {
    _program: Child,
    /// Kept open: who prints to nobody fails.
    lines: Lines<BufReader<ChildStdout>>,
}

impl Running {
    fn start(command: &mut Command) -> Self {
        let mut program = command.spawn().unwrap();
        let lines = BufReader::new(program.stdout.take().unwrap()).lines();
        Self {
            _program: program,
            lines,
        }
    }

    /// The address in the next line.
    async fn address(&mut self, label: &str) -> String {
        let line = self.lines.next_line().await.unwrap().unwrap();
        line.strip_prefix(label).unwrap().trim().to_owned()
    }
}

/// A Clef for several sites, on a free port.
pub async fn clef() -> ClefService {
    ClefService::start("127.0.0.1:0".parse().unwrap())
        .await
        .unwrap()
}

/// `cargo run -p quickstart`, on free ports and with users of its own.
pub struct Quickstart {
    pub site: String,
    pub clef: String,
    _running: Running,
    _directory: TempDir,
}

impl Quickstart {
    /// With a Clef of its own.
    pub async fn start() -> Self {
        Self::start_with("CLEF_ADDR", "127.0.0.1:0").await
    }

    /// With a Clef that runs already.
    pub async fn start_at(clef: &ClefService) -> Self {
        Self::start_with("CLEF_URL", &clef.url()).await
    }

    async fn start_with(variable: &str, clef: &str) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let database = directory.path().join("quickstart.db");
        let mut program = command();
        let program = program
            .env("SITE_ADDR", "127.0.0.1:0")
            .env("DATABASE_URL", format!("sqlite://{}", database.display()))
            .env(variable, clef);
        let mut running = Running::start(program);
        let site = running.address("The site:").await;
        let phone = running.address("The phone:").await;
        assert!(database.exists(), "made when missing");
        Self {
            site,
            clef: phone.strip_suffix("/phone").unwrap().to_owned(),
            _running: running,
            _directory: directory,
        }
    }

    /// "Log out now" on a person's phone: the rows.
    pub async fn log_out(&self, person: &str) -> serde_json::Value {
        let url = format!("{}/phone/{person}/log-out", self.clef);
        let response = Client::new().post(url).send().await.unwrap();
        assert_eq!(response.status(), 200);
        response.json().await.unwrap()
    }
}
