//! A sign-out, while other requests of the same browser, or of a copy of its cookies, are under
//! way.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering::SeqCst},
};

use axum::http::Method;
use futures_util::FutureExt as _;

use crate::{
    explorer::explore,
    world::{Actor, Kind, Scene},
};

#[test]
fn a_sign_out_while_a_request_renews_the_login() {
    let prepare = async |scene: &mut Scene| {
        scene.log_in_and_follow().await;
        vec![
            scene.trace.actor("Request0", scene.work()),
            scene
                .trace
                .actor("SignOut0", scene.sign_out(&scene.browser)),
        ]
    };
    explore(Kind::ALL, 6, prepare, async |scene| {
        assert_eq!(scene.statuses(), [303]);
        assert!(!scene.serves(&scene.browser).await, "it is signed out");
        let served = scene.trace.process("Request1", scene.serves(&scene.copy));
        assert!(!served.await, "so is its copy");
        scene.assert_new_login_works("alex").await;
        assert!(
            !scene.serves(&scene.copy).await,
            "and is none of the copy's"
        );
    });
}

#[test]
fn no_copy_is_served_once_a_sign_out_is_answered() {
    for (failures, at_least) in [(0, 3), (2, 2)] {
        let prepare = async |scene: &mut Scene| {
            scene.log_in_and_follow().await;
            match failures {
                0 => scene.until_renewals_are_due(),
                // The store does not take it at first.
                _ => scene.failures.store(failures, SeqCst),
            }
            vec![
                scene
                    .trace
                    .actor("SignOut0", scene.sign_out(&scene.browser)),
                scene.trace.actor("Request0", scene.ask(&scene.copy)),
            ]
        };
        explore(Kind::ALL, at_least, prepare, async |scene| {
            assert_eq!(scene.statuses(), [303]);
            let served = scene.trace.process("Request1", scene.serves(&scene.copy));
            assert!(!served.await);
            scene.copy.log_in(scene, "alex").await;
            assert!(scene.serves(&scene.copy).await, "a new login works");
        });
    }
}

#[test]
fn two_sign_outs_of_one_login_at_once() {
    let prepare = async |scene: &mut Scene| {
        scene.log_in_and_follow().await;
        vec![
            scene
                .trace
                .actor("SignOut0", scene.sign_out(&scene.browser)),
            scene.trace.actor("SignOut1", scene.sign_out(&scene.copy)),
        ]
    };
    explore(Kind::ALL, 2, prepare, async |scene| {
        assert_eq!(scene.statuses(), [303, 303]);
        assert!(!scene.serves(&scene.browser).await);
        assert!(!scene.serves(&scene.copy).await);
    });
}

/// In two tabs of one browser. The one whose answer comes last stands.
#[test]
fn a_sign_out_while_the_same_browser_logs_in_anew() {
    for kind in Kind::ALL {
        let in_again = Arc::new(AtomicBool::new(false));
        let prepare = async |scene: &mut Scene| {
            scene.log_in_and_follow().await;
            let callback = scene.browser.start(scene, "alex").await;
            let login = scene.request(&scene.browser, Method::GET, &callback);
            let login = scene.trace.actor("NewLogin1", login);
            let then = |request: Actor, is_in: bool| {
                let in_again = Arc::clone(&in_again);
                async move {
                    request.await;
                    in_again.store(is_in, SeqCst);
                }
                .boxed()
            };
            let out = scene.sign_out(&scene.browser);
            let out = scene.trace.actor("SignOut0", out);
            vec![then(login, true), then(out, false)]
        };
        explore(&[*kind], 21, prepare, async |scene| {
            assert_eq!(scene.statuses(), [303, 303]);
            let served = scene.trace.process("Request0", scene.serves(&scene.copy));
            assert!(!served.await, "the earlier login has ended");
            let served = scene.serves(&scene.browser);
            match in_again.load(SeqCst) {
                true => assert!(scene.trace.process("Request1", served).await),
                false => assert!(!served.await),
            }
            scene.assert_new_login_works("alex").await;
        });
    }
}

#[test]
fn a_sign_out_while_the_user_is_logged_out() {
    let prepare = async |scene: &mut Scene| {
        scene.other.log_in(scene, "alex").await;
        scene.log_in_and_follow().await;
        vec![
            scene
                .trace
                .actor("SignOut0", scene.sign_out(&scene.browser)),
            scene.trace.actor("LogOut0", scene.notice("alex")),
        ]
    };
    explore(Kind::ALL, 10, prepare, async |scene| {
        let mut statuses = scene.statuses();
        statuses.sort_unstable();
        assert_eq!(statuses, [200, 303]);
        let served = scene.trace.process("Request0", scene.serves(&scene.copy));
        assert!(!served.await);
        assert!(!scene.serves(&scene.other).await);
    });
}

#[test]
fn a_sign_out_elsewhere_leaves_this_browser_alone() {
    let prepare = async |scene: &mut Scene| {
        scene.log_in("alex").await;
        scene.other.log_in(scene, "alex").await;
        vec![scene.sign_out(&scene.other), scene.stay(&scene.browser)]
    };
    explore(Kind::ALL, 3, prepare, async |scene| {
        assert!(scene.serves(&scene.browser).await);
        assert!(!scene.serves(&scene.other).await);
    });
}
