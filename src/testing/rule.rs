//! The rules of the contract, in words.

use std::fmt;

/// A rule that a [`UserStore`](crate::UserStore) or [`IdentityStore`](crate::IdentityStore) must
/// keep. `Display` says it in words.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Rule {
    /// The store opens, and answers every call in time and without an error.
    Answers,
    /// `find_or_create` and `log_in` admit the made-up users of the kit.
    AdmitsUsers,
    /// A user who was never logged out has no `logged_out_at`.
    NewUserWasNeverLoggedOut,
    /// The same subject stands for the same user, at each login and for each handle.
    SameSubjectSameUser,
    /// Two ids of one issuer are two users.
    OtherSubjectOtherUser,
    /// The same id at two issuers is two users.
    OtherIssuerOtherUser,
    /// First logins of one subject at once make one user.
    FirstLoginsAtOnce,
    /// `load` and `log_in` find a user by what `User::id` returned.
    FindsByUserId,
    /// An id that no user has is no user, and no error.
    UnknownIdIsNoUser,
    /// The clock is later at each read.
    ClockRises,
    /// Two handles of one store have one clock.
    OneClock,
    /// Logging out an id that no user has is `false`, and no error.
    LogOutOfUnknownUser,
    /// A logout ends every login from before it.
    LogOutEndsLoginsBefore,
    /// A login that begins after a logout is valid, however soon.
    LoginAfterLogOutWorks,
    /// Each logout is later than the one before.
    LogOutOnlyRises,
    /// A login leaves `logged_out_at` alone, and returns it as it is.
    LoginKeepsLogOut,
    /// A logout ends the logins of no other user.
    LogOutEndsOneUser,
    /// Once a logout is answered, every handle sees it.
    EveryHandleSeesLogOut,
    /// Of logouts at once, each raises the stamp.
    LogOutsAtOnce,
    /// A logout ends the logins that are made while it waits for its turn, too.
    LogOutEndsLoginsItFinds,
    /// `check_login` returns what `load`, `revoked_at` and `now` return.
    CheckAgreesWithTheOthers,
    /// A store keeps revocations, or answers `keeps_revocations` with `false` and returns none.
    RevocationsKeptOrNot,
    /// A key that was never revoked has no `revoked_at`.
    UnknownKeyIsNotRevoked,
    /// One call of `revoke` records all its keys.
    RevokesEveryKey,
    /// A revocation ends every login from before it.
    RevocationEndsLoginsBefore,
    /// A login that begins after a revocation is valid, however soon.
    LoginAfterRevocationWorks,
    /// Each revocation of a key is later than the one before.
    RevocationOnlyRises,
    /// A revocation ends no other key and no user, and the logout of a user no key.
    RevocationEndsOneKey,
    /// Ids of keys are any text, and differ wherever a character does.
    AnyKey,
    /// Once a revocation is answered, every handle sees it.
    EveryHandleSeesRevocation,
    /// Of revocations of a key at once, each raises the stamp.
    RevocationsAtOnce,
    /// A revocation is kept until the latest `keep_until` that it was given.
    RevocationIsKept,
    /// `log_out_subject` logs out the users of a subject, and returns their ids.
    LogOutSubjectReturnsItsUsers,
    /// Ids of subjects are any text, and differ wherever a character does.
    AnySubject,
    /// A call that is dropped, at whatever await, leaves nothing locked.
    DroppedCallLeavesNoLock,
    /// A call that is dropped has written everything or nothing.
    DroppedCallIsWholeOrUndone,
}

