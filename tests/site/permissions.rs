//! `Permitted`: what not every user may do.

use std::{
    future::pending,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
    time::Duration,
};

use axum::{
    RequestPartsExt as _, Router,
    extract::{FromRef, Path},
    http::{Method, request::Parts},
    middleware::{from_extractor, from_extractor_with_state},
    response::{IntoResponse as _, Response},
    routing::get,
};
use axum_clef::{
    AllOf, AnyOf, BoxError, ClefLayerBuilder, LoggedIn, LoggedInRejection, Permission, Permitted,
    RejectionKind, Timestamp, User, UserPermission, stores::Account,
};
use serde_json::Value;

use crate::support::{
    Jar, TestUsers, World,
    jar::{location, notice, text},
};

const EDITOR: &str = "12345";
const READER: &str = "23456";

/// By the user alone.
struct Editor;

impl UserPermission for Editor {
    type User = Account;

    fn allows(user: &Account) -> bool {
        user.profile().subject.id() == EDITOR
    }
}

/// What the application's table answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Answer {
    Yes,
    No,
    Fails,
    Hangs,
    Panics,
}

impl Answer {
    const ALL: [Self; 5] = [Self::Yes, Self::No, Self::Fails, Self::Hangs, Self::Panics];

    async fn give(self) -> Result<bool, BoxError> {
        match self {
            Self::Yes => Ok(true),
            Self::No => Ok(false),
            Self::Fails => Err("no connection to documents.internal".into()),
            Self::Hangs => pending().await,
            Self::Panics => panic!("the table panics"),
        }
    }

    /// The status of a request that needs this permission.
    fn status(self) -> u16 {
        match self {
            Self::Yes => 200,
            Self::No => 403,
            _ => 503,
        }
    }
}

/// A part of the router's state.
#[derive(Clone)]
struct Documents {
    answers: [Answer; 2],
    asked: [Arc<AtomicUsize>; 2],
}

impl Documents {
    fn new(answers: [Answer; 2]) -> Self {
        let asked = Default::default();
        Self { answers, asked }
    }

    async fn ask(&self, index: usize) -> Result<bool, BoxError> {
        self.asked[index].fetch_add(1, SeqCst);
        self.answers[index].give().await
    }

    fn asked(&self) -> [usize; 2] {
        self.asked.each_ref().map(|asked| asked.swap(0, SeqCst))
    }
}

#[derive(Clone)]
struct AppState {
    documents: Documents,
}

impl FromRef<AppState> for Documents {
    fn from_ref(state: &AppState) -> Self {
        state.documents.clone()
    }
}

/// By the application's table.
struct InTable<const N: usize>;

impl<S: Send + Sync, const N: usize> Permission<S> for InTable<N>
where
    Documents: FromRef<S>,
{
    type User = Account;

    async fn is_granted(_: &Account, _: &mut Parts, state: &S) -> Result<bool, BoxError> {
        Documents::from_ref(state).ask(N).await
    }
}

/// By the path: each user may edit the documents with the user's own id.
struct Own;

impl<S: Send + Sync> Permission<S> for Own {
    type User = Account;

    async fn is_granted(user: &Account, parts: &mut Parts, _: &S) -> Result<bool, BoxError> {
        let Ok(Path(owner)) = parts.extract::<Path<u64>>().await else {
            return Ok(false);
        };
        Ok(user.id() == owner.to_string())
    }
}

type First = InTable<0>;
type Second = InTable<1>;

fn app(world: &World, documents: &Documents) -> Router {
    app_of(world, world.builder(), documents)
}

fn app_of(world: &World, builder: ClefLayerBuilder<TestUsers>, documents: &Documents) -> Router {
    let state = AppState {
        documents: documents.clone(),
    };
    let layer = builder.build().unwrap();
    let guarded = Router::new()
        .route("/guarded", get(|| async { "for editors" }))
        .route_layer(from_extractor::<Permitted<Editor>>());
    let by_table = Router::new()
        .route("/by-table", get(|| async { "as the table says" }))
        .route_layer(from_extractor_with_state::<Permitted<First>, _>(
            state.clone(),
        ));
    Router::new()
        .route("/edit", get(edit).post(edit))
        .route("/perhaps", get(perhaps))
        .route("/perhaps-by-table", get(perhaps_by_table))
        .route(
            "/own/{owner}",
            get(async |_: Permitted<Own>, Path(owner): Path<u64>| owner.to_string()),
        )
        .route("/all", get(async |_: Permitted<AllOf<(First, Second)>>| ()))
        .route("/any", get(async |_: Permitted<AnyOf<(First, Second)>>| ()))
        .route("/nested", get(nested))
        .route("/other", get(async |_: Permitted<OfOthers>| ()))
        .merge(by_table)
        .with_state(state)
        .merge(guarded)
        .merge(world.pages(layer.routes()))
        .layer(layer)
}

async fn edit(_: Permitted<Editor>, LoggedIn(user): LoggedIn<Account>) -> String {
    user.profile().subject.id().to_owned()
}

async fn perhaps(editor: Option<Permitted<Editor>>) -> &'static str {
    editor.map_or("a reader", |_| "an editor")
}

