//! The acknowledgements that logouts wait for.

use std::{
    collections::{HashMap, HashSet},
    sync::{Mutex, MutexGuard, PoisonError},
};

use tokio::sync::mpsc::{Receiver, Sender, channel};

/// How many acknowledgements of one logout are buffered. One beyond that is dropped, and the logout
/// waits for the lease.
const CAPACITY: usize = 1_024;

/// The logouts that wait for acknowledgements.
#[derive(Default)]
pub(super) struct Acknowledgements(Mutex<HashMap<u128, Sender<String>>>);

/// One of these logouts.
pub(super) struct WaitingLogout<'a> {
    acknowledgements: &'a Acknowledgements,
    /// Random, so that acknowledgements of other logouts do not count.
    pub(super) number: u128,
    members: Receiver<String>,
}

impl Acknowledgements {
    /// Starts to collect acknowledgements for a new logout, which has been written.
    pub(super) fn expect(&self) -> WaitingLogout<'_> {
        let (sender, members) = channel(CAPACITY);
        let number = rand::random();
        self.waiting().insert(number, sender);
        WaitingLogout {
            acknowledgements: self,
            number,
            members,
        }
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

impl WaitingLogout<'_> {
    /// Waits until all these members have acknowledged it. Waits forever if one does not.
    pub(super) async fn acknowledged_by(&mut self, mut members: HashSet<String>) {
        while !members.is_empty() {
            match self.members.recv().await {
                Some(member) => {
                    members.remove(&member);
                }
                // Unreachable: the sender is in the map while this exists.
                None => std::future::pending().await,
            }
        }
    }
}

impl Drop for WaitingLogout<'_> {
    fn drop(&mut self) {
        self.acknowledgements.waiting().remove(&self.number);
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
        let earlier = acknowledgements.expect().number;
        let mut logout = acknowledgements.expect();
        let number = logout.number;
        for (number, member) in [(earlier, "a"), (number ^ 1, "a"), (number, "b"), (0, "a")] {
            acknowledgements.add(number, member);
        }
        let members = || HashSet::from(["a".to_owned()]);
        let waits = timeout(Duration::from_secs(60), logout.acknowledged_by(members())).await;
        assert!(waits.is_err());
        acknowledgements.add(number, "a");
        logout.acknowledged_by(members()).await;
    }
}
