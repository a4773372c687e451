//! Answers for a session layer of the application's where its store does not: tower-sessions'
//! saves after the handler, without a limit, and says an empty 500 where it cannot.

use std::{
    fmt,
    future::Future,
    panic::{AssertUnwindSafe, catch_unwind, resume_unwind},
    pin::Pin,
    sync::Arc,
    task::{Context as TaskContext, Poll},
};

use axum::{
    http::{Request, Response, header},
    response::IntoResponse as _,
};
use pin_project_lite::pin_project;
use tokio::time::Sleep;
use tower_service::Service;

use super::{body::into_body, given};
use crate::{
    BoxError, Rejection,
    extract::{Visit, navigates},
    routes::Context,
    session::Handled,
    time_limit::{NoAnswer, STORE_LIMIT},
};

/// Around the session layer.
#[derive(Clone, Debug)]
pub struct AnswersForTheSessions<S> {
    inner: S,
    // None: the session layer is our own and answers for itself.
    context: Option<Arc<Context>>,
}

impl<S> AnswersForTheSessions<S> {
    pub(super) fn new(inner: S, context: Option<Arc<Context>>) -> Self {
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
        let answering = self.context.as_ref().map(|context| Answering {
            visit: Arc::new(context.visit()),
            navigates: navigates(request.method(), request.headers()),
            limit: None,
        });
        if let Some(answering) = &answering {
            let visit = Arc::clone(&answering.visit);
            request.extensions_mut().insert(visit);
        }
        SavingFuture {
            inner: self.inner.call(request),
            answering,
        }
    }
}

pin_project! {
    /// The response of [`AnswersForTheSessions`].
    pub struct SavingFuture<F> {
        #[pin]
        inner: F,
        answering: Option<Answering>,
    }
}

struct Answering {
    visit: Arc<Visit>,
    navigates: bool,
    /// Runs from when the handler has answered and the session layer has not.
    limit: Option<Pin<Box<Sleep>>>,
}

impl<F, ResBody, E> Future for SavingFuture<F>
where
    F: Future<Output = Result<Response<ResBody>, E>>,
    ResBody: Default + 'static,
{
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, context: &mut TaskContext<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        match this.answering {
            Some(answering) => answering.poll(this.inner.as_mut(), context),
            None => this.inner.poll(context),
        }
    }
}

impl Answering {
    fn poll<F, B, E>(
        &mut self,
        mut inner: Pin<&mut F>,
        context: &mut TaskContext<'_>,
    ) -> Poll<F::Output>
    where
        F: Future<Output = Result<Response<B>, E>>,
        B: Default + 'static,
    {
        let saving = &self.visit.saving;
        let polled = catch_unwind(AssertUnwindSafe(|| inner.as_mut().poll(context)));
        let (error, cookies): (BoxError, Vec<_>) = match polled {
            Ok(Poll::Ready(Ok(mut response))) => {
                let passed = response.extensions_mut().remove::<Handled>().is_some();
                let whole = passed || !saving.is_handled() || !response.status().is_server_error();
                // Those of the handler are gone with its answer.
                let of_handler = if whole {
                    saving.cookies_of_handler()
                } else {
                    0
                };
                if whole && self.visit.is_no_use() {
                    given::take_back(response.headers_mut(), of_handler);
                }
                let given = given::look_over(response.headers_mut(), of_handler);
                if whole && given.is_ok() {
                    let headers = response.headers_mut();
                    if saving.is_handled()
                        && let Some(ending) = saving.take_ending()
                    {
                        ending.saved(headers);
                    }
                    self.visit.set_cookies(headers);
                    return Poll::Ready(Ok(response));
                }
                let error = match given {
                    Ok(()) => "the session store did not take the session".into(),
                    Err(too_large) => too_large.into(),
                };
                let cookies = response.headers().get_all(header::SET_COOKIE).iter();
                (error, cookies.skip(of_handler).cloned().collect())
            }
            Ok(Poll::Ready(Err(error))) => return Poll::Ready(Err(error)),
            Ok(Poll::Pending) => {
                if !saving.is_handled() {
                    return Poll::Pending;
                }
                let limit = self
                    .limit
                    .get_or_insert_with(|| Box::pin(tokio::time::sleep(STORE_LIMIT)));
                if limit.as_mut().poll(context).is_pending() {
                    return Poll::Pending;
                }
                (NoAnswer::Late(STORE_LIMIT).into(), Vec::new())
            }
            // A panic of the handler is the application's.
            Err(panic) if !saving.is_handled() => resume_unwind(panic),
            Err(_) => (NoAnswer::Panicked.into(), Vec::new()),
        };
        let mut response = match saving.take_ending() {
            Some(ending) => ending.failed(error),
            None => Rejection::not_saved(&self.visit.gate, self.navigates, error).into_response(),
        };
        // They stand whatever becomes of the rest.
        for cookie in cookies {
            response.headers_mut().append(header::SET_COOKIE, cookie);
        }
        self.visit.set_cookies(response.headers_mut());
        Poll::Ready(Ok(response.map(into_body)))
    }
}

impl<F> fmt::Debug for SavingFuture<F> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("SavingFuture")
            .finish_non_exhaustive()
    }
}
