//! Places where a run holds whoever passes, until it lets them go on.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
};

use tokio::sync::oneshot::{self, Receiver, Sender};

#[derive(Clone, Default)]
pub struct Holds(Arc<Mutex<HashMap<String, Place>>>);

/// Where to say that somebody is held, and where they wait.
type Place = (Sender<String>, Receiver<()>);

/// Somebody who is held, or will be.
pub struct Hold {
    /// What they say when they are held.
    pub reached: Receiver<String>,
    /// Fails if nobody is held any more.
    pub go: Sender<()>,
}

impl Holds {
    /// Holds the next one who passes by this name.
    pub fn prepare(&self, name: &str) -> Hold {
        let (says, reached) = oneshot::channel();
        let (go, waits) = oneshot::channel();
        let places = &mut self.0.lock().unwrap();
        places.insert(name.to_owned(), (says, waits));
        Hold { reached, go }
    }

    pub async fn pass(&self, name: &str, saying: String) {
        let place = self.0.lock().unwrap().remove(name);
        if let Some((says, waits)) = place {
            let _ = says.send(saying);
            let _ = waits.await;
        }
    }
}
