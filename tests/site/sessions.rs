//! The sessions that the layer keeps itself: what handlers do with them, and when their cookie
//! goes out.

use std::{sync::atomic::Ordering::SeqCst, time::Duration};

use axum::{
    Router,
    body::{Body, to_bytes},
    http::{HeaderMap, Request},
    middleware::{Next, from_fn},
    routing::{get, post},
};
use axum_clef::{ClefLayer, LoggedIn, stores::Account};
use time::OffsetDateTime;
use tower::ServiceExt as _;
use tower_sessions::{
    Expiry, MemoryStore, Session, SessionManagerLayer,
    cookie::SameSite,
    session::{Id, Record},
};

use crate::support::{Browser, World, clock::MINUTE};

/// What a handler may do with its session.
const DEEDS: [&str; 15] = [
    "insert a", "insert b", "get", "remove", "clear", "flush", "cycle", "save", "load", "delete",
    "hour", "browser", "date", "nothing", "fail",
];

async fn deed(
    axum::extract::Path(deed): axum::extract::Path<String>,
    session: Session,
) -> (axum::http::StatusCode, String) {
    let done = match &*deed {
        "insert a" | "insert b" => session.insert("book", &deed).await,
        "remove" => session.remove::<String>("book").await.map(drop),
        "flush" => session.flush().await,
        "cycle" => session.cycle_id().await,
        "save" => session.save().await,
        "load" => session.load().await,
        "delete" => session.delete().await,
        "fail" => session.insert("book", "lost").await,
        _ => Ok(()),
    };
    done.unwrap();
    match &*deed {
        "clear" => session.clear().await,
        "hour" => session.set_expiry(Some(Expiry::OnInactivity(time::Duration::HOUR))),
        "browser" => session.set_expiry(Some(Expiry::OnSessionEnd)),
        "date" => {
            let end = OffsetDateTime::now_utc() + time::Duration::days(3);
            session.set_expiry(Some(Expiry::AtDateTime(end)));
        }
        _ => {}
    }
    let book: Option<String> = match &*deed {
        "nothing" => None,
        _ => session.get("book").await.unwrap(),
    };
    let status = if deed == "fail" { 500 } else { 200 };
    let text = format!(
        "{book:?} {} {}",
        session.is_modified(),
        session.is_empty().await
    );
    (status.try_into().unwrap(), text)
}

/// An application with sessions, and one browser.
struct Visit {
    app: Router,
    store: MemoryStore,
    cookie: Option<String>,
}

impl Visit {
    fn new(app: Router, store: MemoryStore) -> Self {
        Self {
            app,
            store,
            cookie: None,
        }
    }

    /// What the handler says, and what is in the store then.
    async fn does(&mut self, deed: &str) -> (u16, String, Option<Record>) {
        let path = format!("/deed/{}", deed.replace(' ', "%20"));
        let mut request = Request::post(path);
        if let Some(cookie) = &self.cookie {
            request = request.header("cookie", cookie);
        }
        let request = request.body(Body::empty()).unwrap();
        let response = self.app.clone().oneshot(request).await.unwrap();
        let (parts, body) = response.into_parts();
        for cookie in parts.headers.get_all("set-cookie") {
            let cookie = cookie.to_str().unwrap();
            let pair = cookie.split(';').next().unwrap().to_owned();
            self.cookie = Some(pair).filter(|_| !cookie.contains("Max-Age=0"));
        }
        let text = to_bytes(body, 1_000).await.unwrap().to_vec();
        let stored = match self.id() {
            Some(id) => tower_sessions::SessionStore::load(&self.store, &id)
                .await
                .unwrap(),
            None => None,
        };
        (
            parts.status.as_u16(),
            String::from_utf8(text).unwrap(),
            stored,
        )
    }

    fn id(&self) -> Option<Id> {
        let (_, id) = self.cookie.as_ref()?.split_once('=')?;
        id.parse().ok()
    }
}

/// Beside tower-sessions' own layer, over every three deeds in a row.
#[tokio::test]
async fn a_handler_finds_in_its_session_what_tower_sessions_would_give_it() {
    let deeds = Router::new().route("/deed/{deed}", post(deed));
    let world = World::new();
    for first in DEEDS {
        for second in DEEDS {
            for third in DEEDS {
                let ours = MemoryStore::default();
                let layer = ClefLayer::new(
                    World::SITE,
                    world.provider.clone(),
                    world.users.clone(),
                    ours.clone(),
                );
                let mut ours = Visit::new(deeds.clone().layer(layer.unwrap()), ours);
                let theirs = MemoryStore::default();
                let layer = SessionManagerLayer::new(theirs.clone())
                    .with_same_site(SameSite::Lax)
                    .with_secure(false)
                    .with_expiry(Expiry::OnInactivity(time::Duration::DAY));
                let mut theirs = Visit::new(deeds.clone().layer(layer), theirs);
                let mut ids = (None, None);
                for deed in [first, second, third] {
                    let all = format!("{first}, {second}, {third}: {deed}");
                    let (status, text, stored) = ours.does(deed).await;
                    let (their_status, their_text, their_stored) = theirs.does(deed).await;
                    assert_eq!((status, text), (their_status, their_text), "{all}");
                    assert_eq!(ours.id().is_some(), theirs.id().is_some(), "{all}");
                    let changed = (ours.id() != ids.0, theirs.id() != ids.1);
                    assert_eq!(changed.0, changed.1, "{all}");
                    ids = (ours.id(), theirs.id());
                    match (stored, their_stored) {
                        (Some(stored), Some(their_stored)) => {
                            assert_eq!(stored.data, their_stored.data, "{all}");
                            let apart = stored.expiry_date - their_stored.expiry_date;
                            assert!(apart.abs() < time::Duration::MINUTE, "{all}: {apart}");
                        }
                        (stored, their_stored) => assert_eq!(stored, their_stored, "{all}"),
                    }
                }
            }
        }
    }
}

