//! The mistakes of a first hour: each says what is wrong, and the line to write.

use std::{
    error::Error,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::SeqCst},
    },
};

use axum::{
    Router,
    http::{Method, StatusCode},
    routing::{get, post},
};
use axum_clef::{
    ClefLayer, LoggedIn, NewLogin, OtherLogins, SameOrigin, Timestamp, User, oidc::Oidc,
    stores::Account,
};
use test_support::{App, Jar, SubjectsAlone, World, log, text};

const HTML: (&str, &str) = ("accept", "text/html");

/// The status and the body of a page that a person opens.
async fn open(app: &impl App, path: &str, host: &str) -> (StatusCode, String) {
    let headers = [HTML, ("host", host)];
    let mut jar = Jar::default();
    let response = jar.send_with(app, (Method::GET, path), &headers).await;
    (response.status(), text(response).await)
}

/// The text without the escapes of HTML and of the log.
fn plain(text: &str) -> String {
    text.replace("&quot;", "\"").replace("\\\"", "\"")
}

#[track_caller]
fn assert_says(text: &str, words: &[&str]) {
    let text = plain(text);
    for word in words {
        assert!(text.contains(word), "{word:?} in {text}");
    }
}

#[tokio::test]
async fn a_forgotten_merge_is_logged_when_a_ready_route_is_asked_for() {
    let world = World::new();
    let line = [
        "`.merge(auth.routes())` before `.layer(auth)`",
        "/clef/login",
    ];
    log::listen();
    let merged = world.app(&world.layer());
    assert_eq!(open(&merged, "/clef/login", "127.0.0.1:9").await.0, 303);
    assert_eq!(open(&merged, "/nowhere", "127.0.0.1:9").await.0, 404);
    assert!(log::events_at("ERROR").is_empty(), "{:?}", log::events());

    let forgotten = world.pages(Router::new()).layer(world.layer());
    for path in ["/account", "/nowhere"] {
        open(&forgotten, path, "127.0.0.1:9").await;
    }
    assert!(log::events_at("ERROR").is_empty(), "{:?}", log::events());
    assert_eq!(
        open(&forgotten, "/clef/login?next=/", "127.0.0.1:9")
            .await
            .0,
        404
    );
    let events = log::events_at("ERROR");
    assert_eq!(events.len(), 1, "{events:?}");
    assert_says(&events[0], &line);
}

#[tokio::test]
async fn routes_and_handlers_outside_of_the_layer_show_the_line() {
    let world = World::new();
    let (layer, host) = (world.layer(), "127.0.0.1:9");
    let line = ["`.merge(auth.routes())` before `.layer(auth)`"];
    let late = world
        .pages(Router::new())
        .layer(layer.clone())
        .merge(layer.routes());
    let (status, page) = open(&late, "/clef/login", host).await;
    assert_eq!(status, 500);
    assert_says(&page, &line);

    let line = ["add `.layer(auth)` to the router, after all of its routes and guards"];
    let outside = Router::new()
        .route("/guard", get(|_: LoggedIn<Account>| async {}))
        .route("/form", get(|_: SameOrigin| async {}))
        .route("/log-in", get(|_: NewLogin| async {}));
    for path in ["/guard", "/form", "/log-in"] {
        let (status, page) = open(&outside, path, host).await;
        assert_eq!(status, 500, "{path}");
        assert_says(&page, &line);
    }
}

#[derive(Clone)]
struct Administrator;

impl User for Administrator {
    fn id(&self) -> String {
        String::new()
    }

    fn logged_out_at(&self) -> Option<Timestamp> {
        None
    }
}

#[tokio::test]
async fn another_user_type_is_named_beside_the_right_one() {
    let world = World::new();
    let wrong = Router::new().route("/", get(|_: LoggedIn<Administrator>| async {}));
    log::listen();
    let (status, page) = open(&wrong.layer(world.layer()), "/", "127.0.0.1:9").await;
    assert_eq!(status, 500);
    assert_says(&page, &["another user type", "the log names both"]);
    let events = log::events_at("ERROR");
    assert_eq!(events.len(), 1, "{events:?}");
    let asked = "asks for `LoggedIn<mistakes::Administrator>`";
    let line = "write `LoggedIn<axum_clef::stores::Account>`";
    assert_says(&events[0], &[asked, line]);
}