async fn perhaps_by_table(granted: Option<Permitted<First>>) -> &'static str {
    granted.map_or("no", |_| "yes")
}

type EditorOrOwner = AnyOf<(Editor, AllOf<(First, Second, Own)>)>;

async fn nested(_: Permitted<EditorOrOwner>) {}

/// For a user type that is not the store's.
struct OfOthers;

#[derive(Clone)]
struct Other;

impl User for Other {
    fn id(&self) -> String {
        String::new()
    }

    fn logged_out_at(&self) -> Option<Timestamp> {
        None
    }
}

impl UserPermission for OfOthers {
    type User = Other;

    fn allows(_: &Other) -> bool {
        true
    }
}

#[tokio::test]
async fn users_without_the_permission_are_refused_and_not_sent_to_log_in() {
    let world = World::new();
    for (kind, sessions) in world.both() {
        let documents = Documents::new([Answer::Yes; 2]);
        let app = app_of(&world, world.builder_over(sessions), &documents);
        let mut editor = Jar::logged_in(&app, EDITOR).await;
        let mut reader = Jar::logged_in(&app, READER).await;
        for path in ["/edit", "/guarded"] {
            assert_eq!(editor.open(&app, path).await.status(), 200, "{kind} {path}");

            let response = reader.open(&app, path).await;
            assert_eq!(response.status(), 403, "{kind} {path}");
            assert_eq!(location(&response), "", "{kind} {path}");
            assert_eq!(response.headers()["cache-control"], "no-store");
            let page = text(response).await;
            assert!(page.contains("You may not do this"), "{kind} {page}");
            assert!(!page.contains("/clef/login"), "{kind} {page}");

            let response = reader.get(&app, path).await;
            assert_eq!(response.status(), 403, "{kind} {path}");
            let content_type = &response.headers()["content-type"];
            assert_eq!(content_type, "application/problem+json");
            let problem: Value = serde_json::from_str(&text(response).await).unwrap();
            assert_eq!(problem["status"], 403);
            assert_eq!(problem.get("login"), None);

            // The others are asked to log in, as everywhere.
            let response = Jar::default().open(&app, path).await;
            assert_eq!(response.status(), 303, "{kind} {path}");
            assert!(location(&response).starts_with("/clef/login?next="));
            assert_eq!(Jar::default().status(&app, path).await, 401);
        }
        let html = [("accept", "text/html")];
        let response = reader.send_with(&app, (Method::POST, "/edit"), &html).await;
        assert_eq!(response.status(), 403, "{kind}: a form");
        let response = editor.get(&app, "/edit").await;
        assert_eq!(text(response).await, EDITOR, "{kind}");
    }
}

#[tokio::test]
async fn a_logout_ends_what_a_permission_opened() {
    let world = World::new();
    let app = app(&world, &Documents::new([Answer::Yes; 2]));
    let mut editor = Jar::logged_in(&app, EDITOR).await;
    assert_eq!(editor.status(&app, "/guarded").await, 200);
    assert_eq!(notice(&app, &format!("token:{EDITOR}")).await, 200);
    assert_eq!(editor.status(&app, "/guarded").await, 401);
    assert_eq!(text(editor.get(&app, "/perhaps").await).await, "a reader");
}

#[tokio::test]
async fn the_login_is_checked_once_for_all_extractors() {
    let world = World::new();
    let app = app(&world, &Documents::new([Answer::Yes; 2]));
    let mut editor = Jar::logged_in(&app, EDITOR).await;
    let before = world.users.checks.load(SeqCst);
    assert_eq!(editor.status(&app, "/edit").await, 200);
    assert_eq!(world.users.checks.load(SeqCst), before + 1);
}

#[tokio::test]
async fn no_permission_is_asked_for_unauthenticated_requests() {
    let world = World::new();
    let documents = Documents::new([Answer::Yes; 2]);
    let app = app(&world, &documents);
    for path in ["/by-table", "/all", "/any"] {
        assert_eq!(Jar::default().status(&app, path).await, 401, "{path}");
    }
    let response = Jar::default().get(&app, "/perhaps-by-table").await;
    assert_eq!(text(response).await, "no");
    assert_eq!(documents.asked(), [0, 0]);
}

#[tokio::test]
async fn while_the_login_cannot_be_checked_it_is_503() {
    let world = World::new();
    let app = app(&world, &Documents::new([Answer::Yes; 2]));
    let mut editor = Jar::logged_in(&app, EDITOR).await;
    for failing in [&world.users.failing, &world.sessions.failing] {
        failing.store(true, SeqCst);
        for path in ["/edit", "/guarded", "/perhaps", "/by-table"] {
            assert_eq!(editor.status(&app, path).await, 503, "{path}");
        }
        failing.store(false, SeqCst);
        assert_eq!(editor.status(&app, "/edit").await, 200);
    }
}

