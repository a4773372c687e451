//! States that have been used.

use std::{
    collections::{HashSet, VecDeque},
    sync::{Mutex, PoisonError},
};

/// How many states are remembered, some hundred bytes each.
const CAPACITY: usize = 10_000;

/// The states that were burnt on this node lately, the oldest forgotten first.
///
/// The callback takes the cookie of a state away, so a browser cannot use it twice. This
/// stops whoever kept a copy of the cookie; on other nodes the code, good for one exchange,
/// does.
#[derive(Default)]
pub(super) struct BurntStates(Mutex<Remembered>);

#[derive(Default)]
struct Remembered {
    states: HashSet<String>,
    in_order: VecDeque<String>,
}

impl BurntStates {
    /// Burns a state. `false`: it was burnt before.
    pub(super) fn burn(&self, state: String) -> bool {
        let mut remembered = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if !remembered.states.insert(state.clone()) {
            return false;
        }
        remembered.in_order.push_back(state);
        if remembered.in_order.len() > CAPACITY
            && let Some(oldest) = remembered.in_order.pop_front()
        {
            remembered.states.remove(&oldest);
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_state_burns_once_and_memory_is_bounded() {
        let burnt = BurntStates::default();
        assert!(burnt.burn("a".to_owned()));
        assert!(!burnt.burn("a".to_owned()));
        for state in 0..2 * CAPACITY {
            assert!(burnt.burn(state.to_string()));
        }
        let remembered = burnt.0.lock().unwrap();
        assert_eq!(remembered.states.len(), CAPACITY);
        assert_eq!(remembered.in_order.len(), CAPACITY);
    }
}
