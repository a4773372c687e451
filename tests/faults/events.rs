//! Each login, each logout and each refusal says itself once, with its reason.

use std::{sync::atomic::Ordering::SeqCst, time::Duration};

use axum::{
    Router,
    body::Body,
    http::{Request, request::Builder},
    routing::get,
};
use axum_clef::{LoggedIn, LogoutError, Subject, Timestamp, User};

use test_support::log;

use crate::{
    browser::{Browser, notice, send},
    clef_down::Visitor,
    fault::{Fault, Lasting},
    routes::Route,
    site::{Node, Site},
    wrong_clef::{Step, Wrong, WrongClef},
};

#[tokio::test(start_paused = true)]
async fn what_goes_well_says_so_once() {
    for route in Route::ALL {
        let mut scene = route.scene().await;
        log::listen();
        route.ask(&mut scene).await;
        let said: &[_] = match route {
            route if route.is_login() || route == Route::Form => &[" INFO ", "logged in user="],
            Route::Link => &[" INFO ", "an identity was linked"],
            Route::NewToken => &[" INFO ", "a token is made"],
            Route::Others | Route::SealedOthers => &[
                " INFO ",
                "all other logins of the user have ended",
                "cause=user",
            ],
            route if route.is_sign_out() => &[" INFO ", "signed out on this device"],
            Route::Notice => &[
                " INFO ",
                "logged out everywhere subject=",
                "12345",
                "cause=provider",
            ],
            Route::NoticeForASession => &[
                " INFO ",
                "a session at the provider has ended",
                "cause=provider",
            ],
            Route::Everywhere => &[" INFO ", "a logout by the application", "cause=unknown"],
            Route::NoticeForAStranger => &[" INFO ", "a logout notice is for an unknown user"],
            _ => &[],
        };
        if said.is_empty() {
            assert_eq!(log::events(), [""; 0], "{route:?}");
        } else {
            log::assert_one(said, &format!("{route:?}"));
        }
    }
}

fn post(path: &str) -> Builder {
    Request::post(path)
}

/// Between two events of one kind, of which the log has one a second.
async fn a_second_later() {
    tokio::time::advance(Duration::from_secs(1)).await;
}

