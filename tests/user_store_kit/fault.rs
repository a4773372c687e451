//! What a wrong store does, and the rule that finds it.

use axum_clef::testing::Rule;

/// Declares the faults with their rules, and the leaks with the method whose dropped calls leave a
/// lock behind.
macro_rules! faults {
    ($($fault:ident: $rule:ident,)* => leaks $($leak:ident: $method:literal,)*) => {
        /// What a store does wrong, and nothing else. `KeepsNoRevocations` is no fault.
        #[derive(Clone, Copy, Debug, PartialEq)]
        pub enum Fault {
            None,
            KeepsNoRevocations,
            LogOutHangs,
            $($fault,)*
            $($leak,)*
        }

        pub const FAULTS: &[(Fault, Rule)] = &[$((Fault::$fault, Rule::$rule),)*];

        /// Later calls to these stores get no answer.
        pub const LEAKS: &[(Fault, &str)] = &[$((Fault::$leak, $method),)*];
    };
}

faults! {
    CannotOpen: Answers,
    LoadFails: Answers,
    TurnsNewUsersAway: AdmitsUsers,
    TurnsLoginsAway: AdmitsUsers,
    NewUserIsLoggedOut: NewUserWasNeverLoggedOut,
    EachLoginMakesAUser: SameSubjectSameUser,
    FindsByIssuerOnly: OtherSubjectOtherUser,
    FindsByIdOnly: OtherIssuerOtherUser,
    FindsAndThenCreates: FirstLoginsAtOnce,
    UniqueIndexWithoutUpsert: FirstLoginsAtOnce,
    LoadReadsAnotherForm: FindsByUserId,
    LogInFindsTheFirst: FindsByUserId,
    UnknownIdIsAnError: UnknownIdIsNoUser,
    ReadsTheNumberInFront: UnknownIdIsNoUser,
    CutsIdsAtNul: UnknownIdIsNoUser,
    ReadsLeadingZeros: UnknownIdIsNoUser,
    TrimsIds: UnknownIdIsNoUser,
    ComparesWithoutCase: UnknownIdIsNoUser,
    ClockOfMilliseconds: ClockRises,
    ClockOfEachHandle: OneClock,
    LogOutOfUnknownIdIsTrue: LogOutOfUnknownUser,
    LogOutIsForgotten: LogOutEndsLoginsBefore,
    LogOutIsNeverTrue: LogOutEndsLoginsBefore,
    LogOutOfSeconds: LogOutEndsLoginsBefore,
    LogOutLiesAhead: LoginAfterLogOutWorks,
    FirstLogOutStays: LogOutOnlyRises,
    LoginClearsLogOut: LoginKeepsLogOut,
    LoginHidesLogOut: LoginKeepsLogOut,
    FindHidesLogOut: LoginKeepsLogOut,
    LogOutOfAllUsers: LogOutEndsOneUser,
    LogOutOfTheIssuer: LogOutEndsOneUser,
    LogOutOfTheId: LogOutEndsOneUser,
    HandleKeepsWhatItLoaded: EveryHandleSeesLogOut,
    ReadsAndThenWrites: LogOutsAtOnce,
    WritesWithoutLooking: LogOutsAtOnce,
    ReadsTheClockBeforeTheLock: LogOutEndsLoginsItFinds,
    OneHandleKeepsOneLogin: OneLoginKeptOrNot,
    KeepsOneLoginAfterAll: OneLoginKeptOrNot,
    LogOutOthersIsForgotten: LogOutOthersKeepsOne,
    LogOutOthersOverlooksTheStamp: LogOutOthersKeepsOne,
    LogOutOthersReturnsTheLogin: LogOutOthersKeepsOne,
    ComparesAndThenLogsOutOthers: LogOutOthersAtOnce,
    LogOutLeavesTheCause: LogOutKeepsCause,
    FirstCauseStays: LogOutKeepsCause,
    CauseOfAllUsers: LogOutKeepsCause,
    LoginHidesCause: LogOutKeepsCause,
    LogOutOthersForgetsTheCause: LogOutKeepsCause,
    SubjectLogOutForgetsTheCause: LogOutKeepsCause,
    OneHandleKeepsRevocations: RevocationsKeptOrNot,
    KeepsRevocationsAfterAll: RevocationsKeptOrNot,
    CheckHidesLogOut: CheckAgreesWithTheOthers,
    CheckHidesCause: CheckAgreesWithTheOthers,
    CheckHidesRevokedLogin: CheckAgreesWithTheOthers,
    CheckHidesProviderKey: CheckAgreesWithTheOthers,
    CheckHidesIssuer: CheckAgreesWithTheOthers,
    CheckHidesEveryone: CheckAgreesWithTheOthers,
    CheckTakesTheEarliestStamp: CheckAgreesWithTheOthers,
    CheckHasAnotherClock: CheckAgreesWithTheOthers,
    CheckMakesAUserUp: CheckAgreesWithTheOthers,
    UnknownKeyIsRevoked: UnknownKeyIsNotRevoked,
    TakesAnIssuerForEveryone: UnknownKeyIsNotRevoked,
    RevokesTheFirstKey: RevokesEveryKey,
    RefusesDuplicateKeys: RevokesEveryKey,
    RevocationOfSeconds: RevocationEndsLoginsBefore,
    RevocationLiesAhead: LoginAfterRevocationWorks,
    FirstRevocationStays: RevocationOnlyRises,
    RevocationOfTheIssuer: RevocationEndsOneKey,
    RevocationOfTheId: RevocationEndsOneKey,
    RevocationOfAnyKind: RevocationEndsOneKey,
    RevocationOfTheUser: RevocationEndsOneKey,
    LogOutOfKeys: RevocationEndsOneKey,
    SubjectLogOutRevokesTheKey: RevocationEndsOneKey,
    OverlooksCaseOfKeys: AnyKey,
    CutsKeysShort: AnyKey,
    RefusesTheEmptyKey: AnyKey,
    HandleKeepsKeysItSaw: EveryHandleSeesRevocation,
    ReadsAndThenWritesKeys: RevocationsAtOnce,
    WritesKeysWithoutLooking: RevocationsAtOnce,
    KeepsUntilTheLatestCall: RevocationIsKept,
    SubjectLogOutCreates: LogOutSubjectReturnsItsUsers,
    SubjectLogOutReturnsNothing: LogOutSubjectReturnsItsUsers,
    SubjectLogOutReturnsUnknownUser: LogOutSubjectReturnsItsUsers,
    SessionKeepsItsFirstUser: SessionHasItsLastUser,
    FindsSessionsByIdOnly: SessionHasItsLastUser,
    ForgetsSessions: SessionHasItsLastUser,
    FindsByUnverifiedEmail: VerifiedEmailsIdentify,
    EveryEmailIsOfAllUsers: VerifiedEmailsIdentify,
    UnknownEmailIsOfTheFirst: VerifiedEmailsIdentify,
    RefusesTheEmptySubject: AnySubject,
    OverlooksCase: AnySubject,
    CutsSubjectsShort: AnySubject,
    CutsVeryLongSubjects: AnySubject,
    FindInTwoSteps: DroppedCallIsWholeOrUndone,
    LogOutInTwoSteps: DroppedCallIsWholeOrUndone,
    RevokeInTwoSteps: DroppedCallIsWholeOrUndone,
    RevokesKeyByKey: DroppedCallIsWholeOrUndone,
    => leaks
    LogInKeepsTheLock: "`log_in`",
    LoadKeepsTheLock: "`load`",
    LogOutKeepsTheLock: "`log_out`",
    LogOutLosesAConnection: "`log_out`",
    LogOutOthersKeepsTheLock: "`log_out_others`",
    NowKeepsTheLock: "`now`",
    CheckLoginKeepsTheLock: "`check_login`",
    RevokeKeepsTheLock: "`revoke`",
    RevokedAtKeepsTheLock: "`revoked_at`",
    FindOrCreateKeepsTheLock: "`find_or_create`",
    LogOutSubjectKeepsTheLock: "`log_out_subject`",
}

impl Fault {
    /// Whether each method locks the whole table, so that no other sees what it does in steps.
    pub fn locks_the_table(self) -> bool {
        let in_steps = matches!(
            self,
            Self::FindInTwoSteps
                | Self::LogOutInTwoSteps
                | Self::RevokeInTwoSteps
                | Self::RevokesKeyByKey
        );
        let leaks = LEAKS.iter().any(|(leak, _)| *leak == self);
        in_steps || leaks && self != Self::LogOutLosesAConnection
    }
}
