//! What the members write.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use axum_clef::{User as _, stores::Account};

/// A note for each member, for as long as the quickstart runs. What belongs to a user is kept by the
/// user's id; what belongs to one login is kept by `Login::id`.
#[derive(Clone, Default)]
pub struct Notes(Arc<Mutex<HashMap<String, String>>>);

impl Notes {
    pub fn of(&self, user: &Account) -> String {
        let notes = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        notes.get(&user.id()).cloned().unwrap_or_default()
    }

    pub fn keep(&self, user: &Account, note: String) {
        let mut notes = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        notes.insert(user.id(), note);
    }
}
