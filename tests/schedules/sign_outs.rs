//! A sign-out, while other requests of the same browser, or of a copy of its cookies, are under
//! way.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering::SeqCst},
};

use futures_util::FutureExt as _;

use crate::{
    explorer::{Actor, explore},
    world::{Browser, Kind, World},
};

fn signs_out(world: &World, browser: &Browser, answered: &Arc<AtomicBool>) -> Actor {
    let (world, browser, answered) = (world.clone(), browser.clone(), Arc::clone(answered));
    async move {
        let (status, _) = browser.send(&world, "POST", "/auth/sign-out").await;
        assert_eq!(status, 303);
        answered.store(true, SeqCst);
    }
    .boxed()
}

/// A request with a copy of the cookies, which must not be served once the sign-out is answered.
fn asks(world: &World, copy: &Browser, answered: &Arc<AtomicBool>) -> Actor {
    let (world, copy, answered) = (world.clone(), copy.clone(), Arc::clone(answered));
    async move {
        world.gates.pass("a copy asks").await;
        let answered = answered.load(SeqCst);
        let served = copy.is_served(&world).await;
        assert!(!(answered && served), "the sign-out was answered before");
    }
    .boxed()
}

fn post(world: &World, browser: &Browser, path: &'static str) -> Actor {
    let (world, browser) = (world.clone(), browser.clone());
    async move {
        browser.send(&world, "POST", path).await;
    }
    .boxed()
}

#[test]
fn a_sign_out_while_a_request_renews_the_login() {
    for kind in Kind::ALL {
        let prepare = async |world: World| {
            let browser = Browser::default();
            browser.log_in(&world, "alex").await;
            let copy = browser.copy();
            world.until_renewals_are_due();
            let actors = vec![
                post(&world, &browser, "/work"),
                signs_out(&world, &browser, &Arc::default()),
            ];
            ((browser, copy), actors)
        };
        let check = async |world: World, (browser, copy): (Browser, Browser)| {
            assert!(!browser.is_served(&world).await, "it is signed out");
            assert!(!copy.is_served(&world).await, "so is its copy");
            browser.log_in(&world, "alex").await;
            assert!(browser.is_served(&world).await, "a new login works");
            assert!(!copy.is_served(&world).await, "and is none of the copy's");
        };
        let schedules = explore(kind, prepare, check);
        assert!(schedules >= 6, "{schedules}");
    }
}

#[test]
fn no_copy_is_served_once_a_sign_out_is_answered() {
    for kind in Kind::ALL {
        let prepare = async |world: World| {
            let browser = Browser::default();
            browser.log_in(&world, "alex").await;
            let copy = browser.copy();
            world.until_renewals_are_due();
            let answered = Arc::default();
            let actors = vec![
                signs_out(&world, &browser, &answered),
                asks(&world, &copy, &answered),
            ];
            (copy, actors)
        };
        let check = async |world: World, copy: Browser| {
            assert!(!copy.is_served(&world).await);
        };
        let schedules = explore(kind, prepare, check);
        assert!(schedules >= 3, "{schedules}");
    }
}

#[test]
fn a_sign_out_that_the_store_does_not_take_at_first() {
    for kind in Kind::ALL {
        let prepare = async |world: World| {
            let browser = Browser::default();
            browser.log_in(&world, "alex").await;
            let copy = browser.copy();
            world.users.failures.store(2, SeqCst);
            let answered = Arc::default();
            let actors = vec![
                signs_out(&world, &browser, &answered),
                asks(&world, &copy, &answered),
            ];
            (copy, actors)
        };
        let check = async |world: World, copy: Browser| {
            assert!(!copy.is_served(&world).await);
            copy.log_in(&world, "alex").await;
            assert!(copy.is_served(&world).await, "and then it is over");
        };
        let schedules = explore(kind, prepare, check);
        assert!(schedules >= 2, "{schedules}");
    }
}

