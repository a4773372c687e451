//! The settings that are functions of the application: pages of its own, and hooks.

use std::{future::Future, sync::Arc};

use axum::response::Response;
use http::request::Parts;

use super::ClefLayerBuilder;
use crate::{BoxError, LoggedInRejection, Login, LoginFailure, UserStore, auth::Hook};

impl<S: UserStore> ClefLayerBuilder<S> {
    /// Renders rejections the application's way, all of them, including the redirect to the login.
    /// [`LoggedInRejection::default_response`] is there for what the application does not change.
    /// Keep the [`status`](LoggedInRejection::status), and show nothing of its `source`.
    ///
    /// ```
    /// use axum::response::{IntoResponse, Response};
    /// use axum_clef::{ClefLayerBuilder, LoggedInRejection, UserStore};
    ///
    /// fn as_text(rejection: &LoggedInRejection) -> Response {
    ///     if rejection.is_navigation() {
    ///         return rejection.default_response();
    ///     }
    ///     (rejection.status(), rejection.to_string()).into_response()
    /// }
    ///
    /// # fn example<S: UserStore>(auth: ClefLayerBuilder<S>) -> ClefLayerBuilder<S> {
    /// auth.render_rejections(as_text)
    /// # }
    /// ```
    pub fn render_rejections(
        mut self,
        render: impl Fn(&LoggedInRejection) -> Response + Send + Sync + 'static,
    ) -> Self {
        self.render_rejection = Some(Arc::new(render));
        self
    }

    /// Renders the page of a failed login the application's way. Keep the
    /// [`status`](LoginFailure::status), offer the [`retry_url`](LoginFailure::retry_url), and show
    /// nothing of its `source`.
    ///
    /// ```
    /// use axum::response::{IntoResponse, Response};
    /// use axum_clef::{ClefLayerBuilder, LoginFailure, UserStore};
    ///
    /// fn as_text(failure: &LoginFailure) -> Response {
    ///     let text = format!("{failure} Try again: {}", failure.retry_url());
    ///     (failure.status(), text).into_response()
    /// }
    ///
    /// # fn example<S: UserStore>(auth: ClefLayerBuilder<S>) -> ClefLayerBuilder<S> {
    /// auth.render_login_failures(as_text)
    /// # }
    /// ```
    pub fn render_login_failures(
        mut self,
        render: impl Fn(&LoginFailure) -> Response + Send + Sync + 'static,
    ) -> Self {
        self.render_failure = Some(Arc::new(render));
        self
    }

    /// Calls a function for each login before it begins, with the head of the request and the
    /// login: to give the application's own session a new id, for example. A function that fails or
    /// takes longer than ten seconds fails the login with 503.
    ///
    /// ```
    /// use axum::http::request::Parts;
    /// use axum_clef::{BoxError, ClefLayerBuilder, Login, UserStore};
    /// use tower_sessions::Session;
    ///
    /// /// The application's own session layer is outside of the `ClefLayer`.
    /// async fn renew_session(parts: Parts, _login: Login) -> Result<(), BoxError> {
    ///     if let Some(session) = parts.extensions.get::<Session>() {
    ///         session.cycle_id().await?;
    ///     }
    ///     Ok(())
    /// }
    ///
    /// # fn example<S: UserStore>(auth: ClefLayerBuilder<S>) -> ClefLayerBuilder<S> {
    /// auth.on_login(renew_session)
    /// # }
    /// ```
    pub fn on_login<F, R>(mut self, hook: F) -> Self
    where
        F: Fn(Parts, Login) -> R + Send + Sync + 'static,
        R: Future<Output = Result<(), BoxError>> + Send + 'static,
    {
        self.hooks.on_login = Some(Hook::new(hook));
        self
    }

    /// Calls a function for each login that its browser has signed out, once it has ended: to clear
    /// what the application keeps for it. A function that fails is logged, and the login stays
    /// ended.
    ///
    /// ```
    /// use axum::http::request::Parts;
    /// use axum_clef::{BoxError, ClefLayerBuilder, Login, UserStore};
    /// use tower_sessions::Session;
    ///
    /// async fn clear_session(parts: Parts, _login: Login) -> Result<(), BoxError> {
    ///     if let Some(session) = parts.extensions.get::<Session>() {
    ///         session.flush().await?;
    ///     }
    ///     Ok(())
    /// }
    ///
    /// # fn example<S: UserStore>(auth: ClefLayerBuilder<S>) -> ClefLayerBuilder<S> {
    /// auth.on_sign_out(clear_session)
    /// # }
    /// ```
    pub fn on_sign_out<F, R>(mut self, hook: F) -> Self
    where
        F: Fn(Parts, Login) -> R + Send + Sync + 'static,
        R: Future<Output = Result<(), BoxError>> + Send + 'static,
    {
        self.hooks.on_sign_out = Some(Hook::new(hook));
        self
    }
}