#[tokio::test(start_paused = true)]
async fn a_request_that_is_refused_says_why_once() {
    let site = Site::new();
    let Node { app, layer } = site.node();
    let form = "application/x-www-form-urlencoded";
    let text = |text: &str| Body::from(text.to_owned());
    let empty = Body::empty;
    let table: [(Builder, Body, u16, &str); 11] = [
        (
            Request::get("/clef/login?next=https://evil.example/"),
            empty(),
            400,
            "kind=BadRequest reason=`next` is not a path",
        ),
        (
            Request::get("/clef/login?next=/a&next=/b"),
            empty(),
            400,
            "kind=BadRequest reason=",
        ),
        (
            Request::get("/clef/callback?code=SECRET-CODE&code=x"),
            empty(),
            400,
            "kind=BadRequest reason=",
        ),
        (
            Request::get("/clef/callback?code=SECRET-CODE&state=SECRET-STATE"),
            empty(),
            403,
            "kind=StateMismatch reason=no login with this state",
        ),
        (
            post("/clef/logout").header("content-type", "text/plain"),
            text("logout_token=SECRET-TOKEN"),
            415,
            "a logout notice was rejected cause=NotANotice",
        ),
        (
            post("/clef/logout").header("content-type", form),
            text("logout_token="),
            400,
            "The token is missing",
        ),
        (
            post("/clef/logout").header("content-type", form),
            text("logout_token=SECRET-TOKEN&logout_token=x"),
            400,
            "Send a form with one token",
        ),
        (
            post("/clef/logout").header("content-type", form),
            text(&"x".repeat(20_000)),
            413,
            "too large",
        ),
        (
            post("/clef/logout").header("content-type", form),
            text("logout_token=SECRET-TOKEN"),
            400,
            "a logout notice was rejected cause=\"not good\"",
        ),
        (
            post("/auth/sign-out").header("origin", "https://evil.example"),
            empty(),
            403,
            "kind=ForeignOrigin reason=a page of another site",
        ),
        (
            post("/auth/sign-out").header("sec-fetch-site", "cross-site"),
            empty(),
            403,
            "kind=ForeignOrigin reason=",
        ),
    ];
    for (request, body, status, words) in table {
        a_second_later().await;
        log::listen();
        let answer = send(&app, request.body(body).unwrap()).await;
        assert_eq!(answer.status, status, "{words}");
        log::assert_one(&[" INFO ", words], words);
        assert!(!log::text().contains("SECRET"), "{}", log::text());
    }

    // What comes back from the provider, with a state that is good.
    let long = "x".repeat(5_000);
    for (code, status, words) in [
        ("", 400, "kind=BadRequest reason=the code is empty"),
        (&*long, 400, "kind=BadRequest reason=the code is too long"),
        ("SECRET-CODE", 403, "kind=Refused reason=not good"),
        (
            "x&error=access_denied",
            403,
            "kind=Declined reason=the login was not completed at the provider: access_denied",
        ),
    ] {
        let mut browser = Browser::default();
        let callback = browser.begin(&app, code).await;
        a_second_later().await;
        log::listen();
        assert_eq!(browser.get(&app, &callback).await.status, status, "{words}");
        log::assert_one(&[" INFO ", words], words);
        assert!(!log::text().contains("SECRET"), "{}", log::text());
    }
    let mut browser = Browser::default();
    let callback = browser.begin(&app, "code:12345").await;
    site.users.turning_away.store(true, SeqCst);
    log::listen();
    assert_eq!(browser.get(&app, &callback).await.status, 403);
    log::assert_one(&[" INFO ", "kind=TurnedAway reason="], "turned away");
    site.users.turning_away.store(false, SeqCst);

    let nobody = Subject::new("https://clef.test", "nobody");
    log::listen();
    assert_eq!(layer.logouts().log_out_subject(&nobody).await, Ok(false));
    log::assert_one(
        &[" INFO ", "a logout by the application", "UnknownUser"],
        "nobody",
    );
}

#[tokio::test(start_paused = true)]
async fn a_login_in_doubt_says_why_to_whoever_debugs() {
    let site = Site::new();
    let Node { app, .. } = site.node();
    let mut browser = Browser::default();
    browser.log_in(&app, "code:12345").await;
    let callback = browser.begin(&app, "code:12345").await;
    site.faults.break_at(0, Fault::Hangs, Lasting::Once);
    assert_eq!(notice(&app, "token:12345:once").await.status, 503);

    log::listen();
    assert_eq!(browser.get(&app, &callback).await.status, 403);
    log::assert_one(&[" INFO ", "kind=LoggedOutMeanwhile reason="], "owed");

    log::listen();
    assert_eq!(browser.is(&app).await, None);
    assert_eq!(log::events(), [""; 0]);
    let text = log::text();
    let mut ours = text.lines().filter(|line| line.contains(" axum_clef::"));
    let event = ours.next().unwrap();
    assert!(event.contains(" DEBUG "), "{event}");
    assert!(
        event.contains("a login is refused user=\"1\" reason="),
        "{event}"
    );
    assert!(event.ends_with(" cause=unknown"), "{event}");
    assert_eq!(ours.next(), None);
}

#[tokio::test(start_paused = true)]
async fn a_logout_that_finds_no_place_says_so_once() {
    let site = Site::new();
    let Node { app, layer } = site.node();
    site.faults.break_at(0, Fault::Hangs, Lasting::UntilMended);
    for person in 0..1_024 {
        let token = format!("token:{person}:once");
        let request = notice(&app, &token);
        // It goes on without whoever sent it.
        let _ = tokio::time::timeout(Duration::from_millis(1), request).await;
    }
    assert_eq!(layer.pending_logouts(), 1_024);
    log::listen();
    for token in 1_024..2_000 {
        let token = format!("token:{token}:once");
        assert_eq!(notice(&app, &token).await.status, 503);
    }
    log::assert_one(&[" ERROR ", "too many logouts"], "a flood of notices");
    a_second_later().await;
    log::listen();
    let another = Subject::new("https://clef.test", "257");
    let refused = layer.logouts().log_out_subject(&another).await;
    assert_eq!(refused, Err(LogoutError::QueueFull));
    log::assert_one(&[" ERROR ", "too many logouts"], "a button");
}