impl Rule {
    /// Every rule, in the order in which they are checked.
    pub const ALL: &[Rule] = &[
        Self::Answers,
        Self::AdmitsUsers,
        Self::NewUserWasNeverLoggedOut,
        Self::SameSubjectSameUser,
        Self::OtherSubjectOtherUser,
        Self::OtherIssuerOtherUser,
        Self::FirstLoginsAtOnce,
        Self::FindsByUserId,
        Self::UnknownIdIsNoUser,
        Self::ClockRises,
        Self::OneClock,
        Self::LogOutOfUnknownUser,
        Self::LogOutEndsLoginsBefore,
        Self::LoginAfterLogOutWorks,
        Self::LogOutOnlyRises,
        Self::LoginKeepsLogOut,
        Self::LogOutEndsOneUser,
        Self::EveryHandleSeesLogOut,
        Self::LogOutsAtOnce,
        Self::LogOutEndsLoginsItFinds,
        Self::RevocationsKeptOrNot,
        Self::CheckAgreesWithTheOthers,
        Self::UnknownKeyIsNotRevoked,
        Self::RevokesEveryKey,
        Self::RevocationEndsLoginsBefore,
        Self::LoginAfterRevocationWorks,
        Self::RevocationOnlyRises,
        Self::RevocationEndsOneKey,
        Self::AnyKey,
        Self::EveryHandleSeesRevocation,
        Self::RevocationsAtOnce,
        Self::RevocationIsKept,
        Self::LogOutSubjectReturnsItsUsers,
        Self::AnySubject,
        Self::DroppedCallLeavesNoLock,
        Self::DroppedCallIsWholeOrUndone,
    ];

