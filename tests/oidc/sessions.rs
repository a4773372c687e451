//! Whose logins end: those of one session at the provider, or all of a person's.

use std::sync::{Arc, atomic::Ordering::SeqCst};

use axum_clef::{IdentityStore as _, LogoutCause, ProviderSession, User as _, UserStore as _};
use serde_json::{Value, json};

use crate::support::{Browser, Node, Person, RSA, Site};

const PHONE: Person = Person {
    subject: "alex",
    session: "phone",
};
const DESK: Person = Person {
    subject: "alex",
    session: "desk",
};
const KIM: Person = Person {
    subject: "kim",
    session: "desk of kim",
};

/// Two nodes over the same stores, and three browsers, the last one Kim's.
struct Scene {
    site: Site,
    nodes: [Node; 2],
    phone: Browser,
    desk: Browser,
    kim: Browser,
}

impl Scene {
    async fn with(site: Site, nodes: [Node; 2]) -> Self {
        let (phone, desk, kim) = (Browser::new(), Browser::new(), Browser::new());
        phone.log_in(&nodes[0], &site.provider, PHONE).await;
        desk.log_in(&nodes[1], &site.provider, DESK).await;
        kim.log_in(&nodes[0], &site.provider, KIM).await;
        Self {
            site,
            nodes,
            phone,
            desk,
            kim,
        }
    }

    async fn new() -> Self {
        let site = Site::start().await;
        let nodes = [site.node().await, site.node().await];
        Self::with(site, nodes).await
    }

    /// Browsers of Alex and of Kim, with logins for which the provider has named no session.
    async fn log_in_without_session(&self) -> [Browser; 2] {
        let provider = &self.site.provider;
        provider.script().id_token = Arc::new(without("sid"));
        let browsers = [Browser::new(), Browser::new()];
        browsers[0].log_in(&self.nodes[0], provider, PHONE).await;
        browsers[1].log_in(&self.nodes[1], provider, KIM).await;
        provider.script().id_token = Arc::new(|_| {});
        browsers
    }

    /// Which of these browsers are still in, on both nodes.
    async fn are_in<const N: usize>(&self, browsers: &[Browser; N]) -> [bool; N] {
        let mut are_in = [false; N];
        for (is_in, browser) in are_in.iter_mut().zip(browsers) {
            *is_in = browser.is(&self.nodes[0]).await.is_some();
            let elsewhere = browser.is(&self.nodes[1]).await.is_some();
            assert_eq!(*is_in, elsewhere, "on every node");
        }
        are_in
    }

    async fn notice(&self, person: Person, change: impl FnOnce(&mut Value)) -> u16 {
        let mut claims = self.site.provider.logout_claims(person);
        change(&mut claims);
        self.nodes[0].notice(&RSA.sign(&claims)).await.status
    }

    /// The user whom the store has noted for the session of this person.
    async fn noted(&self, person: Person) -> Option<String> {
        let session = ProviderSession::new(&self.site.provider.issuer, person.session);
        self.site.users.session_user(&session).await.unwrap()
    }

    /// Who is still in, the same on every node: phone, desk, Kim.
    async fn who_is_in(&self) -> [bool; 3] {
        let mut seen = Vec::new();
        for node in &self.nodes {
            let mut row = [false; 3];
            for (is_in, browser) in row.iter_mut().zip([&self.phone, &self.desk, &self.kim]) {
                *is_in = browser.is(node).await.is_some();
            }
            seen.push(row);
        }
        assert_eq!(seen[0], seen[1], "on every node");
        seen[0]
    }
}

fn without(name: &'static str) -> impl Fn(&mut Value) + Send + Sync {
    move |claims| {
        claims.as_object_mut().unwrap().remove(name);
    }
}

#[tokio::test]
async fn a_session_ends_alone() {
    let scene = Scene::new().await;
    assert_eq!(scene.noted(PHONE).await, None, "no notice needs it");
    assert_eq!(scene.notice(PHONE, |_| {}).await, 200);
    assert_eq!(scene.who_is_in().await, [false, true, true]);
    assert_eq!(scene.notice(DESK, without("sub")).await, 200);
    assert_eq!(scene.who_is_in().await, [false, false, true]);
    let provider = &scene.site.provider;
    scene.phone.log_in(&scene.nodes[1], provider, PHONE).await;
    assert_eq!(scene.who_is_in().await, [true, false, true]);
}

