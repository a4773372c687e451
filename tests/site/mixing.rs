//! Two layers over one session store or one key: the logins of one are nothing to the other.

use axum::Router;
use axum_clef::{
    BoxError, ClefLayer, ClefLayerBuilder, Profile, SessionKey, Sessions, Subject,
    stores::MemoryUserStore,
};
use tower_sessions::{Session, SessionManagerLayer, cookie::SameSite};

use crate::support::{Jar, TestUsers, World, jar::text, provider::ISSUER, record::change_login};

/// The cookies of a login at one site, under the names of another.
fn renamed(jar: &Jar, from: &str, to: &str) -> Jar {
    // Without those of the attempt, which have no domain.
    let cookies = jar.cookies.iter().filter_map(|(name, value)| {
        let suffix = name.strip_prefix(from)?;
        Some((format!("{to}{suffix}"), value.clone()))
    });
    Jar {
        cookies: cookies.collect(),
        ..Jar::default()
    }
}

#[tokio::test]
async fn a_login_counts_for_its_own_site_cookie_and_domain() {
    let world = World::new();
    for (kind, sessions) in world.both() {
        let at = |site: &str| world.builder_at(site, sessions.clone());
        let sites: [(&str, ClefLayerBuilder<TestUsers>); 7] = [
            ("auth-9", at("http://127.0.0.1:9")),
            ("shop-9", at("http://127.0.0.1:9").cookie_name("shop")),
            ("auth-9", at("http://localhost:9")),
            ("auth-8", at("http://127.0.0.1:8")),
            ("__Host-auth", at("https://shop.example.com")),
            ("__Host-auth", at("https://example.com")),
            (
                "__Secure-auth",
                at("https://shop.example.com").cookie_domain("example.com"),
            ),
        ];
        let sites = sites.map(|(cookie, builder)| (cookie, world.app_of(builder)));
        for (from, (cookie, app)) in sites.iter().enumerate() {
            let jar = Jar::logged_in(app, "12345").await;
            for (to, (other_cookie, other)) in sites.iter().enumerate() {
                let mut moved = renamed(&jar, cookie, other_cookie);
                assert_eq!(moved.is_in(other).await, from == to, "{kind}: {from}, {to}");
                // Nor does a sign-out or a login there end it here.
                if from != to {
                    moved.clone().sign_out(other).await;
                    moved.log_in(other, "67890").await;
                }
            }
            assert!(jar.clone().is_in(app).await, "{kind}: {from}");
        }
    }
}

#[tokio::test]
async fn two_hosts_of_a_domain_share_logins() {
    let world = World::new();
    for (kind, sessions) in world.both() {
        let [shop, blog] = ["https://shop.example.com", "https://blog.example.com"].map(|site| {
            let builder = world.builder_at(site, sessions.clone());
            world.app_of(builder.cookie_domain("example.com"))
        });
        let mut jar = Jar::logged_in(&shop, "12345").await;
        assert!(jar.is_in(&blog).await, "{kind}");
        let mut copy = jar.clone();
        assert_eq!(jar.sign_out(&blog).await.status(), 303);
        assert!(!copy.is_in(&shop).await, "{kind}");
    }
}

/// Other users, and the same sessions, site and first id.
#[tokio::test]
async fn two_layers_of_one_site_with_other_cookies_do_not_mix_their_users() {
    let customers = World::new();
    let staff = World {
        users: TestUsers::new(MemoryUserStore::new()),
        ..customers.clone()
    };
    let boss = Profile::new(Subject::new(ISSUER, "boss"));
    staff.users.inner.find_or_create(&boss).await.unwrap();
    for (kind, sessions) in customers.both() {
        let shop = customers.app_over(sessions.clone());
        let office = staff.app_of(staff.builder_over(sessions).cookie_name("staff"));
        let jar = Jar::logged_in(&shop, "12345").await;
        assert!(
            !renamed(&jar, "auth-9", "staff-9").is_in(&office).await,
            "{kind}"
        );

        // Both in one browser, side by side.
        let mut both = jar.clone();
        both.log_in(&office, "boss").await;
        assert_eq!(both.user(&shop).await.as_deref(), Some("12345"), "{kind}");
        assert_eq!(both.user(&office).await.as_deref(), Some("boss"), "{kind}");
        both.sign_out(&office).await;
        assert_eq!(both.user(&shop).await.as_deref(), Some("12345"), "{kind}");
        assert_eq!(both.user(&office).await, None, "{kind}");
    }
}

