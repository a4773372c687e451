//! Asks all sites in turn, and takes the time and the allocations.

use std::time::Instant;

use allocation_counter::opt_out;
use rand::seq::SliceRandom as _;
use tokio::runtime::Runtime;

use crate::{
    allocations::allocations,
    asking::ask,
    shared::{Route, Site},
};

/// How much is measured.
#[derive(Clone, Copy)]
pub struct Plan {
    pub rounds: usize,
    /// So many requests, one after another, are timed at once: the clock is too coarse for one.
    requests: usize,
}

impl Plan {
    pub const FULL: Self = Self {
        rounds: 601,
        requests: 100,
    };
    pub const ONE_ROUND: Self = Self {
        rounds: 1,
        requests: 1,
    };
}

/// What one request costs.
pub struct Cost {
    pub nanoseconds: f64,
    pub allocations: f64,
}

/// What each route costs at each site.
pub fn measure(runtime: &Runtime, sites: &[Site], plan: Plan) -> Vec<Vec<Cost>> {
    for site in sites {
        for route in Route::ALL {
            runtime.block_on(site.answers_as_it_should(route));
        }
    }

    let cells: Vec<_> = sites
        .iter()
        .flat_map(|site| Route::ALL.map(|route| (site, route)))
        .collect();
    let mut times = vec![Vec::with_capacity(plan.rounds); cells.len()];
    let mut turns: Vec<_> = (0..cells.len()).collect();
    // Not counted while it is timed: counting takes longer where more is allocated.
    opt_out(|| {
        for _ in 0..plan.rounds {
            turns.shuffle(&mut rand::rng());
            for &cell in &turns {
                let (site, route) = cells[cell];
                times[cell].push(time(runtime, site, route, plan.requests));
            }
        }
    });

    let costs = cells.iter().zip(times).map(|((site, route), times)| Cost {
        nanoseconds: median(times),
        allocations: allocations(runtime, site, *route, plan.requests),
    });
    let mut costs = costs.collect::<Vec<_>>().into_iter();
    sites
        .iter()
        .map(|_| costs.by_ref().take(Route::ALL.len()).collect())
        .collect()
}

fn time(runtime: &Runtime, site: &Site, route: Route, requests: usize) -> f64 {
    runtime.block_on(async {
        let start = Instant::now();
        ask(site, route, requests).await;
        start.elapsed().as_nanos() as f64 / requests as f64
    })
}

fn median(mut times: Vec<f64>) -> f64 {
    times.sort_by(f64::total_cmp);
    times[times.len() / 2]
}
