//! The store of the guide for PostgreSQL. Its text is compiled from a copy, which a test compares.

use axum_clef::{LoginId, ProviderSession, testing::check_user_store};
use futures_util::future::join_all;
use sqlx::{Postgres, Transaction};
use test_support::{Database, log};

use crate::waiting::one_waits;

include!("guide_members.rs");

const CHAPTER: &str = include_str!("../../docs/user_store_postgres.md");
const LATEST: Timestamp = Timestamp::from_micros(i64::MAX);

/// The statements of the chapter in the block that starts so.
fn sql(start: &str) -> &'static str {
    let blocks = CHAPTER.split("```sql\n").skip(1);
    let mut blocks = blocks.filter_map(|block| Some(block.split_once("```\n")?.0));
    let block = blocks.find(|block| block.starts_with(start));
    block.expect("the chapter has this block")
}

/// The store as a node has it, over the pool that the chapter recommends.
async fn open(database: &Database) -> Members {
    Members(database.open().await.pool().clone())
}

/// The store with new tables.
async fn create(database: &Database) -> Members {
    let members = open(database).await;
    let tables = sqlx::raw_sql(sql("-- Microseconds"));
    tables.execute(&members.0).await.unwrap();
    members
}

/// A new member, as a form makes one. Returns the id.
async fn sign_up(members: &Members, name: &str) -> Result<String, sqlx::Error> {
    let insert = "insert into members (name, password_hash) values ($1, 'no hash') returning id";
    let insert = sqlx::query_scalar(insert).bind(name);
    let id: i64 = insert.fetch_one(&members.0).await?;
    Ok(id.to_string())
}

fn session(id: &str) -> RevocationKey {
    RevocationKey::Session(ProviderSession::new("https://id.test", id))
}

