//! What a request allocates, at the most: growth is noticed here, and then either undone or said.
//! The sites are those of the bench that measures the time, and so is the way to ask them.

#[path = "../overhead/allocations.rs"]
mod allocations;
#[path = "../overhead/asking.rs"]
mod asking;
#[path = "../shared/mod.rs"]
mod shared;
#[path = "../overhead/sites.rs"]
mod sites;

use self::{
    allocations::allocations,
    shared::Route,
    sites::{AROUND, AXUM_CLEF, AXUM_LOGIN, BARE, LEASED, SEALED},
};

/// Beyond what bare axum allocates, in the order of [`Route::ALL`]. Of those for the user four are
/// the copy that the session store in memory returns, and three what goes through traits.
const STORED: [f64; 3] = [5.0, 5.0, 13.0];
/// The same where logins are sealed, which no store returns.
const OPENED: [f64; 3] = [5.0, 5.0, 9.0];
/// Beyond that where users are leased, whose cache cleans up now and then.
const CLEANING: f64 = 0.1;
/// What axum boxes for the layer of a route, and not for one around the router as a whole.
const BOXED: f64 = 2.0;
/// So many are counted at once: a request now and then would not show.
const REQUESTS: usize = 100;

#[test]
fn a_request_allocates_no_more_than_this() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let sites = runtime.block_on(sites::all());
    for (index, route) in Route::ALL.into_iter().enumerate() {
        let names = [BARE, AXUM_LOGIN, AXUM_CLEF, AROUND, SEALED, LEASED];
        let [bare, other, stored, around, sealed, leased] = names.map(|name| {
            let site = sites.iter().find(|site| site.name == name).unwrap();
            runtime.block_on(site.answers_as_it_should(route));
            allocations(&runtime, site, route, REQUESTS)
        });
        let name = route.name();
        let opened = OPENED[index];
        for (ours, beyond_bare) in [
            (stored, STORED[index]),
            (around, STORED[index] - BOXED),
            (sealed, opened),
            (leased, opened + CLEANING),
        ] {
            assert!(ours <= bare + beyond_bare, "{name}: {ours}, bare {bare}");
            assert!(ours < other, "{name}: {ours}, axum-login {other}");
        }
    }
}
