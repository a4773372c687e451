//! A store with a fault: its users.

use std::{
    collections::{HashMap, HashSet},
    future,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
};

use axum_clef::{
    BoxError, IdentityStore, LoginCheck, LoginReference, LogoutCause, Profile, ProviderSession,
    RevocationKey, Subject, SubjectIdentifier, Timestamp, User, UserStore,
};
use tokio::task::yield_now;

use crate::{fault::Fault, locks::Locks, revocations::Revocation};

#[derive(Clone)]
pub struct Member {
    number: usize,
    pub subject: Subject,
    last_login_at: Option<Timestamp>,
    pub logged_out_at: Option<Timestamp>,
    pub logout_cause: LogoutCause,
}

impl User for Member {
    fn id(&self) -> String {
        format!("{}m", self.number)
    }

    fn logged_out_at(&self) -> Option<Timestamp> {
        self.logged_out_at
    }

    fn logout_cause(&self) -> LogoutCause {
        self.logout_cause.clone()
    }
}

/// A store that is right but for its fault.
pub struct Members {
    pub fault: Fault,
    pub handle: usize,
    pub shared: Arc<Shared>,
    /// What a handle keeps that should not.
    loaded: Mutex<HashMap<String, Member>>,
    pub seen_keys: Mutex<HashMap<RevocationKey, Option<Timestamp>>>,
}

