//! The promise, line by line. Each test fails without the line of code that it guards.

use std::{sync::atomic::Ordering::SeqCst, time::Duration};

use axum::{body::Body, http::Request};
use axum_clef::{ClefLayer, Profile, Subject, User as _, stores::MemoryUserStore};
use serde_json::json;
use tower::ServiceExt as _;
use tower_sessions::{MemoryStore, session::Record};

use crate::support::{
    Browser, Node, TestSessions, TestUsers, World,
    clock::{MINUTE, SECOND},
};

/// The key of the session under which a login stands.
const LOGIN: &str = "axum-clef.login";
/// Which of its lines is the stamp.
const LOGGED_IN_AT: usize = 5;

/// The parts of the login in a session. None of those here has to be written in another way.
fn login_in(record: &Record) -> Vec<String> {
    let lines = record.data[LOGIN].as_str().unwrap().lines();
    lines.map(str::to_owned).collect()
}

fn put_login(record: &mut Record, login: &[String]) {
    let lines: String = login.iter().map(|part| format!("{part}\n")).collect();
    record.data.insert(LOGIN.to_owned(), lines.into());
}

// 1. Revoked means revoked.

#[tokio::test]
async fn after_the_notice_no_node_serves_a_login_from_before() {
    let world = World::new();
    let (here, there) = (world.node().await, world.node().await);
    let (phone, laptop, other) = (Browser::new(), Browser::new(), Browser::new());
    phone.log_in(&here, "12345").await;
    laptop.log_in(&there, "12345").await;
    other.log_in(&here, "67890").await;

    assert_eq!(here.notice("token:12345").await, 200);

    for browser in [&phone, &laptop] {
        for node in [&here, &there] {
            assert!(!browser.is_in(node).await);
            assert_eq!(browser.status(node, "/members/one").await, 401);
            let home = browser.open(node, "/").await.text().await.unwrap();
            assert_eq!(home, "nobody");
        }
    }
    assert!(other.is_in(&here).await, "somebody else is untouched");
    assert!(other.is_in(&there).await);
}

#[tokio::test]
async fn a_logout_in_the_middle_of_a_login_refuses_it() {
    let world = World::new();
    let node = world.node().await;
    let browser = Browser::new();
    browser.log_in(&node, "12345").await;

    let state = browser.begin(&node, "/").await;
    world.provider.during_exchange.set();
    let callback = browser.come_back(&node, "code:12345", &state);
    let notice = async {
        world.provider.during_exchange.reached().await;
        let status = node.notice("token:12345").await;
        world.provider.during_exchange.go();
        status
    };
    let (response, status) = tokio::join!(callback, notice);

    assert_eq!(status, 200);
    assert_eq!(response.status(), 403);
    let page = response.text().await.unwrap();
    assert!(page.contains("You logged out in the meantime"), "{page}");
    assert!(!browser.is_in(&node).await);
}

#[tokio::test]
async fn a_clock_that_steps_back_in_the_middle_of_a_login_refuses_it() {
    let world = World::new();
    let node = world.node().await;
    let browser = Browser::new();
    let state = browser.begin(&node, "/").await;
    world.provider.during_exchange.set();
    let callback = browser.come_back(&node, "code:12345", &state);
    let step_back = async {
        world.provider.during_exchange.reached().await;
        world.clock.advance(-2 * SECOND);
        world.provider.during_exchange.go();
    };
    let (response, ()) = tokio::join!(callback, step_back);
    assert_eq!(response.status(), 503);
    assert!(!browser.is_in(&node).await);
}

#[tokio::test]
async fn a_logout_in_the_middle_of_the_very_first_login_refuses_it() {
    let world = World::new();
    let node = world.node().await;
    let browser = Browser::new();
    let state = browser.begin(&node, "/").await;
    world.users.before_log_in.set();
    let callback = browser.come_back(&node, "code:12345", &state);
    let notice = async {
        world.users.before_log_in.reached().await;
        // The store does not know this person yet, so there is nobody to log out.
        let status = node.notice("token:12345").await;
        world.users.before_log_in.go();
        status
    };
    let (response, status) = tokio::join!(callback, notice);

    assert_eq!(status, 404);
    assert_eq!(response.status(), 403);
    assert!(!browser.is_in(&node).await);

    browser.log_in(&node, "12345").await;
    assert!(browser.is_in(&node).await, "the next login works");
}

