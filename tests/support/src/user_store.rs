use std::{
    ops::Deref,
    sync::{Arc, Mutex, atomic::Ordering::SeqCst},
};

use axum_clef::{
    BoxError, IdentityStore, LinkOutcome, LoginCheck, LoginReference, LogoutCause, Profile,
    ProviderSession, RevocationKey, Subject, SubjectIdentifier, Timestamp, UserStore,
    stores::{Account, MemoryUserStore},
};

use crate::{
    About, AnyUsers, Call, Hook, Pause,
    hook::{Count, Done, Flag, StoreError, Work},
};

/// A user store with a hook around each call. The fields of the hook are those of the store.
#[derive(Clone)]
pub struct HookedUsers<H> {
    /// The store that does the work.
    pub inner: Arc<dyn AnyUsers>,
    /// What a test does around each call.
    pub hook: H,
}

impl<H> HookedUsers<H> {
    /// This store with this hook.
    pub fn with(inner: impl IdentityStore<User = Account>, hook: H) -> Self {
        let inner = Arc::new(inner);
        Self { inner, hook }
    }
}

impl<H: Default> HookedUsers<H> {
    /// This store with the hook that does nothing yet.
    pub fn new(inner: impl IdentityStore<User = Account>) -> Self {
        Self::with(inner, H::default())
    }
}

impl<H: Default> Default for HookedUsers<H> {
    fn default() -> Self {
        Self::new(MemoryUserStore::new())
    }
}

impl<H> Deref for HookedUsers<H> {
    type Target = H;

    fn deref(&self) -> &H {
        &self.hook
    }
}

impl<H: Hook> HookedUsers<H> {
    async fn call<T: Send>(
        &self,
        call: Call,
        about: About<'_>,
        work: impl Future<Output = Result<T, BoxError>> + Send,
    ) -> Result<T, BoxError> {
        let work = async { work.await.map_err(StoreError::Users) };
        Ok(self.around(call, about, work).await?)
    }
}

impl<H: Hook> UserStore for HookedUsers<H> {
    type User = Account;

    async fn load(&self, id: &str) -> Result<Option<Account>, BoxError> {
        let work = self.inner.load(id);
        self.call(Call::LoadUser, About::User(id), work).await
    }

    async fn log_in(&self, id: &str) -> Result<Option<Account>, BoxError> {
        let work = self.inner.log_in(id);
        let user = self.call(Call::LogIn, About::User(id), work).await?;
        user.iter()
            .for_each(|user| self.returned(Call::LogIn, user));
        Ok(user)
    }

    async fn log_out(&self, id: &str) -> Result<bool, BoxError> {
        UserStore::log_out_with_cause(self, id, &LogoutCause::Unknown).await
    }

    async fn log_out_with_cause(&self, id: &str, cause: &LogoutCause) -> Result<bool, BoxError> {
        let work = self.inner.log_out_with_cause(id, cause);
        self.call(Call::LogOut, About::User(id), work).await
    }

    fn keeps_one_login(&self) -> bool {
        self.inner.keeps_one_login()
    }

    async fn log_out_others(
        &self,
        id: &str,
        stamp: Timestamp,
    ) -> Result<Option<Timestamp>, BoxError> {
        let cause = LogoutCause::Unknown;
        UserStore::log_out_others_with_cause(self, id, stamp, &cause).await
    }

    async fn log_out_others_with_cause(
        &self,
        id: &str,
        stamp: Timestamp,
        cause: &LogoutCause,
    ) -> Result<Option<Timestamp>, BoxError> {
        let work = self.inner.log_out_others_with_cause(id, stamp, cause);
        self.call(Call::LogOutOthers, About::User(id), work).await
    }

    async fn now(&self) -> Result<Timestamp, BoxError> {
        let work = self.inner.now();
        self.call(Call::Now, About::Nothing, work).await
    }

    async fn check_login(
        &self,
        login: LoginReference<'_>,
    ) -> Result<Option<LoginCheck<Account>>, BoxError> {
        let about = About::User(login.user_id);
        let work = async {
            match self.denies(Call::CheckLogin) {
                true => Ok(None),
                false => self.inner.check_login(login).await,
            }
        };
        self.call(Call::CheckLogin, about, work).await
    }

    fn keeps_revocations(&self) -> bool {
        self.hook.keeps_revocations(self.inner.keeps_revocations())
    }

    async fn revoke(&self, keys: &[RevocationKey], keep_until: Timestamp) -> Result<(), BoxError> {
        let work = self.inner.revoke(keys, keep_until);
        let about = About::Keys(keys, keep_until);
        self.call(Call::Revoke, about, work).await
    }

    async fn revoked_at(&self, key: &RevocationKey) -> Result<Option<Timestamp>, BoxError> {
        let work = self.inner.revoked_at(key);
        self.call(Call::RevokedAt, About::Nothing, work).await
    }
}

impl<H: Hook> IdentityStore for HookedUsers<H> {
    async fn find_or_create(&self, profile: &Profile) -> Result<Option<Account>, BoxError> {
        let mut known = profile.clone();
        known.subject = self.subject(&profile.subject);
        let work = async {
            match self.denies(Call::FindOrCreate) {
                true => Ok(None),
                false => self.inner.find_or_create(&known).await,
            }
        };
        let about = About::Profile(profile);
        let user = self.call(Call::FindOrCreate, about, work).await?;
        user.iter()
            .for_each(|user| self.returned(Call::FindOrCreate, user));
        Ok(user)
    }

