//! Revocations: apart from each other, or not kept at all.

use super::{
    BrokenRule, Rule,
    handle::Handles,
    made_up::{fresh_issuer, fresh_session, fresh_subject, odd_ids, shown},
    target::KeyTarget,
};
use crate::{LoginId, ProviderSession, RevocationKey, Subject, Timestamp, UserStore};

/// Whether the store keeps revocations. One that does not must never return any.
pub(super) async fn check_revocations_kept_or_not<S: UserStore>(
    handles: &Handles<S>,
) -> Result<bool, BrokenRule> {
    let kept = handles.one.store().keeps_revocations();
    let broken = |expected: &str, seen: String| {
        Err(BrokenRule::new(Rule::RevocationsKeptOrNot, expected, seen))
    };
    for turn in 0..4 {
        let store = handles.turn(turn);
        if store.store().keeps_revocations() != kept {
            return broken(
                "every handle to answer `keeps_revocations` alike",
                "both".to_owned(),
            );
        }
        let target = KeyTarget::new(&store).await?;
        // Without revocations an error is the usual answer.
        let revoked = store
            .revoke(std::slice::from_ref(&target.key), target.keep_until)
            .await;
        if kept {
            revoked?;
            continue;
        }
        if let Some(stamp) = handles.turn(turn / 2).revoked_at(&target.key).await? {
            let expected = "no `revoked_at` where `keeps_revocations` is `false`";
            return broken(expected, format!("{stamp:?}"));
        }
    }
    Ok(kept)
}

/// One key of each kind, which no store knows yet.
fn fresh_keys() -> [RevocationKey; 4] {
    [
        RevocationKey::Login(LoginId::random()),
        RevocationKey::Session(fresh_session()),
        RevocationKey::Subject(fresh_subject()),
        RevocationKey::UnknownSubject(fresh_subject()),
    ]
}

pub(super) async fn check_unknown_keys<S: UserStore>(
    handles: &Handles<S>,
) -> Result<(), BrokenRule> {
    for store in [&handles.one, &handles.other] {
        for key in fresh_keys() {
            if let Some(stamp) = store.revoked_at(&key).await? {
                return Err(BrokenRule::new(
                    Rule::UnknownKeyIsNotRevoked,
                    format!("no `revoked_at` of a {} that was never revoked", key.kind()),
                    format!("{stamp:?}"),
                ));
            }
        }
    }
    Ok(())
}

/// One call revokes all its keys, also where one comes twice, and none where there is none.
pub(super) async fn check_every_key<S: UserStore>(handles: &Handles<S>) -> Result<(), BrokenRule> {
    let Handles { one, other } = handles;
    let keep_until = KeyTarget::new(one).await?.keep_until;
    let mut keys = fresh_keys().to_vec();
    keys.push(keys[1].clone());
    let broken = |expected: String, seen: String| {
        Err(BrokenRule::new(Rule::RevokesEveryKey, expected, seen))
    };
    for keys in [&keys[..0], &keys] {
        if let Err(error) = one.revoke(keys, keep_until).await {
            let expected = format!("`revoke` to take {} keys at once", keys.len());
            return broken(expected, error.seen().to_owned());
        }
    }
    for key in &keys {
        if other.revoked_at(key).await?.is_none() {
            let expected = format!(
                "`revoked_at` of each key of one call, also of the {}",
                key.kind()
            );
            return broken(expected, "`Ok(None)`".to_owned());
        }
    }
    Ok(())
}

/// Keys differ by kind, issuer and id.
pub(super) async fn check_revocation_ends_one_key<S: UserStore>(
    handles: &Handles<S>,
    user_id: &str,
) -> Result<(), BrokenRule> {
    let store = &handles.one;
    let broken = |expected: String, stamp: Timestamp| {
        let rule = Rule::RevocationEndsOneKey;
        Err(BrokenRule::new(rule, expected, format!("{stamp:?}")))
    };
    let before = store.logged_out_at(user_id).await?;
    let (issuer, other_issuer) = (fresh_issuer(), fresh_issuer());
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
    ];
    let keep_until = KeyTarget::new(store).await?.keep_until;
    for revoked in 0..keys.len() {
        store.revoke(&keys[revoked..=revoked], keep_until).await?;
        for other in &keys[revoked + 1..] {
            if let Some(stamp) = store.revoked_at(other).await? {
                let expected = format!(
                    "the {} {} of {:?} to stay when another key is revoked",
                    other.kind(),
                    shown(&other.id()),
                    other.issuer()
                );
                return broken(expected, stamp);
            }
        }
    }
    let after = store.logged_out_at(user_id).await?;
    if let (true, Some(stamp)) = (after != before, after) {
        let expected = "`logged_out_at` of a user to stay when a key is revoked".to_owned();
        return broken(expected, stamp);
    }
    let revoked_at = store.revoked_at(&keys[0]).await?;
    store.log_out(user_id).await?;
    let after = store.revoked_at(&keys[0]).await?;
    if let (true, Some(stamp)) = (after != revoked_at, after) {
        let expected = "`revoked_at` of a key to stay when a user is logged out".to_owned();
        return broken(expected, stamp);
    }
    Ok(())
}

pub(super) async fn check_any_key<S: UserStore>(handles: &Handles<S>) -> Result<(), BrokenRule> {
    let store = &handles.one;
    let issuer = fresh_issuer();
    let keep_until = KeyTarget::new(store).await?.keep_until;
    for id in odd_ids() {
        let broken = |expected: &str, seen: String| {
            let expected = format!("{expected}, for the id {}", shown(&id));
            Err(BrokenRule::new(Rule::AnyKey, expected, seen))
        };
        let subject = Subject::new(&issuer, &id);
        for key in [
            RevocationKey::Session(ProviderSession::new(&issuer, &id)),
            RevocationKey::Subject(subject.clone()),
            RevocationKey::UnknownSubject(subject),
        ] {
            match store.revoked_at(&key).await {
                Ok(None) => {}
                Ok(Some(_)) => return broken("no `revoked_at` yet", "that of another".to_owned()),
                Err(error) => return broken("an answer", error.seen().to_owned()),
            }
            let keys = std::slice::from_ref(&key);
            if let Err(error) = store.revoke(keys, keep_until).await {
                return broken("`revoke` to take it", error.seen().to_owned());
            }
            if store.revoked_at(&key).await?.is_none() {
                return broken("`revoked_at` to return it", "`Ok(None)`".to_owned());
            }
        }
    }
    Ok(())
}

/// A later call does not shorten the time that a revocation is kept.
pub(super) async fn check_revocation_is_kept<S: UserStore>(
    handles: &Handles<S>,
) -> Result<(), BrokenRule> {
    let Handles { one, other } = handles;
    let target = KeyTarget::new(one).await?;
    let key = std::slice::from_ref(&target.key);
    let past = Timestamp::from_micros(1);
    one.revoke(key, target.keep_until).await?;
    other.revoke(key, past).await?;
    // Stores remove old revocations as they write.
    for turn in 0..4 {
        let another = KeyTarget::new(one).await?;
        let keys = std::slice::from_ref(&another.key);
        handles.turn(turn).revoke(keys, another.keep_until).await?;
    }
    if one.revoked_at(&target.key).await?.is_some() {
        return Ok(());
    }
    Err(BrokenRule::new(
        Rule::RevocationIsKept,
        "a revocation to be kept until the latest `keep_until` that it was given",
        "that it is gone after a call with an earlier one",
    ))
}