/// The notice comes to a node that knows nothing of the login at the other.
#[tokio::test]
async fn a_logout_at_another_node_in_the_middle_of_the_very_first_login_refuses_it() {
    let world = World::new();
    let (here, there) = (world.node().await, world.node().await);
    let browser = Browser::new();
    let state = browser.begin(&here, "/").await;
    world.users.before_log_in.set();
    let callback = browser.come_back(&here, "code:12345", &state);
    let notice = async {
        world.users.before_log_in.reached().await;
        let status = there.notice("token:12345").await;
        world.users.before_log_in.go();
        status
    };
    let (response, status) = tokio::join!(callback, notice);
    assert_eq!((response.status().as_u16(), status), (403, 404));
    browser.log_in(&here, "12345").await;
    assert!(browser.is_in(&here).await, "the next login works");
}

#[tokio::test]
async fn a_login_that_begins_while_the_store_looks_for_a_stranger_is_refused() {
    let world = World::new();
    let node = world.node().await;
    let browser = Browser::new();
    let state = browser.begin(&node, "/").await;
    world.users.after_log_out.set();
    world.users.before_log_in.set();
    let notice = async {
        let status = node.notice("token:12345").await;
        world.users.before_log_in.go();
        status
    };
    let callback = async {
        // The store has found nobody, and has not said so yet.
        world.users.after_log_out.reached().await;
        browser.come_back(&node, "code:12345", &state).await
    };
    let release = async {
        world.users.before_log_in.reached().await;
        world.users.after_log_out.go();
    };
    let (status, response, ()) = tokio::join!(notice, callback, release);
    assert_eq!((status, response.status().as_u16()), (404, 403));
    assert!(!browser.is_in(&node).await);
}

#[tokio::test]
async fn a_user_who_is_deleted_is_out() {
    let world = World::new();
    let node = world.node().await;
    let browser = Browser::new();
    browser.log_in(&node, "12345").await;

    // The same sessions, over a store without the user.
    let emptied = World {
        users: TestUsers::new(MemoryUserStore::new()),
        ..world.clone()
    };
    assert!(!browser.is_in(&emptied.node().await).await);
    assert!(browser.is_in(&node).await);
}

// 2. A new login works.

#[tokio::test]
async fn a_login_after_the_answer_works_however_soon() {
    let world = World {
        users: TestUsers::new(MemoryUserStore::new()),
        ..World::new()
    };
    let node = world.node().await;
    let (before, after) = (Browser::new(), Browser::new());
    for round in 0..50 {
        before.log_in(&node, "12345").await;
        assert_eq!(node.notice(&format!("token:12345:{round}")).await, 200);
        after.log_in(&node, "12345").await;
        assert!(after.is_in(&node).await, "round {round}");
        assert!(!before.is_in(&node).await, "round {round}");
    }
}

#[tokio::test]
async fn a_microsecond_between_logout_and_login_is_enough() {
    let world = World::new();
    let node = world.node().await;
    let browser = Browser::new();
    browser.log_in(&node, "12345").await;
    world.clock.freeze();
    assert_eq!(node.notice("token:12345").await, 200);
    world.clock.advance(1);
    browser.log_in(&node, "12345").await;
    assert!(browser.is_in(&node).await);
}

// 3. Never back.

#[tokio::test]
async fn a_clock_that_steps_back_takes_no_logout_back() {
    let world = World::new();
    let node = world.node().await;
    let alex = Subject::new(crate::support::provider::ISSUER, "12345");
    let browser = Browser::new();
    browser.log_in(&node, "12345").await;
    assert_eq!(node.notice("token:12345:1").await, 200);
    let logged_out_at = || async {
        let profile = Profile::new(alex.clone());
        let user = world.users.inner.log_in(&profile).await.unwrap().unwrap();
        user.logged_out_at().unwrap()
    };
    let first = logged_out_at().await;

    world.clock.advance(-60 * MINUTE);
    assert_eq!(node.notice("token:12345:2").await, 200);
    assert!(logged_out_at().await > first, "it only rises");
    assert!(!browser.is_in(&node).await);
}

#[tokio::test]
async fn a_notice_that_comes_again_changes_nothing() {
    let world = World::new();
    let node = world.node().await;
    let browser = Browser::new();
    browser.log_in(&node, "12345").await;
    assert_eq!(node.notice("token:12345").await, 200);
    browser.log_in(&node, "12345").await;

    assert_eq!(node.notice("token:12345").await, 200, "as for success");
    assert!(browser.is_in(&node).await, "the login made since stands");
}

