//! A logout that comes in the middle of a login.

use axum::http::Method;
use futures_util::FutureExt as _;

use crate::{
    explorer::explore,
    world::{Browser, Kind, Scene},
};

/// The login takes its stamp before its code is exchanged, so it is older than the logout
/// wherever the exchange went on first.
const LOGIN: &str = "the login has begun";
const LOGOUT: &str = "the logout reaches the store";

/// Whatever comes of the login, it is over if it began before the logout was written; and the next
/// one works.
#[test]
fn a_logout_in_the_middle_of_a_login() {
    for (first_ever, code, token) in [
        (false, "alex", "alex"),
        (true, "alex", "alex"),
        (false, "alex:home", "alex:home"),
        // It may be of that session.
        (false, "alex", "alex:home"),
        (false, "alex", "everyone"),
        (true, "alex:home", "everyone"),
        (false, "alex", "issuer"),
    ] {
        let case = format!("first ever: {first_ever}, {code}, {token}");
        let prepare = async |scene: &mut Scene| {
            if !first_ever {
                Browser::default().log_in(scene, "alex").await;
            }
            let callback = scene.browser.start(scene, code).await;
            scene.trace.follow(match (first_ever, token) {
                (true, "alex") => "first_login.pml",
                _ => "logout.pml",
            });
            let login = {
                let scene = scene.clone();
                async move {
                    scene.gates.pass(LOGIN).await;
                    scene.browser.send(&scene, Method::GET, &callback).await;
                }
            };
            vec![
                scene.trace.actor("Login0", login.boxed()),
                scene.trace.actor("Logout0", scene.notice(token)),
            ]
        };
        explore(Kind::STORED, 21, prepare, async |scene| {
            let [status] = scene.statuses()[..] else {
                panic!("{case}: {:?}", scene.statuses());
            };
            assert!(
                status == 200 || first_ever && status == 404,
                "{case}: {status}"
            );
            let served = scene.serves(&scene.browser).await;
            let began_before = scene.gates.in_order(LOGIN, LOGOUT);
            assert!(
                !(began_before && served),
                "{case}: a login from before is served"
            );
            scene.assert_new_login_works(code).await;
        });
    }
}

#[test]
fn two_callbacks_of_one_login() {
    let prepare = async |scene: &mut Scene| {
        let callback = scene.browser.start(scene, "alex").await;
        let comes_back = || {
            let request = scene.request(&scene.browser, Method::GET, &callback);
            let gates = scene.gates.clone();
            async move {
                gates.pass("the browser comes back").await;
                request.await;
            }
            .boxed()
        };
        vec![comes_back(), comes_back()]
    };
    explore(Kind::STORED, 4, prepare, async |scene| {
        assert_eq!(scene.statuses(), [303, 303], "they share one exchange");
        assert_eq!(scene.gates.times("the code is exchanged"), 1);
        assert!(scene.serves(&scene.browser).await);
    });
}

#[test]
fn a_login_ends_the_one_before_while_that_is_renewed() {
    let prepare = async |scene: &mut Scene| {
        scene.log_in_and_follow().await;
        scene.until_renewals_are_due();
        let callback = scene.browser.start(scene, "alex").await;
        let login = scene.request(&scene.browser, Method::GET, &callback);
        vec![
            scene.trace.actor("NewLogin1", login),
            scene.trace.actor("Request0", scene.work()),
        ]
    };
    explore(Kind::ALL, 21, prepare, async |scene| {
        assert_eq!(scene.statuses(), [303]);
        let served = scene
            .trace
            .process("Request1", scene.serves(&scene.browser));
        assert!(served.await, "the new login works");
        let served = scene.trace.process("Request2", scene.serves(&scene.copy));
        assert!(!served.await, "the earlier one has ended");
    });
}

#[test]
fn two_logins_in_two_tabs_end_the_one_before() {
    let prepare = async |scene: &mut Scene| {
        scene.log_in("alex").await;
        let mut actors = Vec::new();
        for _ in 0..2 {
            let callback = scene.browser.start(scene, "alex").await;
            actors.push(scene.request(&scene.browser, Method::GET, &callback));
        }
        scene.gates.free(&[
            "the code is exchanged",
            "the store finds the user",
            "a revocation is looked up",
        ]);
        // A stored login has enough places to wait at without this one.
        if matches!(scene.kind, Kind::Stored) {
            scene.gates.free(&["the store answers the login"]);
        }
        actors
    };
    explore(Kind::ALL, 6, prepare, async |scene| {
        assert_eq!(scene.statuses(), [303, 303]);
        assert!(scene.serves(&scene.browser).await, "the last one is in");
        assert!(
            !scene.serves(&scene.copy).await,
            "the earlier one has ended"
        );
    });
}
