//! A Redis server of this run.

use std::{
    path::PathBuf,
    time::{Duration, Instant},
};

use axum_clef::BoxError;
use tokio::process::Command;

use crate::process::{Process, free_port, run};

const START_LIMIT: Duration = Duration::from_secs(20);

/// How the server keeps what it has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Keeps {
    /// In a log of every write.
    Log,
    /// In the snapshots that it is asked for.
    Snapshots,
}

pub struct Redis {
    pub port: u16,
    directory: PathBuf,
    keeps: Keeps,
    process: Option<Process>,
}

impl Redis {
    /// Starts a server.
    ///
    /// # Errors
    ///
    /// If Redis is not installed.
    pub async fn start(directory: PathBuf, keeps: Keeps) -> Result<Self, BoxError> {
        std::fs::create_dir_all(&directory)?;
        let mut redis = Self {
            port: free_port()?,
            directory,
            keeps,
            process: None,
        };
        redis.start_again().await?;
        Ok(redis)
    }

    /// Starts a server with what the last one has kept.
    ///
    /// # Errors
    ///
    /// If it does not answer in time.
    pub async fn start_again(&mut self) -> Result<(), BoxError> {
        let mut command = Command::new("redis-server");
        command
            .args(["--bind", "127.0.0.1", "--save", ""])
            .args(["--port", &self.port.to_string()])
            .arg("--dir")
            .arg(&self.directory)
            .args([
                "--appendonly",
                if self.keeps == Keeps::Log {
                    "yes"
                } else {
                    "no"
                },
            ]);
        let log = self.directory.join("log");
        self.process = Some(Process::start(command, log)?);
        let until = Instant::now() + START_LIMIT;
        while self.command(&["ping"]).await.is_err() {
            if Instant::now() > until {
                return Err("Redis does not start".into());
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        Ok(())
    }

    /// Sends the server a command.
    ///
    /// # Errors
    ///
    /// If it fails.
    pub async fn command(&self, words: &[&str]) -> Result<(), BoxError> {
        let mut command = Command::new("redis-cli");
        command
            .args(["-e", "-p", &self.port.to_string()])
            .args(words);
        run(command).await
    }

    /// Kills the server.
    ///
    /// # Errors
    ///
    /// If it does not run.
    pub async fn kill(&mut self) -> Result<(), BoxError> {
        let process = self.process.as_mut().ok_or("Redis does not run")?;
        process.kill().await
    }
}
