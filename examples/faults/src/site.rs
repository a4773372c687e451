//! The site: its servers, three nodes as processes, and the cables between them.

use std::{
    env,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use axum_clef::BoxError;
use reqwest::Client;
use rustix::process::Signal;
use test_support::{Cut, Proxy};
use tokio::process::Command;

use crate::{
    node,
    postgres::{Installation, Postgres},
    process::{Process, free_port},
    redis::{Keeps, Redis},
};

pub const NODES: usize = 3;
const START_LIMIT: Duration = Duration::from_secs(30);

/// How a standby follows the primary.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Replication {
    None,
    /// A logout waits for it.
    Synchronous,
    /// A logout does not.
    Asynchronous,
}

/// What a scenario needs.
#[derive(Debug, Clone, Copy)]
pub struct Setup {
    pub replication: Replication,
    pub redis: Keeps,
    /// Whether the clock of PostgreSQL can be set.
    pub clock: bool,
    /// Whether small disks hold the files of PostgreSQL and Redis.
    pub disks: Disks,
    pub settings: &'static [&'static str],
}

/// Which files are on a small disk of their own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Disks {
    Large,
    /// The tables of PostgreSQL.
    SmallForTables,
    /// The log of writes of PostgreSQL.
    SmallForWal,
    SmallForRedis,
}

impl Setup {
    pub const USUAL: Self = Self {
        replication: Replication::None,
        redis: Keeps::Log,
        clock: false,
        disks: Disks::Large,
        settings: &[],
    };
}

pub struct Site {
    pub postgres: Postgres,
    pub standby: Option<Standby>,
    pub redis: Redis,
    pub nodes: Vec<Node>,
    pub disk: Option<SmallDisk>,
}

/// A server that follows the primary, and the cable between them.
pub struct Standby {
    pub server: Postgres,
    pub primary: Proxy,
}

pub struct Node {
    pub address: String,
    pub postgres: Proxy,
    pub redis: Proxy,
    log: PathBuf,
    process: Process,
}

impl Site {
    /// Starts servers and nodes.
    ///
    /// # Errors
    ///
    /// If one does not start.
    pub async fn start(
        installation: &Installation,
        directory: &Path,
        setup: Setup,
    ) -> Result<Self, BoxError> {
        let disk = match setup.disks {
            Disks::Large => None,
            _ => Some(SmallDisk::mount(directory.join("disk")).await?),
        };
        let on = |disks, name: &str| match &disk {
            Some(disk) if setup.disks == disks => disk.path.join(name),
            _ => directory.join(name),
        };
        let data = on(Disks::SmallForTables, "primary");
        let mut postgres = Postgres::new(installation, data).await?;
        match (&disk, setup.disks) {
            (Some(disk), Disks::SmallForWal) => postgres.move_wal(&disk.path).await?,
            (Some(_), Disks::SmallForTables) => postgres.move_wal(directory).await?,
            _ => {}
        }
        if setup.clock {
            postgres.with_clock(directory.join("clock"))?;
        }
        if setup.replication == Replication::Synchronous {
            postgres.set("synchronous_standby_names=standby");
        }
        for setting in setup.settings {
            postgres.set(setting);
        }
        let mut standby = None;
        if setup.replication != Replication::None {
            let mut server = Postgres::new(installation, directory.join("standby")).await?;
            let primary = Proxy::to(format!("127.0.0.1:{}", postgres.port)).await?;
            server.follow(primary.address.port()).await?;
            standby = Some(Standby { server, primary });
        }
        // A synchronous standby must run before the primary can commit.
        postgres.start().await?;
        if let Some(standby) = &mut standby {
            standby.server.start().await?;
            postgres.until_streaming().await?;
        }
        postgres.create_site().await?;
        let redis = Redis::start(on(Disks::SmallForRedis, "redis"), setup.redis).await?;
        let mut nodes = Vec::new();
        for number in 1..=NODES {
            let log = directory.join(format!("node-{number}.log"));
            nodes.push(Node::start(&postgres, &redis, log).await?);
        }
        Ok(Self {
            postgres,
            standby,
            redis,
            nodes,
            disk,
        })
    }

