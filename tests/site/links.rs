//! Linking an identity at a provider to the logged-in user: both proven recently, and nothing that
//! another site or another user could bring about.

use std::{sync::atomic::Ordering::SeqCst, time::Duration};

use axum::{
    Router,
    body::Body,
    http::{Method, Response, header},
    routing::{get, post},
};
use axum_clef::{
    ClefLayer, IdentityStore as _, Login, NewToken, NewTokenError, Paths, Sessions, Subject,
    leased::Leased, secrecy::ExposeSecret as _,
};
use test_support::{LinkedUsers, linking_url, settle};
use tower::ServiceExt as _;

use crate::support::{
    Jar, ScriptedProvider, TestUsers, World,
    browser::state_in,
    clock::MINUTE,
    jar::{location, text},
    provider::{ISSUER, OTHER_ISSUER},
};

/// A site with two providers.
pub struct Site {
    pub world: World,
    pub users: LinkedUsers<TestUsers>,
    pub other: ScriptedProvider,
    pub app: Router,
}

/// A user logs in at the first provider, and links identities at the other.
pub fn site(sessions: impl Fn(&World) -> Sessions, leased: bool) -> Site {
    site_with_timeout(sessions, leased, Duration::from_secs(10 * 60))
}

/// The same with this `login_timeout`.
pub fn site_with_timeout(
    sessions: impl Fn(&World) -> Sessions,
    leased: bool,
    timeout: Duration,
) -> Site {
    let world = World::new();
    let users = LinkedUsers::new(world.users.clone());
    let other = ScriptedProvider::other();
    let under = Paths::under("/other").unwrap();
    let sessions = sessions(&world);
    let layer = match leased {
        true => {
            let users = Leased::new(users.clone(), Duration::from_millis(50));
            ClefLayer::builder(World::SITE, users, sessions)
                .provider(world.provider.clone())
                .provider_at(under, other.clone())
                .login_timeout(timeout)
                .build()
        }
        false => ClefLayer::builder(World::SITE, users.clone(), sessions)
            .provider(world.provider.clone())
            .provider_at(under, other.clone())
            .bearer_tokens([World::key()])
            .login_timeout(timeout)
            .build(),
    };
    let layer = layer.unwrap();
    let app = world
        .pages(layer.routes())
        .route("/token", post(token))
        .route("/ids", get(ids))
        .layer(layer);
    Site {
        world,
        users,
        other,
        app,
    }
}

/// The id of a new token, which a page may list, and the token.
async fn token(token: NewToken<10>) -> Result<String, NewTokenError> {
    let token = token.mint("a program").await?;
    let secret = token.secret().expose_secret();
    Ok(format!("{} {secret}", token.id()))
}

/// The ids of a login and its user, which a page may show.
async fn ids(login: Login) -> String {
    format!("{} {}", login.id(), login.user_id())
}

impl Site {
    pub fn identity(id: &str) -> Subject {
        Subject::new(OTHER_ISSUER, id)
    }

    /// Posts the form that links, with these headers.
    pub async fn post(
        &self,
        jar: &mut Jar,
        form: &str,
        headers: &[(&str, &str)],
    ) -> Response<Body> {
        let mut request = jar.request(Method::POST, "/other/login");
        let form_type = (header::CONTENT_TYPE, "application/x-www-form-urlencoded");
        request
            .headers_mut()
            .insert(form_type.0, form_type.1.parse().unwrap());
        for (name, value) in [("accept", "text/html")].iter().chain(headers) {
            let name: header::HeaderName = name.parse().unwrap();
            request.headers_mut().insert(name, value.parse().unwrap());
        }
        *request.body_mut() = Body::from(form.to_owned());
        let response = self.app.clone().oneshot(request).await.unwrap();
        jar.take(response.headers());
        response
    }

