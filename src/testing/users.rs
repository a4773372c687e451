//! Who is whose user: finding, creating, loading.

use super::{
    BrokenRule, Rule,
    handle::{Handles, described},
    person::{fresh_issuer, fresh_person},
    tasks::at_once,
};
use crate::{Subject, User as _, UserStore};

/// How many log in for the first time at once.
const FIRST_LOGINS: usize = 20;
/// How many people do: a race that one misses another meets.
const FIRST_LOGIN_ROUNDS: usize = 10;

pub(super) async fn check_people<S: UserStore>(handles: &Handles<S>) -> Result<(), BrokenRule> {
    let Handles { one, other } = handles;
    let alex = fresh_person();
    let user = one.log_in(&alex).await?;
    let id = user.id();
    if let Some(stamp) = user.logged_out_at() {
        return Err(BrokenRule::new(
            Rule::NewUserWasNeverLoggedOut,
            "`logged_out_at` of a new user to be `None`",
            format!("{stamp:?}"),
        ));
    }

    for handle in [one, other] {
        let again = handle.log_in(&alex).await?.id();
        if again != id {
            return Err(BrokenRule::new(
                Rule::SamePersonSameUser,
                format!("the user {id:?} at the next login"),
                format!("the user {again:?}"),
            ));
        }
    }

    let noor = Subject::new(alex.issuer(), "67890");
    if one.log_in(&noor).await?.id() == id {
        return Err(BrokenRule::new(
            Rule::OtherPersonOtherUser,
            format!("another user than {id:?} for another id of the same issuer"),
            "the same user",
        ));
    }
    let elsewhere = Subject::new(fresh_issuer(), alex.id());
    if one.log_in(&elsewhere).await?.id() == id {
        return Err(BrokenRule::new(
            Rule::OtherIssuerOtherUser,
            format!("another user than {id:?} for the same id of another issuer"),
            "the same user",
        ));
    }

    for handle in [one, other] {
        let loaded = handle.load(&id).await?.map(|user| user.id());
        if loaded.as_ref() != Some(&id) {
            return Err(BrokenRule::new(
                Rule::LoadFindsByUserId,
                format!("the user {id:?} from `load`"),
                format!("{loaded:?}"),
            ));
        }
    }
    Ok(())
}

pub(super) async fn check_unknown_ids<S: UserStore>(
    handles: &Handles<S>,
) -> Result<(), BrokenRule> {
    let store = &handles.one;
    let id = store.log_in(&fresh_person()).await?.id();
    let random = rand::random::<u128>();
    // No plain numbers: on a shared database somebody may be 1.
    let unknown = [
        String::new(),
        " ".to_owned(),
        "99999999999999999999999999".to_owned(),
        "-99999999999999999999999999".to_owned(),
        format!("nobody {random:032x}"),
        format!("жук 🐞 {random:032x}"),
        "' or ''='".to_owned(),
        "1 or 1=1".to_owned(),
        "%".to_owned(),
        format!("{id} or 1=1"),
        format!("{id}'; --"),
        "x".repeat(10_000),
    ];
    for unknown in unknown {
        let seen = match store.store().load(&unknown).await {
            Ok(None) => continue,
            Ok(Some(user)) => format!("the user {:?}", user.id()),
            Err(error) => described(&error),
        };
        return Err(BrokenRule::new(
            Rule::UnknownIdIsNobody,
            format!("`load({})` to be `Ok(None)`", shown(&unknown)),
            seen,
        ));
    }
    // Some databases cannot bear this character. It may be refused, but not be overlooked.
    let cut = format!("{id}\0");
    if let Ok(Some(user)) = store.store().load(&cut).await {
        return Err(BrokenRule::new(
            Rule::UnknownIdIsNobody,
            format!("`load({})` to be `Ok(None)` or an error", shown(&cut)),
            format!("the user {:?}", user.id()),
        ));
    }
    Ok(())
}

