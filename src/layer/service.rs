//! What a request passes on its way in and out.

use std::{
    fmt,
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context as TaskContext, Poll, ready},
};

use axum::http::{HeaderValue, Request, Response, header};
use pin_project_lite::pin_project;
use tower_service::Service;

use crate::{
    extract::{Storing, Visit},
    routes::Context,
    session::Saving,
};

/// The service of a [`ClefLayer`](crate::ClefLayer), inside its session layer. The error of the
/// inner service passes through as it is.
#[derive(Clone, Debug)]
pub struct ClefLayerService<S> {
    inner: S,
    context: Arc<Context>,
}

impl<S> ClefLayerService<S> {
    pub(super) fn new(inner: S, context: Arc<Context>) -> Self {
        Self { inner, context }
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
        let visit = Arc::new(Visit::new(Arc::clone(&self.context.gate)));
        let extensions = request.extensions_mut();
        let saving = extensions.get::<Arc<Saving>>().cloned().unwrap_or_default();
        extensions.insert(Arc::clone(&visit));
        extensions.insert(Arc::clone(&self.context));
        ResponseFuture {
            inner: self.inner.call(request),
            visit,
            saving,
        }
    }
}

pin_project! {
    /// The response of a [`ClefLayerService`].
    pub struct ResponseFuture<F> {
        #[pin]
        inner: F,
        visit: Arc<Visit>,
        saving: Arc<Saving>,
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
        let headers = response.headers_mut();
        match this.visit.storing() {
            Storing::Free => {}
            Storing::ByCookie => {
                headers.append(header::VARY, HeaderValue::from_static("cookie"));
            }
            Storing::ForbiddenWhateverTheHandlerSays => {
                headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
            }
            Storing::Forbidden => {
                headers
                    .entry(header::CACHE_CONTROL)
                    .or_insert(HeaderValue::from_static("no-store"));
            }
        }
        this.saving.handled(&mut response);
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
