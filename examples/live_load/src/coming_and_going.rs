//! Pages that come and go: whether the memory of the site stays as it is.

use std::{sync::Arc, time::Duration};

use futures_util::future::try_join_all;
use rand::RngExt as _;
use test_support::LivePage;
use tokio::{
    task::JoinSet,
    time::{Instant, sleep, timeout},
};

use crate::{Failure, PATIENCE, node::Node, settings::Settings};

/// How often each opens pages and hangs up, between a login and the logout.
const VISITS: usize = 4;
/// The longest visit, in milliseconds.
const LONGEST_VISIT: u64 = 1_000;

/// What happened.
#[derive(Default)]
pub struct Visits {
    pub opened: usize,
    pub logouts: usize,
}

/// Lets people come and go until then. Each logout must be told to each page of the person.
///
/// # Errors
///
/// When a page does not open, or is not told.
pub async fn come_and_go(
    node: &Arc<Node>,
    settings: &Settings,
    ends_at: Instant,
) -> Result<Visits, Failure> {
    let each = settings.each;
    let mut people = JoinSet::new();
    for person in 0..settings.visitors {
        let node = Arc::clone(node);
        people.spawn(async move {
            let mut visits = Visits::default();
            while Instant::now() < ends_at {
                log_in_and_out(&node, person, each, &mut visits).await?;
            }
            Ok::<_, Failure>(visits)
        });
    }
    let mut all = Visits::default();
    while let Some(visits) = people.join_next().await {
        let visits = visits??;
        all.opened += visits.opened;
        all.logouts += visits.logouts;
    }
    Ok(all)
}

async fn log_in_and_out(
    node: &Node,
    person: usize,
    each: usize,
    visits: &mut Visits,
) -> Result<(), Failure> {
    let cookies = node.cookies(person).await?;
    for _ in 0..VISITS {
        let pages = open(node, &cookies, each).await?;
        visits.opened += each;
        let visit = rand::rng().random_range(0..LONGEST_VISIT);
        sleep(Duration::from_millis(visit)).await;
        // They hang up.
        drop(pages);
    }
    let mut pages = open(node, &cookies, each).await?;
    visits.opened += each;
    node.log_out(person, visits.logouts).await?;
    visits.logouts += 1;
    for page in &mut pages {
        let event = timeout(PATIENCE, page.event()).await??;
        if event.as_deref() != Some("logged-out") {
            return Err("a page is not told of the logout".into());
        }
    }
    Ok(())
}

async fn open(node: &Node, cookies: &str, each: usize) -> Result<Vec<LivePage>, Failure> {
    let opening = (0..each).map(|_| async {
        let mut page = LivePage::open(node.address, cookies).await?;
        let event = timeout(PATIENCE, page.event()).await??;
        match event.as_deref() {
            Some("logged-in") => Ok(page),
            _ => Err(Failure::from("a page is not told that its login counts")),
        }
    });
    try_join_all(opening).await
}
