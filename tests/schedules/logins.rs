//! A logout that comes in the middle of a login.

use std::sync::{Arc, Mutex};

use futures_util::FutureExt as _;

use crate::{
    explorer::{Actor, explore},
    world::{Browser, Kind, World},
};

/// The login takes its stamp before its code is exchanged, so it is older than the logout
/// wherever the exchange went on first.
const LOGIN: &str = "the login has begun";
const LOGOUT: &str = "the logout reaches the store";

/// A login and a logout at once. Whatever comes of the login, it is over if it began before the
/// logout was written; and the next one works.
fn login_and_logout(first_ever: bool, code: &'static str, token: &'static str) -> usize {
    let prepare = async |world: World| {
        if !first_ever {
            Browser::default().log_in(&world, "alex").await;
        }
        let browser = Browser::default();
        let callback = browser.start(&world, code).await;
        let status = Arc::new(Mutex::new(0));
        let login = {
            let (world, browser) = (world.clone(), browser.clone());
            async move {
                world.gates.pass(LOGIN).await;
                browser.send(&world, "GET", &callback).await;
            }
        };
        let logout = {
            let (world, status) = (world.clone(), Arc::clone(&status));
            async move { *status.lock().unwrap() = world.notice(token).await }
        };
        ((browser, status), vec![login.boxed(), logout.boxed()])
    };
    let check = async |world: World, (browser, status): (Browser, Arc<Mutex<u16>>)| {
        let status = *status.lock().unwrap();
        assert!(status == 200 || first_ever && status == 404, "{status}");
        let served = browser.is_served(&world).await;
        let began_before = world.gates.in_order(LOGIN, LOGOUT);
        assert!(!(began_before && served), "a login from before is served");
        browser.log_in(&world, code).await;
        assert!(browser.is_served(&world).await, "a new login works");
    };
    explore(Kind::Stored, prepare, check)
}

#[test]
fn a_logout_in_the_middle_of_a_login() {
    let schedules = login_and_logout(false, "alex", "alex");
    assert!(schedules > 20, "{schedules}");
}

#[test]
fn a_logout_in_the_middle_of_a_first_login() {
    let schedules = login_and_logout(true, "alex", "alex");
    assert!(schedules > 20, "{schedules}");
}

#[test]
fn the_end_of_a_session_at_the_provider_in_the_middle_of_a_login() {
    let schedules = login_and_logout(false, "alex:home", "alex:home");
    assert!(schedules > 20, "{schedules}");
}

/// It may be of that session.
#[test]
fn the_end_of_a_session_at_the_provider_in_the_middle_of_a_login_that_names_none() {
    let schedules = login_and_logout(false, "alex", "alex:home");
    assert!(schedules > 20, "{schedules}");
}

#[test]
fn two_callbacks_of_one_login() {
    let prepare = async |world: World| {
        let browser = Browser::default();
        let callback = browser.start(&world, "alex").await;
        let logins = Arc::new(Mutex::new(Vec::new()));
        let actors = (0..2).map(|_| {
            let (world, browser) = (world.clone(), browser.clone());
            let (callback, logins) = (callback.clone(), Arc::clone(&logins));
            async move {
                world.gates.pass("the browser comes back").await;
                let (status, _) = browser.send(&world, "GET", &callback).await;
                logins.lock().unwrap().push(status);
            }
            .boxed()
        });
        let actors = actors.collect();
        (logins, actors)
    };
    let check = async |_: World, logins: Arc<Mutex<Vec<u16>>>| {
        let mut logins = logins.lock().unwrap().clone();
        logins.sort_unstable();
        assert_eq!(logins, [303, 403], "a state is good for one login");
    };
    let schedules = explore(Kind::Stored, prepare, check);
    assert!(schedules > 3, "{schedules}");
}

/// A callback in one tab of a browser.
fn comes_back(world: &World, browser: &Browser, callback: String) -> Actor {
    let (world, browser) = (world.clone(), browser.clone());
    async move {
        let (status, _) = browser.send(&world, "GET", &callback).await;
        assert_eq!(status, 303);
    }
    .boxed()
}

#[test]
fn a_login_ends_the_one_before_while_that_is_renewed() {
    for kind in Kind::ALL {
        let prepare = async |world: World| {
            let browser = Browser::default();
            browser.log_in(&world, "alex").await;
            let copy = browser.copy();
            world.until_renewals_are_due();
            let callback = browser.start(&world, "alex").await;
            let works = {
                let (world, browser) = (world.clone(), browser.clone());
                async move {
                    browser.send(&world, "POST", "/work").await;
                }
            };
            let login = comes_back(&world, &browser, callback);
            ((browser, copy), vec![login, works.boxed()])
        };
        let check = async |world: World, (browser, copy): (Browser, Browser)| {
            assert!(browser.is_served(&world).await, "the new login works");
            assert!(!copy.is_served(&world).await, "the earlier one has ended");
        };
        let schedules = explore(kind, prepare, check);
        assert!(schedules > 20, "{schedules}");
    }
}

#[test]
fn two_logins_in_two_tabs_end_the_one_before() {
    for kind in Kind::ALL {
        let prepare = async |world: World| {
            let browser = Browser::default();
            browser.log_in(&world, "alex").await;
            let copy = browser.copy();
            let mut actors = Vec::new();
            for _ in 0..2 {
                let callback = browser.start(&world, "alex").await;
                actors.push(comes_back(&world, &browser, callback));
            }
            world.gates.free(&[
                "the code is exchanged",
                "the store finds the user",
                "a revocation is looked up",
            ]);
            // A stored login has enough places to wait at without this one.
            if matches!(kind, Kind::Stored) {
                world.gates.free(&["the store answers the login"]);
            }
            ((browser, copy), actors)
        };
        let check = async |world: World, (browser, copy): (Browser, Browser)| {
            assert!(browser.is_served(&world).await, "the last one is in");
            assert!(!copy.is_served(&world).await, "the earlier one has ended");
        };
        let schedules = explore(kind, prepare, check);
        assert!(schedules > 5, "{schedules}");
    }
}
