//! Streams, bodies and sockets that end with the login, over loopback.

use std::{io, sync::Arc, time::Duration};

use axum::{
    Router,
    body::{Body, Bytes},
    extract::ws::{CloseFrame, Message, WebSocket, WebSocketUpgrade, close_code},
    response::{
        IntoResponse, Response,
        sse::{Event, Sse},
    },
    routing::get,
};
use axum_clef::LogoutSignal;
use futures_util::{StreamExt as _, stream};
use test_support::{Browser, Node, World};
use tokio::sync::Notify;
use tokio_tungstenite::tungstenite::{self, client::IntoClientRequest as _};

/// For what comes over a socket, and never for what is told.
const PATIENCE: Duration = Duration::from_secs(30);

async fn events(end: LogoutSignal) -> impl IntoResponse {
    let first = stream::iter([Ok::<_, io::Error>(Event::default().data("first"))]);
    Sse::new(end.stream(first.chain(stream::pending())))
}

/// So much of a download is there at once.
const PIECE: &[u8] = b"a piece of a long file";

/// Goes on once the login has ended.
fn pieces(go_on: Arc<Notify>) -> impl stream::Stream<Item = io::Result<Bytes>> + Send {
    stream::unfold(0, move |piece| {
        let go_on = Arc::clone(&go_on);
        async move {
            if piece > 0 {
                go_on.notified().await;
            }
            Some((Ok(Bytes::from_static(PIECE)), piece + 1))
        }
    })
}

async fn socket(end: LogoutSignal, upgrade: WebSocketUpgrade) -> Response {
    upgrade.on_upgrade(move |socket| echo(socket, end))
}

async fn echo(mut socket: WebSocket, mut end: LogoutSignal) {
    loop {
        let message = tokio::select! {
            biased;
            _ = &mut end => {
                let frame = CloseFrame {
                    code: close_code::POLICY,
                    reason: "logged out".into(),
                };
                socket.send(Message::Close(Some(frame))).await.unwrap();
                return;
            }
            message = socket.recv() => message,
        };
        match message {
            Some(Ok(message)) => socket.send(message).await.unwrap(),
            _ => return,
        }
    }
}

/// A node, and a browser that is logged in there.
async fn site(go_on: &Arc<Notify>) -> (Node, Browser) {
    let world = World::new();
    let layer = world.layer();
    let (chunked, sized) = (Arc::clone(go_on), Arc::clone(go_on));
    let more =
        Router::new()
            .route("/events", get(events))
            .route("/socket", get(socket))
            .route(
                "/archive",
                get(move |end: LogoutSignal| async move {
                    end.body(Body::from_stream(pieces(chunked)))
                }),
            )
            .route(
                "/archive/sized",
                get(move |end: LogoutSignal| async move {
                    let body = end.body(Body::from_stream(pieces(sized)));
                    (
                        [("content-length", 10 * PIECE.len())].map(|(n, v)| (n, v.to_string())),
                        body,
                    )
                }),
            )
            .route(
                "/whole",
                get(|end: LogoutSignal| async move { end.body(Body::from(PIECE)) }),
            );
    let app = world.pages(layer.routes().merge(more)).layer(layer.clone());
    let node = world.serve(app, layer).await;
    let browser = Browser::new();
    browser.log_in(&node, "12345").await;
    (node, browser)
}

#[tokio::test]
async fn a_stream_of_events_ends() {
    let (node, browser) = site(&Arc::default()).await;
    let mut events = browser.get(&node, "/events").send().await.unwrap();
    let first = events.chunk().await.unwrap().unwrap();
    assert_eq!(first, "data: first\n\n");
    assert_eq!(node.notice("token:12345").await, 200);
    let end = tokio::time::timeout(PATIENCE, events.chunk()).await;
    assert!(end.expect("it ends").unwrap().is_none(), "whole");
}

#[tokio::test]
async fn a_download_breaks_off_and_looks_so() {
    for path in ["/archive", "/archive/sized"] {
        let go_on = Arc::default();
        let (node, browser) = site(&go_on).await;
        let mut archive = browser.get(&node, path).send().await.unwrap();
        assert_eq!(archive.chunk().await.unwrap().unwrap(), PIECE);
        assert_eq!(node.notice("token:12345").await, 200);
        go_on.notify_one();
        let end = tokio::time::timeout(PATIENCE, archive.chunk()).await;
        end.expect("it ends")
            .expect_err("it is not whole, and nothing more of it comes");
    }
}

#[tokio::test]
async fn what_is_done_before_is_whole() {
    let (node, browser) = site(&Arc::default()).await;
    let whole = browser.get(&node, "/whole").send().await.unwrap();
    assert_eq!(whole.content_length(), Some(PIECE.len() as u64));
    assert_eq!(whole.bytes().await.unwrap(), PIECE);
    let stranger = Browser::new();
    assert_eq!(stranger.status(&node, "/whole").await, 401);
}

#[tokio::test]
async fn a_socket_closes_with_a_policy_violation() {
    let (node, browser) = site(&Arc::default()).await;
    let mut request = node
        .url("/socket")
        .replace("http", "ws")
        .into_client_request()
        .unwrap();
    let cookies = browser.cookies(&node).parse().unwrap();
    request.headers_mut().insert("cookie", cookies);
    let (mut socket, _) = tokio_tungstenite::connect_async(request).await.unwrap();
    let hello = tungstenite::Message::text("hello");
    futures_util::SinkExt::send(&mut socket, hello.clone())
        .await
        .unwrap();
    assert_eq!(socket.next().await.unwrap().unwrap(), hello);
    assert_eq!(node.notice("token:12345").await, 200);
    let close = tokio::time::timeout(PATIENCE, socket.next()).await;
    let tungstenite::Message::Close(Some(frame)) = close.unwrap().unwrap().unwrap() else {
        panic!("something else than the end");
    };
    assert_eq!(u16::from(frame.code), 1008);
    assert_eq!(frame.reason, "logged out");
}
