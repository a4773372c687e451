//! Sealed logins with leased users: no server is asked at all, and the promise holds.

use std::{sync::atomic::Ordering::SeqCst, time::Duration};

use axum::{Router, http::Method, routing::post};
use axum_clef::{ClefLayer, NewToken, NewTokenError, leased::Leased, secrecy::ExposeSecret as _};
use tokio::time::Instant;

use crate::support::{
    Jar, TestUsers, World,
    jar::{location, notice, text},
};

const LEASE: Duration = Duration::from_secs(3);

/// A node with its own memory.
fn node(world: &World) -> Router {
    let users: Leased<TestUsers> = Leased::new(world.users.clone(), LEASE);
    let layer = ClefLayer::builder(World::SITE, users, world.sealed())
        .provider(world.provider.clone())
        .sign_out_everywhere()
        .build();
    world.app(&layer.unwrap())
}

#[tokio::test(start_paused = true)]
async fn a_request_of_a_user_asks_no_server() {
    let world = World::new();
    let app = node(&world);
    let mut jar = Jar::logged_in(&app, "12345").await;
    assert!(jar.is_in(&app).await);
    let calls = world.users.calls.load(SeqCst);
    for _ in 0..1_000 {
        assert!(jar.is_in(&app).await);
    }
    assert_eq!(world.users.calls.load(SeqCst), calls);
    // Nor does an outage matter, for a lease.
    world.users.failing.store(true, SeqCst);
    assert!(jar.is_in(&app).await);
    tokio::time::advance(LEASE).await;
    assert_eq!(jar.get(&app, "/account").await.status(), 503);
    world.users.failing.store(false, SeqCst);
    assert!(jar.is_in(&app).await);
}

#[tokio::test(start_paused = true)]
async fn a_logout_is_answered_when_no_node_serves_a_copy_any_more() {
    for by_sign_out in [true, false] {
        let world = World::new();
        let (here, there) = (node(&world), node(&world));
        let mut jar = Jar::logged_in(&here, "12345").await;
        let mut copy = jar.clone();
        for app in [&here, &there] {
            assert!(copy.is_in(app).await);
        }
        let began_at = Instant::now();
        if by_sign_out {
            let response = jar.sign_out(&here).await;
            assert_eq!(response.status(), 303);
            assert_eq!(location(&response), "/");
            assert_eq!(jar, Jar::default());
        } else {
            assert_eq!(notice(&here, "token:12345").await, 200);
        }
        // The other node may have kept the user so long.
        assert!(began_at.elapsed() >= LEASE, "{:?}", began_at.elapsed());
        for app in [&here, &there] {
            assert!(!copy.is_in(app).await);
        }
        jar.log_in(&there, "12345").await;
        assert!(jar.is_in(&here).await);
        assert!(!copy.is_in(&here).await);
    }
}

#[tokio::test(start_paused = true)]
async fn two_sign_outs_while_the_leases_run_out_both_succeed() {
    let world = World::new();
    let app = node(&world);
    let mut jar = Jar::logged_in(&app, "12345").await;
    assert!(jar.is_in(&app).await);
    let (mut once, mut again) = (jar.clone(), jar.clone());
    let signed_out = tokio::join!(once.sign_out(&app), async {
        tokio::time::sleep(LEASE / 2).await;
        again.sign_out(&app).await
    });
    let statuses = (signed_out.0.status(), signed_out.1.status());
    assert_eq!((statuses.0.as_u16(), statuses.1.as_u16()), (303, 303));
    assert_eq!((once, again), (Jar::default(), Jar::default()));
}

/// Tokens too: from memory while the lease lasts, and not any more once their end is answered.
#[tokio::test(start_paused = true)]
async fn a_token_is_served_from_memory_and_ends_at_every_node() {
    for by_id in [true, false] {
        let world = World::new();
        let node = || {
            let users: Leased<TestUsers> = Leased::new(world.users.clone(), LEASE);
            let layer = ClefLayer::builder(World::SITE, users, world.sealed())
                .provider(world.provider.clone())
                .bearer_tokens([World::key()])
                .build()
                .unwrap();
            let make = async |token: NewToken| {
                let token = token.mint("laptop").await?;
                let secret = token.secret().expose_secret();
                Ok::<_, NewTokenError>(format!("{secret} {}", token.id()))
            };
            let pages = world.pages(layer.routes()).route("/new-token", post(make));
            (pages.layer(layer.clone()), layer.logouts())
        };
        let ((here, logouts), (there, _)) = (node(), node());
        let mut jar = Jar::logged_in(&here, "12345").await;
        let made = text(jar.post(&here, "/new-token").await).await;
        let (secret, id) = made.split_once(' ').unwrap();
        let bearer = format!("Bearer {secret}");
        let ask = async |app: &Router| {
            let headers = [("authorization", &*bearer)];
            let asked = (Method::GET, "/account");
            let response = Jar::default().send_with(app, asked, &headers).await;
            response.status().as_u16()
        };
        for app in [&here, &there] {
            assert_eq!(ask(app).await, 200);
        }
        let calls = world.users.calls.load(SeqCst);
        for _ in 0..100 {
            assert_eq!(ask(&here).await, 200);
        }
        assert_eq!(world.users.calls.load(SeqCst), calls);
        let began_at = Instant::now();
        match by_id {
            true => logouts.end_login(id.parse().unwrap()).await.unwrap(),
            false => assert_eq!(notice(&here, "token:12345").await, 200),
        }
        assert!(began_at.elapsed() >= LEASE, "{:?}", began_at.elapsed());
        for app in [&here, &there] {
            assert_eq!(ask(app).await, 401);
        }
    }
}
