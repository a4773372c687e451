//! Sessions at providers: apart from each other, or not kept at all.

use super::{
    BrokenRule, Rule,
    handle::Handles,
    person::{fresh_issuer, fresh_session},
    users::shown,
};
use crate::{ProviderSession, Subject, UserStore};

/// Whether the store keeps sessions of providers, which it says to the first logout of one. One
/// that does not must have nothing of them ever.
pub(super) async fn check_sessions_kept_or_not<S: UserStore>(
    handles: &Handles<S>,
) -> Result<bool, BrokenRule> {
    let kept = handles.one.log_out_session(&fresh_session()).await?;
    for turn in 0..4 {
        let store = handles.turn(turn);
        let session = fresh_session();
        if store.log_out_session(&session).await? != kept {
            return Err(BrokenRule::new(
                Rule::SessionsKeptOrNot,
                format!("`{kept}` from each `log_out_session`, as from the first"),
                format!("`{}`", !kept),
            ));
        }
        let stamp = handles
            .turn(turn / 2)
            .session_logged_out_at(&session)
            .await?;
        if !kept && stamp.is_some() {
            return Err(BrokenRule::new(
                Rule::SessionsKeptOrNot,
                "no `session_logged_out_at` where `log_out_session` says `false`",
                format!("{stamp:?}"),
            ));
        }
    }
    Ok(kept)
}

pub(super) async fn check_unknown_session<S: UserStore>(
    handles: &Handles<S>,
) -> Result<(), BrokenRule> {
    for store in [&handles.one, &handles.other] {
        if let Some(stamp) = store.session_logged_out_at(&fresh_session()).await? {
            return Err(BrokenRule::new(
                Rule::UnknownSessionIsNotLoggedOut,
                "no `session_logged_out_at` of a session that nobody logged out",
                format!("{stamp:?}"),
            ));
        }
    }
    Ok(())
}

pub(super) async fn check_session_log_out_ends_one_session<S: UserStore>(
    handles: &Handles<S>,
) -> Result<(), BrokenRule> {
    let store = &handles.one;
    let broken =
        |expected: String, seen| Err(BrokenRule::new(Rule::SessionLogOutEndsOne, expected, seen));
    let session = fresh_session();
    let others = [
        ProviderSession::new(session.issuer(), "another"),
        ProviderSession::new(fresh_issuer(), session.id()),
    ];
    // A person who has the name of the session, and one beside.
    let people = [session.id(), "12345"].map(|id| Subject::new(session.issuer(), id));
    let mut users = Vec::new();
    for person in &people {
        users.push(crate::User::id(&store.log_in(person).await?));
    }
    store.log_out_session(&session).await?;
    for other in others {
        if let Some(stamp) = store.session_logged_out_at(&other).await? {
            let expected = format!("the session {} not to end", shown(other.id()));
            return broken(expected, format!("{stamp:?}"));
        }
    }
    for user in users {
        if let Some(stamp) = store.logged_out_at(&user).await? {
            let expected = "`logged_out_at` of a person to stay when a session ends";
            return broken(expected.to_owned(), format!("{stamp:?}"));
        }
    }
    let before = store.session_logged_out_at(&session).await?;
    for person in &people {
        store.log_out(person).await?;
    }
    let after = store.session_logged_out_at(&session).await?;
    if before != after {
        let expected = format!("{before:?} of a session to stay when a person is logged out");
        return broken(expected, format!("{after:?}"));
    }
    Ok(())
}

pub(super) async fn check_any_session<S: UserStore>(
    handles: &Handles<S>,
) -> Result<(), BrokenRule> {
    let store = &handles.one;
    let issuer = fresh_issuer();
    let longest = "x".repeat(254);
    // As of people: pairs that only a careless comparison takes for one.
    let ids = [
        "",
        " ",
        "0",
        "00",
        "abc",
        "Abc",
        "abc ",
        "e",
        "é",
        "e\u{301}",
        "жук 🐞",
        "1' or '1'='1",
        "%",
        "_",
        &format!("{longest}x"),
        &format!("{longest}y"),
    ];
    let broken = |id: &str, expected: &str, seen: String| {
        let expected = format!("{expected}, for the session {}", shown(id));
        Err(BrokenRule::new(Rule::AnySession, expected, seen))
    };
    for id in ids {
        let session = ProviderSession::new(&issuer, id);
        match store.session_logged_out_at(&session).await {
            Ok(None) => {}
            Ok(Some(_)) => return broken(id, "no end yet", "that of another".to_owned()),
            Err(error) => return broken(id, "an answer", error.seen().to_owned()),
        }
        match store.log_out_session(&session).await {
            Ok(true) => {}
            Ok(false) => return broken(id, "`true` from `log_out_session`", "`false`".to_owned()),
            Err(error) => return broken(id, "an answer", error.seen().to_owned()),
        }
        if store.session_logged_out_at(&session).await?.is_none() {
            return broken(id, "that it has ended", "no end".to_owned());
        }
    }
    Ok(())
}
