//! Counts allocations.

use tokio::runtime::Runtime;

use crate::{
    asking::ask,
    shared::{Route, Site},
};

/// The allocations of one request, on the average.
pub fn allocations(runtime: &Runtime, site: &Site, route: Route, requests: usize) -> f64 {
    let counted = allocation_counter::measure(|| runtime.block_on(ask(site, route, requests)));
    counted.count_total as f64 / requests as f64
}
