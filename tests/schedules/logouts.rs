//! Logouts, while others read and write.

use std::sync::atomic::Ordering::SeqCst;

use crate::{
    explorer::explore,
    world::{Kind, Scene},
};

#[test]
fn a_logout_while_a_request_renews_its_login() {
    for (token, at_least) in [("alex", 21), ("everyone", 6)] {
        let prepare = async |scene: &mut Scene| {
            scene.log_in_and_follow().await;
            vec![
                scene.trace.actor("Request0", scene.work()),
                scene.trace.actor("LogOut0", scene.notice(token)),
            ]
        };
        explore(Kind::STORED, at_least, prepare, async |scene| {
            assert_eq!(scene.statuses(), [200]);
            let served = scene.serves(&scene.browser);
            assert!(!scene.trace.process("Request1", served).await);
        });
    }
}

#[test]
fn a_logout_while_others_ask() {
    for (person, token, others, at_least) in [
        ("alex", "alex", 2, 101),
        ("alex:home", "alex:home", 1, 11),
        ("alex", "everyone", 2, 31),
        ("alex:home", "issuer", 1, 6),
    ] {
        let prepare = async |scene: &mut Scene| {
            let trace = scene.trace.clone();
            trace.follow("logout.pml");
            trace.process("Login0", scene.log_in(person)).await;
            let mut actors = vec![trace.actor("Logout0", scene.notice(token))];
            actors.extend(
                ["Request0", "Request1"]
                    .iter()
                    .take(others)
                    .map(|name| trace.actor(name, scene.ask(&scene.browser))),
            );
            actors
        };
        explore(Kind::STORED, at_least, prepare, async |scene| {
            let served = scene.serves(&scene.browser);
            let served = scene.trace.process("Request2", served).await;
            assert!(!served, "{person}");
        });
    }
}

#[test]
fn a_logout_that_the_store_does_not_take_at_first() {
    for (token, at_least) in [("alex", 6), ("everyone", 3), ("issuer", 3)] {
        let prepare = async |scene: &mut Scene| {
            let trace = scene.trace.clone();
            trace.follow("logout.pml");
            trace.process("Login0", scene.log_in("alex")).await;
            scene.failures.store(2, SeqCst);
            vec![
                trace.actor("Logout0", scene.notice(token)),
                trace.actor("Request0", scene.ask(&scene.browser)),
            ]
        };
        explore(Kind::STORED, at_least, prepare, async |scene| {
            assert_eq!(scene.statuses(), [200], "{token}");
            let served = scene.serves(&scene.browser);
            let served = scene.trace.process("Request1", served).await;
            assert!(!served, "{token}");
            scene.assert_new_login_works("alex").await;
        });
    }
}

#[test]
fn two_logouts_of_one_person_at_once() {
    let prepare = async |scene: &mut Scene| {
        let trace = scene.trace.clone();
        trace.follow("logout.pml");
        trace.process("Login0", scene.log_in("alex")).await;
        vec![
            trace.actor("Logout0", scene.notice("alex!1")),
            trace.actor("Logout1", scene.notice("alex!2")),
        ]
    };
    explore(Kind::STORED, 11, prepare, async |scene| {
        assert_eq!(scene.statuses(), [200, 200]);
        // The later one settles the one before, wherever that is by then.
        assert!(scene.logouts.load(SeqCst) >= 1);
        let served = scene.serves(&scene.browser);
        let served = scene.trace.process("Request0", served).await;
        assert!(!served);
    });
}

#[test]
fn the_end_of_one_session_leaves_the_other_alone() {
    let prepare = async |scene: &mut Scene| {
        scene.log_in("alex:home").await;
        scene.other.log_in(scene, "alex:work").await;
        vec![scene.notice("alex:home"), scene.stay(&scene.other)]
    };
    explore(Kind::STORED, 6, prepare, async |scene| {
        assert!(!scene.serves(&scene.browser).await);
        assert!(scene.serves(&scene.other).await);
    });
}
