//! Optional settings of the layer, and what it gives to the application.

use std::{net::IpAddr, sync::Arc, time::Duration};

use axum::{http::request::Parts, response::Response};

use super::ClefLayer;
use crate::{
    AdmissionLimits, LoginFailure, Logouts, Rejection,
    pending::PendingLogouts,
    routes::{Admission, ClientAddress, NoticeAdmission},
};

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

    /// Limits the logout notices that are checked at once and wait for it. Set it before taking
    /// the [`routes`](Self::routes).
    ///
    /// Senders of good notices have as many permits and as much of a queue again to themselves,
    /// which one address may use alone. So neither forged notices nor notices from unknown
    /// addresses hold the provider up. A notice that arrives again while it is checked costs no
    /// call; as many of those wait as the queue is long.
    ///
    /// ```
    /// use axum_clef::AdmissionLimits;
    ///
    /// # fn example<L>(auth: axum_clef::ClefLayer<L>) -> axum_clef::ClefLayer<L> {
    /// auth.notice_limits(AdmissionLimits::default().concurrency(16))
    /// # }
    /// ```
    #[must_use]
    pub fn notice_limits(mut self, limits: AdmissionLimits) -> Self {
        self.context_mut().notice_admission = NoticeAdmission::new(&limits);
        self
    }

    /// Limits the logins that call a provider at once and wait for it. Set it before taking the
    /// [`routes`](Self::routes).
    ///
    /// The limits count for the callbacks, and once more for the starts and sign-outs together.
    /// A login that is not admitted is answered with 503
    /// ([`LoginFailureKind::Overloaded`](crate::LoginFailureKind::Overloaded)); its state stays
    /// good, so the person can try again. A sign-out that is not admitted ends the login here
    /// and does not go on at the provider.
    ///
    /// ```
    /// use axum_clef::AdmissionLimits;
    ///
    /// # fn example<L>(auth: axum_clef::ClefLayer<L>) -> axum_clef::ClefLayer<L> {
    /// auth.login_limits(AdmissionLimits::default().concurrency(256))
    /// # }
    /// ```
    #[must_use]
    pub fn login_limits(mut self, limits: AdmissionLimits) -> Self {
        let context = self.context_mut();
        context.exchange_admission = Admission::new(&limits);
        context.redirect_admission = Admission::new(&limits);
        self
    }

    /// Limits the logouts that are known and wait for the user store. Defaults to 1,024 of some
    /// hundred bytes each; zero counts as one. Set it before taking the [`routes`](Self::routes).
    ///
    /// While as many wait, no notice is checked. The notices in progress at that moment may
    /// come on top.
    #[must_use]
    pub fn pending_logout_limit(mut self, limit: usize) -> Self {
        self.gate_mut().pending = PendingLogouts::new(limit);
        self
    }

    /// Finds the client address of a request to the [`routes`](Self::routes), for a site behind
    /// a reverse proxy: the address in a header that the proxy sets and no client can. Set it
    /// before taking the routes.
    ///
    /// Defaults to the peer of the connection, which the server makes known by
    /// [`into_make_service_with_connect_info`](axum::Router::into_make_service_with_connect_info).
    /// Without an address all clients share one quota, and no permits are kept for the provider;
    /// the first such request is logged as a warning.
    ///
    /// ```
    /// # fn example<L>(auth: axum_clef::ClefLayer<L>) -> axum_clef::ClefLayer<L> {
    /// auth.client_address(|request| {
    ///     let address = request.headers.get("x-real-ip")?.to_str().ok()?;
    ///     address.parse().ok()
    /// })
    /// # }
    /// ```
    #[must_use]
    pub fn client_address(
        mut self,
        find: impl Fn(&Parts) -> Option<IpAddr> + Send + Sync + 'static,
    ) -> Self {
        self.context_mut().client_address = ClientAddress::new(find);
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