#[tokio::test]
async fn a_notice_for_nobody_that_comes_again_ends_no_later_login() {
    let world = World::new();
    let node = world.node().await;
    let browser = Browser::new();
    assert_eq!(node.notice("token:12345").await, 404);
    browser.log_in(&node, "12345").await;
    assert_eq!(node.notice("token:12345").await, 404);
    assert!(browser.is_in(&node).await);
}

#[tokio::test]
async fn a_notice_that_comes_late_ends_every_login_it_finds() {
    let world = World::new();
    let node = world.node().await;
    let browser = Browser::new();
    // However old the sender's wish is, what counts is when it arrives.
    world.clock.advance(60 * MINUTE);
    browser.log_in(&node, "12345").await;
    assert_eq!(node.notice("token:12345:an-hour-old").await, 200);
    assert!(!browser.is_in(&node).await);
}

// 4. In doubt, out.

#[tokio::test]
async fn equal_stamps_are_out() {
    let world = World::new();
    let node = world.node().await;
    let browser = Browser::new();
    browser.log_in(&node, "12345").await;
    world.clock.freeze();
    assert_eq!(node.notice("token:12345").await, 200);

    // A login that begins with the very stamp of the logout.
    let state = browser.begin(&node, "/").await;
    let response = browser.come_back(&node, "code:12345", &state).await;
    assert_eq!(response.status(), 403);

    // And a session that has it.
    let logged_out_at = world.clock.read().as_micros();
    let mut record = world.sessions.last_saved();
    for (stamp, is_in) in [(logged_out_at, false), (logged_out_at + 1, true)] {
        let mut login = login_in(&record);
        login[LOGGED_IN_AT] = stamp.to_string();
        put_login(&mut record, &login);
        world.sessions.inner.save(&record).await.unwrap();
        assert_eq!(browser.is_in(&node).await, is_in);
    }
}

#[tokio::test]
async fn a_clock_that_steps_back_lets_no_login_outlive_a_logout() {
    let world = World::new();
    let node = world.node().await;
    let browser = Browser::new();
    browser.log_in(&node, "12345").await;
    world.clock.advance(-MINUTE);
    assert_eq!(node.notice("token:12345").await, 200);
    assert!(!browser.is_in(&node).await);
    world.clock.advance(MINUTE);
    assert!(!browser.is_in(&node).await, "nor when the clock is back");
}

#[tokio::test]
async fn a_session_that_lacks_a_part_or_has_a_broken_one_is_out() {
    let world = World::new();
    let node = world.node().await;
    for part in 0..7 {
        for broken in [None, Some(""), Some("1e99"), Some(":"), Some("\\")] {
            // The names of the provider may be any text, and its session may have none.
            let is_fine = match (part, broken) {
                (2 | 3, Some(broken)) => broken != "\\",
                (4, Some(broken)) => ["", ":"].contains(&broken),
                _ => false,
            };
            let browser = Browser::new();
            browser.log_in(&node, "12345").await;
            assert!(browser.is_in(&node).await);

            let mut record = world.sessions.last_saved();
            let mut login = login_in(&record);
            match broken {
                Some(text) => text.clone_into(&mut login[part]),
                None => drop(login.remove(part)),
            }
            put_login(&mut record, &login);
            world.sessions.inner.save(&record).await.unwrap();
            assert_eq!(browser.is_in(&node).await, is_fine, "{part}: {broken:?}");
        }
    }
    // Nor is what is no text, ends too soon, or has more behind it.
    let browser = Browser::new();
    browser.log_in(&node, "12345").await;
    let record = world.sessions.last_saved();
    let lines = record.data[LOGIN].as_str().unwrap();
    let whole = login_in(&record);
    for other in [
        json!(whole),
        json!(json!(whole).to_string()),
        json!(lines.trim_end()),
        json!(format!("{lines}\n")),
        json!(format!("{lines}x")),
        json!(""),
    ] {
        let mut record = record.clone();
        record.data.insert(LOGIN.to_owned(), other.clone());
        world.sessions.inner.save(&record).await.unwrap();
        assert!(!browser.is_in(&node).await, "{other}");
    }
}

#[tokio::test]
async fn a_stamp_more_than_five_minutes_ahead_is_out() {
    let world = World::new();
    let node = world.node().await;
    let browser = Browser::new();
    browser.log_in(&node, "12345").await;
    world.clock.advance(-4 * MINUTE);
    assert!(browser.is_in(&node).await);
    world.clock.advance(-2 * MINUTE);
    assert!(!browser.is_in(&node).await);
}

