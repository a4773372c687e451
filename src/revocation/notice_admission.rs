//! Admits logout notices.
//!
//! Senders of good notices have permits of their own, so that a flood of forged notices from any
//! number of addresses does not hold the provider up.

use std::{
    collections::VecDeque,
    net::IpAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use super::{
    AdmissionLimits,
    admission::{Admission, AdmissionPermit, Client},
};

/// How many senders of good notices are remembered. A provider has a few.
const SENDERS: usize = 64;

/// Admits logout notices, and knows who has sent good ones.
#[derive(Clone)]
pub(crate) struct NoticeAdmission {
    unknown: NoticeLimits,
    known: NoticeLimits,
    senders: Arc<Mutex<VecDeque<Client>>>,
}

/// Limits the notices that are checked, and those that wait for the check of the same one.
#[derive(Clone)]
struct NoticeLimits {
    checks: Admission,
    duplicates: Admission,
}

impl NoticeAdmission {
    pub(crate) fn new(limits: &AdmissionLimits) -> Self {
        let duplicates = limits.for_duplicates();
        Self {
            unknown: NoticeLimits {
                checks: Admission::new(limits),
                duplicates: Admission::new(&duplicates),
            },
            known: NoticeLimits {
                checks: Admission::new(&limits.unshared()),
                duplicates: Admission::new(&duplicates.unshared()),
            },
            senders: Arc::default(),
        }
    }

    /// Admits the check of a notice.
    pub(crate) async fn check(&self, sender: Option<IpAddr>) -> Option<AdmissionPermit> {
        let client = Client::of(sender);
        if let Some(permit) = self.unknown.checks.try_admit(client) {
            return Some(permit);
        }
        self.limits(sender).checks.admit(client).await
    }

    /// Admits a notice that waits for the check of the same one.
    pub(crate) fn duplicate(&self, sender: Option<IpAddr>) -> Option<AdmissionPermit> {
        let client = Client::of(sender);
        self.limits(sender).duplicates.try_admit(client)
    }

    fn limits(&self, sender: Option<IpAddr>) -> &NoticeLimits {
        if self.knows(sender) {
            &self.known
        } else {
            &self.unknown
        }
    }

    /// Whether a good notice came from this client before.
    pub(crate) fn knows(&self, sender: Option<IpAddr>) -> bool {
        sender.is_some() && self.senders().contains(&Client::of(sender))
    }

    /// Remembers the sender of a good notice. The least recent one is evicted.
    pub(crate) fn remember(&self, sender: Option<IpAddr>) {
        if sender.is_none() {
            return;
        }
        let sender = Client::of(sender);
        let mut senders = self.senders();
        senders.retain(|known| *known != sender);
        senders.push_back(sender);
        if senders.len() > SENDERS {
            senders.pop_front();
        }
    }

    fn senders(&self) -> MutexGuard<'_, VecDeque<Client>> {
        self.senders.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn few_senders_are_remembered_and_the_latest_of_them() {
        let notices = NoticeAdmission::new(&AdmissionLimits::default());
        let sender = |number: u16| IpAddr::from([10, 0, (number >> 8) as u8, number as u8]);
        for number in 0..1_000 {
            notices.remember(Some(sender(number)));
            notices.remember(Some(sender(7)));
            notices.remember(None);
        }
        assert_eq!(notices.senders().len(), SENDERS);
        for kept in [7, 999, 999 - 62] {
            assert!(notices.knows(Some(sender(kept))), "{kept}");
        }
        assert!(!notices.knows(Some(sender(999 - 63))));
        assert!(!notices.knows(None));
    }

    #[test]
    fn a_sender_is_known_by_its_network() {
        let notices = NoticeAdmission::new(&AdmissionLimits::default());
        let sender = |text: &str| Some(text.parse().unwrap());
        notices.remember(sender("2001:db8:0:1::1"));
        assert!(notices.knows(sender("2001:db8:0:1:ffff::2")));
        assert!(!notices.knows(sender("2001:db8:0:2::1")));
    }
}
