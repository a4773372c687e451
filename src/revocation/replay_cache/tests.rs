use super::*;

fn finish(notices: &ReplayCache, token: &str, outcome: LogoutOutcome) {
    match notices.join("/clef/logout", &LogoutMessage::new(token)) {
        JoinResult::No(handling) => handling.finish(outcome),
        JoinResult::Before(_) => panic!("{token} is known already"),
    }
}

#[test]
fn only_applied_notices_are_remembered_and_memory_is_bounded() {
    let notices = ReplayCache::default();
    for outcome in [LogoutOutcome::BadToken, LogoutOutcome::TryAgain] {
        finish(&notices, "token", outcome);
    }
    assert_eq!(notices.known().notices.len(), 0);
    for token in 0..CAPACITY + 10 {
        finish(&notices, &token.to_string(), LogoutOutcome::LoggedOut);
    }
    assert_eq!(notices.known().notices.len(), CAPACITY);
    let is_new = |endpoint: &str, token: &str| {
        matches!(
            notices.join(endpoint, &LogoutMessage::new(token)),
            JoinResult::No(_)
        )
    };
    assert!(is_new("/clef/logout", "0"));
    let last = (CAPACITY + 9).to_string();
    assert!(!is_new("/clef/logout", &last));
    assert!(is_new("/staff/logout", &last), "another provider's");
}

#[test]
fn notices_that_are_given_up_leave_only_the_latest_spent_ids_behind() {
    let notices = ReplayCache::default();
    for token in 0..200_000 {
        let token = token.to_string();
        let JoinResult::No(handling) =
            notices.join("/clef/logout", &LogoutMessage::new(token.as_str()))
        else {
            panic!("{token} is known already");
        };
        let scope = LogoutScope::Person(Subject::new("https://clef.test", "12345"));
        let named = handling.named("/clef/logout", &[scope], Some(&token), true);
        if let NamedResult::New(named) = named {
            named.writing();
        }
    }
    let known = notices.known();
    assert_eq!((known.notices.len(), known.applied.len()), (0, 0));
    assert_eq!(known.spent.names.len(), CAPACITY);
    assert_eq!(known.spent.ids.len(), CAPACITY);
}

/// The token was verified, so one who has caught it must not use it for another subject.
#[tokio::test]
async fn an_id_for_a_single_use_is_spent_whatever_the_outcome() {
    let notices = ReplayCache::default();
    let mut number = 0;
    let mut named = |id: &str, subject: &str| {
        number += 1;
        let message = LogoutMessage::new(format!("token {number}"));
        let JoinResult::No(handling) = notices.join("/clef/logout", &message) else {
            panic!("{number} is known already");
        };
        let scope = LogoutScope::Person(Subject::new("https://clef.test", subject));
        handling.named("/clef/logout", &[scope], Some(id), true)
    };
    for outcome in [
        None,
        Some(LogoutOutcome::TryAgain),
        Some(LogoutOutcome::TooManyUsers),
        Some(LogoutOutcome::SessionsNotKept),
        Some(LogoutOutcome::LoggedOut),
    ] {
        let id = format!("{outcome:?}");
        let NamedResult::New(handling) = named(&id, "alex") else {
            panic!("{outcome:?} is not new");
        };
        match outcome {
            Some(outcome) => handling.finish(outcome),
            None => drop(handling),
        }
        assert!(
            matches!(named(&id, "kim"), NamedResult::Spent(_)),
            "{outcome:?}"
        );
        // The same notice may come again.
        let again = named(&id, "alex");
        match outcome {
            Some(LogoutOutcome::LoggedOut) => assert!(matches!(again, NamedResult::Replay)),
            _ => assert!(matches!(again, NamedResult::New(_)), "{outcome:?}"),
        }
        assert!(
            matches!(named(&id, "kim"), NamedResult::Spent(_)),
            "{outcome:?}"
        );
    }
}

/// A sender may name subjects of several issuers.
#[tokio::test]
async fn an_id_for_the_subject_of_another_issuer_is_new() {
    let notices = ReplayCache::default();
    for issuer in ["https://clef.test", "https://other.test"] {
        let message = LogoutMessage::new(format!("token for {issuer}"));
        let JoinResult::No(handling) = notices.join("/clef/logout", &message) else {
            panic!("the token for {issuer} is known already");
        };
        let scope = LogoutScope::Person(Subject::new(issuer, "12345"));
        let named = handling.named("/clef/logout", &[scope], Some("id"), false);
        let NamedResult::New(handling) = named else {
            panic!("the id for {issuer} is known already");
        };
        handling.finish(LogoutOutcome::LoggedOut);
    }
}

/// On two threads, as a sender is who comes back at once.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_sender_that_learns_of_a_failure_can_send_again() {
    let notices = ReplayCache::default();
    for _ in 0..10_000 {
        let JoinResult::No(handling) = notices.join("/clef/logout", &LogoutMessage::new("token"))
        else {
            panic!("it is known already");
        };
        let progress = handling.progress();
        let fails = tokio::spawn(async move { handling.finish(LogoutOutcome::TryAgain) });
        assert_eq!(
            progress.outcome(Duration::from_secs(1)).await,
            LogoutOutcome::TryAgain
        );
        assert!(matches!(
            notices.join("/clef/logout", &LogoutMessage::new("token")),
            JoinResult::No(_)
        ));
        fails.await.unwrap();
    }
}
