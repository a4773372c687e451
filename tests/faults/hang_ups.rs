//! A client that hangs up at each call that its request makes of a store.

use std::time::Duration;

use crate::{
    fault::Call,
    routes::{CODE, PERSON, Route, Scene},
};

/// What a call to a store may take, and what the timer is not exact to.
fn limit(route: Route, call: Call) -> Duration {
    let seconds = match (route, call) {
        // So few are under way at once that each may take as long as a lost connection does.
        (Route::Renewal, Call::Save) => 16 * 60,
        _ => 10,
    };
    Duration::from_millis(seconds * 1_000 + 10)
}

/// Makes a request whose call waits, and hangs up there.
async fn hang_up(route: Route, at: usize) -> Scene {
    let mut scene = route.scene().await;
    let faults = scene.site.faults.clone();
    faults.hold_at(at);
    tokio::select! {
        answer = route.ask(&mut scene) => panic!("{route:?}, {at}: {answer:?}"),
        () = faults.reached() => {}
    }
    settle().await;
    scene
}

/// Lets everything else on this one thread go on.
async fn settle() {
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
}

fn calls() -> impl Iterator<Item = (Route, usize, Call)> {
    Route::ALL.into_iter().flat_map(|route| {
        let calls = route.calls().iter().enumerate();
        calls.map(move |(at, call)| (route, at, *call))
    })
}

fn writes(call: Call) -> bool {
    match call {
        Call::FindOrCreate
        | Call::LogIn
        | Call::LogOut
        | Call::LogOutSubject
        | Call::LogOutOthers
        | Call::Link
        | Call::Revoke
        | Call::Create
        | Call::Save
        | Call::Delete => true,
        Call::LoadUser
        | Call::CheckLogin
        | Call::UsersOf
        | Call::RevokedAt
        | Call::Now
        | Call::LoadSession => false,
    }
}

/// The site works as if nothing had been.
async fn assert_works(mut scene: Scene, case: &str) {
    let app = &scene.node.app;
    scene.browser.log_in(app, CODE).await;
    let user = scene.browser.is(app).await;
    assert_eq!(user.as_deref(), Some(PERSON), "{case}");
    let signed_out = scene.browser.post(app, "/auth/sign-out").await;
    assert_eq!(signed_out.status, 303, "{case}");
    assert_eq!(scene.browser.is(app).await, None, "{case}");
}

#[tokio::test(start_paused = true)]
async fn a_write_is_done_though_the_client_hangs_up() {
    let mut written = 0;
    for (route, at, call) in calls().filter(|(_, _, call)| writes(*call)) {
        let case = format!("{route:?}, {at}: {call:?}");
        let scene = hang_up(route, at).await;
        let faults = &scene.site.faults;
        assert_eq!(faults.under_way(), 1, "{case} was dropped");
        faults.go();
        settle().await;
        assert_eq!(faults.under_way(), 0, "{case}");
        assert_eq!(faults.done().get(at), Some(&call), "{case}");
        written += 1;
        assert_works(scene, &case).await;
    }
    assert_eq!(written, 38);
}

#[tokio::test(start_paused = true)]
async fn a_login_and_a_sign_out_go_on_to_their_end() {
    for (route, at, call) in calls() {
        if !route.is_login() && !route.is_sign_out() {
            continue;
        }
        let case = format!("{route:?}, {at}: {call:?}");
        let scene = hang_up(route, at).await;
        scene.site.faults.go();
        settle().await;
        assert_eq!(scene.site.faults.done(), route.calls(), "{case}");
        assert_works(scene, &case).await;
    }
}

/// It is bounded by our own limit then.
#[tokio::test(start_paused = true)]
async fn a_call_without_an_answer_is_given_up_though_no_client_waits() {
    for (route, at, call) in calls() {
        let case = format!("{route:?}, {at}: {call:?}");
        let scene = hang_up(route, at).await;
        tokio::time::sleep(limit(route, call)).await;
        settle().await;
        assert_eq!(scene.site.faults.under_way(), 0, "{case}");
        assert_works(scene, &case).await;
    }
}