#[tokio::test]
async fn a_clef_that_is_wrong_is_told_of_once() {
    let nowhere = "127.0.0.1:1".parse().unwrap();
    for (wrong, reason) in [
        (Wrong::ClosesAtOnce, "Clef cannot be reached"),
        (Wrong::TruncatedJson, "a body that is not JSON"),
        (Wrong::Page, "a body that is not JSON"),
        (Wrong::EndlessBody, "larger than 65536 bytes"),
        (Wrong::Redirects(307), "answered with a redirect"),
    ] {
        let clef = WrongClef::start().await;
        let mut visitor = Visitor::at(clef.client()).await;
        let why = format!("{wrong:?}");
        for step in [Step::Info, Step::Logout] {
            clef.be(step, wrong, nowhere);
            log::listen();
            if step == Step::Info {
                visitor.comes_back_in_vain(&why).await;
                let words = [
                    " ERROR ",
                    "a login failed kind=ProviderUnavailable reason=",
                    reason,
                ];
                log::assert_one(&words, &why);
            } else {
                visitor.logs_out_in_vain(&why).await;
                let words = [
                    " WARN ",
                    "a logout notice could not be verified cause=",
                    reason,
                ];
                log::assert_one(&words, &why);
            }
            for secret in ["SECRET", "an access token", "the secret"] {
                let text = log::text();
                let line = text.lines().find(|line| line.contains(secret));
                assert_eq!(line, None, "{why}");
            }
        }
    }
}

#[derive(Clone)]
struct Stranger;

impl User for Stranger {
    fn id(&self) -> String {
        String::new()
    }

    fn logged_out_at(&self) -> Option<Timestamp> {
        None
    }
}

#[tokio::test(start_paused = true)]
async fn a_mistake_in_the_program_says_so_once() {
    let site = Site::new();
    let Node { layer, .. } = site.node();
    let wrong = Router::new().route("/", get(|_: LoggedIn<Stranger>| async {}));
    for (app, path, words) in [
        (wrong.clone().layer(layer.clone()), "/", "is not the `User`"),
        (wrong, "/", "not inside a ClefLayer"),
        (layer.routes(), "/clef/login", "kind=LayerMissing"),
        (layer.routes(), "/clef/callback", "kind=LayerMissing"),
    ] {
        a_second_later().await;
        log::listen();
        assert_eq!(Browser::default().get(&app, path).await.status, 500);
        log::assert_one(&[" ERROR ", words], words);
    }
}