/// An application at an https site, without a socket: no cookie jar gives a `Secure` cookie back
/// over loopback.
fn secure_app(world: &World) -> Router {
    let layer = ClefLayer::new(
        "https://example.com",
        world.provider.clone(),
        world.users.clone(),
        world.sessions.clone(),
    );
    Router::new()
        .route("/deed/{deed}", post(deed))
        .route("/public", get(|| async { [("cache-control", "public")] }))
        .route("/who", get(async |_: Option<LoggedIn<Account>>| ()))
        .layer(layer.unwrap())
}

async fn headers(app: &Router, request: axum::http::request::Builder, cookie: &str) -> HeaderMap {
    let request = request.header("cookie", cookie).body(Body::empty());
    let response = app.clone().oneshot(request.unwrap()).await.unwrap();
    response.headers().clone()
}

fn set_cookie(headers: &HeaderMap) -> Option<&str> {
    let mut cookies = headers.get_all("set-cookie").iter();
    let cookie = cookies.next().map(|cookie| cookie.to_str().unwrap());
    assert_eq!(cookies.next(), None);
    cookie
}

#[tokio::test]
async fn the_cookie_of_a_session_goes_out_when_its_id_is_new_and_is_stored_by_no_cache() {
    let world = World::new();
    let app = secure_app(&world);
    let post = |deed: &str| Request::post(format!("/deed/{}", deed.replace(' ', "%20")));
    let first = headers(&app, post("insert a"), "").await;
    let cookie = set_cookie(&first).unwrap();
    for part in [
        "__Host-clef-session=",
        "HttpOnly",
        "SameSite=Lax",
        "Secure",
        "Path=/",
        "Max-Age=34560000",
    ] {
        assert!(cookie.contains(part), "{part} in {cookie}");
    }
    assert_eq!(first["cache-control"], "no-store");
    let pair = cookie.split(';').next().unwrap();

    let again = headers(&app, post("insert b"), pair).await;
    assert_eq!(set_cookie(&again), None, "the browser has it");
    assert_eq!(world.sessions.last_saved().data["book"], "insert b");
    let cycled = headers(&app, post("cycle"), pair).await;
    let cookie = set_cookie(&cycled).unwrap();
    let new = cookie.split(';').next().unwrap();
    assert_ne!(new, pair);

    for (deed, age) in [
        ("hour", Some("Max-Age=3600")),
        ("date", Some("Max-Age=259")),
        ("browser", None),
    ] {
        let chosen = headers(&app, post(deed), new).await;
        let cookie = set_cookie(&chosen).unwrap();
        match age {
            Some(age) => assert!(cookie.contains(age), "{deed}: {cookie}"),
            None => assert!(!cookie.contains("Max-Age"), "{cookie}"),
        }
    }

    // Away with those of no session, by one that a browser obeys for such a name.
    for (request, cookie) in [
        (post("flush"), new),
        (Request::get("/who"), pair),
        (Request::get("/public"), "__Host-clef-session=forged"),
    ] {
        let removed = headers(&app, request, cookie).await;
        let removal = set_cookie(&removed).unwrap();
        for part in ["__Host-clef-session=;", "Secure", "Path=/", "Max-Age=0"] {
            assert!(removal.contains(part), "{part} in {removal}");
        }
        assert_eq!(removed["cache-control"], "no-store");
    }
    let public = headers(&app, Request::get("/public"), new).await;
    assert_eq!(set_cookie(&public), None);
    assert_eq!(public["cache-control"], "public");
}

#[tokio::test]
async fn of_two_session_cookies_the_last_one_counts() {
    let world = World::new();
    let app = secure_app(&world);
    let first = headers(&app, Request::post("/deed/insert%20a"), "").await;
    let good = set_cookie(&first).unwrap().split(';').next().unwrap();
    let calls = || world.sessions.calls.swap(0, SeqCst);
    calls();
    let bad = "__Host-clef-session=forged";
    headers(&app, Request::get("/who"), &format!("{good}; {bad}")).await;
    assert_eq!(calls(), 0);
    headers(&app, Request::get("/who"), &format!("{bad}; {good}")).await;
    assert_eq!(calls(), 1);
}

