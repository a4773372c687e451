//! A site without a provider of its own, over the stores of one that has one: an application with a
//! login form, once it can log users in, or a second program beside the one that does.

use axum::http::Method;
use axum_clef::{ClefLayer, ClefLayerBuilder, LoginFailureKind};

use crate::support::{
    Jar, TestUsers, World,
    jar::{location, text},
};

fn builder(world: &World, sealed: bool) -> ClefLayerBuilder<TestUsers> {
    let sessions = match sealed {
        true => world.sealed(),
        false => world.stored(),
    };
    ClefLayer::builder(World::SITE, world.users.clone(), sessions).login_page("/log-in")
}

#[tokio::test]
async fn users_sign_out_by_its_settings() {
    for sealed in [false, true] {
        for everywhere in [false, true] {
            let world = World::new();
            let with = world.app_of(builder(&world, sealed).provider(world.provider.clone()));
            let without = builder(&world, sealed).sign_out_path("/bye");
            let without = without.after_sign_out("/goodbye");
            let app = world.app_of(match everywhere {
                true => without.sign_out_everywhere(),
                false => without,
            });
            let mut other = Jar::logged_in(&with, "12345").await;
            let mut jar = Jar::logged_in(&with, "12345").await;
            let mut copy = jar.clone();
            assert_eq!(jar.user(&app).await.as_deref(), Some("12345"));
            assert_eq!(jar.post(&app, "/auth/sign-out").await.status(), 404);
            let response = jar.post(&app, "/bye").await;
            assert_eq!(location(&response), "/goodbye");
            assert!(jar.names().is_empty());
            assert!(!copy.is_in(&with).await);
            assert_eq!(other.is_in(&with).await, !everywhere);
        }
    }
}

#[tokio::test]
async fn its_open_pages_are_signalled() {
    let world = World::new();
    let with = world.app_of(builder(&world, false).provider(world.provider.clone()));
    let app = world.app_of(builder(&world, false).live_path("/open"));
    let mut jar = Jar::logged_in(&with, "12345").await;
    let page = jar.get(&app, "/open").await;
    assert_eq!(page.status(), 200);
    jar.sign_out(&app).await;
    let events = text(page).await;
    assert!(events.contains("event: logged-in"), "{events}");
    assert!(events.contains("event: logged-out"), "{events}");
    let script = text(jar.get(&app, "/open.js").await).await;
    let places = r#"["/open","/log-in?next=%2Fopen%2Fback",{"#;
    assert!(script.contains(places), "{script}");
}

#[tokio::test]
async fn a_failed_sign_out_names_no_provider() {
    let world = World::new();
    let own = builder(&world, false).render_login_failures(|failure| {
        use axum::response::IntoResponse as _;
        assert_eq!(failure.kind(), LoginFailureKind::ForeignOrigin);
        assert_eq!(failure.provider(), None);
        (failure.status(), failure.retry_url().to_owned()).into_response()
    });
    for (app, words) in [
        (world.app_of(builder(&world, false)), "Sign-out blocked"),
        (world.app_of(own), "http://127.0.0.1:9/log-in"),
    ] {
        let mut request = Jar::default().request(Method::POST, "/auth/sign-out");
        let elsewhere = "https://evil.example".parse().unwrap();
        request.headers_mut().insert("origin", elsewhere);
        let response = tower::ServiceExt::oneshot(app, request).await.unwrap();
        assert_eq!(response.status(), 403);
        assert!(text(response).await.contains(words));
    }
}
