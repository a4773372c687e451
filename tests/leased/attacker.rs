//! Roles with fewer rights than the owner of the tables.

use std::{env, thread, time::Duration};

use aws_lc_rs::aead::{AES_256_GCM_SIV, Aad, Nonce, RandomizedNonceKey};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use sha2::{Digest as _, Sha256};
use sqlx::{Connection as _, PgConnection, PgPool, postgres::PgListener};
use test_support::Database;
use tokio::{runtime::Runtime, time::timeout};
use url::Url;

/// Connections of a role that may connect to the database and has no other right.
pub struct Attacker {
    pub connection: PgConnection,
    pub listener: PgListener,
    /// Where the site publishes its logouts. The catalog shows it to every role.
    pub site_channel: String,
    _role: Role,
}

/// A role that may connect. It is dropped with this, with what was granted to it.
pub struct Role {
    server: Url,
    pub name: String,
}

impl Attacker {
    pub async fn new(database: &Database) -> Self {
        let role = Role::create().await;
        let mut connection = PgConnection::connect(role.url().as_str()).await.unwrap();
        let number: i64 = sqlx::query_scalar(
            "select pg_class.oid::bigint from pg_class
             join pg_namespace on pg_namespace.oid = relnamespace
             where relname = 'clef_members' and nspname = $1",
        )
        .bind(&database.schema)
        .fetch_one(&mut connection)
        .await
        .unwrap();
        let site_channel = format!("clef_logouts_{number}");
        let mut listener = PgListener::connect(role.url().as_str()).await.unwrap();
        listener.listen(&site_channel).await.unwrap();
        Self {
            connection,
            listener,
            site_channel,
            _role: role,
        }
    }

    /// The next message on any channel that the attacker listens to.
    pub async fn next(&mut self) -> (String, String) {
        let message = timeout(Duration::from_secs(30), self.listener.recv()).await;
        let message = message.expect("a message comes").unwrap();
        (message.channel().to_owned(), message.payload().to_owned())
    }

    pub async fn notify(&mut self, channel: &str, payload: &str) {
        let notify = sqlx::query("select pg_notify($1, $2)::text");
        let notify = notify.bind(channel).bind(payload);
        notify.execute(&mut self.connection).await.unwrap();
    }

    /// Whether the role may read from this table of the site.
    pub async fn may_read(&mut self, database: &Database, table: &str) -> bool {
        let read = format!("select * from {}.{table}", database.schema);
        let read = sqlx::raw_sql(&read).execute(&mut self.connection).await;
        read.is_ok()
    }
}

impl Role {
    pub async fn create() -> Self {
        let server = env::var("POSTGRES_URL").expect("POSTGRES_URL is set");
        let role = Self {
            server: server.parse().unwrap(),
            name: format!("clef_test_role_{:016x}", rand::random::<u64>()),
        };
        let mut owner = PgConnection::connect(&server).await.unwrap();
        let create = format!("create role {0} login password '{0}'", role.name);
        sqlx::raw_sql(&create).execute(&mut owner).await.unwrap();
        owner.close().await.unwrap();
        role
    }

    fn url(&self) -> Url {
        self.of(self.server.clone())
    }

    /// The same URL as this role.
    pub fn of(&self, mut url: Url) -> Url {
        url.set_username(&self.name).unwrap();
        url.set_password(Some(&self.name)).unwrap();
        url
    }
}

impl Drop for Role {
    fn drop(&mut self) {
        let (server, name) = (self.server.clone(), self.name.clone());
        let dropping = thread::spawn(move || {
            Runtime::new()?.block_on(async {
                let mut connection = PgConnection::connect(server.as_str()).await?;
                let drop_role = format!("drop owned by {name}; drop role {name}");
                sqlx::raw_sql(&drop_role).execute(&mut connection).await?;
                connection.close().await
            })
        });
        let dropped = dropping.join();
        if !thread::panicking() {
            dropped.unwrap().expect("the role of the test is dropped");
        }
    }
}

/// What a message says, to an owner of the tables. The tests use it to give the attacker more than
/// it could find out, such as the channel on which a node listens for acknowledgements.
pub async fn open(pool: &PgPool, channel: &str, sealed: &str) -> Option<String> {
    let secret: Vec<u8> = sqlx::query_scalar("select secret from clef_bus_secret")
        .fetch_one(pool)
        .await
        .unwrap();
    let key = Sha256::new()
        .chain_update(b"axum-clef PostgresLogoutBus 1")
        .chain_update(secret)
        .finalize();
    let key = RandomizedNonceKey::new(&AES_256_GCM_SIV, &key).unwrap();
    let mut bytes = URL_SAFE_NO_PAD.decode(sealed).ok()?;
    let (nonce, text) = bytes.split_at_mut_checked(12)?;
    let nonce = Nonce::try_assume_unique_for_key(nonce).ok()?;
    let text = key.open_in_place(nonce, Aad::from(channel), text).ok()?;
    Some(String::from_utf8(text.to_vec()).unwrap())
}