#[tokio::test]
async fn a_record_of_another_purpose_is_no_login() {
    let (world, app) = World::with_app();
    let mut jar = Jar::logged_in(&app, "12345").await;
    let contexts = [
        ("token http://127.0.0.1:9 auth-9", false),
        ("login http://127.0.0.1:8 auth-9", false),
        ("login http://127.0.0.1:9 auth-8", false),
        ("login", false),
        ("login http://127.0.0.1:9 auth-9", true),
    ];
    for (context, is_in) in contexts {
        change_login(&world.sessions, |login| {
            login.insert("for".to_owned(), context.into());
        })
        .await;
        assert_eq!(jar.is_in(&app).await, is_in, "{context}");
    }
}

/// What is sealed for one cookie opens as no other.
#[tokio::test]
async fn a_sealed_value_of_another_purpose_is_no_login() {
    let world = World::new();
    let app = world.app_over(world.sealed());
    let jar = Jar::logged_in(&app, "12345").await;
    let (login, idle) = (&jar.cookies["auth-9"], &jar.cookies["auth-9-idle"]);
    let mut swapped = Jar::default();
    swapped.cookies.insert("auth-9".to_owned(), idle.clone());
    swapped
        .cookies
        .insert("auth-9-idle".to_owned(), login.clone());
    assert!(!swapped.is_in(&app).await);
    let mut twice = jar.clone();
    twice
        .cookies
        .insert("auth-9-idle".to_owned(), login.clone());
    assert!(twice.is_in(&app).await, "as without the cookie");
}

#[tokio::test]
async fn a_sealed_login_of_another_key_is_no_login() {
    let world = World::new();
    let other = Sessions::sealed([SessionKey::from_bytes([8; 32])]);
    let [app, other] = [world.sealed(), other].map(|sessions| world.app_over(sessions));
    let mut jar = Jar::logged_in(&other, "12345").await;
    assert!(!jar.is_in(&app).await);
    jar.log_in(&app, "12345").await;
    assert!(jar.is_in(&app).await);
    assert!(!jar.is_in(&other).await);
}

async fn put_login(session: Session) -> Result<(), String> {
    let text = r#"{"v":1,"for":"login","user":"1"}"#;
    let put = session.insert("axum-clef.login", text).await;
    put.map_err(|error| error.to_string())
}

/// The documentation asks for a store of its own. Without, no session is a login all the same.
#[tokio::test]
async fn a_session_of_the_application_in_the_same_store_is_no_login() -> Result<(), BoxError> {
    let world = World::new();
    let layer: ClefLayer = world.layer();
    let sessions = SessionManagerLayer::new(world.sessions.clone())
        .with_secure(false)
        .with_same_site(SameSite::Lax);
    let app = Router::new()
        .route("/put", axum::routing::post(put_login))
        .route(
            "/flush",
            axum::routing::post(async |session: Session| session.flush().await.unwrap()),
        )
        .merge(world.pages(layer.routes()))
        .layer(sessions)
        .layer(layer);
    let mut jar = Jar::logged_in(&app, "12345").await;
    assert_eq!(text(jar.post(&app, "/put").await).await, "");
    let id = jar.cookies["id"].clone();
    for forged in [
        id.clone(),
        format!("{id}."),
        format!("{id}.{}", "A".repeat(43)),
    ] {
        let mut thief = Jar::default();
        thief.cookies.insert("auth-9".to_owned(), forged);
        assert!(!thief.is_in(&app).await);
    }
    jar.post(&app, "/flush").await;
    assert!(jar.is_in(&app).await);
    Ok(())
}

/// They share the name of the cookie too, unless one of them is given another.
#[tokio::test]
async fn two_sites_below_one_host_do_not_mix_their_users() {
    let shop = World::new();
    let office = World {
        users: TestUsers::new(MemoryUserStore::new()),
        ..shop.clone()
    };
    let boss = Profile::new(Subject::new(ISSUER, "boss"));
    office.users.inner.find_or_create(&boss).await.unwrap();
    for (kind, sessions) in shop.both() {
        let [shop, office] = [(&shop, "shop"), (&office, "office")].map(|(world, base)| {
            let site = format!("{}/{base}", World::SITE);
            let builder = world.builder_at(&site, sessions.clone());
            world.app_of(builder.base_path_stripped())
        });
        let mut jar = Jar::default();
        let callback = jar.begin(&shop, "12345").await;
        assert_eq!(jar.get(&shop, &callback).await.status(), 303, "{kind}");
        assert_eq!(jar.user(&shop).await.as_deref(), Some("12345"), "{kind}");
        assert_eq!(jar.clone().user(&office).await, None, "{kind}");
        jar.clone().sign_out(&office).await;
        assert!(jar.is_in(&shop).await, "{kind}");
    }
}
