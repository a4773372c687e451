//! Logins in memory, counted.

use std::{
    collections::HashSet,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use async_trait::async_trait;
use tower_sessions::{
    MemoryStore, SessionStore,
    session::{Id, Record},
    session_store::Result,
};

/// tower-sessions' `MemoryStore`, which does not count its records. It never drops one by itself, so
/// a record that a late renewal saves back stays in it.
#[derive(Debug, Clone, Default)]
pub struct StoredSessions {
    store: MemoryStore,
    ids: Arc<Mutex<HashSet<Id>>>,
}

impl StoredSessions {
    pub fn len(&self) -> usize {
        self.ids().len()
    }

    fn ids(&self) -> MutexGuard<'_, HashSet<Id>> {
        self.ids.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl SessionStore for StoredSessions {
    async fn create(&self, record: &mut Record) -> Result<()> {
        self.store.create(record).await?;
        self.ids().insert(record.id);
        Ok(())
    }

    async fn save(&self, record: &Record) -> Result<()> {
        self.store.save(record).await?;
        self.ids().insert(record.id);
        Ok(())
    }

    async fn load(&self, id: &Id) -> Result<Option<Record>> {
        self.store.load(id).await
    }

    async fn delete(&self, id: &Id) -> Result<()> {
        self.store.delete(id).await?;
        self.ids().remove(id);
        Ok(())
    }
}
