//! What other nodes hear shows once the stores are asked, and that costs little.

use std::{
    collections::HashSet,
    sync::{Arc, atomic::Ordering::SeqCst},
    time::Duration,
};

use axum_clef::{ClefLayer, ClefLayerBuilder, LogoutReason};
use tokio::time::Instant;

use crate::{
    counted::{Counted, world},
    place::{Browser, Node},
    support::World,
};

const SECOND: Duration = Duration::from_secs(1);
const INTERVAL: Duration = Duration::from_secs(10);
const HOUR: Duration = Duration::from_secs(60 * 60);

fn layer(world: &World, users: &Counted) -> ClefLayerBuilder<Counted> {
    let layer = ClefLayer::builder(World::SITE, users.clone(), world.stored());
    layer.provider(world.provider.clone())
}

#[tokio::test(start_paused = true)]
async fn what_another_node_ends_shows_within_the_interval() {
    for (interval, what) in [
        (INTERVAL, "token:12345"),
        (INTERVAL, "session:abc"),
        (INTERVAL, "/everywhere"),
        (INTERVAL, "/auth/sign-out"),
        (INTERVAL, "/leave"),
        (INTERVAL, "a login"),
        (SECOND, "token:12345"),
    ] {
        for sealed in [false, true] {
            let world = World::new();
            let sessions = || match sealed {
                true => world.sealed(),
                false => world.stored(),
            };
            let builder = world.builder_over(sessions());
            let here = Node::with(&world, builder.live_interval(interval));
            let elsewhere = Node::with(&world, world.builder_over(sessions()));
            let mut browser = Browser::of(&here, "code:12345:sid:abc").await;
            let mut page = browser.open(&here).await;
            page.is_in().await;
            let mut other = Browser::of(&here, "code:67890:sid:def").await;
            let others = here.end(&mut other).await;
            page.hears_nothing_within(HOUR).await;
            let looks_again = match what {
                "a login" => {
                    browser.log_in(&elsewhere, "code:12345:sid:ghi").await;
                    true
                }
                path if path.starts_with('/') => {
                    assert!(
                        !browser
                            .post(&elsewhere, path)
                            .await
                            .status()
                            .is_server_error()
                    );
                    path != "/everywhere"
                }
                token => {
                    assert_eq!(elsewhere.notice(token).await, 200);
                    false
                }
            };
            let begun = Instant::now();
            let event = page.event().await;
            let what = format!("{what}, sealed: {sealed}");
            assert!(begun.elapsed() <= interval, "{what}: {:?}", begun.elapsed());
            match looks_again {
                true => assert_eq!(event, None, "{what}"),
                false => assert_eq!(event.as_deref(), Some("logged-out"), "{what}"),
            }
            here.pass(HOUR).await;
            assert!(!others.has_ended());
        }
    }
}

