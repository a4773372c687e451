/// What a store does wrong, and nothing else. `KeepsNoRevocations` is no fault.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Fault {
    None,
    CannotOpen,
    LoadFails,
    LogOutHangs,
    TurnsNewUsersAway,
    TurnsLoginsAway,
    NewUserIsLoggedOut,
    EachLoginMakesAUser,
    FindsByIssuerOnly,
    FindsByIdOnly,
    FindsAndThenCreates,
    UniqueIndexWithoutUpsert,
    LoadReadsAnotherForm,
    LogInFindsTheFirst,
    UnknownIdIsAnError,
    ReadsTheNumberInFront,
    CutsIdsAtNul,
    ClockOfMilliseconds,
    ClockOfEachHandle,
    LogOutOfUnknownIdIsTrue,
    LogOutIsForgotten,
    LogOutIsNeverTrue,
    LogOutOfSeconds,
    LogOutLiesAhead,
    FirstLogOutStays,
    LoginClearsLogOut,
    LoginHidesLogOut,
    FindHidesLogOut,
    LogOutOfAllUsers,
    LogOutOfTheIssuer,
    LogOutOfTheId,
    HandleKeepsWhatItLoaded,
    ReadsAndThenWrites,
    WritesWithoutLooking,
    ReadsTheClockBeforeTheLock,
    OneHandleKeepsRevocations,
    KeepsRevocationsAfterAll,
    CheckHidesLogOut,
    CheckHidesRevokedLogin,
    CheckHidesProviderKey,
    CheckHasAnotherClock,
    CheckMakesAUserUp,
    UnknownKeyIsRevoked,
    RevokesTheFirstKey,
    RefusesDuplicateKeys,
    RevocationOfSeconds,
    RevocationLiesAhead,
    FirstRevocationStays,
    RevocationOfTheIssuer,
    RevocationOfTheId,
    RevocationOfAnyKind,
    RevocationOfTheUser,
    LogOutOfKeys,
    SubjectLogOutRevokesTheKey,
    OverlooksCaseOfKeys,
    CutsKeysShort,
    RefusesTheEmptyKey,
    HandleKeepsKeysItSaw,
    ReadsAndThenWritesKeys,
    WritesKeysWithoutLooking,
    KeepsUntilTheLatestCall,
    SubjectLogOutCreates,
    SubjectLogOutReturnsNothing,
    SubjectLogOutReturnsUnknownUser,
    RefusesTheEmptySubject,
    OverlooksCase,
    CutsSubjectsShort,
    CutsVeryLongSubjects,
    KeepsNoRevocations,
    LogInKeepsTheLock,
    LoadKeepsTheLock,
    LogOutKeepsTheLock,
    LogOutLosesAConnection,
    NowKeepsTheLock,
    CheckLoginKeepsTheLock,
    RevokeKeepsTheLock,
    RevokedAtKeepsTheLock,
    FindOrCreateKeepsTheLock,
    LogOutSubjectKeepsTheLock,
    FindInTwoSteps,
    LogOutInTwoSteps,
    RevokeInTwoSteps,
    RevokesKeyByKey,
}

impl Fault {
    /// Whether each method locks the whole table, so that no other sees what it does in steps.
    pub fn locks_the_table(self) -> bool {
        matches!(
            self,
            Self::LogInKeepsTheLock
                | Self::LoadKeepsTheLock
                | Self::LogOutKeepsTheLock
                | Self::NowKeepsTheLock
                | Self::CheckLoginKeepsTheLock
                | Self::RevokeKeepsTheLock
                | Self::RevokedAtKeepsTheLock
                | Self::FindOrCreateKeepsTheLock
                | Self::LogOutSubjectKeepsTheLock
                | Self::FindInTwoSteps
                | Self::LogOutInTwoSteps
                | Self::RevokeInTwoSteps
                | Self::RevokesKeyByKey
        )
    }
}
