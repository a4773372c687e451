//! The polled events that are done, so that a sender which repeats them is not asked at once.

use std::collections::VecDeque;

/// The longest id, in bytes.
pub(super) const LONGEST_ID: usize = 1_024;
/// How many ids of events are remembered.
const REMEMBERED: usize = 1_024;

/// The ids of the latest events that the sender was told about, oldest first.
#[derive(Default)]
pub(super) struct SettledIds(VecDeque<String>);

impl SettledIds {
    /// Adds ids. Returns whether one of them is new.
    pub(super) fn add<'a>(&mut self, ids: impl Iterator<Item = &'a String>) -> bool {
        let mut is_news = false;
        for id in ids.filter(|id| id.len() <= LONGEST_ID) {
            if !self.0.contains(id) {
                is_news = true;
                self.0.push_back(id.clone());
            }
        }
        let surplus = self.0.len().saturating_sub(REMEMBERED);
        self.0.drain(..surplus);
        is_news
    }
}