#[tokio::test(start_paused = true)]
async fn one_of_several_logins_of_a_user_ends_alone_at_another_node() {
    for sealed in [false, true] {
        let world = World::new();
        let node = || {
            let sessions = match sealed {
                true => world.sealed(),
                false => world.stored(),
            };
            Node::with(&world, world.builder_over(sessions))
        };
        let (here, elsewhere) = (node(), node());
        let mut phone = Browser::of(&here, "code:12345").await;
        let mut desk = Browser::of(&here, "code:12345").await;
        let (phones, desks) = (here.end(&mut phone).await, here.end(&mut desk).await);
        phone.post(&elsewhere, "/auth/sign-out").await;
        here.pass(INTERVAL).await;
        assert_eq!(phones.reason(), Some(LogoutReason::SessionGone), "{sealed}");
        here.pass(HOUR).await;
        assert!(!desks.has_ended(), "{sealed}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_record_that_is_saved_back_after_a_sign_out_keeps_no_page_open() {
    for browsers in [1, 2] {
        let world = World::new();
        let (here, elsewhere) = (Node::of(&world), Node::of(&world));
        let mut browser = Browser::of(&here, "code:12345").await;
        let record = world.sessions.last_saved();
        let end = here.end(&mut browser).await;
        let mut others = Vec::new();
        for _ in 1..browsers {
            let mut other = Browser::of(&here, "code:12345").await;
            others.push(here.end(&mut other).await);
        }
        browser.post(&elsewhere, "/auth/sign-out").await;
        // By a renewal that ran late.
        world.sessions.inner.save(&record).await.unwrap();
        here.pass(INTERVAL).await;
        assert_eq!(end.reason(), Some(LogoutReason::SessionGone));
        assert!(others.iter().all(|other| !other.has_ended()));
    }
}

#[tokio::test(start_paused = true)]
async fn a_user_that_is_gone_is_logged_out() {
    let (world, users) = world(None);
    let node = Node::with(&world, layer(&world, &users));
    let mut browser = Browser::of(&node, "code:12345").await;
    let end = node.end(&mut browser).await;
    users.forget_all();
    node.pass(INTERVAL).await;
    assert_eq!(end.reason(), Some(LogoutReason::LoggedOut));
}

#[tokio::test(start_paused = true)]
async fn there_is_one_question_for_all_listeners_of_a_user() {
    let (world, users) = world(None);
    let node = Node::with(&world, layer(&world, &users));
    let mut open = Vec::new();
    for _ in 0..3 {
        let mut browser = Browser::of(&node, "code:12345").await;
        for _ in 0..20 {
            open.push(browser.open(&node).await);
        }
    }
    for _ in 0..5 {
        node.pass(INTERVAL).await;
        users.asked();
        users.revocations_asked.store(0, SeqCst);
        world.sessions.calls.store(0, SeqCst);
        node.pass(INTERVAL).await;
        assert_eq!(users.asked(), ["12345"]);
        let revocations = users.revocations_asked.load(SeqCst);
        let records = world.sessions.calls.load(SeqCst);
        assert_eq!((revocations, records), (3, 3), "one for each login");
    }
}

#[tokio::test(start_paused = true)]
async fn many_users_are_asked_about_evenly_and_few_at_once() {
    const USERS: usize = 200;
    let (world, users) = world(None);
    let node = Node::with(&world, layer(&world, &users));
    let mut open = Vec::new();
    for number in 0..USERS {
        let mut browser = Browser::of(&node, &format!("code:{number}")).await;
        open.push(browser.open(&node).await);
    }
    users.most_at_once.store(0, SeqCst);
    node.pass(INTERVAL).await;
    users.asked();
    for _ in 0..10 {
        let mut all = Vec::new();
        for _ in 0..10 {
            node.pass(SECOND).await;
            let asked = users.asked();
            // A tenth of them in a tenth of the time.
            assert!((15..=25).contains(&asked.len()), "{}", asked.len());
            all.extend(asked);
        }
        assert_eq!(all.len(), USERS);
        assert_eq!(all.iter().collect::<HashSet<_>>().len(), USERS);
    }
    assert_eq!(users.most_at_once.load(SeqCst), 1);

    // A slow store is asked more seldom, and not more at once.
    users.takes(SECOND);
    node.pass(6 * INTERVAL).await;
    users.asked();
    node.pass(6 * INTERVAL).await;
    assert_eq!(users.most_at_once.load(SeqCst), 8);
    assert_eq!(users.asked().len(), 6 * 80);

    // And whoever is logged out here is told all the same.
    node.notice("token:7").await;
    open[7].is_in().await;
    open[7].hears_at_once().await;
}

#[tokio::test(start_paused = true)]
async fn whoever_comes_and_goes_is_asked_about_no_more_often() {
    let (world, users) = world(None);
    let node = Node::with(&world, layer(&world, &users));
    let mut browser = Browser::of(&node, "code:12345").await;
    let mut other = Browser::of(&node, "code:67890").await;
    let _others = node.end(&mut other).await;
    for _ in 0..500 {
        drop(browser.open(&node).await);
        node.pass(Duration::from_millis(50)).await;
    }
    let asked = users.asked();
    let about_the_other = asked.iter().filter(|asked| *asked == "67890").count();
    // One at its own request, and one each interval.
    assert!((3..=4).contains(&about_the_other), "{about_the_other}");
    assert!(asked.len() - about_the_other <= 503, "{}", asked.len());
}

#[tokio::test(start_paused = true)]
async fn nobody_is_asked_for_nobody() {
    let (world, users) = world(None);
    let node = Node::with(&world, layer(&world, &users));
    let mut browser = Browser::of(&node, "code:12345").await;
    assert_eq!(browser.status(&node, "/account").await, 200);
    users.asked();
    let tasks = || {
        tokio::runtime::Handle::current()
            .metrics()
            .num_alive_tasks()
    };
    let idle = tasks();
    let nothing = async || {
        world.sessions.calls.store(0, SeqCst);
        node.pass(HOUR).await;
        assert!(users.asked().is_empty());
        assert_eq!(world.sessions.calls.load(SeqCst), 0);
        assert_eq!(tasks(), idle);
    };
    nothing().await;
    for _ in 0..2 {
        let end = node.end(&mut browser).await;
        let page = browser.open(&node).await;
        users.asked();
        users.revocations_asked.store(0, SeqCst);
        node.pass(INTERVAL).await;
        assert_eq!(users.asked().len(), 1);
        let revocations = users.revocations_asked.load(SeqCst);
        assert_eq!(revocations, 0, "of one login it is asked along");
        assert_eq!(tasks(), idle + 1, "one for all");
        drop(end);
        node.pass(INTERVAL).await;
        assert_eq!(users.asked().len(), 1, "the page is left");
        drop(page);
        nothing().await;
    }
    // An end that has come is not asked about either, though it is kept.
    let end = node.end(&mut browser).await;
    node.notice("token:12345").await;
    users.asked();
    nothing().await;
    assert!(end.has_ended());
    assert_eq!(node.layer.live_pages(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_short_outage_is_not_noticed_and_a_long_one_ends_what_is_open() {
    for hangs in [false, true] {
        let world = World::new();
        let node = Node::of(&world);
        let mut open = Vec::new();
        for number in 0..100 {
            let mut browser = Browser::of(&node, &format!("code:{number}")).await;
            open.push(node.end(&mut browser).await);
        }
        let mut browser = Browser::of(&node, "code:12345").await;
        let mut page = browser.open(&node).await;
        page.is_in().await;
        let broken = match hangs {
            true => &world.users.hanging,
            false => &world.users.failing,
        };
        broken.store(true, SeqCst);
        page.hears_nothing_within(Duration::from_secs(50)).await;
        broken.store(false, SeqCst);
        page.hears_nothing_within(HOUR).await;

        broken.store(true, SeqCst);
        page.hears_nothing_within(Duration::from_secs(59)).await;
        let begun = Instant::now();
        assert_eq!(
            page.event().await,
            None,
            "nobody says that it is logged out"
        );
        assert!(begun.elapsed() <= 3 * INTERVAL, "{:?}", begun.elapsed());
        node.pass(2 * INTERVAL).await;
        for end in &open {
            assert_eq!(end.reason(), Some(LogoutReason::Unknown));
        }
        assert_eq!(browser.status(&node, "/auth/live").await, 503);
        broken.store(false, SeqCst);
        let mut page = browser.open(&node).await;
        page.is_in().await;
        // And what was silent before is not held against whoever comes back.
        broken.store(true, SeqCst);
        page.hears_nothing_within(Duration::from_secs(50)).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_user_who_alone_cannot_be_asked_about_is_out_alone() {
    let (world, users) = world(None);
    let node = Node::with(&world, layer(&world, &users));
    let mut ends = Vec::new();
    for code in ["code:12345", "code:67890"] {
        let mut browser = Browser::of(&node, code).await;
        ends.push(node.end(&mut browser).await);
    }
    users.fails_for("12345");
    node.pass(Duration::from_secs(59)).await;
    assert!(!ends[0].has_ended());
    node.pass(3 * INTERVAL).await;
    assert_eq!(ends[0].reason(), Some(LogoutReason::Unknown));
    node.pass(HOUR).await;
    assert!(!ends[1].has_ended());
}

#[tokio::test(start_paused = true)]
async fn a_session_store_that_is_down_is_the_same() {
    let world = World::new();
    let node = Node::of(&world);
    let mut browser = Browser::of(&node, "code:12345").await;
    let end = node.end(&mut browser).await;
    world.sessions.failing.store(true, SeqCst);
    node.pass(Duration::from_secs(59)).await;
    assert!(!end.has_ended());
    node.pass(3 * INTERVAL).await;
    assert_eq!(end.reason(), Some(LogoutReason::Unknown));
}

#[tokio::test(start_paused = true)]
async fn whoever_is_logged_in_in_many_places_is_not_in_doubt_for_longer() {
    let world = World::new();
    let node = Node::of(&world);
    let mut ends = Vec::new();
    for _ in 0..20 {
        let mut browser = Browser::of(&node, "code:12345").await;
        ends.push(node.end(&mut browser).await);
    }
    world.sessions.hanging.store(true, SeqCst);
    node.pass(Duration::from_secs(50)).await;
    assert!(ends.iter().all(|end| !end.has_ended()));
    node.pass(4 * INTERVAL).await;
    for end in &ends {
        assert_eq!(end.reason(), Some(LogoutReason::Unknown));
    }
}

#[tokio::test(start_paused = true)]
async fn whoever_begins_to_listen_during_a_question_ends_in_time() {
    let (world, users) = world(None);
    let layer = layer(&world, &users).lifetime(HOUR);
    let node = Node::with(&world, layer.live_interval(24 * HOUR));
    let mut first = Browser::of(&node, "code:12345").await;
    let first = node.end(&mut first).await;
    node.pass(HOUR / 2).await;
    let mut second = Browser::of(&node, "code:12345").await;
    node.pass(HOUR / 2 - Duration::from_secs(1)).await;
    users.takes(Duration::from_secs(5));
    users.asked();
    node.pass(Duration::from_secs(2)).await;
    assert_eq!(users.asked(), ["12345"], "it is under way");
    users.takes(Duration::ZERO);
    let second = node.end(&mut second).await;
    assert!(!first.has_ended());
    node.pass(Duration::from_secs(5)).await;
    assert_eq!(first.reason(), Some(LogoutReason::Expired));
    assert!(!second.has_ended());
    node.pass(HOUR / 2).await;
    assert_eq!(second.reason(), Some(LogoutReason::Expired));
}

#[tokio::test(start_paused = true)]
async fn a_store_that_panics_is_asked_again() {
    let (world, users) = world(None);
    let node = Node::with(&world, layer(&world, &users));
    let elsewhere = Node::with(&world, layer(&world, &users));
    let mut browser = Browser::of(&node, "code:12345").await;
    let end = node.end(&mut browser).await;
    users.panics.store(true, SeqCst);
    node.pass(3 * INTERVAL).await;
    users.panics.store(false, SeqCst);
    elsewhere.notice("token:12345").await;
    node.pass(INTERVAL).await;
    assert_eq!(end.reason(), Some(LogoutReason::LoggedOut));
}

#[tokio::test(start_paused = true)]
async fn an_unreadable_session_is_gone() {
    let world = World::new();
    let node = Node::of(&world);
    let mut browser = Browser::of(&node, "code:12345").await;
    let end = node.end(&mut browser).await;
    world.sessions.unreadable.store(true, SeqCst);
    node.pass(INTERVAL).await;
    assert_eq!(end.reason(), Some(LogoutReason::SessionGone));
}

#[tokio::test(start_paused = true)]
async fn the_layer_may_go_before_its_listeners_and_leaves_nothing_behind() {
    let (world, users) = world(None);
    let users = Arc::new(users);
    let node = |users: &Arc<Counted>| {
        let layer = ClefLayer::builder(World::SITE, Arc::clone(users), world.stored());
        Node::with(&world, layer.provider(world.provider.clone()))
    };
    let (here, elsewhere) = (node(&users), node(&users));
    let mut browser = Browser::of(&here, "code:12345").await;
    let mut other = Browser::of(&here, "code:67890").await;
    let end = here.end(&mut browser).await;
    let others = here.end(&mut other).await;
    drop(here);
    elsewhere.notice("token:12345").await;
    elsewhere.pass(INTERVAL).await;
    assert_eq!(end.reason(), Some(LogoutReason::LoggedOut));
    drop(others);
    elsewhere.pass(SECOND).await;
    drop(elsewhere);
    assert_eq!(Arc::strong_count(&users), 1);
}
