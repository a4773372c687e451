//! A browser ends every other login of its user, while others do something too.

use std::{sync::atomic::Ordering::SeqCst, time::Duration};

use axum::http::Method;
use futures_util::FutureExt as _;

use crate::{
    explorer::explore,
    world::{Actor, Browser, Kind, Scene},
};

/// The statuses in order of their size, as answers come in any order.
fn statuses(scene: &Scene) -> Vec<u16> {
    let mut statuses = scene.statuses();
    statuses.sort_unstable();
    statuses
}

/// How many of these browsers are served.
async fn served(scene: &Scene, browsers: [&Browser; 2]) -> usize {
    let mut served = 0;
    for (process, browser) in ["Request0", "Request1"].into_iter().zip(browsers) {
        let is_served = scene.trace.process(process, scene.serves(browser));
        served += usize::from(is_served.await);
    }
    served
}

/// How many listeners are open, long before the stores are asked again by themselves.
async fn open_listeners(scene: &Scene) -> usize {
    tokio::time::sleep(Duration::from_secs(1)).await;
    let listeners = scene.listeners.lock().unwrap();
    let open = listeners.iter().filter(|end| end.reason().is_none());
    open.count()
}

/// Two browsers end all other logins.
fn both_log_out_others(scene: &Scene, browsers: [&Browser; 2]) -> Vec<Actor> {
    let [one, other] = browsers.map(|browser| scene.log_out_others(browser));
    vec![
        scene.trace.actor("LogOutOthers2", one),
        scene.trace.actor("LogOutOthers3", other),
    ]
}

#[test]
fn of_two_browsers_that_end_all_others_at_once_one_stays() {
    let prepare = async |scene: &mut Scene| {
        scene.log_in_and_follow_others("alex", true).await;
        both_log_out_others(scene, [&scene.browser, &scene.other])
    };
    explore(Kind::ALL, 11, prepare, async |scene| {
        let answers = statuses(scene);
        let served = served(scene, [&scene.browser, &scene.other]).await;
        // Each logs the other one out, or the second finds that it is out already: 401.
        assert!(
            [[200, 401], [200, 403]].contains(&[answers[0], answers[1]]),
            "{answers:?}"
        );
        assert_eq!(served, 1);
        let served = scene.trace.process("Request2", scene.serves(&scene.copy));
        assert!(!served.await, "no copy of a cookie stays");
        scene.assert_new_login_works("alex").await;
    });
}

/// The browser and a thief with a copy of its cookie.
#[test]
fn of_two_copies_of_a_cookie_one_stays() {
    let prepare = async |scene: &mut Scene| {
        scene.log_in_and_follow_others("alex", false).await;
        both_log_out_others(scene, [&scene.browser, &scene.copy])
    };
    explore(Kind::ALL, 11, prepare, async |scene| {
        assert_eq!(statuses(scene)[0], 200);
        assert_eq!(served(scene, [&scene.browser, &scene.copy]).await, 1);
    });
}

/// What ends this login wins, wherever it comes: before or after the other logins end.
#[test]
fn another_logout_in_between_wins() {
    for (code, token) in [
        ("alex", "alex"),
        ("alex:home", "alex:home"),
        ("alex", "everyone"),
        ("alex:home", "issuer"),
    ] {
        for (failures, at_least) in [(0, 3), (2, 2)] {
            let prepare = async |scene: &mut Scene| {
                scene.log_in_and_follow_others(code, false).await;
                scene.failures.store(failures, SeqCst);
                let logout = match token {
                    "alex" => "LogOut0",
                    _ => "RaiseFloor0",
                };
                let trace = scene.trace.clone();
                vec![
                    trace.actor("LogOutOthers2", scene.log_out_others(&scene.browser)),
                    trace.actor(logout, scene.notice(token)),
                ]
            };
            explore(Kind::ALL, at_least, prepare, async |scene| {
                let answers = statuses(scene);
                assert!(answers.contains(&200), "{token}: {answers:?}");
                let served = served(scene, [&scene.browser, &scene.copy]).await;
                assert_eq!(served, 0, "{token}");
                scene.assert_new_login_works(code).await;
            });
        }
    }
}

