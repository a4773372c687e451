//! A store with a fault: its people.

use std::{
    collections::{HashMap, HashSet},
    future,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
};

use async_trait::async_trait;
use axum_clef::{
    BoxError, LoginReference, Profile, ProviderSession, Standing, Subject, Timestamp, User,
    UserStore,
};
use tokio::task::yield_now;

use crate::{fault::Fault, locks::Locks};

#[derive(Clone)]
pub struct Member {
    number: usize,
    pub subject: Subject,
    pub logged_out_at: Option<Timestamp>,
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
pub struct Members {
    pub fault: Fault,
    pub handle: usize,
    pub shared: Arc<Shared>,
    /// What a handle keeps that should not.
    loaded: Mutex<HashMap<String, Member>>,
    pub seen_sessions: Mutex<HashMap<ProviderSession, Option<Timestamp>>>,
}

#[derive(Default)]
pub struct Shared {
    handles: AtomicUsize,
    pub logouts: AtomicUsize,
    pub members: Mutex<Vec<Member>>,
    pub sessions: Mutex<HashMap<ProviderSession, Timestamp>>,
    pub locks: Locks,
    /// Users whose making was begun and not ended.
    unfinished: Mutex<HashSet<usize>>,
}

impl Members {
    pub fn new(fault: Fault, shared: &Arc<Shared>) -> Self {
        Self {
            fault,
            handle: shared.handles.fetch_add(1, SeqCst),
            shared: Arc::clone(shared),
            loaded: Mutex::default(),
            seen_sessions: Mutex::default(),
        }
    }

    pub fn is(&self, fault: Fault) -> bool {
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

    pub fn time(&self) -> Timestamp {
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

    pub fn find(&self, id: &str) -> Result<Option<Member>, BoxError> {
        let id = match self.fault {
            Fault::LoadFails => return Err("the table is gone".into()),
            Fault::LoadReadsAnotherForm => id.strip_prefix("member ").unwrap_or_default(),
            Fault::UnknownIdIsAnError => &id.parse::<usize>()?.to_string(),
            Fault::ReadsTheNumberInFront => id.split(' ').next().unwrap_or_default(),
            Fault::CutsIdsAtNul => id.split('\0').next().unwrap_or_default(),
            _ => id,
        };
        let members = self.shared.members.lock().unwrap();
        let unfinished = self.shared.unfinished.lock().unwrap();
        let found = members.iter().find(|member| member.id() == id);
        let found = found.filter(|member| !unfinished.contains(&member.number));
        let found = found.cloned();
        if self.is(Fault::HandleKeepsWhatItLoaded)
            && let Some(found) = &found
        {
            let mut loaded = self.loaded.lock().unwrap();
            let kept = loaded.entry(id.to_owned()).or_insert_with(|| found.clone());
            return Ok(Some(kept.clone()));
        }
        Ok(found)
    }

    /// Makes the user of a new person unfinished, and finishes it.
    async fn log_in_in_two_steps(&self, subject: &Subject) {
        let number = {
            let mut members = self.shared.members.lock().unwrap();
            if self.position(&members, subject).is_some() {
                return;
            }
            let number = self.create(&mut members, subject).number;
            self.shared.unfinished.lock().unwrap().insert(number);
            number
        };
        yield_now().await;
        self.shared.unfinished.lock().unwrap().remove(&number);
    }
}

#[async_trait]
impl UserStore for Members {
    type User = Member;

    async fn log_in(&self, profile: &Profile) -> Result<Option<Member>, BoxError> {
        let subject = &profile.subject;
        let _lock = self.lock(&[Fault::LogInKeepsTheLock]).await;
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
        if self.is(Fault::LogInInTwoSteps) {
            self.log_in_in_two_steps(subject).await;
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
        let _lock = self.lock(&[Fault::LoadKeepsTheLock]).await;
        self.find(id)
    }

    async fn log_out(&self, subject: &Subject) -> Result<bool, BoxError> {
        if self.is(Fault::LogOutHangs) {
            future::pending::<()>().await;
        }
        let leaks = [Fault::LogOutKeepsTheLock, Fault::LogOutLosesAConnection];
        let _lock = self.lock(&leaks).await;
        let too_early = self.time();
        let reads_too_early =
            self.is(Fault::ReadsTheClockBeforeTheLock) || self.is(Fault::WritesWithoutLooking);
        if reads_too_early {
            // As long as others may hold the lock: now longer, now shorter.
            for _ in 0..20 + self.shared.logouts.fetch_add(1, SeqCst) % 7 {
                yield_now().await;
            }
        }
        if self.is(Fault::ReadsAndThenWrites) || self.is(Fault::LogOutInTwoSteps) {
            let read = {
                let members = self.shared.members.lock().unwrap();
                self.position(&members, subject)
                    .map(|found| (found, members[found].logged_out_at))
            };
            let Some((found, previous)) = read else {
                return Ok(false);
            };
            let stamp = self.stamp(too_early, previous);
            if self.is(Fault::LogOutInTwoSteps) {
                self.shared.members.lock().unwrap()[found].logged_out_at = None;
                yield_now().await;
            }
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
        drop(members);
        self.loaded.lock().unwrap().clear();
        if self.is(Fault::LogOutOfSessions) {
            self.end_sessions_of(subject.issuer());
        }
        Ok(!self.is(Fault::LogOutIsNeverTrue))
    }

    async fn now(&self) -> Result<Timestamp, BoxError> {
        let _lock = self.lock(&[Fault::NowKeepsTheLock]).await;
        Ok(self.time())
    }

    async fn standing(
        &self,
        login: LoginReference<'_>,
    ) -> Result<Option<Standing<Member>>, BoxError> {
        let _lock = self.lock(&[Fault::StandingKeepsTheLock]).await;
        self.stands(login)
    }

    async fn log_out_session(&self, session: &ProviderSession) -> Result<bool, BoxError> {
        let _lock = self.lock(&[Fault::SessionLogOutKeepsTheLock]).await;
        self.end_session(session).await
    }

    async fn session_logged_out_at(
        &self,
        session: &ProviderSession,
    ) -> Result<Option<Timestamp>, BoxError> {
        let _lock = self.lock(&[Fault::SessionLookKeepsTheLock]).await;
        self.session_ended_at(session)
    }
}
