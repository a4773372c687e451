//! A store with a fault: its revocations.

use std::{
    collections::{HashMap, HashSet},
    sync::atomic::Ordering::SeqCst,
};

use axum_clef::{
    BoxError, LoginCheck, LoginReference, LogoutCause, ProviderSession, RevocationKey, Subject,
    Timestamp,
};
use tokio::task::yield_now;

use crate::{
    fault::Fault,
    members::{Member, Members},
};

#[derive(Clone, Copy)]
pub struct Revocation {
    at: Timestamp,
    keep_until: Timestamp,
}

type Revocations = HashMap<RevocationKey, Revocation>;

impl Members {
    pub fn revokes(&self) -> bool {
        let not_here = self.is(Fault::OneHandleKeepsRevocations) && self.handle != 0;
        !self.is(Fault::KeepsNoRevocations) && !not_here
    }

    /// Which key this store takes one for.
    fn key_of(&self, key: &RevocationKey) -> RevocationKey {
        let (issuer, id) = (key.issuer(), key.id());
        let (issuer, id) = match self.fault {
            Fault::RevocationOfTheIssuer if !issuer.is_empty() => (issuer, String::new()),
            Fault::RevocationOfTheId => ("", id),
            Fault::OverlooksCaseOfKeys => (issuer, id.to_lowercase()),
            Fault::CutsKeysShort => (issuer, id.chars().take(254).collect()),
            _ => (issuer, id),
        };
        match key {
            RevocationKey::Login(_) if self.fault != Fault::RevocationOfAnyKind => key.clone(),
            RevocationKey::Subject(_) => RevocationKey::Subject(Subject::new(issuer, id)),
            RevocationKey::UnknownSubject(_) => {
                RevocationKey::UnknownSubject(Subject::new(issuer, id))
            }
            RevocationKey::Issuer(_) if self.fault == Fault::TakesAnIssuerForEveryone => {
                RevocationKey::Everyone
            }
            RevocationKey::Issuer(_) | RevocationKey::Everyone => key.clone(),
            _ => RevocationKey::Session(ProviderSession::new(issuer, id)),
        }
    }

    /// What a revocation at `now` writes.
    fn revocation(
        &self,
        now: Timestamp,
        keep_until: Timestamp,
        earlier: Option<Revocation>,
    ) -> Revocation {
        let micros = now.as_micros();
        let previous = earlier.map(|earlier| earlier.at);
        let at = match self.fault {
            Fault::RevocationOfSeconds => {
                Timestamp::from_micros(micros / 1_000_000).raised_above(previous)
            }
            Fault::RevocationLiesAhead => {
                Timestamp::from_micros(micros + 1_000_000).raised_above(previous)
            }
            Fault::FirstRevocationStays => previous.unwrap_or(now),
            Fault::WritesKeysWithoutLooking => now,
            _ => now.raised_above(previous),
        };
        let keep_until = match earlier {
            Some(earlier) if self.fault != Fault::KeepsUntilTheLatestCall => {
                earlier.keep_until.max(keep_until)
            }
            _ => keep_until,
        };
        Revocation { at, keep_until }
    }

    fn write(
        &self,
        all: &mut Revocations,
        now: Timestamp,
        key: &RevocationKey,
        keep_until: Timestamp,
    ) {
        let key = self.key_of(key);
        let revocation = self.revocation(now, keep_until, all.get(&key).copied());
        all.insert(key, revocation);
    }

