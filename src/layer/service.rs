//! What a request passes on its way in and out.

use std::{
    fmt,
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context as TaskContext, Poll, ready},
};

use axum::http::{HeaderMap, HeaderValue, Request, Response, header};
use pin_project_lite::pin_project;
use tower_service::Service;

use super::prefixes;
use crate::{
    extract::{Storing, Visit},
    routes::Context,
};

/// The service of a [`ClefLayer`](crate::ClefLayer), inside a session layer that the application
/// configured itself. The error of the inner service passes through as it is.
#[derive(Clone, Debug)]
pub struct ClefLayerService<S> {
    inner: S,
    context: Arc<Context>,
}

impl<S> ClefLayerService<S> {
    pub(super) fn new(inner: S, context: Arc<Context>) -> Self {
        Self { inner, context }
    }

    /// What is inside, for a service that does all of this itself.
    pub(super) fn into_parts(self) -> (S, Arc<Context>) {
        (self.inner, self.context)
    }
}

impl<S, ReqBody, ResBody> Service<Request<ReqBody>> for ClefLayerService<S>
where
    S: Service<Request<ReqBody>, Response = Response<ResBody>>,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = ResponseFuture<S::Future>;

    fn poll_ready(&mut self, context: &mut TaskContext<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, mut request: Request<ReqBody>) -> Self::Future {
        prefixes::restore(&mut request);
        // Whoever answers for the session layer has put it there, around that.
        let visit = request.extensions().get::<Arc<Visit>>().cloned();
        ResponseFuture {
            inner: self.inner.call(request),
            visit,
        }
    }
}

pin_project! {
    /// The response of a [`ClefLayerService`].
    pub struct ResponseFuture<F> {
        #[pin]
        inner: F,
        visit: Option<Arc<Visit>>,
    }
}

impl<F, ResBody, E> Future for ResponseFuture<F>
where
    F: Future<Output = Result<Response<ResBody>, E>>,
{
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, context: &mut TaskContext<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let mut response = ready!(this.inner.poll(context))?;
        let Some(visit) = this.visit else {
            return Poll::Ready(Ok(response));
        };
        tell_caches(visit, response.headers_mut());
        visit.saving.handled(&mut response);
        Poll::Ready(Ok(response))
    }
}

/// Tells the caches between us and the browser what they must know of an answer.
pub(super) fn tell_caches(visit: &Visit, headers: &mut HeaderMap) {
    match visit.storing() {
        Storing::Free => {}
        Storing::ByCookie => {
            headers.append(header::VARY, HeaderValue::from_static("cookie"));
        }
        Storing::Forbidden => {
            headers
                .entry(header::CACHE_CONTROL)
                .or_insert(HeaderValue::from_static("no-store"));
        }
    }
}

impl<F> fmt::Debug for ResponseFuture<F> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("ResponseFuture")
            .finish_non_exhaustive()
    }
}
