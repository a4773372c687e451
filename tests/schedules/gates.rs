//! The places where a request waits, and is held until the explorer lets it go on.

use std::sync::{Arc, Mutex};

use tokio::sync::oneshot;

#[derive(Debug, Clone, Default)]
pub struct Gates(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    /// Whether requests are held. Before and after a scenario none is.
    closed: bool,
    /// The places that hold none.
    free: Vec<&'static str>,
    waiting: Vec<(String, oneshot::Sender<()>)>,
    passed: Vec<String>,
}

impl Gates {
    /// A request that comes here waits for the explorer.
    pub async fn pass(&self, name: &str) {
        let waits = {
            let mut state = self.0.lock().unwrap();
            if !state.closed || state.free.contains(&name) {
                return;
            }
            let (go, waits) = oneshot::channel();
            state.waiting.push((name.to_owned(), go));
            waits
        };
        waits.await.unwrap();
    }

    /// Holds none at these places: where they make no difference, and too many schedules.
    pub fn free(&self, places: &[&'static str]) {
        self.0.lock().unwrap().free.extend(places);
    }

    pub fn close(&self) {
        self.0.lock().unwrap().closed = true;
    }

    pub fn open(&self) {
        self.0.lock().unwrap().closed = false;
    }

    /// How many wait.
    pub fn waiting(&self) -> usize {
        self.0.lock().unwrap().waiting.len()
    }

    /// Lets one of those who wait go on.
    pub fn release(&self, index: usize) {
        let mut state = self.0.lock().unwrap();
        let (name, go) = state.waiting.remove(index);
        state.passed.push(name);
        let _ = go.send(());
    }

    /// Who went on, in order.
    pub fn passed(&self) -> Vec<String> {
        self.0.lock().unwrap().passed.clone()
    }

    /// Whether one went on before another did.
    pub fn times(&self, place: &str) -> usize {
        let passed = self.passed();
        passed.iter().filter(|passed| *passed == place).count()
    }

    pub fn in_order(&self, first: &str, second: &str) -> bool {
        let passed = self.passed();
        let place = |name: &str| passed.iter().position(|passed| passed == name);
        match (place(first), place(second)) {
            (Some(first), Some(second)) => first < second,
            _ => panic!("{first:?} and {second:?} are not both in {passed:?}"),
        }
    }
}
