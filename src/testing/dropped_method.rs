//! The methods whose calls are dropped.

use std::future::Future;

use super::{
    BrokenRule,
    answers::Answers,
    handle::Handle,
    log_out::written,
    made_up::{fresh_session, fresh_subject},
    target::KeyTarget,
};
use crate::{
    IdentityStore, LoginId, LoginReference, RevocationKey, Subject, Timestamp, User as _, UserStore,
};

/// A method whose calls are dropped.
pub(super) trait DroppedMethod<S: UserStore>: Send + Sync + 'static {
    /// What one call is about.
    type Target: Send + Sync;

    fn name(&self) -> &'static str;

    fn target(&self) -> Self::Target;

    fn call(
        &self,
        handle: &Handle<S>,
        target: &Self::Target,
    ) -> impl Future<Output = Result<(), BrokenRule>> + Send;

    /// Checks what a call has left that was dropped.
    fn check(
        &self,
        answers: &Answers,
        handle: &Handle<S>,
        other: &Handle<S>,
        target: &Self::Target,
    ) -> impl Future<Output = Result<(), BrokenRule>> + Send;
}

/// A method of [`UserStore`].
pub(super) struct UserMethod {
    kind: UserMethodKind,
    user_id: String,
    keep_until: Timestamp,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum UserMethodKind {
    LogIn,
    Load,
    LogOut,
    Now,
    CheckLogin,
    Revoke,
    RevokedAt,
}

impl UserMethod {
    /// All methods, called about this user.
    pub(super) async fn all<S: UserStore>(
        store: &Handle<S>,
        user_id: &str,
        keeps_revocations: bool,
    ) -> Result<Vec<Self>, BrokenRule> {
        use UserMethodKind::{CheckLogin, Load, LogIn, LogOut, Now, Revoke, RevokedAt};

        let keep_until = KeyTarget::new(store).await?.keep_until;
        let kinds = [LogIn, Load, LogOut, Now, CheckLogin, Revoke, RevokedAt];
        let kinds = kinds.into_iter();
        let methods = kinds
            .filter(|kind| keeps_revocations || !matches!(kind, Revoke | RevokedAt))
            .map(|kind| Self {
                kind,
                user_id: user_id.to_owned(),
                keep_until,
            });
        Ok(methods.collect())
    }
}

impl<S: UserStore> DroppedMethod<S> for UserMethod {
    type Target = [RevocationKey; 2];

    fn name(&self) -> &'static str {
        match self.kind {
            UserMethodKind::LogIn => "log_in",
            UserMethodKind::Load => "load",
            UserMethodKind::LogOut => "log_out",
            UserMethodKind::Now => "now",
            UserMethodKind::CheckLogin => "check_login",
            UserMethodKind::Revoke => "revoke",
            UserMethodKind::RevokedAt => "revoked_at",
        }
    }

    fn target(&self) -> [RevocationKey; 2] {
        [
            RevocationKey::Login(LoginId::random()),
            RevocationKey::Session(fresh_session()),
        ]
    }

    async fn call(&self, handle: &Handle<S>, keys: &[RevocationKey; 2]) -> Result<(), BrokenRule> {
        match self.kind {
            UserMethodKind::LogIn => handle.log_in(&self.user_id).await.map(drop),
            UserMethodKind::Load => handle.load(&self.user_id).await.map(drop),
            UserMethodKind::LogOut => handle.log_out(&self.user_id).await.map(drop),
            UserMethodKind::Now => handle.now().await.map(drop),
            UserMethodKind::CheckLogin => {
                let login = LoginReference::new(&self.user_id)
                    .with_id(LoginId::random())
                    .with_provider_key(keys[1].provider_key());
                handle.check_login(login).await.map(drop)
            }
            UserMethodKind::Revoke => handle.revoke(keys, self.keep_until).await,
            UserMethodKind::RevokedAt => handle.revoked_at(&keys[1]).await.map(drop),
        }
    }

    /// A call that was dropped may still write, so the first key is read again where the second is
    /// there.
    async fn check(
        &self,
        answers: &Answers,
        handle: &Handle<S>,
        other: &Handle<S>,
        keys: &[RevocationKey; 2],
    ) -> Result<(), BrokenRule> {
        if self.kind != UserMethodKind::Revoke {
            return Ok(());
        }
        let mut first = answers.answer(handle.revoked_at(&keys[0])).await?;
        let second = answers.answer(other.revoked_at(&keys[1])).await?;
        if second.is_some() {
            first = answers.answer(handle.revoked_at(&keys[0])).await?;
        }
        if first.is_some() == second.is_some() {
            return Ok(());
        }
        Err(answers.half_done("all keys of a call to be revoked, or none", "one of two"))
    }
}

/// A method of [`IdentityStore`].
pub(super) struct IdentityMethod {
    kind: IdentityMethodKind,
    subject: Subject,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum IdentityMethodKind {
    Create,
    Find,
    LogOutSubject,
}

impl IdentityMethod {
    /// All methods, called about this subject.
    pub(super) fn all(subject: &Subject) -> Vec<Self> {
        use IdentityMethodKind::{Create, Find, LogOutSubject};

        let kinds = [Create, Find, LogOutSubject].into_iter();
        let methods = kinds.map(|kind| Self {
            kind,
            subject: subject.clone(),
        });
        methods.collect()
    }
}

impl<S: IdentityStore> DroppedMethod<S> for IdentityMethod {
    type Target = Subject;

    fn name(&self) -> &'static str {
        match self.kind {
            IdentityMethodKind::Create | IdentityMethodKind::Find => "find_or_create",
            IdentityMethodKind::LogOutSubject => "log_out_subject",
        }
    }

    fn target(&self) -> Subject {
        match self.kind {
            IdentityMethodKind::Create => fresh_subject(),
            _ => self.subject.clone(),
        }
    }

    async fn call(&self, handle: &Handle<S>, subject: &Subject) -> Result<(), BrokenRule> {
        match self.kind {
            IdentityMethodKind::LogOutSubject => handle.log_out_subject(subject).await.map(drop),
            _ => handle.find_or_create(subject).await.map(drop),
        }
    }

    /// A subject whose first login was dropped stands for one user, who is there and new.
    async fn check(
        &self,
        answers: &Answers,
        handle: &Handle<S>,
        other: &Handle<S>,
        subject: &Subject,
    ) -> Result<(), BrokenRule> {
        if self.kind != IdentityMethodKind::Create {
            return Ok(());
        }
        let user = answers.answer(handle.find_or_create(subject)).await?;
        let id = user.id();
        let again = answers.answer(other.find_or_create(subject)).await?.id();
        if again != id {
            let expected = format!("the user {id:?} at each login");
            return Err(answers.half_done(&expected, format!("the user {again:?}")));
        }
        let loaded = answers.answer(other.load(&id)).await?;
        let stamp = loaded.map(|user| (user.id(), user.logged_out_at()));
        if stamp != Some((id.clone(), None)) || user.logged_out_at().is_some() {
            let expected = format!("`load` to find the user {id:?}, who was never logged out");
            let seen = stamp.map_or("`Ok(None)`".to_owned(), |(_, stamp)| written(stamp));
            return Err(answers.half_done(&expected, seen));
        }
        Ok(())
    }
}
