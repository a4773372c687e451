//! The end of every login of the site, or of those of a provider, by one write.

use std::{sync::atomic::Ordering::SeqCst, time::Duration};

use axum::{
    Router,
    body::to_bytes,
    extract::Query,
    response::{IntoResponse as _, Redirect},
    routing::post,
};
use axum_clef::{
    ClefLayer, IdentityStore, LogInError, LogoutError, NewLogin, Paths, Sessions, SuspendedLogin,
    leased::Leased, stores::Account,
};

use crate::support::{
    Jar, ScriptedProvider, World,
    jar::notice,
    provider::{ISSUER, OTHER_ISSUER},
};

/// A node of a site with two providers, of which the second lies under `/other`, and with a form of
/// its own.
pub struct Site {
    app: Router,
    layer: ClefLayer,
}

#[derive(serde::Deserialize)]
struct Form {
    user: String,
}

async fn own(login: NewLogin, Query(form): Query<Form>) -> Result<Redirect, LogInError> {
    login.begin(&form.user).await
}

async fn first_step(login: NewLogin, Query(form): Query<Form>) -> Result<Redirect, LogInError> {
    login.suspend(&form.user, "/own/next").await
}

async fn next_step(login: SuspendedLogin) -> Result<Redirect, LogInError> {
    login.begin().await
}

impl Site {
    pub fn new(
        world: &World,
        users: impl IdentityStore<User = Account>,
        sessions: Sessions,
    ) -> Self {
        let layer = ClefLayer::builder(World::SITE, users, sessions)
            .provider(world.provider.clone())
            .provider_at(Paths::under("/other").unwrap(), ScriptedProvider::other())
            .build()
            .unwrap();
        let app = world
            .pages(layer.routes())
            .route("/own", post(own))
            .route("/own/first", post(first_step))
            .route("/own/next", post(next_step))
            .layer(layer.clone());
        Self { app, layer }
    }
}

/// Three browsers: logged in by the first provider, by the other one, and by the form.
struct Browsers([Jar; 3]);

impl Browsers {
    async fn logged_in(nodes: &[Site; 3]) -> Self {
        let [first, second, third] = nodes;
        let at_provider = Jar::logged_in(&first.app, "12345").await;
        let mut at_other = Jar::default();
        at_other.log_in_at(&second.app, "/other", "12345").await;
        let user = at_provider.clone().get(&first.app, "/").await;
        let user = crate::support::jar::text(user).await;
        let mut own = Jar::default();
        own.post(&third.app, &format!("/own?user={user}")).await;
        let mut browsers = Self([at_provider, at_other, own]);
        browsers.assert_in(nodes, [true; 3]).await;
        browsers
    }

    async fn assert_in(&mut self, nodes: &[Site; 3], expected: [bool; 3]) {
        for (number, node) in nodes.iter().enumerate() {
            for (jar, expected) in self.0.iter_mut().zip(expected) {
                assert_eq!(jar.is_in(&node.app).await, expected, "at node {number}");
            }
        }
    }
}

/// What ends: every login, or those of the first provider.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Ended {
    Everyone,
    Issuer,
}

impl Ended {
    async fn end(self, node: &Site) -> Result<(), LogoutError> {
        let logouts = node.layer.logouts();
        match self {
            Self::Everyone => logouts.log_out_everyone().await,
            Self::Issuer => logouts.log_out_issuer(ISSUER).await,
        }
    }

    /// Which of the browsers are in once it is written.
    fn stay(self) -> [bool; 3] {
        match self {
            Self::Everyone => [false; 3],
            Self::Issuer => [false, true, true],
        }
    }
}

/// Logins of all kinds at three nodes, and one under way of each kind.
pub async fn every_login_ends_on_every_node(world: &World, nodes: &[Site; 3]) {
    for ended in [Ended::Issuer, Ended::Everyone] {
        let mut browsers = Browsers::logged_in(nodes).await;
        let [first, second, third] = nodes;
        let user = browsers.0[2].get(&first.app, "/").await;
        let user = crate::support::jar::text(user).await;
        let mut suspended = Jar::default();
        let path = format!("/own/first?user={user}");
        assert_eq!(suspended.post(&second.app, &path).await.status(), 303);

        let mut under_way = Jar::default();
        let callback = under_way.begin(&first.app, "12345").await;
        world.provider.during_exchange.set();
        let (answer, ()) = tokio::join!(under_way.get(&first.app, &callback), async {
            world.provider.during_exchange.reached().await;
            ended.end(third).await.unwrap();
            world.provider.during_exchange.go();
        });
        assert_eq!(answer.status(), 403, "{ended:?}");
        browsers.assert_in(nodes, ended.stay()).await;

        let resumed = suspended.post(&third.app, "/own/next").await.status();
        let expected = match ended {
            Ended::Everyone => 403,
            Ended::Issuer => 303,
        };
        assert_eq!(resumed, expected, "{ended:?}");
        assert_eq!(suspended.is_in(&first.app).await, expected == 303);

        // New logins work, at every node and of every kind.
        Browsers::logged_in(nodes).await;
        browsers.assert_in(nodes, ended.stay()).await;
    }
}

