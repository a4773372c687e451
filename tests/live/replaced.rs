//! A login that is replaced or kept: its pages connect again, with the new cookie.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::SeqCst},
    },
    time::Duration,
};

use async_trait::async_trait;
use axum_clef::{
    BoxError, ClefLayer, LogoutReason,
    leased::{Leased, LogoutBus, LogoutListener, Reach},
};
use test_support::World;
use tokio::time::Instant;

use crate::place::{Node, Page, SECOND, ending};

/// Far less than the interval.
const MOMENT: Duration = Duration::from_millis(1);

#[tokio::test(start_paused = true)]
async fn a_page_whose_login_is_replaced_looks_again() {
    for (_, node) in Node::both() {
        let mut browser = node.logged_in("12345").await;
        let mut page = node.page(&mut browser).await;
        let end = node.end(&mut browser).await;
        browser.log_in(&node, "12345").await;
        assert_eq!(ending(end).await, LogoutReason::SessionGone);
        page.looks_again().await;
        node.page(&mut browser).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_page_whose_login_is_replaced_looks_again_after_the_lease() {
    let world = World::new();
    let leased = Leased::new(world.users.clone(), SECOND);
    let layer = ClefLayer::builder(World::SITE, leased, world.stored());
    let node = Node::with(&world, layer.provider(world.provider.clone()));
    let mut browser = node.logged_in("12345").await;
    let mut page = node.page(&mut browser).await;
    let closes = async {
        assert_eq!(page.event().await, None);
        Instant::now()
    };
    let (closed_at, ()) = tokio::join!(closes, browser.log_in(&node, "12345"));
    let cookie_after = closed_at.elapsed();
    assert!(cookie_after >= SECOND, "{cookie_after:?}");
    let retry = retry(&page);
    assert!(retry > cookie_after, "{retry:?} {cookie_after:?}");
    node.page(&mut browser).await;
}

/// A bus that this node can leave: it then does not know the leases of the others.
#[derive(Clone, Default)]
struct Bus {
    has_left: Arc<AtomicBool>,
}

#[async_trait]
impl LogoutBus for Bus {
    async fn listen(&self, _: &LogoutListener) {
        std::future::pending().await
    }

    async fn publish(&self, _: &str) -> Result<Reach, BoxError> {
        Ok(Reach::Unknown)
    }

    fn longest_lease(&self) -> Option<Duration> {
        self.has_left.load(SeqCst).then_some(Duration::MAX)
    }
}

#[tokio::test(start_paused = true)]
async fn the_wait_of_a_page_is_that_of_the_end_of_its_login() {
    let world = World::new();
    let bus = Bus::default();
    let leased = Leased::new(world.users.clone(), SECOND).bus(bus.clone());
    let layer = ClefLayer::builder(World::SITE, leased, world.stored());
    let node = Node::with(&world, layer.provider(world.provider.clone()));
    let mut browser = node.logged_in("12345").await;
    let mut page = node.page(&mut browser).await;
    bus.has_left.store(true, SeqCst);
    let closes = async {
        assert_eq!(page.event().await, None);
        Instant::now()
    };
    let (closed_at, ()) = tokio::join!(closes, browser.log_in(&node, "12345"));
    let cookie_after = closed_at.elapsed();
    assert!(cookie_after > 3 * SECOND, "{cookie_after:?}");
    assert!(retry(&page) > cookie_after, "{:?}", retry(&page));
}

/// When the page looks again.
fn retry(page: &Page) -> Duration {
    let (_, retry) = page.text.trim_end().rsplit_once("retry: ").unwrap();
    Duration::from_millis(retry.parse().unwrap())
}

#[tokio::test(start_paused = true)]
async fn a_page_that_begins_to_listen_while_its_login_is_replaced_looks_again() {
    for (kind, node) in Node::both() {
        let mut browser = node.logged_in("12345").await;
        let late = node.listen_late(&browser).await;
        // Its check finds no end yet.
        let listens = async {
            node.go_on(late).await;
            node.pass(MOMENT).await;
        };
        let log_in = browser.log_in(&node, "12345");
        node.world.users.before_revoke.during(log_in, listens).await;
        let end = ending(node.taken()).await;
        assert_eq!(end, LogoutReason::SessionGone, "{kind}");
    }
}

/// The write waits for the lease, and the page is checked meanwhile.
#[tokio::test(start_paused = true)]
async fn the_pages_of_a_kept_login_receive_no_logout() {
    let world = World::new();
    let leased = Leased::new(world.users.clone(), 3 * SECOND);
    let layer = ClefLayer::builder(World::SITE, leased, world.stored()).live_interval(SECOND / 2);
    let node = Node::with(&world, layer.provider(world.provider.clone()));
    let mut browser = node.logged_in("12345").await;
    let mut page = node.page(&mut browser).await;
    let (event, pressed) = tokio::join!(page.event(), browser.post(&node, "/others"));
    assert_eq!(event, None);
    assert_eq!(pressed.status(), 200);
    node.page(&mut browser).await;
}