    async fn log_out_subject(&self, subject: &Subject) -> Result<Vec<String>, BoxError> {
        let cause = LogoutCause::Unknown;
        IdentityStore::log_out_subject_with_cause(self, subject, &cause).await
    }

    async fn log_out_subject_with_cause(
        &self,
        subject: &Subject,
        cause: &LogoutCause,
    ) -> Result<Vec<String>, BoxError> {
        let known = self.subject(subject);
        let work = self.inner.log_out_subject_with_cause(&known, cause);
        let about = About::Subject(subject);
        self.call(Call::LogOutSubject, about, work).await
    }

    fn knows_identifiers(&self) -> bool {
        self.inner.knows_identifiers()
    }

    async fn users_of(
        &self,
        issuer: &str,
        identifier: &SubjectIdentifier,
    ) -> Result<Vec<String>, BoxError> {
        let work = self.inner.users_of(issuer, identifier);
        self.call(Call::UsersOf, About::Nothing, work).await
    }

    fn notes_sessions(&self) -> bool {
        self.inner.notes_sessions()
    }

    async fn note_session(
        &self,
        session: &ProviderSession,
        user_id: &str,
        keep_until: Timestamp,
    ) -> Result<(), BoxError> {
        self.inner.note_session(session, user_id, keep_until).await
    }

    async fn session_user(&self, session: &ProviderSession) -> Result<Option<String>, BoxError> {
        self.inner.session_user(session).await
    }

    async fn link(&self, user_id: &str, profile: &Profile) -> Result<LinkOutcome, BoxError> {
        let work = self.inner.link(user_id, profile);
        self.call(Call::Link, About::User(user_id), work).await
    }
}

/// A user store that counts its calls, fails on demand, and waits where a test holds it.
pub type TestUsers = HookedUsers<UserFlags>;

/// The counters and switches of [`TestUsers`].
#[derive(Clone, Default)]
#[allow(missing_docs)] // Their names say it.
pub struct UserFlags {
    /// Calls of any kind.
    pub calls: Count,
    pub checks: Count,
    /// Calls of `log_in` that were answered.
    pub log_ins: Count,
    /// Logouts of users and subjects, by attempts.
    pub log_outs: Count,
    pub failing: Flag,
    /// The store never answers.
    pub hanging: Flag,
    pub log_out_fails: Flag,
    pub log_out_panics: Flag,
    pub revoke_fails: Flag,
    /// The store keeps no revocations.
    pub no_revocations: Flag,
    pub clock_failing: Flag,
    /// `find_or_create` returns no user.
    pub turning_away: Flag,
    pub last_profile: Arc<Mutex<Option<Profile>>>,
    /// Where `find_or_create` waits before it does anything.
    pub before_find: Pause,
    /// Where a logout waits before it is written.
    pub before_log_out: Pause,
    /// Where a logout waits after it is written.
    pub after_log_out: Pause,
    /// Where `revoke` waits before it does anything.
    pub before_revoke: Pause,
}

impl UserFlags {
    /// The store accepts no logouts.
    pub fn fail_logouts(&self, fail: bool) {
        self.log_out_fails.store(fail, SeqCst);
        self.revoke_fails.store(fail, SeqCst);
    }

    /// The last profile that was found or created.
    pub fn last_profile(&self) -> Profile {
        self.last_profile.lock().unwrap().clone().unwrap()
    }
}

impl Hook for UserFlags {
    async fn around<T: Send>(&self, call: Call, about: About<'_>, work: impl Work<T>) -> Done<T> {
        if let About::Profile(profile) = about {
            *self.last_profile.lock().unwrap() = Some(profile.clone());
        }
        let logs_out = matches!(
            call,
            Call::LogOut | Call::LogOutSubject | Call::LogOutOthers
        );
        if logs_out {
            self.log_outs.fetch_add(1, SeqCst);
            assert!(!self.log_out_panics.load(SeqCst), "the user store panics");
        }
        if call == Call::CheckLogin {
            self.checks.fetch_add(1, SeqCst);
        }
        self.calls.fetch_add(1, SeqCst);
        if self.hanging.load(SeqCst) {
            std::future::pending::<()>().await;
        }
        let (broken, pause) = match call {
            Call::CheckLogin | Call::Now => (Some(&self.clock_failing), None),
            Call::LogOut | Call::LogOutSubject | Call::LogOutOthers => {
                (Some(&self.log_out_fails), Some(&self.before_log_out))
            }
            Call::Revoke => (Some(&self.revoke_fails), Some(&self.before_revoke)),
            Call::FindOrCreate => (None, Some(&self.before_find)),
            _ => (None, None),
        };
        if self.failing.load(SeqCst) || broken.is_some_and(|broken| broken.load(SeqCst)) {
            return Err(StoreError::down("the user store fails"));
        }
        if let Some(pause) = pause {
            pause.here().await;
        }
        let answer = work.await;
        if call == Call::LogIn {
            self.log_ins.fetch_add(1, SeqCst);
        }
        if logs_out {
            self.after_log_out.here().await;
        }
        answer
    }

    fn denies(&self, call: Call) -> bool {
        call == Call::FindOrCreate && self.turning_away.load(SeqCst)
    }

    fn keeps_revocations(&self, inner: bool) -> bool {
        inner && !self.no_revocations.load(SeqCst)
    }
}
