//! The cookies of logins, and those of neighbours: any script, and any other port of the host, can
//! set some, and they come with every request.

use std::sync::atomic::Ordering::SeqCst;

use axum::{
    Router,
    http::{HeaderMap, HeaderValue, Method, Request, header},
    routing::get,
};
use axum_clef::{IdentityStore as _, Profile, Subject, Timestamp, User as _, UserStore as _};
use tower::ServiceExt as _;
use tower_sessions::session::Id;

use crate::{
    attempts::made_up,
    support::{
        Jar, World,
        jar::{set_cookie, set_cookies},
        provider::ISSUER,
        record::login_in,
    },
};

/// Cookies that are not ASCII, or not even text.
const ODD: [&[u8]; 5] = [
    "name=Andr\u{e9}".as_bytes(),
    b"name=Andr\xe9",
    "\u{1f30a}=1".as_bytes(),
    b"\xff",
    b"\xff\xfe=\x80; =; ;",
];

#[tokio::test]
async fn a_cookie_that_is_not_ascii_hides_none_of_ours() {
    for odd in ODD {
        for around in [
            ([odd, b"; "].concat(), Vec::new()),
            (Vec::new(), [b"; ", odd].concat()),
        ] {
            let world = World::new();
            for (kind, sessions) in world.both() {
                let app = world.app_over(sessions);
                let mut jar = Jar {
                    around: around.clone(),
                    ..Jar::default()
                };
                let case = format!("{kind}: {around:?}");
                jar.log_in(&app, "12345").await;
                assert!(jar.is_in(&app).await, "{case}");
                let mut copy = jar.clone();
                let signed_out = jar.sign_out(&app).await;
                assert_eq!(signed_out.status(), 303, "{case}");
                assert_eq!(jar.names(), [""; 0], "{case}");
                assert!(!copy.is_in(&app).await, "{case}");
            }
        }
    }
}

#[tokio::test]
async fn cookies_that_are_not_ours_reach_the_application_as_they_came() {
    let echo = async |headers: HeaderMap| {
        let cookies = headers.get_all(header::COOKIE).iter();
        cookies.fold(Vec::new(), |all, cookie| {
            [&all, cookie.as_bytes(), b"|"].concat()
        })
    };
    let world = World::new();
    for (kind, sessions) in world.both() {
        let layer = world.builder_over(sessions).build().unwrap();
        let app = Router::new()
            .route("/echo", get(echo))
            .merge(world.pages(layer.routes()))
            .layer(layer);
        let jar = Jar::logged_in(&app, "12345").await;
        let ours = jar.header();
        for cookies in ODD.into_iter().chain([
            &b"a=1;b=2 ;  c"[..],
            b"__%48ost-auth=x; a=%20 b; \"",
            "\u{2000}auth-9=x".as_bytes(),
            ours.as_bytes(),
        ]) {
            let request = Request::get("/echo")
                .header(header::COOKIE, HeaderValue::from_bytes(cookies).unwrap())
                .header(header::COOKIE, "second=1")
                .body(axum::body::Body::empty());
            let response = app.clone().oneshot(request.unwrap()).await.unwrap();
            let body = axum::body::to_bytes(response.into_body(), 10_000).await;
            assert_eq!(body.unwrap(), [cookies, b"|second=1|"].concat(), "{kind}");
        }
    }
}

#[tokio::test]
async fn a_removal_is_sent_whether_or_not_the_cookie_came() {
    let world = World::new();
    for (sessions, method, path, removed) in [
        (
            world.stored(),
            Method::POST,
            "/auth/sign-out",
            &["auth-9"][..],
        ),
        (
            world.sealed(),
            Method::POST,
            "/auth/sign-out",
            &["auth-9", "auth-9-idle"],
        ),
        (
            world.stored(),
            Method::GET,
            "/clef/signed-out",
            &["auth-9-sign-out"],
        ),
    ] {
        let app = world.app_over(sessions);
        let response = Jar::default().ask(&app, method, path).await;
        assert_eq!(response.status(), 303);
        let mut set: Vec<_> = set_cookies(response.headers()).collect();
        set.sort_by_key(|cookie| cookie.split('=').next());
        assert_eq!(set.len(), removed.len(), "{set:?}");
        for (cookie, name) in set.iter().zip(removed) {
            assert!(cookie.starts_with(&format!("{name}=;")), "{cookie}");
            for attribute in ["Max-Age=0", "Path=/", "HttpOnly", "SameSite=Lax"] {
                assert!(cookie.contains(attribute), "{attribute} in {cookie}");
            }
        }
    }
}