pub(super) async fn check_any_subject<S: UserStore>(
    handles: &Handles<S>,
) -> Result<(), BrokenRule> {
    let store = &handles.one;
    let issuer = fresh_issuer();
    let longest = "x".repeat(254);
    // Pairs that only a careless comparison takes for one. 255 characters are the most that
    // OpenID Connect allows.
    let ids = [
        "",
        " ",
        "0",
        "00",
        "alex",
        "Alex",
        "alex ",
        "e",
        "é",
        "e\u{301}",
        "жук 🐞",
        "1' or '1'='1",
        "\"; drop table users; --",
        "%",
        "_",
        "\\",
        &format!("{longest}x"),
        &format!("{longest}y"),
    ];
    let broken = |id: &str, expected: &str, seen: String| {
        let expected = format!("{expected}, for the person {}", shown(id));
        BrokenRule::new(Rule::AnySubject, expected, seen)
    };
    let mut users: Vec<(String, String)> = Vec::new();
    for id in ids {
        let person = Subject::new(&issuer, id);
        let user = match store.log_in(&person).await {
            Ok(user) => user.id(),
            Err(error) if error.rule() == Rule::Answers => {
                return Err(broken(id, "a user", error.seen().to_owned()));
            }
            Err(error) => return Err(error),
        };
        if let Some((_, other)) = users.iter().find(|(other, _)| *other == user) {
            let seen = format!("the user of the person {}", shown(other));
            return Err(broken(id, "a user of their own", seen));
        }
        let again = store.log_in(&person).await?.id();
        if again != user {
            return Err(broken(id, "the same user again", format!("{again:?}")));
        }
        if store.load(&user).await?.is_none() {
            return Err(broken(id, "`load` to find them", "`Ok(None)`".to_owned()));
        }
        if !store.log_out(&person).await? {
            return Err(broken(id, "`log_out` to find them", "`false`".to_owned()));
        }
        users.push((user, id.to_owned()));
    }

    // What no provider gives may be refused, but not be cut to somebody else.
    let longer = "x".repeat(9_999);
    for id in [
        "alex\0",
        "alex\0x",
        &format!("{longer}x"),
        &format!("{longer}y"),
    ] {
        let person = Subject::new(&issuer, id);
        if let Ok(true) = store.store().log_out(&person).await {
            let seen = "that `log_out` found somebody".to_owned();
            return Err(broken(id, "nobody yet", seen));
        }
        let Ok(Some(user)) = store.store().log_in(&super::person::profile(&person)).await else {
            continue;
        };
        if let Some((_, other)) = users.iter().find(|(other, _)| *other == user.id()) {
            let seen = format!("the user of the person {}", shown(other));
            return Err(broken(id, "a user of their own or an error", seen));
        }
        users.push((user.id(), id.to_owned()));
    }
    Ok(())
}

pub(super) async fn check_first_logins_at_once<S: UserStore>(
    handles: &Handles<S>,
) -> Result<(), BrokenRule> {
    for _ in 0..FIRST_LOGIN_ROUNDS {
        check_first_logins_of_one_person(handles).await?;
    }
    Ok(())
}

async fn check_first_logins_of_one_person<S: UserStore>(
    handles: &Handles<S>,
) -> Result<(), BrokenRule> {
    let alex = fresh_person();
    let logins = (0..FIRST_LOGINS).map(|turn| {
        let (handle, alex) = (handles.turn(turn), alex.clone());
        async move { Ok(handle.log_in(&alex).await?.id()) }
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
    ids.push(handles.one.log_in(&alex).await?.id());
    ids.sort();
    ids.dedup();
    match ids.len() {
        1 => Ok(()),
        users => broken(format!("{users} users")),
    }
}

/// An id as a message shows it: what is long is cut.
pub(super) fn shown(id: &str) -> String {
    let start: String = id.chars().take(40).collect();
    match id.chars().count() {
        0..=40 => format!("{id:?}"),
        length => format!("{start:?}… ({length} characters)"),
    }
}
