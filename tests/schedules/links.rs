//! An identity is linked to the logged-in user, while others do something too.

use axum::http::Method;
use axum_clef::Subject;
use test_support::ISSUER;

use crate::{
    explorer::explore,
    world::{Actor, Kind, Scene},
};

/// The browser of `alex` comes back with an identity of `blair`.
async fn link(scene: &mut Scene) -> Actor {
    scene.log_in("alex").await;
    let callback = scene.browser.start_link(scene, "blair").await;
    scene.request(&scene.browser, Method::GET, &callback)
}

fn is_linked(scene: &Scene) -> bool {
    let blair = Subject::new(ISSUER, "blair");
    scene.linked.user_of(&blair).is_some()
}

/// The status of the callback, and that of the other request.
fn statuses(scene: &Scene) -> (u16, u16) {
    let statuses = scene.statuses();
    let (links, others): (Vec<_>, Vec<_>) = statuses
        .iter()
        .partition(|status| matches!(**status, 303 | 403));
    assert_eq!((links.len(), others.len()), (1, 1), "{statuses:?}");
    (links[0], others[0])
}

#[test]
fn a_logout_of_the_user_while_an_identity_is_linked_is_not_undone() {
    let prepare = async |scene: &mut Scene| vec![link(scene).await, scene.notice("alex")];
    explore(Kind::ALL, 23, prepare, async |scene| {
        let (link, notice) = statuses(scene);
        assert_eq!(notice, 200);
        assert_eq!(is_linked(scene), link == 303);
        assert!(!scene.serves(&scene.browser).await);
        assert!(!scene.serves(&scene.copy).await);
        scene.assert_new_login_works("alex").await;
        // From now on a notice for either identity ends the login.
        assert_eq!(
            scene.send_notice("blair!later").await,
            if link == 303 { 200 } else { 404 }
        );
        assert_eq!(scene.serves(&scene.browser).await, link == 403);
        scene.assert_new_login_works("blair").await;
    });
}

#[test]
fn a_logout_of_the_identity_ends_the_login_of_the_user_that_it_finds() {
    let prepare = async |scene: &mut Scene| vec![link(scene).await, scene.notice("blair")];
    explore(Kind::ALL, 330, prepare, async |scene| {
        let (link, notice) = statuses(scene);
        assert_eq!(link, 303);
        assert!(is_linked(scene));
        // The notice is for an unknown user, or it ends every login of the user.
        let ended = notice == 200;
        assert!(ended || notice == 404);
        assert_eq!(scene.serves(&scene.browser).await, !ended);
        assert_eq!(scene.serves(&scene.copy).await, !ended);
        scene.assert_new_login_works("blair").await;
    });
}

#[test]
fn a_sign_out_while_an_identity_is_linked_is_not_undone() {
    let prepare = async |scene: &mut Scene| {
        let link = link(scene).await;
        vec![
            link,
            scene.visit(&scene.copy, Method::POST, "/auth/sign-out"),
        ]
    };
    explore(Kind::ALL, 23, prepare, async |scene| {
        assert_eq!(is_linked(scene), scene.statuses() == [303]);
        assert!(!scene.serves(&scene.browser).await);
        assert!(!scene.serves(&scene.copy).await);
        scene.assert_new_login_works("alex").await;
    });
}
