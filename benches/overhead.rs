//! What a request costs, beside what it costs with others: `cargo bench --bench overhead`.
//!
//! The same application seven times, in one process: bare axum, tower-sessions alone, axum-login,
//! and axum-clef with logins that are stored, or sealed in the cookie. The handlers are the same,
//! and so are the stores, which are in memory: what is left is what the layers do. Requests go
//! through the router in process, one after another, on one thread, from the making of the request
//! to the last byte of the answer. Each round gives every application its turn on every route, in an
//! order of its own, so that whatever else the machine does falls on all of them. A figure is the
//! median of all rounds.
//!
//! Every router has its state (`with_state`), as `axum::serve` sees to: without, axum puts the
//! layers on anew at each request. The allocator that counts looks at one number of the thread
//! while it is not counting; all the times are a twentieth shorter without it, the ratios the same.
//!
//! The last lines are for machines: `ratio NAME VALUE`. Without `--bench`, as `cargo test` runs
//! it, there is one short round and no ratio: it shows no more than that all of it works.

#[path = "overhead/allocations.rs"]
mod allocations;
#[path = "overhead/asking.rs"]
mod asking;
#[path = "overhead/measure.rs"]
mod measure;
#[path = "shared/mod.rs"]
mod shared;
#[path = "overhead/sites.rs"]
mod sites;

use std::env;

use self::{
    measure::{Cost, Plan, measure},
    shared::{Route, Site},
};

fn main() {
    let in_full = env::args().any(|argument| argument == "--bench");
    let plan = if in_full { Plan::FULL } else { Plan::ONE_ROUND };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let sites = runtime.block_on(sites::all());
    let costs = measure(&runtime, &sites, plan);
    print_table(plan, &sites, &costs);
    if in_full {
        print_ratios(&sites, &costs);
    }
}

fn print_table(plan: Plan, sites: &[Site], costs: &[Vec<Cost>]) {
    println!(
        "A request, in memory: µs (median of {} rounds) and allocations\n",
        plan.rounds
    );
    print!("{:<30}", "");
    for route in Route::ALL {
        print!("{:>26}", route.name());
    }
    println!();
    for (site, costs) in sites.iter().zip(costs) {
        print!("{:<30}", site.name);
        for cost in costs {
            let micros = cost.nanoseconds / 1_000.0;
            print!("{micros:>20.2} {:>5.1}", cost.allocations);
        }
        println!();
    }
    println!();
}

fn print_ratios(sites: &[Site], costs: &[Vec<Cost>]) {
    use sites::{AROUND, AXUM_CLEF, AXUM_LOGIN, BARE, LEASED, SEALED, TOWER_SESSIONS};

    let time = |name: &str, route: Route| {
        let row = sites.iter().position(|site| site.name == name).unwrap();
        costs[row][route as usize].nanoseconds
    };
    let public = Route::PublicWithCookie;
    for (name, ours, route, other) in [
        ("public_cookie_vs_axum_login", AXUM_CLEF, public, AXUM_LOGIN),
        ("user_vs_axum_login", AXUM_CLEF, Route::User, AXUM_LOGIN),
        (
            "user_vs_tower_sessions",
            AXUM_CLEF,
            Route::User,
            TOWER_SESSIONS,
        ),
        ("user_vs_bare", AXUM_CLEF, Route::User, BARE),
        ("public_cookie_vs_bare", AXUM_CLEF, public, BARE),
        ("around_public_cookie_vs_bare", AROUND, public, BARE),
        ("around_user_vs_axum_login", AROUND, Route::User, AXUM_LOGIN),
        ("sealed_user_vs_axum_login", SEALED, Route::User, AXUM_LOGIN),
        ("leased_user_vs_axum_login", LEASED, Route::User, AXUM_LOGIN),
    ] {
        let ratio = time(ours, route) / time(other, route);
        println!("ratio {name} {ratio:.3}");
    }
}
