//! Which seats a logout has arrived at.

use std::{
    collections::{HashMap, HashSet},
    sync::{Mutex, MutexGuard, PoisonError},
};

use tokio::sync::mpsc::{Receiver, Sender, channel};

/// How many seats may answer before they are counted. Whoever answers beyond that is not counted,
/// and the logout waits for the lease.
const ROOM: usize = 1_024;

/// The logouts that wait for others to answer.
#[derive(Default)]
pub(super) struct Arrivals(Mutex<Waiting>);

#[derive(Default)]
struct Waiting {
    next: u64,
    logouts: HashMap<u64, Sender<String>>,
}

/// One of them.
pub(super) struct Arrival<'a> {
    arrivals: &'a Arrivals,
    pub(super) number: u64,
    seats: Receiver<String>,
}

impl Arrivals {
    pub(super) fn expect(&self) -> Arrival<'_> {
        let (sender, seats) = channel(ROOM);
        let mut waiting = self.waiting();
        let number = waiting.next;
        waiting.next += 1;
        waiting.logouts.insert(number, sender);
        Arrival {
            arrivals: self,
            number,
            seats,
        }
    }

    pub(super) fn at(&self, number: u64, seat: &str) {
        if let Some(logout) = self.waiting().logouts.get(&number) {
            // Full: it is not counted.
            let _ = logout.try_send(seat.to_owned());
        }
    }

    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Arrival<'_> {
    /// Waits, for ever if need be, until it has arrived at all of these seats.
    pub(super) async fn everywhere(&mut self, mut seats: HashSet<String>) {
        while !seats.is_empty() {
            match self.seats.recv().await {
                Some(seat) => {
                    seats.remove(&seat);
                }
                // The sender lies in the map for as long as this lives.
                None => std::future::pending().await,
            }
        }
    }
}

impl Drop for Arrival<'_> {
    fn drop(&mut self) {
        self.arrivals.waiting().logouts.remove(&self.number);
    }
}
