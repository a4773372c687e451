//! Which user a subject stands for: finding, creating, logging out.

use super::{
    BrokenRule, Rule,
    handle::Handles,
    log_out::{kept, written},
    made_up::{fresh_issuer, fresh_subject, odd_ids, profile, shown},
    target::{KeyTarget, SubjectTarget},
    tasks::at_once,
};
use crate::{IdentityStore, RevocationKey, Subject, User as _};

/// How many first logins of one subject run at once.
const FIRST_LOGINS: usize = 20;
/// For how many subjects: a race that one misses another meets.
const FIRST_LOGIN_ROUNDS: usize = 10;

/// A new user, by subject.
pub(super) async fn new_user<S: IdentityStore>(
    handles: &Handles<S>,
) -> Result<SubjectTarget, BrokenRule> {
    let subject = fresh_subject();
    let user_id = handles.one.find_or_create(&subject).await?.id();
    Ok(SubjectTarget { subject, user_id })
}

pub(super) async fn check_subjects<S: IdentityStore>(
    handles: &Handles<S>,
) -> Result<(), BrokenRule> {
    let Handles { one, other } = handles;
    let alex = fresh_subject();
    let user = one.find_or_create(&alex).await?;
    let id = user.id();
    if let Some(stamp) = user.logged_out_at() {
        return Err(BrokenRule::new(
            Rule::NewUserWasNeverLoggedOut,
            "`logged_out_at` of a new user to be `None`",
            format!("{stamp:?}"),
        ));
    }
    for handle in [one, other] {
        let again = handle.find_or_create(&alex).await?.id();
        if again != id {
            return Err(BrokenRule::new(
                Rule::SameSubjectSameUser,
                format!("the user {id:?} at the next login"),
                format!("the user {again:?}"),
            ));
        }
    }
    let noor = Subject::new(alex.issuer(), "67890");
    if one.find_or_create(&noor).await?.id() == id {
        return Err(BrokenRule::new(
            Rule::OtherSubjectOtherUser,
            format!("another user than {id:?} for another id of the same issuer"),
            "the same user",
        ));
    }
    let elsewhere = Subject::new(fresh_issuer(), alex.id());
    if one.find_or_create(&elsewhere).await?.id() == id {
        return Err(BrokenRule::new(
            Rule::OtherIssuerOtherUser,
            format!("another user than {id:?} for the same id of another issuer"),
            "the same user",
        ));
    }
    Ok(())
}

pub(super) async fn check_first_logins_at_once<S: IdentityStore>(
    handles: &Handles<S>,
) -> Result<(), BrokenRule> {
    for _ in 0..FIRST_LOGIN_ROUNDS {
        check_first_logins_of_one_subject(handles).await?;
    }
    Ok(())
}

async fn check_first_logins_of_one_subject<S: IdentityStore>(
    handles: &Handles<S>,
) -> Result<(), BrokenRule> {
    let alex = fresh_subject();
    let logins = (0..FIRST_LOGINS).map(|turn| {
        let (handle, alex) = (handles.turn(turn), alex.clone());
        async move { Ok(handle.find_or_create(&alex).await?.id()) }
    });
    let broken = |seen: String| {
        let expected = format!("one user of {FIRST_LOGINS} first logins at once");
        Err(BrokenRule::new(Rule::FirstLoginsAtOnce, expected, seen))
    };
    let mut ids = match at_once(logins).await {
        Ok(ids) => ids,
        // Most likely the unique index, which the second one hit.
        Err(error) if error.rule() == Rule::Answers => return broken(error.seen().to_owned()),
        Err(error) => return Err(error),
    };
    ids.push(handles.one.find_or_create(&alex).await?.id());
    ids.sort();
    ids.dedup();
    match ids.len() {
        1 => Ok(()),
        users => broken(format!("{users} users")),
    }
}