    /// Begins to link: the state.
    async fn begin(&self, jar: &mut Jar) -> String {
        let response = self.post(jar, "link=true&next=/account", &[]).await;
        let url = linking_url(response).await;
        assert!(url.contains("max_age=600"), "{url}");
        state_in(&url)
    }

    pub async fn come_back(&self, jar: &mut Jar, id: &str, state: &str) -> Response<Body> {
        let path = format!("/other/callback?code=code:{id}&state={state}");
        jar.open(&self.app, &path).await
    }
}

#[tokio::test]
async fn an_identity_is_linked_and_logs_the_same_user_in() {
    for leased in [false, true] {
        for sessions in [World::stored, World::sealed] {
            let site = site(sessions, leased);
            let mut jar = Jar::logged_in(&site.app, "12345").await;
            let before = jar.clone();
            let state = site.begin(&mut jar).await;
            let response = site.come_back(&mut jar, "abc", &state).await;
            assert_eq!(location(&response), "/account", "{leased}");
            // The login is the one from before.
            let of_login = |jar: &Jar| jar.cookies.get("auth-9").cloned();
            assert_eq!(of_login(&jar), of_login(&before), "{leased}");
            assert!(jar.is_in(&site.app).await, "{leased}");

            let mut elsewhere = Jar::default();
            elsewhere.log_in_at(&site.app, "/other", "abc").await;
            assert_eq!(elsewhere.user(&site.app).await.as_deref(), Some("12345"));
            // A reload changes nothing, and leads on.
            let exchanges = site.other.exchanges.load(SeqCst);
            let response = site.come_back(&mut jar, "abc", &state).await;
            assert_eq!(location(&response), "/account", "{leased}");
            assert_eq!(site.other.exchanges.load(SeqCst), exchanges, "{leased}");
            // Once more: it is linked already.
            let state = site.begin(&mut jar).await;
            let response = site.come_back(&mut jar, "abc", &state).await;
            assert_eq!(location(&response), "/account", "{leased}");
        }
    }
}

#[tokio::test]
async fn two_callbacks_at_once_link_once_and_begin_no_login() {
    for sessions in [World::stored, World::sealed] {
        let site = site(sessions, false);
        let mut jar = Jar::logged_in(&site.app, "12345").await;
        let state = site.begin(&mut jar).await;
        let (before, mut again) = (jar.clone(), jar.clone());
        let callbacks = async {
            tokio::join!(
                site.come_back(&mut jar, "abc", &state),
                site.come_back(&mut again, "abc", &state),
            )
        };
        let held = &site.other.during_exchange;
        let ((first, second), ()) = held.during(callbacks, settle()).await;
        for (response, jar) in [(first, jar), (second, again)] {
            assert_eq!(location(&response), "/account");
            assert_eq!(jar.cookies["auth-9"], before.cookies["auth-9"]);
        }
        assert_eq!(site.other.exchanges.load(SeqCst), 1);
        assert!(site.users.user_of(&Site::identity("abc")).is_some());
    }
}

#[tokio::test]
async fn an_identity_of_another_user_stays_theirs() {
    let site = site(World::stored, false);
    for (person, links) in [("12345", true), ("67890", false), ("12345", true)] {
        let mut jar = Jar::logged_in(&site.app, person).await;
        let state = site.begin(&mut jar).await;
        let response = site.come_back(&mut jar, "abc", &state).await;
        if links {
            assert_eq!(location(&response), "/account", "{person}");
            continue;
        }
        assert_eq!(response.status(), 403);
        let page = text(response).await;
        assert!(page.contains("belongs to another user"), "{page}");
        assert!(
            page.contains("href=\"http://127.0.0.1:9/account\""),
            "{page}"
        );
        assert_eq!(jar.user(&site.app).await.as_deref(), Some("67890"));
    }
}

