//! How the server runs each statement of the store over tables of 100,000 rows: by an index, and by few
//! rows. The server itself reports it, by its `auto_explain`, which only a superuser may load.

use std::collections::BTreeSet;

use axum_clef::{
    IdentityStore as _, LoginId, LoginReference, LogoutCause, Profile, ProviderKey,
    ProviderSession, RevocationKey, Subject, SubjectIdentifier, Timestamp, UserStore as _,
    stores::PostgresUserStore,
};
use sqlx::{Connection as _, PgConnection};
use test_support::{Database, log};

const LATEST: Timestamp = Timestamp::from_micros(i64::MAX);
const ISSUER: &str = "https://clef.test";
/// Half of the revocations and sessions are old, anywhere in their tables.
const ROWS: &str = "
    insert into clef_users (issuer, subject, email, verified_email, last_login_at, logged_out_at)
    select 'https://clef.test', n, n || '@clef.test', n || '@clef.test', n, n
    from generate_series(1, 100000) as n;

    insert into clef_revocations (kind, issuer, id, revoked_at, keep_until)
    select 'login', '', n, n, case when n % 2 = 0 then n else 9000000000000000000 + n end
    from generate_series(1, 100000) as n order by random();

    insert into clef_sessions (issuer, id, user_id, keep_until)
    select 'https://clef.test', n, n, case when n % 2 = 0 then n else 9000000000000000000 + n end
    from generate_series(1, 100000) as n order by random();

    analyze clef_users, clef_revocations, clef_sessions;
";
/// A statement removes a hundred old rows.
const MOST_ROWS: u32 = 120;
/// A thousand pages are read for that.
const MOST_PAGES: u32 = 2_000;

async fn fill(database: &Database) {
    let mut connection = PgConnection::connect(database.url().as_str())
        .await
        .unwrap();
    sqlx::raw_sql(ROWS).execute(&mut connection).await.unwrap();
    connection.close().await.unwrap();
}

/// A store whose server reports the plan of each statement.
async fn explaining_store(database: &Database, plan_cache_mode: &str) -> PostgresUserStore {
    let options = format!(
        "-c search_path={} -c session_preload_libraries=auto_explain \
         -c auto_explain.log_min_duration=0 -c auto_explain.log_level=notice \
         -c auto_explain.log_analyze=on -c auto_explain.log_timing=off \
         -c auto_explain.log_buffers=on \
         -c plan_cache_mode={plan_cache_mode}",
        database.schema
    );
    let url = database.url_with(&options);
    PostgresUserStore::connect(url.as_str()).await.unwrap()
}

/// Each call of the store, in each way that takes another path.
async fn call_all(store: &PostgresUserStore) {
    for subject in ["70000", "new"] {
        let profile = Profile::new(Subject::new(ISSUER, subject));
        store.find_or_create(&profile).await.unwrap().unwrap();
    }
    let id = "70000";
    store.load(id).await.unwrap().unwrap();
    store.log_in(id).await.unwrap().unwrap();
    let stamp = store.now().await.unwrap();
    store.log_in(id).await.unwrap().unwrap();
    let cause = LogoutCause::Unknown;
    let kept = store.log_out_others_with_cause(id, stamp, &cause).await;
    assert!(kept.unwrap().is_some());
    assert!(store.log_out_with_cause(id, &cause).await.unwrap());
    let subject = Subject::new(ISSUER, "70001");
    let users = store.log_out_subject(&subject).await.unwrap();
    assert_eq!(users, ["70001"]);
    assert!(
        store
            .log_out_subject(&Subject::new(ISSUER, "no"))
            .await
            .unwrap()
            .is_empty()
    );

    let login_id: LoginId = "AAECAwQFBgcICQoLDA0ODw".parse().unwrap();
    let session = ProviderSession::new(ISSUER, "70000");
    let login = LoginReference::new(id);
    for login in [
        login,
        login
            .with_id(login_id)
            .with_issuer(Some(ISSUER))
            .with_provider_key(Some(ProviderKey::Session {
                issuer: ISSUER,
                id: "70000",
            })),
    ] {
        store.check_login(login).await.unwrap().unwrap();
    }
    let keys = [
        RevocationKey::Login(login_id),
        RevocationKey::Session(session.clone()),
        RevocationKey::Subject(subject.clone()),
        RevocationKey::UnknownSubject(subject),
        RevocationKey::Issuer(ISSUER.to_owned()),
        RevocationKey::Everyone,
    ];
    store.revoke(&keys, LATEST).await.unwrap();
    store.revoke(&keys[..1], LATEST).await.unwrap();
    for key in &keys {
        assert!(store.revoked_at(key).await.unwrap().is_some());
    }
    store.note_session(&session, id, LATEST).await.unwrap();
    let user = store.session_user(&session).await.unwrap();
    assert_eq!(user.as_deref(), Some(id));
    let address = SubjectIdentifier::Email("70000@CLEF.test".to_owned());
    let users = store.users_of(ISSUER, &address).await.unwrap();
    assert_eq!(users.first().map(String::as_str), Some(id));
}

