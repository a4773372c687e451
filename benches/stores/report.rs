//! The table, and the lines for machines.

use crate::{
    measure::{Cost, Costs, ROUTES},
    sites::{self, Kind},
};

pub fn print_table(costs: &[Costs]) {
    println!("A request over PostgreSQL and Redis: µs by one task, and requests a second by 64\n");
    print!("{:<40}", "");
    for route in ROUTES {
        print!("{:>26}", route.name());
    }
    println!();
    for Costs { name, routes } in costs {
        print!("{name:<40}");
        for Cost { by_one, by_many } in routes {
            print!("{:>16.1}{:>10.0}", by_one * 1e6, 1.0 / by_many);
        }
        println!();
    }
    println!();
}

pub fn print_lines(costs: &[Costs]) {
    let of = |kind, pings| {
        let name = sites::name(kind, 8, pings);
        let costs = costs.iter().find(|costs| costs.name == name);
        costs.unwrap().routes
    };
    // Neither pings, as axum-login is faster then; `with_ping` is axum-login as sqlx comes.
    let other = of(Kind::AxumLogin, false);
    let pinging = of(Kind::AxumLogin, true);
    for (name, kind) in [
        ("plain", Kind::Plain),
        ("leased", Kind::Leased),
        ("sealed_leased", Kind::SealedLeased),
    ] {
        let [public, user] = of(kind, false);
        let lines = [
            ("", user.by_one / other[1].by_one),
            ("_with_ping", user.by_one / pinging[1].by_one),
            ("_public", public.by_one / other[0].by_one),
            ("_64_tasks", user.by_many / other[1].by_many),
        ];
        for (of, ratio) in lines {
            println!("ratio stores_{name}{of}_vs_axum_login {ratio:.4}");
        }
    }
    let [_, floor] = of(Kind::Floor, false);
    let [_, plain] = of(Kind::Plain, false);
    for (name, user) in [("axum_login", other[1]), ("plain", plain)] {
        println!(
            "ratio stores_{name}_vs_floor {:.4}",
            user.by_one / floor.by_one
        );
    }
    for (name, [_, user]) in [
        ("floor", of(Kind::Floor, false)),
        ("axum_login", other),
        ("axum_login_with_ping", pinging),
        ("plain", of(Kind::Plain, false)),
        ("leased", of(Kind::Leased, false)),
        ("sealed_leased", of(Kind::SealedLeased, false)),
    ] {
        let requests = 1.0 / user.by_many;
        println!("requests_per_second stores_{name} {requests:.0}");
    }
}