#[tokio::test]
async fn both_are_proven_recently() {
    for sessions in [World::stored, World::sealed] {
        let site = site(sessions, false);
        let now = site.world.clock.next();
        let mut jar = Jar::logged_in(&site.app, "12345").await;
        for id in [
            "abc:silent".to_owned(),
            format!("abc:proven:{}", now - 11 * MINUTE),
        ] {
            let state = site.begin(&mut jar).await;
            let response = site.come_back(&mut jar, &id, &state).await;
            assert_eq!(response.status(), 403, "{id}");
            assert_eq!(site.users.user_of(&Site::identity("abc")), None, "{id}");
        }
        site.world.clock.advance(11 * MINUTE);
        let referer = [("referer", "http://127.0.0.1:9/account")];
        let response = site.post(&mut jar, "link=true", &referer).await;
        assert_eq!(response.status(), 401);
        let page = text(response).await;
        let again = "/clef/login?max_age=600&amp;next=%2Faccount";
        assert!(page.contains(again), "{page}");
        // A request of nobody is one to log in.
        let response = site.post(&mut Jar::default(), "link=true", &referer).await;
        assert_eq!(response.status(), 401);
        let page = text(response).await;
        assert!(page.contains("/clef/login?next=%2Faccount"), "{page}");
    }
}

/// A thief can change the form, and make up an attempt that is not sealed. Here it is a real one, which
/// outlasts the recent login.
#[tokio::test]
async fn a_stolen_cookie_of_an_old_login_links_nothing() {
    for sessions in [World::stored, World::sealed] {
        let site = site(sessions, false);
        let mut thief = Jar::logged_in(&site.app, "12345").await;
        let state = site.begin(&mut thief).await;
        site.world.clock.advance(11 * MINUTE);
        for form in ["link=true&max_age=86400", "link=true&max_age=660"] {
            let response = site.post(&mut thief, form, &[]).await;
            assert_eq!(response.status(), 401, "{form}");
        }
        site.world.clock.advance(10 * MINUTE);
        let response = site.come_back(&mut thief, "abc", &state).await;
        assert_eq!(response.status(), 403);
        assert_eq!(site.users.user_of(&Site::identity("abc")), None);
        assert_eq!(site.other.exchanges.load(SeqCst), 0);
    }
}

#[tokio::test]
async fn a_login_that_was_recent_at_the_start_may_be_older_at_the_callback() {
    for sessions in [World::stored, World::sealed] {
        let site = site(sessions, false);
        let mut jar = Jar::logged_in(&site.app, "12345").await;
        site.world.clock.advance(9 * MINUTE);
        let state = site.begin(&mut jar).await;
        site.world.clock.advance(5 * MINUTE);
        let response = site.come_back(&mut jar, "abc", &state).await;
        assert_eq!(location(&response), "/account");
        let user = site.users.user_of(&Site::identity("abc"));
        assert_eq!(user.as_deref(), Some("1"));
    }
}

/// An attacker has an identity at the provider, and makes the browser of a victim send requests.
#[tokio::test]
async fn another_site_links_nothing() {
    for sessions in [World::stored, World::sealed] {
        let site = site(sessions, false);
        let mut victim = Jar::logged_in(&site.app, "12345").await;
        let before = victim.clone();

        // By a form of another site, a link, an image.
        for headers in [
            [("origin", "https://evil.example")],
            [("sec-fetch-site", "cross-site")],
            [("sec-fetch-site", "same-site")],
            [("origin", "null")],
        ] {
            let response = site.post(&mut victim, "link=true", &headers).await;
            assert_eq!(response.status(), 400, "{headers:?}");
        }
        let response = victim.open(&site.app, "/other/login?link=true").await;
        assert_eq!(response.status(), 400);
        assert_eq!(victim, before);

        // By the attacker's own callback, in the victim's browser.
        let mut attacker = Jar::logged_in(&site.app, "67890").await;
        let state = site.begin(&mut attacker).await;
        let response = site.come_back(&mut victim, "evil", &state).await;
        assert_eq!(response.status(), 403);
        // And with the attacker's attempt, as another host of the domain could set it.
        for (name, value) in &attacker.cookies {
            if name.contains("attempt") {
                victim.cookies.insert(name.clone(), value.clone());
            }
        }
        let exchanges = site.other.exchanges.load(SeqCst);
        let response = site.come_back(&mut victim, "evil", &state).await;
        assert_eq!(response.status(), 403);
        assert_eq!(
            site.other.exchanges.load(SeqCst),
            exchanges,
            "no code is spent"
        );
        assert_eq!(site.users.user_of(&Site::identity("evil")), None);
        assert_eq!(victim.user(&site.app).await.as_deref(), Some("12345"));
    }
}

