//! Revocations: apart from each other, or not kept at all.

use std::slice;

use super::{
    handle::Handles,
    rule::{Result, Rule},
    samples::{odd_ids, random_issuer, random_session, random_subject, shown},
};
use crate::{LoginId, ProviderSession, RevocationKey, Subject, Timestamp};

/// Whether the store keeps revocations. One that does not must never return any.
pub(super) async fn check_revocations_kept_or_not(handles: &Handles) -> Result {
    let rule = Rule::RevocationsKeptOrNot;
    let keeps_revocations = handles.keep_revocations();
    for turn in 0..4 {
        let store = handles.turn(turn);
        let keeps_too = store.keeps_revocations();
        rule.require_eq("`keeps_revocations`", keeps_revocations, keeps_too)?;
        let key = RevocationKey::Session(random_session());
        let keep_until = store.keep_until().await?;
        // Without revocations an error is the usual answer.
        let revoked = store.revoke(slice::from_ref(&key), keep_until).await;
        if keeps_revocations {
            revoked?;
            continue;
        }
        let revoked_at = handles.turn(turn / 2).revoked_at(&key).await?;
        let name = "`revoked_at` where `keeps_revocations` is `false`";
        rule.require_eq(name, None, revoked_at)?;
    }
    Ok(())
}

/// One key of each kind that has an id or an issuer, which no store knows yet.
fn random_keys() -> [RevocationKey; 5] {
    [
        RevocationKey::Login(LoginId::random()),
        RevocationKey::Session(random_session()),
        RevocationKey::Subject(random_subject()),
        RevocationKey::UnknownSubject(random_subject()),
        RevocationKey::Issuer(random_issuer()),
    ]
}

pub(super) async fn check_unknown_keys(handles: &Handles) -> Result {
    for store in [&handles.one, &handles.other] {
        for key in random_keys() {
            let revoked_at = store.revoked_at(&key).await?;
            let name = format!(
                "`revoked_at` of a key ({}) that was never revoked",
                key.kind()
            );
            Rule::UnknownKeyIsNotRevoked.require_eq(&name, None, revoked_at)?;
        }
    }
    Ok(())
}

/// One call revokes all its keys, also where one comes twice, and none where there is none.
pub(super) async fn check_every_key(handles: &Handles) -> Result {
    let Handles { one, other } = handles;
    let rule = Rule::RevokesEveryKey;
    let keep_until = one.keep_until().await?;
    let mut keys = random_keys().to_vec();
    keys.push(keys[1].clone());
    for keys in [&keys[..0], &keys] {
        if let Err(error) = one.revoke(keys, keep_until).await {
            let expected = format!("`revoke` to take {} keys at once", keys.len());
            return Err(rule.broken(expected, error.seen()));
        }
    }
    for key in &keys {
        let is_revoked = other.revoked_at(key).await?.is_some();
        let expected = format!(
            "each key of one call to be revoked, also the {}",
            key.kind()
        );
        rule.require(is_revoked, expected, "`Ok(None)` from `revoked_at`")?;
    }
    Ok(())
}

/// Keys differ by kind, issuer and id.
pub(super) async fn check_revocation_ends_one_key(handles: &Handles, user_id: &str) -> Result {
    let store = &handles.one;
    let rule = Rule::RevocationEndsOneKey;
    let before = store.logged_out_at(user_id).await?;
    let (issuer, other_issuer) = (random_issuer(), random_issuer());
    // The id of a login is an id that a provider may give too.
    let login = LoginId::random();
    let id = login.to_string();
    let session = |issuer: &str, id: &str| RevocationKey::Session(ProviderSession::new(issuer, id));
    let keys = [
        session(&issuer, &id),
        RevocationKey::Subject(Subject::new(&issuer, &id)),
        RevocationKey::UnknownSubject(Subject::new(&issuer, &id)),
        RevocationKey::Login(login),
        session(&issuer, "another"),
        session(&other_issuer, &id),
        session("", &id),
        RevocationKey::Issuer(issuer.clone()),
        RevocationKey::Issuer(other_issuer.clone()),
    ];
    let keep_until = store.keep_until().await?;
    for (index, key) in keys.iter().enumerate() {
        store.revoke(slice::from_ref(key), keep_until).await?;
        for other in &keys[index + 1..] {
            let (kind, issuer, id) = (other.kind(), other.issuer(), other.id());
            let name = format!("`revoked_at` of the {kind} {id:?} of {issuer:?}, another key,");
            rule.require_eq(&name, None, store.revoked_at(other).await?)?;
        }
    }
    let after = store.logged_out_at(user_id).await?;
    let name = "`logged_out_at` of a user after a key is revoked";
    rule.require_eq(name, before, after)?;
    let before = store.revoked_at(&keys[0]).await?;
    store.log_out(user_id).await?;
    let after = store.revoked_at(&keys[0]).await?;
    rule.require_eq(
        "`revoked_at` of a key after a user is logged out",
        before,
        after,
    )
}

pub(super) async fn check_any_key(handles: &Handles) -> Result {
    let store = &handles.one;
    let issuer = random_issuer();
    let keep_until = store.keep_until().await?;
    for id in odd_ids() {
        let broken = |expected: &str, seen: &str| {
            let expected = format!("{expected}, for the id {}", shown(&id));
            Rule::AnyKey.broken(expected, seen)
        };
        let subject = Subject::new(&issuer, &id);
        for key in [
            RevocationKey::Session(ProviderSession::new(&issuer, &id)),
            RevocationKey::Subject(subject.clone()),
            RevocationKey::UnknownSubject(subject),
        ] {
            match store.revoked_at(&key).await {
                Ok(None) => {}
                Ok(Some(_)) => {
                    return Err(broken("no `revoked_at` yet", "the `revoked_at` of another"));
                }
                Err(error) => return Err(broken("an answer", error.seen())),
            }
            if let Err(error) = store.revoke(slice::from_ref(&key), keep_until).await {
                return Err(broken("`revoke` to take it", error.seen()));
            }
            if store.revoked_at(&key).await?.is_none() {
                return Err(broken("`revoked_at` to return it", "`Ok(None)`"));
            }
        }
    }
    Ok(())
}

/// A later call does not shorten the time that a revocation is kept.
pub(super) async fn check_revocation_is_kept(handles: &Handles) -> Result {
    let Handles { one, other } = handles;
    let key = RevocationKey::Session(random_session());
    let keep_until = one.keep_until().await?;
    let past = Timestamp::from_micros(1);
    one.revoke(slice::from_ref(&key), keep_until).await?;
    other.revoke(slice::from_ref(&key), past).await?;
    // Stores remove old revocations as they write.
    for turn in 0..4 {
        let another = [RevocationKey::Session(random_session())];
        handles.turn(turn).revoke(&another, keep_until).await?;
    }
    Rule::RevocationIsKept.require(
        one.revoked_at(&key).await?.is_some(),
        "a revocation to be kept until the latest `keep_until` that it was given",
        "that it is gone after a call with an earlier one",
    )
}
