//! Brings sessions into requests and saves them when the handler has answered.

use std::{
    fmt,
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context as TaskContext, Poll, ready},
};

use axum::{
    http::{HeaderValue, Request, Response, header},
    response::IntoResponse as _,
};
use pin_project_lite::pin_project;
use tower_layer::Layer;
use tower_service::Service;
use tower_sessions::Session;

use super::{ClefLayerService, body::into_body, service::tell_caches};
use crate::{
    BoxError, Rejection, cookies,
    extract::{Visit, navigates},
    routes::Context,
    session::{Keeper, SessionCookie},
    time_limit::{STORE_LIMIT, detached_within},
};

/// The sessions of a [`ClefLayer::new`](crate::ClefLayer::new): handlers find tower-sessions'
/// `Session` in the request, as with its own layer.
///
/// A session is saved once the handler has answered, if it was changed and the answer is no
/// error of the server. If the store then does not take it, the answer is 503, as for every
/// store that does not answer. The cookie goes out when the session gets a new id, and not
/// again, so that a request that takes long does not undo what the browser got meanwhile.
#[derive(Clone, Debug)]
pub struct ClefSessions(Arc<Keeper>);

impl ClefSessions {
    pub(super) fn new(keeper: Arc<Keeper>) -> Self {
        Self(keeper)
    }

    pub(super) fn keeper(&self) -> &Arc<Keeper> {
        &self.0
    }
}

impl<S> Layer<ClefLayerService<S>> for ClefSessions {
    type Service = WithSessions<S>;

    fn layer(&self, inner: ClefLayerService<S>) -> Self::Service {
        let (inner, context) = inner.into_parts();
        WithSessions {
            inner,
            context,
            keeper: Arc::clone(&self.0),
        }
    }
}

/// The service of [`ClefSessions`].
#[derive(Clone, Debug)]
pub struct WithSessions<S> {
    inner: S,
    context: Arc<Context>,
    keeper: Arc<Keeper>,
}

impl<S, ReqBody, ResBody> Service<Request<ReqBody>> for WithSessions<S>
where
    S: Service<Request<ReqBody>, Response = Response<ResBody>>,
    ResBody: Default + Send + 'static,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = SessionFuture<S::Future, ResBody>;

    fn poll_ready(&mut self, context: &mut TaskContext<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, mut request: Request<ReqBody>) -> Self::Future {
        let visit = Arc::new(self.context.visit());
        let came = self.keeper.came(request.headers());
        let session = self.keeper.session(came, Arc::clone(&visit));
        let navigates = navigates(request.method(), request.headers());
        let extensions = request.extensions_mut();
        extensions.insert(session.clone());
        extensions.insert(Arc::clone(&visit));
        SessionFuture {
            inner: self.inner.call(request),
            keeper: Arc::clone(&self.keeper),
            visit,
            session,
            came,
            navigates,
            end: None,
        }
    }
}

pin_project! {
    /// The response of [`WithSessions`].
    pub struct SessionFuture<F, B> {
        #[pin]
        inner: F,
        keeper: Arc<Keeper>,
        visit: Arc<Visit>,
        session: Session,
        came: SessionCookie,
        navigates: bool,
        // For the few requests that leave the session other than it was.
        end: Option<Pin<Box<dyn Future<Output = Response<B>> + Send>>>,
    }
}

impl<F, B, E> Future for SessionFuture<F, B>
where
    F: Future<Output = Result<Response<B>, E>>,
    B: Default + Send + 'static,
{
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, context: &mut TaskContext<'_>) -> Poll<Self::Output> {
        let this = self.project();
        if this.end.is_none() {
            let mut response = ready!(this.inner.poll(context))?;
            tell_caches(this.visit, response.headers_mut());
            let gone = *this.came != SessionCookie::Absent && this.session.id().is_none();
            if !this.session.is_modified() && !gone {
                this.visit.set_cookies(response.headers_mut());
                return Poll::Ready(Ok(response));
            }
            let end = End {
                keeper: Arc::clone(this.keeper),
                visit: Arc::clone(this.visit),
                session: this.session.clone(),
                came: *this.came,
                navigates: *this.navigates,
            };
            *this.end = Some(Box::pin(end.of(response)));
        }
        match this.end {
            Some(end) => end.as_mut().poll(context).map(Ok),
            None => Poll::Pending,
        }
    }
}

/// The end of a request that leaves the session other than it was.
struct End {
    keeper: Arc<Keeper>,
    visit: Arc<Visit>,
    session: Session,
    came: SessionCookie,
    navigates: bool,
}

impl End {
    async fn of<B: Default + 'static>(self, mut response: Response<B>) -> Response<B> {
        let failed = response.status().is_server_error();
        let (keeper, session, came) = (Arc::clone(&self.keeper), self.session.clone(), self.came);
        let kept = async move { keeper.keep(&session, came, failed).await };
        let ending = self.visit.saving.take_ending();
        match detached_within(STORE_LIMIT, kept).await {
            Ok(cookie) => {
                let headers = response.headers_mut();
                if let Some(cookie) = cookie {
                    cookies::set(headers, &cookie);
                    // Whatever the handler says: it is good for one browser.
                    let no_store = HeaderValue::from_static("no-store");
                    headers.insert(header::CACHE_CONTROL, no_store);
                }
                if let Some(ending) = ending
                    && !failed
                {
                    ending.saved(headers);
                }
            }
            Err(error) => {
                let answer = match ending {
                    Some(ending) => ending.failed(error),
                    None => self.not_saved(error),
                };
                response = answer.map(into_body);
            }
        }
        // They stand whatever becomes of the rest.
        self.visit.set_cookies(response.headers_mut());
        response
    }

    fn not_saved(&self, error: BoxError) -> axum::response::Response {
        Rejection::not_saved(&self.visit.gate, self.navigates, error).into_response()
    }
}

impl<F, B> fmt::Debug for SessionFuture<F, B> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("SessionFuture")
            .finish_non_exhaustive()
    }
}
