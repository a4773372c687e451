//! A body that breaks off with a login.

use std::{
    future::Future as _,
    pin::Pin,
    task::{Context, Poll},
};

use axum::body::{Body, Bytes};
use http_body::{Body as HttpBody, Frame, SizeHint};

use super::LoginEnd;

/// What the connection is broken off with.
#[derive(Debug, thiserror::Error)]
#[error("the login has ended, and what was being sent for it breaks off")]
struct LoginEnded;

pub(super) struct UntilEnd {
    body: Body,
    end: LoginEnd,
}

impl UntilEnd {
    pub(super) fn new(body: Body, end: LoginEnd) -> Self {
        Self { body, end }
    }
}

impl HttpBody for UntilEnd {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        // The login first, so that nothing is handed out once it has ended.
        if Pin::new(&mut self.end).poll(context).is_ready() {
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
