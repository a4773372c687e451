//! Two nodes that lease users, and no bus: requests and a logout, while time passes.
//!
//! They call the store and no router, where the layer would refuse the login while its logout waits.

use std::{
    cell::RefCell,
    sync::{Arc, atomic::Ordering::SeqCst},
    time::Duration,
};

use axum_clef::{
    IdentityStore as _, LoginReference, Profile, Subject, User as _, UserStore as _,
    leased::Leased, stores::MemoryUserStore,
};
use futures_util::FutureExt as _;
use test_support::{HookedUsers, ISSUER, hook::Flag};

use crate::{
    explorer::explore_some,
    gated::GatedStores,
    world::{Actor, Kind, Scene},
};

const LEASE: Duration = Duration::from_secs(1);
/// How often half a lease passes before the logout is written.
const EARLY_TICKS: usize = 3;

#[derive(Clone)]
struct Nodes {
    nodes: [Arc<Leased<HookedUsers<GatedStores>>>; 2],
    gated: GatedStores,
    user: String,
    logged_out: Flag,
}

impl Nodes {
    /// Traces what happens from then on.
    async fn new(scene: &Scene) -> Self {
        let gated = GatedStores::of(scene.gates.clone(), scene.trace.clone());
        let users = HookedUsers::with(MemoryUserStore::new(), gated.clone());
        let profile = Profile::new(Subject::new(ISSUER, "alex"));
        let user = users.find_or_create(&profile).await.unwrap().unwrap();
        // The wait counts from the answer of the store. That is no step, so it comes with the effect.
        gated.gates.free(&["the store answers the logout"]);
        gated.trace.follow("leases.pml");
        Self {
            nodes: [(); 2].map(|()| Arc::new(Leased::new(users.clone(), LEASE))),
            gated,
            user: user.id(),
            logged_out: Flag::default(),
        }
    }

    async fn is_served(&self, node: usize) -> bool {
        self.gated.trace.step(&format!("at{node}"));
        let was_logged_out = self.logged_out.load(SeqCst);
        let login = LoginReference::new(&self.user);
        let check = self.nodes[node].check_login(login).await.unwrap().unwrap();
        let served = check.user.logged_out_at().is_none();
        assert!(
            !(served && was_logged_out),
            "the logout was answered before"
        );
        self.gated.trace.step(if served { "200" } else { "401" });
        served
    }

    fn request(&self, process: &str, node: usize) -> Actor {
        let nodes = self.clone();
        let request = async move {
            nodes.gated.gates.pass("a request comes").await;
            nodes.is_served(node).await;
        };
        self.gated.trace.actor(process, request.boxed())
    }

    /// A request that is dropped, if it has no answer until then.
    fn dropped_request(&self, process: &str, node: usize) -> Actor {
        let nodes = self.clone();
        let request = async move {
            nodes.gated.gates.pass("a request comes").await;
            let dropped = tokio::select! {
                biased;
                _ = nodes.is_served(node) => false,
                () = nodes.gated.gates.pass("the client goes away") => true,
            };
            if dropped {
                nodes.gated.trace.step("dropped");
            }
        };
        self.gated.trace.actor(process, request.boxed())
    }

    fn logout(&self) -> Actor {
        let nodes = self.clone();
        let logout = async move {
            nodes.gated.gates.pass("a logout comes").await;
            nodes.gated.trace.step("begin");
            assert!(nodes.nodes[0].log_out(&nodes.user).await.unwrap());
            nodes.logged_out.store(true, SeqCst);
            nodes.gated.trace.step("200");
        };
        self.gated.trace.actor("Logout0", logout.boxed())
    }

    /// Lets time pass until the logout is answered.
    fn time(&self) -> Actor {
        let nodes = self.clone();
        let time = async move {
            let mut ticks = 0;
            while !nodes.logged_out.load(SeqCst) {
                nodes.gated.gates.pass("time passes").await;
                if ticks < EARLY_TICKS || nodes.gated.logouts.load(SeqCst) > 0 {
                    ticks += 1;
                    nodes.gated.trace.step("tick");
                    tokio::time::advance(LEASE / 2).await;
                }
            }
        };
        self.gated.trace.actor("Time0", time.boxed())
    }
}

#[test]
fn a_logout_while_the_leases_run() {
    for [first, second, third] in [[0, 0, 0], [1, 1, 1], [0, 0, 1], [0, 1, 1]] {
        let site = RefCell::new(None);
        let prepare = async |scene: &mut Scene| {
            let nodes = Nodes::new(scene).await;
            let actors = vec![
                nodes.logout(),
                nodes.request("Request0", first),
                nodes.dropped_request("Request1", second),
                nodes.request("Request2", third),
                nodes.time(),
            ];
            site.replace(Some(nodes));
            actors
        };
        explore_some(Kind::STORED, 400, prepare, async |scene| {
            let nodes = site.take().unwrap();
            let served = scene.trace.process("Request3", nodes.is_served(third));
            assert!(!served.await);
        });
    }
}
