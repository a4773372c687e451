//! The rules of the contract, and the error of a store that breaks one.

use std::{error::Error, fmt};

/// What a check of the kit returns.
pub(super) type Result<T = (), E = BrokenRule> = std::result::Result<T, E>;

/// A rule that a store broke: which one, what the kit expected and what it saw instead.
///
/// `Display` says all of that, and what to do. So does `Debug`, as that is what a test shows
/// that unwraps it.
#[derive(Clone, PartialEq, Eq)]
pub struct BrokenRule {
    rule: Rule,
    expected: String,
    seen: String,
}

impl BrokenRule {
    /// Which rule it is.
    pub fn rule(&self) -> Rule {
        self.rule
    }

    /// What a store that keeps the rule would have done.
    pub fn expected(&self) -> &str {
        &self.expected
    }

    /// What this store did.
    pub fn seen(&self) -> &str {
        &self.seen
    }
}

impl fmt::Display for BrokenRule {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            rule,
            expected,
            seen,
        } = self;
        let (_, remedy) = rule.words();
        write!(
            formatter,
            "broken rule: {rule}. Expected: {expected}. Seen: {seen}. {remedy}"
        )
    }
}

impl fmt::Debug for BrokenRule {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{:?}: {self}", self.rule)
    }
}

impl Error for BrokenRule {}

impl Rule {
    /// The error of a store that breaks this rule.
    pub(super) fn broken(self, expected: impl Into<String>, seen: impl Into<String>) -> BrokenRule {
        BrokenRule {
            rule: self,
            expected: expected.into(),
            seen: seen.into(),
        }
    }

    /// Breaks this rule unless the condition holds.
    pub(super) fn require(
        self,
        condition: bool,
        expected: impl Into<String>,
        seen: impl Into<String>,
    ) -> Result {
        match condition {
            true => Ok(()),
            false => Err(self.broken(expected, seen)),
        }
    }

    /// Breaks this rule unless what was seen is what was expected.
    pub(super) fn require_eq<E: fmt::Debug, S: PartialEq<E> + fmt::Debug>(
        self,
        name: &str,
        expected: E,
        seen: S,
    ) -> Result {
        let is_equal = seen == expected;
        let expected = format!("{name} to be {expected:?}");
        self.require(is_equal, expected, format!("{seen:?}"))
    }
}

impl fmt::Display for Rule {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.words().0)
    }
}

/// Defines the rules from one list: the name, the rule in words, and what to do when it is broken.
macro_rules! rules {
    ($($rule:ident: $words:literal, $remedy:literal;)*) => {
        /// A rule that a [`UserStore`](crate::UserStore) or [`IdentityStore`](crate::IdentityStore)
        /// must keep. `Display` says it in words.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum Rule {
            $(#[doc = concat!("Checks that ", $words, ".")] $rule,)*
        }

        impl Rule {
            /// Every rule, in the order in which they are checked.
            pub const ALL: &[Rule] = &[$(Self::$rule),*];

            fn words(self) -> (&'static str, &'static str) {
                match self {
                    $(Self::$rule => ($words, $remedy),)*
                }
            }
        }
    };
}

