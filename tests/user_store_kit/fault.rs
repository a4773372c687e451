/// What a store does wrong, and nothing else. `KeepsNoSessions` is no fault.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Fault {
    None,
    CannotOpen,
    LoadFails,
    LogOutHangs,
    TurnsStrangersAway,
    NewUserIsLoggedOut,
    EachLoginMakesAUser,
    FindsByIssuerOnly,
    FindsByIdOnly,
    LoadReadsAnotherForm,
    UnknownIdIsAnError,
    ReadsTheNumberInFront,
    CutsIdsAtNul,
    RefusesTheEmptyPerson,
    OverlooksCase,
    CutsPeopleShort,
    CutsVeryLongPeople,
    FindsAndThenCreates,
    UniqueIndexWithoutUpsert,
    ClockOfMilliseconds,
    ClockOfEachHandle,
    LogOutCreates,
    LogOutOfNobodyIsTrue,
    LogOutIsForgotten,
    LogOutIsNeverTrue,
    LogOutOfSeconds,
    LogOutLiesAhead,
    FirstLogOutStays,
    LoginClearsLogOut,
    LoginHidesLogOut,
    LogOutOfTheIssuer,
    LogOutOfTheId,
    HandleKeepsWhatItLoaded,
    ReadsAndThenWrites,
    WritesWithoutLooking,
    ReadsTheClockBeforeTheLock,
    StandingHidesLogOut,
    StandingHidesSession,
    StandingHasAnotherClock,
    StandingMakesSomebodyUp,
    KeepsNoSessions,
    OneHandleKeepsSessions,
    SessionLogOutIsNeverTrue,
    UnknownSessionHasEnded,
    SessionLogOutIsForgotten,
    SessionLogOutOfSeconds,
    SessionLogOutLiesAhead,
    FirstSessionLogOutStays,
    SessionLogOutOfTheIssuer,
    SessionLogOutOfTheId,
    SessionLogOutOfThePerson,
    LogOutOfSessions,
    OverlooksCaseOfSessions,
    CutsSessionsShort,
    RefusesTheEmptySession,
    HandleKeepsSessionsItSaw,
    ReadsAndThenWritesSessions,
    WritesSessionsWithoutLooking,
    LogInKeepsTheLock,
    LoadKeepsTheLock,
    LogOutKeepsTheLock,
    LogOutLosesAConnection,
    NowKeepsTheLock,
    StandingKeepsTheLock,
    SessionLogOutKeepsTheLock,
    SessionLookKeepsTheLock,
    LogInInTwoSteps,
    LogOutInTwoSteps,
    SessionLogOutInTwoSteps,
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
                | Self::StandingKeepsTheLock
                | Self::SessionLogOutKeepsTheLock
                | Self::SessionLookKeepsTheLock
                | Self::LogInInTwoSteps
                | Self::LogOutInTwoSteps
                | Self::SessionLogOutInTwoSteps
        )
    }
}
