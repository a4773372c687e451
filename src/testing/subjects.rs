//! Which user a subject or another identifier stands for: finding, creating, logging out.

use super::{
    handle::{Handles, at_once},
    log_out::check_login_kept,
    rule::{Result, Rule},
    samples::{odd_ids, profile, random_issuer, random_session, random_subject, shown},
    users::check_never_logged_out,
};
use crate::{Profile, ProviderSession, RevocationKey, Subject, SubjectIdentifier};

/// How many first logins of one subject run at once.
const FIRST_LOGINS: usize = 20;
/// For how many subjects: a race that one misses another meets.
const FIRST_LOGIN_ROUNDS: usize = 10;

pub(super) async fn check_subjects(handles: &Handles) -> Result {
    let Handles { one, other } = handles;
    let alex = random_subject();
    let user = one.find_or_create(&alex).await?;
    let id = &user.id;
    check_never_logged_out(user.logged_out_at)?;
    for handle in [one, other] {
        let again = handle.find_or_create(&alex).await?.id;
        Rule::SameSubjectSameUser.require_eq("the user at the next login", id, &again)?;
    }
    let noor = Subject::new(alex.issuer(), "67890");
    Rule::OtherSubjectOtherUser.require(
        one.find_or_create(&noor).await?.id != *id,
        format!("another user than {id:?} for another id of the same issuer"),
        "the same user",
    )?;
    let elsewhere = Subject::new(random_issuer(), alex.id());
    Rule::OtherIssuerOtherUser.require(
        one.find_or_create(&elsewhere).await?.id != *id,
        format!("another user than {id:?} for the same id of another issuer"),
        "the same user",
    )
}

pub(super) async fn check_first_logins_at_once(handles: &Handles) -> Result {
    let rule = Rule::FirstLoginsAtOnce;
    let expected = format!("one user of {FIRST_LOGINS} first logins at once");
    for _ in 0..FIRST_LOGIN_ROUNDS {
        let alex = random_subject();
        let logins = (0..FIRST_LOGINS).map(|turn| {
            let (handle, alex) = (handles.turn(turn), alex.clone());
            async move { Ok(handle.find_or_create(&alex).await?.id) }
        });
        let mut ids = match at_once(logins).await {
            Ok(ids) => ids,
            // Most likely the unique index, which the second one hit.
            Err(error) if error.rule() == Rule::Answers => {
                return Err(rule.broken(expected, error.seen()));
            }
            Err(error) => return Err(error),
        };
        ids.push(handles.one.find_or_create(&alex).await?.id);
        ids.sort();
        ids.dedup();
        rule.require(ids.len() == 1, &expected, format!("{} users", ids.len()))?;
    }
    Ok(())
}

pub(super) async fn check_log_out_subject(handles: &Handles) -> Result {
    let store = &handles.one;
    let rule = Rule::LogOutSubjectReturnsItsUsers;
    let unknown = random_subject();
    // The second time shows whether the first made a user.
    for time in ["first", "second"] {
        let users = store.log_out_subject(&unknown).await?;
        let name = format!("the users of a subject without one, logged out the {time} time,");
        rule.require_eq(&name, [""; 0], users)?;
    }
    let user = store.find_or_create(&unknown).await?;
    let name = "`logged_out_at` at the first login after `log_out_subject`";
    rule.require_eq(name, None, user.logged_out_at)?;
    let id = user.id;
    let users = store.log_out_subject(&unknown).await?;
    rule.require_eq("the users of `log_out_subject`", [id.as_str()], users)?;
    // The next login leaves the stamp as it is.
    let stamp = store.logged_out_at(&id).await?;
    let found = store.find_or_create(&unknown).await?.logged_out_at;
    check_login_kept(stamp, found, "find_or_create")?;
    check_login_kept(stamp, store.logged_out_at(&id).await?, "load")
}

/// Only where the store notes sessions.
pub(super) async fn check_session_users(handles: &Handles) -> Result {
    let rule = Rule::SessionHasItsLastUser;
    let Handles { one, other } = handles;
    let session = random_session();
    let others = [
        ProviderSession::new(session.issuer(), session.id().to_uppercase() + "x"),
        ProviderSession::new(random_issuer(), session.id()),
    ];
    let unknown = one.session_user(&session).await?;
    rule.require_eq("the user of an unknown session", None::<String>, unknown)?;
    for subject in [random_subject(), random_subject()] {
        let user = one.find_or_create(&subject).await?;
        one.note_session(&session, &user.id).await?;
        for handle in [one, other] {
            let found = handle.session_user(&session).await?;
            let name = "the user of a session that was just noted";
            rule.require_eq(name, Some(user.id.clone()), found)?;
        }
    }
    for session in others {
        let found = one.session_user(&session).await?;
        rule.require_eq("the user of another session", None::<String>, found)?;
    }
    Ok(())
}

