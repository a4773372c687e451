//! What other nodes hear shows once the stores are asked, and that costs little.

use std::{
    collections::HashSet,
    sync::{Arc, atomic::Ordering::SeqCst},
    time::Duration,
};

use axum_clef::{ClefLayer, LogoutReason, LogoutSignal};
use test_support::World;
use tokio::time::Instant;

use crate::{
    counted::{self, Users, world},
    place::{HOUR, INTERVAL, Node, SECOND},
};

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
        for kind in ["stored", "sealed"] {
            let world = World::new();
            let builder = || match kind {
                "sealed" => world.builder_over(world.sealed()),
                _ => world.builder(),
            };
            let here = Node::with(&world, builder().live_interval(interval));
            let elsewhere = Node::with(&world, builder());
            let mut browser = here.logged_in("12345:sid:abc").await;
            let mut page = here.page(&mut browser).await;
            let (_, others) = here.login("67890:sid:def").await;
            page.hears_nothing_within(HOUR).await;
            let looks_again = match what {
                "a login" => {
                    browser.log_in(&elsewhere, "12345:sid:ghi").await;
                    true
                }
                path if path.starts_with('/') => {
                    let answer = browser.post(&elsewhere, path).await;
                    assert!(!answer.status().is_server_error());
                    path != "/everywhere"
                }
                token => {
                    assert_eq!(elsewhere.notice(token).await, 200);
                    false
                }
            };
            let begun = Instant::now();
            let event = page.event().await;
            let what = format!("{what}, {kind}");
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
    for (kind, here) in Node::both() {
        let world = &here.world;
        let elsewhere = match kind {
            "sealed" => Node::with(world, world.builder_over(world.sealed())),
            _ => Node::of(world),
        };
        let (mut phone, phones) = here.login("12345").await;
        let (_, desks) = here.login("12345").await;
        phone.sign_out(&elsewhere).await;
        here.pass(INTERVAL).await;
        assert_eq!(phones.reason(), Some(LogoutReason::SessionGone), "{kind}");
        here.pass(HOUR).await;
        assert!(!desks.has_ended(), "{kind}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_record_that_is_saved_back_after_a_sign_out_keeps_no_page_open() {
    for browsers in [1, 2] {
        let world = World::new();
        let (here, elsewhere) = (Node::of(&world), Node::of(&world));
        let (mut browser, end) = here.login("12345").await;
        let record = world.sessions.last_saved();
        let mut others = Vec::new();
        for _ in 1..browsers {
            others.push(here.login("12345").await.1);
        }
        browser.sign_out(&elsewhere).await;
        // By a renewal that ran late.
        world.sessions.inner.save(&record).await.unwrap();
        here.pass(INTERVAL).await;
        assert_eq!(end.reason(), Some(LogoutReason::SessionGone));
        assert!(others.iter().all(|other| !other.has_ended()));
    }
}

#[tokio::test(start_paused = true)]
async fn a_user_that_is_gone_is_logged_out() {
    let (node, users) = counted::node();
    let (_, end) = node.login("12345").await;
    users.forget_all();
    node.pass(INTERVAL).await;
    assert_eq!(end.reason(), Some(LogoutReason::LoggedOut));
}

#[tokio::test(start_paused = true)]
async fn there_is_one_question_for_all_listeners_of_a_user() {
    let (node, users) = counted::node();
    let sessions = &node.world.sessions;
    let mut open = Vec::new();
    for _ in 0..3 {
        let mut browser = node.logged_in("12345").await;
        for _ in 0..20 {
            open.push(node.open(&mut browser).await);
        }
    }
    for _ in 0..5 {
        node.pass(INTERVAL).await;
        users.asked();
        users.revocations_asked.store(0, SeqCst);
        sessions.calls.store(0, SeqCst);
        node.pass(INTERVAL).await;
        assert_eq!(users.asked(), ["12345"]);
        let revocations = users.revocations_asked.load(SeqCst);
        let records = sessions.calls.load(SeqCst);
        assert_eq!((revocations, records), (3, 3), "one for each login");
    }
}

#[tokio::test(start_paused = true)]
async fn many_users_are_asked_about_evenly_and_few_at_once() {
    const USERS: usize = 200;
    let (node, users) = counted::node();
    let mut open = Vec::new();
    for number in 0..USERS {
        let mut browser = node.logged_in(&number.to_string()).await;
        open.push(node.open(&mut browser).await);
    }
    users.questions.forget_most();
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
    assert_eq!(users.questions.most(), 1);

    // A slow store is asked more seldom, and not more at once.
    users.takes(SECOND);
    node.pass(6 * INTERVAL).await;
    users.asked();
    node.pass(6 * INTERVAL).await;
    assert_eq!(users.questions.most(), 8);
    assert_eq!(users.asked().len(), 6 * 80);

    // And whoever is logged out here is told all the same.
    node.notice("token:7").await;
    open[7].is_in().await;
    open[7].hears_at_once().await;
}

#[tokio::test(start_paused = true)]
async fn whoever_comes_and_goes_is_asked_about_no_more_often() {
    let (node, users) = counted::node();
    let mut browser = node.logged_in("12345").await;
    let _other = node.login("67890").await;
    for _ in 0..500 {
        drop(node.open(&mut browser).await);
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
    let (node, users) = counted::node();
    let sessions = &node.world.sessions;
    let mut browser = node.logged_in("12345").await;
    assert_eq!(browser.status(&node, "/account").await, 200);
    users.asked();
    let tasks = || {
        let runtime = tokio::runtime::Handle::current();
        runtime.metrics().num_alive_tasks()
    };
    let idle = tasks();
    let nothing = async || {
        sessions.calls.store(0, SeqCst);
        node.pass(HOUR).await;
        assert!(users.asked().is_empty());
        assert_eq!(sessions.calls.load(SeqCst), 0);
        assert_eq!(tasks(), idle);
    };
    nothing().await;
    for _ in 0..2 {
        let end = node.end(&mut browser).await;
        let page = node.open(&mut browser).await;
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
        let node = Node::new();
        let mut open = Vec::new();
        for number in 0..100 {
            open.push(node.login(&number.to_string()).await.1);
        }
        let mut browser = node.logged_in("12345").await;
        let mut page = node.page(&mut browser).await;
        let broken = match hangs {
            true => &node.world.users.hanging,
            false => &node.world.users.failing,
        };
        broken.store(true, SeqCst);
        page.hears_nothing_within(50 * SECOND).await;
        broken.store(false, SeqCst);
        page.hears_nothing_within(HOUR).await;

        broken.store(true, SeqCst);
        page.hears_nothing_within(59 * SECOND).await;
        let begun = Instant::now();
        assert_eq!(page.event().await, None, "no word of a logout");
        assert!(begun.elapsed() <= 3 * INTERVAL, "{:?}", begun.elapsed());
        node.pass(2 * INTERVAL).await;
        for end in &open {
            assert_eq!(end.reason(), Some(LogoutReason::Unknown));
        }
        assert_eq!(browser.status(&node, "/auth/live").await, 503);
        broken.store(false, SeqCst);
        let mut page = node.page(&mut browser).await;
        // And what was silent before is not held against whoever comes back.
        broken.store(true, SeqCst);
        page.hears_nothing_within(50 * SECOND).await;
    }
}

/// They end with the reason `Unknown`, and not before 59 seconds have passed.
async fn assert_end_in_doubt(node: &Node, ends: &[LogoutSignal]) {
    node.pass(59 * SECOND).await;
    assert!(ends.iter().all(|end| !end.has_ended()));
    node.pass(3 * INTERVAL).await;
    for end in ends {
        assert_eq!(end.reason(), Some(LogoutReason::Unknown));
    }
}

#[tokio::test(start_paused = true)]
async fn a_user_who_alone_cannot_be_asked_about_is_out_alone() {
    let (node, users) = counted::node();
    let (_, end) = node.login("12345").await;
    let (_, other) = node.login("67890").await;
    users.fails_for("12345");
    assert_end_in_doubt(&node, &[end]).await;
    node.pass(HOUR).await;
    assert!(!other.has_ended());
}

#[tokio::test(start_paused = true)]
async fn a_session_store_that_is_down_is_the_same() {
    let node = Node::new();
    let (_, end) = node.login("12345").await;
    node.world.sessions.failing.store(true, SeqCst);
    assert_end_in_doubt(&node, &[end]).await;
}

#[tokio::test(start_paused = true)]
async fn whoever_is_logged_in_in_many_places_is_not_in_doubt_for_longer() {
    let node = Node::new();
    let mut ends = Vec::new();
    for _ in 0..20 {
        ends.push(node.login("12345").await.1);
    }
    node.world.sessions.hanging.store(true, SeqCst);
    node.pass(50 * SECOND).await;
    assert!(ends.iter().all(|end| !end.has_ended()));
    node.pass(4 * INTERVAL).await;
    for end in &ends {
        assert_eq!(end.reason(), Some(LogoutReason::Unknown));
    }
}

#[tokio::test(start_paused = true)]
async fn whoever_begins_to_listen_during_a_question_ends_in_time() {
    let (world, users) = world();
    let layer = world.builder_of(&users).lifetime(HOUR);
    let node = Node::with(&world, layer.live_interval(24 * HOUR));
    let (_, first) = node.login("12345").await;
    node.pass(HOUR / 2).await;
    let mut second = node.logged_in("12345").await;
    node.pass(HOUR / 2 - SECOND).await;
    users.takes(5 * SECOND);
    users.asked();
    node.pass(2 * SECOND).await;
    assert_eq!(users.asked(), ["12345"], "it is under way");
    users.takes(Duration::ZERO);
    let second = node.end(&mut second).await;
    assert!(!first.has_ended());
    node.pass(5 * SECOND).await;
    assert_eq!(first.reason(), Some(LogoutReason::Expired));
    assert!(!second.has_ended());
    node.pass(HOUR / 2).await;
    assert_eq!(second.reason(), Some(LogoutReason::Expired));
}

#[tokio::test(start_paused = true)]
async fn a_store_that_panics_is_asked_again() {
    let (node, users) = counted::node();
    let elsewhere = Node::with(&node.world, node.world.builder_of(&users));
    let (_, end) = node.login("12345").await;
    users.panics.store(true, SeqCst);
    node.pass(3 * INTERVAL).await;
    users.panics.store(false, SeqCst);
    elsewhere.notice("token:12345").await;
    node.pass(INTERVAL).await;
    assert_eq!(end.reason(), Some(LogoutReason::LoggedOut));
}

#[tokio::test(start_paused = true)]
async fn an_unreadable_session_is_gone() {
    let node = Node::new();
    let (_, end) = node.login("12345").await;
    node.world.sessions.unreadable.store(true, SeqCst);
    node.pass(INTERVAL).await;
    assert_eq!(end.reason(), Some(LogoutReason::SessionGone));
}

#[tokio::test(start_paused = true)]
async fn the_layer_may_go_before_its_listeners_and_leaves_nothing_behind() {
    let (world, users) = world();
    let users = Arc::new(users);
    let node = |users: &Arc<Users>| {
        let layer = ClefLayer::builder(World::SITE, Arc::clone(users), world.stored());
        Node::with(&world, layer.provider(world.provider.clone()))
    };
    let (here, elsewhere) = (node(&users), node(&users));
    let (_, end) = here.login("12345").await;
    let (_, others) = here.login("67890").await;
    drop(here);
    elsewhere.notice("token:12345").await;
    elsewhere.pass(INTERVAL).await;
    assert_eq!(end.reason(), Some(LogoutReason::LoggedOut));
    drop(others);
    elsewhere.pass(SECOND).await;
    drop(elsewhere);
    assert_eq!(Arc::strong_count(&users), 1);
}
