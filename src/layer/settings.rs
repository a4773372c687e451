//! What an application may have otherwise, and what it may ask the layer for.

use std::{net::IpAddr, sync::Arc, time::Duration};

use axum::{http::request::Parts, response::Response};

use super::ClefLayer;
use crate::{LoginFailure, Logouts, NoticeLimits, Rejection, pending::PendingLogouts};

impl<L> ClefLayer<L> {
    /// Renders what whoever does not get in sees, the application's way: all of it, the
    /// redirect to the start route too. [`Rejection::default_response`] is there for what the
    /// application has no way of its own for. Keep to [`Rejection::status`], and say nothing
    /// of its `source`.
    ///
    /// ```
    /// use axum::response::{IntoResponse, Response};
    /// use axum_clef::Rejection;
    ///
    /// fn as_text(rejection: &Rejection) -> Response {
    ///     if rejection.is_navigation() {
    ///         return rejection.default_response();
    ///     }
    ///     (rejection.status(), rejection.to_string()).into_response()
    /// }
    ///
    /// # fn example<L>(auth: axum_clef::ClefLayer<L>) -> axum_clef::ClefLayer<L> {
    /// auth.render_rejections(as_text)
    /// # }
    /// ```
    #[must_use]
    pub fn render_rejections(
        mut self,
        render: impl Fn(&Rejection) -> Response + Send + Sync + 'static,
    ) -> Self {
        self.gate_mut().render_rejection = Some(Arc::new(render));
        self
    }

    /// Renders the page of a login that did not work out, the application's way. Keep to
    /// [`LoginFailure::status`], offer [`LoginFailure::retry_url`], and say nothing of its
    /// `source`. The page's policies are the application's to set; the built-in one has
    /// `Content-Security-Policy: …; frame-ancestors 'none'`, `X-Content-Type-Options: nosniff` and
    /// `Cross-Origin-Opener-Policy: same-origin`.
    ///
    /// ```
    /// use axum::response::{IntoResponse, Response};
    /// use axum_clef::LoginFailure;
    ///
    /// fn as_text(failure: &LoginFailure) -> Response {
    ///     let text = format!("{failure} Try again: {}", failure.retry_url());
    ///     (failure.status(), text).into_response()
    /// }
    ///
    /// # fn example<L>(auth: axum_clef::ClefLayer<L>) -> axum_clef::ClefLayer<L> {
    /// auth.render_login_failures(as_text)
    /// # }
    /// ```
    #[must_use]
    pub fn render_login_failures(
        mut self,
        render: impl Fn(&LoginFailure) -> Response + Send + Sync + 'static,
    ) -> Self {
        self.context_mut().render_failure = Some(Arc::new(render));
        self
    }

    /// How long a login lasts at the most, however busy it is; without a limit by default.
    /// Counted from its beginning, on each request: a lower limit ends the logins that are
    /// older already.
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// # fn example<L>(auth: axum_clef::ClefLayer<L>) -> axum_clef::ClefLayer<L> {
    /// auth.lifetime(Duration::from_secs(30 * 24 * 60 * 60))
    /// # }
    /// ```
    #[must_use]
    pub fn lifetime(mut self, lifetime: Duration) -> Self {
        self.gate_mut().lifetime = Some(lifetime);
        self
    }

    /// Makes a sign-out (`POST /clef/sign-out`) end all logins of the person, by the path of the
    /// logout webhook, and not that of this browser alone. For sessions in a sealed cookie, which
    /// no server can end: whoever has copied it, and the cookie with the login's key, would stay
    /// logged in. See [`with_session_layer`](Self::with_session_layer).
    ///
    /// Only a login that is good ends the person's others; whoever signs out with one that is
    /// over gets rid of its cookies. While the user store does not take the logout, the answer is
    /// 503 ([`LoginFailureKind::NotSignedOut`](crate::LoginFailureKind::NotSignedOut)), and the
    /// browser keeps its cookies to try again with. This node refuses the person meanwhile, and
    /// tries until the logout holds, as for the webhook.
    ///
    /// Tell people what the button does: "Sign out everywhere".
    ///
    /// ```
    /// # fn example<L>(auth: axum_clef::ClefLayer<L>) -> axum_clef::ClefLayer<L> {
    /// auth.sign_out_everywhere()
    /// # }
    /// ```
    #[must_use]
    pub fn sign_out_everywhere(mut self) -> Self {
        self.context_mut().sign_out_everywhere = true;
        self
    }

    /// What ends logins from outside of a handler: an administrator's tool, a job. Take it once
    /// the layer is set up.
    ///
    /// ```
    /// use axum_clef::{LogoutError, Logouts, Subject};
    ///
    /// # fn example<L>(auth: &axum_clef::ClefLayer<L>) -> Logouts {
    /// let logouts = auth.logouts();
    /// # logouts
    /// # }
    /// async fn suspend(logouts: &Logouts, clef_id: &str) -> Result<bool, LogoutError> {
    ///     logouts.log_out(&Subject::new("https://clef.example.com", clef_id)).await
    /// }
    /// ```
    pub fn logouts(&self) -> Logouts {
        Logouts::new(Arc::clone(&self.context.gate))
    }

    /// How many logout notices are dealt with at once. Set it before taking the
    /// [`routes`](Self::routes).
    ///
    /// ```
    /// use axum_clef::NoticeLimits;
    ///
    /// # fn example<L>(auth: axum_clef::ClefLayer<L>) -> axum_clef::ClefLayer<L> {
    /// auth.notice_limits(NoticeLimits::default().at_once(16))
    /// # }
    /// ```
    #[must_use]
    pub fn notice_limits(mut self, limits: NoticeLimits) -> Self {
        self.gate_mut().pending = PendingLogouts::new(limits.most_owed());
        self.context_mut().checks = self.context.checks.with_limits(&limits);
        self
    }

    /// Who sends a logout notice, for a site behind a reverse proxy: the address that the proxy
    /// puts into a header which nobody else can. As it stands, it is the other end of the
    /// connection, if the server makes that known
    /// ([`into_make_service_with_connect_info`](axum::Router::into_make_service_with_connect_info)).
    ///
    /// Room is kept for senders of good notices, so that a flood of forged ones from elsewhere
    /// does not hold theirs up.
    ///
    /// ```
    /// # fn example<L>(auth: axum_clef::ClefLayer<L>) -> axum_clef::ClefLayer<L> {
    /// auth.notice_sender(|request| {
    ///     let address = request.headers.get("x-real-ip")?.to_str().ok()?;
    ///     address.parse().ok()
    /// })
    /// # }
    /// ```
    #[must_use]
    pub fn notice_sender(
        mut self,
        sender: impl Fn(&Parts) -> Option<IpAddr> + Send + Sync + 'static,
    ) -> Self {
        self.context_mut().checks = self.context.checks.with_sender(Arc::new(sender));
        self
    }

    /// How many people's logouts this node knows of and could not write yet. It tries until
    /// they hold and refuses these people meanwhile. Anything but zero for long means that
    /// the user store is in trouble.
    ///
    /// ```
    /// # fn example<L>(auth: &axum_clef::ClefLayer<L>) {
    /// if auth.pending_logouts() > 0 {
    ///     eprintln!("the user store does not take logouts");
    /// }
    /// # }
    /// ```
    pub fn pending_logouts(&self) -> usize {
        self.context.gate.pending.len()
    }
}
