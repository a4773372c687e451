//! The site under soak, and the Clef that its people log in with.

use std::{
    net::{IpAddr, Ipv4Addr, SocketAddr},
    time::Duration,
};

use axum::{
    Router,
    body::{Bytes, to_bytes},
    extract::{ConnectInfo, Request, State},
    http::{StatusCode, request::Parts},
    middleware::{Next, from_fn_with_state},
    response::{IntoResponse as _, Response},
    routing::get,
};
use axum_clef::{
    BoxError, ClefLayer, IdentityStore, LoggedIn, Login, SessionKey, Sessions, clef::Clef,
    stores::Account,
};
use clef_dev::{ClefService, Person, TEST_APPLICATIONS};
use tokio::{
    net::TcpListener,
    sync::{Mutex, mpsc},
};
use tower_sessions::{
    Expiry, Session, SessionManagerLayer,
    cookie::{SameSite, time},
};

use crate::{
    clock::StoreClock,
    database::Database,
    sessions::ExpiringSessions,
    settings::{Logins, Settings},
    tables::Tables,
};

/// Open to everybody, and greets whoever is logged in.
pub const HOME: &str = "/";
/// What [`HOME`] says to nobody.
pub const NOBODY: &str = "nobody";
/// Guarded.
pub const ACCOUNT: &str = "/account";
/// Guarded, and writes to the application's own session, slowly.
pub const BASKET: &str = "/basket";
/// The webhook.
pub const LOGOUT: &str = "/clef/logout";

/// The header of a notice that comes again, which is not to come once more.
pub const REPEATED: &str = "x-repeated";

/// Short enough for renewals to run beside sign-outs, and far longer than a browser rests.
const IDLE: Duration = Duration::from_secs(10 * 60);
const BASKET_IDLE: time::Duration = time::Duration::minutes(10);
/// How often expired records are deleted.
const CLEANING: Duration = Duration::from_secs(1);
/// How long the basket takes, from the look at who is there to the session written back.
const SLOWNESS: Duration = Duration::from_millis(150);
/// How long the site may owe a logout: far longer than it gives one attempt.
const LONGEST_OWED: Duration = Duration::from_secs(30);
/// The longest notice, in bytes.
const LONGEST_NOTICE: usize = 4 * 1024;

/// The site, and what belongs to it.
pub struct Site {
    pub url: String,
    pub clef: ClefService,
    /// The ids of the people at Clef.
    pub people: Vec<String>,
    /// Of the logins.
    pub sessions: ExpiringSessions,
    /// Of the application.
    pub baskets: ExpiringSessions,
    pub tables: Tables,
    /// The bodies of the notices that the site gets.
    pub notices: Mutex<mpsc::UnboundedReceiver<Bytes>>,
    /// How many logouts it owes.
    owed: Owed,
}

type Owed = Box<dyn Fn() -> usize + Send + Sync>;

