//! What a logout ends: the same checks are made of a user, a subject and a key.

use std::{
    slice,
    sync::atomic::{AtomicI64, Ordering},
};

use super::{
    handle::Handle,
    rule::{Result, Rule},
    samples::random_session,
};
use crate::{RevocationKey, Subject, Timestamp};

/// What a logout ends, and whose stamp it raises.
#[derive(Clone)]
pub(super) enum Target {
    /// A user, logged out by id.
    User(String),
    /// The user of a subject, logged out by the subject.
    Subject { subject: Subject, user_id: String },
    /// A key that is revoked.
    Key {
        key: RevocationKey,
        keep_until: Timestamp,
    },
}

impl Target {
    /// A new session at a provider.
    pub(super) async fn new_key(store: &Handle) -> Result<Self> {
        Ok(Self::Key {
            key: RevocationKey::Session(random_session()),
            keep_until: store.keep_until().await?,
        })
    }

    /// Whether the store has found it.
    pub(super) async fn log_out(&self, store: &Handle) -> Result<bool> {
        match self {
            Self::User(id) => store.log_out(id).await,
            Self::Subject { subject, user_id } => {
                Ok(store.log_out_subject(subject).await?.contains(user_id))
            }
            Self::Key { key, keep_until } => {
                store.revoke(slice::from_ref(key), *keep_until).await?;
                Ok(true)
            }
        }
    }

    pub(super) async fn stamp(&self, store: &Handle) -> Result<Option<Timestamp>> {
        match self {
            Self::User(id) | Self::Subject { user_id: id, .. } => store.logged_out_at(id).await,
            Self::Key { key, .. } => store.revoked_at(key).await,
        }
    }

    /// The stamp, as a message names it.
    pub(super) fn stamp_name(&self) -> &'static str {
        match self {
            Self::User(_) => "`logged_out_at`",
            Self::Subject { .. } => "`logged_out_at` after `log_out_subject`",
            Self::Key { .. } => "`revoked_at`",
        }
    }

    /// A stamp as a message shows it.
    pub(super) fn described(&self, stamp: Option<Timestamp>) -> String {
        let name = self.stamp_name();
        match stamp {
            Some(at) => format!("{name} at {at:?}"),
            None => format!("no {name}"),
        }
    }

    /// This rule for logouts, or the same rule for revocations.
    pub(super) fn rule(&self, rule: Rule) -> Rule {
        if !matches!(self, Self::Key { .. }) {
            return rule;
        }
        match rule {
            Rule::LogOutEndsLoginsBefore => Rule::RevocationEndsLoginsBefore,
            Rule::LoginAfterLogOutWorks => Rule::LoginAfterRevocationWorks,
            Rule::LogOutOnlyRises => Rule::RevocationOnlyRises,
            Rule::EveryHandleSeesLogOut => Rule::EveryHandleSeesRevocation,
            Rule::LogOutsAtOnce => Rule::RevocationsAtOnce,
            rule => rule,
        }
    }
}

/// The stamp of a target, which must never fall, and the highest value that any task has read.
pub(super) struct RisingStamp {
    pub(super) target: Target,
    /// The rule that a stamp breaks which falls.
    rule: Rule,
    highest: AtomicI64,
}

impl RisingStamp {
    /// Logs out once, so that there is a stamp.
    pub(super) async fn new(handle: &Handle, target: Target, rule: Rule) -> Result<Self> {
        target.log_out(handle).await?;
        let stamp = Self {
            target,
            rule,
            highest: AtomicI64::new(i64::MIN),
        };
        stamp.read(handle).await?;
        Ok(stamp)
    }

    /// Reads the stamp, which must not be below what any task had read before.
    pub(super) async fn read(&self, handle: &Handle) -> Result<Timestamp> {
        let highest = self.highest();
        match self.target.stamp(handle).await? {
            Some(stamp) if stamp >= highest => {
                self.highest.fetch_max(stamp.as_micros(), Ordering::AcqRel);
                Ok(stamp)
            }
            fallen => Err(self.rule.broken(
                format!("a stamp not below {highest:?}, which had been read before"),
                self.target.described(fallen),
            )),
        }
    }

    /// Logs out once more, which must raise the stamp: above what any task had read before, and not
    /// below the time at which it began.
    pub(super) async fn raise(&self, handle: &Handle) -> Result {
        let highest = self.highest();
        let before = handle.now().await?;
        let found = self.target.log_out(handle).await?;
        let seen = self.read(handle).await?;
        self.rule.require(
            found && seen > highest && seen >= before,
            format!("a logout to find its target and raise {highest:?}, to {before:?} or later"),
            format!("`{found}` and {seen:?}"),
        )
    }

    pub(super) fn highest(&self) -> Timestamp {
        Timestamp::from_micros(self.highest.load(Ordering::Acquire))
    }
}
