//! The faults.

mod clock;
mod disks;
mod failover;
mod nodes;
mod servers;

use std::time::Duration;

use axum_clef::BoxError;
use tokio::time::sleep;

use crate::{
    redis::Keeps,
    run::Run,
    site::{Disks, Replication, Setup},
};

/// Longer than a lease.
const SHORT: Duration = Duration::from_millis(1_500);
/// Longer than the longest lease.
const LONG: Duration = Duration::from_millis(4_500);
/// The node of what a scenario does itself.
const NODE: usize = 0;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scenario {
    NodeKilled,
    NodeStopped,
    NodeCutOff,
    ConnectionsLost,
    PostgresKilled,
    PostgresStopped,
    TooManyConnections,
    RedisKilled,
    RedisSnapshot,
    DiskOfTables,
    DiskOfWal,
    DiskOfRedis,
    StandbyCutOff,
    SynchronousFailover,
    AsynchronousFailover,
    UnfencedFailover,
    ClockSetBack,
}

/// What the documentation excepts from the promise.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exception {
    None,
    /// A login that has ended may get in.
    Stale,
    /// A login that has not ended may be refused.
    Refused,
}

impl Scenario {
    pub const ALL: [Self; 17] = [
        Self::NodeKilled,
        Self::NodeStopped,
        Self::NodeCutOff,
        Self::ConnectionsLost,
        Self::PostgresKilled,
        Self::PostgresStopped,
        Self::TooManyConnections,
        Self::RedisKilled,
        Self::RedisSnapshot,
        Self::DiskOfTables,
        Self::DiskOfWal,
        Self::DiskOfRedis,
        Self::StandbyCutOff,
        Self::SynchronousFailover,
        Self::AsynchronousFailover,
        Self::UnfencedFailover,
        Self::ClockSetBack,
    ];

    pub fn name(self) -> &'static str {
        match self {
            Self::NodeKilled => "node-killed",
            Self::NodeStopped => "node-stopped",
            Self::NodeCutOff => "node-cut-off",
            Self::ConnectionsLost => "connections-lost",
            Self::PostgresKilled => "postgres-killed",
            Self::PostgresStopped => "postgres-stopped",
            Self::TooManyConnections => "too-many-connections",
            Self::RedisKilled => "redis-killed",
            Self::RedisSnapshot => "redis-snapshot",
            Self::DiskOfTables => "disk-of-tables-full",
            Self::DiskOfWal => "disk-of-wal-full",
            Self::DiskOfRedis => "disk-of-redis-full",
            Self::StandbyCutOff => "standby-cut-off",
            Self::SynchronousFailover => "synchronous-failover",
            Self::AsynchronousFailover => "asynchronous-failover",
            Self::UnfencedFailover => "unfenced-failover",
            Self::ClockSetBack => "clock-set-back",
        }
    }

    pub fn setup(self) -> Setup {
        let usual = Setup::USUAL;
        match self {
            Self::TooManyConnections => Setup {
                settings: &["max_connections=40"],
                ..usual
            },
            Self::RedisSnapshot => Setup {
                redis: Keeps::Snapshots,
                ..usual
            },
            Self::DiskOfTables => Setup {
                disks: Disks::SmallForTables,
                ..usual
            },
            Self::DiskOfWal => Setup {
                disks: Disks::SmallForWal,
                ..usual
            },
            Self::DiskOfRedis => Setup {
                disks: Disks::SmallForRedis,
                ..usual
            },
            Self::StandbyCutOff | Self::SynchronousFailover | Self::UnfencedFailover => Setup {
                replication: Replication::Synchronous,
                ..usual
            },
            Self::AsynchronousFailover => Setup {
                replication: Replication::Asynchronous,
                ..usual
            },
            Self::ClockSetBack => Setup {
                clock: true,
                ..usual
            },
            _ => usual,
        }
    }

    pub fn needs_root(self) -> bool {
        self.setup().disks != Disks::Large
    }

    /// What the documentation excepts, which must show.
    pub fn exception(self) -> Exception {
        match self {
            Self::AsynchronousFailover | Self::UnfencedFailover => Exception::Stale,
            Self::RedisSnapshot | Self::ClockSetBack => Exception::Refused,
            _ => Exception::None,
        }
    }

    /// How many requests may fail after every node has worked again: one for each connection that a
    /// server has closed, since connections are not tested before use.
    pub fn late_errors(self) -> u64 {
        match self {
            Self::PostgresKilled
            | Self::TooManyConnections
            | Self::DiskOfWal
            | Self::SynchronousFailover
            | Self::AsynchronousFailover => 30,
            _ => 0,
        }
    }

    pub async fn play(self, run: &mut Run) -> Result<(), BoxError> {
        match self {
            Self::NodeKilled => nodes::killed(run).await,
            Self::NodeStopped => nodes::stopped(run).await,
            Self::NodeCutOff => nodes::cut_off(run).await,
            Self::ConnectionsLost => nodes::connections_lost(run).await,
            Self::PostgresKilled => servers::postgres_killed(run).await,
            Self::PostgresStopped => servers::postgres_stopped(run).await,
            Self::TooManyConnections => servers::too_many_connections(run).await,
            Self::RedisKilled => servers::redis_killed(run).await,
            Self::RedisSnapshot => servers::redis_snapshot(run).await,
            Self::DiskOfTables => disks::tables(run).await,
            Self::DiskOfWal => disks::wal(run).await,
            Self::DiskOfRedis => disks::redis(run).await,
            Self::StandbyCutOff => failover::standby_cut_off(run).await,
            Self::SynchronousFailover => failover::synchronous(run).await,
            Self::AsynchronousFailover => failover::asynchronous(run).await,
            Self::UnfencedFailover => failover::unfenced(run).await,
            Self::ClockSetBack => clock::set_back(run).await,
        }
    }
}

/// An error that says that the fault did not happen, unless it did.
fn happened(it_did: bool, what: &str) -> Result<(), BoxError> {
    match it_did {
        true => Ok(()),
        false => Err(format!("the fault did not happen: {what}").into()),
    }
}

/// Waits until the node works again, and opens a page with every login.
async fn visit_once_up(run: &mut Run) -> Result<(), BoxError> {
    while run.load.probe(NODE).await.is_err() {
        sleep(Duration::from_millis(50)).await;
    }
    for visit in run.load.visit_with_many(NODE) {
        visit.await?;
    }
    Ok(())
}
