//! `standing`, which says in one answer what three others say.

use super::{
    BrokenRule, Rule,
    handle::Handles,
    person::{fresh_person, fresh_session},
    whose::Whose,
};
use crate::{LoginReference, Standing, User as _, UserStore};

pub(super) async fn check_standing<S: UserStore>(handles: &Handles<S>) -> Result<(), BrokenRule> {
    let Handles { one, other } = handles;
    let broken = |expected: String, seen: String| {
        Err(BrokenRule::new(
            Rule::StandingAgreesWithTheOthers,
            expected,
            seen,
        ))
    };
    let session = fresh_session();
    let nobody = fresh_person();
    let unknown = format!("nobody {:032x}", rand::random::<u128>());
    for asked in [None, Some(&session)] {
        let login = LoginReference::new(&unknown, &nobody).in_session(asked);
        if let Some(standing) = one.standing(login).await? {
            let expected = format!("`None` for {unknown:?}, who is nobody");
            return broken(expected, format!("the user {:?}", standing.user.id()));
        }
    }

    let whose = Whose::person(one).await?;
    let Whose::Person(person, id) = &whose else {
        return Ok(());
    };
    // Before any logout, after the person's, after the session's, and after both again: each by
    // one handle, and seen by the other.
    for turn in 0..4 {
        match turn {
            1 => drop(whose.log_out(one).await?),
            2 => drop(one.log_out_session(&session).await?),
            3 => {
                whose.log_out(other).await?;
                other.log_out_session(&session).await?;
            }
            _ => {}
        }
        let store = handles.turn(turn + 1);
        for asked in [None, Some(&session)] {
            let login = LoginReference::new(id, person).in_session(asked);
            let before = handles.turn(turn).now().await?;
            let Some(standing) = store.standing(login).await? else {
                return broken(
                    format!("the user {id:?}, who has logged in"),
                    "`None`".into(),
                );
            };
            let Standing {
                user,
                session_logged_out_at,
                now,
            } = standing;
            let after = handles.turn(turn).now().await?;
            if now < before || now > after {
                let expected = format!("`now` between {before:?} and {after:?}, as the clock is");
                return broken(expected, format!("{now:?}"));
            }
            if user.id() != *id {
                let expected = format!("the user {id:?}");
                return broken(expected, format!("the user {:?}", user.id()));
            }
            let loaded = store.logged_out_at(id).await?;
            if user.logged_out_at() != loaded {
                let expected = format!("{} as `load` has it", whose.written(loaded));
                return broken(expected, whose.written(user.logged_out_at()));
            }
            let ended = match asked {
                Some(session) => store.session_logged_out_at(session).await?,
                None => None,
            };
            if session_logged_out_at != ended {
                let whose = Whose::Session(session.clone());
                let asked = if asked.is_some() { "that" } else { "no" };
                let expected = format!("{} for {asked} session", whose.written(ended));
                return broken(expected, whose.written(session_logged_out_at));
            }
        }
    }
    Ok(())
}
