//! Logouts, while others read and write.

use std::sync::{Arc, Mutex, atomic::Ordering::SeqCst};

use futures_util::FutureExt as _;

use crate::{
    explorer::{Actor, explore},
    world::{Browser, Kind, World},
};

type Statuses = Arc<Mutex<Vec<u16>>>;

fn notice(world: &World, token: &'static str, statuses: &Statuses) -> Actor {
    let (world, statuses) = (world.clone(), Arc::clone(statuses));
    async move {
        let status = world.notice(token).await;
        statuses.lock().unwrap().push(status);
    }
    .boxed()
}

/// A request that is under way, and renews its login.
fn work(world: &World, browser: &Browser) -> Actor {
    world.until_renewals_are_due();
    let (world, browser) = (world.clone(), browser.clone());
    async move {
        browser.send(&world, "POST", "/work").await;
    }
    .boxed()
}

/// Requests that began once the notice was answered, while another still runs.
fn asks_after_the_answer(world: &World, browser: &Browser, statuses: &Statuses) -> Actor {
    let (world, browser, statuses) = (world.clone(), browser.clone(), Arc::clone(statuses));
    async move {
        world.gates.pass("a browser asks").await;
        let answered = !statuses.lock().unwrap().is_empty();
        let served = browser.is_served(&world).await;
        assert!(!(answered && served), "the logout was answered before");
    }
    .boxed()
}

#[test]
fn a_logout_while_a_request_renews_its_login() {
    let prepare = async |world: World| {
        let browser = Browser::default();
        browser.log_in(&world, "alex").await;
        let statuses = Statuses::default();
        let actors = vec![work(&world, &browser), notice(&world, "alex", &statuses)];
        ((browser, statuses), actors)
    };
    let check = async |world: World, (browser, statuses): (Browser, Statuses)| {
        assert_eq!(*statuses.lock().unwrap(), [200]);
        assert!(!browser.is_served(&world).await);
    };
    let schedules = explore(Kind::Stored, prepare, check);
    assert!(schedules > 20, "{schedules}");
}

#[test]
fn a_logout_while_others_ask() {
    let prepare = async |world: World| {
        let browser = Browser::default();
        browser.log_in(&world, "alex").await;
        let statuses = Statuses::default();
        let actors = vec![
            notice(&world, "alex", &statuses),
            asks_after_the_answer(&world, &browser, &statuses),
            asks_after_the_answer(&world, &browser, &statuses),
        ];
        ((browser, statuses), actors)
    };
    let check = async |world: World, (browser, _): (Browser, Statuses)| {
        assert!(!browser.is_served(&world).await);
    };
    let schedules = explore(Kind::Stored, prepare, check);
    assert!(schedules > 100, "{schedules}");
}

#[test]
fn a_logout_that_the_store_does_not_take_at_first() {
    let prepare = async |world: World| {
        let browser = Browser::default();
        browser.log_in(&world, "alex").await;
        world.users.failures.store(2, SeqCst);
        let statuses = Statuses::default();
        let actors = vec![
            notice(&world, "alex", &statuses),
            asks_after_the_answer(&world, &browser, &statuses),
        ];
        ((browser, statuses), actors)
    };
    let check = async |world: World, (browser, statuses): (Browser, Statuses)| {
        assert_eq!(*statuses.lock().unwrap(), [200]);
        assert!(!browser.is_served(&world).await);
        browser.log_in(&world, "alex").await;
        assert!(browser.is_served(&world).await, "and then it is over");
    };
    let schedules = explore(Kind::Stored, prepare, check);
    assert!(schedules > 5, "{schedules}");
}

#[test]
fn one_notice_twice_at_once() {
    let prepare = async |world: World| {
        let statuses = Statuses::default();
        Browser::default().log_in(&world, "alex").await;
        let again = {
            let (world, notice) = (world.clone(), notice(&world, "alex!1", &statuses));
            async move {
                world.gates.pass("the notice comes again").await;
                notice.await;
            }
        };
        let actors = vec![notice(&world, "alex!1", &statuses), again.boxed()];
        (statuses, actors)
    };
    let check = async |world: World, statuses: Statuses| {
        assert_eq!(*statuses.lock().unwrap(), [200, 200]);
        assert_eq!(world.users.logouts.load(SeqCst), 1, "one effect");
    };
    let schedules = explore(Kind::Stored, prepare, check);
    assert!(schedules > 3, "{schedules}");
}

#[test]
fn two_logouts_of_one_person_at_once() {
    let prepare = async |world: World| {
        let browser = Browser::default();
        browser.log_in(&world, "alex").await;
        let statuses = Statuses::default();
        let actors = vec![
            notice(&world, "alex!1", &statuses),
            notice(&world, "alex!2", &statuses),
        ];
        ((browser, statuses), actors)
    };
    let check = async |world: World, (browser, statuses): (Browser, Statuses)| {
        assert_eq!(*statuses.lock().unwrap(), [200, 200]);
        // The later one settles the one before, wherever that is by then.
        assert!(world.users.logouts.load(SeqCst) >= 1);
        assert!(!browser.is_served(&world).await);
    };
    let schedules = explore(Kind::Stored, prepare, check);
    assert!(schedules > 10, "{schedules}");
}

#[test]
fn the_end_of_a_session_at_the_provider_while_others_ask() {
    let prepare = async |world: World| {
        let browser = Browser::default();
        browser.log_in(&world, "alex:home").await;
        let statuses = Statuses::default();
        let actors = vec![
            notice(&world, "alex:home", &statuses),
            asks_after_the_answer(&world, &browser, &statuses),
        ];
        (browser, actors)
    };
    let check = async |world: World, browser: Browser| {
        assert!(!browser.is_served(&world).await);
    };
    let schedules = explore(Kind::Stored, prepare, check);
    assert!(schedules > 10, "{schedules}");
}

#[test]
fn the_end_of_one_session_leaves_the_other_alone() {
    let prepare = async |world: World| {
        let (home, work) = (Browser::default(), Browser::default());
        home.log_in(&world, "alex:home").await;
        work.log_in(&world, "alex:work").await;
        let statuses = Statuses::default();
        let stays = {
            let (world, work) = (world.clone(), work.clone());
            async move { assert!(work.is_served(&world).await, "at work Alex stays") }
        };
        let actors = vec![notice(&world, "alex:home", &statuses), stays.boxed()];
        ((home, work), actors)
    };
    let check = async |world: World, (home, work): (Browser, Browser)| {
        assert!(!home.is_served(&world).await);
        assert!(work.is_served(&world).await);
    };
    let schedules = explore(Kind::Stored, prepare, check);
    assert!(schedules > 5, "{schedules}");
}
