//! The service that a [`ClefLayer`](super::ClefLayer) puts around a router.

use std::{
    fmt,
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use http::{Request, Response};
use pin_project_lite::pin_project;
use tower_service::Service;

use crate::auth::{AuthState, RequestAuth};

/// The service of a [`ClefLayer`](crate::ClefLayer): it puts one value into the extensions of a
/// request, and adds cookies and cache headers to the answer where a handler asked for the user.
#[derive(Clone, Debug)]
pub struct ClefService<S> {
    inner: S,
    state: Arc<AuthState>,
}

impl<S> ClefService<S> {
    pub(super) fn new(inner: S, state: Arc<AuthState>) -> Self {
        Self { inner, state }
    }
}

impl<S, ReqBody, ResBody> Service<Request<ReqBody>> for ClefService<S>
where
    S: Service<Request<ReqBody>, Response = Response<ResBody>>,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = ResponseFuture<S::Future>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, mut request: Request<ReqBody>) -> Self::Future {
        self.state.check_routes(request.uri().path());
        let auth = Arc::new(RequestAuth::new(Arc::clone(&self.state)));
        request.extensions_mut().insert(Arc::clone(&auth));
        self.state.mark_sensitive(request.headers_mut());
        ResponseFuture {
            inner: self.inner.call(request),
            auth,
        }
    }
}

pin_project! {
    /// The response future of a [`ClefService`].
    #[must_use = "futures do nothing unless they are polled"]
    pub struct ResponseFuture<F> {
        #[pin]
        inner: F,
        auth: Arc<RequestAuth>,
    }
}

impl<F, B, E> Future for ResponseFuture<F>
where
    F: Future<Output = Result<Response<B>, E>>,
{
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let mut response = ready!(this.inner.poll(context))?;
        this.auth.finish(response.headers_mut());
        Poll::Ready(Ok(response))
    }
}

impl<F> fmt::Debug for ResponseFuture<F> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("ResponseFuture")
            .finish_non_exhaustive()
    }
}
