//! The same application four times.

use std::convert::Infallible;

use axum::{
    Router,
    body::Body,
    http::{Request, StatusCode, header},
    routing::get,
};
use axum_clef::{
    ClefLayer, LoggedIn, Profile, Subject, User as _, UserStore as _,
    clef::Clef,
    dev::{ClefService, PEOPLE, TEST_APPLICATIONS},
    stores::{Account, MemoryUserStore},
};
use axum_login::{AuthManagerLayerBuilder, AuthSession, AuthUser, AuthnBackend};
use time::Duration;
use tower_sessions::{Expiry, MemoryStore, Session, SessionManagerLayer, cookie::SameSite};

use crate::browser::Browser;

pub const BARE: &str = "bare axum";
pub const TOWER_SESSIONS: &str = "tower-sessions";
pub const AXUM_LOGIN: &str = "axum-login";
pub const AXUM_CLEF: &str = "axum-clef";

/// An application, and the cookies of somebody who is logged in there.
pub struct Site {
    pub name: &'static str,
    pub app: Router,
    cookies: String,
}

/// What is asked of every site.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Route {
    /// A page that is the same for all, asked for by a stranger.
    PublicWithoutCookie,
    /// The same page, asked for by somebody who is logged in.
    PublicWithCookie,
    /// A page that says who is logged in.
    User,
}

impl Route {
    pub const ALL: [Self; 3] = [
        Self::PublicWithoutCookie,
        Self::PublicWithCookie,
        Self::User,
    ];

    pub fn name(self) -> &'static str {
        match self {
            Self::PublicWithoutCookie => "public, no cookie",
            Self::PublicWithCookie => "public, cookie",
            Self::User => "user",
        }
    }

    fn path(self) -> &'static str {
        match self {
            Self::PublicWithoutCookie | Self::PublicWithCookie => "/public",
            Self::User => "/user",
        }
    }

    /// What every site answers here.
    pub fn answer(self) -> &'static str {
        match self {
            Self::PublicWithoutCookie | Self::PublicWithCookie => PUBLIC,
            Self::User => PEOPLE[0].id(),
        }
    }
}

impl Site {
    pub fn request(&self, route: Route) -> Request<Body> {
        let mut request = Request::get(route.path());
        if route != Route::PublicWithoutCookie {
            request = request.header(header::COOKIE, &self.cookies);
        }
        request.body(Body::empty()).unwrap()
    }

    async fn by_login_path(name: &'static str, app: Router) -> Self {
        let mut browser = Browser::new(&app);
        browser.get("/login").await;
        let cookies = browser.cookies();
        Self { name, app, cookies }
    }
}

pub async fn all() -> [Site; 4] {
    [
        bare().await,
        tower_sessions().await,
        axum_login().await,
        axum_clef().await,
    ]
}

const PUBLIC: &str = "the same for all";

async fn public() -> &'static str {
    PUBLIC
}

fn answer_to(account: &Account) -> String {
    account.profile().subject.id().to_owned()
}

/// The sessions of all but axum-clef, which has the same settings by default.
fn sessions() -> SessionManagerLayer<MemoryStore> {
    SessionManagerLayer::new(MemoryStore::default())
        .with_same_site(SameSite::Lax)
        .with_expiry(Expiry::OnInactivity(Duration::days(1)))
}

/// The person who logs in at sites without Clef, by what Clef says of them.
fn alex() -> Profile {
    Profile::new(Subject::new("https://clef.test", PEOPLE[0].id()))
}

/// No layer at all, and so nobody: the page of the user is a constant.
async fn bare() -> Site {
    let user = async || PEOPLE[0].id().to_owned();
    let app = Router::new()
        .route("/public", get(public))
        .route("/user", get(user))
        .with_state(());
    let cookies = "session=W1pKVDmVpKPMoxj8s7dMcQ".to_owned();
    Site {
        name: BARE,
        app,
        cookies,
    }
}

