//! The pages that are kept told: how many, and their end when the server stops.

use std::{
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    task::{Context, Poll},
};

use tokio::sync::{Notify, futures::OwnedNotified};

pub(crate) struct Pages {
    most: AtomicUsize,
    open: Arc<AtomicUsize>,
    closed: AtomicBool,
    closing: Arc<Notify>,
}

/// The place of one page, until it is dropped.
pub(crate) struct Page {
    open: Arc<AtomicUsize>,
    closing: Pin<Box<OwnedNotified>>,
}

impl Pages {
    pub(super) fn new(most: usize) -> Self {
        Self {
            most: AtomicUsize::new(most),
            open: Arc::default(),
            closed: AtomicBool::new(false),
            closing: Arc::default(),
        }
    }

    pub(crate) fn set_most(&self, most: usize) {
        self.most.store(most, Ordering::Release);
    }

    /// How many there are.
    pub(crate) fn open(&self) -> usize {
        self.open.load(Ordering::Acquire)
    }

    /// A place for one more page; `None`: there is none, or the server stops.
    pub(crate) fn place(&self) -> Option<Page> {
        let most = self.most.load(Ordering::Acquire);
        let more = |open: usize| (open < most).then_some(open + 1);
        let open = &self.open;
        open.fetch_update(Ordering::AcqRel, Ordering::Acquire, more)
            .ok()?;
        let page = Page {
            open: Arc::clone(open),
            closing: Box::pin(Arc::clone(&self.closing).notified_owned()),
        };
        // After it would hear of the end.
        (!self.are_closed()).then_some(page)
    }

    /// Whether the server stops.
    pub(crate) fn are_closed(&self) -> bool {
        self.closed.load(Ordering::Acquire)
    }

    /// Ends all pages, and takes no more.
    pub(crate) fn close(&self) {
        self.closed.store(true, Ordering::Release);
        self.closing.notify_waiters();
    }
}

impl Page {
    /// Ready when the server stops.
    pub(crate) fn poll_closing(&mut self, context: &mut Context<'_>) -> Poll<()> {
        self.closing.as_mut().poll(context)
    }
}

impl Drop for Page {
    fn drop(&mut self) {
        self.open.fetch_sub(1, Ordering::AcqRel);
    }
}
