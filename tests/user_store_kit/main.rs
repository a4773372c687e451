//! The kit for store authors: the ready stores pass it, and a wrong store for each rule does not.

mod fault;
mod locks;
mod members;
mod readme;
mod revocations;
mod users_alone;

use std::{collections::HashSet, convert::Infallible, sync::Arc};

use axum_clef::{
    stores::{MemoryUserStore, SqliteUserStore},
    testing::{BrokenRule, Rule, check_identity_store},
};

use self::{
    fault::Fault,
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

const FAULTS: &[(Fault, Rule)] = &[
    (Fault::CannotOpen, Rule::Answers),
    (Fault::LoadFails, Rule::Answers),
    (Fault::TurnsNewUsersAway, Rule::AdmitsUsers),
    (Fault::TurnsLoginsAway, Rule::AdmitsUsers),
    (Fault::NewUserIsLoggedOut, Rule::NewUserWasNeverLoggedOut),
    (Fault::EachLoginMakesAUser, Rule::SameSubjectSameUser),
    (Fault::FindsByIssuerOnly, Rule::OtherSubjectOtherUser),
    (Fault::FindsByIdOnly, Rule::OtherIssuerOtherUser),
    (Fault::FindsAndThenCreates, Rule::FirstLoginsAtOnce),
    (Fault::UniqueIndexWithoutUpsert, Rule::FirstLoginsAtOnce),
    (Fault::LoadReadsAnotherForm, Rule::FindsByUserId),
    (Fault::LogInFindsTheFirst, Rule::FindsByUserId),
    (Fault::UnknownIdIsAnError, Rule::UnknownIdIsNoUser),
    (Fault::ReadsTheNumberInFront, Rule::UnknownIdIsNoUser),
    (Fault::CutsIdsAtNul, Rule::UnknownIdIsNoUser),
    (Fault::ClockOfMilliseconds, Rule::ClockRises),
    (Fault::ClockOfEachHandle, Rule::OneClock),
    (Fault::LogOutOfUnknownIdIsTrue, Rule::LogOutOfUnknownUser),
    (Fault::LogOutIsForgotten, Rule::LogOutEndsLoginsBefore),
    (Fault::LogOutIsNeverTrue, Rule::LogOutEndsLoginsBefore),
    (Fault::LogOutOfSeconds, Rule::LogOutEndsLoginsBefore),
    (Fault::LogOutLiesAhead, Rule::LoginAfterLogOutWorks),
    (Fault::FirstLogOutStays, Rule::LogOutOnlyRises),
    (Fault::LoginClearsLogOut, Rule::LoginKeepsLogOut),
    (Fault::LoginHidesLogOut, Rule::LoginKeepsLogOut),
    (Fault::FindHidesLogOut, Rule::LoginKeepsLogOut),
    (Fault::LogOutOfAllUsers, Rule::LogOutEndsOneUser),
    (Fault::LogOutOfTheIssuer, Rule::LogOutEndsOneUser),
    (Fault::LogOutOfTheId, Rule::LogOutEndsOneUser),
    (Fault::HandleKeepsWhatItLoaded, Rule::EveryHandleSeesLogOut),
    (Fault::ReadsAndThenWrites, Rule::LogOutsAtOnce),
    (Fault::WritesWithoutLooking, Rule::LogOutsAtOnce),
    (
        Fault::ReadsTheClockBeforeTheLock,
        Rule::LogOutEndsLoginsItFinds,
    ),
    (Fault::OneHandleKeepsRevocations, Rule::RevocationsKeptOrNot),
    (Fault::KeepsRevocationsAfterAll, Rule::RevocationsKeptOrNot),
    (Fault::CheckHidesLogOut, Rule::CheckAgreesWithTheOthers),
    (
        Fault::CheckHidesRevokedLogin,
        Rule::CheckAgreesWithTheOthers,
    ),
    (Fault::CheckHidesProviderKey, Rule::CheckAgreesWithTheOthers),
    (Fault::CheckHasAnotherClock, Rule::CheckAgreesWithTheOthers),
    (Fault::CheckMakesAUserUp, Rule::CheckAgreesWithTheOthers),
    (Fault::UnknownKeyIsRevoked, Rule::UnknownKeyIsNotRevoked),
    (Fault::RevokesTheFirstKey, Rule::RevokesEveryKey),
    (Fault::RefusesDuplicateKeys, Rule::RevokesEveryKey),
    (Fault::RevocationOfSeconds, Rule::RevocationEndsLoginsBefore),
    (Fault::RevocationLiesAhead, Rule::LoginAfterRevocationWorks),
    (Fault::FirstRevocationStays, Rule::RevocationOnlyRises),
    (Fault::RevocationOfTheIssuer, Rule::RevocationEndsOneKey),
    (Fault::RevocationOfTheId, Rule::RevocationEndsOneKey),
    (Fault::RevocationOfAnyKind, Rule::RevocationEndsOneKey),
    (Fault::RevocationOfTheUser, Rule::RevocationEndsOneKey),
    (Fault::LogOutOfKeys, Rule::RevocationEndsOneKey),
    (
        Fault::SubjectLogOutRevokesTheKey,
        Rule::RevocationEndsOneKey,
    ),
    (Fault::OverlooksCaseOfKeys, Rule::AnyKey),
    (Fault::CutsKeysShort, Rule::AnyKey),
    (Fault::RefusesTheEmptyKey, Rule::AnyKey),
    (Fault::HandleKeepsKeysItSaw, Rule::EveryHandleSeesRevocation),
    (Fault::ReadsAndThenWritesKeys, Rule::RevocationsAtOnce),
    (Fault::WritesKeysWithoutLooking, Rule::RevocationsAtOnce),
    (Fault::KeepsUntilTheLatestCall, Rule::RevocationIsKept),
    (
        Fault::SubjectLogOutCreates,
        Rule::LogOutSubjectReturnsItsUsers,
    ),
    (
        Fault::SubjectLogOutReturnsNothing,
        Rule::LogOutSubjectReturnsItsUsers,
    ),
    (
        Fault::SubjectLogOutReturnsUnknownUser,
        Rule::LogOutSubjectReturnsItsUsers,
    ),
    (Fault::RefusesTheEmptySubject, Rule::AnySubject),
    (Fault::OverlooksCase, Rule::AnySubject),
    (Fault::CutsSubjectsShort, Rule::AnySubject),
    (Fault::CutsVeryLongSubjects, Rule::AnySubject),
    (Fault::FindInTwoSteps, Rule::DroppedCallIsWholeOrUndone),
    (Fault::LogOutInTwoSteps, Rule::DroppedCallIsWholeOrUndone),
    (Fault::RevokeInTwoSteps, Rule::DroppedCallIsWholeOrUndone),
    (Fault::RevokesKeyByKey, Rule::DroppedCallIsWholeOrUndone),
];

/// Later calls to these stores get no answer.
const LEAKS: &[(Fault, &str)] = &[
    (Fault::LogInKeepsTheLock, "`log_in`"),
    (Fault::LoadKeepsTheLock, "`load`"),
    (Fault::LogOutKeepsTheLock, "`log_out`"),
    (Fault::LogOutLosesAConnection, "`log_out`"),
    (Fault::NowKeepsTheLock, "`now`"),
    (Fault::CheckLoginKeepsTheLock, "`check_login`"),
    (Fault::RevokeKeepsTheLock, "`revoke`"),
    (Fault::RevokedAtKeepsTheLock, "`revoked_at`"),
    (Fault::FindOrCreateKeepsTheLock, "`find_or_create`"),
    (Fault::LogOutSubjectKeepsTheLock, "`log_out_subject`"),
];

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
         \"0\" for the same id of another issuer. Seen: the same user. Make issuer and id unique \
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