#[derive(Default)]
pub struct Shared {
    handles: AtomicUsize,
    pub logouts: AtomicUsize,
    pub members: Mutex<Vec<Member>>,
    pub revocations: Mutex<HashMap<RevocationKey, Revocation>>,
    sessions: Mutex<HashMap<ProviderSession, String>>,
    /// The verified addresses, and whose they are.
    emails: Mutex<HashMap<String, Subject>>,
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
            seen_keys: Mutex::default(),
        }
    }

    pub fn is(&self, fault: Fault) -> bool {
        self.fault == fault
    }

    /// Which subject this store takes one for.
    fn key(&self, subject: &Subject) -> Subject {
        let (issuer, id) = (subject.issuer(), subject.id());
        let cut = |length| id.chars().take(length).collect::<String>();
        match self.fault {
            Fault::FindsByIssuerOnly => Subject::new(issuer, ""),
            Fault::FindsByIdOnly => Subject::new("", id),
            Fault::OverlooksCase => Subject::new(issuer, id.to_lowercase()),
            Fault::CutsSubjectsShort => Subject::new(issuer, cut(254)),
            Fault::CutsVeryLongSubjects => Subject::new(issuer, cut(255)),
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
            last_login_at: None,
            logged_out_at,
            logout_cause: LogoutCause::Unknown,
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
    fn stamp(&self, now: Timestamp, member: &Member) -> Option<Timestamp> {
        let previous = member.logged_out_at;
        let micros = now.as_micros();
        match self.fault {
            Fault::LogOutIsForgotten => previous,
            Fault::LogOutOfSeconds => Some(Timestamp::from_micros(micros / 1_000_000)),
            Fault::LogOutLiesAhead => {
                Some(Timestamp::from_micros(micros + 1_000_000).raised_above(previous))
            }
            Fault::FirstLogOutStays => previous.or(Some(now)),
            Fault::WritesWithoutLooking => Some(now),
            // The logins that it misses are those that it should find.
            Fault::ReadsTheClockBeforeTheLock => Some(now.raised_above(previous)),
            _ => Some(now.raised_above(previous.max(member.last_login_at))),
        }
    }

    /// The form in which this store reads an id.
    fn read<'a>(&self, id: &'a str) -> Result<&'a str, BoxError> {
        match self.fault {
            Fault::UnknownIdIsAnError => {
                id.trim_end_matches('m').parse::<usize>()?;
                Ok(id)
            }
            Fault::ReadsTheNumberInFront => Ok(id.split(' ').next().unwrap_or_default()),
            Fault::ReadsLeadingZeros => Ok(id.trim_start_matches('0')),
            Fault::TrimsIds => Ok(id.trim()),
            Fault::CutsIdsAtNul => Ok(id.split('\0').next().unwrap_or_default()),
            _ => Ok(id),
        }
    }

    pub fn find(&self, id: &str) -> Result<Option<Member>, BoxError> {
        let id = match self.fault {
            Fault::LoadFails => return Err("the table is gone".into()),
            Fault::LoadReadsAnotherForm => id.strip_prefix("member ").unwrap_or_default(),
            _ => self.read(id)?,
        };
        let members = self.shared.members.lock().unwrap();
        let unfinished = self.shared.unfinished.lock().unwrap();
        let is_id = |member: &&Member| match self.fault {
            Fault::ComparesWithoutCase => member.id().eq_ignore_ascii_case(id),
            _ => member.id() == id,
        };
        let found = members.iter().find(is_id);
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

    /// Makes the user of a new subject unfinished, and finishes it.
    async fn create_in_two_steps(&self, subject: &Subject) {
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

    /// Keeps the cause of the logout of this member.
    fn keep_cause(&self, id: Option<&str>, cause: &LogoutCause) {
        for member in self.shared.members.lock().unwrap().iter_mut() {
            let is_first = member.logout_cause == LogoutCause::Unknown;
            let is_meant = id == Some(&member.id()) || self.is(Fault::CauseOfAllUsers);
            if is_meant && (is_first || !self.is(Fault::FirstCauseStays)) {
                member.logout_cause = cause.clone();
            }
        }
    }

    /// A logout by id, and its cause unless that of an earlier one stays.
    async fn end_logins(&self, id: &str, cause: Option<&LogoutCause>) -> Result<bool, BoxError> {
        if self.is(Fault::LogOutHangs) {
            future::pending::<()>().await;
        }
        let leaks = [Fault::LogOutKeepsTheLock, Fault::LogOutLosesAConnection];
        let _lock = self.lock(&leaks).await;
        let id = self.read(id)?;
        let find = |members: &[Member]| members.iter().position(|member| member.id() == id);
        let found = self.log_out_at(find).await;
        cause
            .iter()
            .for_each(|cause| self.keep_cause(found.as_deref(), cause));
        if self.is(Fault::LogOutOfKeys) {
            self.revoke_all();
        }
        match found {
            Some(_) => Ok(!self.is(Fault::LogOutIsNeverTrue)),
            None => Ok(self.is(Fault::LogOutOfUnknownIdIsTrue)),
        }
    }

    /// A logout of the member at this place, and of those that the fault takes along.
    async fn log_out_at(&self, find: impl Fn(&[Member]) -> Option<usize>) -> Option<String> {
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
            let (found, member) = {
                let members = self.shared.members.lock().unwrap();
                let found = find(&members)?;
                (found, members[found].clone())
            };
            let stamp = self.stamp(too_early, &member);
            if self.is(Fault::LogOutInTwoSteps) {
                self.shared.members.lock().unwrap()[found].logged_out_at = None;
                yield_now().await;
            }
            for _ in 0..self.shared.logouts.fetch_add(1, SeqCst) % 7 {
                yield_now().await;
            }
            self.shared.members.lock().unwrap()[found].logged_out_at = stamp;
            return Some(member.id());
        }

        let mut members = self.shared.members.lock().unwrap();
        let found = find(&members)?;
        let now = if reads_too_early {
            too_early
        } else {
            self.time()
        };
        let member = members[found].clone();
        let stamp = self.stamp(now, &member);
        for other in members.iter_mut() {
            let ends = match self.fault {
                Fault::LogOutOfAllUsers => true,
                Fault::LogOutOfTheIssuer => other.subject.issuer() == member.subject.issuer(),
                Fault::LogOutOfTheId => other.subject.id() == member.subject.id(),
                _ => false,
            };
            if ends || other.number == member.number {
                other.logged_out_at = stamp;
            }
        }
        drop(members);
        self.loaded.lock().unwrap().clear();
        Some(member.id())
    }
}

impl UserStore for Members {
    type User = Member;

    async fn load(&self, id: &str) -> Result<Option<Member>, BoxError> {
        let _lock = self.lock(&[Fault::LoadKeepsTheLock]).await;
        self.find(id)
    }

    async fn log_in(&self, id: &str) -> Result<Option<Member>, BoxError> {
        let _lock = self.lock(&[Fault::LogInKeepsTheLock]).await;
        let id = self.read(id)?;
        let mut members = self.shared.members.lock().unwrap();
        let mut found = members.iter().position(|member| member.id() == id);
        match self.fault {
            Fault::TurnsLoginsAway => found = None,
            Fault::LogInFindsTheFirst => found = found.map(|_| 0),
            _ => {}
        }
        let Some(found) = found else {
            return Ok(None);
        };
        let member = &mut members[found];
        member.last_login_at = member.last_login_at.max(Some(self.time()));
        if self.is(Fault::LoginClearsLogOut) {
            member.logged_out_at = None;
        }
        let mut member = member.clone();
        if self.is(Fault::LoginHidesCause) {
            member.logout_cause = LogoutCause::Unknown;
        }
        if self.is(Fault::LoginHidesLogOut) {
            member.logged_out_at = None;
        }
        Ok(Some(member))
    }

