//! A handler begins to listen for the end of a login, while it ends.

use std::time::Duration;

use axum_clef::LogoutReason;
use futures_util::FutureExt as _;

use crate::{
    explorer::{Actor, explore},
    world::{Browser, Kind, World},
};

/// Long before the stores are asked again by themselves.
const SOON: Duration = Duration::from_secs(1);

fn listens(world: &World, browser: &Browser) -> Actor {
    let (world, browser) = (world.clone(), browser.clone());
    async move {
        browser.send(&world, "GET", "/listen").await;
    }
    .boxed()
}

/// How it ended for each listener.
async fn endings(world: &World) -> Vec<Option<LogoutReason>> {
    tokio::time::sleep(SOON).await;
    let listeners = world.listeners.lock().unwrap();
    listeners.iter().map(|end| end.reason()).collect()
}

#[test]
fn a_logout_while_a_handler_begins_to_listen() {
    for code in ["alex", "alex:home"] {
        let prepare = async |world: World| {
            let browser = Browser::default();
            browser.log_in(&world, code).await;
            let notice = {
                let world = world.clone();
                async move { assert_eq!(world.notice(code).await, 200) }
            };
            ((), vec![listens(&world, &browser), notice.boxed()])
        };
        let check = async |world: World, ()| {
            for ending in endings(&world).await {
                assert_eq!(ending, Some(LogoutReason::LoggedOut));
            }
        };
        let schedules = explore(Kind::Stored, prepare, check);
        assert!(schedules > 10, "{schedules}");
    }
}

#[test]
fn a_sign_out_while_a_handler_begins_to_listen() {
    let prepare = async |world: World| {
        let browser = Browser::default();
        browser.log_in(&world, "alex").await;
        let signs_out = {
            let (world, browser) = (world.clone(), browser.clone());
            async move {
                browser.send(&world, "POST", "/auth/sign-out").await;
            }
        };
        ((), vec![listens(&world, &browser), signs_out.boxed()])
    };
    let check = async |world: World, ()| {
        for ending in endings(&world).await {
            assert!(ending.is_some());
        }
    };
    let schedules = explore(Kind::Stored, prepare, check);
    assert!(schedules > 10, "{schedules}");
}

#[test]
fn a_logout_of_before_does_not_end_what_a_new_login_listens_to() {
    for code in ["alex", "alex:home"] {
        let prepare = async |world: World| {
            let (before, again) = (Browser::default(), Browser::default());
            before.log_in(&world, code).await;
            let out_and_in = {
                let (world, again) = (world.clone(), again.clone());
                async move {
                    assert_eq!(world.notice(code).await, 200);
                    again.log_in(&world, code).await;
                    world.listeners.lock().unwrap().clear();
                    again.send(&world, "GET", "/listen").await;
                }
            };
            (again, vec![listens(&world, &before), out_and_in.boxed()])
        };
        let check = async |world: World, again: Browser| {
            assert!(again.is_served(&world).await);
            let endings = endings(&world).await;
            let lasting = endings.iter().filter(|ending| ending.is_none()).count();
            assert_eq!(lasting, 1, "{endings:?}");
        };
        let schedules = explore(Kind::Stored, prepare, check);
        assert!(schedules > 100, "{schedules}");
    }
}
