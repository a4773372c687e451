//! The table of open links.

use axum_clef::{Timestamp, stores::SqliteUserStore};
use magic_link::{Address, LINK_LIFETIME, Link, Links};

use crate::site::Served;

#[tokio::test]
async fn the_table_has_no_token() {
    let site = Served::start().await;
    let link = site.link(&site.browser(), "alex@example.com").await;
    let (_, token) = link.split_once("?token=").unwrap();
    assert_eq!(token.len(), 43, "256 bits");
    let files = site.files();
    let contains = |text: &str| {
        files
            .windows(text.len())
            .any(|part| part == text.as_bytes())
    };
    assert!(contains("alex@example.com"), "the row is read");
    assert!(!contains(token));
}

#[tokio::test]
async fn expired_links_are_deleted() {
    let users = SqliteUserStore::connect("sqlite::memory:").await.unwrap();
    let links = Links::create(users.pool().clone()).await.unwrap();
    let link = |requested_at| Link {
        address: Address::parse("alex@example.com").unwrap(),
        requested_at: Timestamp::from_micros(requested_at),
        requested_in: String::new(),
        requested_by: String::new(),
        next: String::new(),
    };
    let lifetime = i64::try_from(LINK_LIFETIME.as_micros()).unwrap();
    let old = links.add(&link(0)).await.unwrap().unwrap();
    let new = links.add(&link(1)).await.unwrap().unwrap();
    assert_ne!(old.expose(), new.expose());
    assert!(!format!("{old:?}").contains(old.expose()));
    links
        .delete_expired(Timestamp::from_micros(lifetime))
        .await
        .unwrap();
    let earlier = Timestamp::from_micros(1);
    assert!(links.find(&old, earlier).await.unwrap().is_none());
    assert!(links.find(&new, earlier).await.unwrap().is_some());
}
