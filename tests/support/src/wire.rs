use std::sync::{
    Arc, Mutex,
    atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst},
};

use async_trait::async_trait;
use axum_clef::{
    BoxError,
    leased::{LogoutBus, LogoutListener, Reach},
};

/// A node that listens, and whether it is cut off.
type Listening = (LogoutListener, Arc<AtomicBool>);

/// A bus within the process, which knows every node and can be cut at each.
#[derive(Clone, Default)]
#[allow(missing_docs)] // Their names say it.
pub struct Wire {
    pub listeners: Arc<Mutex<Vec<Listening>>>,
    /// Publishes, and cannot say which nodes have received it.
    pub proves_nothing: Arc<AtomicBool>,
    pub panics: Arc<AtomicBool>,
    pub published: Arc<AtomicUsize>,
}

/// The end of the bus at one node.
#[derive(Clone)]
#[allow(missing_docs)]
pub struct End {
    wire: Wire,
    /// Nothing comes or goes here.
    pub cut: Arc<AtomicBool>,
    pub may_cache: Arc<AtomicBool>,
}

impl Wire {
    /// The end at one more node.
    pub fn end(&self) -> End {
        End {
            wire: self.clone(),
            cut: Arc::default(),
            may_cache: Arc::new(AtomicBool::new(true)),
        }
    }
}

#[async_trait]
impl LogoutBus for End {
    async fn listen(&self, listener: &LogoutListener) {
        assert!(!self.wire.panics.load(SeqCst), "the bus panics");
        let end = (listener.clone(), Arc::clone(&self.cut));
        self.wire.listeners.lock().unwrap().push(end);
        std::future::pending::<()>().await;
    }

    async fn publish(&self, news: &str) -> Result<Reach, BoxError> {
        assert!(!self.wire.panics.load(SeqCst), "the bus panics");
        self.wire.published.fetch_add(1, SeqCst);
        if self.cut.load(SeqCst) {
            return Err("the bus is cut".into());
        }
        let mut every_node = !self.wire.proves_nothing.load(SeqCst);
        for (listener, cut) in &*self.wire.listeners.lock().unwrap() {
            if cut.load(SeqCst) {
                every_node = false;
            } else {
                assert!(listener.receive(news));
            }
        }
        Ok(if every_node {
            Reach::EveryNode
        } else {
            Reach::Unknown
        })
    }

    fn may_cache(&self) -> bool {
        self.may_cache.load(SeqCst)
    }
}
