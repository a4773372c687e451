//! What is counted, by the recorder of the program.

use std::sync::atomic::Ordering::SeqCst;

use axum::{
    Router,
    response::Redirect,
    routing::{get, post},
};
use axum_clef::{LogInError, LoggedIn, NewLogin, NewToken, NewTokenError, stores::Account};
use metrics_util::debugging::{DebugValue, DebuggingRecorder, Snapshotter};
use test_support::{Jar, World, notice};

/// What was counted since the last look, with its labels.
fn counted(snapshotter: &Snapshotter) -> Vec<String> {
    let all = snapshotter.snapshot().into_vec().into_iter();
    let mut counted: Vec<_> = all
        .filter_map(|(key, _, _, value)| {
            let key = key.key();
            let labels = key
                .labels()
                .map(|label| format!(" {}={}", label.key(), label.value()));
            let name = key.name().strip_prefix("axum_clef_").unwrap_or(key.name());
            let of = format!("{name}{}", labels.collect::<String>());
            match value {
                DebugValue::Counter(0) => None,
                DebugValue::Counter(count) => Some(format!("{of}: {count}")),
                DebugValue::Gauge(value) => Some(format!("{of}: {value}")),
                DebugValue::Histogram(_) => None,
            }
        })
        .collect();
    counted.sort_unstable();
    counted
}

async fn log_in_unknown(login: NewLogin) -> Result<Redirect, LogInError> {
    login.begin("unknown").await
}

#[tokio::test(start_paused = true)]
async fn logins_logouts_and_refusals_are_counted() {
    let recorder = DebuggingRecorder::new();
    let snapshotter = recorder.snapshotter();
    let _guard = metrics::set_default_local_recorder(&recorder);
    let world = World::new();
    let layer = world
        .builder()
        .bearer_tokens([World::key()])
        .build()
        .unwrap();
    let token = async |token: NewToken| -> Result<(), NewTokenError> {
        token.mint("SECRET-NAME").await.map(drop)
    };
    let app = Router::new()
        .route("/account", get(|_: LoggedIn<Account>| async {}))
        .route("/token", post(token))
        .route("/unknown", post(log_in_unknown))
        .merge(layer.routes())
        .layer(layer);

    let mut jar = Jar::logged_in(&app, "12345").await;
    assert_eq!(counted(&snapshotter), ["logins_total result=Begun: 1"]);
    assert_eq!(jar.post(&app, "/token").await.status(), 200);
    assert_eq!(counted(&snapshotter), ["tokens_total result=Made: 1"]);

    assert_eq!(notice(&app, "token:12345:once").await, 200);
    assert_eq!(notice(&app, "SECRET-TOKEN").await, 400);
    assert_eq!(jar.status(&app, "/account").await, 401);
    let bearer = [("authorization", "Bearer SECRET-TOKEN")];
    let get = (axum::http::Method::GET, "/account");
    assert_eq!(jar.send_with(&app, get, &bearer).await.status(), 401);
    let expected = [
        "logouts_total result=LoggedOut cause=provider: 1",
        "notices_total endpoint=Clef outcome=BadToken: 1",
        "notices_total endpoint=Clef outcome=LoggedOut: 1",
        "pending_logouts: 0",
        "refused_logins_total reason=LoggedOut: 1",
        "refused_tokens_total kind=InvalidToken: 1",
    ];
    assert_eq!(counted(&snapshotter), expected);

    jar.log_in(&app, "12345").await;
    assert_eq!(jar.post(&app, "/auth/sign-out").await.status(), 303);
    let foreign = jar
        .status(&app, "/clef/callback?code=SECRET-CODE&state=SECRET-STATE")
        .await;
    assert_eq!(foreign, 403);
    let expected = [
        "login_failures_total kind=StateMismatch: 1",
        "logins_total result=Begun: 1",
        "pending_logouts: 0",
        "sign_outs_total: 1",
    ];
    assert_eq!(counted(&snapshotter), expected);

    assert_eq!(jar.post(&app, "/unknown").await.status(), 403);
    let turned_away = ["logins_total result=TurnedAway: 1", "pending_logouts: 0"];
    assert_eq!(counted(&snapshotter), turned_away);

    // A store that fails, and a logout that waits for it.
    jar.log_in(&app, "12345").await;
    counted(&snapshotter);
    world.users.failing.store(true, SeqCst);
    assert_eq!(jar.status(&app, "/account").await, 503);
    assert_eq!(notice(&app, "token:12345:later").await, 503);
    let expected = [
        "notices_total endpoint=Clef outcome=TryAgain: 1",
        "pending_logouts: 1",
        "store_failures_total question=Check: 1",
    ];
    assert_eq!(counted(&snapshotter), expected);
    assert_eq!(jar.status(&app, "/account").await, 401);
    let refused = ["refused_logins_total reason=PendingLogout: 1"];
    assert!(counted(&snapshotter).ends_with(&refused.map(str::to_owned)));
    world.users.failing.store(false, SeqCst);
    tokio::time::sleep(std::time::Duration::from_secs(10)).await;
    // This recorder sets gauges to zero at each look.
    let written = [
        "logouts_total result=LoggedOut cause=provider: 1",
        "pending_logouts: -1",
    ];
    assert_eq!(counted(&snapshotter), written);
}
