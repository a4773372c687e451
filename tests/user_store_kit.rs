//! The kit for store authors: our own stores pass it, and a wrong one for each rule does not.

use std::{
    collections::{HashMap, HashSet},
    convert::Infallible,
    future,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
};

use async_trait::async_trait;
use axum_clef::{
    BoxError, Profile, Subject, Timestamp, User, UserStore,
    stores::{MemoryUserStore, SqliteUserStore},
    testing::{BrokenRule, Rule, check_user_store},
};
use tokio::task::yield_now;

#[tokio::test(flavor = "multi_thread")]
async fn the_store_in_memory_keeps_the_contract() {
    let store = Arc::new(MemoryUserStore::new());
    let open = async || Ok::<_, Infallible>(Arc::clone(&store));
    check_user_store(open).await.unwrap();
    check_user_store(open).await.expect("a full store too");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_store_in_sqlite_keeps_the_contract() {
    let directory = tempfile::tempdir().unwrap();
    let url = format!("sqlite://{}", directory.path().join("users.db").display());
    let open = async || SqliteUserStore::connect(&url).await;
    check_user_store(open).await.unwrap();
}

#[tokio::test]
async fn a_test_of_one_thread_will_do() {
    let store = MemoryUserStore::new();
    let open = async || Ok::<_, Infallible>(store.clone());
    check_user_store(open).await.unwrap();
}

/// What a store does wrong, and nothing else.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Fault {
    None,
    CannotOpen,
    LoadFails,
    LogOutHangs,
    TurnsStrangersAway,
    NewUserIsLoggedOut,
    EachLoginMakesAUser,
    FindsByIssuerOnly,
    FindsByIdOnly,
    LoadReadsAnotherForm,
    UnknownIdIsAnError,
    ReadsTheNumberInFront,
    CutsIdsAtNul,
    RefusesTheEmptyPerson,
    OverlooksCase,
    CutsPeopleShort,
    CutsVeryLongPeople,
    FindsAndThenCreates,
    UniqueIndexWithoutUpsert,
    ClockOfMilliseconds,
    ClockOfEachHandle,
    LogOutCreates,
    LogOutOfNobodyIsTrue,
    LogOutIsForgotten,
    LogOutIsNeverTrue,
    LogOutOfSeconds,
    LogOutLiesAhead,
    FirstLogOutStays,
    LoginClearsLogOut,
    LoginHidesLogOut,
    LogOutOfTheIssuer,
    LogOutOfTheId,
    HandleKeepsWhatItLoaded,
    ReadsAndThenWrites,
    WritesWithoutLooking,
    ReadsTheClockBeforeTheLock,
}

