//! People go out: at the provider, and by the site.

use serde_json::json;
use url::Url;

use crate::{
    provider::{Claims, RealProvider},
    site::{CLIENT_ID, Site},
    visitor::{Visitor, sent_to},
};

const MIRA: &str = "mira-7c41";
const NOOR: &str = "noor-e95d";

/// A person in two browsers, and another person.
struct Scene {
    provider: RealProvider,
    site: Site,
    laptop: Visitor,
    phone: Visitor,
    noor: Visitor,
}

impl Scene {
    async fn new(session_required: bool) -> Self {
        let mut provider = RealProvider::start(Claims::AtUserinfo).await;
        let site = Site::start(&provider).await;
        let mut metadata = site.metadata();
        metadata["backchannel_logout_session_required"] = json!(session_required);
        provider.register(metadata).await;
        let [laptop, phone, noor] = [0; 3].map(|_| Visitor::new(&provider));
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

    /// One notice was sent, and taken.
    async fn assert_heard(&mut self, session: bool) {
        let notices = self.provider.take_notices().await;
        assert_eq!(notices.len(), 1, "{notices:?}");
        assert_eq!(notices[0].client_id, CLIENT_ID);
        assert_eq!(notices[0].sub, MIRA);
        assert_eq!(notices[0].sid.is_some(), session);
        assert!(notices[0].accepted, "{:?}", notices[0].status);
    }
}

#[tokio::test]
#[ignore = "needs node: run npm ci in tests/real_provider/provider first; .ci/run does"]
async fn a_logout_at_the_provider_ends_the_logins_of_that_browser_alone() {
    let mut scene = Scene::new(true).await;
    scene.laptop.at_provider.log_out().await;
    // The provider answers the logout after its notice was answered.
    assert_eq!(scene.who_is_in().await, [false, true, true]);
    scene.assert_heard(true).await;

    scene.laptop.log_in(&scene.site, MIRA).await;
    assert_eq!(scene.who_is_in().await, [true, true, true]);
    scene.phone.at_provider.log_out().await;
    assert_eq!(scene.who_is_in().await, [true, false, true]);
    scene.assert_heard(true).await;
}

#[tokio::test]
#[ignore = "needs node: run npm ci in tests/real_provider/provider first; .ci/run does"]
async fn a_provider_that_names_no_session_ends_all_logins_of_the_person() {
    let mut scene = Scene::new(false).await;
    scene.laptop.at_provider.log_out().await;
    assert_eq!(scene.who_is_in().await, [false, false, true]);
    scene.assert_heard(false).await;

    // The other browser's session at the provider goes on, and is good for a new login.
    scene.phone.log_in_again(&scene.site, MIRA).await;
    assert_eq!(scene.who_is_in().await, [false, true, true]);
}

#[tokio::test]
#[ignore = "needs node: run npm ci in tests/real_provider/provider first; .ci/run does"]
async fn by_setting_a_logout_in_one_browser_ends_all_logins_of_the_person() {
    let mut provider = RealProvider::start(Claims::AtUserinfo).await;
    let site = Site::start_with(&provider, |client| client.log_out_whole_person()).await;
    provider.register(site.metadata()).await;
    let [laptop, phone] = [0; 2].map(|_| Visitor::new(&provider));
    laptop.log_in(&site, MIRA).await;
    phone.log_in(&site, MIRA).await;
    laptop.at_provider.log_out().await;
    assert!(!laptop.is_in(&site).await);
    assert!(!phone.is_in(&site).await);
    assert!(provider.take_notices().await[0].sid.is_some());
}

#[tokio::test]
#[ignore = "needs node: run npm ci in tests/real_provider/provider first; .ci/run does"]
async fn a_sign_out_goes_on_at_the_provider_and_comes_home() {
    let mut scene = Scene::new(true).await;
    let there = scene.laptop.sign_out(&scene.site).await;
    assert_eq!(
        scene.who_is_in().await,
        [false, true, true],
        "here it is over first"
    );
    assert!(scene.provider.take_notices().await.is_empty());
    let there: Url = there.parse().unwrap();
    assert_eq!(there.path(), "/session/end");
    let named = |name: &str| there.query_pairs().any(|(known, _)| known == name);
    assert!(named("id_token_hint") && named("client_id") && named("state"));

    let browser = &scene.laptop.at_provider;
    let back = browser.confirm_logout(there.as_str()).await.elsewhere();
    assert!(
        back.as_str()
            .starts_with(&format!("{}/clef/signed-out?state=", scene.site.url))
    );
    assert_eq!(sent_to(&scene.laptop.get(&back).await), "/");
    assert!(scene.laptop.is_asked_at_provider(&scene.site).await);
    assert!(!scene.phone.is_asked_at_provider(&scene.site).await);
    assert_eq!(scene.who_is_in().await, [false, true, true]);
    scene.assert_heard(true).await;
}

#[tokio::test]
#[ignore = "needs node: run npm ci in tests/real_provider/provider first; .ci/run does"]
async fn a_sign_out_without_a_hint_ends_the_providers_session_too() {
    let mut provider = RealProvider::start(Claims::AtUserinfo).await;
    let site = Site::start_with(&provider, |client| client.without_id_token_hint()).await;
    provider.register(site.metadata()).await;
    let visitor = Visitor::new(&provider);
    visitor.log_in(&site, MIRA).await;
    let there = visitor.sign_out(&site).await;
    assert!(!there.contains("id_token_hint"));
    assert!(!visitor.is_in(&site).await);
    let back = visitor.at_provider.confirm_logout(&there).await.elsewhere();
    assert_eq!(sent_to(&visitor.get(&back).await), "/");
    assert!(visitor.is_asked_at_provider(&site).await);
}