/// A subject that is revoked as a key is not a user who is logged out, nor the other way round.
pub(super) async fn check_subject_keys(handles: &Handles) -> Result {
    let store = &handles.one;
    let rule = Rule::RevocationEndsOneKey;
    let subject = random_subject();
    let user_id = store.find_or_create(&subject).await?.id;
    let keys = [
        RevocationKey::Subject(subject.clone()),
        RevocationKey::UnknownSubject(subject.clone()),
    ];
    store.log_out_subject(&subject).await?;
    for key in &keys {
        let name = format!("`revoked_at` of the {} after `log_out_subject`", key.kind());
        rule.require_eq(&name, None, store.revoked_at(key).await?)?;
    }
    let before = store.logged_out_at(&user_id).await?;
    store.revoke(&keys, store.keep_until().await?).await?;
    let after = store.logged_out_at(&user_id).await?;
    let name = "`logged_out_at` of a user after the keys of the subject are revoked";
    rule.require_eq(name, before, after)
}

pub(super) async fn check_any_subject(handles: &Handles) -> Result {
    let store = &handles.one;
    let issuer = random_issuer();
    let require = |condition: bool, id: &str, expected: &str, seen: &str| {
        let expected = format!("{expected}, for the subject {}", shown(id));
        Rule::AnySubject.require(condition, expected, seen)
    };
    // The ids of the users, and those of their subjects.
    let mut users: Vec<(String, String)> = Vec::new();
    for id in odd_ids() {
        let subject = Subject::new(&issuer, &id);
        let user = match store.find_or_create(&subject).await {
            Ok(user) => user.id,
            Err(error) if error.rule() == Rule::Answers => {
                return require(false, &id, "a user", error.seen());
            }
            Err(error) => return Err(error),
        };
        if let Some((_, other)) = users.iter().find(|(other, _)| *other == user) {
            let seen = format!("the user of the subject {}", shown(other));
            return require(false, &id, "a user of its own", &seen);
        }
        let again = store.find_or_create(&subject).await?.id;
        require(again == user, &id, "the same user again", &again)?;
        let is_loaded = store.load(&user).await?.is_some();
        require(is_loaded, &id, "`load` to find the user", "`Ok(None)`")?;
        let logged_out = store.log_out_subject(&subject).await?;
        require(
            logged_out == [user.as_str()],
            &id,
            "`log_out_subject` to find the user",
            &format!("{logged_out:?}"),
        )?;
        users.push((user, id));
    }

    // What no provider sends may be refused, but not be cut to another id.
    let longer = "x".repeat(9_999);
    let [very_long, other_very_long] = [format!("{longer}x"), format!("{longer}y")];
    for id in ["alex\0", "alex\0x", &very_long, &other_very_long] {
        let subject = Subject::new(&issuer, id);
        let logged_out = store.log_out_subject(&subject).await.unwrap_or_default();
        let seen = format!("{logged_out:?}");
        require(logged_out.is_empty(), id, "no user yet", &seen)?;
        let Ok(Some(user)) = store.try_find_or_create(&subject).await else {
            continue;
        };
        if let Some((_, other)) = users.iter().find(|(other, _)| *other == user.id) {
            let seen = format!("the user of the subject {}", shown(other));
            return require(false, id, "a user of its own or an error", &seen);
        }
        users.push((user.id, id.to_owned()));
    }
    Ok(())
}

/// A store may verify addresses itself, so it need not find a user whose provider has. It never finds
/// another one.
pub(super) async fn check_identifiers(handles: &Handles) -> Result {
    let rule = Rule::VerifiedEmailsIdentify;
    let Handles { one, other } = handles;
    let users_of = async |profile: &Profile| {
        let email = profile.email.clone().unwrap_or_default();
        let email = SubjectIdentifier::Email(email);
        other.users_of(profile.subject.issuer(), &email).await
    };
    let mut alex = profile(&random_subject());
    let expected = "no user for an address that no user has";
    let users = users_of(&alex).await?;
    rule.require(users.is_empty(), expected, format!("{users:?}"))?;
    let mut noor = profile(&random_subject());
    noor.email_verified = Some(true);
    one.find_or_create_with(&noor).await?;
    for verified in [None, Some(false), Some(true)] {
        alex.email_verified = verified;
        let id = one.find_or_create_with(&alex).await?.id;
        let users = users_of(&alex).await?;
        let may_find = verified == Some(true);
        rule.require(
            users.iter().all(|user| may_find && *user == id),
            format!("only users whose address is verified; the address of {id:?}: {verified:?}"),
            format!("{users:?}"),
        )?;
    }
    Ok(())
}
