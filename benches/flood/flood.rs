//! Forged notices from many addresses at once, with real ones among them.

use std::net::{IpAddr, Ipv4Addr};

use allocation_counter::opt_out;
use tokio::{runtime::Runtime, task::JoinSet};

use crate::{
    measure::{Plan, cpu_time},
    site::{SENDER, Site, answer, from},
    wires::{Notice, Wire},
};

/// How many arrive at once: as many as in a tenth of a second, where ten thousand arrive in one.
const AT_ONCE: usize = 1_000;
/// One notice in so many is real.
const REAL: usize = 100;

/// What became of a flood.
pub struct Flood {
    pub forged: usize,
    pub real: usize,
    /// How many of the real notices were answered with success.
    pub through: usize,
    /// The CPU time for each notice.
    pub micros: f64,
}

pub fn run(runtime: &Runtime, site: &Site, wire: Wire, plan: Plan) -> Flood {
    let mut flood = Flood {
        forged: 0,
        real: 0,
        through: 0,
        micros: 0.0,
    };
    for first in (0..plan.flood).step_by(AT_ONCE) {
        let numbers = first..plan.flood.min(first + AT_ONCE);
        let requests = numbers.map(|number| {
            let is_real = number % REAL == REAL / 2;
            let (sender, notice) = match is_real {
                true => (SENDER, Notice::Real),
                false => (attacker(number), wire.dearest()),
            };
            // No notice that was measured before.
            let number = 1_000_000 + number;
            (
                is_real,
                from(sender, wire.request(&site.issuer, notice, number)),
            )
        });
        let requests: Vec<_> = requests.collect();
        flood.real += requests.iter().filter(|(is_real, _)| *is_real).count();
        opt_out(|| {
            let start = cpu_time();
            let statuses = runtime.block_on(async {
                let mut answers = JoinSet::new();
                for (is_real, request) in requests {
                    let app = site.app.clone();
                    answers.spawn(async move { (is_real, answer(&app, request).await) });
                }
                answers.join_all().await
            });
            flood.micros += (cpu_time() - start).as_secs_f64() * 1e6;
            let through = statuses.iter();
            let through = through.filter(|(is_real, status)| *is_real && status.is_success());
            flood.through += through.count();
        });
    }
    flood.forged = plan.flood - flood.real;
    flood.micros /= plan.flood as f64;
    flood
}

/// An address for each.
fn attacker(number: usize) -> IpAddr {
    Ipv4Addr::from_bits(0x0a00_0000 + u32::try_from(number).unwrap()).into()
}
