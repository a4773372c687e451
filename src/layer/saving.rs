//! Answers for the session layer where its store does not: it saves after the handler,
//! without a limit, and says an empty 500 where it cannot.

use std::{
    any::Any,
    fmt,
    future::Future,
    panic::{AssertUnwindSafe, catch_unwind, resume_unwind},
    pin::Pin,
    sync::Arc,
    task::{Context as TaskContext, Poll},
};

use axum::{
    body::Body,
    http::{Request, Response, header},
    response::IntoResponse as _,
};
use pin_project_lite::pin_project;
use tokio::time::Sleep;
use tower_service::Service;

use crate::{
    BoxError, Rejection,
    extract::navigates,
    routes::Context,
    session::{Handled, Saving},
    time_limit::{NoAnswer, STORE_LIMIT},
};

/// Around the session layer.
#[derive(Clone, Debug)]
pub struct AnswersForTheSessions<S> {
    inner: S,
    context: Arc<Context>,
}

impl<S> AnswersForTheSessions<S> {
    pub(super) fn new(inner: S, context: Arc<Context>) -> Self {
        Self { inner, context }
    }
}

impl<S, ReqBody, ResBody> Service<Request<ReqBody>> for AnswersForTheSessions<S>
where
    S: Service<Request<ReqBody>, Response = Response<ResBody>>,
    ResBody: Default + 'static,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = SavingFuture<S::Future>;

    fn poll_ready(&mut self, context: &mut TaskContext<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, mut request: Request<ReqBody>) -> Self::Future {
        let saving = Arc::new(Saving::default());
        request.extensions_mut().insert(Arc::clone(&saving));
        SavingFuture {
            navigates: navigates(request.method(), request.headers()),
            inner: self.inner.call(request),
            saving,
            limit: None,
            context: Arc::clone(&self.context),
        }
    }
}

pin_project! {
    /// The response of [`AnswersForTheSessions`].
    pub struct SavingFuture<F> {
        #[pin]
        inner: F,
        saving: Arc<Saving>,
        navigates: bool,
        // Runs from when the handler has answered and the session layer has not.
        limit: Option<Pin<Box<Sleep>>>,
        context: Arc<Context>,
    }
}

impl<F, ResBody, E> Future for SavingFuture<F>
where
    F: Future<Output = Result<Response<ResBody>, E>>,
    ResBody: Default + 'static,
{
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, context: &mut TaskContext<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        let mut inner = this.inner.as_mut();
        let polled = catch_unwind(AssertUnwindSafe(|| inner.as_mut().poll(context)));
        let (error, cookies): (BoxError, Vec<_>) = match polled {
            Ok(Poll::Ready(Ok(mut response))) => {
                let passed = response.extensions_mut().remove::<Handled>().is_some();
                if !this.saving.is_handled() {
                    return Poll::Ready(Ok(response));
                }
                if passed || !response.status().is_server_error() {
                    if let Some(ending) = this.saving.take_ending() {
                        ending.saved(response.headers_mut());
                    }
                    return Poll::Ready(Ok(response));
                }
                let error = "the session store did not take the session".into();
                let cookies = response.headers().get_all(header::SET_COOKIE);
                (error, cookies.iter().cloned().collect())
            }
            Ok(Poll::Ready(Err(error))) => return Poll::Ready(Err(error)),
            Ok(Poll::Pending) => {
                if !this.saving.is_handled() {
                    return Poll::Pending;
                }
                let limit = this
                    .limit
                    .get_or_insert_with(|| Box::pin(tokio::time::sleep(STORE_LIMIT)));
                if limit.as_mut().poll(context).is_pending() {
                    return Poll::Pending;
                }
                (NoAnswer::Late(STORE_LIMIT).into(), Vec::new())
            }
            // A panic of the handler is the application's.
            Err(panic) if !this.saving.is_handled() => resume_unwind(panic),
            Err(_) => (NoAnswer::Panicked.into(), Vec::new()),
        };
        let mut response = match this.saving.take_ending() {
            Some(ending) => ending.failed(error),
            None => {
                Rejection::not_saved(&this.context.gate, *this.navigates, error).into_response()
            }
        };
        // They stand whatever becomes of the rest.
        for cookie in cookies {
            response.headers_mut().append(header::SET_COOKIE, cookie);
        }
        Poll::Ready(Ok(response.map(into_body)))
    }
}

/// The body as the inner service has it: our own where that is axum's, an empty one elsewhere.
fn into_body<B: Default + 'static>(body: Body) -> B {
    let mut body = Some(body);
    let body = (&mut body as &mut dyn Any).downcast_mut::<Option<B>>();
    body.and_then(Option::take).unwrap_or_default()
}

impl<F> fmt::Debug for SavingFuture<F> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("SavingFuture")
            .finish_non_exhaustive()
    }
}
