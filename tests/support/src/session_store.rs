use std::{
    fmt,
    ops::Deref,
    sync::{Arc, Mutex, atomic::Ordering::SeqCst},
};

use async_trait::async_trait;
use axum_clef::SessionStore;
use tower_sessions::{
    session::{Id, Record},
    session_store::Result,
};

use crate::{
    About, Call, Hook, Pause,
    hook::{Count, Done, Flag, StoreError, Work},
};

/// A session store with a hook around each call. The fields of the hook are those of the store.
#[derive(Clone)]
pub struct HookedSessions<H> {
    /// The store that does the work.
    pub inner: Arc<dyn SessionStore>,
    /// What a test does around each call.
    pub hook: H,
}

impl<H> HookedSessions<H> {
    /// This store with this hook.
    pub fn with(inner: impl SessionStore, hook: H) -> Self {
        let inner = Arc::new(inner);
        Self { inner, hook }
    }
}

impl<H: Default> HookedSessions<H> {
    /// This store with the hook that does nothing yet.
    pub fn new(inner: impl SessionStore) -> Self {
        Self::with(inner, H::default())
    }
}

impl<H> Deref for HookedSessions<H> {
    type Target = H;

    fn deref(&self) -> &H {
        &self.hook
    }
}

impl<H> fmt::Debug for HookedSessions<H> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("HookedSessions")
    }
}

impl<H: Hook> HookedSessions<H> {
    async fn call<T: Send>(
        &self,
        call: Call,
        about: About<'_>,
        work: impl Future<Output = Result<T>> + Send,
    ) -> Result<T> {
        let work = async { work.await.map_err(StoreError::Sessions) };
        Ok(self.around(call, about, work).await?)
    }
}

#[async_trait]
impl<H: Hook> SessionStore for HookedSessions<H> {
    async fn create(&self, record: &mut Record) -> Result<()> {
        let about = About::Record(record.id);
        let work = async {
            self.creates(record);
            self.inner.create(record).await?;
            self.stored(record);
            Ok(())
        };
        self.call(Call::Create, about, work).await
    }

    async fn save(&self, record: &Record) -> Result<()> {
        let work = async {
            self.inner.save(record).await?;
            self.stored(record);
            Ok(())
        };
        self.call(Call::Save, About::Record(record.id), work).await
    }

    async fn load(&self, id: &Id) -> Result<Option<Record>> {
        let work = self.inner.load(id);
        self.call(Call::LoadSession, About::Record(*id), work).await
    }

    async fn delete(&self, id: &Id) -> Result<()> {
        let work = self.inner.delete(id);
        self.call(Call::Delete, About::Record(*id), work).await
    }
}

/// A session store that counts its calls, fails on demand, and keeps the last record it wrote.
pub type TestSessions = HookedSessions<SessionFlags>;

/// The counters and switches of [`TestSessions`].
#[derive(Clone, Default)]
#[allow(missing_docs)] // Their names say it.
pub struct SessionFlags {
    pub calls: Count,
    pub failing: Flag,
    /// Loads never end.
    pub hanging: Flag,
    pub saves_fail: Flag,
    /// Saves never end.
    pub saves_hang: Flag,
    /// The store chooses the ids of records itself, as a store may.
    pub chooses_ids: Flag,
    pub deletes_fail: Flag,
    /// Loads fail as they do for a record that cannot be decoded.
    pub unreadable: Flag,
    pub last_saved: Arc<Mutex<Option<Record>>>,
    /// Where `load` waits with the record that it has read.
    pub after_load: Pause,
    /// Where `create`, `save` and `delete` wait before they do anything.
    pub before_write: Pause,
}

impl SessionFlags {
    /// The record that was created or saved last.
    pub fn last_saved(&self) -> Record {
        self.last_saved.lock().unwrap().clone().unwrap()
    }
}

impl Hook for SessionFlags {
    async fn around<T: Send>(&self, call: Call, _: About<'_>, work: impl Work<T>) -> Done<T> {
        self.calls.fetch_add(1, SeqCst);
        let fails = match call {
            Call::Save => self.saves_fail.load(SeqCst),
            Call::Delete => self.deletes_fail.load(SeqCst),
            _ => false,
        };
        if fails || self.failing.load(SeqCst) {
            return Err(StoreError::down("the session store fails"));
        }
        if call == Call::Save && self.saves_hang.load(SeqCst) {
            std::future::pending::<()>().await;
        }
        if call != Call::LoadSession {
            self.before_write.here().await;
            return work.await;
        }
        if self.hanging.load(SeqCst) {
            std::future::pending::<()>().await;
        }
        if self.unreadable.load(SeqCst) {
            return Err(StoreError::Unreadable("this is no session".to_owned()));
        }
        let record = work.await;
        self.after_load.here().await;
        record
    }

    fn creates(&self, record: &mut Record) {
        if self.chooses_ids.load(SeqCst) {
            record.id = Id::default();
        }
    }

    fn stored(&self, record: &Record) {
        *self.last_saved.lock().unwrap() = Some(record.clone());
    }
}