#[tokio::test]
async fn an_unreadable_session_is_out_and_the_next_login_works() {
    let world = World::new();
    let node = world.node().await;
    let browser = Browser::new();
    browser.log_in(&node, "12345").await;
    world.sessions.unreadable.store(true, SeqCst);
    assert!(!browser.is_in(&node).await);
    browser.log_in(&node, "12345").await;
    world.sessions.unreadable.store(false, SeqCst);
    assert!(browser.is_in(&node).await);
}

#[tokio::test]
async fn a_store_that_cannot_answer_is_503_and_leaves_the_session_alone() {
    let world = World::new();
    let node = world.node().await;
    let browser = Browser::new();
    browser.log_in(&node, "12345").await;
    let cookies = browser.cookies(&node);

    for failing in [
        &world.users.failing,
        &world.users.clock_failing,
        &world.sessions.failing,
    ] {
        failing.store(true, SeqCst);
        for path in ["/", "/account", "/members/one", "/twice"] {
            let response = browser.open(&node, path).await;
            assert_eq!(response.status(), 503, "{path}");
            assert_eq!(response.headers()["retry-after"], "5");
            assert_eq!(response.headers().get("set-cookie"), None);
        }
        failing.store(false, SeqCst);
        assert_eq!(browser.cookies(&node), cookies);
        assert!(browser.is_in(&node).await, "as if nothing had been");
    }
}

