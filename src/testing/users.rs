//! Finding users by their id.

use super::{
    BrokenRule, Rule,
    handle::{Handles, described},
    made_up::shown,
};
use crate::{LoginReference, User as _, UserStore};

/// A new user is found by every handle, and was never logged out.
pub(super) async fn check_new_user<S: UserStore>(
    handles: &Handles<S>,
    id: &str,
) -> Result<(), BrokenRule> {
    for handle in [&handles.one, &handles.other] {
        let loaded = handle.load(id).await?;
        let Some(user) = loaded.filter(|user| user.id() == id) else {
            return Err(BrokenRule::new(
                Rule::FindsByUserId,
                format!("the user {id:?} from `load`"),
                "another user or none",
            ));
        };
        if let Some(stamp) = user.logged_out_at() {
            return Err(BrokenRule::new(
                Rule::NewUserWasNeverLoggedOut,
                "`logged_out_at` of a new user to be `None`",
                format!("{stamp:?}"),
            ));
        }
        let logged_in = handle.log_in(id).await?.id();
        if logged_in != id {
            return Err(BrokenRule::new(
                Rule::FindsByUserId,
                format!("the user {id:?} from `log_in`"),
                format!("the user {logged_in:?}"),
            ));
        }
    }
    Ok(())
}

pub(super) async fn check_unknown_ids<S: UserStore>(
    handles: &Handles<S>,
    id: &str,
) -> Result<(), BrokenRule> {
    let store = handles.one.store();
    let random = rand::random::<u128>();
    // No plain numbers: in a shared database 1 may be a user.
    let unknown = [
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
    for unknown in unknown {
        let found = |user: Option<S::User>| user.map(|user| format!("the user {:?}", user.id()));
        let check = store.check_login(LoginReference::new(&unknown)).await;
        let calls = [
            ("load", store.load(&unknown).await.map(found)),
            ("log_in", store.log_in(&unknown).await.map(found)),
            ("check_login", check.map(|check| found(check?.user.into()))),
            (
                "log_out",
                store
                    .log_out(&unknown)
                    .await
                    .map(|known| known.then(|| "`true`".to_owned())),
            ),
        ];
        for (method, answer) in calls {
            let seen = match answer {
                Ok(None) => continue,
                Ok(Some(seen)) => seen,
                Err(error) => described(&error),
            };
            let rule = match method {
                "log_out" => Rule::LogOutOfUnknownUser,
                "check_login" => Rule::CheckAgreesWithTheOthers,
                _ => Rule::UnknownIdIsNoUser,
            };
            let expected = format!("`{method}({})` to find no user", shown(&unknown));
            return Err(BrokenRule::new(rule, expected, seen));
        }
    }
    // Some databases cannot keep this character. It may be refused, but not be cut off.
    let cut = format!("{id}\0");
    if let Ok(Some(user)) = store.load(&cut).await {
        return Err(BrokenRule::new(
            Rule::UnknownIdIsNoUser,
            format!("`load({})` to be `Ok(None)` or an error", shown(&cut)),
            format!("the user {:?}", user.id()),
        ));
    }
    Ok(())
}
