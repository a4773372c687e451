//! What a request costs where users are in PostgreSQL and logins in Redis: `cargo bench --bench
//! stores`. It takes some two minutes, and leaves nothing behind on the servers but sessions that
//! end within the hour.
//!
//! `POSTGRES_URL` and `REDIS_URL` name the servers, if they are not on this machine as `.ci/run` has
//! them. The pages are those of `overhead`, at axum-login and at axum-clef: as it is, with users kept
//! for a lease of a second, and with those and the login sealed in the cookie. Over pools of 8 and 16
//! connections to either server, and over a pool that pings PostgreSQL each time before it gives a
//! connection out, as sqlx does by default, and one that does not. The floor is bare axum that reads one
//! value from Redis and one user from PostgreSQL.
//!
//! Requests go through the router in process, made by one task or by 64, on as many threads as there
//! are processors. Each turn is a moment of nothing else, and each round gives every site its turn
//! on every page, in an order of its own. A figure is the median of all rounds.
//!
//! Then a user logs out who has more and more sessions in Redis.
//!
//! The last lines are for machines: `ratio NAME VALUE`, of the times that a request takes, over pools
//! of 8 connections; and `requests_per_second NAME VALUE`, of 64 tasks. Without `--bench` every site
//! is asked for every page once, and nothing is measured.

#[path = "stores/logouts.rs"]
mod logouts;
#[path = "stores/measure.rs"]
mod measure;
#[path = "stores/report.rs"]
mod report;
#[path = "stores/servers.rs"]
mod servers;
#[path = "shared/mod.rs"]
mod shared;
#[path = "stores/sites.rs"]
mod sites;

use std::{env, process::ExitCode};

use axum_clef::{IdentityStore as _, Profile, Subject, User as _};
use clef_dev::PEOPLE;

use self::{
    servers::Servers,
    shared::{Route, clef},
    sites::Kind,
};

fn main() -> ExitCode {
    let in_full = env::args().any(|argument| argument == "--bench");
    let runtime = tokio::runtime::Runtime::new().unwrap();
    match runtime.block_on(run(in_full)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(missing) => {
            eprintln!("{missing}");
            ExitCode::FAILURE
        }
    }
}

/// # Errors
///
/// When a server is missing.
async fn run(in_full: bool) -> Result<(), String> {
    let servers = Servers::find().await?;
    let work = tokio::spawn({
        let servers = servers.clone();
        async move {
            let service = clef::service().await;
            let users = servers.users(1, false).await;
            let sites = sites::all(&servers, &service).await;
            for site in &sites {
                for route in Route::ALL {
                    site.answers_as_it_should(route).await;
                }
            }
            if in_full {
                let costs = measure::measure(&sites).await;
                report::print_table(&costs);
                let person = Profile::new(Subject::new(service.url(), PEOPLE[0].id()));
                let user = users.find_or_create(&person).await.unwrap();
                let site = sites::of(&sites, Kind::Plain, 8, false);
                logouts::measure(&servers, &users, site, &user.unwrap().id()).await;
                report::print_lines(&costs);
            } else {
                println!("every site has answered as it should");
            }
        }
    });
    // Whatever went wrong, the servers are tidied up.
    let worked = work.await;
    servers.tidy_up().await;
    worked.unwrap();
    Ok(())
}
