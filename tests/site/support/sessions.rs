use std::sync::{
    Arc, Mutex,
    atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst},
};

use async_trait::async_trait;
use axum_clef::SessionStore;
use tower_sessions::{
    session::{Id, Record},
    session_store::{Error, Result},
};

use super::Pause;

/// A session store that counts its calls, fails on demand, and keeps the last record it saw.
#[derive(Clone, Debug)]
pub struct TestSessions {
    pub inner: Arc<dyn SessionStore>,
    pub calls: Arc<AtomicUsize>,
    pub failing: Arc<AtomicBool>,
    /// Loads never end.
    pub hanging: Arc<AtomicBool>,
    /// Loads, but takes nothing.
    pub saves_fail: Arc<AtomicBool>,
    /// Chooses the ids of records itself, as a store may.
    pub chooses_ids: Arc<AtomicBool>,
    /// Deletes nothing.
    pub deletes_fail: Arc<AtomicBool>,
    /// Answers loads as a store does that finds something it cannot read.
    pub unreadable: Arc<AtomicBool>,
    pub last_saved: Arc<Mutex<Option<Record>>>,
    /// Where `load` waits with the record that it has read.
    pub after_load: Pause,
    /// Where `create`, `save` and `delete` wait before they do anything.
    pub before_write: Pause,
}

impl TestSessions {
    pub fn new(inner: impl SessionStore) -> Self {
        Self {
            inner: Arc::new(inner),
            calls: Arc::default(),
            failing: Arc::default(),
            hanging: Arc::default(),
            saves_fail: Arc::default(),
            chooses_ids: Arc::default(),
            deletes_fail: Arc::default(),
            unreadable: Arc::default(),
            last_saved: Arc::default(),
            after_load: Pause::default(),
            before_write: Pause::default(),
        }
    }

    /// The record that was created or saved last.
    pub fn last_saved(&self) -> Record {
        self.last_saved.lock().unwrap().clone().unwrap()
    }

    fn works(&self) -> Result<()> {
        self.calls.fetch_add(1, SeqCst);
        if self.failing.load(SeqCst) {
            return Err(Error::Backend("the session store is down".to_owned()));
        }
        Ok(())
    }
}

#[async_trait]
impl SessionStore for TestSessions {
    async fn create(&self, record: &mut Record) -> Result<()> {
        self.works()?;
        self.before_write.here().await;
        if self.chooses_ids.load(SeqCst) {
            record.id = Id::default();
        }
        self.inner.create(record).await?;
        *self.last_saved.lock().unwrap() = Some(record.clone());
        Ok(())
    }

    async fn save(&self, record: &Record) -> Result<()> {
        self.works()?;
        if self.saves_fail.load(SeqCst) {
            return Err(Error::Backend("the session store is read-only".to_owned()));
        }
        self.before_write.here().await;
        self.inner.save(record).await?;
        *self.last_saved.lock().unwrap() = Some(record.clone());
        Ok(())
    }

    async fn load(&self, id: &Id) -> Result<Option<Record>> {
        self.works()?;
        if self.hanging.load(SeqCst) {
            std::future::pending::<()>().await;
        }
        if self.unreadable.load(SeqCst) {
            return Err(Error::Decode("this is no session".to_owned()));
        }
        let record = self.inner.load(id).await;
        self.after_load.here().await;
        record
    }

    async fn delete(&self, id: &Id) -> Result<()> {
        self.works()?;
        if self.deletes_fail.load(SeqCst) {
            return Err(Error::Backend("the session store is read-only".to_owned()));
        }
        self.before_write.here().await;
        self.inner.delete(id).await
    }
}
