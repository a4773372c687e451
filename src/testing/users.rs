//! Finding users by their id, the clock, and the check of a login.

use std::{
    slice,
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
};

use super::{
    handle::{Handle, Handles, LATE, StoredUser, at_once},
    rule::{Result, Rule},
    samples::{random_issuer, random_session, random_subject, shown},
};
use crate::{LoginId, LoginReference, RevocationKey, Timestamp};

/// How often one reader reads the clock.
const READS: usize = 100;
/// How many read it at once.
const READERS: usize = 8;

/// A new user is found by every handle, and was never logged out.
pub(super) async fn check_new_user(handles: &Handles, id: &str) -> Result {
    for handle in [&handles.one, &handles.other] {
        let loaded = handle.load(id).await?;
        let loaded_id = loaded.as_ref().map(|user| user.id.as_str());
        Rule::FindsByUserId.require_eq("the user of `load`", Some(id), loaded_id)?;
        check_never_logged_out(loaded.and_then(|user| user.logged_out_at))?;
        let logged_in = handle.log_in(id).await?.id;
        Rule::FindsByUserId.require_eq("the user of `log_in`", id, logged_in)?;
    }
    Ok(())
}

pub(super) fn check_never_logged_out(logged_out_at: Option<Timestamp>) -> Result {
    let name = "`logged_out_at` of a new user";
    Rule::NewUserWasNeverLoggedOut.require_eq(name, None, logged_out_at)
}

pub(super) async fn check_unknown_ids(handles: &Handles, id: &str) -> Result {
    let store = &handles.one;
    let random = rand::random::<u128>();
    // No plain numbers: in a shared database 1 may be a user.
    let mut unknown = vec![
        String::new(),
        " ".to_owned(),
        "99999999999999999999999999".to_owned(),
        "-99999999999999999999999999".to_owned(),
        format!("unknown {random:032x}"),
        format!("жук 🐞 {random:032x}"),
        "' or ''='".to_owned(),
        "1 or 1=1".to_owned(),
        "%".to_owned(),
        format!("{id} or 1=1"),
        format!("{id}'; --"),
        "x".repeat(10_000),
    ];
    for spelling in other_spellings(id) {
        match store.load(&spelling).await {
            // In a shared database it may be the id of another user.
            Ok(Some(found)) => {
                let name = format!("the user of `load({})`", shown(&spelling));
                Rule::UnknownIdIsNoUser.require_eq(&name, spelling, found.id)?;
            }
            // An error is one of the rule below.
            Ok(None) | Err(_) => unknown.push(spelling),
        }
    }
    for unknown in &unknown {
        let found = |user: Option<StoredUser>| user.map(|user| format!("the user {:?}", user.id));
        let check = store.check_login(LoginReference::new(unknown)).await;
        let check = check.map(|check| check.map(|check| check.user));
        let logged_out = store.log_out(unknown).await;
        let logged_out = logged_out.map(|found| found.then(|| "`true`".to_owned()));
        let no_user = Rule::UnknownIdIsNoUser;
        let loaded = store.load(unknown).await.map(found);
        let logged_in = store.find_to_log_in(unknown).await.map(found);
        for (method, answer, rule) in [
            ("load", loaded, no_user),
            ("log_in", logged_in, no_user),
            (
                "check_login",
                check.map(found),
                Rule::CheckAgreesWithTheOthers,
            ),
            ("log_out", logged_out, Rule::LogOutOfUnknownUser),
        ] {
            let seen = match answer {
                Ok(None) => continue,
                Ok(Some(seen)) => seen,
                Err(error) if error.seen() == LATE => return Err(error),
                Err(error) => error.seen().to_owned(),
            };
            let expected = format!("`{method}({})` to find no user", shown(unknown));
            return Err(rule.broken(expected, seen));
        }
    }
    // Some databases cannot keep this character. It may be refused, but not be cut off.
    let with_nul = format!("{id}\0");
    let found = store.load(&with_nul).await.ok().flatten();
    let name = format!("the user of `load({})`", shown(&with_nul));
    Rule::UnknownIdIsNoUser.require_eq(&name, None, found)
}

/// What a lenient parser or a collation takes for this id. What keeps users, or waits for their
/// logout, compares ids by the letter.
fn other_spellings(id: &str) -> impl Iterator<Item = String> {
    let spellings = [
        format!("0{id}"),
        format!("+{id}"),
        format!(" {id}"),
        format!("{id} "),
        id.to_uppercase(),
        id.to_lowercase(),
    ];
    spellings.into_iter().filter(move |spelling| spelling != id)
}

