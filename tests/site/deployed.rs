//! The promise with stores that people deploy.

use axum_clef::stores::SqliteUserStore;
use tower_sessions_sqlx_store::SqliteStore;

use crate::support::{Browser, TestSessions, TestUsers, World};

#[tokio::test]
async fn the_promise_holds_over_sqlite_and_a_restart() {
    let directory = tempfile::tempdir().unwrap();
    let url = format!("sqlite://{}", directory.path().join("site.db").display());
    let world = || async {
        let users = SqliteUserStore::connect(&url).await.unwrap();
        let sessions = SqliteStore::new(users.pool().clone());
        sessions.migrate().await.unwrap();
        World {
            users: TestUsers::new(users),
            sessions: TestSessions::new(sessions),
            ..World::new()
        }
    };
    let (phone, laptop, other) = (Browser::new(), Browser::new(), Browser::new());
    {
        let node = world().await.node().await;
        phone.log_in(&node, "12345").await;
        laptop.log_in(&node, "12345").await;
        other.log_in(&node, "67890").await;
        assert_eq!(node.notice("token:12345").await, 200);
        assert!(!phone.is_in(&node).await);
        phone.log_in(&node, "12345").await;
    }
    let node = world().await.node().await;
    assert!(!laptop.is_in(&node).await, "the logout survives a restart");
    assert!(phone.is_in(&node).await, "and so does the login after it");
    assert!(other.is_in(&node).await);
}