#[test]
fn the_copy_is_the_text_of_the_guide() {
    let copy = include_str!("guide_members.rs");
    assert!(CHAPTER.contains(&format!("```rust\n{copy}```\n")));
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs PostgreSQL at POSTGRES_URL; .ci/run runs it"]
async fn the_store_of_the_guide_keeps_the_contract() {
    let database = Database::create().await;
    create(&database).await;
    let open = async || Ok::<_, sqlx::Error>(open(&database).await);
    let new_user = async |members: &Members| {
        let name = format!("{:016x}", rand::random::<u64>());
        sign_up(members, &name).await
    };
    check_user_store(open, new_user).await.unwrap();
}

/// How many statements of the store there were since the last call.
fn statements() -> usize {
    let text = log::text();
    log::listen_to("sqlx=debug,axum_clef=warn");
    let words = ["members", "revo", "micros_now"];
    let of_store = |line: &&str| words.iter().any(|word| line.contains(word));
    text.lines().filter(of_store).count()
}

#[tokio::test]
#[ignore = "needs PostgreSQL at POSTGRES_URL; .ci/run runs it"]
async fn each_call_of_the_store_of_the_guide_is_one_statement() {
    let database = Database::create().await;
    let members = create(&database).await;
    let id = sign_up(&members, "alex").await.unwrap();
    let login_id: LoginId = "AAECAwQFBgcICQoLDA0ODw".parse().unwrap();
    let keys = [session("a"), RevocationKey::Login(login_id)];

    statements();

    let member = members.log_in(&id).await.unwrap().unwrap();
    assert_eq!(member.name, "alex");
    assert_eq!(statements(), 1, "log_in");
    assert!(members.log_out(&id).await.unwrap());
    assert_eq!(statements(), 1, "log_out");
    members.revoke(&keys, LATEST).await.unwrap();
    assert_eq!(statements(), 1, "revoke");
    let login = LoginReference::new(&id);
    for login in [
        login,
        login
            .with_id(login_id)
            .with_provider_key(keys[0].provider_key()),
    ] {
        let check = members.check_login(login).await.unwrap().unwrap();
        assert_eq!(check.revoked, login.id.is_some());
        assert_eq!(check.revoked_at.is_some(), login.id.is_some());
        assert_eq!(statements(), 1, "check_login");
    }
}

#[tokio::test]
#[ignore = "needs PostgreSQL at POSTGRES_URL; .ci/run runs it"]
async fn revocations_of_the_same_keys_at_once_do_not_deadlock() {
    let database = Database::create().await;
    let nodes = [create(&database).await, open(&database).await];
    for round in 0..20 {
        let calls = (0..8).map(|call| {
            // In any order. Some were revoked before, one is new, and one comes twice.
            let ids = round..round + 5;
            let mut keys: Vec<_> = ids.map(|id: i32| session(&id.to_string())).collect();
            keys.rotate_left(call % 5);
            if call % 2 == 0 {
                keys.reverse();
            }
            keys.truncate(2 + call % 4);
            keys.push(keys[0].clone());
            let node = &nodes[call % 2];
            async move { node.revoke(&keys, LATEST).await }
        });
        for revoked in join_all(calls).await {
            revoked.unwrap();
        }
    }
}

/// Makes a call that waits for another transaction. Returns the time of a login made meanwhile.
async fn meanwhile(
    database: &Database,
    members: &Members,
    other: Transaction<'static, Postgres>,
    call: impl Future<Output = Result<(), BoxError>>,
) -> Timestamp {
    let others = async {
        one_waits(database, &members.0).await;
        let logged_in_at = members.now().await.unwrap();
        other.commit().await.unwrap();
        logged_in_at
    };
    let (called, logged_in_at) = tokio::join!(call, others);
    called.unwrap();
    logged_in_at
}

#[tokio::test]
#[ignore = "needs PostgreSQL at POSTGRES_URL; .ci/run runs it"]
async fn a_logout_in_the_store_of_the_guide_that_waits_ends_the_logins_made_meanwhile() {
    let database = Database::create().await;
    let members = create(&database).await;
    let id = sign_up(&members, "alex").await.unwrap();
    for statement in [
        "select from members for update",
        "update members set name = name",
    ] {
        let mut other = members.0.begin().await.unwrap();
        let statement = sqlx::query(statement);
        statement.execute(&mut *other).await.unwrap();
        let log_out = async { members.log_out(&id).await.map(|found| assert!(found)) };
        let logged_in_at = meanwhile(&database, &members, other, log_out).await;
        let stamp = members.load(&id).await.unwrap().unwrap().logged_out_at();
        assert!(!logged_in_at.outlives(stamp));
    }
}

#[tokio::test]
#[ignore = "needs PostgreSQL at POSTGRES_URL; .ci/run runs it"]
async fn a_revocation_in_the_store_of_the_guide_that_waits_ends_the_logins_made_meanwhile() {
    let database = Database::create().await;
    let members = create(&database).await;
    // One is waited for. The others are new, and before and after it.
    let keys = ["a", "b", "c"].map(session);
    let text = serde_json::to_string(&keys[1]).unwrap();
    for (is_there, statement) in [
        (true, "select from revocations where key = $1 for update"),
        (true, "delete from revocations where key = $1"),
        (false, "insert into revocations values ($1, 1, 1)"),
    ] {
        let clear = sqlx::query("delete from revocations");
        clear.execute(&members.0).await.unwrap();
        if is_there {
            members.revoke(&keys[1..2], LATEST).await.unwrap();
        }
        let mut other = members.0.begin().await.unwrap();
        let taken = sqlx::query(statement).bind(&text);
        taken.execute(&mut *other).await.unwrap();
        let revoke = members.revoke(&keys, LATEST);
        let logged_in_at = meanwhile(&database, &members, other, revoke).await;
        for key in &keys {
            let stamp = members.revoked_at(key).await.unwrap();
            assert!(!logged_in_at.outlives(stamp), "{statement}: {key:?}");
        }
    }
}

#[tokio::test]
#[ignore = "needs PostgreSQL at POSTGRES_URL; .ci/run runs it"]
async fn a_logout_in_the_store_of_the_guide_is_later_than_the_last_login() {
    let database = Database::create().await;
    let members = create(&database).await;
    let id = sign_up(&members, "alex").await.unwrap();
    // By a clock that has been set back since.
    let ahead = members.now().await.unwrap().as_micros() + 60_000_000;
    let set_ahead = sqlx::query("update members set last_login_at = $1").bind(ahead);
    set_ahead.execute(&members.0).await.unwrap();
    members.log_in(&id).await.unwrap();
    let later = |micros: i64| Some(Timestamp::from_micros(ahead + micros));
    let logged_out_at = async || {
        let member = members.load(&id).await.unwrap().unwrap();
        member.logged_out_at()
    };
    for micros in 1..=2 {
        members.revoke(&[session("a")], LATEST).await.unwrap();
        let revoked_at = members.revoked_at(&session("a")).await.unwrap();
        assert_eq!(revoked_at, later(micros));
    }
    for micros in 1..=2 {
        assert!(members.log_out(&id).await.unwrap());
        assert_eq!(logged_out_at().await, later(micros));
    }
    let stamp = Timestamp::from_micros(ahead + 3);
    let written = members.log_out_others(&id, stamp).await.unwrap();
    assert_eq!(written, later(3));
    assert!(members.log_out(&id).await.unwrap());
    assert_eq!(logged_out_at().await, later(5), "it ends the login of 4");
}

#[tokio::test]
#[ignore = "needs PostgreSQL at POSTGRES_URL; .ci/run runs it"]
async fn old_revocations_are_deleted_by_the_statement_of_the_guide() {
    let database = Database::create().await;
    let members = create(&database).await;
    let keys = ["old", "kept", "a\0b"].map(session);
    let past = Timestamp::from_micros(1);
    members.revoke(&keys, past).await.unwrap();
    members.revoke(&keys[1..], LATEST).await.unwrap();
    let delete = sqlx::raw_sql(sql("with old"));
    let deleted = delete.execute(&members.0).await.unwrap();
    assert_eq!(deleted.rows_affected(), 1);
    for (key, is_kept) in keys.iter().zip([false, true, true]) {
        let revoked_at = members.revoked_at(key).await.unwrap();
        assert_eq!(revoked_at.is_some(), is_kept, "{key:?}");
    }
}
