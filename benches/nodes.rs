//! What a logout takes among nodes that lease users, over the bus of PostgreSQL: `cargo bench --bench
//! nodes`.
//!
//! It creates a database and drops it. `POSTGRES_URL` names the server, if it is not on this machine.
//! Each node has two to ten connections of its own, one of which listens; all nodes run in this process.
//! The lease is a second. For each number of nodes:
//!
//! - one logout after the other, at each node in turn;
//! - a thousand logouts a second, or `NODES_RATE`, at all nodes together. A logout is timed from when it
//!   was due;
//! - what the server does meanwhile, and what it does without logouts: transactions and bytes of WAL. Other
//!   databases of the server should be idle, since they share its WAL.
//!
//! The floor is what no protocol can save: the write of the logout alone, and a notification to another
//! connection and back.
//!
//! The last lines are for machines: `ratio NAME VALUE`. Without `--bench` it runs too briefly for a figure.

#[path = "nodes/cluster.rs"]
mod cluster;
#[path = "nodes/cost.rs"]
mod cost;
#[path = "shared/database.rs"]
mod database;
#[path = "nodes/floor.rs"]
mod floor;
#[path = "shared/times.rs"]
mod times;

use std::{env, process::ExitCode, rc::Rc, time::Duration};

use tokio::task::LocalSet;

use self::{
    cluster::Cluster,
    cost::{Cost, Rate},
    database::Database,
    times::Times,
};

/// How long, and how often.
struct Plan {
    nodes: &'static [usize],
    logouts: usize,
    rate: u32,
    duration: Duration,
}

const FULL: Plan = Plan {
    nodes: &[2, 8, 32],
    logouts: 400,
    rate: 1_000,
    duration: Duration::from_secs(10),
};
const BRIEF: Plan = Plan {
    nodes: &[2, 3],
    logouts: 10,
    rate: 20,
    duration: Duration::from_secs(1),
};

fn main() -> ExitCode {
    let in_full = env::args().any(|argument| argument == "--bench");
    let mut plan = if in_full { FULL } else { BRIEF };
    if let (true, Ok(rate)) = (in_full, env::var("NODES_RATE")) {
        match rate.parse() {
            Ok(rate) => plan.rate = rate,
            Err(error) => {
                eprintln!("NODES_RATE is no number: {error}");
                return ExitCode::FAILURE;
            }
        }
    }
    let runtime = tokio::runtime::Runtime::new().unwrap();
    match runtime.block_on(run(plan)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(missing) => {
            eprintln!("{missing}");
            ExitCode::FAILURE
        }
    }
}

/// # Errors
///
/// If there is no server.
async fn run(plan: Plan) -> Result<(), String> {
    let database = Rc::new(Database::create().await?);
    let shared = Rc::clone(&database);
    // In a task, so that the database is dropped whatever has failed.
    let local = LocalSet::new();
    let work = local.spawn_local(async move { measure(&shared, &plan).await });
    let worked = local.run_until(work).await;
    let database = Rc::into_inner(database);
    database.unwrap().drop().await;
    worked.unwrap();
    Ok(())
}

/// What one number of nodes takes.
struct Row {
    nodes: usize,
    alone: Times,
    /// Of those that were answered.
    at_rate: Times,
    /// A second and node, without logouts.
    idle: Rate,
    /// A logout, at the rate.
    logout: Rate,
}

async fn measure(database: &Database, plan: &Plan) {
    let [write, notification] = floor::measure(database, plan.logouts).await;
    let floor = write.median() + notification.median();
    let mut rows = Vec::new();
    for &nodes in plan.nodes {
        let cluster = Cluster::start(database, nodes).await;
        let before = Cost::now(database).await;
        tokio::time::sleep(plan.duration).await;
        let idle = before.rate_until(&Cost::now(database).await);
        let alone = cluster.log_out_in_turn(plan.logouts).await;
        let before = Cost::now(database).await;
        let at_rate = cluster.log_out_at_rate(plan.rate, plan.duration).await;
        let after = Cost::now(database).await;
        let logouts = f64::from(plan.rate) * plan.duration.as_secs_f64();
        let logouts = logouts / (after.at - before.at).as_secs_f64();
        rows.push(Row {
            nodes,
            alone,
            at_rate,
            idle: idle.by(nodes as f64),
            logout: before.rate_until(&after).less(idle).by(logouts),
        });
    }

    println!("The floor, in µs, median and 99th percentile\n");
    for (name, times) in [
        ("the write of a logout", &write),
        ("a notification to and fro", &notification),
    ] {
        println!(
            "{name:>28}{:>10.0}{:>10.0}",
            times.median() * 1e6,
            times.p99() * 1e6
        );
    }
    println!(
        "\nA logout among nodes: µs, median and 99th percentile; transactions and bytes of WAL\n"
    );
    let rate = format!("{} a second", plan.rate);
    print!(
        "{:>8}{:>20}{rate:>20}{:>10}",
        "nodes", "one at a time", "answered"
    );
    println!("{:>20}{:>20}", "of a logout", "node and second");
    for row in &rows {
        print!("{:>8}", row.nodes);
        for times in [&row.alone, &row.at_rate] {
            print!("{:>10.0}{:>10.0}", times.median() * 1e6, times.p99() * 1e6);
        }
        print!("{:>10}", row.at_rate.len());
        for cost in [row.logout, row.idle] {
            print!("{:>10.1}{:>10.0}", cost.transactions, cost.bytes);
        }
        println!();
    }
    println!();
    for row in &rows {
        let (nodes, first) = (row.nodes, &rows[0]);
        println!(
            "ratio nodes_logout_{nodes}_vs_floor {:.3}",
            row.alone.median() / floor
        );
        for (name, times, of_first) in [
            ("logout", &row.alone, &first.alone),
            ("logout_at_rate", &row.at_rate, &first.at_rate),
        ] {
            if nodes != first.nodes {
                let ratio = times.median() / of_first.median();
                println!("ratio nodes_{name}_{nodes}_vs_{} {ratio:.3}", first.nodes);
            }
            let ratio = times.p99() / times.median();
            println!("ratio nodes_{name}_{nodes}_p99_vs_median {ratio:.3}");
        }
        println!(
            "ratio nodes_{nodes}_transactions_per_logout {:.2}",
            row.logout.transactions
        );
        println!(
            "ratio nodes_{nodes}_wal_bytes_per_logout {:.0}",
            row.logout.bytes
        );
        println!(
            "ratio nodes_{nodes}_transactions_per_node_second {:.2}",
            row.idle.transactions
        );
        println!(
            "ratio nodes_{nodes}_wal_bytes_per_node_second {:.0}",
            row.idle.bytes
        );
    }
}
