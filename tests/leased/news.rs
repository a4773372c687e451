//! What a node tells of logouts at others.

use std::{sync::atomic::Ordering::SeqCst, time::Duration};

use axum_clef::{LogoutNews, UserStore as _, provider::LogoutScope};

use crate::{
    bus::Wire,
    world::{World, pass, person, settle, two_nodes_on},
};

#[tokio::test(start_paused = true)]
async fn a_logout_at_one_node_is_news_at_the_other_alone() {
    let wire = Wire::default();
    let (_world, [here, there], [_, there_end]) = two_nodes_on(&wire).await;
    let mut here_news = here.leased.logout_news().unwrap();
    let mut there_news = there.leased.logout_news().unwrap();
    here.leased.log_out(&person("1")).await.unwrap();
    let scope = LogoutScope::Person(person("1"));
    assert_eq!(there_news.try_recv(), Ok(LogoutNews::LoggedOut(scope)));
    assert!(here_news.try_recv().is_err(), "its own is no news");
    there_end.cut.store(true, SeqCst);
    here.leased.log_out(&person("1")).await.unwrap();
    assert!(there_news.try_recv().is_err());
    assert_eq!(wire.told.load(SeqCst), 2);
}

#[tokio::test(start_paused = true)]
async fn names_that_are_too_long_for_a_bus_are_anybody() {
    let wire = Wire::default();
    let (_world, [here, there], _) = two_nodes_on(&wire).await;
    let mut news = there.leased.logout_news().unwrap();
    let browser = there.browser_of("1").await;
    assert!(there.serves(&browser).await);
    let reads = there.users.reads();
    here.leased
        .log_out(&person(&"long ".repeat(2_000)))
        .await
        .unwrap();
    assert_eq!(news.try_recv(), Ok(LogoutNews::Missed));
    assert!(there.serves(&browser).await);
    assert_eq!(there.users.reads(), reads + 1, "everybody was dropped");
}

#[tokio::test(start_paused = true)]
async fn a_bus_that_panics_is_listened_to_again() {
    let (wire, world) = (Wire::default(), World::new());
    wire.panics.store(true, SeqCst);
    let [here, there] = [wire.end(), wire.end()].map(|end| world.node_at(end));
    let mut news = there.leased.logout_news().unwrap();
    settle().await;
    wire.panics.store(false, SeqCst);
    pass(Duration::from_secs(1)).await;
    here.leased.log_out(&person("1")).await.unwrap();
    assert_eq!(news.try_recv(), Ok(LogoutNews::Missed));
    let scope = LogoutScope::Person(person("1"));
    assert_eq!(news.try_recv(), Ok(LogoutNews::LoggedOut(scope)));
}

#[tokio::test(start_paused = true)]
async fn without_a_bus_there_is_no_news() {
    assert!(World::new().node().leased.logout_news().is_none());
}
