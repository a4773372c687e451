//! A session store with faults.

use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use axum_clef::SessionStore;
use serde_json::Value;
use tower_sessions::{
    MemoryStore,
    session::{Id, Record},
    session_store::{Error, Result},
};

use crate::fault::{Call, Faults};

#[derive(Clone, Debug)]
pub struct FaultySessions {
    inner: MemoryStore,
    faults: Faults,
    /// Every id that was ever written.
    ids: Arc<Mutex<Vec<Id>>>,
}

impl FaultySessions {
    pub fn new(faults: Faults) -> Self {
        Self {
            inner: MemoryStore::default(),
            faults,
            ids: Arc::default(),
        }
    }

    /// The ids of the users whose logins are stored.
    pub async fn logged_in(&self) -> Vec<String> {
        let ids = self.ids.lock().unwrap().clone();
        let mut users = Vec::new();
        for id in ids {
            let record = self.inner.load(&id).await.unwrap();
            let login = record.and_then(|record| record.data.get("axum-clef.login").cloned());
            let user = login.map(|login| {
                let login: Value = serde_json::from_str(login.as_str().unwrap()).unwrap();
                login["user"].as_str().unwrap().to_owned()
            });
            users.extend(user);
        }
        users
    }

    fn note(&self, id: Id) {
        let mut ids = self.ids.lock().unwrap();
        if !ids.contains(&id) {
            ids.push(id);
        }
    }
}

#[async_trait]
impl SessionStore for FaultySessions {
    async fn create(&self, record: &mut Record) -> Result<()> {
        let work = async {
            self.inner.create(record).await?;
            self.note(record.id);
            Ok(())
        };
        self.faults.pass(Call::Create, Error::Backend, work).await
    }

    async fn save(&self, record: &Record) -> Result<()> {
        let work = async {
            self.note(record.id);
            self.inner.save(record).await
        };
        self.faults.pass(Call::Save, Error::Backend, work).await
    }

    async fn load(&self, id: &Id) -> Result<Option<Record>> {
        let work = self.inner.load(id);
        self.faults
            .pass(Call::LoadSession, Error::Backend, work)
            .await
    }

    async fn delete(&self, id: &Id) -> Result<()> {
        let work = self.inner.delete(id);
        self.faults.pass(Call::Delete, Error::Backend, work).await
    }
}
