//! The acknowledgements that logouts wait for.

use std::{
    collections::{HashMap, HashSet},
    sync::{Mutex, MutexGuard, PoisonError},
};

use tokio::sync::mpsc::{Receiver, Sender, channel};

/// How many acknowledgements of one logout are buffered. One beyond that is dropped, and the logout
/// waits for the lease.
const CAPACITY: usize = 1_024;

/// The logouts that wait for acknowledgements. Those that no longer do are removed by the next one.
#[derive(Default)]
pub(super) struct Acknowledgements(Mutex<HashMap<u128, Sender<String>>>);

impl Acknowledgements {
    /// Starts to collect the members that acknowledge a new logout, which has been written. Its
    /// number is random, so that acknowledgements of other logouts do not count.
    pub(super) fn expect(&self) -> (u128, Receiver<String>) {
        let (sender, members) = channel(CAPACITY);
        let number = rand::random();
        let mut waiting = self.waiting();
        waiting.retain(|_, logout| !logout.is_closed());
        waiting.insert(number, sender);
        (number, members)
    }

    /// Counts an acknowledgement, if its logout still waits.
    pub(super) fn add(&self, number: u128, member: &str) {
        if let Some(logout) = self.waiting().get(&number) {
            let _ = logout.try_send(member.to_owned());
        }
    }

    fn waiting(&self) -> MutexGuard<'_, HashMap<u128, Sender<String>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Waits until all these members have acknowledged a logout. Waits forever if one does not.
pub(super) async fn acknowledged_by(
    mut members: HashSet<String>,
    mut acknowledged: Receiver<String>,
) {
    while !members.is_empty() {
        match acknowledged.recv().await {
            Some(member) => {
                members.remove(&member);
            }
            // Unreachable: the sender stays while this receiver does.
            None => std::future::pending().await,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::time::timeout;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn an_acknowledgement_counts_for_its_logout_and_its_member_alone() {
        let acknowledgements = Acknowledgements::default();
        let (earlier, _) = acknowledgements.expect();
        for counts in [false, true] {
            let (number, members) = acknowledgements.expect();
            for (number, member) in [(earlier, "a"), (number ^ 1, "a"), (number, "b"), (0, "a")] {
                acknowledgements.add(number, member);
            }
            if counts {
                acknowledgements.add(number, "a");
            }
            let waits = acknowledged_by(HashSet::from(["a".to_owned()]), members);
            let waits = timeout(Duration::from_secs(60), waits).await;
            assert_eq!(waits.is_ok(), counts);
        }
        assert_eq!(
            acknowledgements.waiting().len(),
            1,
            "the others are removed"
        );
    }
}
