//! The settings of the layer: each takes effect or is an error of `build`, in any order.

use std::time::Duration;

use axum::{Router, http::Method};
use axum_clef::{
    AddressError, AdmissionLimits, BuildError, ClefLayer, ClefLayerBuilder, Paths, PathsError,
    Sessions,
};

use crate::support::{
    Jar, ScriptedProvider, TestUsers, World,
    clock::{DAY, MINUTE},
    jar::{location, set_cookie, text},
};

type Builder = ClefLayerBuilder<TestUsers>;

fn error(builder: Builder) -> Option<BuildError> {
    builder.build().err()
}

#[test]
fn the_site_is_https_or_on_this_machine() {
    let world = World::new();
    let error = |site: &str| error(world.builder_at(site, world.stored()));
    for (site, why) in [
        ("http://example.com", AddressError::Insecure),
        ("example.com", AddressError::NotAbsolute),
        ("/app", AddressError::NotAbsolute),
        ("ftp://example.com", AddressError::NotHttp),
        ("https://user@example.com", AddressError::NotPlain),
        ("https://example.com?a=b", AddressError::NotPlain),
        ("https://example.com#top", AddressError::NotPlain),
        // `Location: //evil.example/` leads elsewhere.
        (
            "https://example.com//evil.example",
            AddressError::EmptySegment,
        ),
        (
            "https://example.com/\\evil.example",
            AddressError::EmptySegment,
        ),
        (
            "https://example.com/.//evil.example",
            AddressError::EmptySegment,
        ),
        ("https://example.com/a//b", AddressError::EmptySegment),
    ] {
        let error = error(site);
        assert_eq!(error, Some(BuildError::Site(why)), "{site}");
        let (text, why) = (error.unwrap().to_string(), why.to_string());
        assert_eq!(text.matches(&why).count(), 1, "{text}");
    }
    for site in [
        "http://localhost:3000",
        "http://127.0.0.1:3000/",
        "http://[::1]:3000",
        "https://example.com",
        "https://example.com/app",
        "https://example.com/app/",
    ] {
        assert_eq!(error(site), None, "{site}");
    }
}

#[test]
fn two_routes_cannot_share_a_path() {
    let world = World::new();
    let other = || Paths::under("/other").unwrap();
    let mount = |paths| {
        world
            .builder()
            .provider_at(paths, ScriptedProvider::other())
    };
    assert_eq!(error(mount(other())), None);
    for (paths, path) in [
        (Paths::default(), "/clef/login"),
        (
            other().with_callback("/clef/logout").unwrap(),
            "/clef/logout",
        ),
        (other().with_start("/auth/live").unwrap(), "/auth/live"),
        (
            other().with_start("/auth/sign-out").unwrap(),
            "/auth/sign-out",
        ),
    ] {
        let twice = PathsError::Twice(path.to_owned());
        assert_eq!(error(mount(paths)), Some(BuildError::Paths(twice)));
    }
    type Move = fn(Builder, &str) -> Builder;
    let moves: [Move; 2] = [|b, path| b.sign_out_path(path), |b, path| b.live_path(path)];
    for set in moves {
        assert_eq!(error(set(world.builder(), "/elsewhere")), None);
        let twice = PathsError::Twice("/clef/login".to_owned());
        let taken = error(set(world.builder(), "/clef/login"));
        assert_eq!(taken, Some(BuildError::Paths(twice)));
        for wrong in ["", "bye", "/b ye", "//bye", "/{bye}"] {
            let not_plain = PathsError::NotPlain(wrong.to_owned());
            let wrong = error(set(world.builder(), wrong));
            assert_eq!(wrong, Some(BuildError::Paths(not_plain)));
        }
    }
}

