//! More at once than there is time to go through in every order: each in a few thousand random ones.

use std::sync::atomic::Ordering::SeqCst;

use axum::http::Method;
use futures_util::FutureExt as _;

use crate::{
    explorer::explore_some,
    world::{Kind, Scene},
};

#[test]
fn two_logouts_a_login_and_requests() {
    for (failures, apart) in [(0, false), (1, false), (2, false), (0, true), (1, true)] {
        let prepare = async |scene: &mut Scene| {
            let trace = scene.trace.clone();
            trace.follow("logout.pml");
            trace.process("Login0", scene.log_in("alex")).await;
            scene.failures.store(failures, SeqCst);
            // At one node or at two.
            let elsewhere = match apart {
                true => scene.elsewhere(),
                false => scene.clone(),
            };
            let callback = scene.other.start(&elsewhere, "alex").await;
            let logs_in = {
                let scene = elsewhere.clone();
                async move {
                    let login = scene.other.send(&scene, Method::GET, &callback);
                    if scene.trace.process("Login1", login).await == 303 {
                        let request = scene.serves(&scene.other);
                        scene.trace.process("Request1", request).await;
                    }
                }
            };
            vec![
                trace.actor("Logout0", scene.notice("alex!1")),
                trace.actor("Logout1", elsewhere.notice("alex!2")),
                trace.actor("Request0", scene.ask(&scene.browser)),
                logs_in.boxed(),
            ]
        };
        explore_some(Kind::STORED, 150, prepare, async |scene| {
            assert_eq!(scene.statuses(), [200, 200]);
            let served = scene.serves(&scene.browser);
            assert!(!scene.trace.process("Request2", served).await);
            scene.assert_new_login_works("alex").await;
        });
    }
}

#[test]
fn ends_of_all_others_a_token_a_sign_out_and_logouts() {
    for token in [None, Some("alex"), Some("everyone")] {
        let prepare = async |scene: &mut Scene| {
            scene.log_in_and_follow_others("alex", true).await;
            let trace = scene.trace.clone();
            let new_token = scene.visit(&scene.browser, Method::POST, "/new-token");
            let request = scene.visit(&scene.browser, Method::GET, "/account");
            let mut actors = vec![
                trace.actor("LogOutOthers2", scene.log_out_others(&scene.browser)),
                trace.actor("LogOutOthers3", scene.log_out_others(&scene.other)),
                trace.actor("MintToken4", new_token),
                trace.actor("SignOut0", scene.sign_out(&scene.copy)),
                trace.actor("Request0", request),
            ];
            actors.extend(token.map(|token| {
                let logout = match token {
                    "alex" => "LogOut0",
                    _ => "RaiseFloor0",
                };
                trace.actor(logout, scene.notice(token))
            }));
            actors
        };
        explore_some(&[Kind::Sealed], 150, prepare, async |scene| {
            let browser = scene
                .trace
                .process("Request1", scene.serves(&scene.browser));
            let other = scene.trace.process("Request2", scene.serves(&scene.other));
            let served = usize::from(browser.await) + usize::from(other.await);
            assert!(served <= usize::from(token.is_none()));
            for (secret, _) in scene.tokens() {
                let served = scene.serves_token(&secret);
                let served = scene.trace.process("Request3", served).await;
                assert!(!served || token.is_none());
            }
            scene.assert_new_login_works("alex").await;
        });
    }
}

#[test]
fn a_new_login_a_sign_out_a_logout_and_requests() {
    for signs_out_copy in [false, true] {
        let prepare = async |scene: &mut Scene| {
            scene.log_in_and_follow().await;
            scene.until_renewals_are_due();
            let trace = scene.trace.clone();
            let callback = scene.browser.start(scene, "alex").await;
            let login = scene.request(&scene.browser, Method::GET, &callback);
            let signs_out = match signs_out_copy {
                true => &scene.copy,
                false => &scene.browser,
            };
            vec![
                trace.actor("NewLogin1", login),
                trace.actor("SignOut0", scene.sign_out(signs_out)),
                trace.actor("LogOut0", scene.notice("alex")),
                trace.actor("Request0", scene.work()),
                trace.actor("Request1", scene.work()),
            ]
        };
        explore_some(Kind::ALL, 300, prepare, async |scene| {
            let served = scene.serves(&scene.copy);
            // It has no cookie if it signed out, and is no request of the model.
            match signs_out_copy {
                true => assert!(!served.await),
                false => assert!(!scene.trace.process("Request2", served).await),
            }
            scene.assert_new_login_works("alex").await;
        });
    }
}