/// The level and the words of its line in the log, the request, and its body.
type Attack = (&'static str, &'static str, fn() -> Builder, &'static str);

/// A thousand of each, and the log has a line.
#[tokio::test(start_paused = true)]
async fn what_any_client_can_send_is_counted_and_logged_once_a_second() {
    let site = Site::new();
    let app = site.node().app;
    let requests: [Attack; 8] = [
        (
            " INFO ",
            "a logout notice was rejected",
            || post("/clef/logout"),
            "x",
        ),
        (
            " INFO ",
            "a logout notice was rejected",
            || post("/clef/logout").header("content-type", "application/x-www-form-urlencoded"),
            "logout_token=forged",
        ),
        (
            " WARN ",
            "a logout notice could not be verified",
            || post("/clef/logout").header("content-type", "application/x-www-form-urlencoded"),
            "logout_token=unknown-key",
        ),
        (
            " INFO ",
            "kind=BadRequest",
            || Request::get("/clef/login?next=x"),
            "",
        ),
        (
            " INFO ",
            "kind=StateMismatch",
            || Request::get("/clef/callback?code=x&state=x"),
            "",
        ),
        (
            " INFO ",
            "kind=ForeignOrigin",
            || post("/auth/sign-out").header("origin", "https://evil.example"),
            "",
        ),
        (
            " INFO ",
            "did not start",
            || Request::get("/clef/signed-out?state=x"),
            "",
        ),
        (
            " INFO ",
            "signed out at the provider too",
            || Request::get("/clef/signed-out?state=x").header("cookie", "auth-9-sign-out=x"),
            "",
        ),
    ];
    for (level, words, request, text) in requests {
        for count in ["", "count=1000"] {
            a_second_later().await;
            log::listen();
            for _ in 0..1_000 {
                send(&app, request().body(Body::from(text)).unwrap()).await;
            }
            log::assert_one(&[level, words, count], words);
        }
    }

    // Nothing at all where nothing has happened.
    log::listen();
    send(&app, post("/auth/sign-out").body(Body::empty()).unwrap()).await;
    assert_eq!(log::events(), [""; 0]);
    // And an error of the store, which any client meets.
    let mut browser = Browser::default();
    browser.log_in(&app, "code:12345").await;
    site.faults.break_at(0, Fault::Fails, Lasting::UntilMended);
    log::listen();
    for _ in 0..1_000 {
        assert_eq!(browser.get(&app, "/account").await.status, 503);
    }
    log::assert_one(&[" ERROR ", "a store did not answer"], "a store");
    // Also where the application signs out itself.
    log::listen();
    for _ in 0..1_000 {
        assert_eq!(browser.post(&app, "/leave").await.status, 503);
    }
    log::assert_one(&[" ERROR ", "a sign-out by a handler failed"], "/leave");
}

/// What was known to be the provider is not lost among forged notices.
#[tokio::test(start_paused = true)]
async fn a_refused_notice_of_a_known_provider_is_a_warning_with_its_reason() {
    let site = Site::new();
    let node = site.node_behind(|request| {
        let address = request.headers.get("x-real-ip")?.to_str().ok()?;
        address.parse().ok()
    });
    let app = node.app;
    let from = async |address: &str, token: &str| {
        let request = post("/clef/logout")
            .header("content-type", "application/x-www-form-urlencoded")
            .header("x-real-ip", address)
            .body(Body::from(format!("logout_token={token}")));
        send(&app, request.unwrap()).await.status
    };
    let (provider, attacker) = ("10.0.0.1", "10.0.0.2");
    assert_eq!(from(provider, "token:12345:once").await, 404);
    for (token, status, words) in [
        (
            "forged",
            400,
            "a logout notice from the provider was rejected cause=\"not good\"",
        ),
        (
            "unknown-key",
            503,
            "could not be verified cause=\"the key is not known\"",
        ),
    ] {
        a_second_later().await;
        for number in 0..1_000 {
            from(attacker, &format!("{token}-{number}")).await;
        }
        log::listen();
        for number in 0..1_000 {
            let token = format!("{token}+{number}");
            assert_eq!(from(provider, &token).await, status);
        }
        log::assert_one(&[" WARN ", words, "provider=\"Clef\"", "count=1"], token);
    }
}

#[tokio::test(start_paused = true)]
async fn a_layer_that_never_sees_an_address_says_so_once() {
    let words = [
        " WARN ",
        "into_make_service_with_connect_info::<SocketAddr>()",
    ];
    let site = Site::new();
    // Once for each layer.
    for _ in 0..2 {
        let layer = site.node_behind(|_| None).layer;
        let app = layer.routes::<()>().layer(layer);
        log::listen();
        for _ in 0..3 {
            send(
                &app,
                Request::get("/clef/login").body(Body::empty()).unwrap(),
            )
            .await;
        }
        log::assert_one(&words, "unknown");
    }
}

#[tokio::test(start_paused = true)]
async fn logouts_that_cannot_be_written_are_logged_once_a_second() {
    let site = Site::new();
    let logouts = site.node().layer.logouts();
    site.faults.break_at(0, Fault::Fails, Lasting::UntilMended);
    log::listen();
    let (one, other) = tokio::join!(logouts.log_out_user("1"), logouts.log_out_user("2"));
    assert_eq!([one, other], [Err(LogoutError::Pending); 2]);
    let events = log::events();
    let failed = |event: &&String| event.contains("a logout could not be written");
    let failed = events.iter().filter(failed).count();
    assert!((1..=2).contains(&failed), "{events:#?}");
}
