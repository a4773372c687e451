//! A site without a socket, with two users who are logged in.

use std::{cell::RefCell, panic, sync::Once};

use arbitrary::Arbitrary;
use axum::{
    Router,
    body::Body,
    response::Html,
    routing::{get, post},
};
use axum_clef::{
    ClefButton, ClefLayer, ClefLayerBuilder, LoggedIn, NewToken, NewTokenError, PageText,
    RecentLogin, SameOrigin, Translation, UserStore, secrecy::ExposeSecret as _, stores::Account,
};
use http::{Method, Request};
use test_support::{Jar, TestUsers, World};

use crate::{Reply, send};

/// The user whose login a target changes.
pub const VICTIM: &str = "victim";
/// A user whom no request concerns.
pub const BYSTANDER: &str = "bystander";

/// Where logins are kept, and whether cookies have a prefix.
#[derive(Arbitrary, Debug, Clone, Copy)]
#[allow(missing_docs)] // Their names say it.
pub struct Kind {
    pub sealed: bool,
    pub https: bool,
}

/// A site with a scripted provider.
#[allow(missing_docs)] // Their names say it.
pub struct Site {
    pub world: World,
    pub app: Router,
    /// Its address.
    pub address: &'static str,
}

impl Site {
    /// A site whose logins are kept like that.
    pub fn new(kind: Kind) -> Self {
        Self::with(kind, |builder| builder)
    }

    /// A site with more settings.
    pub fn with(
        kind: Kind,
        set: impl FnOnce(ClefLayerBuilder<TestUsers>) -> ClefLayerBuilder<TestUsers>,
    ) -> Self {
        let world = World::new();
        let address = match kind.https {
            true => "https://example.com",
            false => World::SITE,
        };
        let sessions = match kind.sealed {
            true => world.sealed(),
            false => world.stored(),
        };
        let builder = set(world.builder_at(address, sessions));
        let app = app_of(builder);
        Self {
            world,
            app,
            address,
        }
    }

    /// Sends a request, and checks the answer.
    pub async fn send(&self, request: Request<Body>) -> Reply {
        send(&self.app, self.address, request).await
    }

    /// Sends a request of this browser.
    pub async fn ask(&self, jar: &Jar, method: Method, path: &str) -> Reply {
        self.send(jar.request(method, path)).await
    }

    /// A browser in which this person has just logged in.
    pub async fn log_in(&self, person: &str) -> Jar {
        Jar::logged_in(&self.app, person).await
    }

    /// The person of this browser.
    pub async fn person(&self, jar: &Jar) -> Option<String> {
        let reply = self.ask(jar, Method::GET, "/account").await;
        (reply.status == 200).then_some(reply.text)
    }

    /// The name of the login's cookie.
    pub fn cookie_name(&self) -> &'static str {
        match self.address {
            World::SITE => "auth-9",
            _ => "__Host-auth",
        }
    }
}

/// The pages and routes of a site with these settings.
pub fn app_of<S: UserStore<User = Account>>(builder: ClefLayerBuilder<S>) -> Router {
    pages(&builder.translation("de", German).build().expect("settings"))
}

/// The pages and routes of a site with this layer.
pub fn pages(layer: &ClefLayer) -> Router {
    Router::new()
        .route("/", get(home))
        .route("/account", get(account).post(account))
        .route("/recent", get(recent).post(recent))
        .route("/same-origin", post(same_origin))
        .route("/token", post(token))
        .route("/button", get(button))
        .merge(layer.routes())
        .fallback(account)
        .layer(layer.clone())
}

struct German;

impl Translation for German {
    fn text(&self, text: PageText) -> Option<std::borrow::Cow<'static, str>> {
        let english = text.english();
        english
            .len()
            .is_multiple_of(2)
            .then(|| format!("Auf Deutsch: {english}").into())
    }
}

fn person(user: &Account) -> String {
    user.profile().subject.id().to_owned()
}

async fn home(user: Option<LoggedIn<Account>>) -> String {
    user.map_or_else(String::new, |user| person(&user))
}

async fn account(LoggedIn(user): LoggedIn<Account>) -> String {
    person(&user)
}

async fn recent(_: RecentLogin<10>, LoggedIn(user): LoggedIn<Account>) -> String {
    person(&user)
}

async fn same_origin(_: SameOrigin) -> &'static str {
    "taken"
}

async fn token(token: NewToken) -> Result<String, NewTokenError> {
    let token = token.mint("a program").await?;
    Ok(token.secret().expose_secret().to_owned())
}

async fn button(button: ClefButton) -> Html<String> {
    Html(button.html())
}

thread_local! {
    static PANIC: RefCell<Option<String>> = const { RefCell::new(None) };
}

/// Runs one input on a runtime of its own, whose clock is paused unless the target uses a socket. A
/// panic in any task fails the input, as the crate answers it like an error.
pub fn run(sockets: bool, target: impl Future<Output = ()>) {
    static HOOK: Once = Once::new();

    // Around the hook of the engine. All tasks are on this thread.
    HOOK.call_once(|| {
        let inner = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            PANIC.set(Some(info.to_string()));
            inner(info);
        }));
    });
    PANIC.take();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .start_paused(!sockets)
        .build()
        .expect("a runtime");
    runtime.block_on(target);
    drop(runtime);
    if let Some(panic) = PANIC.take() {
        panic!("a task has panicked: {panic}");
    }
}
