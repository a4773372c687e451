//! The rules of the contract, in words.

use std::fmt;

/// A rule that every [`UserStore`](crate::UserStore) must keep. `Display` says it in words.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Rule {
    /// The store opens, and answers every call in time and without an error.
    Answers,
    /// `log_in` lets the made-up people of the kit in.
    LetsPeopleIn,
    /// A user who was never logged out has no `logged_out_at`.
    NewUserWasNeverLoggedOut,
    /// The same person logs in as the same user, whichever handle is asked.
    SamePersonSameUser,
    /// Two people of one issuer are two users.
    OtherPersonOtherUser,
    /// The same id at two issuers is two people.
    OtherIssuerOtherUser,
    /// `load` finds a user by what `User::id` gave.
    LoadFindsByUserId,
    /// An id that nobody has loads nobody, and is no error.
    UnknownIdIsNobody,
    /// First logins of one person at once make one user.
    FirstLoginsAtOnce,
    /// The clock is later at each read.
    ClockRises,
    /// Two handles of one store have one clock.
    OneClock,
    /// Logging out somebody who is not here says so, and leaves nothing behind.
    LogOutOfNobody,
    /// A logout ends every login from before it.
    LogOutEndsLoginsBefore,
    /// A login that begins after a logout is valid, however soon.
    LoginAfterLogOutWorks,
    /// Each logout is later than the one before.
    LogOutOnlyRises,
    /// Ids of people are any text, and differ wherever a character does.
    AnySubject,
    /// A login leaves `logged_out_at` alone, and hands it out as it is.
    LoginKeepsLogOut,
    /// A logout ends the logins of nobody else.
    LogOutEndsOnePerson,
    /// Once a logout is answered, every handle sees it.
    EveryHandleSeesLogOut,
    /// Of logouts at once, each raises the stamp.
    LogOutsAtOnce,
    /// A logout ends the logins that are made while it waits for its turn, too.
    LogOutEndsLoginsItFinds,
    /// `standing` says what `load`, `session_logged_out_at` and `now` say.
    StandingAgreesWithTheOthers,
    /// `log_out_session` is always `true`, or always `false` with nothing kept.
    SessionsKeptOrNot,
    /// A session that nobody logged out has no `session_logged_out_at`.
    UnknownSessionIsNotLoggedOut,
    /// A session's logout ends every login from before it.
    SessionLogOutEndsLoginsBefore,
    /// A login that begins after a session's logout is valid, however soon.
    LoginAfterSessionLogOutWorks,
    /// Each logout of a session is later than the one before.
    SessionLogOutOnlyRises,
    /// A session's logout ends no other session and no person's logins.
    SessionLogOutEndsOne,
    /// Ids of sessions are any text, and differ wherever a character does.
    AnySession,
    /// Once a session's logout is answered, every handle sees it.
    EveryHandleSeesSessionLogOut,
    /// Of logouts of a session at once, each raises the stamp.
    SessionLogOutsAtOnce,
    /// A call that is dropped, at whatever await, leaves nothing locked.
    DroppedCallLeavesNoLock,
    /// A call that is dropped has written everything or nothing.
    DroppedCallIsWholeOrUndone,
}

impl Rule {
    /// Every rule, in the order in which they are checked.
    pub const ALL: &[Rule] = &[
        Self::Answers,
        Self::LetsPeopleIn,
        Self::NewUserWasNeverLoggedOut,
        Self::SamePersonSameUser,
        Self::OtherPersonOtherUser,
        Self::OtherIssuerOtherUser,
        Self::LoadFindsByUserId,
        Self::UnknownIdIsNobody,
        Self::FirstLoginsAtOnce,
        Self::ClockRises,
        Self::OneClock,
        Self::LogOutOfNobody,
        Self::LogOutEndsLoginsBefore,
        Self::LoginAfterLogOutWorks,
        Self::LogOutOnlyRises,
        Self::AnySubject,
        Self::LoginKeepsLogOut,
        Self::LogOutEndsOnePerson,
        Self::EveryHandleSeesLogOut,
        Self::LogOutsAtOnce,
        Self::LogOutEndsLoginsItFinds,
        Self::StandingAgreesWithTheOthers,
        Self::SessionsKeptOrNot,
        Self::UnknownSessionIsNotLoggedOut,
        Self::SessionLogOutEndsLoginsBefore,
        Self::LoginAfterSessionLogOutWorks,
        Self::SessionLogOutOnlyRises,
        Self::SessionLogOutEndsOne,
        Self::AnySession,
        Self::EveryHandleSeesSessionLogOut,
        Self::SessionLogOutsAtOnce,
        Self::DroppedCallLeavesNoLock,
        Self::DroppedCallIsWholeOrUndone,
    ];

