//! PostgreSQL servers of this run.

use std::{
    fs,
    os::unix::fs::symlink,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use axum_clef::BoxError;
use rustix::process::Signal;
use sqlx::{Connection as _, PgConnection};
use tokio::process::Command;

use crate::process::{Process, free_port, hand_over, run, unprivileged};

const START_LIMIT: Duration = Duration::from_secs(30);
/// The library that sets the clock of one process, in a directory of `/usr/lib`.
const FAKETIME: &str = "faketime/libfaketime.so.1";

/// Where the programs of the server are, and an empty cluster to copy.
pub struct Installation {
    programs: PathBuf,
    template: PathBuf,
}

impl Installation {
    /// Creates the empty cluster.
    ///
    /// # Errors
    ///
    /// If PostgreSQL is not installed.
    pub async fn find(directory: &Path) -> Result<Self, BoxError> {
        let template = directory.join("template");
        let installation = Self {
            programs: programs()?,
            template,
        };
        fs::create_dir(&installation.template)?;
        hand_over(&installation.template).await?;
        let mut command = unprivileged(&installation.programs.join("initdb"));
        command
            .args([
                "--username=postgres",
                "--auth=trust",
                "--encoding=UTF8",
                "--locale=C",
            ])
            .args(["--no-sync", "--wal-segsize=1", "--pgdata"])
            .arg(&installation.template);
        run(command).await?;
        Ok(installation)
    }
}

/// The newest version that is installed.
fn programs() -> Result<PathBuf, BoxError> {
    let mut found = Vec::new();
    for version in fs::read_dir("/usr/lib/postgresql")
        .map_err(|error| format!("/usr/lib/postgresql: {error}; install Debian's postgresql"))?
    {
        let programs = version?.path().join("bin");
        if programs.join("initdb").exists() {
            found.push(programs);
        }
    }
    found.sort();
    Ok(found.pop().ok_or("install Debian's postgresql")?)
}

/// A clock that can be set.
struct Clock {
    library: PathBuf,
    /// Its offset.
    file: PathBuf,
}

pub struct Postgres {
    pub port: u16,
    programs: PathBuf,
    data: PathBuf,
    settings: Vec<String>,
    clock: Option<Clock>,
    process: Option<Process>,
}

impl Postgres {
    /// A server with the files of the empty cluster, which does not run yet.
    ///
    /// # Errors
    ///
    /// If the files cannot be copied.
    pub async fn new(installation: &Installation, data: PathBuf) -> Result<Self, BoxError> {
        let mut copy = Command::new("cp");
        copy.arg("-a")
            .arg(installation.template.join("."))
            .arg(&data);
        fs::create_dir_all(&data)?;
        run(copy).await?;
        let port = free_port()?;
        Ok(Self {
            port,
            programs: installation.programs.clone(),
            settings: vec![
                format!("port={port}"),
                "listen_addresses=127.0.0.1".to_owned(),
                "unix_socket_directories=".to_owned(),
                // A process that is killed loses nothing that it has handed to the system.
                "fsync=off".to_owned(),
                "max_wal_size=8MB".to_owned(),
                "wal_keep_size=64MB".to_owned(),
                "shared_buffers=16MB".to_owned(),
            ],
            data,
            clock: None,
            process: None,
        })
    }

    /// Starts the server with this setting from the next start on.
    pub fn set(&mut self, setting: &str) {
        self.settings.push(setting.to_owned());
    }

    /// Makes it a standby of the server at this port, which started with the same files.
    ///
    /// # Errors
    ///
    /// If its files cannot be written.
    pub async fn follow(&mut self, primary: u16) -> Result<(), BoxError> {
        fs::write(self.data.join("standby.signal"), "")?;
        hand_over(&self.data).await?;
        self.set(&format!(
            "primary_conninfo=host=127.0.0.1 port={primary} user=postgres application_name=standby"
        ));
        Ok(())
    }

    /// Moves the log of writes to another disk.
    ///
    /// # Errors
    ///
    /// If it cannot be moved.
    pub async fn move_wal(&self, to: &Path) -> Result<(), BoxError> {
        let (from, to) = (self.data.join("pg_wal"), to.join("pg_wal"));
        let mut command = Command::new("cp");
        command.arg("-a").arg(&from).arg(&to);
        run(command).await?;
        fs::remove_dir_all(&from)?;
        symlink(&to, &from)?;
        Ok(())
    }

    /// Lets [`set_clock`](Self::set_clock) set the clock of the server.
    ///
    /// # Errors
    ///
    /// If the library is missing.
    pub fn with_clock(&mut self, file: PathBuf) -> Result<(), BoxError> {
        let mut library = None;
        for directory in fs::read_dir("/usr/lib")? {
            library =
                library.or(Some(directory?.path().join(FAKETIME)).filter(|path| path.exists()));
        }
        let library = library.ok_or("install Debian's faketime")?;
        self.clock = Some(Clock { library, file });
        self.set_clock(0)
    }

    /// Sets the clock of the server to so many seconds beside the true time.
    ///
    /// # Errors
    ///
    /// If its file cannot be written.
    pub fn set_clock(&self, seconds: i64) -> Result<(), BoxError> {
        let clock = self.clock.as_ref().ok_or("this server has the true time")?;
        let new = clock.file.with_extension("new");
        fs::write(&new, format!("{seconds:+}\n"))?;
        Ok(fs::rename(new, &clock.file)?)
    }

    /// Starts the server, and waits until it answers.
    ///
    /// # Errors
    ///
    /// If it does not in time.
    pub async fn start(&mut self) -> Result<(), BoxError> {
        // The variables are for the server alone, and not for what starts it.
        let mut command = unprivileged(Path::new("env"));
        if let Some(clock) = &self.clock {
            command
                .arg(format!("LD_PRELOAD={}", clock.library.display()))
                .arg(format!("FAKETIME_TIMESTAMP_FILE={}", clock.file.display()))
                .args(["FAKETIME_NO_CACHE=1", "FAKETIME_DONT_FAKE_MONOTONIC=1"]);
        }
        command.arg(self.programs.join("postgres"));
        command.arg("-D").arg(&self.data);
        for setting in &self.settings {
            command.args(["-c", setting]);
        }
        let log = self.data.with_extension("log");
        self.process = Some(Process::start(command, log)?);
        let until = Instant::now() + START_LIMIT;
        loop {
            match self.connect("postgres").await {
                Ok(_) => return Ok(()),
                Err(error) if Instant::now() > until => {
                    return Err(format!("PostgreSQL does not start: {error}").into());
                }
                Err(_) => tokio::time::sleep(Duration::from_millis(50)).await,
            }
        }
    }

    /// Creates the role and the database of the site: its role is no superuser.
    ///
    /// # Errors
    ///
    /// If they exist.
    pub async fn create_site(&self) -> Result<(), BoxError> {
        self.run("postgres", "create role site login").await?;
        self.run("postgres", "create database site owner site")
            .await
    }

    /// Kills every process of the server.
    ///
    /// # Errors
    ///
    /// If it does not run.
    pub async fn kill(&mut self) -> Result<(), BoxError> {
        self.process()?;
        match &mut self.process {
            Some(process) => process.kill().await,
            None => Ok(()),
        }
    }

    /// Sends a signal to every process of the server.
    ///
    /// # Errors
    ///
    /// If it does not run.
    pub fn signal(&self, signal: Signal) -> Result<(), BoxError> {
        self.process()?.signal_all(signal)
    }

    /// Makes a standby the primary.
    ///
    /// # Errors
    ///
    /// If it does not become one.
    pub async fn promote(&self) -> Result<(), BoxError> {
        self.run("postgres", "select pg_promote()").await
    }

    /// Waits until a standby has everything that the primary has written.
    ///
    /// # Errors
    ///
    /// If that does not come.
    pub async fn until_streaming(&self) -> Result<(), BoxError> {
        let mut connection = self.connect("postgres").await?;
        let until = Instant::now() + START_LIMIT;
        let streaming = "select exists (
            select from pg_stat_replication where state = 'streaming' and replay_lsn is not null
        )";
        while !sqlx::query_scalar::<_, bool>(streaming)
            .fetch_one(&mut connection)
            .await?
        {
            if Instant::now() > until {
                return Err("the standby does not follow the primary".into());
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        Ok(())
    }

    /// Runs a statement as the superuser.
    ///
    /// # Errors
    ///
    /// If it fails.
    pub async fn run(&self, database: &str, statement: &str) -> Result<(), BoxError> {
        let mut connection = self.connect(database).await?;
        sqlx::raw_sql(statement).execute(&mut connection).await?;
        Ok(connection.close().await?)
    }

    /// What the server has logged.
    pub fn log(&self) -> String {
        self.process.as_ref().map(Process::log).unwrap_or_default()
    }

    fn process(&self) -> Result<&Process, BoxError> {
        Ok(self.process.as_ref().ok_or("PostgreSQL does not run")?)
    }

    async fn connect(&self, database: &str) -> Result<PgConnection, sqlx::Error> {
        let url = format!("postgres://postgres@127.0.0.1:{}/{database}", self.port);
        PgConnection::connect(&url).await
    }
}