pub(super) async fn check_clock(handles: &Handles) -> Result {
    let latest = LatestTime::default();
    for _ in 0..READS {
        latest.read(&handles.one, Rule::ClockRises).await?;
    }
    // From the start again: the clock of the other handle is another rule.
    let latest = LatestTime::default();
    for turn in 0..READS {
        latest.read(&handles.turn(turn), Rule::OneClock).await?;
    }

    let latest = Arc::new(LatestTime::default());
    let readers = (0..READERS).map(|reader| {
        let (latest, handle) = (Arc::clone(&latest), handles.turn(reader));
        async move {
            for _ in 0..READS {
                latest.read(&handle, Rule::ClockRises).await?;
            }
            Ok(())
        }
    });
    at_once(readers).await?;
    Ok(())
}

/// The latest time that any reader was given.
struct LatestTime(AtomicI64);

impl Default for LatestTime {
    fn default() -> Self {
        Self(AtomicI64::new(i64::MIN))
    }
}

impl LatestTime {
    /// Reads the clock, which must be later than every read that had ended. Two reads at once
    /// may give the same.
    async fn read(&self, handle: &Handle, rule: Rule) -> Result {
        let before = Timestamp::from_micros(self.0.load(Ordering::Acquire));
        let now = handle.now().await?;
        self.0.fetch_max(now.as_micros(), Ordering::AcqRel);
        rule.require(
            now > before,
            format!("`now` to be later than {before:?}, which it had given before"),
            format!("{now:?}"),
        )
    }
}

/// `check_login` returns in one answer what three other methods return.
pub(super) async fn check_check_login(handles: &Handles, user_id: &str) -> Result {
    let login_id = LoginId::random();
    let keys = [
        RevocationKey::Login(login_id),
        RevocationKey::Session(random_session()),
        RevocationKey::Subject(random_subject()),
        RevocationKey::Issuer(random_issuer()),
        RevocationKey::Everyone,
    ];
    let [login_key, session, subject, issuer, _] = &keys;
    let plain = LoginReference::new(user_id);
    let logins = [
        plain,
        plain.with_id(login_id),
        plain.with_provider_key(session.provider_key()),
        plain
            .with_id(login_id)
            .with_provider_key(subject.provider_key()),
        plain.with_issuer(Some(issuer.issuer())),
        plain
            .with_id(login_id)
            .with_provider_key(session.provider_key())
            .with_issuer(Some(issuer.issuer())),
    ];
    let keep_until = handles.one.keep_until().await?;
    // Before any logout, after a logout of the user, and after one of each key: written by one handle
    // and seen by the other.
    for turn in 0..2 + keys.len() {
        let (writer, reader) = (handles.turn(turn), handles.turn(turn + 1));
        match turn {
            0 => {}
            1 => drop(writer.log_out(user_id).await?),
            _ if !handles.keep_revocations() => continue,
            _ => {
                let key = slice::from_ref(&keys[turn - 2]);
                writer.revoke(key, keep_until).await?;
            }
        }
        for login in logins {
            check_one_login(&writer, &reader, login, login_key).await?;
        }
    }
    Ok(())
}

async fn check_one_login(
    writer: &Handle,
    reader: &Handle,
    login: LoginReference<'_>,
    login_key: &RevocationKey,
) -> Result {
    let rule = Rule::CheckAgreesWithTheOthers;
    let id = login.user_id;
    let before = writer.now().await?;
    // As of a login that begins now, which a cached answer does not cover.
    let check = reader.check_login(login.with_logged_in_at(before)).await?;
    let after = writer.now().await?;
    let Some(check) = check else {
        let expected = format!("`check_login` to find the user {id:?}, who exists");
        return Err(rule.broken(expected, "`Ok(None)`"));
    };
    rule.require(
        check.now >= before && check.now <= after,
        format!("`now` between {before:?} and {after:?}, as the clock is"),
        format!("{:?}", check.now),
    )?;
    let loaded = reader.load(id).await?;
    rule.require_eq("the user, as from `load`,", loaded, Some(check.user))?;
    let revoked = login.id.is_some() && reader.revoked_at(login_key).await?.is_some();
    rule.require_eq("`revoked`, as from `revoked_at`,", revoked, check.revoked)?;
    let mut revoked_at = None;
    if reader.keeps_revocations() {
        for key in login.revocation_keys() {
            revoked_at = revoked_at.max(reader.revoked_at(&key).await?);
        }
    }
    let name = "`revoked_at`, as from the latest `revoked_at` of its keys,";
    rule.require_eq(name, revoked_at, check.revoked_at)
}
