//! Logouts at glewlwyd, by the back channel and in frames.

use axum_clef::oidc::Oidc;

use crate::{
    at_glewlwyd::AtGlewlwyd,
    glewlwyd::{Channel, Glewlwyd},
    site::{Answered, Site},
    visitor::{AtProvider as _, Visitor, sent_to},
};

const MIRA: &str = "mira";
const NOOR: &str = "noor";
const SECRET: &str = "a-secret-without-specials";

/// A person in two browsers and another person, at two sites of one provider.
struct Scene {
    glewlwyd: Glewlwyd,
    shop: Site,
    forum: Site,
    laptop: Visitor<AtGlewlwyd>,
    phone: Visitor<AtGlewlwyd>,
    noor: Visitor<AtGlewlwyd>,
}

async fn site(glewlwyd: &Glewlwyd, client_id: &str, channel: Channel) -> Site {
    site_at("127.0.0.1", glewlwyd, client_id, channel).await
}

/// A site under a name of this machine.
pub async fn site_at(host: &str, glewlwyd: &Glewlwyd, client_id: &str, channel: Channel) -> Site {
    let issuer = glewlwyd.issuer();
    let site = Site::build_at(host, async |ground| {
        let client = Oidc::discover(&issuer, client_id, SECRET).await.unwrap();
        ground
            .builder()
            .logout_endpoint("/clef/front-channel-logout", client.front_channel_logout())
            .provider(client)
            .build()
            .unwrap()
    })
    .await;
    glewlwyd.register(client_id, SECRET, &site, channel).await;
    site
}

impl Scene {
    async fn new(channel: Channel) -> Self {
        let glewlwyd = Glewlwyd::start(&[MIRA, NOOR]).await;
        let shop = site(&glewlwyd, "shop", Channel::Back).await;
        let forum = site(&glewlwyd, "forum", channel).await;
        let [laptop, phone, noor] = [0; 3].map(|_| glewlwyd.visitor());
        laptop.log_in(&shop, MIRA).await;
        laptop.log_in(&forum, MIRA).await;
        phone.log_in(&forum, MIRA).await;
        noor.log_in(&forum, NOOR).await;
        Self {
            glewlwyd,
            shop,
            forum,
            laptop,
            phone,
            noor,
        }
    }

    /// Signs out at the shop in the laptop's browser, and confirms that to glewlwyd.
    async fn sign_out_at_the_shop(&self) {
        let there = self.laptop.sign_out(&self.shop).await;
        assert!(there.starts_with(&self.glewlwyd.issuer()), "{there}");
        assert!(!self.laptop.is_in(&self.shop).await);
        assert!(self.laptop.is_in(&self.forum).await, "not told yet");
        let back = self.laptop.at_provider.confirm_logout(&there).await;
        assert_eq!(sent_to(&self.laptop.get(back).await), "/");
        assert_eq!(self.shop.answered().await, answered("/clef/logout"));
    }

    /// Who is in at the forum, the same at every node: laptop, phone, Noor.
    async fn at_the_forum(&self) -> [bool; 3] {
        [
            self.laptop.is_in(&self.forum).await,
            self.phone.is_in(&self.forum).await,
            self.noor.is_in(&self.forum).await,
        ]
    }
}

/// A notice that was accepted.
pub fn answered(path: &str) -> Answered {
    let path = path.to_owned();
    Answered { path, status: 200 }
}

#[tokio::test]
#[ignore = "needs Debian's glewlwyd: .ci/run installs it"]
async fn a_sign_out_at_one_site_ends_the_login_of_that_browser_at_the_other() {
    let scene = Scene::new(Channel::Back).await;
    scene.sign_out_at_the_shop().await;
    // glewlwyd sends the notice after it has answered the logout.
    assert_eq!(scene.forum.answered().await, answered("/clef/logout"));
    assert_eq!(scene.at_the_forum().await, [false, true, true]);

    scene.laptop.log_in(&scene.forum, MIRA).await;
    assert_eq!(scene.at_the_forum().await, [true, true, true]);
}

#[tokio::test]
#[ignore = "needs Debian's glewlwyd: .ci/run installs it"]
async fn a_notice_without_a_session_ends_all_logins_of_the_person() {
    let scene = Scene::new(Channel::BackWithoutSession).await;
    scene.sign_out_at_the_shop().await;
    assert_eq!(scene.forum.answered().await, answered("/clef/logout"));
    assert_eq!(scene.at_the_forum().await, [false, false, true]);
}

#[tokio::test]
#[ignore = "needs Debian's glewlwyd: .ci/run installs it"]
async fn a_frame_of_the_logout_page_ends_the_login_of_that_browser_alone() {
    let scene = Scene::new(Channel::Front).await;
    scene.sign_out_at_the_shop().await;
    let path = "/clef/front-channel-logout";
    assert_eq!(scene.forum.answered().await, answered(path));
    assert_eq!(scene.at_the_forum().await, [false, true, true]);
    assert!(scene.forum.has_no_other_notice().await);
}

#[tokio::test]
#[ignore = "needs Debian's glewlwyd: .ci/run installs it"]
async fn a_site_with_both_channels_accepts_both_notices() {
    let scene = Scene::new(Channel::Both).await;
    scene.sign_out_at_the_shop().await;
    for path in ["/clef/front-channel-logout", "/clef/logout"] {
        assert_eq!(scene.forum.answered().await, answered(path));
    }
    assert_eq!(scene.at_the_forum().await, [false, true, true]);
}

/// A limit of glewlwyd, which `docs/oidc_providers.md` names.
#[tokio::test]
#[ignore = "needs Debian's glewlwyd: .ci/run installs it"]
async fn a_logout_at_its_own_page_is_sent_to_no_site() {
    let scene = Scene::new(Channel::Back).await;
    scene.phone.at_provider.log_out().await;
    scene.sign_out_at_the_shop().await;
    assert_eq!(scene.forum.answered().await, answered("/clef/logout"));
    assert_eq!(scene.at_the_forum().await, [false, true, true]);
    assert!(scene.forum.has_no_other_notice().await);
}

/// Another limit: the `auth_time` of glewlwyd's ID tokens is 0.
#[tokio::test]
#[ignore = "needs Debian's glewlwyd: .ci/run installs it"]
async fn a_page_for_recent_logins_stays_closed() {
    let glewlwyd = Glewlwyd::start(&[MIRA]).await;
    let shop = site(&glewlwyd, "shop", Channel::Back).await;
    let visitor = glewlwyd.visitor();
    visitor.log_in(&shop, MIRA).await;
    let authorization = visitor.open_recent(&shop).await.unwrap();
    assert!(authorization.contains("max_age=600"), "{authorization}");
    let callback = visitor.at_provider.log_in(&authorization, MIRA).await;
    let response = visitor.open(callback).await;
    assert_eq!(response.status(), 403);
    let page = response.text().await.unwrap();
    assert!(page.contains("did not ask who you are"), "{page}");
    assert!(visitor.is_in(&shop).await, "as before");
}
