//! What a check, a login and a logout cost, however many users PostgreSQL has: `cargo bench --bench scale`.
//!
//! It creates a database with a schema for each number of users: ten thousand, a million and ten
//! million. `SCALE_USERS` is the largest, for example 100000000. `POSTGRES_URL` names the server, if it
//! is not on this machine. Ten million take some 5 GB and ten minutes. The database is dropped at the end.
//!
//! Calls follow one another by one task, in rounds that give each schema its turn, with random users.
//! Then the largest schema gets as many revocations that are kept no longer. Four tasks sign logins out,
//! which removes them step by step, while another one logs users out.
//!
//! The last lines are for machines: `ratio NAME VALUE`. Without `--bench` it runs with a thousand users,
//! too briefly for a figure.

#[path = "scale/backlog.rs"]
mod backlog;
#[path = "scale/calls.rs"]
mod calls;
#[path = "shared/database.rs"]
mod database;
#[path = "scale/population.rs"]
mod population;
#[path = "shared/times.rs"]
mod times;

use std::{env, process::ExitCode, rc::Rc};

use tokio::task::LocalSet;

use self::{calls::Call, database::Database, population::Population};

const SIZES: [u64; 4] = [10_000, 1_000_000, 10_000_000, 100_000_000];
const DEFAULT: u64 = 10_000_000;
const ROUNDS: usize = 60;

fn main() -> ExitCode {
    let in_full = env::args().any(|argument| argument == "--bench");
    let users = match env::var("SCALE_USERS").map(|users| users.parse()) {
        Ok(Ok(users)) => users,
        Ok(Err(error)) => {
            eprintln!("SCALE_USERS is no number: {error}");
            return ExitCode::FAILURE;
        }
        Err(_) => DEFAULT,
    };
    let (sizes, rounds) = if in_full {
        let smaller = SIZES.into_iter().filter(|size| *size < users);
        (smaller.chain([users]).collect(), ROUNDS)
    } else {
        (vec![100, 1_000], 1)
    };
    let runtime = tokio::runtime::Runtime::new().unwrap();
    match runtime.block_on(run(&sizes, rounds)) {
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
async fn run(sizes: &[u64], rounds: usize) -> Result<(), String> {
    let database = Rc::new(Database::create().await?);
    let (shared, sizes) = (Rc::clone(&database), sizes.to_vec());
    let work = async move { measure(&shared, &sizes, rounds).await };
    // In a task, so that the database is dropped whatever has failed.
    let local = LocalSet::new();
    let work = local.spawn_local(work);
    let worked = local.run_until(work).await;
    let database = Rc::into_inner(database);
    database.unwrap().drop().await;
    worked.unwrap();
    Ok(())
}

async fn measure(database: &Database, sizes: &[u64], rounds: usize) {
    let mut populations = Vec::new();
    for size in sizes {
        populations.push(Population::create(database, *size).await);
    }
    let times = calls::measure(&populations, rounds).await;
    println!("A call by the number of users: µs, median and 99th percentile\n");
    print!("{:>12}", "");
    for call in Call::ALL {
        print!("{:>20}", call.name());
    }
    println!();
    for (population, times) in populations.iter().zip(&times) {
        print!("{:>12}", population.users);
        for times in times {
            print!("{:>10.0}{:>10.0}", times.median() * 1e6, times.p99() * 1e6);
        }
        println!();
    }
    let (first, last) = (&populations[0], &populations[populations.len() - 1]);
    let [without, with] = backlog::measure(database, first, last, rounds).await;
    println!("\nWhile four tasks sign logins out: µs, median and 99th percentile\n");
    println!("{:>44}{:>20}", "logout", "sign-out");
    let old = format!("{} old revocations", last.users);
    for (name, times) in [("no old revocations", &without), (&old, &with)] {
        print!("{name:>28}");
        for times in times {
            print!("{:>10.0}{:>10.0}", times.median() * 1e6, times.p99() * 1e6);
        }
        println!();
    }
    println!();
    for (index, call) in Call::ALL.into_iter().enumerate() {
        for (population, times_of) in populations.iter().zip(&times).skip(1) {
            let ratio = times_of[index].median() / times[0][index].median();
            let (name, users) = (call.name(), population.users);
            println!("ratio scale_{name}_{users}_vs_{} {ratio:.3}", first.users);
        }
    }
    for (index, name) in ["logout", "sign_out"].into_iter().enumerate() {
        let ratio = with[index].median() / without[index].median();
        println!(
            "ratio scale_{name}_while_{}_are_removed {ratio:.3}",
            last.users
        );
        let ratio = with[index].p99() / without[index].p99();
        println!(
            "ratio scale_{name}_p99_while_{}_are_removed {ratio:.3}",
            last.users
        );
    }
}