impl Site {
    /// Waits until every logout that was put off by now is written. `false`: that takes too
    /// long.
    pub async fn owes_nothing(&self) -> bool {
        let written = async {
            while (self.owed)() > 0 {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        tokio::time::timeout(LONGEST_OWED, written).await.is_ok()
    }
}

/// Serves the site on a free port, until the program ends.
///
/// # Errors
///
/// When a port cannot be had, or the database does not answer.
pub async fn serve(settings: &Settings, database: &Database) -> Result<Site, BoxError> {
    let people: Vec<_> = (0..settings.people)
        .map(|number| (1_000_000 + number).to_string())
        .collect();
    // A notice that fails is an error here, and not tried again.
    let mut clef = ClefService::builder().retry_pauses([]);
    for id in &people {
        clef = clef.person(Person::new(id, "Somebody", "Else"));
    }
    let clef = clef.start().await?;
    let sessions = match settings.logins {
        Logins::Redis => ExpiringSessions::in_redis(settings.clock_speed).await?,
        Logins::Memory | Logins::Sealed => ExpiringSessions::in_memory(settings.clock_speed),
    };
    let baskets = ExpiringSessions::in_memory(1);
    let clock = StoreClock::new(settings.clock_speed);
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let url = format!("http://{}", listener.local_addr()?);
    let (notices, overheard) = mpsc::unbounded_channel();
    let kept = match settings.logins {
        Logins::Sealed => Sessions::sealed([SessionKey::from_bytes(rand::random())]),
        Logins::Memory | Logins::Redis => sessions.clone().into(),
    };
    let tables = database.users(clock).await?;
    let parts = AppParts {
        url: &url,
        clef: &clef,
        logins: kept,
        baskets: baskets.clone(),
        idle: clock.scaled(IDLE.max(settings.lifetime.unwrap_or_default() * 2)),
        lifetime: settings.lifetime.map(|lifetime| clock.scaled(lifetime)),
    };
    let (app, owed) = match &tables {
        Tables::Memory(users) => app(users.clone(), parts)?,
        Tables::Sqlite(users) => app(users.clone(), parts)?,
        Tables::Postgres(users) => app(users.clone(), parts)?,
    };
    let app = app.layer(from_fn_with_state(notices, overhear));
    let app = app.into_make_service_with_connect_info::<SocketAddr>();
    tokio::spawn(async move { axum::serve(listener, app).await });
    let expiring = [sessions.clone(), baskets.clone()];
    tokio::spawn(async move {
        loop {
            tokio::time::sleep(CLEANING).await;
            for sessions in &expiring {
                sessions.delete_expired().await;
            }
        }
    });
    Ok(Site {
        url,
        clef,
        people,
        sessions,
        baskets,
        tables,
        notices: Mutex::new(overheard),
        owed,
    })
}

/// What the site is made of, beside its users.
struct AppParts<'a> {
    url: &'a str,
    clef: &'a ClefService,
    logins: Sessions,
    baskets: ExpiringSessions,
    /// By the clock of the user store, as is the lifetime.
    idle: Duration,
    lifetime: Option<Duration>,
}

fn app(users: impl IdentityStore, parts: AppParts<'_>) -> Result<(Router, Owed), BoxError> {
    let application = &TEST_APPLICATIONS[0];
    let clef = Clef::new(&parts.clef.url(), application.id(), application.secret())?;
    let mut auth = ClefLayer::builder(parts.url, users, parts.logins)
        .provider(clef)
        .client_address(address)
        .idle_expiry(parts.idle)
        .on_login(renew_basket)
        .on_sign_out(clear_basket);
    if let Some(lifetime) = parts.lifetime {
        auth = auth.lifetime(lifetime);
    }
    let auth = auth.build()?;
    // The application's own sessions, in a store of their own.
    let baskets = SessionManagerLayer::new(parts.baskets)
        .with_expiry(Expiry::OnInactivity(BASKET_IDLE))
        .with_name("basket")
        .with_secure(false)
        .with_same_site(SameSite::Lax);
    let app = Router::new()
        .route(HOME, get(home))
        .route(ACCOUNT, get(account))
        .route(BASKET, get(basket))
        .merge(auth.routes())
        .layer(auth.clone())
        .layer(baskets);
    Ok((app, Box::new(move || auth.pending_logouts())))
}

/// All browsers are on this machine, and would share the quota of one client. So each connection stands
/// for an address.
fn address(parts: &Parts) -> Option<IpAddr> {
    let ConnectInfo(peer) = parts.extensions.get::<ConnectInfo<SocketAddr>>()?;
    Some(Ipv4Addr::from_bits(peer.port().into()).into())
}

/// What the browser put into the basket stays; the id of its session is new.
async fn renew_basket(parts: Parts, _: Login) -> Result<(), BoxError> {
    match parts.extensions.get::<Session>() {
        Some(session) => Ok(session.cycle_id().await?),
        None => Err("there is no session layer".into()),
    }
}

async fn clear_basket(parts: Parts, _: Login) -> Result<(), BoxError> {
    match parts.extensions.get::<Session>() {
        Some(session) => Ok(session.flush().await?),
        None => Err("there is no session layer".into()),
    }
}

async fn home(user: Option<LoggedIn<Account>>) -> String {
    user.map_or_else(|| NOBODY.to_owned(), |LoggedIn(user)| clef_id(&user))
}

async fn account(LoggedIn(user): LoggedIn<Account>) -> String {
    clef_id(&user)
}

async fn basket(LoggedIn(user): LoggedIn<Account>, session: Session) -> Response {
    let things: Result<Option<u64>, _> = session.get("things").await;
    tokio::time::sleep(SLOWNESS).await;
    let things = things.ok().flatten().unwrap_or_default();
    match session.insert("things", things + 1).await {
        Ok(()) => clef_id(&user).into_response(),
        Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}

fn clef_id(user: &Account) -> String {
    user.profile().subject.id().to_owned()
}

/// Keeps a copy of each notice, for a sender that repeats itself: the local Clef's tokens are
/// known to nobody else.
async fn overhear(
    State(notices): State<mpsc::UnboundedSender<Bytes>>,
    request: Request,
    next: Next,
) -> Response {
    if request.uri().path() != LOGOUT || request.headers().contains_key(REPEATED) {
        return next.run(request).await;
    }
    let (head, body) = request.into_parts();
    let Ok(body) = to_bytes(body, LONGEST_NOTICE).await else {
        return StatusCode::PAYLOAD_TOO_LARGE.into_response();
    };
    // Nobody listens any more once the soak has ended.
    let _ = notices.send(body.clone());
    next.run(Request::from_parts(head, body.into())).await
}
