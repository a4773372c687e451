//! A sign-out, while the same browser does something else.

use futures_util::FutureExt as _;

use crate::{
    explorer::explore,
    world::{Browser, World},
};

#[test]
fn a_sign_out_while_a_request_saves_its_session() {
    let prepare = async |world: World| {
        let browser = Browser::default();
        browser.log_in(&world, "alex").await;
        let actors = ["/change", "/clef/sign-out"].map(|path| {
            let (world, browser) = (world.clone(), browser.clone());
            async move {
                browser.send(&world, "POST", path).await;
            }
            .boxed()
        });
        (browser, actors.into())
    };
    let check = async |world: World, browser: Browser| {
        assert!(!browser.is_served(&world).await, "it is signed out");
        browser.log_in(&world, "alex").await;
        assert!(browser.is_served(&world).await, "a new login works");
    };
    let schedules = explore(prepare, check);
    assert!(schedules > 10, "{schedules}");
}

#[test]
fn a_sign_out_elsewhere_leaves_this_browser_alone() {
    let prepare = async |world: World| {
        let (here, there) = (Browser::default(), Browser::default());
        here.log_in(&world, "alex").await;
        there.log_in(&world, "alex").await;
        let signs_out = {
            let (world, there) = (world.clone(), there.clone());
            async move {
                there.send(&world, "POST", "/clef/sign-out").await;
            }
        };
        let stays = {
            let (world, here) = (world.clone(), here.clone());
            async move { assert!(here.is_served(&world).await) }
        };
        ((here, there), vec![signs_out.boxed(), stays.boxed()])
    };
    let check = async |world: World, (here, there): (Browser, Browser)| {
        assert!(here.is_served(&world).await);
        assert!(!there.is_served(&world).await);
    };
    let schedules = explore(prepare, check);
    assert!(schedules > 5, "{schedules}");
}
