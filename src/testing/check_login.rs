//! `check_login`, which returns in one answer what three other methods return.

use super::{
    BrokenRule, Rule,
    handle::Handles,
    log_out::written,
    made_up::{fresh_session, fresh_subject},
    target::{KeyTarget, LogoutTarget as _, UserTarget},
};
use crate::{LoginId, LoginReference, RevocationKey, User as _, UserStore};

pub(super) async fn check_check_login<S: UserStore>(
    handles: &Handles<S>,
    id: &str,
    keeps_revocations: bool,
) -> Result<(), BrokenRule> {
    let login_id = LoginId::random();
    let keys = [
        RevocationKey::Login(login_id),
        RevocationKey::Session(fresh_session()),
        RevocationKey::Subject(fresh_subject()),
    ];
    let keep_until = KeyTarget::new(&handles.one).await?.keep_until;
    // Before any logout, after that of the user, and after that of each key: written by one handle
    // and seen by the other.
    for turn in 0..2 + keys.len() {
        let writer = handles.turn(turn);
        match turn {
            0 => {}
            1 => drop(UserTarget(id.to_owned()).log_out(&writer).await?),
            _ if !keeps_revocations => continue,
            _ => {
                writer
                    .revoke(&keys[turn - 2..=turn - 2], keep_until)
                    .await?
            }
        }
        let plain = LoginReference::new(id);
        let [_, session, subject] = &keys;
        for (login_key, provider_key) in [
            (None, None),
            (Some(&keys[0]), None),
            (None, Some(session)),
            (Some(&keys[0]), Some(subject)),
        ] {
            let mut login =
                plain.with_provider_key(provider_key.and_then(RevocationKey::provider_key));
            if login_key.is_some() {
                login = login.with_id(login_id);
            }
            check_one(handles, turn, login, login_key, provider_key).await?;
        }
    }
    Ok(())
}

async fn check_one<S: UserStore>(
    handles: &Handles<S>,
    turn: usize,
    login: LoginReference<'_>,
    login_key: Option<&RevocationKey>,
    provider_key: Option<&RevocationKey>,
) -> Result<(), BrokenRule> {
    let broken = |expected: String, seen: String| {
        let rule = Rule::CheckAgreesWithTheOthers;
        Err(BrokenRule::new(rule, expected, seen))
    };
    let (writer, store) = (handles.turn(turn), handles.turn(turn + 1));
    let id = login.user_id;
    let before = writer.now().await?;
    // As of a login that begins now: a cache has nothing to say about it.
    let Some(check) = store.check_login(login.with_logged_in_at(before)).await? else {
        let expected = format!("`check_login` to find the user {id:?}, who exists");
        return broken(expected, "`Ok(None)`".to_owned());
    };
    let after = writer.now().await?;
    if check.now < before || check.now > after {
        let expected = format!("`now` between {before:?} and {after:?}, as the clock is");
        return broken(expected, format!("{:?}", check.now));
    }
    if check.user.id() != id {
        let expected = format!("the user {id:?}");
        return broken(expected, format!("the user {:?}", check.user.id()));
    }
    let loaded = store.logged_out_at(id).await?;
    if check.user.logged_out_at() != loaded {
        let expected = format!("{} as `load` has it", written(loaded));
        return broken(expected, written(check.user.logged_out_at()));
    }
    let revoked = match login_key {
        Some(key) => store.revoked_at(key).await?.is_some(),
        None => false,
    };
    if check.revoked != revoked {
        let expected = format!("`revoked` to be {revoked}, as `revoked_at` of the login has it");
        return broken(expected, check.revoked.to_string());
    }
    let provider_revoked_at = match provider_key {
        Some(key) => store.revoked_at(key).await?,
        None => None,
    };
    if check.provider_revoked_at != provider_revoked_at {
        let expected = format!(
            "`provider_revoked_at` to be {provider_revoked_at:?}, as `revoked_at` of the key has it"
        );
        return broken(expected, format!("{:?}", check.provider_revoked_at));
    }
    Ok(())
}
