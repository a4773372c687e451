//! Sends notices of all kinds in turn, and takes the CPU time and the allocations of each.

use std::time::Duration;

use allocation_counter::opt_out;
use rand::seq::SliceRandom as _;
use rustix::time::{ClockId, clock_gettime};
use tokio::{runtime::Runtime, task::coop::unconstrained};

use crate::{
    site::{SENDER, Site, answer, from},
    wires::{Notice, Wire},
};

/// How much is measured.
#[derive(Clone, Copy)]
pub struct Plan {
    pub rounds: usize,
    /// So many notices, one after another, are timed at once.
    notices: usize,
    /// How many notices the flood has.
    pub flood: usize,
}

impl Plan {
    pub const FULL: Self = Self {
        rounds: 101,
        notices: 20,
        flood: 10_000,
    };
    pub const ONE_ROUND: Self = Self {
        rounds: 1,
        notices: 1,
        flood: 200,
    };
}

/// What one notice costs.
#[derive(Clone, Copy)]
pub struct Cost {
    pub micros: f64,
    pub allocations: f64,
}

pub struct Costs {
    pub bare: Cost,
    cells: Vec<(Wire, Notice, Cost)>,
}

impl Costs {
    pub fn of(&self, wire: Wire, notice: Notice) -> Option<Cost> {
        let cell = |(of, sent, _): &&(Wire, Notice, Cost)| (*of, *sent) == (wire, notice);
        self.cells.iter().find(cell).map(|(_, _, cost)| *cost)
    }

    /// Each figure with its name.
    pub fn rows(&self) -> Vec<(String, Cost)> {
        let mut rows = vec![("bare axum".to_owned(), self.bare)];
        for (wire, notice, cost) in &self.cells {
            rows.push((format!("{}, {}", wire.name(), notice.name()), *cost));
        }
        rows
    }
}

/// What each kind of notice costs on each wire.
pub fn measure(runtime: &Runtime, site: &Site, plan: Plan) -> Costs {
    let mut cells = vec![None];
    for wire in Wire::ALL {
        let notices = Notice::ALL.into_iter().filter(|notice| wire.has(*notice));
        cells.extend(notices.map(|notice| Some((wire, notice))));
    }
    let mut times = vec![Vec::with_capacity(plan.rounds); cells.len()];
    let mut turns: Vec<_> = (0..cells.len()).collect();
    let mut number = 0;
    // Not counted while it is timed: counting takes longer where more is allocated.
    opt_out(|| {
        for _ in 0..plan.rounds {
            turns.shuffle(&mut rand::rng());
            for &cell in &turns {
                let (time, _) = turn(runtime, site, cells[cell], plan.notices, &mut number);
                times[cell].push(time.as_secs_f64() * 1e6 / plan.notices as f64);
            }
        }
    });
    let mut costs = cells.iter().zip(times).map(|(cell, times)| {
        let (_, allocations) = turn(runtime, site, *cell, plan.notices, &mut number);
        let allocations = allocations as f64 / plan.notices as f64;
        let micros = median(times);
        (
            *cell,
            Cost {
                micros,
                allocations,
            },
        )
    });
    let (_, bare) = costs.next().unwrap();
    let cells = costs.filter_map(|(cell, cost)| cell.map(|(wire, notice)| (wire, notice, cost)));
    Costs {
        bare,
        cells: cells.collect(),
    }
}

/// Sends notices of one kind, one after another, to the site or to bare axum. Returns the CPU time
/// and the allocations of all.
fn turn(
    runtime: &Runtime,
    site: &Site,
    cell: Option<(Wire, Notice)>,
    notices: usize,
    number: &mut usize,
) -> (Duration, u64) {
    // Bare axum reads what costs the site most.
    let (wire, notice) = cell.unwrap_or((Wire::BackChannel, Notice::Signature));
    let app = cell.map_or(&site.bare, |_| site.app_for(notice));
    let requests = (0..notices).map(|_| {
        *number += 1;
        from(SENDER, wire.request(&site.issuer, notice, *number))
    });
    let requests: Vec<_> = requests.collect();
    let mut time = Duration::ZERO;
    let counted = allocation_counter::measure(|| {
        runtime.block_on(unconstrained(async {
            let start = cpu_time();
            for request in requests {
                answer(app, request).await;
            }
            time = cpu_time() - start;
        }));
    });
    (time, counted.count_total)
}

/// The CPU time of this thread.
pub fn cpu_time() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    let seconds = u64::try_from(time.tv_sec).unwrap();
    Duration::new(seconds, u32::try_from(time.tv_nsec).unwrap())
}

fn median(mut times: Vec<f64>) -> f64 {
    times.sort_by(f64::total_cmp);
    times[times.len() / 2]
}