/// What one writes by hand: the id of the user in the session, and a user loaded by it.
async fn tower_sessions() -> Site {
    const USER: &str = "user";
    let users = MemoryUserStore::new();
    let for_login = users.clone();
    let login = async move |session: Session| {
        let account = for_login.log_in(&alex()).await.unwrap().unwrap();
        session.insert(USER, account.id()).await.unwrap();
    };
    let user = async move |session: Session| {
        let id: Option<String> = session.get(USER).await.unwrap();
        let id = id.ok_or(StatusCode::UNAUTHORIZED)?;
        let account = users.load(&id).await.unwrap();
        let account = account.ok_or(StatusCode::UNAUTHORIZED)?;
        Ok::<_, StatusCode>(answer_to(&account))
    };
    let app = Router::new()
        .route("/public", get(public))
        .route("/user", get(user))
        .route("/login", get(login))
        .layer(sessions())
        .with_state(());
    Site::by_login_path(TOWER_SESSIONS, app).await
}

async fn axum_login() -> Site {
    async fn login(mut auth: AuthSession<Backend>) {
        let account = auth.authenticate(alex()).await.unwrap().unwrap();
        auth.login(&account).await.unwrap();
    }
    async fn user(auth: AuthSession<Backend>) -> Result<String, StatusCode> {
        let member = auth.user.ok_or(StatusCode::UNAUTHORIZED)?;
        Ok(answer_to(&member.0))
    }
    let backend = Backend(MemoryUserStore::new());
    let app = Router::new()
        .route("/public", get(public))
        .route("/user", get(user))
        .route("/login", get(login))
        .layer(AuthManagerLayerBuilder::new(backend, sessions()).build())
        .with_state(());
    Site::by_login_path(AXUM_LOGIN, app).await
}

/// The same users, for axum-login.
#[derive(Clone)]
struct Backend(MemoryUserStore);

#[derive(Clone, Debug)]
struct Member(Account);

impl AuthUser for Member {
    type Id = String;

    fn id(&self) -> String {
        self.0.id()
    }

    fn session_auth_hash(&self) -> &[u8] {
        b"a fingerprint of 32 bytes, as is"
    }
}

impl AuthnBackend for Backend {
    type User = Member;
    type Credentials = Profile;
    type Error = Infallible;

    async fn authenticate(&self, profile: Profile) -> Result<Option<Member>, Infallible> {
        Ok(self.0.log_in(&profile).await.unwrap().map(Member))
    }

    async fn get_user(&self, id: &String) -> Result<Option<Member>, Infallible> {
        Ok(self.0.load(id).await.unwrap().map(Member))
    }
}

/// Somebody logs in as everybody does, at a Clef that is gone when the requests begin.
async fn axum_clef() -> Site {
    async fn user(LoggedIn(account): LoggedIn<Account>) -> String {
        answer_to(&account)
    }
    let service = ClefService::start("127.0.0.1:0".parse().unwrap())
        .await
        .unwrap();
    let application = &TEST_APPLICATIONS[0];
    let clef = Clef::new(application.id(), application.secret())
        .base_url(&service.url())
        .unwrap();
    let auth = ClefLayer::new(
        "http://127.0.0.1:3000",
        clef,
        MemoryUserStore::new(),
        MemoryStore::default(),
    )
    .unwrap();
    let app = Router::new()
        .route("/public", get(public))
        .route("/user", get(user))
        .merge(auth.routes())
        .layer(auth)
        .with_state(());

    let mut browser = Browser::new(&app);
    let start = browser.get("/clef/login").await;
    let location = start.headers()[header::LOCATION].to_str().unwrap();
    let callback = service.approve(PEOPLE[0].id(), location).await.unwrap();
    let (path, query) = (callback.path(), callback.query().unwrap());
    browser.get(&format!("{path}?{query}")).await;
    let cookies = browser.cookies();
    Site {
        name: AXUM_CLEF,
        app,
        cookies,
    }
}
