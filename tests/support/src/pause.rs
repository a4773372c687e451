use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering::SeqCst},
    },
};

use tokio::sync::{
    Notify,
    oneshot::{self, Receiver, Sender},
};

/// A place in the code where a test can hold the next call.
#[derive(Clone, Debug, Default)]
pub struct Pause {
    on: Arc<AtomicBool>,
    reached: Arc<Notify>,
    go: Arc<Notify>,
}

impl Pause {
    /// Holds the next call.
    pub fn set(&self) {
        self.on.store(true, SeqCst);
    }

    /// Waits until a call is held.
    pub async fn reached(&self) {
        self.reached.notified().await;
    }

    /// Releases the call that is held.
    pub fn go(&self) {
        self.go.notify_one();
    }

    /// Holds the call that a request makes here while something else happens. Returns the outputs
    /// of both.
    pub async fn during<R, M>(
        &self,
        request: impl Future<Output = R>,
        meanwhile: impl Future<Output = M>,
    ) -> (R, M) {
        self.set();
        tokio::join!(request, async {
            self.reached().await;
            let happened = meanwhile.await;
            self.go();
            happened
        })
    }

    /// The place itself.
    pub async fn here(&self) {
        if self.on.swap(false, SeqCst) {
            self.reached.notify_one();
            self.go.notified().await;
        }
    }
}

/// Places by name where a test holds the next call.
#[derive(Clone, Default)]
pub struct Holds(Arc<Mutex<HashMap<String, Place>>>);

/// Reports that a call is held, and waits for its release.
type Place = (Sender<String>, Receiver<()>);

/// A call that is held, or will be.
pub struct Hold {
    /// What the call reports when it is held.
    pub reached: Receiver<String>,
    /// Releases the call. Fails if it has been dropped.
    pub go: Sender<()>,
}

impl Holds {
    /// Holds the next call at the place of this name.
    pub fn prepare(&self, name: &str) -> Hold {
        let (report, reached) = oneshot::channel();
        let (go, released) = oneshot::channel();
        let places = &mut self.0.lock().unwrap();
        places.insert(name.to_owned(), (report, released));
        Hold { reached, go }
    }

    /// The place of this name, and what the call reports.
    pub async fn pass(&self, name: &str, report: String) {
        let place = self.0.lock().unwrap().remove(name);
        if let Some((sender, released)) = place {
            let _ = sender.send(report);
            let _ = released.await;
        }
    }
}

/// Lets every other task of a runtime with one thread run until it waits.
pub async fn settle() {
    for _ in 0..30 {
        tokio::task::yield_now().await;
    }
}
