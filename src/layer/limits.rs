//! The settings that bound what clients and providers can cause.

use std::net::IpAddr;

use http::request::Parts;

use super::ClefLayerBuilder;
use crate::{AdmissionLimits, UserStore, routes::ClientAddress};

impl<S: UserStore> ClefLayerBuilder<S> {
    /// Limits how many logout notices are verified and queued at once. Defaults to
    /// [`AdmissionLimits::default`]. Where none can arrive it is an error of `build`.
    ///
    /// Known senders, from which a valid notice came before, have a second pool of the same size. One
    /// address may use all of it. So forged notices do not delay those of the provider. A notice that
    /// arrives again while it is verified costs no call; as many of those wait as the queue is long.
    ///
    /// ```
    /// use axum_clef::{AdmissionLimits, ClefLayerBuilder, UserStore};
    ///
    /// # fn example<S: UserStore>(auth: ClefLayerBuilder<S>) -> ClefLayerBuilder<S> {
    /// auth.notice_limits(AdmissionLimits::default().concurrency(16))
    /// # }
    /// ```
    pub fn notice_limits(mut self, limits: AdmissionLimits) -> Self {
        self.notice_limits = Some(limits);
        self
    }

    /// Limits the logins that call a provider at once and wait for it. Without a provider it is an
    /// error of `build`.
    ///
    /// The limits count for the callbacks of one provider, and once more for its starts and
    /// sign-outs together. A login that is not admitted is answered 503
    /// ([`LoginFailureKind::Overloaded`](crate::LoginFailureKind::Overloaded)); its state stays
    /// valid, so the user can try again. A sign-out that is not admitted ends the login here and
    /// does not go on at the provider.
    ///
    /// ```
    /// use axum_clef::{AdmissionLimits, ClefLayerBuilder, UserStore};
    ///
    /// # fn example<S: UserStore>(auth: ClefLayerBuilder<S>) -> ClefLayerBuilder<S> {
    /// auth.login_limits(AdmissionLimits::default().concurrency(256))
    /// # }
    /// ```
    pub fn login_limits(mut self, limits: AdmissionLimits) -> Self {
        self.login_limits = Some(limits);
        self
    }

    /// Limits the logouts that are accepted and wait for the user store. Defaults to 1,024 of some
    /// hundred bytes each.
    ///
    /// While as many wait, no notice is checked. The notices in progress at that moment may come on
    /// top.
    pub fn pending_logout_limit(mut self, limit: usize) -> Self {
        self.pending_logout_limit = Some(limit);
        self
    }

    /// Finds the client address of a request to the routes of a provider, for a site behind a
    /// reverse proxy: the address in a header that the proxy sets and no client can. Without a
    /// provider and a [`logout_endpoint`](Self::logout_endpoint) it is an error of `build`.
    ///
    /// Defaults to the peer of the connection, which the server makes known by
    /// [`into_make_service_with_connect_info`](axum::Router::into_make_service_with_connect_info).
    /// Without an address all clients share one quota, and no permits are kept for the provider;
    /// the first such request is logged as a warning.
    ///
    /// ```
    /// # use axum_clef::{ClefLayerBuilder, UserStore};
    /// # fn example<S: UserStore>(auth: ClefLayerBuilder<S>) -> ClefLayerBuilder<S> {
    /// auth.client_address(|request| {
    ///     let address = request.headers.get("x-real-ip")?.to_str().ok()?;
    ///     address.parse().ok()
    /// })
    /// # }
    /// ```
    pub fn client_address(
        mut self,
        find: impl Fn(&Parts) -> Option<IpAddr> + Send + Sync + 'static,
    ) -> Self {
        self.client_address = Some(ClientAddress::new(find));
        self
    }
}
