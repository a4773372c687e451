//! Attempts to link an identity that a client has made up, as those that are not sealed can be.

use std::{sync::atomic::Ordering::SeqCst, time::Duration};

use axum::{
    body::Body,
    http::{Method, Response},
};
use axum_clef::{
    IdentityStore as _, Profile, Subject, Timestamp, User as _, provider::LoginSecret,
};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use sha2::{Digest as _, Sha256};

use crate::{
    links::{Site, site, site_with_timeout},
    support::{Jar, World, clock::MINUTE, jar::text, provider::ISSUER},
};

/// An attempt to link that allows a day. It needs only what the login is bound by. Returns the cookie
/// and the state.
fn made_up(bound_to: impl AsRef<[u8]>) -> (String, String) {
    let digest = URL_SAFE_NO_PAD.encode(&Sha256::digest(bound_to)[..16]);
    let begun_at = format!("{}:86400:l{digest}", Timestamp::now().as_micros());
    let secret = LoginSecret::from_bytes([7; 32]);
    let site = World::SITE;
    let purpose = format!("state for {site}/other/callback {begun_at} /account");
    let state = secret.derive("handle of the state")[..8].to_owned() + &secret.derive(&purpose);
    let secret = URL_SAFE_NO_PAD.encode([7; 32]);
    let attempt = format!("p.{secret}.{begun_at}./account");
    (URL_SAFE_NO_PAD.encode(attempt), state)
}

fn keep(jar: &mut Jar, attempt: String) {
    jar.cookies.insert("auth-9-attempt-0".to_owned(), attempt);
}

/// Comes back with an attempt that a thief of the cookie has made up, for this identity.
async fn link(site: &Site, thief: &mut Jar, id: &str) -> Response<Body> {
    let ids = text(thief.get(&site.app, "/ids").await).await;
    let (login, user) = ids.split_once(' ').unwrap();
    let (_, secret) = thief.cookies["auth-9"].split_once('.').unwrap();
    let (login, secret) = (format!("login {login} "), Sha256::digest(secret));
    let bound_to = [login.as_bytes(), &secret[..], user.as_bytes()].concat();
    let (attempt, state) = made_up(bound_to);
    keep(thief, attempt);
    site.come_back(thief, id, &state).await
}

/// Whether an answer says that the identity was linked, as the store does.
fn has_linked(site: &Site, response: &Response<Body>) -> bool {
    let linked = site.users.user_of(&Site::identity("abc")).is_some();
    assert_eq!(response.status(), if linked { 303 } else { 403 });
    linked
}

/// An attempt says itself when it began, so a `login_timeout` of a day must not count.
#[tokio::test]
async fn a_made_up_attempt_links_until_the_login_is_20_minutes_old() {
    for (minutes, links) in [(15, true), (21, false)] {
        let timeout = Duration::from_secs(24 * 60 * 60);
        let site = site_with_timeout(World::stored, false, timeout);
        let mut thief = Jar::logged_in(&site.app, "12345").await;
        site.world.clock.advance(minutes * MINUTE);
        let response = link(&site, &mut thief, "abc").await;
        assert_eq!(has_linked(&site, &response), links, "{minutes}");
        let exchanges = site.other.exchanges.load(SeqCst);
        assert_eq!(exchanges, usize::from(links), "{minutes}");
    }
}

#[tokio::test]
async fn a_made_up_attempt_links_no_identity_that_was_proven_long_ago() {
    for (minutes, links) in [(9, true), (11, false)] {
        let site = site(World::stored, false);
        let mut thief = Jar::logged_in(&site.app, "12345").await;
        let proven_at = site.world.clock.next() - minutes * MINUTE;
        let id = format!("abc:proven:{proven_at}");
        let response = link(&site, &mut thief, &id).await;
        assert_eq!(has_linked(&site, &response), links, "{minutes}");
        assert_eq!(site.other.exchanges.load(SeqCst), 1, "{minutes}");
    }
}

#[tokio::test]
async fn a_bearer_token_links_nothing() {
    let site = site(World::stored, false);
    let mut jar = Jar::logged_in(&site.app, "12345").await;
    let made = text(jar.post(&site.app, "/token").await).await;
    let (id, token) = made.split_once(' ').unwrap();
    let bearer = format!("Bearer {token}");
    let bearer = [("authorization", bearer.as_str())];
    for mut jar in [Jar::default(), jar] {
        let response = site.post(&mut jar, "link=true", &bearer).await;
        assert_eq!(response.status(), 401);
        assert!(!text(response).await.contains("other.test"));
    }

    let profile = Profile::new(Subject::new(ISSUER, "12345"));
    let user = site.users.find_or_create(&profile).await.unwrap().unwrap();
    let (attempt, state) = made_up(format!("login {id} {}", user.id()));
    let mut program = Jar::default();
    keep(&mut program, attempt);
    let callback = format!("/other/callback?code=code:abc&state={state}");
    let response = program.send_with(&site.app, (Method::GET, &callback), &bearer);
    let response = response.await;
    assert!(!has_linked(&site, &response));
}