/// Only the login that began it: not a newer one, not after a sign-out or a logout.
#[tokio::test]
async fn a_link_is_bound_to_the_login_that_began_it() {
    for sessions in [World::stored, World::sealed] {
        for meanwhile in ["sign-out", "logout", "another login", "another user"] {
            let site = site(sessions, false);
            let mut jar = Jar::logged_in(&site.app, "12345").await;
            let state = site.begin(&mut jar).await;
            match meanwhile {
                "sign-out" => drop(jar.sign_out(&site.app).await),
                "logout" => {
                    let subject = Subject::new(ISSUER, "12345");
                    site.users.log_out_subject(&subject).await.unwrap();
                }
                "another login" => jar.log_in(&site.app, "12345").await,
                _ => jar.log_in(&site.app, "67890").await,
            }
            let response = site.come_back(&mut jar, "abc", &state).await;
            assert_eq!(response.status(), 403, "{meanwhile}");
            let linked = site.users.user_of(&Site::identity("abc"));
            assert_eq!(linked, None, "{meanwhile}");
        }
    }
}

/// The user is logged out while the code is exchanged.
#[tokio::test]
async fn a_logout_during_the_exchange_wins() {
    let site = site(World::stored, false);
    let mut jar = Jar::logged_in(&site.app, "12345").await;
    let state = site.begin(&mut jar).await;
    let subject = Subject::new(ISSUER, "12345");
    let (response, users) = site
        .other
        .during_exchange
        .during(
            site.come_back(&mut jar, "abc", &state),
            site.users.log_out_subject(&subject),
        )
        .await;
    assert_eq!(users.unwrap().len(), 1);
    assert_eq!(response.status(), 403);
    assert_eq!(site.users.user_of(&Site::identity("abc")), None);
}

#[tokio::test]
async fn a_store_that_links_none_says_so() {
    let world = World::new();
    let app = world.app(&world.layer());
    let mut jar = Jar::logged_in(&app, "12345").await;
    let mut request = jar.request(Method::POST, "/clef/login");
    request.headers_mut().insert(
        header::CONTENT_TYPE,
        "application/x-www-form-urlencoded".parse().unwrap(),
    );
    request
        .headers_mut()
        .insert(header::ACCEPT, "text/html".parse().unwrap());
    *request.body_mut() = Body::from("link=true");
    let response = app.clone().oneshot(request).await.unwrap();
    jar.take(response.headers());
    let state = state_in(&linking_url(response).await);
    let callback = format!("/clef/callback?code=code:abc&state={state}");
    assert_eq!(jar.open(&app, &callback).await.status(), 500);
    assert!(jar.is_in(&app).await);
}

#[tokio::test]
async fn what_the_form_says_has_to_be_right() {
    let site = site(World::stored, false);
    let mut jar = Jar::logged_in(&site.app, "12345").await;
    for form in [
        "link=yes",
        "link=1",
        "link=",
        "link=true&link=true",
        "link=true&max_age=0",
        "link=true&next=https://evil.example",
    ] {
        let response = site.post(&mut jar, form, &[]).await;
        assert_eq!(response.status(), 400, "{form}");
    }
    let names = jar.names();
    let attempts = names.iter().filter(|name| name.contains("attempt"));
    assert_eq!(attempts.count(), 1, "that of the login");
}
