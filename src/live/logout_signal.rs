//! The end of a login as a future, and streams and bodies that end with it.

use std::{
    fmt,
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use axum::body::{Body, Bytes, HttpBody as _};
use futures_core::Stream;
use http_body::{Frame, SizeHint};
use pin_project_lite::pin_project;
use tokio::sync::futures::OwnedNotified;

use super::login::LiveLogin;
use crate::{EndedLogin, LoginId, LogoutReason};

/// A future that resolves when the login of this request ends.
///
/// Use it for work that outlasts the response: a WebSocket, a stream of events, a long download. It
/// is an extractor, and rejects like [`LoggedIn`](crate::LoggedIn). `Option<LogoutSignal>` is
/// `None` for an unauthenticated request.
///
/// It resolves when the user is logged out on any node, signs out on this device, or when the login
/// expires. Logouts that this node handles (the webhook, [`Logouts`](crate::Logouts), sign-outs)
/// are signalled at once. For logouts at other nodes, the user store is polled, every 10 seconds by
/// default; see [`live_interval`](crate::ClefLayerBuilder::live_interval). Waiting does not count
/// as activity: the login still times out.
///
/// It can be cloned, stored and awaited in any task, dropped at any time, and awaited again after
/// it has resolved. Clones share one entry per login and one task per layer, so ten thousand of
/// them are cheap. The stores are polled while any clone exists, so drop it when the work is done.
/// If the stores do not answer for one minute, it resolves with [`LogoutReason::Unknown`].
///
/// # Closing a WebSocket
///
/// The close code is 1008, policy violation (RFC 6455, section 7.4.1):
///
/// ```
/// use axum::{
///     extract::ws::{CloseFrame, Message, WebSocket, WebSocketUpgrade, close_code},
///     response::Response,
/// };
/// use axum_clef::LogoutSignal;
///
/// async fn chat(signal: LogoutSignal, upgrade: WebSocketUpgrade) -> Response {
///     upgrade.on_upgrade(move |socket| echo(socket, signal))
/// }
///
/// async fn echo(mut socket: WebSocket, mut signal: LogoutSignal) {
///     loop {
///         let message = tokio::select! {
///             biased; // send nothing after the login has ended
///             _ = &mut signal => {
///                 let frame = CloseFrame {
///                     code: close_code::POLICY,
///                     reason: "logged out".into(),
///                 };
///                 let _ = socket.send(Message::Close(Some(frame))).await;
///                 return;
///             }
///             message = socket.recv() => message,
///         };
///         match message {
///             Some(Ok(Message::Text(text))) => {
///                 if socket.send(Message::Text(text)).await.is_err() {
///                     return;
///                 }
///             }
///             Some(Ok(_)) => {}
///             Some(Err(_)) | None => return,
///         }
///     }
/// }
/// # let router: axum::Router = axum::Router::new().route("/chat", axum::routing::get(chat));
/// ```
///
/// # Ending a stream of events
///
/// ```
/// use std::{convert::Infallible, time::Duration};
///
/// use axum::response::sse::{Event, KeepAlive, Sse};
/// use axum_clef::LogoutSignal;
/// use futures_util::{Stream, stream};
///
/// async fn ticks(signal: LogoutSignal) -> Sse<impl Stream<Item = Result<Event, Infallible>>> {
///     let ticks = stream::unfold(0, |tick| async move {
///         tokio::time::sleep(Duration::from_secs(1)).await;
///         Some((Ok(Event::default().data(tick.to_string())), tick + 1))
///     });
///     Sse::new(signal.stream(ticks)).keep_alive(KeepAlive::default())
/// }
/// # let router: axum::Router = axum::Router::new().route("/ticks", axum::routing::get(ticks));
/// ```
///
/// # Stopping a download
///
/// ```
/// use axum::body::Body;
/// use axum_clef::LogoutSignal;
/// # use futures_util::stream;
///
/// async fn archive(signal: LogoutSignal) -> Body {
///     # let file = stream::iter([Ok::<_, std::io::Error>("a long file")]);
///     signal.body(Body::from_stream(file))
/// }
/// # let router: axum::Router = axum::Router::new().route("/archive", axum::routing::get(archive));
/// ```
#[must_use = "does nothing unless awaited or combined with a stream or a body"]
pub struct LogoutSignal {
    login: Arc<LiveLogin>,
    /// Boxed, and absent until the first poll, so that an unpolled value stays small.
    notified: Option<Pin<Box<OwnedNotified>>>,
}

impl LogoutSignal {
    pub(super) fn new(login: Arc<LiveLogin>) -> Self {
        Self {
            login,
            notified: None,
        }
    }

    /// The id of the login, shared by all clones.
    pub(super) fn id(&self) -> LoginId {
        self.login.id
    }

    /// Whether the login has ended. Reads one flag, so a loop can call it in each iteration.
    pub fn has_ended(&self) -> bool {
        self.reason().is_some()
    }

    /// Why the login ended, or `None` while it is valid.
    pub fn reason(&self) -> Option<LogoutReason> {
        self.ended_login().map(EndedLogin::reason)
    }

    /// Why the login ended and who or what caused it, or `None` while it is valid.
    ///
    /// The time of the logout is known where the user store has shown it. It is not for one that this
    /// node has just received.
    pub fn ended_login(&self) -> Option<&EndedLogin> {
        self.login.end()
    }

    /// A stream that ends when the login does. No item is yielded after that.
    pub fn stream<S: Stream>(self, stream: S) -> LogoutStream<S> {
        LogoutStream {
            stream,
            signal: self,
            is_done: false,
        }
    }

    /// A body that fails when the login ends.
    ///
    /// It ends with an error, so the client sees an incomplete transfer instead of a short file
    /// that looks complete. The client keeps what it has received by then.
    pub fn body(self, body: Body) -> Body {
        if body.is_end_stream() {
            return body;
        }
        Body::new(EndingBody { body, signal: self })
    }
}

impl Future for LogoutSignal {
    type Output = LogoutReason;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<LogoutReason> {
        loop {
            let Self { login, notified } = &mut *self;
            // Created before the flag is read, so that no signal in between is lost.
            let waiting = notified.get_or_insert_with(|| Box::pin(login.notified()));
            if let Some(end) = login.end() {
                return Poll::Ready(end.reason());
            }
            ready!(waiting.as_mut().poll(context));
            *notified = None;
        }
    }
}

impl Clone for LogoutSignal {
    fn clone(&self) -> Self {
        Self::new(Arc::clone(&self.login))
    }
}

impl fmt::Debug for LogoutSignal {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("LogoutSignal")
            .field("ended_login", &self.ended_login())
            .finish_non_exhaustive()
    }
}