/// A neighbour can plant a cookie of ours where the name has no `__Host-` prefix.
#[tokio::test]
async fn two_cookies_that_name_different_users_are_not_logged_in() {
    let world = World::new();
    for (kind, sessions) in world.both() {
        let app = world.app_over(sessions);
        let [first, again, other] = [
            Jar::logged_in(&app, "12345").await,
            Jar::logged_in(&app, "12345").await,
            Jar::logged_in(&app, "67890").await,
        ];
        for (planted, is_in) in [(&first, true), (&again, true), (&other, false)] {
            let planted = format!("auth-9={}", planted.cookies["auth-9"]).into_bytes();
            let before = ([&planted[..], b"; "].concat(), Vec::new());
            let after = (Vec::new(), [b"; ", &planted[..]].concat());
            for around in [before, after] {
                let mut jar = Jar {
                    around,
                    ..first.clone()
                };
                assert_eq!(jar.is_in(&app).await, is_in, "{kind}");
            }
        }
    }
}

#[tokio::test]
async fn the_cookie_of_an_ended_login_does_not_hide_a_newer_one() {
    let world = World::new();
    for (kind, sessions) in world.both() {
        let app = world.app_over(sessions);
        let mut ended = Jar::logged_in(&app, "12345").await;
        let profile = Profile::new(Subject::new(ISSUER, "12345"));
        let user = world.users.find_or_create(&profile);
        let user = user.await.unwrap().unwrap();
        assert!(world.users.log_out(&user.id()).await.unwrap());
        assert!(!ended.is_in(&app).await, "{kind}");
        let newer = Jar::logged_in(&app, "12345").await;
        let planted = format!("auth-9={}", ended.cookies["auth-9"]).into_bytes();
        let before = ([&planted[..], b"; "].concat(), Vec::new());
        let after = (Vec::new(), [b"; ", &planted[..]].concat());
        for around in [before, after] {
            let mut jar = Jar {
                around,
                ..newer.clone()
            };
            assert!(jar.is_in(&app).await, "{kind}");
        }
    }
}

#[tokio::test]
async fn a_sign_out_ends_each_login_whose_cookie_came() {
    let world = World::new();
    for (kind, sessions) in world.both() {
        let app = world.app_over(sessions);
        let mut own = Jar::logged_in(&app, "12345").await;
        let mut planted = Jar::logged_in(&app, "67890").await;
        let mut jar = own.clone();
        jar.around.0 = format!("auth-9={}; ", planted.cookies["auth-9"]).into_bytes();
        assert_eq!(jar.sign_out(&app).await.status(), 303);
        assert!(!own.is_in(&app).await, "{kind}");
        assert!(!planted.is_in(&app).await, "{kind}");
    }
}

#[tokio::test]
async fn of_four_cookies_three_are_tried() {
    let world = World::new();
    for (kind, sessions) in world.both() {
        let app = world.app_over(sessions);
        let jar = Jar::logged_in(&app, "12345").await;
        let others = async |count: usize| {
            let mut others = String::new();
            for _ in 0..count {
                let mut other = Jar::logged_in(&app, "67890").await;
                let cookie = other.cookies["auth-9"].clone();
                other.sign_out(&app).await;
                // Of a login that has ended, or one that never was.
                let of_none = cookie.replace(|byte: char| byte.is_ascii_digit(), "A");
                others += &format!("auth-9={of_none}; ");
            }
            others
        };
        for (count, is_in) in [(2, true), (3, false), (50, false)] {
            let mut jar = jar.clone();
            jar.around.0 = others(count).await.into_bytes();
            let calls = world.sessions.calls.load(SeqCst);
            assert_eq!(jar.is_in(&app).await, is_in, "{kind}: {count}");
            assert!(world.sessions.calls.load(SeqCst) - calls <= 3, "{kind}");
        }
    }
}

#[tokio::test]
async fn a_cookie_of_garbage_is_unauthenticated() {
    let world = World::new();
    for (kind, sessions) in world.both() {
        let app = world.app_over(sessions);
        let mut bystander = Jar::logged_in(&app, "67890").await;
        for garbage in [
            "".to_owned(),
            ".".to_owned(),
            "garbage".to_owned(),
            "%00%ff".to_owned(),
            "A".repeat(22),
            Id::default().to_string(),
            format!("{}.{}", Id::default(), "A".repeat(43)),
            "x".repeat(4_000),
            "x".repeat(10_000),
        ] {
            let mut jar = Jar::default();
            jar.cookies.insert("auth-9".to_owned(), garbage.clone());
            assert!(!jar.is_in(&app).await, "{kind}: {garbage}");
            assert_eq!(jar.get(&app, "/").await.status(), 200);
            jar.log_in(&app, "12345").await;
            assert!(jar.is_in(&app).await, "{kind}: {garbage}");
            if garbage.len() > 1 {
                assert!(!jar.cookies["auth-9"].contains(&garbage), "not its id");
            }
        }
        assert!(bystander.is_in(&app).await);
    }
}

