//! The kit for store authors: the ready stores pass it, and a wrong store for each rule does not.

mod axum_login;
mod fault;
mod guide;
mod locks;
mod members;
mod revocations;
mod users_alone;

use std::{collections::HashSet, convert::Infallible, sync::Arc};

use axum_clef::{
    stores::{MemoryUserStore, SqliteUserStore},
    testing::{BrokenRule, Rule, check_identity_store},
};

use self::{
    fault::{FAULTS, Fault, LEAKS},
    members::{Members, Shared},
};

#[tokio::test(flavor = "multi_thread")]
async fn the_store_in_memory_keeps_the_contract() {
    let store = Arc::new(MemoryUserStore::new());
    let open = async || Ok::<_, Infallible>(Arc::clone(&store));
    check_identity_store(open).await.unwrap();
    check_identity_store(open).await.expect("a full store too");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_store_in_sqlite_keeps_the_contract() {
    let directory = tempfile::tempdir().unwrap();
    let url = format!("sqlite://{}", directory.path().join("users.db").display());
    let open = async || SqliteUserStore::connect(&url).await;
    check_identity_store(open).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn the_store_in_sqlite_in_memory_keeps_the_contract() {
    let store = SqliteUserStore::connect("sqlite::memory:").await.unwrap();
    let open = async || Ok::<_, Infallible>(store.clone());
    check_identity_store(open).await.unwrap();
}

#[tokio::test]
async fn a_test_of_one_thread_will_do() {
    let store = MemoryUserStore::new();
    let open = async || Ok::<_, Infallible>(store.clone());
    check_identity_store(open).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn each_wrong_store_is_noticed_by_the_rule_that_it_breaks() {
    check(Fault::None).await.expect("only the fault is wrong");
    for &(fault, rule) in FAULTS {
        let broken = check(fault).await.expect_err(&format!("{fault:?}"));
        assert_eq!(broken.rule(), rule, "{fault:?}: {broken}");
        let message = broken.to_string();
        for part in [&rule.to_string(), broken.expected(), broken.seen()] {
            assert!(message.contains(part), "{message}");
        }
        let unwrapped = format!("{broken:?}");
        assert!(unwrapped.contains(&message), "what a test shows");
        assert!(unwrapped.contains(&format!("{rule:?}")), "and the name");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_keeps_no_revocations_is_right() {
    check(Fault::KeepsNoRevocations).await.unwrap();
}

#[test]
fn there_is_a_wrong_store_for_each_rule() {
    let mut broken: HashSet<_> = FAULTS.iter().map(|(_, rule)| *rule).collect();
    broken.insert(Rule::DroppedCallLeavesNoLock); // by each of `LEAKS`
    let every: HashSet<_> = Rule::ALL.iter().copied().collect();
    assert_eq!(broken, every);
    let words: HashSet<_> = Rule::ALL.iter().map(ToString::to_string).collect();
    assert_eq!(words.len(), Rule::ALL.len(), "each in words of its own");
}

/// The time stands still until every task waits, and then jumps to the limit.
#[tokio::test(start_paused = true)]
async fn a_store_that_hangs_is_given_up() {
    let broken = check(Fault::LogOutHangs).await.unwrap_err();
    assert_eq!(broken.rule(), Rule::Answers);
    assert!(broken.to_string().contains("within 60 seconds"), "{broken}");
}

#[tokio::test(start_paused = true)]
async fn a_lock_that_a_dropped_call_leaves_behind_is_noticed() {
    for &(fault, dropped) in LEAKS {
        let broken = check(fault).await.expect_err(&format!("{fault:?}"));
        let rule = Rule::DroppedCallLeavesNoLock;
        assert_eq!(broken.rule(), rule, "{fault:?}: {broken}");
        let while_dropped = format!("within 5 seconds, while calls of {dropped} are dropped");
        assert!(broken.expected().contains(&while_dropped), "{broken}");
    }
}

#[tokio::test]
async fn a_message_says_the_rule_what_was_expected_what_was_seen_and_what_to_do() {
    let broken = check(Fault::FindsByIdOnly).await.unwrap_err();
    assert_eq!(
        broken.to_string(),
        "broken rule: the same id at two issuers is two users. Expected: another user than \
         \"0m\" for the same id of another issuer. Seen: the same user. Make issuer and id unique \
         together, and look for both."
    );
    let broken = check(Fault::LoadFails).await.unwrap_err();
    assert_eq!(broken.seen(), "the error \"the table is gone\"");
}

async fn check(fault: Fault) -> Result<(), BrokenRule> {
    let shared = Arc::new(Shared::default());
    let open = async || {
        if fault == Fault::CannotOpen {
            return Err("no such database");
        }
        Ok(Members::new(fault, &shared))
    };
    check_identity_store(open).await
}
