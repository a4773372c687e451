//! How many steps SQLite takes for each call over tables of 20,000 rows: a scan of one takes more.

use std::sync::{
    Arc,
    atomic::{AtomicU32, Ordering::SeqCst},
};

use axum_clef::{
    IdentityStore as _, LoginId, LoginReference, LogoutCause, Profile, ProviderKey,
    ProviderSession, RevocationKey, SubjectIdentifier, Timestamp, UserStore as _,
    stores::SqliteUserStore,
};
use sqlx::sqlite::SqlitePoolOptions;

use crate::checks::subject;

const LATEST: Timestamp = Timestamp::from_micros(i64::MAX);
/// Half of the revocations and sessions are old.
const ROWS: &str = "
    create temporary table numbers as
    with recursive numbers (n) as (select 1 union all select n + 1 from numbers where n < 20000)
    select n, case when n % 2 then n else 9000000000000000000 + n end as keep_until from numbers;

    insert into clef_users (issuer, subject, email, last_login_at, logged_out_at)
    select 'https://clef.test', n, n || '@clef.test', n, n from numbers;
    insert into clef_logout_causes (user_id, logged_out_at, cause)
    select n, n, 'unknown' from numbers;
    insert into clef_verified_emails (user_id, email) select n, n || '@clef.test' from numbers;
    insert into clef_revocations (kind, issuer, id, revoked_at, keep_until)
    select 'login', '', n, n, keep_until from numbers;
    insert into clef_sessions (issuer, id, user_id, keep_until)
    select 'https://clef.test', n, n, keep_until from numbers;
";
/// To remove a hundred old rows takes a third of this.
const MOST_STEPS: u32 = 10_000;

#[derive(Clone, Default)]
struct Steps(Arc<AtomicU32>);

impl Steps {
    /// Asserts that this call, which was the last one, took few of them.
    fn few(&self, call: &str) {
        let steps = self.0.swap(0, SeqCst);
        assert!(0 < steps && steps <= MOST_STEPS, "{call}: {steps} steps");
    }
}

#[tokio::test]
async fn a_call_takes_few_steps_however_many_rows_there_are() {
    let steps = Steps::default();
    let counted = steps.clone();
    let pool = SqlitePoolOptions::new().max_connections(1);
    let pool = pool.after_connect(move |connection, _| {
        let counted = counted.clone();
        Box::pin(async move {
            let mut handle = connection.lock_handle().await?;
            handle.set_progress_handler(1, move || {
                counted.0.fetch_add(1, SeqCst);
                true
            });
            Ok(())
        })
    });
    let pool = pool.connect("sqlite::memory:").await.unwrap();
    let store = SqliteUserStore::new(pool.clone()).await.unwrap();
    sqlx::raw_sql(ROWS).execute(&pool).await.unwrap();
    assert!(steps.0.swap(0, SeqCst) > MOST_STEPS);

    drop(store);
    let store = SqliteUserStore::new(pool).await.unwrap();
    steps.few("new");
    for name in ["12345", "new"] {
        let profile = Profile::new(subject(name));
        store.find_or_create(&profile).await.unwrap().unwrap();
        steps.few("find_or_create");
    }
    let id = "12345";
    store.load(id).await.unwrap().unwrap();
    steps.few("load");
    let stamp = store.now().await.unwrap();
    store.log_in(id).await.unwrap().unwrap();
    steps.few("log_in");
    let kept = store.log_out_others_with_cause(id, stamp, &LogoutCause::Administrator);
    assert!(kept.await.unwrap().is_some());
    steps.few("log_out_others");
    let logged_out = store.log_out_with_cause(id, &LogoutCause::Administrator);
    assert!(logged_out.await.unwrap());
    steps.few("log_out");
    let logged_out = store.log_out_subject(&subject("12346")).await;
    assert_eq!(logged_out.unwrap(), ["12346"]);
    steps.few("log_out_subject");

    let login_id: LoginId = "AAECAwQFBgcICQoLDA0ODw".parse().unwrap();
    let session = ProviderSession::new("https://clef.test", "12345");
    let login = LoginReference::new(id)
        .with_id(login_id)
        .with_issuer(Some("https://clef.test"))
        .with_provider_key(Some(ProviderKey::Session {
            issuer: session.issuer(),
            id: session.id(),
        }));
    store.check_login(login).await.unwrap().unwrap();
    steps.few("check_login");
    for key in [
        RevocationKey::Login(login_id),
        RevocationKey::Session(session.clone()),
        RevocationKey::Everyone,
    ] {
        store
            .revoke(std::slice::from_ref(&key), LATEST)
            .await
            .unwrap();
        steps.few("revoke");
        assert!(store.revoked_at(&key).await.unwrap().is_some());
        steps.few("revoked_at");
    }
    store.note_session(&session, id, LATEST).await.unwrap();
    steps.few("note_session");
    let user = store.session_user(&session).await.unwrap();
    assert_eq!(user.as_deref(), Some(id));
    steps.few("session_user");
    let address = SubjectIdentifier::Email("12345@CLEF.test".to_owned());
    let users = store.users_of("https://clef.test", &address).await.unwrap();
    assert_eq!(users, [id]);
    steps.few("users_of");
}