/// Without a socket, so that the time can be turned.
#[tokio::test(start_paused = true)]
async fn the_table_of_the_application_decides_and_its_failure_never_allows() {
    for answer in Answer::ALL {
        let world = World::new();
        let app = app(&world, &Documents::new([answer, Answer::Yes]));
        let mut jar = Jar::logged_in(&app, READER).await;
        let limit = Duration::from_secs(60);
        let response = tokio::time::timeout(limit, jar.open(&app, "/by-table")).await;
        let response = response.expect("an answer in time");
        assert_eq!(response.status(), answer.status(), "{answer:?}");
        let waits = response.headers().contains_key("retry-after");
        assert_eq!(waits, answer.status() == 503, "{answer:?}");
        let page = text(response).await;
        assert!(!page.contains("documents.internal"), "{page}");

        let response = jar.get(&app, "/perhaps-by-table").await;
        let expected = if answer.status() == 503 { 503 } else { 200 };
        assert_eq!(response.status(), expected, "{answer:?}");
        if expected == 200 {
            let granted = text(response).await == "yes";
            assert_eq!(granted, answer == Answer::Yes, "{answer:?}");
        }
    }
}

#[tokio::test]
async fn a_permission_reads_the_parameters_of_the_path() {
    let world = World::new();
    let app = app(&world, &Documents::new([Answer::Yes; 2]));
    let mut jar = Jar::logged_in(&app, READER).await;
    let account = world.users.inner.load("1").await.unwrap().unwrap();
    assert_eq!(account.profile().subject.id(), READER);
    for (path, status) in [
        ("/own/1", 200),
        ("/own/2", 403),
        ("/own/-1", 403),
        ("/own/one", 403),
        ("/own/%00", 403),
        ("/own/", 404),
    ] {
        assert_eq!(jar.status(&app, path).await, status, "{path}");
    }
}

#[tokio::test(start_paused = true)]
async fn combinations_grant_what_and_and_or_mean() {
    use Answer::{Fails, Hangs, No, Panics, Yes};
    let all = [
        ([Yes, Yes], 200, [1, 1]),
        ([Yes, No], 403, [1, 1]),
        ([No, Yes], 403, [1, 0]),
        ([No, Fails], 403, [1, 0]),
        ([Fails, Yes], 503, [1, 0]),
        ([Yes, Fails], 503, [1, 1]),
        ([Yes, Hangs], 503, [1, 1]),
        ([Panics, Yes], 503, [1, 0]),
    ];
    let any = [
        ([Yes, Yes], 200, [1, 0]),
        ([Yes, Fails], 200, [1, 0]),
        ([No, Yes], 200, [1, 1]),
        ([No, No], 403, [1, 1]),
        ([Fails, Yes], 503, [1, 0]),
        ([No, Fails], 503, [1, 1]),
        ([Hangs, Yes], 503, [1, 0]),
    ];
    let all = all.iter().map(|row| ("/all", row));
    let any = any.iter().map(|row| ("/any", row));
    for (path, (answers, status, asked)) in all.chain(any) {
        let world = World::new();
        let documents = Documents::new(*answers);
        let app = app(&world, &documents);
        let mut jar = Jar::logged_in(&app, READER).await;
        let answer = tokio::time::timeout(Duration::from_secs(60), jar.status(&app, path)).await;
        assert_eq!(answer, Ok(*status), "{path} {answers:?}");
        assert_eq!(documents.asked(), *asked, "{path} {answers:?}");
    }
    // The reader has no documents, and editors need none.
    let world = World::new();
    let app = app(&world, &Documents::new([Yes, Yes]));
    for (person, status) in [(READER, 403), (EDITOR, 200)] {
        let mut jar = Jar::logged_in(&app, person).await;
        assert_eq!(jar.status(&app, "/nested").await, status, "{person}");
    }
}

/// A site that does not say which of its pages exist.
#[tokio::test]
async fn the_application_renders_what_is_refused() {
    fn hidden(rejection: &LoggedInRejection) -> Response {
        match rejection.kind() {
            RejectionKind::Forbidden => {
                assert_eq!(rejection.status(), 403);
                assert_eq!(rejection.login_path(), None);
                (axum::http::StatusCode::NOT_FOUND, "no such page").into_response()
            }
            _ => rejection.default_response(),
        }
    }
    let world = World::new();
    let documents = Documents::new([Answer::Yes; 2]);
    let app = app_of(
        &world,
        world.builder().render_rejections(hidden),
        &documents,
    );
    let mut reader = Jar::logged_in(&app, READER).await;
    for path in ["/edit", "/guarded"] {
        let response = reader.get(&app, path).await;
        assert_eq!(response.status(), 404);
        assert_eq!(text(response).await, "no such page");
        assert_eq!(Jar::default().status(&app, path).await, 401);
    }
}

#[tokio::test]
async fn mistakes_of_the_program_are_500() {
    let outside: Router = Router::new().route("/edit", get(edit));
    let response = Jar::default().get(&outside, "/edit").await;
    assert_eq!(response.status(), 500);
    assert!(text(response).await.contains(".layer(auth)"));

    let world = World::new();
    let app = app(&world, &Documents::new([Answer::Yes; 2]));
    let mut jar = Jar::logged_in(&app, READER).await;
    for jar in [&mut jar, &mut Jar::default()] {
        assert_eq!(jar.status(&app, "/other").await, 500);
    }
}