/// A renewal that takes long, and a change that does.
#[tokio::test]
async fn a_request_in_flight_takes_no_newer_login_away() {
    let world = World::new();
    let node = world.node().await;
    for person in ["12345", "67890"] {
        for path in ["/slow/read", "/slow"] {
            let browser = Browser::new();
            browser.log_in(&node, "12345").await;
            world.clock.advance(120 * MINUTE);
            world.slow.set();
            let in_flight = async {
                let request = match path {
                    "/slow" => browser.post(&node, path),
                    _ => browser.get(&node, path),
                };
                request.send().await.unwrap()
            };
            let log_in = async {
                world.slow.reached().await;
                browser.log_in(&node, person).await;
                world.slow.go();
            };
            let (response, ()) = tokio::join!(in_flight, log_in);
            assert_eq!(response.status(), 200);
            assert_eq!(response.headers().get("set-cookie"), None, "{path}");
            let who = browser.get(&node, "/account").send().await.unwrap();
            assert_eq!(who.json::<String>().await.unwrap(), person, "{path}");
        }
    }
}

#[tokio::test]
async fn who_is_there_and_what_is_in_the_session_is_one_load() {
    let world = World::new();
    let layer = world.layer();
    let app = Router::new()
        .route(
            "/both",
            get(async |_: LoggedIn<Account>, session: Session| {
                session
                    .get::<String>("book")
                    .await
                    .unwrap()
                    .unwrap_or_default()
            })
            .post(async |_: LoggedIn<Account>, session: Session| {
                session.insert("book", "a").await.unwrap();
            }),
        )
        .route(
            "/other/way",
            get(async |session: Session, request: axum::extract::Request| {
                session.get::<String>("book").await.unwrap();
                let mut parts = request.into_parts().0;
                use axum::extract::FromRequestParts as _;
                LoggedIn::<Account>::from_request_parts(&mut parts, &())
                    .await
                    .unwrap();
            }),
        )
        .merge(world.pages(layer.routes()))
        .layer(layer.clone());
    let node = world.serve(app, layer).await;
    let browser = Browser::new();
    browser.log_in(&node, "12345").await;
    let calls = || world.sessions.calls.swap(0, SeqCst);
    calls();
    assert_eq!(
        browser.post(&node, "/both").send().await.unwrap().status(),
        200
    );
    assert_eq!(calls(), 2, "a load and a save");
    let read = browser.get(&node, "/both").send().await.unwrap();
    assert_eq!((calls(), read.text().await.unwrap()), (1, "a".to_owned()));
    assert_eq!(browser.status(&node, "/other/way").await, 200);
    assert_eq!(calls(), 1);

    // Nobody has a session too.
    let visitor = Browser::new();
    visitor.post(&node, "/cart").send().await.unwrap();
    calls();
    assert_eq!(visitor.status(&node, "/").await, 200);
    assert_eq!(calls(), 1);

    // A change does not take back that the session was seen.
    world.clock.advance(120 * MINUTE);
    browser.post(&node, "/both").send().await.unwrap();
    calls();
    assert!(browser.is_in(&node).await);
    assert_eq!(calls(), 1, "it is not due again");
}

#[tokio::test]
async fn what_was_done_to_the_session_before_counts_for_who_is_there() {
    for ends in ["flush", "clear"] {
        let world = World::new();
        let layer = world.layer();
        let end = move |session: Session, request: axum::extract::Request, next: Next| async move {
            if request.uri().query() == Some("end") {
                match ends {
                    "flush" => session.flush().await.unwrap(),
                    _ => session.clear().await,
                }
            }
            next.run(request).await
        };
        let app = Router::new()
            .route("/account", get(async |_: LoggedIn<Account>| ()))
            .layer(from_fn(end))
            .merge(layer.routes())
            .layer(layer.clone());
        let node = world.serve(app, layer).await;
        let browser = Browser::new();
        browser.log_in(&node, "12345").await;
        assert_eq!(browser.status(&node, "/account").await, 200, "{ends}");
        assert_eq!(browser.status(&node, "/account?end").await, 401, "{ends}");
        assert_eq!(browser.status(&node, "/account").await, 401, "{ends}");
    }
}

#[tokio::test]
async fn the_idle_time_is_the_layers_whatever_the_cookie_says() {
    let world = World::new();
    let layer = world.layer().idle_expiry(Duration::from_secs(3_600));
    let node = world.node_with(layer).await;
    let browser = Browser::new();
    browser.log_in(&node, "12345").await;
    let expiry = world.sessions.last_saved().expiry_date - OffsetDateTime::now_utc();
    assert!((time::Duration::HOUR - expiry) < time::Duration::MINUTE);
    world.clock.advance(59 * MINUTE);
    assert!(browser.is_in(&node).await);
    world.clock.advance(59 * MINUTE);
    assert!(browser.is_in(&node).await);
    world.clock.advance(60 * MINUTE);
    assert!(!browser.is_in(&node).await);
}
