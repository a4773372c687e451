//! What is open: how it is kept told, and its end.

use std::time::Duration;

use super::ClefLayer;

impl<L> ClefLayer<L> {
    /// How often the stores are asked whether the logins still count that somebody listens to, by
    /// a [`LoginEnd`](crate::LoginEnd) or an open page; every ten seconds by default. What this
    /// node hears itself it tells at once, and what another node hears once the stores are asked.
    ///
    /// In this time the user store is asked no more than once about each user that somebody
    /// listens for ([`UserStore::standing`](crate::UserStore::standing); once for each session at
    /// the provider, where that names sessions), and the session store once about each session,
    /// evenly over the time and no more than eight at once. On top come questions about those
    /// alone whom a logout concerns, or who begin to listen while one is heard of, and about a
    /// login that comes to its end. An interval of less than a tenth of a second is taken for
    /// that, one of more than a day for a day. It is that of all clones of this layer.
    ///
    /// Sessions of [`with_session_layer`](ClefLayer::with_session_layer) are not looked at: there
    /// a sign-out at another node ends what is open when a page comes back, after five minutes at
    /// the latest, and what a handler holds not at all.
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// # fn example<L>(auth: axum_clef::ClefLayer<L>) -> axum_clef::ClefLayer<L> {
    /// auth.live_interval(Duration::from_secs(3))
    /// # }
    /// ```
    #[must_use]
    pub fn live_interval(self, interval: Duration) -> Self {
        self.context.gate.live.set_interval(interval);
        self
    }

    /// How many pages may have `GET /clef/live` open at this node. Defaults to 20,000.
    ///
    /// Each takes a file descriptor, so keep the number below the limit of the process. The last
    /// quarter of the places is reserved: only a user without an open page gets one of them, so
    /// that a few users with many pages do not keep all others out. What is turned away is 503
    /// with `Retry-After`, and the page tries again; the log says how many at most once a second.
    ///
    /// A [`LoginEnd`](crate::LoginEnd) in a handler is not counted: the application bounds those.
    /// The number is for all clones of this layer together.
    ///
    /// ```
    /// # fn example<L>(auth: axum_clef::ClefLayer<L>) -> axum_clef::ClefLayer<L> {
    /// auth.most_live_pages(100_000)
    /// # }
    /// ```
    #[must_use]
    pub fn most_live_pages(self, pages: usize) -> Self {
        self.context.gate.live.pages().set_most(pages);
        self
    }

    /// How many pages of one user, by all logins together, may be open at this node. Defaults
    /// to 64.
    ///
    /// What is turned away is 503, as with [`most_live_pages`](Self::most_live_pages). Raise it
    /// where many people share an account.
    ///
    /// ```
    /// # fn example<L>(auth: axum_clef::ClefLayer<L>) -> axum_clef::ClefLayer<L> {
    /// auth.most_live_pages_per_user(500)
    /// # }
    /// ```
    #[must_use]
    pub fn most_live_pages_per_user(self, pages: usize) -> Self {
        self.context.gate.live.pages().set_most_per_user(pages);
        self
    }

    /// How many pages of one login, so of one browser, may be open at this node. Defaults to 16.
    ///
    /// With the script `/clef/live.js`, a browser has one connection for each visible page, one for
    /// all hidden pages together, and briefly one for each page that loads. What is turned away is
    /// 503, as with [`most_live_pages`](Self::most_live_pages).
    ///
    /// ```
    /// # fn example<L>(auth: axum_clef::ClefLayer<L>) -> axum_clef::ClefLayer<L> {
    /// auth.most_live_pages_per_login(32)
    /// # }
    /// ```
    #[must_use]
    pub fn most_live_pages_per_login(self, pages: usize) -> Self {
        self.context.gate.live.pages().set_most_per_login(pages);
        self
    }

    /// How many open pages are connected to this node right now.
    ///
    /// ```
    /// # fn example<L>(auth: &axum_clef::ClefLayer<L>) {
    /// println!("{} pages are open", auth.live_pages());
    /// # }
    /// ```
    pub fn live_pages(&self) -> usize {
        self.context.gate.live.pages().open()
    }

    /// Ends the connections of open pages, and takes no more of them: for a server that stops,
    /// which would wait for them. The pages come back within seconds, to another node or to the
    /// next process. What a handler keeps open is the application's to end.
    ///
    /// ```no_run
    /// use std::net::SocketAddr;
    ///
    /// use axum::Router;
    /// use axum_clef::{ClefLayer, ClefSessions};
    ///
    /// /// Serves until it is told to stop: by `tokio::signal::ctrl_c()`, say.
    /// async fn serve(
    ///     app: Router,
    ///     auth: ClefLayer<ClefSessions>,
    ///     stop: impl Future<Output = ()> + Send + 'static,
    /// ) -> std::io::Result<()> {
    ///     let listener = tokio::net::TcpListener::bind("127.0.0.1:3000").await?;
    ///     let app = app.into_make_service_with_connect_info::<SocketAddr>();
    ///     axum::serve(listener, app)
    ///         .with_graceful_shutdown(async move {
    ///             stop.await;
    ///             auth.close_live_pages();
    ///         })
    ///         .await
    /// }
    /// ```
    pub fn close_live_pages(&self) {
        self.context.gate.live.pages().close();
    }
}
