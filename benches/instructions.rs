//! How many instructions a request takes: `cargo bench --bench instructions`, with valgrind installed.
//!
//! The sites and the requests are those of the bench `overhead`. Unlike times, instructions hardly
//! depend on the machine and its load, so this bench fails if axum-clef takes more than its limits.
//!
//! Callgrind counts all instructions of a process, and knows no SHA instructions, so a digest takes
//! more of them here than of the time. Each figure is therefore the difference of two
//! processes, one of which sends more requests.

#[path = "overhead/asking.rs"]
mod asking;
#[path = "shared/mod.rs"]
mod shared;
#[path = "overhead/sites.rs"]
mod sites;

use std::{env, process::Command};

use self::{
    asking::ask,
    shared::Route,
    sites::{AXUM_CLEF, AXUM_LOGIN, BARE, LEASED, SEALED, TOWER_SESSIONS},
};

/// The requests of the two processes. The first few fill caches.
const FEWER: usize = 300;
const MORE: usize = 3_300;
const NAMES: [&str; 6] = [BARE, TOWER_SESSIONS, AXUM_LOGIN, AXUM_CLEF, SEALED, LEASED];

/// The most that axum-clef may take, as a ratio of another site's instructions. A twentieth above what
/// it takes, since compilers inline differently.
const LIMITS: [(&str, &str, Route, &str, f64); 5] = [
    (
        "public_cookie_vs_bare",
        AXUM_CLEF,
        Route::PublicWithCookie,
        BARE,
        1.33,
    ),
    (
        "user_vs_axum_login",
        AXUM_CLEF,
        Route::User,
        AXUM_LOGIN,
        0.86,
    ),
    (
        "user_vs_tower_sessions",
        AXUM_CLEF,
        Route::User,
        TOWER_SESSIONS,
        1.28,
    ),
    (
        "sealed_user_vs_axum_login",
        SEALED,
        Route::User,
        AXUM_LOGIN,
        1.13,
    ),
    (
        "leased_user_vs_axum_login",
        LEASED,
        Route::User,
        AXUM_LOGIN,
        1.19,
    ),
];

fn main() {
    let arguments: Vec<_> = env::args().collect();
    if let [_, command, site, route, requests] = &arguments[..]
        && command == "ask"
    {
        return send(site, route.parse().unwrap(), requests.parse().unwrap());
    }
    // `cargo test` shows that the requests work.
    if !arguments.iter().any(|argument| argument == "--bench") {
        for site in NAMES {
            (0..Route::ALL.len()).for_each(|route| send(site, route, 1));
        }
        return;
    }

    let counts = NAMES.map(|site| Route::ALL.map(|route| instructions(site, route)));
    print_table(&counts);
    let mut has_failed = false;
    for (name, ours, route, other, limit) in LIMITS {
        let [ours, other] = [ours, other].map(|site| {
            let row = NAMES.iter().position(|name| *name == site).unwrap();
            counts[row][route as usize]
        });
        let ratio = ours / other;
        println!("ratio instructions_{name} {ratio:.3}");
        if ratio > limit {
            eprintln!("{name} is {ratio:.3}, and at most {limit} is allowed");
            has_failed = true;
        }
    }
    if has_failed {
        std::process::exit(1);
    }
}

/// Sends requests to one site, for callgrind.
fn send(name: &str, route: usize, requests: usize) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let sites = runtime.block_on(sites::all());
    let site = sites.iter().find(|site| site.name == name).unwrap();
    runtime.block_on(site.answers_as_it_should(Route::ALL[route]));
    runtime.block_on(ask(site, Route::ALL[route], requests));
}

/// The instructions of one request.
fn instructions(site: &str, route: Route) -> f64 {
    let [fewer, more] = [FEWER, MORE].map(|requests| counted(site, route, requests));
    (more - fewer) / (MORE - FEWER) as f64
}

/// The instructions of a process that sends these requests.
fn counted(site: &str, route: Route, requests: usize) -> f64 {
    let output = Command::new("valgrind")
        .args(["--tool=callgrind", "--callgrind-out-file=/dev/null"])
        .arg(env::current_exe().unwrap())
        .args([
            "ask",
            site,
            &(route as usize).to_string(),
            &requests.to_string(),
        ])
        .output()
        .expect("valgrind must be installed");
    let log = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{log}");
    let (_, count) = log
        .split_once("Collected : ")
        .expect("a count of callgrind");
    count.lines().next().unwrap().trim().parse().unwrap()
}

fn print_table(counts: &[[f64; Route::ALL.len()]; NAMES.len()]) {
    println!("Instructions of a request\n");
    print!("{:<30}", "");
    for route in Route::ALL {
        print!("{:>20}", route.name());
    }
    println!();
    for (name, counts) in NAMES.iter().zip(counts) {
        print!("{name:<30}");
        for count in counts {
            print!("{count:>20.0}");
        }
        println!();
    }
    println!();
}
