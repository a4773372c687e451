//! Session stores whose records are counted, and expire.
//!
//! `MemoryStore` of tower-sessions never deletes expired records, which would hide other growth.

use std::{
    collections::HashMap,
    env, fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use axum_clef::{BoxError, SessionStore};
use tower_sessions::{
    MemoryStore,
    cookie::time::OffsetDateTime,
    session::{Id, Record},
    session_store::Result,
};
use tower_sessions_redis_store::{
    RedisStore,
    fred::prelude::{ClientLike as _, Config, Pool, ReconnectPolicy, ServerInterface as _},
};

/// What is used where `REDIS_URL` names no other server.
const REDIS: &str = "redis://127.0.0.1:6379";
const CONNECTIONS: usize = 4;

#[derive(Clone)]
pub struct ExpiringSessions {
    store: Arc<dyn SessionStore>,
    redis: Option<Pool>,
    expiries: Arc<Mutex<HashMap<Id, OffsetDateTime>>>,
    /// How many times sooner records expire.
    speed: u32,
}

impl ExpiringSessions {
    pub fn in_memory(speed: u32) -> Self {
        Self {
            store: Arc::new(MemoryStore::default()),
            redis: None,
            expiries: Arc::default(),
            speed,
        }
    }

    /// # Errors
    ///
    /// When the server of `REDIS_URL` does not answer.
    pub async fn in_redis(speed: u32) -> std::result::Result<Self, BoxError> {
        let url = env::var("REDIS_URL").unwrap_or_else(|_| REDIS.to_owned());
        let again = ReconnectPolicy::new_exponential(0, 100, 2_000, 2);
        let pool = Pool::new(
            Config::from_url(&url)?,
            None,
            None,
            Some(again),
            CONNECTIONS,
        )?;
        let connected = pool.init().await;
        connected.map_err(|error| format!("no server answers at REDIS_URL ({error})"))?;
        Ok(Self {
            store: Arc::new(RedisStore::new(pool.clone())),
            redis: Some(pool),
            expiries: Arc::default(),
            speed,
        })
    }

    /// How many records there are that have not expired.
    pub fn len(&self) -> usize {
        self.expiries().len()
    }

    /// The number of keys in the Redis database; `None` without Redis.
    ///
    /// # Errors
    ///
    /// When Redis does not answer.
    pub async fn keys(&self) -> std::result::Result<Option<u64>, BoxError> {
        Ok(match &self.redis {
            Some(pool) => Some(pool.next().dbsize().await?),
            None => None,
        })
    }

    /// Deletes the expired records. Redis does that itself.
    pub async fn delete_expired(&self) {
        let now = OffsetDateTime::now_utc();
        let expired: Vec<_> = self.expiries().extract_if(|_, at| *at < now).collect();
        if self.redis.is_none() {
            for (id, _) in expired {
                // A store in memory has no errors.
                let _ = self.store.delete(&id).await;
            }
        }
    }

    /// Deletes all records.
    ///
    /// # Errors
    ///
    /// When the store does not answer.
    pub async fn delete_all(&self) -> std::result::Result<(), BoxError> {
        let all: Vec<_> = self.expiries().drain().collect();
        for (id, _) in all {
            self.store.delete(&id).await?;
        }
        Ok(())
    }

    fn sooner(&self, expiry: OffsetDateTime) -> OffsetDateTime {
        let now = OffsetDateTime::now_utc();
        now + (expiry - now) / self.speed
    }

    fn expiries(&self) -> MutexGuard<'_, HashMap<Id, OffsetDateTime>> {
        self.expiries.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for ExpiringSessions {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("ExpiringSessions")
    }
}

#[async_trait::async_trait]
impl SessionStore for ExpiringSessions {
    async fn create(&self, record: &mut Record) -> Result<()> {
        let expiry_date = self.sooner(record.expiry_date);
        let mut stored = Record {
            expiry_date,
            ..record.clone()
        };
        self.store.create(&mut stored).await?;
        record.id = stored.id;
        self.expiries().insert(record.id, expiry_date);
        Ok(())
    }

    async fn save(&self, record: &Record) -> Result<()> {
        let expiry_date = self.sooner(record.expiry_date);
        let stored = Record {
            expiry_date,
            ..record.clone()
        };
        self.store.save(&stored).await?;
        self.expiries().insert(record.id, expiry_date);
        Ok(())
    }

    async fn load(&self, id: &Id) -> Result<Option<Record>> {
        self.store.load(id).await
    }

    async fn delete(&self, id: &Id) -> Result<()> {
        self.store.delete(id).await?;
        self.expiries().remove(id);
        Ok(())
    }
}
