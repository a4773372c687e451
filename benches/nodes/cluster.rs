//! Nodes of one site, each with connections of its own.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use axum_clef::{
    LoginReference, UserStore as _,
    leased::{Leased, PostgresLogoutBus},
    stores::PostgresUserStore,
};
use sqlx::PgPool;
use tokio::task::JoinSet;

use crate::{database::Database, times::Times};

const LEASE: Duration = Duration::from_secs(1);
/// Of all nodes together: a server allows a hundred by default.
const CONNECTIONS: u32 = 72;
const USERS: usize = 20_000;
const FILL: &str = "
    insert into clef_users (issuer, subject) select 'https://clef.example', n
    from generate_series(1, 20000) as n
";

type Node = Arc<Leased<PostgresUserStore>>;

pub struct Cluster {
    nodes: Vec<Node>,
}

impl Cluster {
    /// Starts so many nodes in a schema of their own, and waits until all are members.
    pub async fn start(database: &Database, number: usize) -> Self {
        let schema = format!("nodes_{number}");
        let pool = database.users(&schema, 1).await.pool().clone();
        sqlx::raw_sql(FILL).execute(&pool).await.unwrap();
        let connections = (CONNECTIONS / number as u32).clamp(2, 10);
        let mut nodes = Vec::new();
        for _ in 0..number {
            let users = PostgresUserStore::new(database.pool(&schema, connections).await);
            let bus = PostgresLogoutBus::new(users.pool().clone());
            let node = Arc::new(Leased::new(users, LEASE).bus(bus));
            // It joins with its first use.
            node.check_login(LoginReference::new("1")).await.unwrap();
            nodes.push(node);
        }
        while members(&pool).await < number as i64 {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        Self { nodes }
    }

    /// The times of so many logouts that follow one another, at each node in turn.
    pub async fn log_out_in_turn(&self, number: usize) -> Times {
        let mut times = Times::default();
        for index in 0..number {
            let start = Instant::now();
            let node = &self.nodes[index % self.nodes.len()];
            assert!(node.log_out(&user(index)).await.unwrap());
            times.extend([start.elapsed().as_secs_f64()]);
        }
        times
    }

    /// The times of logouts at all nodes, since each was due.
    pub async fn log_out_at_rate(&self, rate: u32, duration: Duration) -> Times {
        let start = Instant::now();
        let mut logouts = JoinSet::new();
        let pause = Duration::from_secs(1) / rate;
        let mut due = start;
        for index in 0.. {
            if due - start >= duration {
                break;
            }
            tokio::time::sleep_until(due.into()).await;
            let node = Arc::clone(&self.nodes[index % self.nodes.len()]);
            logouts.spawn(async move {
                let answered = node.log_out(&user(index)).await.is_ok();
                answered.then(|| due.elapsed().as_secs_f64())
            });
            due += pause;
        }
        let mut times = Times::default();
        times.extend(logouts.join_all().await.into_iter().flatten());
        times
    }
}

async fn members(pool: &PgPool) -> i64 {
    let members = sqlx::query_scalar("select count(*) from clef_members");
    members.fetch_one(pool).await.unwrap()
}

fn user(index: usize) -> String {
    (index % USERS + 1).to_string()
}