#[tokio::test]
async fn a_store_that_keeps_no_login_is_named_before_the_handler_writes() {
    let world = World::new();
    let layer = ClefLayer::builder(World::SITE, SubjectsAlone::default(), world.stored())
        .provider(world.provider.clone())
        .build()
        .unwrap();
    let is_written = Arc::new(AtomicBool::new(false));
    let password = Arc::clone(&is_written);
    let change_password = async move |others: OtherLogins| {
        password.store(true, SeqCst);
        others.log_out().await
    };
    let app = world
        .pages(layer.routes())
        .route("/password", post(change_password))
        .layer(layer);
    let mut here = Jar::logged_in(&app, "12345").await;
    let mut there = Jar::logged_in(&app, "12345").await;
    log::listen();
    let response = here.post(&app, "/password").await;
    assert_eq!(response.status(), 500);
    assert!(!is_written.load(SeqCst), "the handler ran");
    assert!(here.is_in(&app).await && there.is_in(&app).await);
    let events = log::events_at("ERROR");
    assert_eq!(events.len(), 1, "{events:?}");
    let line = ["implement `UserStore::log_out_others` and `UserStore::keeps_one_login`"];
    assert_says(&events[0], &line);
}

#[tokio::test]
async fn a_site_that_is_opened_under_another_name_shows_both() {
    let world = World::new();
    let app = world.app(&world.layer());
    let line = [
        "the browser shows http://localhost:9, and the site is http://127.0.0.1:9",
        "open http://127.0.0.1:9/",
        "`ClefLayer::builder(\"http://localhost:9\", …)`",
    ];
    let (status, page) = open(&app, "/clef/login?next=/account", "localhost:9").await;
    assert_eq!(status, 500);
    assert_says(&page, &line);
    // Its link leads to the right one.
    assert_says(
        &page,
        &["href=\"http://127.0.0.1:9/clef/login?next=%2Faccount\""],
    );

    // A proxy, or a container that has another port outside.
    for host in [
        "localhost:5173",
        "app.example",
        "app.example:9",
        "127.0.0.1:9",
    ] {
        assert_eq!(open(&app, "/clef/login", host).await.0, 303, "{host}");
    }

    let form = post(|_: SameOrigin| async {});
    let app = Router::new().route("/form", form).layer(world.layer());
    log::listen();
    for (origin, status) in [
        ("http://evil.example", 403),
        ("http://evil.example:9", 403),
        ("http://localhost:8", 403),
        ("http://127.0.0.1:9", 200),
    ] {
        let headers = [("origin", origin)];
        let sent = Jar::default()
            .send_with(&app, (Method::POST, "/form"), &headers)
            .await;
        assert_eq!(sent.status(), status, "{origin}");
    }
    assert!(log::events_at("ERROR").is_empty(), "{:?}", log::events());
    let headers = [("origin", "http://localhost:9")];
    let sent = Jar::default()
        .send_with(&app, (Method::POST, "/form"), &headers)
        .await;
    assert_eq!(sent.status(), 403);
    let events = log::events_at("ERROR");
    assert_eq!(events.len(), 1, "{events:?}");
    assert_says(&events[0], &line);
}

#[tokio::test]
async fn plain_http_is_refused_with_the_scheme_to_write() {
    let line = [
        "plain `http` is for loopback addresses only",
        "write `https://`",
    ];
    let issuer = Oidc::discover("http://id.example.com", "id", "secret").await;
    assert_says(&issuer.unwrap_err().to_string(), &line);
    let world = World::new();
    let site = world
        .builder_at("http://example.com", world.stored())
        .build();
    assert_says(&site.unwrap_err().to_string(), &line);
}

#[tokio::test]
async fn a_provider_that_is_not_there_is_named_at_the_start() -> Result<(), Box<dyn Error>> {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
    let without_metadata = format!("http://{}/realms/wrong", listener.local_addr()?);
    tokio::spawn(async move { axum::serve(listener, Router::new()).await });
    for (issuer, words) in [
        (
            "http://127.0.0.1:1".to_owned(),
            [
                "no login works until they are",
                "cannot be reached",
                "refused",
            ],
        ),
        (
            without_metadata,
            [
                "404",
                "the issuer is wrong",
                "/.well-known/openid-configuration",
            ],
        ),
    ] {
        log::listen();
        Oidc::discover(&*issuer, "id", "secret").await?;
        let events = log::events_at("WARN");
        assert_eq!(events.len(), 1, "{events:?}");
        assert_says(&events[0], &[&*issuer]);
        assert_says(&events[0], &words);
    }
    Ok(())
}
