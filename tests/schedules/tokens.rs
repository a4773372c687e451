//! Bearer tokens: made, used and ended while logouts are under way.

use std::sync::atomic::Ordering::SeqCst;

use axum::http::Method;

use crate::{
    explorer::explore,
    world::{Kind, Scene},
};

#[test]
fn no_token_is_made_across_a_logout() {
    let prepare = async |scene: &mut Scene| {
        scene.log_in_and_follow_others("alex", false).await;
        let new_token = scene.visit(&scene.browser, Method::POST, "/new-token");
        vec![
            scene.trace.actor("MintToken4", new_token),
            scene.trace.actor("LogOut0", scene.notice("alex")),
        ]
    };
    explore(Kind::ALL, 13, prepare, async |scene| {
        assert_eq!(scene.statuses(), [200]);
        assert_eq!(scene.late_tokens.load(SeqCst), 0);
        for (token, _) in scene.tokens() {
            let served = scene.trace.process("Request0", scene.serves_token(&token));
            assert!(!served.await, "its login has ended");
        }
        scene.assert_new_login_works("alex").await;
        for (token, _) in scene.tokens() {
            assert!(!scene.serves_token(&token).await, "never back");
        }
        scene.mint().await;
        let (new, _) = scene.tokens().pop().unwrap();
        assert!(scene.serves_token(&new).await, "a new token works");
    });
}

#[test]
fn no_token_is_served_once_a_logout_is_answered() {
    let prepare = async |scene: &mut Scene| {
        scene.log_in_and_follow_others("alex", false).await;
        let trace = scene.trace.clone();
        trace.process("MintToken4", scene.mint()).await;
        let (token, _) = scene.tokens().pop().unwrap();
        vec![
            trace.actor("LogOut0", scene.notice("alex")),
            trace.actor("Request0", scene.ask_with_token(&token)),
        ]
    };
    explore(Kind::ALL, 3, prepare, async |scene| {
        assert_eq!(scene.statuses(), [200]);
        let (token, _) = scene.tokens().pop().unwrap();
        let served = scene.trace.process("Request1", scene.serves_token(&token));
        assert!(!served.await);
    });
}

#[test]
fn a_token_ends_alone_and_at_once() {
    for by_id in [true, false] {
        let prepare = async |scene: &mut Scene| {
            scene.log_in("alex").await;
            scene.mint().await;
            scene.mint().await;
            let token = scene.tokens().swap_remove(0);
            let ask = scene.ask_with_token(&token.0);
            let stay = scene.stay(&scene.browser);
            vec![scene.end_token(token, by_id), ask, stay]
        };
        explore(Kind::ALL, 13, prepare, async |scene| {
            assert_eq!(scene.statuses(), [204]);
            let tokens = scene.tokens();
            assert!(!scene.serves_token(&tokens[0].0).await);
            assert!(scene.serves_token(&tokens[1].0).await, "the other stays");
            assert!(scene.serves(&scene.browser).await, "the browser stays");
        });
    }
}

#[test]
fn a_token_is_ended_twice_at_once() {
    let prepare = async |scene: &mut Scene| {
        scene.log_in("alex").await;
        scene.mint().await;
        let token = scene.tokens().swap_remove(0);
        let by_id = scene.end_token(token.clone(), true);
        vec![by_id, scene.end_token(token, false)]
    };
    explore(Kind::ALL, 2, prepare, async |scene| {
        assert_eq!(scene.statuses(), [204, 204]);
        assert!(!scene.serves_token(&scene.tokens()[0].0).await);
    });
}

#[test]
fn a_sign_out_of_the_browser_while_a_token_is_made_leaves_the_token_alone() {
    let prepare = async |scene: &mut Scene| {
        scene.log_in_and_follow_others("alex", false).await;
        let new_token = scene.visit(&scene.copy, Method::POST, "/new-token");
        vec![
            scene.trace.actor("MintToken4", new_token),
            scene
                .trace
                .actor("SignOut0", scene.sign_out(&scene.browser)),
        ]
    };
    explore(Kind::ALL, 10, prepare, async |scene| {
        assert_eq!(scene.statuses(), [303]);
        // Made before the sign-out, or not at all.
        assert_eq!(scene.late_tokens.load(SeqCst), 0);
        let made = scene.tokens();
        assert!(made.len() <= 1);
        for (token, _) in made {
            let served = scene.trace.process("Request0", scene.serves_token(&token));
            assert!(served.await);
        }
        let served = scene.trace.process("Request1", scene.serves(&scene.copy));
        assert!(!served.await);
        let status = scene.copy.send(scene, Method::POST, "/new-token").await;
        assert_eq!(status, 401, "a copy makes none after it");
    });
}