    /// The rule in words, and what to do where it is broken.
    const fn words(self) -> (&'static str, &'static str) {
        match self {
            Self::Answers => (
                "a store opens, and answers every call in time and without an error",
                "Mend what the error names; if it took too long, look for a lock that is never \
                 given back or a pool that is too small.",
            ),
            Self::LetsPeopleIn => (
                "`log_in` lets the made-up people of this kit in",
                "Open the store for this test so that it turns nobody away.",
            ),
            Self::NewUserWasNeverLoggedOut => (
                "a user who was never logged out has no `logged_out_at`",
                "Leave the column null until the first `log_out`.",
            ),
            Self::SamePersonSameUser => (
                "the same person logs in as the same user, whichever handle is asked",
                "Find the user by issuer and id of the subject, in the storage that all share.",
            ),
            Self::OtherPersonOtherUser => (
                "two people of one issuer are two users",
                "Find the user by the id of the subject too, and give no `User::id` twice.",
            ),
            Self::OtherIssuerOtherUser => (
                "the same id at two issuers is two people",
                "Make issuer and id unique together, and look for both.",
            ),
            Self::LoadFindsByUserId => (
                "`load` finds a user by what `User::id` gave",
                "Let `load` read the form that `User::id` writes.",
            ),
            Self::UnknownIdIsNobody => (
                "an id that nobody has loads nobody, and is no error",
                "Answer an id that cannot be read with `Ok(None)`, compare ids whole, and bind \
                 them instead of pasting them into the statement.",
            ),
            Self::AnySubject => (
                "ids of people are any text, and differ wherever a character does",
                "Keep ids as text of at least 255 characters, never cut, with a binary collation \
                 (case, accents and spaces at the end count), and bind them.",
            ),
            Self::FirstLoginsAtOnce => (
                "first logins of one person at once make one user",
                "Find or create in one step: a unique index with `insert … on conflict do update`, \
                 or one lock around both.",
            ),
            Self::ClockRises => (
                "the clock is later at each read",
                "Answer `now` in whole microseconds, from a clock that is read anew each time, or \
                 keep the last stamp and go on above it, as `Timestamp::now` does.",
            ),
            Self::OneClock => (
                "two handles of one store have one clock",
                "Answer `now` with the clock of the database that they share.",
            ),
            Self::LogOutOfNobody => (
                "logging out somebody who is not here is `false`, and leaves nothing behind",
                "Let `log_out` only change what is there, and answer whether it changed anything.",
            ),
            Self::LogOutEndsLoginsBefore => (
                "a logout is `true` and ends every login from before it",
                "Write the time of `now`, in microseconds, read while `log_out` runs.",
            ),
            Self::LoginAfterLogOutWorks => (
                "a login that begins after a logout is valid, however soon",
                "Write no later time than `now` gives: the same clock, as fine, in microseconds.",
            ),
            Self::LogOutOnlyRises => (
                "each logout of a person is later than the one before",
                "Write the later of now and one microsecond after the logout before, as \
                 `Timestamp::raised_above` does.",
            ),
            Self::LoginKeepsLogOut => (
                "a login leaves `logged_out_at` alone, and hands it out as it is",
                "Leave the column out of what `log_in` writes, and read it for what it answers.",
            ),
            Self::LogOutEndsOnePerson => (
                "a logout ends the logins of nobody else",
                "Change only where both issuer and id are the subject's.",
            ),
            Self::EveryHandleSeesLogOut => (
                "once a logout is answered, every handle sees it",
                "Commit before `log_out` answers, and put no cache and no lagging replica behind \
                 `load`.",
            ),
            Self::LogOutsAtOnce => (
                "of logouts at once each raises the stamp, and nobody ever sees it fall",
                "Read and write the stamp in one atomic step: one `update` statement, or one lock \
                 around both.",
            ),
            Self::LogOutEndsLoginsItFinds => (
                "a logout ends the logins that are made while it waits for its turn, too",
                "Read the clock in `log_out` only once nothing else can write: after the lock is \
                 had, or in the statement itself. And let `log_in` write, or lock what it reads.",
            ),
            Self::StandingAgreesWithTheOthers => (
                "`standing` says in one answer what `load`, `session_logged_out_at` and `now` say",
                "Read the same columns and the same clock as they do, or leave `standing` as it \
                 stands.",
            ),
            Self::SessionsKeptOrNot => (
                "a store keeps the ends of providers' sessions, or says `false` and keeps none",
                "Write both methods, `log_out_session` and `session_logged_out_at`, or neither.",
            ),
            Self::UnknownSessionIsNotLoggedOut => (
                "a session that nobody logged out has no `session_logged_out_at`",
                "Answer `Ok(None)` where there is no row.",
            ),
            Self::SessionLogOutEndsLoginsBefore => (
                "a session's logout is `true` and ends every login from before it",
                "Write the time of `now`, in microseconds, read while `log_out_session` runs.",
            ),
            Self::LoginAfterSessionLogOutWorks => (
                "a login that begins after a session's logout is valid, however soon",
                "Write no later time than `now` gives to `log_out_session` either.",
            ),
            Self::SessionLogOutOnlyRises => (
                "each logout of a session is later than the one before",
                "Write the later of now and one microsecond after the session's logout before.",
            ),
            Self::SessionLogOutEndsOne => (
                "a session's logout ends no other session, and a person's logout no session",
                "Find the session by issuer and id, in a table of its own.",
            ),
            Self::AnySession => (
                "ids of sessions are any text, and differ wherever a character does",
                "Keep them as those of people: 255 characters, never cut, a binary collation.",
            ),
            Self::EveryHandleSeesSessionLogOut => (
                "once a session's logout is answered, every handle sees it",
                "Commit before `log_out_session` answers, and put no cache and no lagging replica \
                 behind `session_logged_out_at`.",
            ),
            Self::SessionLogOutsAtOnce => (
                "of a session's logouts at once each raises the stamp, and nobody sees it fall",
                "Read and write the session's stamp in one atomic step: `insert … on conflict do \
                 update`, or one lock around both.",
            ),
            Self::DroppedCallLeavesNoLock => (
                "a call that is dropped, at whatever await, leaves nothing locked",
                "Hold locks, permits and connections by guards that release them on drop. With \
                 sqlx and SQLite begin by `begin` and take the lock with a first write: \
                 `begin_with` leaves the lock behind when it is dropped.",
            ),
            Self::DroppedCallIsWholeOrUndone => (
                "a call that is dropped has written everything or nothing",
                "Write in one statement or one transaction, or without an await between the \
                 first change and the last.",
            ),
        }
    }

    pub(super) const fn remedy(self) -> &'static str {
        self.words().1
    }
}

impl fmt::Display for Rule {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.words().0)
    }
}