    /// Leads every node to the standby, which has become the primary.
    ///
    /// # Errors
    ///
    /// If there is none.
    pub fn fail_over(&self) -> Result<(), BoxError> {
        let standby = self.standby.as_ref().ok_or("there is no standby")?;
        for node in &self.nodes {
            node.postgres
                .lead_to(format!("127.0.0.1:{}", standby.server.port));
        }
        Ok(())
    }
}

impl Node {
    async fn start(postgres: &Postgres, redis: &Redis, log: PathBuf) -> Result<Self, BoxError> {
        let postgres = Proxy::to(format!("127.0.0.1:{}", postgres.port)).await?;
        let redis = Proxy::to(format!("127.0.0.1:{}", redis.port)).await?;
        let address = format!("127.0.0.1:{}", free_port()?);
        let process = start_process(&address, &postgres, &redis, log.clone())?;
        let node = Self {
            address,
            postgres,
            redis,
            log,
            process,
        };
        node.until_ready().await?;
        Ok(node)
    }

    /// Starts the process again, with an empty memory.
    ///
    /// # Errors
    ///
    /// If it does not start in time.
    pub async fn start_again(&mut self) -> Result<(), BoxError> {
        let log = self.log.clone();
        self.process = start_process(&self.address, &self.postgres, &self.redis, log)?;
        self.until_ready().await
    }

    async fn until_ready(&self) -> Result<(), BoxError> {
        let until = Instant::now() + START_LIMIT;
        let url = format!("http://{}/pending", self.address);
        let http = Client::builder().no_proxy().build()?;
        while http.get(&url).send().await.is_err() {
            if Instant::now() > until {
                return Err(format!("a node does not start:\n{}", self.process.log()).into());
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        Ok(())
    }

    /// # Errors
    ///
    /// If it does not run.
    pub async fn kill(&mut self) -> Result<(), BoxError> {
        self.process.kill().await
    }

    /// # Errors
    ///
    /// If it does not run.
    pub fn signal(&self, signal: Signal) -> Result<(), BoxError> {
        self.process.signal_all(signal)
    }

    /// What it has logged since its first start.
    pub fn log(&self) -> String {
        self.process.log()
    }

    /// Cuts both of its cables, or mends them.
    pub fn cut(&self, cut: Cut) {
        self.postgres.cut(cut);
        self.redis.cut(cut);
    }
}

/// This program again, as a node.
fn start_process(
    address: &str,
    postgres: &Proxy,
    redis: &Proxy,
    log: PathBuf,
) -> Result<Process, BoxError> {
    let mut command = Command::new(env::current_exe()?);
    command
        .env(node::ADDRESS, address)
        .env(
            node::POSTGRES,
            format!("postgres://site@{}/site", postgres.address),
        )
        .env(node::REDIS, format!("redis://{}", redis.address));
    Process::start(command, log)
}

/// A disk that can be filled. It is unmounted when this is dropped.
pub struct SmallDisk {
    pub path: PathBuf,
}

impl SmallDisk {
    const SIZE: &str = "size=64m";

    async fn mount(path: PathBuf) -> Result<Self, BoxError> {
        std::fs::create_dir(&path)?;
        let mut command = Command::new("mount");
        command
            .args(["-t", "tmpfs", "-o", Self::SIZE, "none"])
            .arg(&path);
        crate::process::run(command).await?;
        Ok(Self { path })
    }

    fn filler(&self) -> PathBuf {
        self.path.join("filler")
    }

    /// Leaves not a byte free.
    ///
    /// # Errors
    ///
    /// If the file cannot be made.
    pub fn fill(&self) -> Result<(), BoxError> {
        use std::io::Write as _;
        let mut file = std::fs::File::create(self.filler())?;
        for block in [vec![1; 64 * 1024], vec![1; 512], vec![1]] {
            while file.write_all(&block).is_ok() {}
        }
        Ok(())
    }

    /// Makes room again.
    ///
    /// # Errors
    ///
    /// If the disk is not full.
    pub fn free(&self) -> Result<(), BoxError> {
        Ok(std::fs::remove_file(self.filler())?)
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        // Lazily: a server that is being killed may still have files open.
        let unmounted = std::process::Command::new("umount")
            .arg("-l")
            .arg(&self.path)
            .status();
        if !unmounted.is_ok_and(|status| status.success()) {
            eprintln!("{} could not be unmounted", self.path.display());
        }
    }
}
