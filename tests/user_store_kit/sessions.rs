//! A store with a fault: its sessions of providers.

use std::sync::atomic::Ordering::SeqCst;

use axum_clef::{BoxError, LoginReference, ProviderSession, Standing, Timestamp};
use tokio::task::yield_now;

use crate::{
    fault::Fault,
    members::{Member, Members},
};

impl Members {
    /// Which session this store takes one for.
    fn session_key(&self, session: &ProviderSession) -> ProviderSession {
        let (issuer, id) = (session.issuer(), session.id());
        match self.fault {
            Fault::SessionLogOutOfTheIssuer => ProviderSession::new(issuer, ""),
            Fault::SessionLogOutOfTheId => ProviderSession::new("", id),
            Fault::OverlooksCaseOfSessions => ProviderSession::new(issuer, id.to_lowercase()),
            Fault::CutsSessionsShort => {
                ProviderSession::new(issuer, id.chars().take(254).collect::<String>())
            }
            _ => session.clone(),
        }
    }

    /// What a logout of a session at `now` writes.
    fn session_stamp(&self, now: Timestamp, previous: Option<Timestamp>) -> Timestamp {
        let micros = now.as_micros();
        match self.fault {
            Fault::SessionLogOutOfSeconds => {
                Timestamp::from_micros(micros / 1_000_000).raised_above(previous)
            }
            Fault::SessionLogOutLiesAhead => {
                Timestamp::from_micros(micros + 1_000_000).raised_above(previous)
            }
            Fault::FirstSessionLogOutStays => previous.unwrap_or(now),
            Fault::WritesSessionsWithoutLooking => now,
            _ => now.raised_above(previous),
        }
    }

    pub async fn end_session(&self, session: &ProviderSession) -> Result<bool, BoxError> {
        let not_here = self.is(Fault::OneHandleKeepsSessions) && self.handle != 0;
        if self.is(Fault::KeepsNoSessions) || not_here {
            return Ok(false);
        }
        if self.is(Fault::RefusesTheEmptySession) && session.id().is_empty() {
            return Err("a session has a name".into());
        }
        if self.is(Fault::SessionLogOutIsForgotten) {
            return Ok(true);
        }
        let key = self.session_key(session);
        let dawdle = async || {
            for _ in 0..self.shared.logouts.fetch_add(1, SeqCst) % 7 {
                yield_now().await;
            }
        };
        if self.is(Fault::ReadsAndThenWritesSessions) {
            let previous = self.shared.sessions.lock().unwrap().get(&key).copied();
            let stamp = self.session_stamp(self.time(), previous);
            dawdle().await;
            self.shared.sessions.lock().unwrap().insert(key, stamp);
            return Ok(true);
        }
        if self.is(Fault::SessionLogOutInTwoSteps) {
            let previous = self.shared.sessions.lock().unwrap().remove(&key);
            yield_now().await;
            let stamp = self.session_stamp(self.time(), previous);
            self.shared.sessions.lock().unwrap().insert(key, stamp);
            return Ok(true);
        }
        let too_early = self.time();
        let reads_too_early = self.is(Fault::WritesSessionsWithoutLooking);
        if reads_too_early {
            dawdle().await;
        }
        let mut sessions = self.shared.sessions.lock().unwrap();
        let now = if reads_too_early {
            too_early
        } else {
            self.time()
        };
        let stamp = self.session_stamp(now, sessions.get(&key).copied());
        sessions.insert(key, stamp);
        drop(sessions);
        self.seen_sessions.lock().unwrap().clear();
        if self.is(Fault::SessionLogOutOfThePerson) {
            let mut members = self.shared.members.lock().unwrap();
            let named = members.iter_mut().find(|member| {
                member.subject.issuer() == session.issuer() && member.subject.id() == session.id()
            });
            if let Some(named) = named {
                named.logged_out_at = Some(stamp.raised_above(named.logged_out_at));
            }
        }
        Ok(!self.is(Fault::SessionLogOutIsNeverTrue))
    }

    /// What no logout of a person does.
    pub fn end_sessions_of(&self, issuer: &str) {
        let mut sessions = self.shared.sessions.lock().unwrap();
        for (session, stamp) in sessions.iter_mut() {
            if session.issuer() == issuer {
                *stamp = self.time();
            }
        }
    }

    pub fn session_ended_at(
        &self,
        session: &ProviderSession,
    ) -> Result<Option<Timestamp>, BoxError> {
        let key = self.session_key(session);
        let ended = self.shared.sessions.lock().unwrap().get(&key).copied();
        match self.fault {
            Fault::UnknownSessionHasEnded => Ok(ended.or(Some(Timestamp::from_micros(0)))),
            Fault::HandleKeepsSessionsItSaw => {
                let mut seen = self.seen_sessions.lock().unwrap();
                Ok(*seen.entry(key).or_insert(ended))
            }
            _ => Ok(ended),
        }
    }

    pub fn stands(&self, login: LoginReference<'_>) -> Result<Option<Standing<Member>>, BoxError> {
        let id = login.user_id;
        let id = match self.fault {
            Fault::StandingMakesSomebodyUp if self.find(id)?.is_none() => "0",
            _ => id,
        };
        let Some(mut member) = self.find(id)? else {
            return Ok(None);
        };
        let mut ended = match login.session {
            Some(session) => self.session_ended_at(session)?,
            None => None,
        };
        let mut now = self.time();
        match self.fault {
            Fault::StandingHidesLogOut => member.logged_out_at = None,
            Fault::StandingHidesSession => ended = None,
            Fault::StandingHasAnotherClock => {
                now = Timestamp::from_micros(now.as_micros() - 1_000_000);
            }
            _ => {}
        }
        let standing = Standing::new(member, now);
        Ok(Some(standing.with_session_logged_out_at(ended)))
    }
}
