//! The quickstart itself, as a program of its own.

use std::{path::PathBuf, process::Stdio};

use reqwest::Client;
use tempfile::TempDir;
use tokio::{
    io::{AsyncBufReadExt as _, BufReader, Lines},
    process::{Child, ChildStdout, Command},
};

/// The program, which `cargo test` builds before it runs this.
pub fn program() -> Command {
    let mut path: PathBuf = std::env::current_exe().unwrap();
    path.pop();
    path.pop();
    path.push("examples");
    path.push(format!("quickstart{}", std::env::consts::EXE_SUFFIX));
    assert!(
        path.exists(),
        "{} is missing: build it with `cargo build --example quickstart`",
        path.display()
    );
    Command::new(path)
}

pub struct Quickstart {
    pub site: String,
    pub clef: String,
    _program: Child,
    /// Kept open: who prints to nobody fails.
    _output: Lines<BufReader<ChildStdout>>,
    _directory: TempDir,
}

impl Quickstart {
    pub async fn start() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let database = directory.path().join("quickstart.db");
        let mut program = program()
            .env("SITE_ADDR", "127.0.0.1:0")
            .env("CLEF_ADDR", "127.0.0.1:0")
            .env("DATABASE_URL", format!("sqlite://{}", database.display()))
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(program.stdout.take().unwrap()).lines();
        let mut address = async |label: &str| {
            let line = lines.next_line().await.unwrap().unwrap();
            let address = line.strip_prefix(label).unwrap();
            address.trim().to_owned()
        };
        let site = address("The site:").await;
        let phone = address("The phone:").await;
        assert!(database.exists(), "made when missing");
        Self {
            site,
            clef: phone.strip_suffix("/phone").unwrap().to_owned(),
            _program: program,
            _output: lines,
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