#[test]
fn pages_of_the_application_are_paths_that_no_route_has() {
    let world = World::new();
    for page in [
        "",
        "log-in",
        "//evil.example",
        "https://evil.example",
        "/log-in?next=/",
        "/log-in#top",
        "/log in",
        "/\\evil.example",
        "/caf\u{e9}",
        "/\r\nset-cookie:a=b",
    ] {
        let login_page = error(world.builder().login_page(page));
        assert_eq!(login_page, Some(BuildError::LoginPage(page.to_owned())));
        let after = error(world.builder().after_sign_out(page));
        assert_eq!(after, Some(BuildError::AfterSignOut(page.to_owned())));
    }
    for route in [
        "/clef/login",
        "/other/callback",
        "/auth/sign-out",
        "/auth/live",
    ] {
        let paths = Paths::under("/other").unwrap();
        let builder = world.builder().login_page(route);
        let builder = builder.provider_at(paths, ScriptedProvider::other());
        assert_eq!(
            error(builder),
            Some(BuildError::LoginPage(route.to_owned()))
        );
    }
    assert_eq!(error(world.builder().login_page("/log-in")), None);
    assert_eq!(error(world.builder().after_sign_out("/bye")), None);
    // This one leads to itself, and the others are no pages.
    for route in ["/clef/signed-out", "/auth/sign-out", "/auth/live"] {
        let after = error(world.builder().after_sign_out(route));
        assert_eq!(after, Some(BuildError::AfterSignOut(route.to_owned())));
    }
    assert_eq!(error(world.builder().after_sign_out("/clef/login")), None);
}

#[test]
fn there_is_a_way_to_log_in() {
    let world = World::new();
    let builder = || ClefLayer::builder(World::SITE, world.users.clone(), world.stored());
    assert_eq!(error(builder()), Some(BuildError::NoLogin));
    assert_eq!(error(builder().login_page("/log-in")), None);
}

#[test]
fn a_cookie_has_a_plain_name_and_a_domain_that_the_site_is_in() {
    let world = World::new();
    for (name, good) in [
        ("shop", true),
        ("a-b_C9", true),
        (&*"x".repeat(64), true),
        ("", false),
        (&*"x".repeat(65), false),
        ("__Host-shop", false),
        ("__secure", false),
        ("a b", false),
        ("a;b", false),
        ("a=b", false),
        ("caf\u{e9}", false),
    ] {
        let wrong = (!good).then(|| BuildError::CookieName(name.to_owned()));
        assert_eq!(error(world.builder().cookie_name(name)), wrong);
    }
    for (site, domain, good) in [
        ("https://shop.example.com", "example.com", true),
        ("https://shop.example.com", "shop.example.com", true),
        ("https://shop.example.com", "hop.example.com", false),
        ("https://shop.example.com", "a.shop.example.com", false),
        ("https://shop.example.com", "example.org", false),
        ("https://shop.example.com", ".example.com", false),
        ("https://shop.example.com", "example.com; Secure", false),
        ("https://shop.example.com", "", false),
        ("https://shop.example.com", "com", false),
        ("https://shop.example.com.", "com.", false),
        ("https://shop.example.com.", "", false),
        ("http://shop.localhost:9", "localhost", false),
        ("http://localhost:9", "localhost", false),
        ("https://192.0.2.1", "2.1", false),
        ("http://127.0.0.1:9", "0.0.1", false),
        ("http://127.0.0.1:9", "127.0.0.1", false),
    ] {
        let builder = world.builder_at(site, world.stored());
        let wrong = (!good).then(|| BuildError::CookieDomain(domain.to_owned()));
        assert_eq!(error(builder.cookie_domain(domain)), wrong, "{site}");
    }
}

#[test]
fn nothing_is_limited_to_nothing() {
    let world = World::new();
    let none = AdmissionLimits::default().concurrency(0);
    let none_per_client = AdmissionLimits::default().concurrency_per_client(0);
    type Zero = fn(Builder, AdmissionLimits) -> Builder;
    let zeros: [(&str, Zero); 11] = [
        ("idle_expiry", |b, _| b.idle_expiry(Duration::ZERO)),
        ("lifetime", |b, _| b.lifetime(Duration::ZERO)),
        // Timestamps count in microseconds.
        ("idle_expiry", |b, _| {
            b.idle_expiry(Duration::from_nanos(999))
        }),
        ("lifetime", |b, _| b.lifetime(Duration::from_nanos(999))),
        ("pending_logout_limit", |b, _| b.pending_logout_limit(0)),
        ("live_interval", |b, _| b.live_interval(Duration::ZERO)),
        ("most_live_pages", |b, _| b.most_live_pages(0)),
        ("most_live_pages_per_user", |b, _| {
            b.most_live_pages_per_user(0)
        }),
        ("most_live_pages_per_login", |b, _| {
            b.most_live_pages_per_login(0)
        }),
        ("notice_limits", |b, none| b.notice_limits(none)),
        ("login_limits", |b, none| b.login_limits(none)),
    ];
    for limits in [none, none_per_client] {
        for (setting, zero) in zeros {
            let error = error(zero(world.builder(), limits)).unwrap();
            assert!(matches!(error, BuildError::Zero(_)), "{setting}");
            assert!(error.to_string().contains(setting), "{setting}: {error}");
        }
    }
}