/// A plan that the server has reported, with its statement.
#[derive(Debug)]
struct Report {
    statement: String,
    plan: String,
}

/// Those that were logged since.
fn reports() -> Vec<Report> {
    let text = log::text();
    let reports = text.split("Query Text: ").skip(1).map(|report| {
        let lines = report
            .lines()
            .take_while(|line| !line.contains(" sqlx::"))
            .collect::<Vec<_>>();
        let of_plan = |line: &&str| line.contains("(cost=");
        let start = lines.iter().position(of_plan).unwrap();
        Report {
            statement: lines[..start].join("\n"),
            plan: lines[start..].join("\n"),
        }
    });
    reports.collect()
}

/// The numbers after this text in a plan.
fn numbers_after<'a>(plan: &'a str, text: &'a str) -> impl Iterator<Item = u32> + 'a {
    plan.split(text).skip(1).map(|rest| {
        let digits = rest.split(|letter: char| !letter.is_ascii_digit()).next();
        digits.unwrap().parse().unwrap()
    })
}

#[tokio::test]
#[ignore = "needs PostgreSQL at POSTGRES_URL; .ci/run runs it"]
async fn each_statement_finds_its_rows_by_an_index() {
    let database = Database::create().await;
    database.open().await;
    fill(&database).await;
    let constants = include_str!("../../src/stores/postgres/statements.rs");
    let constants = constants.matches("pub(super) const").count();
    // A connection plans a statement for its parameters at first, and later once for all.
    for mode in ["force_custom_plan", "force_generic_plan"] {
        let store = explaining_store(&database, mode).await;
        log::listen_to("sqlx=debug");
        call_all(&store).await;
        let mut statements = BTreeSet::new();
        for Report { statement, plan } in reports() {
            assert!(!plan.contains("Seq Scan"), "{mode}: {statement}\n{plan}");
            let read = numbers_after(&plan, "(actual rows=");
            let left_out = numbers_after(&plan, "Rows Removed by Filter: ");
            let most = read.chain(left_out).max().unwrap_or_default();
            assert!(most <= MOST_ROWS, "{mode}: {statement}\n{plan}");
            let pages = numbers_after(&plan, "shared hit=").max();
            assert!(pages <= Some(MOST_PAGES), "{mode}: {statement}\n{plan}");
            statements.insert(statement);
        }
        assert_eq!(statements.len(), constants, "{mode}: {statements:#?}");
    }
}

/// A backup runs in one transaction, and the server keeps for it what was deleted meanwhile.
#[tokio::test]
#[ignore = "needs PostgreSQL at POSTGRES_URL; .ci/run runs it"]
async fn rows_that_were_deleted_during_a_backup_are_not_read_again() {
    let database = Database::create().await;
    database.open().await;
    fill(&database).await;
    let store = explaining_store(&database, "auto").await;
    let mut backup = store.pool().begin().await.unwrap();
    sqlx::raw_sql(
        "set transaction isolation level repeatable read; select from clef_users limit 1",
    )
    .execute(&mut *backup)
    .await
    .unwrap();
    let key = [RevocationKey::Everyone];
    let session = ProviderSession::new(ISSUER, "1");
    for _ in 0..30 {
        store.revoke(&key, LATEST).await.unwrap();
        store.note_session(&session, "1", LATEST).await.unwrap();
    }
    log::listen_to("sqlx=debug");
    store.revoke(&key, LATEST).await.unwrap();
    store.note_session(&session, "1", LATEST).await.unwrap();
    let reports = reports();
    // A new connection of the pool has statements of its own.
    let writes = reports
        .iter()
        .filter(|report| report.statement.contains("insert into"));
    assert_eq!(writes.count(), 2, "{reports:#?}");
    for Report { plan, .. } in reports {
        let pages = numbers_after(&plan, "shared hit=").max();
        assert!(pages <= Some(MOST_PAGES), "{plan}");
    }
    backup.rollback().await.unwrap();
}
