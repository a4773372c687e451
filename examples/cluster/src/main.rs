//! Three nodes of one site in this process, over PostgreSQL and Redis, while people use it, are
//! logged out all along, and things break: `cargo run --release -p cluster`.
//!
//! Users lie in PostgreSQL and are leased by every node, with the bus between them; sessions lie in
//! Redis. After a while one node is stopped and started again, and then the bus of another is cut
//! and mended: nothing of it gets through in either direction, as with a cable that is pulled.
//!
//! - `POSTGRES_URL`, by default `postgres://postgres@127.0.0.1:5432/test`; the users get a schema of
//!   their own there, which goes with the cluster.
//! - `REDIS_URL`, by default `redis://127.0.0.1:6379`; the sessions are deleted at the end.
//! - `CLUSTER_SECONDS`: how long, by default 20.
//! - `RUST_LOG`: what the nodes say, by default errors alone; with `warn`, how they take the breaks.
//!
//! Every second it prints what was done in it: requests and logouts with their milliseconds, and how
//! often a request asked the servers, on average. `last old login` is the one figure that counts: how
//! long after the answer to a logout the last request began that still got in by an older login. It
//! is below zero, or a dash where there was none; above it, the example fails. The logouts come in turn by
//! each wire: the webhook, back-channel and front-channel logout, global token revocation, a security event
//! and a handler of the application. Lines for each of them and the sum are at the end.

mod databases;
mod figures;
mod load;
mod node;
mod oracle;
mod wires;

use std::{
    env,
    process::ExitCode,
    sync::Arc,
    time::{Duration, Instant},
};

use axum_clef::BoxError;
use test_support::Issuer;

use crate::{databases::Databases, load::Load, node::Node};

/// How long each node keeps what it reads.
const LEASE: Duration = Duration::from_secs(1);
const NODES: usize = 3;

/// What happens, and when: in hundredths of the whole.
const EVENTS: [(u32, Event); 4] = [
    (25, Event::Stop(2)),
    (40, Event::Start(2)),
    (55, Event::Cut(1)),
    (75, Event::Mend(1)),
];

#[derive(Debug, Clone, Copy)]
enum Event {
    Stop(usize),
    Start(usize),
    Cut(usize),
    Mend(usize),
}

#[tokio::main]
async fn main() -> ExitCode {
    test_support::run_program(run()).await
}

/// Whether everything was as it must be.
async fn run() -> Result<bool, BoxError> {
    let seconds: u32 = match env::var("CLUSTER_SECONDS") {
        Ok(text) => text
            .parse()
            .map_err(|_| "CLUSTER_SECONDS is no whole number")?,
        Err(_) => 20,
    };
    let databases = Databases::open().await?;
    let done = play(&databases, seconds.max(1)).await;
    let cleaned_up = databases.clean_up().await;
    let good = done?;
    cleaned_up?;
    Ok(good)
}

async fn play(databases: &Databases, seconds: u32) -> Result<bool, BoxError> {
    let issuer = Issuer::start().await?;
    let mut nodes = Vec::new();
    for number in 0..NODES {
        let node = Node::start(databases, number, &issuer.url).await?;
        nodes.push(Arc::new(node));
    }
    let load = Load::new(nodes, issuer)?;
    load.log_everybody_in().await?;
    println!(
        "{} people are logged in at {NODES} nodes, each keeps what it reads for {} ms",
        load.people(),
        LEASE.as_millis()
    );
    println!("{}", figures::HEAD);

    let began_at = Instant::now();
    let tasks = load.start(began_at + Duration::from_secs(seconds.into()));
    let mut events = EVENTS.into_iter().peekable();
    for second in 1..=seconds {
        let until = began_at + Duration::from_secs(second.into());
        let due = |hundredth| began_at + share(seconds, hundredth);
        while let Some((hundredth, event)) = events.next_if(|(at, _)| due(*at) <= until) {
            sleep_until(due(hundredth)).await;
            happen(&load.nodes, event).await?;
        }
        sleep_until(until).await;
        println!("{second:>4} | {}", load.figures.second());
    }
    for task in tasks {
        task.await?;
    }
    for node in &load.nodes {
        node.stop().await;
    }
    let sum = load.figures.sum();
    let good = sum.is_good(seconds);
    println!("\nBy the way on which the logout came, in milliseconds:");
    for wire in load.figures.wires() {
        println!("{wire}");
    }
    if good {
        println!("No old login got in once its logout was answered.");
    }
    println!("{sum}");
    Ok(good)
}

async fn sleep_until(moment: Instant) {
    tokio::time::sleep(moment.saturating_duration_since(Instant::now())).await;
}

fn share(seconds: u32, hundredth: u32) -> Duration {
    Duration::from_millis(u64::from(seconds) * u64::from(hundredth) * 10)
}

async fn happen(nodes: &[Arc<Node>], event: Event) -> Result<(), BoxError> {
    let what = match event {
        Event::Stop(node) => {
            nodes[node].stop().await;
            "is stopped"
        }
        Event::Start(node) => {
            nodes[node].start_again().await?;
            "is started again"
        }
        Event::Cut(node) => {
            nodes[node].cut_bus(true);
            "loses its bus"
        }
        Event::Mend(node) => {
            nodes[node].cut_bus(false);
            "has its bus again"
        }
    };
    let (Event::Stop(node) | Event::Start(node) | Event::Cut(node) | Event::Mend(node)) = event;
    println!("     | node {} {what}", node + 1);
    Ok(())
}