    async fn log_out(&self, id: &str) -> Result<bool, BoxError> {
        match self.is(Fault::LogOutLeavesTheCause) {
            true => self.end_logins(id, None).await,
            false => self.end_logins(id, Some(&LogoutCause::Unknown)).await,
        }
    }

    async fn log_out_with_cause(&self, id: &str, cause: &LogoutCause) -> Result<bool, BoxError> {
        self.end_logins(id, Some(cause)).await
    }

    fn keeps_one_login(&self) -> bool {
        let not_here = self.is(Fault::OneHandleKeepsOneLogin) && self.handle != 0;
        !self.is(Fault::KeepsOneLoginAfterAll) && !not_here
    }

    async fn log_out_others(
        &self,
        id: &str,
        stamp: Timestamp,
    ) -> Result<Option<Timestamp>, BoxError> {
        let cause = LogoutCause::Unknown;
        self.log_out_others_with_cause(id, stamp, &cause).await
    }

    async fn log_out_others_with_cause(
        &self,
        id: &str,
        stamp: Timestamp,
        cause: &LogoutCause,
    ) -> Result<Option<Timestamp>, BoxError> {
        let _lock = self.lock(&[Fault::LogOutOthersKeepsTheLock]).await;
        let id = self.read(id)?;
        let stays = |member: &Member| {
            self.is(Fault::LogOutOthersOverlooksTheStamp) || stamp.outlives(member.logged_out_at)
        };
        let find = |members: &[Member]| {
            let mut members = members.iter();
            members.position(|member| member.id() == id && stays(member))
        };
        if self.is(Fault::ComparesAndThenLogsOutOthers) {
            if find(&self.shared.members.lock().unwrap()).is_none() {
                return Ok(None);
            }
            for _ in 0..5 {
                yield_now().await;
            }
        }
        let mut members = self.shared.members.lock().unwrap();
        let found = match self.is(Fault::ComparesAndThenLogsOutOthers) {
            true => members.iter().position(|member| member.id() == id),
            false => find(&members),
        };
        let Some(member) = found.map(|found| &mut members[found]) else {
            return Ok(None);
        };
        let previous = member.logged_out_at.max(member.last_login_at);
        let logged_out_at = self.time().raised_above(previous);
        let kept_at = Timestamp::from_micros(logged_out_at.as_micros() + 1);
        if self.is(Fault::LogOutOthersIsForgotten) {
            return Ok(Some(logged_out_at));
        }
        member.logged_out_at = Some(logged_out_at);
        member.last_login_at = Some(kept_at);
        if !self.is(Fault::LogOutOthersForgetsTheCause) {
            member.logout_cause = cause.clone();
        }
        match self.is(Fault::LogOutOthersReturnsTheLogin) {
            true => Ok(Some(kept_at)),
            false => Ok(Some(logged_out_at)),
        }
    }

    async fn now(&self) -> Result<Timestamp, BoxError> {
        let _lock = self.lock(&[Fault::NowKeepsTheLock]).await;
        Ok(self.time())
    }

    async fn check_login(
        &self,
        login: LoginReference<'_>,
    ) -> Result<Option<LoginCheck<Member>>, BoxError> {
        let _lock = self.lock(&[Fault::CheckLoginKeepsTheLock]).await;
        self.check(login)
    }

    fn keeps_revocations(&self) -> bool {
        self.revokes() && !self.is(Fault::KeepsRevocationsAfterAll)
    }

    async fn revoke(&self, keys: &[RevocationKey], keep_until: Timestamp) -> Result<(), BoxError> {
        let _lock = self.lock(&[Fault::RevokeKeepsTheLock]).await;
        self.revoke_keys(keys, keep_until).await
    }

    async fn revoked_at(&self, key: &RevocationKey) -> Result<Option<Timestamp>, BoxError> {
        let _lock = self.lock(&[Fault::RevokedAtKeepsTheLock]).await;
        Ok(self.stamp_of(key))
    }
}