pub(super) async fn check_log_out_subject<S: IdentityStore>(
    handles: &Handles<S>,
) -> Result<(), BrokenRule> {
    let store = &handles.one;
    let broken = |expected: &str, seen: String| {
        let rule = Rule::LogOutSubjectReturnsItsUsers;
        Err(BrokenRule::new(rule, expected, seen))
    };
    let unknown = fresh_subject();
    // The second time shows whether the first made a user.
    for time in ["first", "second"] {
        let users = store.log_out_subject(&unknown).await?;
        if !users.is_empty() {
            let expected = "`log_out_subject` of a subject without a user to return nothing";
            return broken(expected, format!("{users:?} the {time} time"));
        }
    }
    let user = store.find_or_create(&unknown).await?;
    if let Some(stamp) = user.logged_out_at() {
        let expected = "`log_out_subject` of a subject without a user to leave no trace";
        return broken(expected, format!("{stamp:?} at the first login later"));
    }
    let users = store.log_out_subject(&unknown).await?;
    if users != [user.id()] {
        let expected = format!(
            "{:?} from `log_out_subject`, the user that it has",
            [user.id()]
        );
        return broken(&expected, format!("{users:?}"));
    }
    // The next login leaves the stamp as it is.
    let stamp = store.logged_out_at(&user.id()).await?;
    let found = store.find_or_create(&unknown).await?.logged_out_at();
    kept(stamp, found, "find_or_create")?;
    let loaded = store.logged_out_at(&user.id()).await?;
    kept(stamp, loaded, "load")
}

/// A subject that is revoked as a key is not a user who is logged out, nor the other way round.
pub(super) async fn check_subject_keys<S: IdentityStore>(
    handles: &Handles<S>,
) -> Result<(), BrokenRule> {
    let store = &handles.one;
    let SubjectTarget { subject, user_id } = new_user(handles).await?;
    let keep_until = KeyTarget::new(store).await?.keep_until;
    let keys = [
        RevocationKey::Subject(subject.clone()),
        RevocationKey::UnknownSubject(subject.clone()),
    ];
    let broken = |expected: &str, seen: String| {
        Err(BrokenRule::new(Rule::RevocationEndsOneKey, expected, seen))
    };
    store.log_out_subject(&subject).await?;
    for key in &keys {
        if let Some(stamp) = store.revoked_at(key).await? {
            let expected = "`log_out_subject` to revoke no key";
            return broken(expected, format!("{stamp:?} of the {}", key.kind()));
        }
    }
    let before = store.logged_out_at(&user_id).await?;
    store.revoke(&keys, keep_until).await?;
    let after = store.logged_out_at(&user_id).await?;
    if after != before {
        let expected = "`logged_out_at` of a user to stay when a key of the subject is revoked";
        return broken(expected, written(after));
    }
    Ok(())
}

pub(super) async fn check_any_subject<S: IdentityStore>(
    handles: &Handles<S>,
) -> Result<(), BrokenRule> {
    let store = &handles.one;
    let issuer = fresh_issuer();
    let broken = |id: &str, expected: &str, seen: String| {
        let expected = format!("{expected}, for the subject {}", shown(id));
        BrokenRule::new(Rule::AnySubject, expected, seen)
    };
    let mut users: Vec<(String, String)> = Vec::new();
    for id in odd_ids() {
        let subject = Subject::new(&issuer, &id);
        let user = match store.find_or_create(&subject).await {
            Ok(user) => user.id(),
            Err(error) if error.rule() == Rule::Answers => {
                return Err(broken(&id, "a user", error.seen().to_owned()));
            }
            Err(error) => return Err(error),
        };
        if let Some((_, other)) = users.iter().find(|(other, _)| *other == user) {
            let seen = format!("the user of the subject {}", shown(other));
            return Err(broken(&id, "a user of its own", seen));
        }
        let again = store.find_or_create(&subject).await?.id();
        if again != user {
            return Err(broken(&id, "the same user again", format!("{again:?}")));
        }
        if store.load(&user).await?.is_none() {
            return Err(broken(
                &id,
                "`load` to find the user",
                "`Ok(None)`".to_owned(),
            ));
        }
        let logged_out = store.log_out_subject(&subject).await?;
        if logged_out != [user.as_str()] {
            let expected = "`log_out_subject` to find the user";
            return Err(broken(&id, expected, format!("{logged_out:?}")));
        }
        users.push((user, id));
    }

    // What no provider sends may be refused, but not be cut to another id.
    let longer = "x".repeat(9_999);
    for id in [
        "alex\0",
        "alex\0x",
        &format!("{longer}x"),
        &format!("{longer}y"),
    ] {
        let subject = Subject::new(&issuer, id);
        if let Ok(found) = store.store().log_out_subject(&subject).await
            && !found.is_empty()
        {
            return Err(broken(id, "no user yet", format!("{found:?}")));
        }
        let Ok(Some(user)) = store.store().find_or_create(&profile(&subject)).await else {
            continue;
        };
        if let Some((_, other)) = users.iter().find(|(other, _)| *other == user.id()) {
            let seen = format!("the user of the subject {}", shown(other));
            return Err(broken(id, "a user of its own or an error", seen));
        }
        users.push((user.id(), id.to_owned()));
    }
    Ok(())
}