#[tokio::test]
async fn without_a_session_all_logins_of_the_person_end() {
    let scene = Scene::new().await;
    assert_eq!(scene.notice(PHONE, without("sid")).await, 200);
    assert_eq!(scene.who_is_in().await, [false, false, true]);
}

#[tokio::test]
async fn by_setting_the_whole_person_is_logged_out() {
    let site = Site::start().await;
    let node = || site.node_with(site.provider.client().log_out_whole_person());
    let nodes = [node().await, node().await];
    let scene = Scene::with(site, nodes).await;
    assert_eq!(scene.noted(PHONE).await.as_deref(), Some("1"));
    assert_eq!(scene.notice(PHONE, |_| {}).await, 200);
    assert_eq!(scene.who_is_in().await, [false, false, true]);
    assert_eq!(scene.notice(KIM, without("sub")).await, 200);
    assert_eq!(scene.who_is_in().await, [false, false, false]);
}

#[tokio::test]
async fn without_revocations_the_user_is_logged_out_or_the_notice_refused() {
    let scene = Scene::new().await;
    scene.site.users.no_revocations.store(true, SeqCst);
    assert_eq!(scene.notice(PHONE, without("sub")).await, 400);
    assert_eq!(scene.who_is_in().await, [true, true, true]);
    assert_eq!(scene.notice(PHONE, |_| {}).await, 200);
    assert_eq!(scene.who_is_in().await, [false, false, true]);
}

#[tokio::test]
async fn an_unknown_session_ends_no_login_of_another_one() {
    for leaves_out in ["", "sub"] {
        let scene = Scene::new().await;
        let change = |claims: &mut Value| {
            claims["sid"] = json!("another");
            without(leaves_out)(claims);
        };
        assert_eq!(scene.notice(PHONE, change).await, 200);
        assert_eq!(scene.who_is_in().await, [true, true, true]);
    }
}

#[tokio::test]
async fn a_session_with_its_subject_ends_the_logins_without_a_session_too() {
    for session in ["phone", "another"] {
        let scene = Scene::new().await;
        let without_session = scene.log_in_without_session().await;
        let change = |claims: &mut Value| claims["sid"] = json!(session);
        assert_eq!(scene.notice(PHONE, change).await, 200);
        assert_eq!(scene.are_in(&without_session).await, [false, true]);
        let phone = session != "phone";
        assert_eq!(scene.who_is_in().await, [phone, true, true], "{session}");

        let again = scene.log_in_without_session().await;
        assert_eq!(scene.are_in(&again).await, [true, true], "{session}");
    }
}

#[tokio::test]
async fn a_session_alone_ends_no_login_without_a_session() {
    let scene = Scene::new().await;
    let without_session = scene.log_in_without_session().await;
    assert_eq!(scene.notice(PHONE, without("sub")).await, 200);
    assert_eq!(scene.are_in(&without_session).await, [true, true]);
    assert_eq!(scene.who_is_in().await, [false, true, true]);
}

#[tokio::test]
async fn a_subject_alone_ends_the_logins_without_a_session_too() {
    let scene = Scene::new().await;
    let without_session = scene.log_in_without_session().await;
    assert_eq!(scene.notice(DESK, without("sid")).await, 200);
    assert_eq!(scene.are_in(&without_session).await, [false, true]);
    assert_eq!(scene.who_is_in().await, [false, false, true]);
    let user = scene.site.users.load("1").await.unwrap().unwrap();
    let event = LogoutCause::provider("backchannel-logout");
    assert_eq!(user.logout_cause(), event);
}

#[tokio::test]
async fn logins_last_thirty_days_with_a_session_and_without() {
    let scene = Scene::new().await;
    let [without_session, _] = scene.log_in_without_session().await;
    for browser in [&scene.phone, &without_session] {
        let lasts = browser.get(&scene.nodes[0], "/lasts").await;
        assert_eq!(lasts.text().await.unwrap(), "2592000 s");
    }
}