    /// The rule in words, and what to do where it is broken.
    const fn words(self) -> (&'static str, &'static str) {
        match self {
            Self::Answers => (
                "a store opens, and answers every call in time and without an error",
                "Correct what the error names; if it took too long, look for a lock that is \
                 never released or a pool that is too small.",
            ),
            Self::AdmitsUsers => (
                "`find_or_create` and `log_in` admit the made-up users of this kit",
                "Open the store for this test so that it turns no user away.",
            ),
            Self::NewUserWasNeverLoggedOut => (
                "a user who was never logged out has no `logged_out_at`",
                "Leave the column null until the first `log_out`.",
            ),
            Self::SameSubjectSameUser => (
                "the same subject stands for the same user, whichever handle is asked",
                "Find the user by issuer and id of the subject, in the storage that all share.",
            ),
            Self::OtherSubjectOtherUser => (
                "two ids of one issuer are two users",
                "Find the user by the id of the subject too, and give no `User::id` twice.",
            ),
            Self::OtherIssuerOtherUser => (
                "the same id at two issuers is two users",
                "Make issuer and id unique together, and look for both.",
            ),
            Self::FirstLoginsAtOnce => (
                "first logins of one subject at once make one user",
                "Find or create in one step: a unique index with `insert … on conflict do \
                 update`, or one lock around both.",
            ),
            Self::FindsByUserId => (
                "`load` and `log_in` find a user by what `User::id` returned",
                "Let both read the form that `User::id` writes.",
            ),
            Self::UnknownIdIsNoUser => (
                "an id that no user has finds no user, and is no error",
                "Return `Ok(None)` for an id that cannot be read, compare ids whole, and bind \
                 them instead of pasting them into the statement.",
            ),
            Self::ClockRises => (
                "the clock is later at each read",
                "Return `now` in whole microseconds, from a clock that is read anew each time, or \
                 keep the last stamp and go on above it, as `Timestamp::now` does.",
            ),
            Self::OneClock => (
                "two handles of one store have one clock",
                "Return `now` by the clock of the database that they share.",
            ),
            Self::LogOutOfUnknownUser => (
                "logging out an id that no user has is `false`, and no error",
                "Let `log_out` only change what is there, and return whether it changed anything.",
            ),
            Self::LogOutEndsLoginsBefore => (
                "a logout finds its user and ends every login from before it",
                "Write the time of `now`, in microseconds, read while `log_out` runs.",
            ),
            Self::LoginAfterLogOutWorks => (
                "a login that begins after a logout is valid, however soon",
                "Write no later time than `now` returns: the same clock, as fine, in microseconds.",
            ),
            Self::LogOutOnlyRises => (
                "each logout of a user is later than the one before",
                "Write the later of now and one microsecond after the logout before, as \
                 `Timestamp::raised_above` does.",
            ),
            Self::LoginKeepsLogOut => (
                "a login leaves `logged_out_at` alone, and returns it as it is",
                "Leave the column out of what `log_in` and `find_or_create` write, and read it \
                 for what they return.",
            ),
            Self::LogOutEndsOneUser => (
                "a logout ends the logins of no other user",
                "Change only the row of the id, or where both issuer and id are those of the \
                 subject.",
            ),
            Self::EveryHandleSeesLogOut => (
                "once a logout is answered, every handle sees it",
                "Commit before `log_out` answers, and put no cache and no lagging replica behind \
                 `load`.",
            ),
            Self::LogOutsAtOnce => (
                "of logouts at once each raises the stamp, and no read ever sees it fall",
                "Read and write the stamp in one atomic step: one `update` statement, or one \
                 lock around both.",
            ),
            Self::LogOutEndsLoginsItFinds => (
                "a logout ends the logins that are made while it waits for its turn, too",
                "Read the clock in `log_out` only once nothing else can write: after the lock \
                 is acquired, or in the statement itself. And let `log_in` write.",
            ),
            Self::CheckAgreesWithTheOthers => (
                "`check_login` returns in one answer what `load`, `revoked_at` and `now` return",
                "Read the same columns and the same clock as they do, or leave `check_login` to \
                 its default.",
            ),
            Self::RevocationsKeptOrNot => (
                "a store keeps revocations, or answers `keeps_revocations` with `false` and \
                 returns none",
                "Write all of `keeps_revocations`, `revoke` and `revoked_at`, or none of them.",
            ),
            Self::UnknownKeyIsNotRevoked => (
                "a key that was never revoked has no `revoked_at`",
                "Return `Ok(None)` where there is no row.",
            ),
            Self::RevokesEveryKey => (
                "one call of `revoke` records all its keys, of which one may come twice",
                "Write every key, in one statement or one transaction.",
            ),
            Self::RevocationEndsLoginsBefore => (
                "a revocation ends every login from before it",
                "Write the time of `now`, in microseconds, read while `revoke` runs.",
            ),
            Self::LoginAfterRevocationWorks => (
                "a login that begins after a revocation is valid, however soon",
                "Write no later time than `now` returns in `revoke` either.",
            ),
            Self::RevocationOnlyRises => (
                "each revocation of a key is later than the one before",
                "Write the later of now and one microsecond after the revocation before.",
            ),
            Self::RevocationEndsOneKey => (
                "a revocation ends no other key and no user, and the logout of a user no key",
                "Find the row by kind, issuer and id of the key, in a table of its own.",
            ),
            Self::AnyKey => (
                "ids of keys are any text, and differ wherever a character does",
                "Keep them as those of subjects: 255 characters, never cut, a binary collation.",
            ),
            Self::EveryHandleSeesRevocation => (
                "once a revocation is answered, every handle sees it",
                "Commit before `revoke` returns, and put no cache and no lagging replica behind \
                 `revoked_at`.",
            ),
            Self::RevocationsAtOnce => (
                "of a key's revocations at once each raises the stamp, and no read sees it fall",
                "Read and write the stamp of the key in one atomic step: `insert … on conflict \
                 do update`, or one lock around both.",
            ),
            Self::RevocationIsKept => (
                "a revocation is kept until the latest `keep_until` that it was given",
                "Write the later of the `keep_until` there is and the new one, and remove a row \
                 only once that has passed.",
            ),
            Self::LogOutSubjectReturnsItsUsers => (
                "`log_out_subject` logs out the users of a subject and returns their ids: none \
                 for an unknown one, which leaves no trace",
                "Return `User::id` of each row that was changed, and create none.",
            ),
            Self::AnySubject => (
                "ids of subjects are any text, and differ wherever a character does",
                "Keep ids as text of at least 255 characters, never cut, with a binary \
                 collation (case, accents and spaces at the end count), and bind them.",
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