const FAULTS: &[(Fault, Rule)] = &[
    (Fault::CannotOpen, Rule::Answers),
    (Fault::LoadFails, Rule::Answers),
    (Fault::TurnsStrangersAway, Rule::LetsPeopleIn),
    (Fault::NewUserIsLoggedOut, Rule::NewUserWasNeverLoggedOut),
    (Fault::EachLoginMakesAUser, Rule::SamePersonSameUser),
    (Fault::FindsByIssuerOnly, Rule::OtherPersonOtherUser),
    (Fault::FindsByIdOnly, Rule::OtherIssuerOtherUser),
    (Fault::LoadReadsAnotherForm, Rule::LoadFindsByUserId),
    (Fault::UnknownIdIsAnError, Rule::UnknownIdIsNobody),
    (Fault::ReadsTheNumberInFront, Rule::UnknownIdIsNobody),
    (Fault::CutsIdsAtNul, Rule::UnknownIdIsNobody),
    (Fault::RefusesTheEmptyPerson, Rule::AnySubject),
    (Fault::OverlooksCase, Rule::AnySubject),
    (Fault::CutsPeopleShort, Rule::AnySubject),
    (Fault::CutsVeryLongPeople, Rule::AnySubject),
    (Fault::FindsAndThenCreates, Rule::FirstLoginsAtOnce),
    (Fault::UniqueIndexWithoutUpsert, Rule::FirstLoginsAtOnce),
    (Fault::ClockOfMilliseconds, Rule::ClockRises),
    (Fault::ClockOfEachHandle, Rule::OneClock),
    (Fault::LogOutCreates, Rule::LogOutOfNobody),
    (Fault::LogOutOfNobodyIsTrue, Rule::LogOutOfNobody),
    (Fault::LogOutIsForgotten, Rule::LogOutEndsLoginsBefore),
    (Fault::LogOutIsNeverTrue, Rule::LogOutEndsLoginsBefore),
    (Fault::LogOutOfSeconds, Rule::LogOutEndsLoginsBefore),
    (Fault::LogOutLiesAhead, Rule::LoginAfterLogOutWorks),
    (Fault::FirstLogOutStays, Rule::LogOutOnlyRises),
    (Fault::LoginClearsLogOut, Rule::LoginKeepsLogOut),
    (Fault::LoginHidesLogOut, Rule::LoginKeepsLogOut),
    (Fault::LogOutOfTheIssuer, Rule::LogOutEndsOnePerson),
    (Fault::LogOutOfTheId, Rule::LogOutEndsOnePerson),
    (Fault::HandleKeepsWhatItLoaded, Rule::EveryHandleSeesLogOut),
    (Fault::ReadsAndThenWrites, Rule::LogOutsAtOnce),
    (Fault::WritesWithoutLooking, Rule::LogOutsAtOnce),
    (
        Fault::ReadsTheClockBeforeTheLock,
        Rule::LogOutEndsLoginsItFinds,
    ),
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

#[test]
fn there_is_a_wrong_store_for_each_rule() {
    let broken: HashSet<_> = FAULTS.iter().map(|(_, rule)| *rule).collect();
    let every: HashSet<_> = Rule::ALL.iter().copied().collect();
    assert_eq!(broken, every);
    let words: HashSet<_> = Rule::ALL.iter().map(ToString::to_string).collect();
    assert_eq!(words.len(), Rule::ALL.len(), "each in words of its own");
}

/// The time stands still until everybody waits, and then jumps to the limit.
#[tokio::test(start_paused = true)]
async fn a_store_that_hangs_is_given_up() {
    let broken = check(Fault::LogOutHangs).await.unwrap_err();
    assert_eq!(broken.rule(), Rule::Answers);
    assert!(broken.to_string().contains("within 60 seconds"), "{broken}");
}

#[tokio::test]
async fn a_message_says_the_rule_what_was_expected_what_was_seen_and_what_to_do() {
    let broken = check(Fault::FindsByIdOnly).await.unwrap_err();
    assert_eq!(
        broken.to_string(),
        "broken rule: the same id at two issuers is two people. Expected: another user than \
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
        Ok(Members {
            fault,
            handle: shared.handles.fetch_add(1, SeqCst),
            shared: Arc::clone(&shared),
            loaded: Mutex::default(),
        })
    };
    check_user_store(open).await
}

#[derive(Clone)]
struct Member {
    number: usize,
    subject: Subject,
    logged_out_at: Option<Timestamp>,
}

impl User for Member {
    fn id(&self) -> String {
        self.number.to_string()
    }

    fn logged_out_at(&self) -> Option<Timestamp> {
        self.logged_out_at
    }
}

/// A store that is right but for its fault.
struct Members {
    fault: Fault,
    handle: usize,
    shared: Arc<Shared>,
    /// What a handle keeps that should not.
    loaded: Mutex<HashMap<String, Member>>,
}

#[derive(Default)]
struct Shared {
    handles: AtomicUsize,
    logouts: AtomicUsize,
    members: Mutex<Vec<Member>>,
}

impl Members {
    fn is(&self, fault: Fault) -> bool {
        self.fault == fault
    }

    /// Whom this store takes somebody for.
    fn key(&self, subject: &Subject) -> Subject {
        let (issuer, id) = (subject.issuer(), subject.id());
        let cut = |length| id.chars().take(length).collect::<String>();
        match self.fault {
            Fault::FindsByIssuerOnly => Subject::new(issuer, ""),
            Fault::FindsByIdOnly => Subject::new("", id),
            Fault::OverlooksCase => Subject::new(issuer, id.to_lowercase()),
            Fault::CutsPeopleShort => Subject::new(issuer, cut(254)),
            Fault::CutsVeryLongPeople => Subject::new(issuer, cut(255)),
            _ => subject.clone(),
        }
    }

    fn position(&self, members: &[Member], subject: &Subject) -> Option<usize> {
        let key = self.key(subject);
        members.iter().position(|member| member.subject == key)
    }

    fn create(&self, members: &mut Vec<Member>, subject: &Subject) -> Member {
        let logged_out_at = self.is(Fault::NewUserIsLoggedOut).then(Timestamp::now);
        members.push(Member {
            number: members.len(),
            subject: self.key(subject),
            logged_out_at,
        });
        members[members.len() - 1].clone()
    }

    fn time(&self) -> Timestamp {
        let now = Timestamp::now().as_micros();
        Timestamp::from_micros(match self.fault {
            Fault::ClockOfMilliseconds => now / 1_000 * 1_000,
            Fault::ClockOfEachHandle => now + 1_000_000 * self.handle as i64,
            _ => now,
        })
    }

    /// What a logout at `now` writes.
    fn stamp(&self, now: Timestamp, previous: Option<Timestamp>) -> Option<Timestamp> {
        let micros = now.as_micros();
        match self.fault {
            Fault::LogOutIsForgotten => previous,
            Fault::LogOutOfSeconds => Some(Timestamp::from_micros(micros / 1_000_000)),
            Fault::LogOutLiesAhead => {
                Some(Timestamp::from_micros(micros + 1_000_000).raised_above(previous))
            }
            Fault::FirstLogOutStays => previous.or(Some(now)),
            Fault::WritesWithoutLooking => Some(now),
            _ => Some(now.raised_above(previous)),
        }
    }
}

#[async_trait]
impl UserStore for Members {
    type User = Member;

    async fn log_in(&self, profile: &Profile) -> Result<Option<Member>, BoxError> {
        let subject = &profile.subject;
        if self.is(Fault::TurnsStrangersAway) {
            return Ok(None);
        }
        if self.is(Fault::RefusesTheEmptyPerson) && subject.id().is_empty() {
            return Err("an id is not empty".into());
        }
        if self.is(Fault::FindsAndThenCreates) || self.is(Fault::UniqueIndexWithoutUpsert) {
            let found = self.position(&self.shared.members.lock().unwrap(), subject);
            for _ in 0..5 {
                yield_now().await;
            }
            let mut members = self.shared.members.lock().unwrap();
            let there = self.position(&members, subject);
            return match found {
                Some(found) => Ok(Some(members[found].clone())),
                None if there.is_some() && self.is(Fault::UniqueIndexWithoutUpsert) => {
                    Err("the index is unique".into())
                }
                None => Ok(Some(self.create(&mut members, subject))),
            };
        }
        let mut members = self.shared.members.lock().unwrap();
        let found = self.position(&members, subject);
        let Some(found) = found.filter(|_| !self.is(Fault::EachLoginMakesAUser)) else {
            return Ok(Some(self.create(&mut members, subject)));
        };
        if self.is(Fault::LoginClearsLogOut) {
            members[found].logged_out_at = None;
        }
        let mut member = members[found].clone();
        if self.is(Fault::LoginHidesLogOut) {
            member.logged_out_at = None;
        }
        Ok(Some(member))
    }

    async fn load(&self, id: &str) -> Result<Option<Member>, BoxError> {
        let id = match self.fault {
            Fault::LoadFails => return Err("the table is gone".into()),
            Fault::LoadReadsAnotherForm => id.strip_prefix("member ").unwrap_or_default(),
            Fault::UnknownIdIsAnError => &id.parse::<usize>()?.to_string(),
            Fault::ReadsTheNumberInFront => id.split(' ').next().unwrap_or_default(),
            Fault::CutsIdsAtNul => id.split('\0').next().unwrap_or_default(),
            _ => id,
        };
        let members = self.shared.members.lock().unwrap();
        let found = members.iter().find(|member| member.id() == id).cloned();
        if self.is(Fault::HandleKeepsWhatItLoaded)
            && let Some(found) = &found
        {
            let mut loaded = self.loaded.lock().unwrap();
            let kept = loaded.entry(id.to_owned()).or_insert_with(|| found.clone());
            return Ok(Some(kept.clone()));
        }
        Ok(found)
    }

    async fn log_out(&self, subject: &Subject) -> Result<bool, BoxError> {
        if self.is(Fault::LogOutHangs) {
            future::pending::<()>().await;
        }
        let too_early = self.time();
        let reads_too_early =
            self.is(Fault::ReadsTheClockBeforeTheLock) || self.is(Fault::WritesWithoutLooking);
        if reads_too_early {
            // As long as others may hold the lock: now longer, now shorter.
            for _ in 0..20 + self.shared.logouts.fetch_add(1, SeqCst) % 7 {
                yield_now().await;
            }
        }
        if self.is(Fault::ReadsAndThenWrites) {
            let read = {
                let members = self.shared.members.lock().unwrap();
                self.position(&members, subject)
                    .map(|found| (found, members[found].logged_out_at))
            };
            let Some((found, previous)) = read else {
                return Ok(false);
            };
            let stamp = self.stamp(too_early, previous);
            for _ in 0..self.shared.logouts.fetch_add(1, SeqCst) % 7 {
                yield_now().await;
            }
            self.shared.members.lock().unwrap()[found].logged_out_at = stamp;
            return Ok(true);
        }

        let mut members = self.shared.members.lock().unwrap();
        let Some(found) = self.position(&members, subject) else {
            if self.is(Fault::LogOutCreates) {
                self.create(&mut members, subject);
            }
            return Ok(self.is(Fault::LogOutOfNobodyIsTrue));
        };
        let now = if reads_too_early {
            too_early
        } else {
            self.time()
        };
        let stamp = self.stamp(now, members[found].logged_out_at);
        for member in members.iter_mut() {
            let same_issuer = member.subject.issuer() == self.key(subject).issuer();
            let same_id = member.subject.id() == self.key(subject).id();
            if (same_issuer || self.is(Fault::LogOutOfTheId))
                && (same_id || self.is(Fault::LogOutOfTheIssuer))
            {
                member.logged_out_at = stamp;
            }
        }
        self.loaded.lock().unwrap().clear();
        Ok(!self.is(Fault::LogOutIsNeverTrue))
    }

    async fn now(&self) -> Result<Timestamp, BoxError> {
        Ok(self.time())
    }
}
