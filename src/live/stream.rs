//! A stream that ends with a login.

use std::{
    future::Future as _,
    pin::Pin,
    task::{Context, Poll},
};

use futures_core::Stream;
use pin_project_lite::pin_project;

use super::LoginEnd;

pin_project! {
    pub(super) struct StreamUntilEnd<S> {
        #[pin]
        stream: S,
        end: LoginEnd,
        over: bool,
    }
}

impl<S> StreamUntilEnd<S> {
    pub(super) fn new(stream: S, end: LoginEnd) -> Self {
        Self {
            stream,
            end,
            over: false,
        }
    }
}

impl<S: Stream> Stream for StreamUntilEnd<S> {
    type Item = S::Item;

    fn poll_next(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<S::Item>> {
        let this = self.project();
        // The login first, so that nothing is handed out once it has ended.
        if *this.over || Pin::new(this.end).poll(context).is_ready() {
            *this.over = true;
            return Poll::Ready(None);
        }
        let next = this.stream.poll_next(context);
        *this.over = matches!(next, Poll::Ready(None));
        next
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        // It may end at any time.
        (0, self.stream.size_hint().1)
    }
}