impl IdentityStore for Members {
    async fn find_or_create(&self, profile: &Profile) -> Result<Option<Member>, BoxError> {
        let subject = &profile.subject;
        let _lock = self.lock(&[Fault::FindOrCreateKeepsTheLock]).await;
        if let Some(email) = &profile.email {
            let verified = self.is(Fault::FindsByUnverifiedEmail);
            let mut emails = self.shared.emails.lock().unwrap();
            match verified || profile.email_verified == Some(true) {
                true => emails.insert(email.clone(), subject.clone()),
                false => emails.remove(email),
            };
        }
        if self.is(Fault::TurnsNewUsersAway) {
            return Ok(None);
        }
        if self.is(Fault::RefusesTheEmptySubject) && subject.id().is_empty() {
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
        if self.is(Fault::FindInTwoSteps) {
            self.create_in_two_steps(subject).await;
        }
        let mut members = self.shared.members.lock().unwrap();
        let found = self.position(&members, subject);
        let Some(found) = found.filter(|_| !self.is(Fault::EachLoginMakesAUser)) else {
            return Ok(Some(self.create(&mut members, subject)));
        };
        let mut member = members[found].clone();
        if self.is(Fault::FindHidesLogOut) {
            member.logged_out_at = None;
        }
        Ok(Some(member))
    }

    async fn log_out_subject(&self, subject: &Subject) -> Result<Vec<String>, BoxError> {
        let cause = LogoutCause::Unknown;
        self.log_out_subject_with_cause(subject, &cause).await
    }

    async fn log_out_subject_with_cause(
        &self,
        subject: &Subject,
        cause: &LogoutCause,
    ) -> Result<Vec<String>, BoxError> {
        let _lock = self.lock(&[Fault::LogOutSubjectKeepsTheLock]).await;
        let found = self.log_out_at(|members| self.position(members, subject));
        let found = found.await;
        if !self.is(Fault::SubjectLogOutForgetsTheCause) {
            self.keep_cause(found.as_deref(), cause);
        }
        match self.fault {
            Fault::SubjectLogOutCreates if found.is_none() => {
                self.create(&mut self.shared.members.lock().unwrap(), subject);
            }
            Fault::SubjectLogOutReturnsNothing => return Ok(Vec::new()),
            Fault::SubjectLogOutReturnsUnknownUser if found.is_none() => {
                return Ok(vec!["0m".to_owned()]);
            }
            Fault::SubjectLogOutRevokesTheKey => {
                let keys = [RevocationKey::Subject(subject.clone())];
                self.revoke_keys(&keys, self.time()).await?;
            }
            _ => {}
        }
        Ok(found.into_iter().collect())
    }

    fn notes_sessions(&self) -> bool {
        true
    }

    async fn note_session(
        &self,
        session: &ProviderSession,
        user_id: &str,
        _: Timestamp,
    ) -> Result<(), BoxError> {
        let mut sessions = self.shared.sessions.lock().unwrap();
        let noted = sessions.entry(self.session_key(session));
        if self.is(Fault::SessionKeepsItsFirstUser) {
            noted.or_insert_with(|| user_id.to_owned());
        } else if !self.is(Fault::ForgetsSessions) {
            noted.insert_entry(user_id.to_owned());
        }
        Ok(())
    }

    async fn session_user(&self, session: &ProviderSession) -> Result<Option<String>, BoxError> {
        let sessions = self.shared.sessions.lock().unwrap();
        Ok(sessions.get(&self.session_key(session)).cloned())
    }

    fn knows_identifiers(&self) -> bool {
        true
    }

    async fn users_of(
        &self,
        _: &str,
        identifier: &SubjectIdentifier,
    ) -> Result<Vec<String>, BoxError> {
        let SubjectIdentifier::Email(email) = identifier else {
            return Ok(Vec::new());
        };
        let emails = self.shared.emails.lock().unwrap();
        let members = self.shared.members.lock().unwrap();
        let found = match emails.get(email) {
            Some(_) if self.is(Fault::EveryEmailIsOfAllUsers) => {
                return Ok(members.iter().map(Member::id).collect());
            }
            None if self.is(Fault::UnknownEmailIsOfTheFirst) => Some(0),
            found => found.and_then(|subject| self.position(&members, subject)),
        };
        let found = found.and_then(|found| members.get(found));
        Ok(found.map(Member::id).into_iter().collect())
    }
}

impl Members {
    fn session_key(&self, session: &ProviderSession) -> ProviderSession {
        match self.is(Fault::FindsSessionsByIdOnly) {
            true => ProviderSession::new("", session.id()),
            false => session.clone(),
        }
    }
}