    pub async fn revoke_keys(
        &self,
        keys: &[RevocationKey],
        keep_until: Timestamp,
    ) -> Result<(), BoxError> {
        if !self.revokes() {
            return Err("this store keeps no revocations".into());
        }
        let is_empty = |key: &RevocationKey| {
            !matches!(key, RevocationKey::Issuer(_) | RevocationKey::Everyone)
                && key.id().is_empty()
        };
        if self.is(Fault::RefusesTheEmptyKey) && keys.iter().any(is_empty) {
            return Err("a key has an id".into());
        }
        let distinct: HashSet<_> = keys.iter().collect();
        if self.is(Fault::RefusesDuplicateKeys) && distinct.len() < keys.len() {
            return Err("no row may be changed twice".into());
        }
        let dawdle = async || {
            for _ in 0..self.shared.logouts.fetch_add(1, SeqCst) % 7 {
                yield_now().await;
            }
        };
        let revocations = &self.shared.revocations;
        match self.fault {
            Fault::ReadsAndThenWritesKeys => {
                for key in keys {
                    let earlier = revocations.lock().unwrap().get(key).copied();
                    let revocation = self.revocation(self.time(), keep_until, earlier);
                    dawdle().await;
                    revocations.lock().unwrap().insert(key.clone(), revocation);
                }
                return Ok(());
            }
            Fault::RevokeInTwoSteps => {
                for key in keys {
                    let earlier = revocations.lock().unwrap().remove(key);
                    yield_now().await;
                    let revocation = self.revocation(self.time(), keep_until, earlier);
                    revocations.lock().unwrap().insert(key.clone(), revocation);
                }
                return Ok(());
            }
            Fault::RevokesKeyByKey => {
                for key in keys {
                    let now = self.time();
                    self.write(&mut revocations.lock().unwrap(), now, key, keep_until);
                    yield_now().await;
                }
                return Ok(());
            }
            _ => {}
        }
        let mut now = self.time();
        let reads_too_early = self.is(Fault::WritesKeysWithoutLooking);
        if reads_too_early {
            dawdle().await;
        }
        let mut all = revocations.lock().unwrap();
        if !reads_too_early {
            now = self.time();
        }
        all.retain(|_, revocation| revocation.keep_until >= now);
        let most = if self.is(Fault::RevokesTheFirstKey) {
            1
        } else {
            keys.len()
        };
        for key in &keys[..most.min(keys.len())] {
            self.write(&mut all, now, key, keep_until);
        }
        drop(all);
        self.seen_keys.lock().unwrap().clear();
        if self.is(Fault::RevocationOfTheUser) {
            for member in &mut *self.shared.members.lock().unwrap() {
                member.logged_out_at = Some(now.raised_above(member.logged_out_at));
            }
        }
        Ok(())
    }

    /// What no logout of a user does.
    pub fn revoke_all(&self) {
        for revocation in self.shared.revocations.lock().unwrap().values_mut() {
            revocation.at = self.time();
        }
    }

    pub fn stamp_of(&self, key: &RevocationKey) -> Option<Timestamp> {
        let key = self.key_of(key);
        let revocations = self.shared.revocations.lock().unwrap();
        let stamp = revocations.get(&key).map(|revocation| revocation.at);
        match self.fault {
            Fault::UnknownKeyIsRevoked => stamp.or(Some(Timestamp::from_micros(0))),
            Fault::HandleKeepsKeysItSaw => {
                *self.seen_keys.lock().unwrap().entry(key).or_insert(stamp)
            }
            _ => stamp,
        }
    }

    pub fn check(&self, login: LoginReference<'_>) -> Result<Option<LoginCheck<Member>>, BoxError> {
        let mut found = self.find(login.user_id)?;
        if self.is(Fault::CheckMakesAUserUp) && found.is_none() {
            found = self.find("0m")?;
        }
        let Some(mut member) = found else {
            return Ok(None);
        };
        let login_key = login.id.map(RevocationKey::Login);
        let mut revoked = login_key.is_some_and(|key| self.stamp_of(&key).is_some());
        let hides = |key: &RevocationKey| match self.fault {
            Fault::CheckHidesProviderKey => key.provider_key().is_some(),
            Fault::CheckHidesIssuer => matches!(key, RevocationKey::Issuer(_)),
            Fault::CheckHidesEveryone => *key == RevocationKey::Everyone,
            _ => false,
        };
        let keys = login.revocation_keys().filter(|key| !hides(key));
        let stamps: Vec<_> = keys.filter_map(|key| self.stamp_of(&key)).collect();
        let revoked_at = match self.fault {
            Fault::CheckTakesTheEarliestStamp => stamps.into_iter().min(),
            _ => stamps.into_iter().max(),
        };
        let mut now = self.time();
        match self.fault {
            Fault::CheckHidesLogOut => member.logged_out_at = None,
            Fault::CheckHidesCause => member.logout_cause = LogoutCause::Unknown,
            Fault::CheckHidesRevokedLogin => revoked = false,
            Fault::CheckHasAnotherClock => {
                now = Timestamp::from_micros(now.as_micros() - 1_000_000);
            }
            _ => {}
        }
        let check = LoginCheck::new(member, now).with_revoked(revoked);
        Ok(Some(check.with_revoked_at(revoked_at)))
    }
}
