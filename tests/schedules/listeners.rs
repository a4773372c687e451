//! A handler begins to listen for the end of a login, while it ends.

use std::time::Duration;

use axum::http::Method;
use axum_clef::LogoutReason;
use futures_util::FutureExt as _;

use crate::{
    explorer::explore,
    world::{Actor, Browser, Kind, Scene},
};

fn listen(scene: &Scene, browser: &Browser) -> Actor {
    scene.visit(browser, Method::GET, "/listen")
}

/// How it ended for each listener, long before the stores are asked again by themselves.
async fn endings(scene: &Scene) -> Vec<Option<LogoutReason>> {
    tokio::time::sleep(Duration::from_secs(1)).await;
    let listeners = scene.listeners.lock().unwrap();
    listeners.iter().map(|end| end.reason()).collect()
}

#[test]
fn a_logout_while_a_handler_begins_to_listen() {
    for (code, token, at_least) in [
        ("alex", "alex", 11),
        ("alex:home", "alex:home", 11),
        ("alex", "everyone", 3),
        ("alex:home", "issuer", 3),
    ] {
        let prepare = async |scene: &mut Scene| {
            scene.log_in(code).await;
            vec![listen(scene, &scene.browser), scene.notice(token)]
        };
        explore(Kind::STORED, at_least, prepare, async |scene| {
            assert_eq!(scene.statuses(), [200]);
            for ending in endings(scene).await {
                assert_eq!(ending, Some(LogoutReason::LoggedOut));
            }
        });
    }
}

#[test]
fn a_sign_out_while_a_handler_begins_to_listen() {
    let prepare = async |scene: &mut Scene| {
        scene.log_in("alex").await;
        let listens = listen(scene, &scene.browser);
        vec![listens, scene.sign_out(&scene.browser)]
    };
    explore(Kind::STORED, 11, prepare, async |scene| {
        for ending in endings(scene).await {
            assert!(ending.is_some());
        }
    });
}

#[test]
fn a_logout_of_before_does_not_end_what_a_new_login_listens_to() {
    for (code, token, at_least) in [
        ("alex", "alex", 101),
        ("alex:home", "alex:home", 101),
        ("alex", "everyone", 51),
    ] {
        let prepare = async |scene: &mut Scene| {
            scene.log_in(code).await;
            let out_and_in = {
                let scene = scene.clone();
                async move {
                    assert_eq!(scene.send_notice(token).await, 200);
                    scene.other.log_in(&scene, code).await;
                    scene.listeners.lock().unwrap().clear();
                    scene.other.send(&scene, Method::GET, "/listen").await;
                }
            };
            vec![listen(scene, &scene.browser), out_and_in.boxed()]
        };
        explore(Kind::STORED, at_least, prepare, async |scene| {
            assert!(scene.serves(&scene.other).await);
            let endings = endings(scene).await;
            let lasting = endings.iter().filter(|ending| ending.is_none()).count();
            assert_eq!(lasting, 1, "{endings:?}");
        });
    }
}