fn three<S: IdentityStore<User = Account>>(
    world: &World,
    sessions: &Sessions,
    users: impl Fn() -> S,
) -> [Site; 3] {
    [(); 3].map(|()| Site::new(world, users(), sessions.clone()))
}

#[tokio::test]
async fn every_login_of_the_site_or_of_a_provider_ends() {
    for kind in 0..2 {
        let world = World::new();
        let (_, sessions) = &world.both()[kind];
        let nodes = three(&world, sessions, || world.users.clone());
        every_login_ends_on_every_node(&world, &nodes).await;
    }
}

#[tokio::test(start_paused = true)]
async fn every_login_ends_before_the_answer_where_users_are_leased() {
    for kind in 0..2 {
        let world = World::new();
        let (_, sessions) = &world.both()[kind];
        let lease = Duration::from_secs(2);
        let nodes = three(&world, sessions, || Leased::new(world.users.clone(), lease));
        every_login_ends_on_every_node(&world, &nodes).await;
    }
}

/// Until it is written, this node serves none of them and begins none.
#[tokio::test(start_paused = true)]
async fn a_node_refuses_every_login_until_their_end_is_written() {
    for ended in [Ended::Issuer, Ended::Everyone] {
        for kind in 0..2 {
            let world = World::new();
            let (_, sessions) = &world.both()[kind];
            let nodes = three(&world, sessions, || world.users.clone());
            let mut browsers = Browsers::logged_in(&nodes).await;
            let [here, there, _] = &nodes;
            world.users.revoke_fails.store(true, SeqCst);
            assert_eq!(ended.end(here).await, Err(LogoutError::Pending));
            assert_eq!(here.layer.pending_logouts(), 1);
            for (jar, stays) in browsers.0.iter_mut().zip(ended.stay()) {
                assert_eq!(jar.is_in(&here.app).await, stays);
                assert!(jar.is_in(&there.app).await, "it cannot know");
            }
            for (under, issuer) in [("/clef", ISSUER), ("/other", OTHER_ISSUER)] {
                let mut jar = Jar::default();
                let callback = jar.begin_at(&here.app, under, "67890").await;
                let status = jar.get(&here.app, &callback).await.status();
                let ends = ended == Ended::Everyone || issuer == ISSUER;
                assert_eq!(status, if ends { 403 } else { 303 });
            }

            world.users.revoke_fails.store(false, SeqCst);
            tokio::time::sleep(Duration::from_secs(10)).await;
            assert_eq!(here.layer.pending_logouts(), 0);
            browsers.assert_in(&nodes, ended.stay()).await;
            Browsers::logged_in(&nodes).await;
        }
    }
}

#[tokio::test]
async fn a_user_store_without_revocations_says_what_to_implement() {
    let world = World::new();
    world.users.no_revocations.store(true, SeqCst);
    let site = Site::new(&world, world.users.clone(), world.stored());
    let mut jar = Jar::logged_in(&site.app, "12345").await;
    for ended in [Ended::Issuer, Ended::Everyone] {
        let error = ended.end(&site).await.unwrap_err();
        assert_eq!(error, LogoutError::RevocationsNotKept);
        for method in ["keeps_revocations", "revoke", "revoked_at"] {
            assert!(error.to_string().contains(method), "{error}");
        }
        let response = error.into_response();
        assert_eq!(response.status(), 500);
        let body = to_bytes(response.into_body(), 1_000).await.unwrap();
        let body = String::from_utf8(body.into()).unwrap();
        assert!(!body.contains("revo"), "a visitor reads {body}");
    }
    assert!(jar.is_in(&site.app).await, "nothing was done");
}

/// Each is later than the one before, and neither undoes the logout of a user.
#[tokio::test]
async fn the_end_of_every_login_comes_again_and_beside_other_logouts() {
    let world = World::new();
    let nodes = three(&world, &world.sealed(), || world.users.clone());
    for turn in 0..3 {
        let mut browsers = Browsers::logged_in(&nodes).await;
        Ended::Everyone.end(&nodes[turn]).await.unwrap();
        browsers.assert_in(&nodes, [false; 3]).await;
        let mut browsers = Browsers::logged_in(&nodes).await;
        assert_eq!(
            notice(&nodes[0].app, &format!("token:12345:{turn}")).await,
            200
        );
        browsers.assert_in(&nodes, [false, true, false]).await;
    }
}
