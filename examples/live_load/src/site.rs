//! The site, in a process of its own. Its provider needs no network: a code is a person, and so is a
//! logout token. A second port tells of the process, and logs people in.

use std::{convert::Infallible, net::SocketAddr, sync::Arc, time::Duration};

use axum::{
    Router,
    extract::{Path, State},
    response::{
        IntoResponse,
        sse::{Event, KeepAlive, Sse},
    },
    routing::{get, post},
};
use axum_clef::{
    ClefLayer, LoggedIn, SessionKey, Sessions,
    stores::{Account, MemoryUserStore},
};
use futures_util::{StreamExt as _, stream};
use test_support::{Call, Calls, HookedUsers, Jar, ScriptedProvider};
use tokio::{io::AsyncReadExt as _, net::TcpListener, runtime::Handle, sync::Notify};
use tower_sessions::MemoryStore;

use crate::{
    Failure,
    figures::{open_files, resident_kib},
    settings::Settings,
};

/// What is served.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Bare axum, with a page that says the same and never ends.
    Bare,
    /// With logins in memory.
    Stored,
    /// With logins in cookies: nothing of them is kept here.
    Sealed,
}

impl Kind {
    const ALL: [Self; 3] = [Self::Bare, Self::Stored, Self::Sealed];

    pub fn name(self) -> &'static str {
        match self {
            Self::Bare => "bare",
            Self::Stored => "stored",
            Self::Sealed => "sealed",
        }
    }

    pub fn from_name(name: &str) -> Result<Self, Failure> {
        let kind = Self::ALL.into_iter().find(|kind| kind.name() == name);
        kind.ok_or_else(|| "LIVE_SITE is set by this program alone".into())
    }
}

/// What the second port tells.
struct Control {
    /// `None` for bare axum.
    site: Option<(Router, ClefLayer)>,
    calls: Calls,
}

/// Serves the site until the input of this process ends. The first line of its output is the two
/// addresses.
///
/// # Errors
///
/// When there is no port.
pub async fn serve(kind: Kind, settings: &Settings) -> Result<(), Failure> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let second = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    println!("{address} {}", second.local_addr()?);
    let calls = Calls::default();
    let site = match kind {
        Kind::Bare => None,
        Kind::Stored | Kind::Sealed => Some(site(kind, address, settings, &calls)?),
    };
    let app = match &site {
        Some((app, _)) => app.clone(),
        None => Router::new()
            .route("/auth/live", get(bare_page))
            .route("/clef/logout", post(bare_notice))
            .with_state(Arc::default()),
    };
    let app = app.into_make_service_with_connect_info::<SocketAddr>();
    tokio::spawn(async move { axum::serve(listener, app).await });
    let control = Router::new()
        .route("/cookies/{person}", get(cookies))
        .route("/state", get(state))
        .with_state(Arc::new(Control { site, calls }));
    tokio::spawn(async move { axum::serve(second, control).await });
    tokio::io::stdin().read_to_end(&mut Vec::new()).await?;
    Ok(())
}

fn site(
    kind: Kind,
    address: SocketAddr,
    settings: &Settings,
    calls: &Calls,
) -> Result<(Router, ClefLayer), Failure> {
    let users = HookedUsers::with(MemoryUserStore::new(), calls.clone());
    let sessions: Sessions = match kind {
        Kind::Sealed => Sessions::sealed([SessionKey::from_bytes([1; 32])]),
        _ => MemoryStore::default().into(),
    };
    let layer = ClefLayer::builder(format!("http://{address}"), users, sessions)
        .provider(ScriptedProvider::default())
        // With the reserve on top, for the pages of few people are many here.
        .most_live_pages(settings.pages.saturating_mul(2))
        .most_live_pages_per_user(settings.each)
        .most_live_pages_per_login(settings.each)
        .build()?;
    let app = Router::new()
        .route("/account", get(|_: LoggedIn<Account>| async { "yours" }))
        .merge(layer.routes())
        .layer(layer.clone());
    Ok((app, layer))
}

/// What `/auth/live` says, of one login for all.
async fn bare_page(State(logout): State<Arc<Notify>>) -> impl IntoResponse {
    let event = |name| Ok::<_, Infallible>(Event::default().event(name).data("{}"));
    let first = stream::iter([event("logged-in")]);
    let logged_out = logout.notified_owned();
    let last = stream::once(async move {
        logged_out.await;
        event("logged-out")
    });
    let alive = Event::default().event("alive").data("{}");
    let alive = KeepAlive::new()
        .interval(Duration::from_secs(15))
        .event(alive);
    let events = Sse::new(first.chain(last)).keep_alive(alive);
    ([("x-accel-buffering", "no")], events)
}

async fn bare_notice(State(logout): State<Arc<Notify>>) {
    logout.notify_waiters();
}

/// The cookies of a new login of this person.
async fn cookies(State(control): State<Arc<Control>>, Path(person): Path<usize>) -> String {
    let Some((app, _)) = &control.site else {
        return "auth=none".to_owned();
    };
    let jar = Jar::logged_in(app, &person.to_string()).await;
    jar.header().to_str().unwrap_or_default().to_owned()
}

/// The memory in KiB (0: unknown), the questions to the user store, the open pages, the open files (0:
/// unknown), and the tasks.
async fn state(State(control): State<Arc<Control>>) -> String {
    let resident = resident_kib().unwrap_or_default();
    let asked = control.calls.of(Call::CheckLogin);
    let site = control.site.as_ref();
    let pages = site.map_or(0, |(_, layer)| layer.live_pages());
    let files = open_files().unwrap_or_default();
    let tasks = Handle::current().metrics().num_alive_tasks();
    format!("{resident} {asked} {pages} {files} {tasks}")
}