#[test]
fn two_sign_outs_of_one_login_at_once() {
    for kind in Kind::ALL {
        let prepare = async |world: World| {
            let browser = Browser::default();
            browser.log_in(&world, "alex").await;
            let copy = browser.copy();
            let answered = Arc::default();
            let actors = vec![
                signs_out(&world, &browser, &answered),
                signs_out(&world, &copy, &answered),
            ];
            ((browser, copy), actors)
        };
        let check = async |world: World, (browser, copy): (Browser, Browser)| {
            assert!(!browser.is_served(&world).await);
            assert!(!copy.is_served(&world).await);
        };
        let schedules = explore(kind, prepare, check);
        assert!(schedules >= 2, "{schedules}");
    }
}

/// In two tabs of one browser. The one whose answer comes last stands.
#[test]
fn a_sign_out_while_the_same_browser_logs_in_anew() {
    for kind in Kind::ALL {
        let prepare = async |world: World| {
            let browser = Browser::default();
            browser.log_in(&world, "alex").await;
            let copy = browser.copy();
            let callback = browser.start(&world, "alex").await;
            let in_again = Arc::new(AtomicBool::new(false));
            let login = {
                let (world, browser) = (world.clone(), browser.clone());
                let in_again = Arc::clone(&in_again);
                async move {
                    let (status, _) = browser.send(&world, "GET", &callback).await;
                    assert_eq!(status, 303);
                    in_again.store(true, SeqCst);
                }
            };
            let out = {
                let (world, browser) = (world.clone(), browser.clone());
                let in_again = Arc::clone(&in_again);
                async move {
                    let (status, _) = browser.send(&world, "POST", "/auth/sign-out").await;
                    assert_eq!(status, 303);
                    in_again.store(false, SeqCst);
                }
            };
            let actors = vec![login.boxed(), out.boxed()];
            ((browser, copy, in_again), actors)
        };
        let check = async |world: World, state: (Browser, Browser, Arc<AtomicBool>)| {
            let (browser, copy, in_again) = state;
            assert!(!copy.is_served(&world).await, "the earlier login has ended");
            assert_eq!(browser.is_served(&world).await, in_again.load(SeqCst));
            browser.log_in(&world, "alex").await;
            assert!(browser.is_served(&world).await, "a new login works");
        };
        let schedules = explore(kind, prepare, check);
        assert!(schedules > 20, "{schedules}");
    }
}

#[test]
fn a_sign_out_while_the_user_is_logged_out() {
    for kind in Kind::ALL {
        let prepare = async |world: World| {
            let (here, there) = (Browser::default(), Browser::default());
            here.log_in(&world, "alex").await;
            there.log_in(&world, "alex").await;
            let copy = here.copy();
            let answered = Arc::default();
            let notice = {
                let world = world.clone();
                async move { assert_eq!(world.notice("alex").await, 200) }
            };
            let actors = vec![signs_out(&world, &here, &answered), notice.boxed()];
            ((copy, there), actors)
        };
        let check = async |world: World, (copy, there): (Browser, Browser)| {
            assert!(!copy.is_served(&world).await);
            assert!(!there.is_served(&world).await);
        };
        let schedules = explore(kind, prepare, check);
        assert!(schedules >= 10, "{schedules}");
    }
}

#[test]
fn a_sign_out_elsewhere_leaves_this_browser_alone() {
    for kind in Kind::ALL {
        let prepare = async |world: World| {
            let (here, there) = (Browser::default(), Browser::default());
            here.log_in(&world, "alex").await;
            there.log_in(&world, "alex").await;
            let stays = {
                let (world, here) = (world.clone(), here.clone());
                async move { assert!(here.is_served(&world).await) }
            };
            let out = signs_out(&world, &there, &Arc::default());
            ((here, there), vec![out, stays.boxed()])
        };
        let check = async |world: World, (here, there): (Browser, Browser)| {
            assert!(here.is_served(&world).await);
            assert!(!there.is_served(&world).await);
        };
        let schedules = explore(kind, prepare, check);
        assert!(schedules >= 3, "{schedules}");
    }
}