#[test]
fn sealed_logins_need_a_key_and_a_store_that_keeps_revocations() {
    let world = World::new();
    let without = world.builder_over(Sessions::sealed([]));
    assert_eq!(error(without), Some(BuildError::NoSessionKey));
    let keeps_none = || {
        let world = World::new();
        world
            .users
            .no_revocations
            .store(true, std::sync::atomic::Ordering::SeqCst);
        world
    };
    let world = keeps_none();
    let sealed = error(world.builder_over(world.sealed()));
    assert_eq!(sealed, Some(BuildError::RevocationsNotKept));
    assert_eq!(error(world.builder()), None);
}

#[test]
fn an_error_says_which_setting_and_what_to_do() {
    let world = World::new();
    for (builder, words) in [
        (world.builder_at("x", world.stored()), ["`site`", "address"]),
        (world.builder().login_page("x"), ["`login_page`", "write"]),
        (
            world.builder().after_sign_out("x"),
            ["`after_sign_out`", "write"],
        ),
        (world.builder().cookie_name(""), ["`cookie_name`", "use"]),
        (
            world.builder().cookie_domain("x"),
            ["`cookie_domain`", "site"],
        ),
        (
            world.builder().most_live_pages(0),
            ["`most_live_pages`", "set"],
        ),
        (
            world.builder_over(Sessions::sealed([])),
            ["Sessions::sealed", "give"],
        ),
    ] {
        let text = error(builder).unwrap().to_string();
        for word in words {
            assert!(text.contains(word), "{word} in {text}");
        }
    }
}

/// What a site does that shows each of [`SETTINGS`].
async fn behaviour(world: &World, builder: Builder) -> Vec<String> {
    let layer = builder.build().unwrap();
    let app = world.app(&layer);
    let mut seen = Vec::new();
    let mut jar = Jar::default();
    seen.push(location(&jar.open(&app, "/account").await).to_owned());
    let start = jar.get(&app, "/staff/login?next=/account").await;
    let state = crate::support::browser::state_in(location(&start));
    let callback = format!("/staff/callback?code=code:12345&state={state}");
    let end = jar.get(&app, &callback).await;
    let cookie = set_cookie(end.headers(), "__Secure-shop").unwrap();
    seen.push(cookie.split_once(';').unwrap().1.to_owned());
    let mut elsewhere = jar.clone();
    let wrong = jar.get(&app, "/staff/callback?code=a&state=b").await;
    seen.push(text(wrong).await);
    for advance in [59 * MINUTE, 2 * MINUTE] {
        world.clock.advance(advance);
        seen.push(jar.is_in(&app).await.to_string());
    }
    elsewhere.log_in_at(&app, "/staff", "12345").await;
    jar.log_in_at(&app, "/staff", "12345").await;
    let response = jar.send(&app, Method::POST, "/bye").await;
    seen.push(location(&response).to_owned());
    seen.push(elsewhere.is_in(&app).await.to_string());
    let rejected = jar.get(&app, "/account").await;
    seen.push(text(rejected).await);
    seen
}

/// Changes one setting.
type Setting = fn(Builder) -> Builder;

