//! Logouts at better-auth.

use axum_clef::oidc::{Oidc, SigningAlgorithm};

use crate::{
    better_auth::{AtBetterAuth, BetterAuth},
    site::{Answered, CLIENT_ID, CLIENT_SECRET, Site},
    visitor::{Visitor, sent_to},
};

const MIRA: &str = "mira@example.com";
const NOOR: &str = "noor@example.com";

/// A person in two browsers, and another person.
struct Scene {
    provider: BetterAuth,
    site: Site,
    laptop: Visitor<AtBetterAuth>,
    phone: Visitor<AtBetterAuth>,
    noor: Visitor<AtBetterAuth>,
}

impl Scene {
    async fn new() -> Self {
        Self::signed_with("RS256", SigningAlgorithm::Rs256).await
    }

    async fn signed_with(name: &str, algorithm: SigningAlgorithm) -> Self {
        let mut provider = BetterAuth::start(name).await;
        let issuer = provider.issuer();
        let site = Site::build(async |ground| {
            let client = Oidc::discover(issuer, CLIENT_ID, CLIENT_SECRET);
            let client = client.await.unwrap().signing_algorithm(algorithm);
            ground.builder().provider(client).build().unwrap()
        })
        .await;
        provider.register(&site).await;
        let [laptop, phone, noor] = [0; 3].map(|_| provider.visitor());
        laptop.log_in(&site, MIRA).await;
        phone.log_in(&site, MIRA).await;
        noor.log_in(&site, NOOR).await;
        Self {
            provider,
            site,
            laptop,
            phone,
            noor,
        }
    }

    /// Who is in, the same at every node: laptop, phone, Noor.
    async fn who_is_in(&self) -> [bool; 3] {
        [
            self.laptop.is_in(&self.site).await,
            self.phone.is_in(&self.site).await,
            self.noor.is_in(&self.site).await,
        ]
    }

    /// One notice was sent, and accepted.
    async fn assert_one_notice(&self) {
        let path = "/clef/logout".to_owned();
        let accepted = Answered { path, status: 200 };
        assert_eq!(self.site.answered().await, accepted);
        assert!(self.site.has_no_other_notice().await);
    }
}

#[tokio::test]
#[ignore = "needs node: run npm ci in tests/real_provider/better_auth first; .ci/run does"]
async fn a_logout_at_the_provider_ends_the_login_of_that_browser_alone() {
    let scene = Scene::new().await;
    scene.laptop.at_provider.log_out().await;
    // The provider answers the logout after its notice was answered.
    assert_eq!(scene.who_is_in().await, [false, true, true]);
    scene.assert_one_notice().await;

    scene.laptop.log_in(&scene.site, MIRA).await;
    assert_eq!(scene.who_is_in().await, [true, true, true]);
}

#[tokio::test]
#[ignore = "needs node: run npm ci in tests/real_provider/better_auth first; .ci/run does"]
async fn a_logout_of_the_other_browsers_ends_their_logins() {
    let scene = Scene::new().await;
    scene.phone.at_provider.log_out_others().await;
    assert_eq!(scene.who_is_in().await, [false, true, true]);
    scene.assert_one_notice().await;
}

#[tokio::test]
#[ignore = "needs node: run npm ci in tests/real_provider/better_auth first; .ci/run does"]
async fn a_changed_password_ends_the_logins_of_all_browsers() {
    let scene = Scene::new().await;
    scene.phone.at_provider.change_password().await;
    assert_eq!(scene.who_is_in().await, [false, false, true]);
}

#[tokio::test]
#[ignore = "needs node: run npm ci in tests/real_provider/better_auth first; .ci/run does"]
async fn a_sign_out_goes_on_at_the_provider_and_comes_home() {
    let scene = Scene::new().await;
    let there = scene.laptop.sign_out(&scene.site).await;
    assert!(there.starts_with(scene.provider.issuer()), "{there}");
    assert_eq!(scene.who_is_in().await, [false, true, true]);
    let back = scene.laptop.at_provider.navigate(&there).await;
    assert_eq!(sent_to(&scene.laptop.get(back).await), "/");
    scene.assert_one_notice().await;
    assert_eq!(scene.who_is_in().await, [false, true, true]);
}

/// Its default algorithm.
#[tokio::test]
#[ignore = "needs node: run npm ci in tests/real_provider/better_auth first; .ci/run does"]
async fn a_logout_signed_with_ed25519_is_good_where_it_was_set() {
    let scene = Scene::signed_with("EdDSA", SigningAlgorithm::EdDsa).await;
    scene.phone.at_provider.log_out().await;
    assert_eq!(scene.who_is_in().await, [true, false, true]);
    scene.assert_one_notice().await;
}

#[tokio::test]
#[ignore = "needs node: run npm ci in tests/real_provider/better_auth first; .ci/run does"]
async fn a_page_for_recent_logins_is_open_after_the_login() {
    let scene = Scene::new().await;
    assert_eq!(scene.laptop.open_recent(&scene.site).await, None);
}
