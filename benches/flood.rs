//! What a core spends on a flood of forged logout notices: `cargo bench --bench flood`.
//!
//! Notices of each wire go through the router in process, on one thread: forged ones, each wrong in
//! one way, and real ones. A figure is the CPU time of that thread for one notice. The provider that
//! is asked for keys, and the Clef that is asked about tokens, run on another thread. So the figure
//! of the webhook has the call to Clef in it, and not what Clef does. Users are in memory. Each round
//! gives every kind its turn, in an order of its own; a figure is the median of all rounds. Bare axum
//! reads the same body and answers 400.
//!
//! Then ten thousand forged notices come from as many addresses, of the kind that costs most, with a
//! real one of a known sender among each hundred.
//!
//! The last lines are for machines: `ratio NAME VALUE`. `until_signature` is the kind that costs most
//! of those that are refused before a signature is verified, a key is looked for, or Clef or the
//! user store is asked; `signature` is the kind that is wrong in nothing else. `real_through` is how
//! many of the real notices in the flood were answered with success at their first try.
//! Without `--bench`, as `cargo test` runs it, there is one short round and no ratio.

#[path = "flood/flood.rs"]
mod flood;
#[path = "flood/measure.rs"]
mod measure;
#[path = "flood/site.rs"]
mod site;
#[path = "flood/wires.rs"]
mod wires;

use std::env;

use self::{
    flood::Flood,
    measure::{Costs, Plan, measure},
    site::Site,
    wires::{Notice, Wire},
};

fn main() {
    let in_full = env::args().any(|argument| argument == "--bench");
    let plan = if in_full { Plan::FULL } else { Plan::ONE_ROUND };
    let elsewhere = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let site = Site::start(&elsewhere, &runtime);
    let costs = measure(&runtime, &site, plan);
    println!(
        "A logout notice: µs of CPU (median of {} rounds) and allocations\n",
        plan.rounds
    );
    for (name, cost) in &costs.rows() {
        println!("{name:<36}{:>10.2}{:>8.1}", cost.micros, cost.allocations);
    }
    println!();
    let floods = Wire::ALL.map(|wire| (wire, flood::run(&runtime, &site, wire, plan)));
    for (wire, flood) in &floods {
        let Flood {
            forged,
            real,
            through,
            micros,
        } = flood;
        println!(
            "{:<18}{forged} forged and {real} real notices: {micros:.1} µs each, {through} real \
             ones got through",
            wire.name()
        );
    }
    println!();
    if in_full {
        print_ratios(&costs, &floods);
    }
}

fn print_ratios(costs: &Costs, floods: &[(Wire, Flood)]) {
    for (wire, flood) in floods {
        let name = wire.name().replace('-', "_");
        let of = |notice| costs.of(*wire, notice).map(|cost| cost.micros);
        let cheap = Notice::ALL.into_iter().filter(|notice| notice.is_cheap());
        let dearest = cheap.filter_map(of).max_by(f64::total_cmp);
        for (what, micros) in [
            ("until_signature", dearest),
            ("signature", of(Notice::Signature)),
            ("unknown", of(Notice::Unknown)),
            ("turned_away", of(Notice::TurnedAway)),
            ("real", of(Notice::Real)),
        ] {
            if let Some(micros) = micros {
                println!(
                    "ratio flood_{name}_{what}_vs_bare {:.2}",
                    micros / costs.bare.micros
                );
            }
        }
        let through = flood.through as f64 / flood.real as f64;
        println!("ratio flood_{name}_real_through {through:.3}");
    }
}
