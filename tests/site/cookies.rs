//! Cookies of neighbours: any script, and any other port of the host, can set some that are not
//! ASCII, and they come with every request.

use axum::{
    Router,
    http::{HeaderMap, HeaderValue, Method, Request, header},
    routing::get,
};
use axum_clef::ClefLayer;
use tower::ServiceExt as _;
use tower_sessions::{SessionManagerLayer, cookie::SameSite};

use crate::support::{Jar, World};

/// Cookies that are not ASCII, or not even text.
const ODD: [&[u8]; 5] = [
    "name=Andr\u{e9}".as_bytes(),
    b"name=Andr\xe9",
    "\u{1f30a}=1".as_bytes(),
    b"\xff",
    b"\xff\xfe=\x80; =; ;",
];

/// Our sessions, and those of a session layer of the application's.
fn sites(world: &World) -> [Router; 2] {
    let sessions = SessionManagerLayer::new(world.sessions.clone())
        .with_secure(false)
        .with_same_site(SameSite::Lax);
    let configured = ClefLayer::with_session_layer(
        World::SITE,
        world.provider.clone(),
        world.users.clone(),
        sessions,
    );
    let configured = configured.unwrap();
    let ours = world.layer();
    [
        pages(world, ours.routes()).layer(ours),
        pages(world, configured.routes()).layer(configured),
    ]
}

fn pages(world: &World, routes: Router) -> Router {
    let echo = async |headers: HeaderMap| {
        let cookies = headers.get_all(header::COOKIE).iter();
        cookies.fold(Vec::new(), |all, cookie| {
            [&all, cookie.as_bytes(), b"|"].concat()
        })
    };
    world.pages(routes).route("/echo", get(echo))
}

#[tokio::test]
async fn a_cookie_that_is_not_ascii_hides_none_of_ours() {
    for odd in ODD {
        for around in [
            ([odd, b"; "].concat(), Vec::new()),
            (Vec::new(), [b"; ", odd].concat()),
        ] {
            let world = World::new();
            for (site, app) in sites(&world).iter().enumerate() {
                let mut jar = Jar {
                    around: around.clone(),
                    ..Jar::default()
                };
                let case = format!("{site}: {around:?}");
                jar.log_in(app, "12345").await;
                assert!(jar.is_in(app).await, "{case}");
                let mut copy = jar.clone();
                let signed_out = jar.send(app, Method::POST, "/clef/sign-out").await;
                assert_eq!(signed_out.status(), 303, "{case}");
                assert_eq!(jar.names(), [""; 0], "{case}");
                assert!(!copy.is_in(app).await, "{case}");
            }
        }
    }
}

#[tokio::test]
async fn cookies_that_are_not_ours_reach_the_application_as_they_came() {
    let world = World::new();
    for app in sites(&world) {
        for cookies in ODD.into_iter().chain([
            &b"a=1;b=2 ;  c"[..],
            b"__%48ost-clef-session=x; a=%20 b; \"",
            "\u{2000}__Host-clef-session=x".as_bytes(),
        ]) {
            let request = Request::get("/echo")
                .header(header::COOKIE, HeaderValue::from_bytes(cookies).unwrap())
                .header(header::COOKIE, "second=1")
                .body(axum::body::Body::empty());
            let response = app.clone().oneshot(request.unwrap()).await.unwrap();
            let body = axum::body::to_bytes(response.into_body(), 1_000).await;
            assert_eq!(body.unwrap(), [cookies, b"|second=1|"].concat());
        }
    }
}

#[tokio::test]
async fn what_takes_a_cookie_away_is_sent_whether_or_not_it_came() {
    let world = World::new();
    let app = world.app(&world.layer());
    for (method, path, taken) in [
        (
            Method::POST,
            "/clef/sign-out",
            &["clef-login-9", "clef-session-9"][..],
        ),
        (Method::GET, "/clef/signed-out", &["clef-sign-out-9"]),
    ] {
        let request = Jar::default().request(method, path);
        let response = app.clone().oneshot(request).await.unwrap();
        assert_eq!(response.status(), 303);
        let set = response.headers().get_all(header::SET_COOKIE).iter();
        let mut set: Vec<_> = set.map(|cookie| cookie.to_str().unwrap()).collect();
        set.sort_unstable();
        assert_eq!(set.len(), taken.len(), "{set:?}");
        for (cookie, name) in set.iter().zip(taken) {
            assert!(cookie.starts_with(&format!("{name}=;")), "{cookie}");
            for attribute in ["Max-Age=0", "Path=/", "HttpOnly", "SameSite=Lax"] {
                assert!(cookie.contains(attribute), "{attribute} in {cookie}");
            }
        }
    }
}