/// Without a socket, so that the time can be turned.
#[tokio::test(start_paused = true)]
async fn a_store_that_hangs_is_one_that_cannot_answer() {
    let world = World::new();
    let app = world.app(&world.layer());
    let get = async |path: &str, cookies: &str| {
        let request = Request::get(path).header("cookie", cookies);
        let request = request.body(Body::empty()).unwrap();
        let answer = app.clone().oneshot(request);
        // Longer than every limit of ours.
        let answer = tokio::time::timeout(Duration::from_secs(60), answer).await;
        answer.expect("no answer in time").unwrap()
    };
    let set = |response: &axum::http::Response<Body>| {
        let cookies = response.headers().get_all("set-cookie").iter();
        let pairs = cookies.map(|cookie| cookie.to_str().unwrap().split(';').next().unwrap());
        pairs.collect::<Vec<_>>().join("; ")
    };
    let log_in = async || {
        let started = get("/clef/login", "").await;
        let location = started.headers()["location"].to_str().unwrap().to_owned();
        let state = crate::support::browser::state_in(&location);
        let callback = format!("/clef/callback?code=code:12345&state={state}");
        get(&callback, &set(&started)).await
    };
    let logged_in = log_in().await;
    assert_eq!(logged_in.status(), 303);
    let cookies = set(&logged_in);
    assert_eq!(get("/account", &cookies).await.status(), 200);

    world.users.hanging.store(true, SeqCst);
    for path in ["/", "/account", "/members/one"] {
        assert_eq!(get(path, &cookies).await.status(), 503, "{path}");
    }
    assert_eq!(log_in().await.status(), 503);
    let answer = app.clone().oneshot(notice("token:12345")).await.unwrap();
    assert_eq!(answer.status(), 503);

    world.users.hanging.store(false, SeqCst);
    // The attempt that hangs is given up, and the next one writes.
    while world
        .users
        .inner
        .load("1")
        .await
        .unwrap()
        .unwrap()
        .logged_out_at()
        .is_none()
    {
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    assert_eq!(get("/account", &cookies).await.status(), 401);
}

// 5. No resurrection.

#[tokio::test]
async fn a_request_in_flight_cannot_save_a_logged_out_login_back() {
    let world = World::new();
    let node = world.node().await;
    let browser = Browser::new();
    browser.log_in(&node, "12345").await;

    world.slow.set();
    let in_flight = browser.post(&node, "/slow").send();
    let logout = async {
        world.slow.reached().await;
        let status = node.notice("token:12345").await;
        world.slow.go();
        status
    };
    let (response, status) = tokio::join!(in_flight, logout);

    assert_eq!((response.unwrap().status().as_u16(), status), (200, 200));
    assert!(world.sessions.last_saved().data.contains_key("slow"));
    assert!(!browser.is_in(&node).await);
}

#[tokio::test]
async fn a_request_in_flight_cannot_undo_a_sign_out() {
    let world = World::new();
    let (here, there) = (world.node().await, world.node().await);
    let browser = Browser::new();
    let (id, before) = sign_out_in_flight(&world, &browser, &here, &there).await;
    assert!(
        !browser.cookies(&here).contains(&id),
        "it is not sent again"
    );
    assert!(!browser.is_in(&here).await);

    // Whoever has kept the session has no key to it.
    let kept = before.split("; ").find(|cookie| cookie.contains(&id));
    browser.set_cookie(&here, kept.unwrap());
    assert!(browser.cookies(&here).contains(&id));
    assert!(!browser.is_in(&here).await);
    assert!(!browser.is_in(&there).await);
}

/// tower-sessions sends the cookie with every save.
#[tokio::test]
async fn nor_where_its_cookie_is_handed_out_again() {
    use tower_sessions::{SessionManagerLayer, cookie::SameSite};

    let world = World::new();
    let sessions = SessionManagerLayer::new(world.sessions.clone())
        .with_secure(false)
        .with_same_site(SameSite::Lax);
    let layer = ClefLayer::with_session_layer(
        World::SITE,
        world.provider.clone(),
        world.users.clone(),
        sessions,
    )
    .unwrap();
    let app = world.pages(layer.routes()).layer(layer);
    let here = world.serve(app.clone(), world.layer()).await;
    let there = world.serve(app, world.layer()).await;
    let browser = Browser::new();
    let (id, _) = sign_out_in_flight(&world, &browser, &here, &there).await;
    assert!(browser.cookies(&here).contains(&id));
    assert!(!browser.is_in(&here).await);
    assert!(!browser.is_in(&there).await);
}

/// Signs out while a request changes the session, which the store then has back: the id of that
/// session, and the cookies of before.
async fn sign_out_in_flight(
    world: &World,
    browser: &Browser,
    here: &Node,
    there: &Node,
) -> (String, String) {
    browser.log_in(here, "12345").await;
    let cookies = browser.cookies(here);
    world.slow.set();
    let in_flight = browser.post(there, "/slow").send();
    let sign_out = async {
        world.slow.reached().await;
        let response = browser.post(here, "/clef/sign-out").send().await.unwrap();
        world.slow.go();
        response
    };
    let (response, signed_out) = tokio::join!(in_flight, sign_out);

    assert_eq!(signed_out.status(), 303);
    assert_eq!(response.unwrap().status(), 200);
    let record = world.sessions.last_saved();
    assert!(record.data.contains_key(LOGIN));
    (record.id.to_string(), cookies)
}

#[tokio::test]
async fn a_renewal_in_flight_brings_nothing_back() {
    let world = World::new();
    let node = world.node().await;
    let browser = Browser::new();
    browser.post(&node, "/cart").send().await.unwrap();
    browser.log_in(&node, "12345").await;
    world.clock.advance(120 * MINUTE);
    let before = world.sessions.calls.load(SeqCst);

    // A request whose renewal is due asks who is there, and is held before it ends.
    world.slow.set();
    let in_flight = browser.get(&node, "/slow/read").send();
    let sign_out = async {
        world.slow.reached().await;
        let response = browser.post(&node, "/clef/sign-out").send().await.unwrap();
        world.slow.go();
        response
    };
    let (response, signed_out) = tokio::join!(in_flight, sign_out);
    assert_eq!(response.unwrap().status(), 200);
    assert_eq!(signed_out.status(), 303);
    assert!(world.sessions.calls.load(SeqCst) > before + 2, "it was due");
    let id = world.sessions.last_saved().id;
    assert_eq!(world.sessions.inner.load(&id).await.unwrap(), None);
}

#[tokio::test]
async fn a_renewal_that_fails_is_503() {
    let world = World::new();
    let node = world.node().await;
    let browser = Browser::new();
    browser.log_in(&node, "12345").await;
    world.clock.advance(120 * MINUTE);
    world.sessions.saves_fail.store(true, SeqCst);
    assert_eq!(browser.status(&node, "/account").await, 503);
    world.sessions.saves_fail.store(false, SeqCst);
    assert!(browser.is_in(&node).await);
}

// 6. No lost logout.

#[tokio::test]
async fn a_logout_whose_store_fails_is_kept_until_it_holds() {
    let world = World::new();
    let node = world.node().await;
    let browser = Browser::new();
    browser.log_in(&node, "12345").await;

    world.users.failing.store(true, SeqCst);
    assert_eq!(node.notice("token:12345").await, 503);
    assert_eq!(node.layer.pending_logouts(), 1);
    assert_eq!(node.notice("token:12345").await, 503, "still owed");
    assert_eq!(world.provider.notices.load(SeqCst), 1, "exchanged once");
    // The session is read and the person is refused, before the store is asked.
    assert!(!browser.is_in(&node).await);

    world.users.failing.store(false, SeqCst);
    assert_eq!(until_applied(&node, "token:12345").await, 200);
    assert_eq!(node.layer.pending_logouts(), 0);
    assert!(!browser.is_in(&world.node().await).await, "on any node");
    browser.log_in(&node, "12345").await;
    assert!(browser.is_in(&node).await);
}

#[tokio::test]
async fn a_logout_that_is_owed_refuses_nobody_else() {
    let world = World::new();
    let node = world.node().await;
    let (browser, other) = (Browser::new(), Browser::new());
    browser.log_in(&node, "12345").await;
    other.log_in(&node, "67890").await;
    world.users.log_out_panics.store(true, SeqCst);
    assert_eq!(node.notice("token:12345").await, 503);
    assert!(!browser.is_in(&node).await);
    assert!(other.is_in(&node).await);
}

#[tokio::test]
async fn a_notice_whose_provider_panics_can_come_again() {
    let world = World::new();
    let node = world.node().await;
    let browser = Browser::new();
    browser.log_in(&node, "12345").await;
    world.provider.panicking.store(true, SeqCst);
    assert_eq!(node.notice("token:12345").await, 503);
    world.provider.panicking.store(false, SeqCst);
    assert_eq!(node.notice("token:12345").await, 200);
    assert!(!browser.is_in(&node).await);
}

/// Without a socket, so that the time can be turned.
#[tokio::test(start_paused = true)]
async fn a_provider_that_hangs_is_given_up() {
    let world = World::new();
    let layer = world.layer();
    let app = world.app(&layer);
    let status = async |request: Request<Body>| {
        let answer = app.clone().oneshot(request);
        let answer = tokio::time::timeout(Duration::from_secs(60), answer).await;
        answer.expect("no answer in time").unwrap().status()
    };
    world.provider.during_notice.set();
    assert_eq!(status(notice("token:12345")).await, 503);
    world.provider.during_start.set();
    let start = Request::get("/clef/login").body(Body::empty()).unwrap();
    assert_eq!(status(start).await, 502);
}

#[tokio::test]
async fn a_login_while_a_logout_is_owed_is_refused() {
    let world = World::new();
    let node = world.node().await;
    let browser = Browser::new();
    browser.log_in(&node, "12345").await;
    // The store logs nobody out, but would log them in.
    world.users.log_out_panics.store(true, SeqCst);
    assert_eq!(node.notice("token:12345").await, 503);

    let state = browser.begin(&node, "/").await;
    let response = browser.come_back(&node, "code:12345", &state).await;
    assert_eq!(response.status(), 403);
    assert!(!browser.is_in(&node).await);

    world.users.log_out_panics.store(false, SeqCst);
    assert_eq!(until_applied(&node, "token:12345").await, 200);
    browser.log_in(&node, "12345").await;
}

#[tokio::test]
async fn a_sender_who_hangs_up_does_not_take_the_logout_along() {
    let world = World::new();
    let node = world.node().await;
    let browser = Browser::new();
    browser.log_in(&node, "12345").await;

    // Without a socket, so that the request ends here and now.
    world.provider.during_notice.set();
    let app = world.app(&node.layer);
    tokio::select! {
        _ = app.oneshot(notice("token:12345")) => panic!("the provider is held"),
        () = world.provider.during_notice.reached() => {}
    }
    world.provider.during_notice.go();
    assert_eq!(until_applied(&node, "token:12345").await, 200);
    assert_eq!(world.provider.notices.load(SeqCst), 1, "it was that one");
    assert!(!browser.is_in(&node).await);
}

#[tokio::test]
async fn a_notice_that_cannot_be_checked_tells_the_sender_to_come_back() {
    let world = World::new();
    let node = world.node().await;
    let browser = Browser::new();
    browser.log_in(&node, "12345").await;
    for broken in [&world.provider.down, &world.provider.misconfigured] {
        broken.store(true, SeqCst);
        let response = browser
            .post(&node, "/clef/logout")
            .form(&[("logout_token", "token:12345")])
            .send()
            .await
            .unwrap();
        assert_eq!(response.status(), 503);
        assert!(response.headers().contains_key("retry-after"));
        assert!(browser.is_in(&node).await, "nothing happened yet");
        broken.store(false, SeqCst);
    }
    assert_eq!(node.notice("token:12345").await, 200, "the same token");
    assert!(!browser.is_in(&node).await);
}

/// A logout notice, for a router without a socket.
fn notice(token: &str) -> Request<Body> {
    Request::post("/clef/logout")
        .header("content-type", "application/x-www-form-urlencoded")
        .body(Body::from(format!("logout_token={token}")))
        .unwrap()
}

/// Sends a notice until it is answered by something else than "come back", as senders do.
async fn until_applied(node: &crate::support::Node, token: &str) -> u16 {
    // Each answer may take its time; so many are more than any test needs.
    for _ in 0..30 {
        match node.notice(token).await {
            503 => {}
            status => return status,
        }
    }
    503
}

#[tokio::test]
async fn the_application_ends_logins_by_the_same_path() {
    use axum_clef::LogoutError;

    let world = World::new();
    let (here, there) = (world.node().await, world.node().await);
    let (phone, laptop, other) = (Browser::new(), Browser::new(), Browser::new());
    phone.log_in(&here, "12345").await;
    laptop.log_in(&there, "12345").await;
    other.log_in(&there, "67890").await;

    // "Sign out on all devices".
    let response = phone.post(&here, "/everywhere").send().await.unwrap();
    assert_eq!(response.text().await.unwrap(), "Ok(true)");
    for node in [&here, &there] {
        assert!(!phone.is_in(node).await);
        assert!(!laptop.is_in(node).await);
        assert!(other.is_in(node).await);
    }
    let response = laptop.post(&here, "/everywhere").send().await.unwrap();
    assert_eq!(response.status(), 401);

    // An administrator, while the store is down and after.
    let subject = |id| Subject::new(crate::support::provider::ISSUER, id);
    let logouts = there.layer.logouts();
    assert_eq!(logouts.log_out(&subject("nobody")).await, Ok(false));
    world.users.failing.store(true, SeqCst);
    let owed = logouts.log_out(&subject("67890")).await;
    assert_eq!(owed, Err(LogoutError::Owed));
    assert_eq!(there.layer.pending_logouts(), 1);
    assert!(!other.is_in(&there).await);
    world.users.failing.store(false, SeqCst);
    assert_eq!(logouts.log_out(&subject("67890")).await, Ok(true));
    assert!(!other.is_in(&here).await);
}

// 7. Nothing for nothing.

#[tokio::test]
async fn who_never_asks_pays_nothing_and_who_asks_twice_pays_once() {
    let world = World::new();
    let node = world.node().await;
    let browser = Browser::new();
    browser.log_in(&node, "12345").await;
    let calls = || {
        (
            world.sessions.calls.swap(0, SeqCst),
            world.users.loads.swap(0, SeqCst),
        )
    };
    calls();

    assert_eq!(browser.status(&node, "/public").await, 200);
    assert_eq!(calls(), (0, 0));
    assert_eq!(browser.status(&node, "/twice").await, 200);
    assert_eq!(calls(), (1, 1));
    assert_eq!(browser.status(&node, "/members/one").await, 200);
    assert_eq!(calls(), (1, 1));
}

#[tokio::test]
async fn a_visitor_who_never_logs_in_gets_no_session() {
    let world = World::new();
    let node = world.node().await;
    let browser = Browser::new();
    for path in ["/", "/public", "/account", "/members/one", "/button"] {
        browser.open(&node, path).await;
    }
    let state = browser.begin(&node, "/account").await;
    let refused = browser.come_back(&node, "refused", &state).await;
    assert_eq!(refused.status(), 403);
    assert_eq!(world.sessions.calls.load(SeqCst), 0);
    assert!(!browser.cookies(&node).contains("clef-session"));
}

// And what the promise stands on, with the stores that people deploy.

#[cfg(feature = "sqlite")]
#[tokio::test]
async fn the_promise_holds_over_sqlite_and_a_restart() {
    use axum_clef::stores::SqliteUserStore;
    use tower_sessions_sqlx_store::SqliteStore;

    let directory = tempfile::tempdir().unwrap();
    let url = format!("sqlite://{}", directory.path().join("site.db").display());
    let world = || async {
        let users = SqliteUserStore::connect(&url).await.unwrap();
        let sessions = SqliteStore::new(users.pool().clone());
        sessions.migrate().await.unwrap();
        World {
            users: TestUsers::new(users),
            sessions: TestSessions::new(sessions),
            ..World::new()
        }
    };
    let (phone, laptop, other) = (Browser::new(), Browser::new(), Browser::new());
    {
        let node = world().await.node().await;
        phone.log_in(&node, "12345").await;
        laptop.log_in(&node, "12345").await;
        other.log_in(&node, "67890").await;
        assert_eq!(node.notice("token:12345").await, 200);
        assert!(!phone.is_in(&node).await);
        phone.log_in(&node, "12345").await;
    }
    let node = world().await.node().await;
    assert!(!laptop.is_in(&node).await, "the logout survives a restart");
    assert!(phone.is_in(&node).await, "and so does the login after it");
    assert!(other.is_in(&node).await);
}

#[tokio::test]
async fn a_login_ends_with_its_lifetime_and_with_idleness_whatever_the_store_says() {
    let world = World::new();
    let lasting = world.node().await;
    let brief = world.layer().lifetime(Duration::from_secs(3600));
    let brief = world.node_with(brief).await;
    let browser = Browser::new();
    browser.log_in(&lasting, "12345").await;
    world.clock.advance(59 * MINUTE);
    assert!(browser.is_in(&brief).await);
    world.clock.advance(MINUTE);
    assert!(!browser.is_in(&brief).await, "however busy it was");
    assert!(browser.is_in(&lasting).await, "by setting only");

    // A day without a request; the store's clock has not moved.
    world.clock.advance(24 * 60 * MINUTE);
    assert!(!browser.is_in(&lasting).await);
}

#[tokio::test]
async fn two_layers_over_one_session_store_do_not_mix_their_users() {
    let world = World::new();
    let customers = world.node().await;
    // The staff of the same shop: other users, the same sessions, the same first id.
    let staff = World {
        users: TestUsers::new(MemoryUserStore::new()),
        ..world.clone()
    };
    let boss = Profile::new(Subject::new(crate::support::provider::ISSUER, "boss"));
    staff.users.inner.log_in(&boss).await.unwrap();
    let paths = axum_clef::Paths::under("/staff").unwrap();
    let elsewhere = ClefLayer::new(
        "http://localhost:9",
        staff.provider.clone(),
        staff.users.clone(),
        staff.sessions.clone(),
    );
    let browser = Browser::new();
    browser.log_in(&customers, "12345").await;
    assert!(browser.is_in(&customers).await);
    // At the same site under other paths, and at another site under the same.
    for layer in [staff.layer().paths(paths), elsewhere.unwrap()] {
        let staff = staff.node_with(layer).await;
        assert!(!browser.is_in(&staff).await);
    }
}

#[tokio::test]
async fn an_application_with_its_own_session_layer_keeps_the_promise() {
    use tower_sessions::{SessionManagerLayer, cookie::Key};

    let world = World::new();
    let sessions = SessionManagerLayer::new(MemoryStore::default())
        .with_signed(Key::generate())
        .with_name("own")
        .with_secure(false)
        .with_same_site(tower_sessions::cookie::SameSite::Lax);
    let layer = ClefLayer::with_session_layer(
        World::SITE,
        world.provider.clone(),
        world.users.clone(),
        sessions,
    )
    .unwrap();
    let app = axum::Router::new()
        .route(
            "/account",
            axum::routing::get(|_: axum_clef::LoggedIn<axum_clef::stores::Account>| async {}),
        )
        .merge(layer.routes())
        .layer(layer);
    let node = world.serve(app, world.layer()).await;
    let browser = Browser::new();
    browser.log_in(&node, "12345").await;
    assert!(browser.cookies(&node).contains("own="));
    assert!(browser.is_in(&node).await);
    assert_eq!(node.notice("token:12345").await, 200);
    assert!(!browser.is_in(&node).await);
}

#[tokio::test]
async fn a_session_in_use_is_kept_from_expiring() {
    let world = World::new();
    let node = world.node().await;
    let browser = Browser::new();
    browser.log_in(&node, "12345").await;
    let expiry = || world.sessions.last_saved().expiry_date;
    let stamp = || login_in(&world.sessions.last_saved())[LOGGED_IN_AT].clone();
    let (first, logged_in_at) = (expiry(), stamp());

    world.clock.advance(60 * MINUTE);
    assert!(browser.is_in(&node).await);
    assert_eq!(expiry(), first, "an hour of a day is not worth a write");
    world.clock.advance(13 * MINUTE + SECOND);
    assert!(browser.is_in(&node).await);
    assert!(expiry() > first);
    assert_eq!(stamp(), logged_in_at, "the stamp is set at the login only");
}
