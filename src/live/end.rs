//! The future that ends when a login does.

use std::{
    fmt,
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use axum::body::{Body, HttpBody as _};
use futures_core::Stream;
use tokio::sync::futures::OwnedNotified;

use super::{LoginEnding, body::UntilEnd, login::Login, stream::StreamUntilEnd};

/// Ends when the login of this request does: for what goes on after the answer has begun, a
/// WebSocket, a stream of events, a long download. An extractor, and a future.
///
/// It ends when the person is logged out, on any node, or signed out on this device, or when the
/// login's lifetime or idle time is over. What this node hears itself (the webhook,
/// [`Logouts`](crate::Logouts), the sign-out route, a session that is deleted) it tells at once.
/// For what other nodes hear, the user store is asked every ten seconds, or as
/// [`ClefLayer::live_interval`](crate::ClefLayer::live_interval) says. A listener is no use of the
/// session: that goes idle all the same.
///
/// It may be cloned, kept and awaited from any task, dropped at any time, and awaited again after
/// it has ended. Ten thousand are nothing special: there is one entry for each login, however many
/// listen, and one task for all. The stores are asked as long as one of them is kept, so drop it
/// when the work is done. It counts as logged out after a minute in which the stores did not
/// answer ([`LoginEnding::Unknown`]).
///
/// The check of the request comes first, so it rejects as [`LoggedIn`](crate::LoggedIn) does, and
/// `Option<LoginEnd>` is `None` for nobody.
///
/// # A WebSocket that closes
///
/// With the code 1008, policy violation (RFC 6455, section 7.4.1):
///
/// ```
/// use axum::{
///     extract::ws::{CloseFrame, Message, WebSocket, WebSocketUpgrade, close_code},
///     response::Response,
/// };
/// use axum_clef::LoginEnd;
///
/// async fn chat(end: LoginEnd, upgrade: WebSocketUpgrade) -> Response {
///     upgrade.on_upgrade(move |socket| echo(socket, end))
/// }
///
/// async fn echo(mut socket: WebSocket, mut end: LoginEnd) {
///     loop {
///         let message = tokio::select! {
///             biased; // nothing more is said once it has ended
///             _ = &mut end => {
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
/// # A stream of events that ends
///
/// ```
/// use std::{convert::Infallible, time::Duration};
///
/// use axum::response::sse::{Event, KeepAlive, Sse};
/// use axum_clef::LoginEnd;
/// use futures_util::{Stream, stream};
///
/// async fn ticks(end: LoginEnd) -> Sse<impl Stream<Item = Result<Event, Infallible>>> {
///     let ticks = stream::unfold(0, |tick| async move {
///         tokio::time::sleep(Duration::from_secs(1)).await;
///         Some((Ok(Event::default().data(tick.to_string())), tick + 1))
///     });
///     Sse::new(end.stream(ticks)).keep_alive(KeepAlive::default())
/// }
/// # let router: axum::Router = axum::Router::new().route("/ticks", axum::routing::get(ticks));
/// ```
///
/// # A download that stops
///
/// ```
/// use axum::body::Body;
/// use axum_clef::LoginEnd;
/// # use futures_util::stream;
///
/// async fn archive(end: LoginEnd) -> Body {
///     # let file = stream::iter([Ok::<_, std::io::Error>("a long file")]);
///     end.body(Body::from_stream(file))
/// }
/// # let router: axum::Router = axum::Router::new().route("/archive", axum::routing::get(archive));
/// ```
#[must_use = "it does nothing unless it is awaited, or a stream or a body is put into it"]
pub struct LoginEnd {
    login: Arc<Login>,
    /// In a box, and only once it is polled: so what waits elsewhere, or not at all, is small.
    telling: Option<Pin<Box<OwnedNotified>>>,
}

impl LoginEnd {
    pub(super) fn new(login: Arc<Login>) -> Self {
        Self {
            login,
            telling: None,
        }
    }

    /// The number of the login, the same for all who listen to it.
    pub(super) fn number(&self) -> u64 {
        self.login.place.login
    }

    /// Whether the login has ended: for a loop that has a moment of its own to look. Costs no
    /// more than reading a flag.
    pub fn has_ended(&self) -> bool {
        self.ending().is_some()
    }

    /// How the login ended; `None` while it counts.
    pub fn ending(&self) -> Option<LoginEnding> {
        self.login.ending()
    }

    /// A stream that ends when the login does: nothing of it is handed out after that.
    pub fn stream<S: Stream>(self, stream: S) -> impl Stream<Item = S::Item> {
        StreamUntilEnd::new(stream, self)
    }

    /// A body that breaks off when the login ends.
    ///
    /// It ends with an error, so that the connection breaks and the client sees a transfer that
    /// failed, and not a short file that looks whole. What the client has got by then it keeps.
    pub fn body(self, body: Body) -> Body {
        if body.is_end_stream() {
            return body;
        }
        Body::new(UntilEnd::new(body, self))
    }
}

impl Future for LoginEnd {
    type Output = LoginEnding;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<LoginEnding> {
        loop {
            let Self { login, telling } = &mut *self;
            // In this order: what comes after the look is heard.
            let waiting = telling.get_or_insert_with(|| Box::pin(login.telling()));
            if let Some(ending) = login.ending() {
                return Poll::Ready(ending);
            }
            ready!(waiting.as_mut().poll(context));
            *telling = None;
        }
    }
}

/// The clone hears of the same end, by itself.
impl Clone for LoginEnd {
    fn clone(&self) -> Self {
        Self::new(Arc::clone(&self.login))
    }
}

impl fmt::Debug for LoginEnd {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("LoginEnd")
            .field("ending", &self.ending())
            .finish_non_exhaustive()
    }
}