rules! {
    Answers:
        "a store opens, and answers every call in time and without an error",
        "Correct what the error names; if it took too long, look for a lock that is never released \
         or a pool that is too small.";
    AdmitsUsers:
        "`find_or_create` and `log_in` admit the made-up users of this kit",
        "Open the store for this test so that it turns no user away.";
    NewUserWasNeverLoggedOut:
        "a user who was never logged out has no `logged_out_at`",
        "Leave the column null until the first `log_out`.";
    SameSubjectSameUser:
        "the same subject stands for the same user, whichever handle is asked",
        "Find the user by issuer and id of the subject, in the storage that all share.";
    OtherSubjectOtherUser:
        "two ids of one issuer are two users",
        "Find the user by the id of the subject too, and give no `User::id` twice.";
    OtherIssuerOtherUser:
        "the same id at two issuers is two users",
        "Make issuer and id unique together, and look for both.";
    FirstLoginsAtOnce:
        "first logins of one subject at once make one user",
        "Find or create in one step: a unique index with `insert … on conflict do update`, or one \
         lock around both.";
    FindsByUserId:
        "`load` and `log_in` find a user by what `User::id` returned",
        "Let both read the form that `User::id` writes.";
    UnknownIdIsNoUser:
        "an id that no user has finds no user, and is no error",
        "Return `Ok(None)` for an id that cannot be read or that `User::id` writes otherwise, such as \
         `07` or a UUID in capitals; compare ids whole, and bind them instead of pasting them into \
         the statement.";
    ClockRises:
        "the clock is later at each read",
        "Return `now` in whole microseconds, from a clock that is read anew each time, or keep the \
         last stamp and go on above it, as `Timestamp::now` does.";
    OneClock:
        "two handles of one store have one clock",
        "Return `now` by the clock of the database that they share.";
    LogOutOfUnknownUser:
        "logging out an id that no user has is `false`, and no error",
        "Let `log_out` only change what is there, and return whether it changed anything.";
    LogOutEndsLoginsBefore:
        "a logout finds its user and ends every login from before it",
        "Write the time of `now`, in microseconds, read while `log_out` runs.";
    LoginAfterLogOutWorks:
        "a login that begins after a logout is valid, however soon",
        "Write no later time than `now` returns: the same clock, as fine, in microseconds.";
    LogOutOnlyRises:
        "each logout of a user is later than the one before",
        "Write the later of now and one microsecond after the logout before, as \
         `Timestamp::raised_above` does.";
    LoginKeepsLogOut:
        "a login leaves `logged_out_at` alone, and returns it as it is",
        "Leave the column out of what `log_in` and `find_or_create` write, and read it for what \
         they return.";
    LogOutEndsOneUser:
        "a logout ends the logins of no other user",
        "Change only the row of the id, or where both issuer and id are those of the subject.";
    EveryHandleSeesLogOut:
        "once a logout is answered, every handle sees it",
        "Commit before `log_out` answers, and put no cache and no lagging replica behind `load`.";
    LogOutsAtOnce:
        "of logouts at once each raises the stamp, and no read ever sees it fall",
        "Read and write the stamp in one atomic step: one `update` statement, or one lock around \
         both.";
    LogOutEndsLoginsItFinds:
        "a logout ends the logins that are made while it waits for its turn, too",
        "Read the clock in `log_out` only once nothing else can write: after the lock is acquired, \
         or in the statement itself. And let `log_in` write.";
    OneLoginKeptOrNot:
        "a store implements `log_out_others` and returns `true` from `keeps_one_login`, or neither",
        "Write both of `keeps_one_login` and `log_out_others`, or none of them. Without the first, \
         `OtherLogins` answers 500.";
    LogOutOthersKeepsOne:
        "`log_out_others` ends every login of a user but the one with the stamp, or changes nothing",
        "Change the row only where `logged_out_at` is null or earlier than the stamp, note a login one \
         microsecond after the logout, and return what was written. Or leave it and `keeps_one_login` \
         to their defaults.";
    LogOutOthersAtOnce:
        "of logins that end all others at once, one stays",
        "Compare the stamp and write in one atomic step: one `update` statement, or one lock around \
         both.";
    LogOutKeepsCause:
        "a store returns the cause of the latest logout, whichever method has written it, or never any",
        "Write the cause beside `logged_out_at` in every method that takes one, and null in the others. \
         Or leave the methods that take one to their defaults.";
    RevocationsKeptOrNot:
        "a store keeps revocations, or answers `keeps_revocations` with `false` and returns none",
        "Write all of `keeps_revocations`, `revoke` and `revoked_at`, or none of them.";
    CheckAgreesWithTheOthers:
        "`check_login` returns in one answer what `load`, `revoked_at` and `now` return",
        "Read the same columns and the same clock as they do, or leave `check_login` to its \
         default.";
    UnknownKeyIsNotRevoked:
        "a key that was never revoked has no `revoked_at`",
        "Return `Ok(None)` where there is no row.";
    RevokesEveryKey:
        "one call of `revoke` records all its keys, of which one may come twice",
        "Write every key, in one statement or one transaction.";
    RevocationEndsLoginsBefore:
        "a revocation ends every login from before it",
        "Write the time of `now`, in microseconds, read while `revoke` runs.";
    LoginAfterRevocationWorks:
        "a login that begins after a revocation is valid, however soon",
        "Write no later time than `now` returns in `revoke` either.";
    RevocationOnlyRises:
        "each revocation of a key is later than the one before",
        "Write the later of now and one microsecond after the revocation before.";
    RevocationEndsOneKey:
        "a revocation ends no other key and no user, and the logout of a user no key",
        "Find the row by kind, issuer and id of the key, in a table of its own.";
    AnyKey:
        "ids of keys are any text, and differ wherever a character does",
        "Keep them as those of subjects: 255 characters, never cut, a binary collation.";
    EveryHandleSeesRevocation:
        "once a revocation is answered, every handle sees it",
        "Commit before `revoke` returns, and put no cache and no lagging replica behind \
         `revoked_at`.";
    RevocationsAtOnce:
        "of a key's revocations at once each raises the stamp, and no read sees it fall",
        "Read and write the stamp of the key in one atomic step: `insert … on conflict do update`, \
         or one lock around both.";
    RevocationIsKept:
        "a revocation is kept until the latest `keep_until` that it was given",
        "Write the later of the `keep_until` there is and the new one, and remove a row only once \
         that has passed.";
    LogOutSubjectReturnsItsUsers:
        "`log_out_subject` logs out the users of a subject and returns their ids: none for an \
         unknown one, which leaves no trace",
        "Return `User::id` of each row that was changed, and create none.";
    SessionHasItsLastUser:
        "a store that notes sessions finds the last user of each, whichever handle is asked",
        "Find the session by issuer and id, replace its user with `insert … on conflict do update`, \
         and commit before `note_session` returns. Or leave `notes_sessions` to its default.";
    VerifiedEmailsIdentify:
        "a store that knows identifiers finds users by an e-mail address that is verified for them, \
         and no others",
        "Keep with each address whether it is verified, compare the whole address, and return the users \
         of verified ones alone. Or leave `knows_identifiers` to its default.";
    AnySubject:
        "ids of subjects are any text, and differ wherever a character does",
        "Keep ids as text of at least 255 characters, never cut, with a binary collation (case, \
         accents and spaces at the end count), and bind them.";
    DroppedCallLeavesNoLock:
        "a call that is dropped, at whatever await, leaves nothing locked",
        "Hold locks, permits and connections by guards that release them on drop. With sqlx and \
         SQLite begin by `begin` and take the lock with a first write: `begin_with` leaves the \
         lock behind when it is dropped.";
    DroppedCallIsWholeOrUndone:
        "a call that is dropped has written everything or nothing",
        "Write in one statement or one transaction, or without an await between the first change \
         and the last.";
}