#[test]
fn a_sign_out_in_between_wins() {
    let prepare = async |scene: &mut Scene| {
        scene.log_in_and_follow_others("alex", false).await;
        let trace = scene.trace.clone();
        let sign_out = {
            let (gates, sign_out) = (scene.gates.clone(), scene.sign_out(&scene.copy));
            async move {
                gates.pass("the browser signs out").await;
                sign_out.await;
            }
        };
        vec![
            trace.actor("LogOutOthers2", scene.log_out_others(&scene.browser)),
            trace.actor("SignOut0", sign_out.boxed()),
        ]
    };
    explore(Kind::ALL, 11, prepare, async |scene| {
        assert!(!scene.serves(&scene.copy).await);
        let served = scene.serves(&scene.browser);
        let served = scene.trace.process("Request0", served).await;
        assert!(!served, "{:?}", scene.statuses());
        scene.assert_new_login_works("alex").await;
    });
}

/// The login takes its stamp before its code is exchanged.
#[test]
fn a_login_that_is_under_way_ends_if_it_began_before() {
    const LOGIN: &str = "the login has begun";
    const LOGOUT: &str = "the logout of all others reaches the store";
    let prepare = async |scene: &mut Scene| {
        scene.log_in("alex").await;
        let callback = scene.other.start(scene, "alex").await;
        let login = {
            let scene = scene.clone();
            async move {
                scene.gates.pass(LOGIN).await;
                scene.other.send(&scene, Method::GET, &callback).await;
            }
        };
        vec![login.boxed(), scene.log_out_others(&scene.browser)]
    };
    explore(&[Kind::Sealed], 101, prepare, async |scene| {
        assert_eq!(scene.statuses(), [200]);
        assert!(scene.serves(&scene.browser).await);
        let served = scene.serves(&scene.other).await;
        let began_before = scene.gates.in_order(LOGIN, LOGOUT);
        assert!(!(began_before && served), "a login from before is served");
    });
}

/// A renewal that is late saves the record of the login before.
#[test]
fn a_request_that_renews_the_login_leaves_the_kept_one_alone() {
    let prepare = async |scene: &mut Scene| {
        scene.log_in_and_follow_others("alex", false).await;
        let trace = scene.trace.clone();
        vec![
            trace.actor("Request2", scene.work()),
            trace.actor("LogOutOthers2", scene.log_out_others(&scene.browser)),
        ]
    };
    explore(Kind::ALL, 11, prepare, async |scene| {
        assert_eq!(scene.statuses(), [200]);
        let browser = scene
            .trace
            .process("Request0", scene.serves(&scene.browser));
        assert!(browser.await);
        let copy = scene.trace.process("Request1", scene.serves(&scene.copy));
        assert!(!copy.await);
    });
}

#[test]
fn what_a_copy_listens_to_ends_and_what_the_kept_login_listens_to_does_not() {
    let prepare = async |scene: &mut Scene| {
        scene.log_in("alex").await;
        let keeps = {
            let scene = scene.clone();
            async move {
                scene.log_out_others(&scene.browser).await;
                scene.gates.pass("the browser listens").await;
                scene.listeners.lock().unwrap().clear();
                scene.browser.send(&scene, Method::GET, "/listen").await;
            }
        };
        vec![
            keeps.boxed(),
            scene.visit(&scene.copy, Method::GET, "/listen"),
        ]
    };
    explore(Kind::STORED, 101, prepare, async |scene| {
        assert!(scene.serves(&scene.browser).await);
        assert_eq!(open_listeners(scene).await, 1);
        // It is the listener of the kept login, which a logout finds.
        assert_eq!(scene.send_notice("alex").await, 200);
        assert_eq!(open_listeners(scene).await, 0);
    });
}