#[tokio::test]
async fn the_session_store_has_the_digest_of_the_secret_alone() {
    let (world, app) = World::with_app();
    let mut jar = Jar::logged_in(&app, "12345").await;
    let cookie = jar.cookies["auth-9"].clone();
    let (id, secret) = cookie.split_once('.').unwrap();
    assert_eq!(secret.len(), 43);
    let record = world.sessions.last_saved();
    assert_eq!(id, record.id.to_string());
    assert!(!format!("{record:?}").contains(secret), "{record:?}");

    // So what is read from the store makes no cookie.
    let digest = login_in(&record)["secret"].as_str().unwrap().to_owned();
    for forged in [
        id.to_owned(),
        format!("{id}."),
        format!("{id}.AAAA"),
        format!("{id}.{}", "A".repeat(43)),
        format!("{id}.{digest}"),
        format!("{id}.{}", &secret[1..]),
        format!("{id}.{secret}="),
    ] {
        let mut thief = Jar::default();
        thief.cookies.insert("auth-9".to_owned(), forged.clone());
        assert!(!thief.is_in(&app).await, "{forged}");
        // Nor does a login or a sign-out with it end the other one.
        thief.clone().sign_out(&app).await;
        thief.log_in(&app, "67890").await;
        assert!(jar.is_in(&app).await, "{forged}");
    }
}

#[tokio::test]
async fn the_cookie_has_the_id_that_the_store_has_chosen() {
    let world = World::new();
    world.sessions.chooses_ids.store(true, SeqCst);
    let app = world.app(&world.layer());
    let mut jar = Jar::logged_in(&app, "12345").await;
    let id = world.sessions.last_saved().id.to_string();
    assert!(jar.cookies["auth-9"].starts_with(&id));
    assert!(jar.is_in(&app).await);
}

#[tokio::test]
async fn another_host_of_the_domain_cannot_plant_cookies_in_disguise() {
    let world = World::new();
    for (kind, sessions) in world.both() {
        let app = world.app_of(world.builder_at("https://example.com", sessions));
        let victim = Jar::logged_in(&app, "12345").await;
        let attacker = Jar::logged_in(&app, "666").await;
        for disguise in ["__%48ost-", "__Host%2d", "\u{2000}__Host-"] {
            let planted: Vec<_> = attacker.cookies.iter().collect();
            let planted = planted.into_iter().map(|(name, value)| {
                let name = name.strip_prefix("__Host-").unwrap();
                format!("{disguise}{name}={value}; ")
            });
            let planted: String = planted.collect();
            for (jar, user) in [(&victim, Some("12345")), (&Jar::default(), None)] {
                let mut jar = jar.clone();
                jar.around.0 = planted.clone().into_bytes();
                assert_eq!(jar.user(&app).await.as_deref(), user, "{kind}: {planted}");
            }
            // Nor can a login be begun for another browser.
            let now = Timestamp::now().as_micros();
            let (value, state) = made_up("https://example.com", now, "/");
            let mut jar = Jar::default();
            jar.around.0 = format!("{disguise}auth-attempt-0={value}").into_bytes();
            let path = format!("/clef/callback?code=code:666&state={state}");
            assert_eq!(jar.get(&app, &path).await.status(), 403);
        }
    }
}

#[tokio::test]
async fn cookies_are_kept_from_scripts_and_from_other_sites() {
    let world = World::new();
    for (site, prefix, is_secure) in [
        ("https://example.com", "__Host-auth", true),
        (World::SITE, "auth-9", false),
    ] {
        for (kind, sessions) in world.both() {
            let app = world.app_of(world.builder_at(site, sessions));
            let mut jar = Jar::default();
            let start = jar.get(&app, "/clef/login").await;
            let state = crate::support::browser::state_in(crate::support::jar::location(&start));
            let callback = format!("/clef/callback?code=code:12345&state={state}");
            let end = jar.get(&app, &callback).await;
            assert!(set_cookie(end.headers(), prefix).is_some(), "{kind}");
            let cookies = [&start, &end].map(|response| set_cookies(response.headers()));
            let cookies: Vec<_> = cookies.into_iter().flatten().collect();
            assert!(cookies.len() >= 3, "{kind}: {cookies:?}");
            for cookie in cookies {
                assert!(cookie.starts_with(prefix), "{cookie}");
                for attribute in ["HttpOnly", "SameSite=Lax", "Path=/"] {
                    assert!(cookie.contains(attribute), "{attribute} in {cookie}");
                }
                assert_eq!(cookie.contains("Secure"), is_secure, "{cookie}");
                assert!(!cookie.contains("Domain"), "{cookie}");
            }
        }
    }
}

/// Many servers refuse a request whose headers take more than 8 KB.
#[tokio::test]
async fn all_of_our_cookies_together_leave_room_in_a_request() {
    let world = World::new();
    world.provider.hint_length.store(2_048, SeqCst);
    let app = world.app_over(world.sealed());
    let mut jar = Jar::logged_in(&app, "12345").await;
    for _ in 0..20 {
        let start = format!("/clef/login?next=/{}", "x".repeat(383));
        assert_eq!(jar.get(&app, &start).await.status(), 303);
    }
    let names = jar.names();
    let attempts = names.iter().filter(|name| name.contains("-attempt-"));
    assert_eq!(attempts.count(), 4, "{names:?}");
    let size = jar.header().len();
    assert!((4_096..7 * 1_024).contains(&size), "{size}");
}
