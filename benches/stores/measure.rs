//! Asks all sites in turn, and takes the time.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use axum::body::to_bytes;
use rand::seq::SliceRandom as _;
use tokio::task::JoinSet;

use crate::shared::{Route, Site};

/// What is measured: the page that is the same for all costs a stranger nothing of the servers
/// anywhere.
pub const ROUTES: [Route; 2] = [Route::PublicWithCookie, Route::User];
/// How many ask at once, and for how long at a time.
const ONE: Load = Load {
    tasks: 1,
    turn: Duration::from_millis(10),
};
const MANY: Load = Load {
    tasks: 64,
    turn: Duration::from_millis(30),
};
const ROUNDS: usize = 71;

struct Load {
    tasks: usize,
    turn: Duration,
}

/// What one site costs.
pub struct Costs {
    pub name: String,
    /// For each of [`ROUTES`].
    pub routes: [Cost; ROUTES.len()],
}

/// In seconds a request.
#[derive(Clone, Copy)]
pub struct Cost {
    pub by_one: f64,
    /// The requests of all tasks together, so the inverse is how many they get through.
    pub by_many: f64,
}

pub async fn measure(sites: &[Arc<Site>]) -> Vec<Costs> {
    let mut turns: Vec<_> = (0..sites.len() * ROUTES.len()).collect();
    let mut times = vec![(Vec::new(), Vec::new()); turns.len()];
    for _ in 0..ROUNDS {
        turns.shuffle(&mut rand::rng());
        for &turn in &turns {
            let (site, route) = (&sites[turn / ROUTES.len()], ROUTES[turn % ROUTES.len()]);
            times[turn].0.push(time(site, route, &ONE).await);
            times[turn].1.push(time(site, route, &MANY).await);
        }
    }
    let mut costs = times.into_iter().map(|(by_one, by_many)| Cost {
        by_one: median(by_one),
        by_many: median(by_many),
    });
    let of_one = |site: &Arc<Site>| Costs {
        name: site.name.clone(),
        routes: ROUTES.map(|_| costs.next().unwrap()),
    };
    sites.iter().map(of_one).collect()
}

async fn time(site: &Arc<Site>, route: Route, load: &Load) -> f64 {
    let start = Instant::now();
    let turn = load.turn;
    let mut tasks = JoinSet::new();
    for _ in 0..load.tasks {
        let site = Arc::clone(site);
        tasks.spawn(async move {
            let mut requests = 0;
            while requests == 0 || start.elapsed() < turn {
                ask(&site, route).await;
                requests += 1;
            }
            requests
        });
    }
    let requests: u32 = tasks.join_all().await.into_iter().sum();
    start.elapsed().as_secs_f64() / f64::from(requests)
}

async fn ask(site: &Site, route: Route) {
    let response = site.answer(site.request(route)).await;
    assert_eq!(response.status(), 200, "{}: {}", site.name, route.name());
    drop(to_bytes(response.into_body(), 1_000).await.unwrap());
}

pub fn median(mut times: Vec<f64>) -> f64 {
    times.sort_by(f64::total_cmp);
    times[times.len() / 2]
}