const SETTINGS: [Setting; 12] = [
    |b| b.provider_at(Paths::under("/staff").unwrap(), ScriptedProvider::other()),
    |b| b.login_page("/log-in"),
    |b| b.sign_out_path("/bye"),
    |b| b.after_sign_out("/goodbye"),
    |b| b.cookie_name("shop"),
    |b| b.cookie_domain("example.com"),
    |b| b.idle_expiry(Duration::from_secs(3_600)),
    |b| b.lifetime(Duration::from_secs(7_200)),
    |b| b.sign_out_everywhere(),
    |b| {
        b.render_rejections(|rejection| {
            use axum::response::IntoResponse as _;
            match rejection.is_navigation() {
                true => rejection.default_response(),
                false => (rejection.status(), "own rejection").into_response(),
            }
        })
    },
    |b| {
        b.render_login_failures(|failure| {
            use axum::response::IntoResponse as _;
            (failure.status(), format!("own {}", failure.retry_url())).into_response()
        })
    },
    |b| b.login_limits(AdmissionLimits::default().concurrency(1)),
];

#[tokio::test]
async fn settings_in_any_order_give_the_same() {
    let site = "https://www.example.com";
    let mut seen = Vec::new();
    for first in 0..SETTINGS.len() {
        for reversed in [false, true] {
            let world = World::new();
            let mut order = SETTINGS;
            order.rotate_left(first);
            if reversed {
                order.reverse();
            }
            // The provider is one of the settings too.
            let builder = ClefLayer::builder(site, world.users.clone(), world.stored());
            let builder = order.into_iter().fold(builder, |builder, set| set(builder));
            seen.push(behaviour(&world, builder).await);
        }
    }
    assert!(seen.iter().all(|other| *other == seen[0]), "{seen:#?}");
    let expected = [
        "/log-in?next=%2Faccount",
        " HttpOnly; SameSite=Lax; Secure; Path=/; Domain=example.com; Max-Age=10800",
        "own https://www.example.com/log-in",
        "true",
        "true",
        "/goodbye",
        "false",
        "own rejection",
    ];
    assert_eq!(seen[0], expected);
}

#[tokio::test]
async fn absurd_durations_saturate() {
    for sessions in ["stored", "sealed"] {
        let world = World::new();
        let sessions = match sessions {
            "stored" => world.stored(),
            _ => world.sealed(),
        };
        let limits = AdmissionLimits::default().queue_timeout(Duration::MAX);
        let builder = world
            .builder_over(sessions)
            .idle_expiry(Duration::MAX)
            .lifetime(Duration::MAX)
            .live_interval(Duration::MAX)
            .notice_limits(limits)
            .login_limits(limits);
        let app = world.app_of(builder);
        let mut jar = Jar::logged_in(&app, "12345").await;
        for _ in 0..3 {
            world.clock.advance(10_000 * DAY);
            assert!(jar.is_in(&app).await);
        }
        let page = jar.get(&app, "/auth/live").await;
        assert_eq!(page.status(), 200);
        let mut copy = jar.clone();
        assert_eq!(jar.sign_out(&app).await.status(), 303);
        assert!(!copy.is_in(&app).await);
    }
}

#[tokio::test]
async fn the_routes_can_lie_elsewhere_and_a_move_logs_no_user_out() {
    let world = World::new();
    let paths = Paths::default()
        .with_start("/login")
        .and_then(|paths| paths.with_callback("/login/done"))
        .and_then(|paths| paths.with_logout("/hooks/logout"))
        .unwrap();
    for (kind, sessions) in world.both() {
        let before = world.app_over(sessions.clone());
        let builder = ClefLayer::builder(World::SITE, world.users.clone(), sessions);
        let builder = builder.provider_at(paths.clone(), world.provider.clone());
        let builder = builder.sign_out_path("/goodbye");
        let app: Router = world.app_of(builder);
        let mut jar = Jar::default();
        let response = jar.open(&app, "/account").await;
        assert_eq!(location(&response), "/login?next=%2Faccount");
        let response = jar.open(&app, "/login?next=/account").await;
        assert!(location(&response).contains("127.0.0.1%3A9%2Flogin%2Fdone"));
        for path in ["/clef/login", "/clef/callback"] {
            assert_eq!(jar.get(&app, path).await.status(), 404);
        }
        let mut jar = Jar::logged_in(&before, "12345").await;
        assert_eq!(jar.user(&app).await.as_deref(), Some("12345"), "{kind}");
        assert_eq!(jar.post(&app, "/goodbye").await.status(), 303);
        assert_eq!(jar.user(&app).await, None, "{kind}");
    }
}
