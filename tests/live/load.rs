//! Five hundred open pages over loopback, as the example `live_load` has ten thousand.

use std::time::Duration;

use test_support::{Browser, LivePage};
use tokio::{sync::mpsc, task::JoinSet, time::timeout};

use crate::{counted::world, place::HOUR};

const PEOPLE: usize = 100;
const EACH: usize = 5;
const LOGGED_OUT: usize = 20;
/// For what comes over sockets, on a machine with other things to do.
const PATIENCE: Duration = Duration::from_secs(60);

#[tokio::test(flavor = "multi_thread")]
async fn every_page_of_whoever_is_logged_out_is_told_and_no_other() {
    let (world, users) = world();
    // No question comes in between: what is told is told at once.
    let layer = world.builder_of(&users).live_interval(HOUR);
    let node = world.node_with(layer.build().unwrap()).await;

    let (told, mut who) = mpsc::unbounded_channel();
    let mut opening = JoinSet::new();
    for person in 0..PEOPLE {
        let browser = Browser::new();
        browser.log_in(&node, &person.to_string()).await;
        for _ in 0..EACH {
            let (site, cookies, told) = (node.address, browser.cookies(&node), told.clone());
            opening.spawn(async move {
                let mut page = LivePage::open(site, &cookies).await.unwrap();
                assert_eq!(page.event().await.unwrap().as_deref(), Some("logged-in"));
                tokio::spawn(async move {
                    while let Some(event) = page.event().await.unwrap() {
                        told.send((person, event)).unwrap();
                    }
                    told.send((person, "the end".to_owned())).unwrap();
                });
            });
        }
    }
    timeout(PATIENCE, opening.join_all()).await.unwrap();
    assert_eq!(node.layer.live_pages(), PEOPLE * EACH);
    let asked = users.asked().len();
    assert_eq!(
        asked,
        PEOPLE + PEOPLE * EACH,
        "by their logins and requests alone"
    );

    for person in 0..LOGGED_OUT {
        assert_eq!(node.notice(&format!("token:{person}")).await, 200);
        let mut events = Vec::new();
        for _ in 0..2 * EACH {
            let (whose, event) = timeout(PATIENCE, who.recv()).await.unwrap().unwrap();
            assert_eq!(whose, person);
            events.push(event);
        }
        events.sort();
        assert_eq!(events[..EACH], vec!["logged-out"; EACH]);
        assert_eq!(events[EACH..], vec!["the end"; EACH]);
    }
    assert_eq!(users.asked().len(), 0, "nobody was asked for it");
    assert_eq!(node.layer.live_pages(), (PEOPLE - LOGGED_OUT) * EACH);

    // The rest hears of a server that stops, and not of a logout.
    node.layer.close_live_pages();
    for _ in 0..(PEOPLE - LOGGED_OUT) * EACH {
        let (whose, event) = timeout(PATIENCE, who.recv()).await.unwrap().unwrap();
        assert!(whose >= LOGGED_OUT);
        assert_eq!(event, "the end");
    }
    assert_eq!(node.layer.live_pages(), 0);
}
