//! A site without logins of its own: the test says who is logged in, and the pages have the
//! script of `/auth/live.js`, under a policy that lets nothing pass that it does not need.

use std::{
    convert::Infallible,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use axum::{
    Router,
    extract::{Query, State},
    http::{HeaderName, StatusCode, header},
    response::{
        Html, IntoResponse, Redirect, Response,
        sse::{Event, Sse},
    },
    routing::get,
};
use futures_util::stream;
use serde::Deserialize;
use tokio::{net::TcpListener, sync::watch};

/// What the server adds are the places.
const SCRIPT: &str = concat!(
    include_str!("../../../../src/routes/live.js"),
    "(\"/auth/live\", \"/clef/login?next=/auth/live/back\", ",
    include_str!("cover_texts.json"),
    ");\n"
);

/// Notes what the policy forbids, what is told on the page, and whether it was kept.
const NOTES: &str = r#"
window.violations = [];
window.told = [];
window.errors = [];
window.addEventListener("error", (event) => errors.push(event.message));
if (location.search === "?quick") {
  // Notes the pauses, and does not wait for them.
  window.pauses = [];
  const wait = window.setTimeout;
  window.setTimeout = (then, pause) => {
    pauses.push(pause);
    return wait(then, pause / 100);
  };
}
if (location.search === "?unlocked") {
  delete Navigator.prototype.locks;
}
if (location.search === "?bare") {
  delete Navigator.prototype.locks;
  delete HTMLDialogElement.prototype.showModal;
  delete HTMLDialogElement.prototype.close;
  delete window.BroadcastChannel;
  delete window.CSSStyleSheet;
}
document.addEventListener("securitypolicyviolation", (event) => {
  violations.push(event.violatedDirective + " " + event.blockedURI + " " + event.sourceFile);
});
for (const name of ["clef:logged-out", "clef:logged-in"]) {
  document.addEventListener(name, (event) => {
    told.push(name);
    localStorage[`${name} ${document.visibilityState} ${Math.random()}`] = "";
    if (location.search.includes("by-itself")) {
      event.preventDefault();
    }
  });
}
window.addEventListener("pageshow", (event) => {
  window.kept = event.persisted;
  // Seen by whoever looks before any answer can have come.
  const cover = document.querySelector("clef-cover");
  window.covered_when_shown = cover !== null && cover.shadowRoot.querySelector("dialog").open;
});
"#;

const POLICY: &str = "default-src 'none'; script-src 'self'; connect-src 'self'; \
    style-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'; \
    require-trusted-types-for 'script'; trusted-types 'none'";

const OPENER_POLICY: HeaderName = HeaderName::from_static("cross-origin-opener-policy");

/// The site. It serves as long as the test runs.
#[derive(Clone)]
pub struct Stub {
    pub url: String,
    shared: Arc<Shared>,
}

struct Shared {
    who: watch::Sender<&'static str>,
    /// The data of `logged-out`.
    end: Mutex<String>,
    /// Each change ends the connections that are open, as a network does.
    cut: watch::Sender<()>,
    down: AtomicBool,
    asked: watch::Sender<usize>,
    posted: watch::Sender<usize>,
    open: watch::Sender<usize>,
}

impl Stub {
    pub async fn start() -> Self {
        let shared = Arc::new(Shared {
            who: watch::Sender::new("nobody"),
            end: Mutex::new("{}".to_owned()),
            cut: watch::Sender::new(()),
            down: AtomicBool::new(false),
            asked: watch::Sender::new(0),
            posted: watch::Sender::new(0),
            open: watch::Sender::new(0),
        });
        let app = Router::new()
            .route("/", get(front))
            .route("/page", get(page).post(posted))
            .route("/notes.js", get(script(NOTES)))
            .route("/auth/live.js", get(script(SCRIPT)))
            .route("/auth/live", get(live))
            .route("/auth/live/back", get(back))
            .route("/clef/login", get(login))
            .route("/log-in", get(log_in))
            .with_state(Arc::clone(&shared));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
        Self { url, shared }
    }

    /// The URL of a path.
    pub fn at(&self, path: &str) -> String {
        format!("{}{path}", self.url)
    }

    /// The person of the browser's login.
    pub fn log_in(&self, who: &'static str) {
        self.shared.who.send_replace(who);
    }

    pub fn log_out(&self) {
        self.log_in("nobody");
    }

    /// Logs out, with this data for the page.
    pub fn log_out_with(&self, end: &str) {
        *self.shared.end.lock().unwrap() = end.to_owned();
        self.log_out();
    }

    /// How often it was asked who is there.
    pub fn asked(&self) -> usize {
        *self.shared.asked.borrow()
    }

    /// How often a form was posted.
    pub fn posted(&self) -> usize {
        *self.shared.posted.borrow()
    }

    /// Waits until it was asked so often.
    pub async fn has_been_asked(&self, times: usize) {
        wait_for(&self.shared.asked, |asked| asked >= times).await;
    }

    /// Waits until so many connections are open.
    pub async fn has_open(&self, count: usize) {
        wait_for(&self.shared.open, |open| open == count).await;
    }

    /// Cuts all connections, and answers with 503 until it is up.
    pub fn go_down(&self) {
        self.shared.down.store(true, Ordering::SeqCst);
        self.shared.cut.send_replace(());
    }

    pub fn come_up(&self) {
        self.shared.down.store(false, Ordering::SeqCst);
    }
}

/// Not for ever: a page that does not do it is why there is a test.
async fn wait_for(number: &watch::Sender<usize>, condition: impl Fn(usize) -> bool) {
    let mut now = number.subscribe();
    let waited = now.wait_for(|now| condition(*now));
    let waited = tokio::time::timeout(Duration::from_secs(30), waited).await;
    if waited.is_err() {
        let stayed = *number.borrow();
        panic!("it stayed {stayed}");
    }
}

fn script(text: &'static str) -> impl IntoResponse + Clone {
    ([(header::CONTENT_TYPE, "text/javascript")], text)
}

fn html(body: &str) -> Response {
    let page = format!(
        "<!DOCTYPE html><html lang=\"en\"><head><title>The page</title>\
         <script src=\"/notes.js\"></script></head><body>{body}</body></html>"
    );
    ([(header::CONTENT_SECURITY_POLICY, POLICY)], Html(page)).into_response()
}

async fn front() -> Response {
    html(
        "<h1>Front</h1><a href=\"/page\">On</a>\
         <form method=\"post\" action=\"/page\"><button>Order</button></form>",
    )
}

/// The answer to a form is a page like any other.
async fn posted(State(shared): State<Arc<Shared>>, query: Query<Asked>) -> Response {
    shared.posted.send_modify(|posted| *posted += 1);
    page(State(shared), query).await
}

#[derive(Deserialize)]
struct Asked {
    /// More attributes of the script.
    #[serde(default)]
    data: String,
    /// The page's `Cross-Origin-Opener-Policy`.
    opener: Option<String>,
}

/// Whose page it is, it says.
async fn page(State(shared): State<Arc<Shared>>, Query(asked): Query<Asked>) -> Response {
    let who = *shared.who.borrow();
    let Asked { data, opener } = asked;
    let page = html(&format!(
        "<h1>Page of {who}</h1><dialog id=\"other\"><p>A dialog</p><button>Fine</button></dialog>\
         <p><label>Text <textarea id=\"text\"></textarea></label></p>\
         <a href=\"/\">Away</a><script src=\"/auth/live.js\" {data} defer></script>"
    ));
    match opener {
        Some(policy) => ([(OPENER_POLICY, policy)], page).into_response(),
        None => page,
    }
}

#[derive(Deserialize)]
struct Live {
    page: String,
}

/// A connection that counts as open.
struct Open(Arc<Shared>);

impl Drop for Open {
    fn drop(&mut self) {
        self.0.open.send_modify(|open| *open -= 1);
    }
}

async fn live(State(shared): State<Arc<Shared>>, Query(live): Query<Live>) -> Response {
    shared.asked.send_modify(|asked| *asked += 1);
    if shared.down.load(Ordering::SeqCst) {
        return StatusCode::SERVICE_UNAVAILABLE.into_response();
    }
    let mut news = shared.who.subscribe();
    let mut cut = shared.cut.subscribe();
    let who = *news.borrow_and_update();
    shared.open.send_modify(|open| *open += 1);
    let open = Open(Arc::clone(&shared));
    let end = move || shared.end.lock().unwrap().clone();
    let event = |name: &str, data: String| Event::default().event(name).data(data);
    if who == "nobody" {
        let out = event("logged-out", end());
        return Sse::new(stream::iter([Ok::<_, Infallible>(out)])).into_response();
    }
    let first = format!("{{\"who\":\"{who} on {}\"}}", live.page);
    let later = stream::once(async move {
        let _open = open;
        tokio::select! {
            _ = news.changed() => Ok(Event::default().event("logged-out").data(end())),
            _ = cut.changed() => Err("cut"),
        }
    });
    let first = event("logged-in", first).retry(Duration::from_millis(100));
    let first = stream::iter([Ok(first)]);
    Sse::new(futures_util::StreamExt::chain(first, later)).into_response()
}

async fn back() -> Response {
    let page = html("<h1>Back</h1><script src=\"/auth/live.js\" data-back defer></script>");
    ([(OPENER_POLICY, "same-origin")], page).into_response()
}

#[derive(Deserialize)]
struct Login {
    next: String,
    who: Option<String>,
}

async fn login(Query(Login { next, .. }): Query<Login>) -> Response {
    let link = |who| format!("<p><a href=\"/log-in?who={who}&amp;next={next}\">I am {who}</a></p>");
    html(&format!("<h1>Who?</h1>{}{}", link("Alex"), link("Noor")))
}

async fn log_in(State(shared): State<Arc<Shared>>, Query(login): Query<Login>) -> Redirect {
    let noor = login.who.is_some_and(|who| who == "Noor");
    shared.who.send_replace(if noor { "Noor" } else { "Alex" });
    Redirect::to(&login.next)
}
