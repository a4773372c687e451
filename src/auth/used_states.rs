//! States that have been used.

use std::{
    collections::{HashSet, VecDeque},
    sync::{Mutex, PoisonError},
};

/// How many states are entries, some hundred bytes each.
const CAPACITY: usize = 10_000;

/// The states that were used on this node lately; the oldest is evicted first.
///
/// The callback removes the cookie of a state, so a browser cannot use it twice. This stops a
/// client that copied the cookie; on other nodes the one-time code does.
#[derive(Default)]
pub(super) struct UsedStates(Mutex<Entries>);

#[derive(Default)]
struct Entries {
    states: HashSet<String>,
    in_order: VecDeque<String>,
}

impl UsedStates {
    /// Marks a state as used. `false` if it was used before.
    pub(super) fn insert(&self, state: String) -> bool {
        let mut entries = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if !entries.states.insert(state.clone()) {
            return false;
        }
        entries.in_order.push_back(state);
        if entries.in_order.len() > CAPACITY
            && let Some(oldest) = entries.in_order.pop_front()
        {
            entries.states.remove(&oldest);
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_state_counts_once_and_memory_is_bounded() {
        let used = UsedStates::default();
        assert!(used.insert("a".to_owned()));
        assert!(!used.insert("a".to_owned()));
        for state in 0..2 * CAPACITY {
            assert!(used.insert(state.to_string()));
        }
        let entries = used.0.lock().unwrap();
        assert_eq!(entries.states.len(), CAPACITY);
        assert_eq!(entries.in_order.len(), CAPACITY);
    }
}
