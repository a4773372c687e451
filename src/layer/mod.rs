//! The layer around an application.

mod build;
mod build_error;
mod builder;
mod hooks;
mod limits;
#[cfg(feature = "live")]
mod live;
#[cfg(feature = "live")]
mod live_settings;
mod pages;
#[cfg(feature = "security-events")]
mod poll;
mod service;

use std::{fmt, sync::Arc};

use axum::Router;
use tower_layer::Layer;

pub use self::{
    build_error::BuildError,
    builder::ClefLayerBuilder,
    service::{ClefService, ResponseFuture},
};
use crate::{
    Logouts, Sessions, UserStore,
    routes::{self, RoutesState},
};

/// The layer around an application: handlers get the logged-in user by
/// [`LoggedIn`](crate::LoggedIn), and its [`routes`](Self::routes) serve login and logout.
///
/// All settings are on the [builder](Self::builder). A layer does not change once it is built, and
/// a clone shares everything with the original.
///
/// ```
/// use axum::{Router, routing::get};
/// use axum_clef::{ClefLayer, LoggedIn, clef::Clef, stores::{Account, MemoryUserStore}};
/// use tower_sessions::MemoryStore;
///
/// async fn home(user: Option<LoggedIn<Account>>) -> String {
///     match user {
///         Some(LoggedIn(user)) => format!("Hello, {:?}!", user.profile().name()),
///         None => "Hello! Log in at /clef/login".to_owned(),
///     }
/// }
///
/// # fn main() -> Result<(), axum_clef::BoxError> {
/// let clef = Clef::new("https://clef.example", "app id", "app secret")?;
/// let auth = ClefLayer::builder(
///     "https://example.com",
///     MemoryUserStore::new(),
///     MemoryStore::default(),
/// )
/// .provider(clef)
/// .build()?;
///
/// let app: Router = Router::new()
///     .route("/", get(home))
///     .merge(auth.routes())
///     .layer(auth);
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct ClefLayer {
    routes: Arc<RoutesState>,
}

impl ClefLayer {
    /// Settings for the `site` at this origin (scheme, host and port, as browsers see it), with its
    /// `users` and where their logins are kept: any [`SessionStore`](crate::SessionStore) of
    /// tower-sessions, or [`Sessions::sealed`].
    pub fn builder<S: UserStore>(
        site: impl Into<String>,
        users: S,
        sessions: impl Into<Sessions>,
    ) -> ClefLayerBuilder<S> {
        ClefLayerBuilder::new(site.into(), users, sessions.into())
    }

    /// The ready routes, to merge into the router before the layer goes around it: the sign-out and
    /// the events for open pages, and for each provider the start of a login, the callback and the
    /// logout webhook.
    pub fn routes<S: Clone + Send + Sync + 'static>(&self) -> Router<S> {
        routes::router(&self.routes)
    }

    /// Ends logins from outside of a handler: for an administrator's tool or a job.
    ///
    /// ```
    /// use axum_clef::{LogoutError, Logouts};
    ///
    /// # fn example(auth: &axum_clef::ClefLayer) -> Logouts {
    /// let logouts = auth.logouts();
    /// # logouts
    /// # }
    /// async fn suspend(logouts: &Logouts, user_id: &str) -> Result<bool, LogoutError> {
    ///     logouts.log_out_user(user_id).await
    /// }
    /// ```
    pub fn logouts(&self) -> Logouts {
        Logouts::new(Arc::clone(&self.routes.auth))
    }

    /// How many users' and sessions' logouts this node has accepted and not yet written. It refuses
    /// their logins meanwhile, and goes on trying.
    ///
    /// Anything but zero for long means that the user store is in trouble.
    ///
    /// ```
    /// # fn example(auth: &axum_clef::ClefLayer) {
    /// if auth.pending_logouts() > 0 {
    ///     eprintln!("the user store does not take logouts");
    /// }
    /// # }
    /// ```
    pub fn pending_logouts(&self) -> usize {
        self.routes.auth.queue.len()
    }

    /// How many open pages are connected to this node right now.
    ///
    /// ```
    /// # fn example(auth: &axum_clef::ClefLayer) {
    /// println!("{} pages are open", auth.live_pages());
    /// # }
    /// ```
    #[cfg(feature = "live")]
    pub fn live_pages(&self) -> usize {
        self.routes.auth.listeners.pages().open()
    }

    /// Closes the connections of open pages and accepts no more of them: for a server that stops,
    /// which would wait for them. The pages come back within seconds, to another node or to the
    /// next process. What a handler keeps open is the application's to close.
    ///
    /// ```no_run
    /// use axum::Router;
    /// use axum_clef::ClefLayer;
    ///
    /// /// Serves until `stop` is ready, which may be `tokio::signal::ctrl_c()`.
    /// async fn serve(
    ///     app: Router,
    ///     auth: ClefLayer,
    ///     stop: impl Future<Output = ()> + Send + 'static,
    /// ) -> std::io::Result<()> {
    ///     let listener = tokio::net::TcpListener::bind("127.0.0.1:3000").await?;
    ///     axum::serve(listener, app)
    ///         .with_graceful_shutdown(async move {
    ///             stop.await;
    ///             auth.close_live_pages();
    ///         })
    ///         .await
    /// }
    /// ```
    #[cfg(feature = "live")]
    pub fn close_live_pages(&self) {
        self.routes.auth.listeners.pages().close();
    }
}

/// axum calls it for each route of each connection: it clones, and builds nothing.
impl<S> Layer<S> for ClefLayer {
    type Service = ClefService<S>;

    fn layer(&self, inner: S) -> Self::Service {
        ClefService::new(inner, Arc::clone(&self.routes.auth))
    }
}

impl fmt::Debug for ClefLayer {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("ClefLayer")
            .field("auth", &self.routes.auth)
            .finish_non_exhaustive()
    }
}