pin_project! {
    /// A stream that ends when a login does, made by [`LogoutSignal::stream`].
    #[must_use = "streams do nothing unless they are polled"]
    pub struct LogoutStream<S> {
        #[pin]
        stream: S,
        signal: LogoutSignal,
        is_done: bool,
    }
}

impl<S> fmt::Debug for LogoutStream<S> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("LogoutStream")
            .field("signal", &self.signal)
            .finish_non_exhaustive()
    }
}

impl<S: Stream> Stream for LogoutStream<S> {
    type Item = S::Item;

    fn poll_next(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<S::Item>> {
        let this = self.project();
        // The login comes first, so that no item is yielded once it has ended.
        if *this.is_done || Pin::new(this.signal).poll(context).is_ready() {
            *this.is_done = true;
            return Poll::Ready(None);
        }
        let next = this.stream.poll_next(context);
        *this.is_done = matches!(next, Poll::Ready(None));
        next
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        // The login may end at any time.
        (0, self.stream.size_hint().1)
    }
}

/// The error that breaks off a body.
#[derive(Debug, thiserror::Error)]
#[error("the login has ended, so the response was cut off")]
struct LoginEnded;

struct EndingBody {
    body: Body,
    signal: LogoutSignal,
}

impl http_body::Body for EndingBody {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        // The login comes first, so that no data is sent once it has ended.
        if Pin::new(&mut self.signal).poll(context).is_ready() {
            return Poll::Ready(Some(Err(axum::Error::new(LoginEnded))));
        }
        Pin::new(&mut self.body).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
