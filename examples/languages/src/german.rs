//! The pages in German. The time stands in brackets: it is a date with digits
//! on a page, and what the browser writes on a cover.

use axum_clef::PageText;

pub fn text(text: PageText) -> Option<&'static str> {
    Some(match text {
        PageText::LogIn => "Anmelden",
        PageText::LogInWith => "Mit {provider} anmelden",
        PageText::LoginService => "Der Anmeldedienst",
        PageText::FrontPage => "Zur Startseite",
        PageText::TryAgain => "Erneut versuchen",
        PageText::SignOut => "Abmelden",
        PageText::GoBack => "Zurück",
        PageText::Continue => "Weiter",
        PageText::ContinueToLogIn => "Weiter zur Anmeldung",
        PageText::SignedOutHere => "Sie sind hier abgemeldet",
        PageText::CloseWindowTitle => "Sie können dieses Fenster schließen",
        PageText::CloseWindow => {
            "Schließen Sie dieses Fenster, und kehren Sie zu Ihrer Seite zurück."
        }
        PageText::BadRequestTitle => "Ungültiger Anmeldelink",
        PageText::BadRequest => "Dieser Anmeldelink ist ungültig. Bitte beginnen Sie von vorn.",
        PageText::StateMismatchTitle => "Diese Anmeldung ist nicht mehr gültig",
        PageText::StateMismatch => {
            "Sie wurde in einem anderen Browser begonnen, ist abgelaufen oder wurde schon verwendet. Bitte beginnen Sie von vorn."
        }
        PageText::DeclinedTitle => "Die Anmeldung wurde nicht abgeschlossen",
        PageText::Declined => {
            "{provider} hat die Anmeldung nicht abgeschlossen. Sie können es jederzeit erneut versuchen."
        }
        PageText::RefusedTitle => "{provider} hat die Anmeldung nicht bestätigt",
        PageText::Refused => {
            "Die Anmeldung ist abgelaufen oder wurde schon verwendet. Bitte melden Sie sich erneut an."
        }
        PageText::TurnedAwayTitle => "Sie können sich hier nicht anmelden",
        PageText::TurnedAway => {
            "{provider} hat bestätigt, wer Sie sind, aber Sie haben keinen Zugang zu dieser Website."
        }
        PageText::LoggedOutMeanwhileTitle => "Sie wurden während der Anmeldung abgemeldet",
        PageText::LoggedOutMeanwhile => "Bitte melden Sie sich erneut an.",
        PageText::OtherUserTitle => "Das ist ein anderes Konto",
        PageText::OtherUser => {
            "Es hat sich nichts geändert. Melden Sie sich bei {provider} ab und dann mit Ihrem eigenen Konto wieder an."
        }
        PageText::LinkedToOtherUserTitle => "Dieses Konto bei {provider} ist schon vergeben",
        PageText::LinkedToOtherUser => {
            "Es gehört zu einer anderen Person auf dieser Website. Es hat sich nichts geändert."
        }
        PageText::NotReauthenticatedTitle => "{provider} hat nicht gefragt, wer Sie sind",
        PageText::NotReauthenticated => {
            "Es hat sich nichts geändert. Melden Sie sich bei {provider} ab und dann wieder an."
        }
        PageText::ForeignOriginTitle => "Abmeldung verhindert",
        PageText::ForeignOrigin => {
            "Eine andere Website wollte Sie abmelden. Es hat sich nichts geändert."
        }
        PageText::ProviderUnavailableTitle => "{provider} ist vorübergehend nicht erreichbar",
        PageText::LogInLater => "Bitte melden Sie sich in ein paar Minuten erneut an.",
        PageText::OverloadedTitle => "Zu viele Anmeldungen auf einmal",
        PageText::Overloaded => "Bitte versuchen Sie es in ein paar Sekunden erneut.",
        PageText::UnavailableTitle => "Vorübergehend nicht verfügbar",
        PageText::Unavailable => "Bitte versuchen Sie es in ein paar Minuten erneut.",
        PageText::NotSignedOutTitle => "Sie sind noch nicht abgemeldet",
        PageText::NotSignedOut => {
            "Ihre Anmeldungen sind noch nicht beendet. Bitte melden Sie sich erneut ab, bevor Sie dieses Gerät verlassen."
        }
        PageText::SignOutIncompleteTitle => "Sie sind in diesem Browser abgemeldet",
        PageText::SignOutIncomplete => {
            "Wenn Sie sich mit einem anderen Dienst angemeldet haben, melden Sie sich auch dort ab."
        }
        PageText::SignOutIncompleteAt => {
            "Bei {provider} sind Sie vielleicht noch angemeldet. Melden Sie sich auch dort ab."
        }
        PageText::MisconfiguredTitle => "Diese Website ist falsch eingerichtet",
        PageText::Misconfigured => "Bitte wenden Sie sich an die Betreiber:",
        PageText::ProviderMisconfigured => {
            "{provider} nimmt diese Website nicht an. Bitte wenden Sie sich an die Betreiber."
        }
        PageText::NotSavedTitle => "Sie sind abgemeldet",
        PageText::NotSaved => {
            "Was Sie gesendet haben, wurde nicht gespeichert. Melden Sie sich an, und senden Sie es noch einmal."
        }
        PageText::NotRecentTitle => "Bitte melden Sie sich erneut an",
        PageText::NotRecent => {
            "Was Sie gesendet haben, wurde nicht gespeichert: Dafür müssen Sie sich vor Kurzem angemeldet haben."
        }
        PageText::ForbiddenTitle => "Das dürfen Sie nicht",
        PageText::Forbidden => "Ihrem Konto fehlt die Berechtigung dafür.",
        PageText::FormTitle => "Sie sind nicht angemeldet",
        PageText::FormCrossOrigin => {
            "Das kam von einer Seite einer anderen Website. Öffnen Sie hier die Anmeldeseite, und melden Sie sich erneut an."
        }
        PageText::FormTurnedAway => "Mit diesem Konto können Sie sich nicht anmelden.",
        PageText::FormLoggedOutMeanwhile => {
            "Sie wurden inzwischen abgemeldet. Bitte melden Sie sich erneut an."
        }
        PageText::FormOtherUser => {
            "Das ist ein anderes Konto als das, mit dem Sie angemeldet sind. Melden Sie sich mit Ihrem eigenen an."
        }
        PageText::FormExpired => {
            "Diese Anmeldung hat zu lange gedauert. Bitte beginnen Sie von vorn."
        }
        PageText::FormUnavailable => {
            "Die Anmeldung ist gerade nicht möglich. Bitte versuchen Sie es in ein paar Minuten erneut."
        }
        PageText::FormMisconfigured => {
            "Diese Website ist falsch eingerichtet. Bitte wenden Sie sich an die Betreiber."
        }
        PageText::OtherLoginsTitle => "Ihre anderen Anmeldungen",
        PageText::OtherLoginsUnavailable => {
            "Ihre anderen Anmeldungen sind vielleicht noch aktiv. Bitte versuchen Sie es in ein paar Minuten erneut."
        }
        PageText::OtherLoginsNotKept => {
            "Sie wurden auf allen Geräten abgemeldet, auch auf diesem. Bitte melden Sie sich erneut an."
        }
        PageText::AtTime => " ({time})",
        PageText::Expired => "Ihre Anmeldung ist abgelaufen.",
        PageText::LoggedOut => "Sie wurden abgemeldet{when}.",
        PageText::LoggedOutByUser => {
            "Sie haben sich hier oder auf einem anderen Gerät abgemeldet{when}."
        }
        PageText::LoggedOutByAdministrator => "Die Verwaltung hat Sie abgemeldet{when}.",
        PageText::LoggedOutByProvider => {
            "Der Dienst, mit dem Sie sich anmelden, hat Sie abgemeldet{when}."
        }
        PageText::LoggedOutByCredentials => {
            "Sie wurden abgemeldet{when}, weil Ihr Passwort oder ein anderer Nachweis geändert wurde."
        }
        PageText::LoggedOutByPolicy => "Eine Sicherheitsregel hat Sie abgemeldet{when}.",
        PageText::CoverTitle => "Sie sind abgemeldet",
        PageText::CoverEnded => "Ihre Anmeldung ist beendet, hier oder auf einem anderen Gerät.",
        PageText::CoverText => {
            "Melden Sie sich in einem neuen Fenster wieder an, und diese Seite bleibt, wie sie ist."
        }
        PageText::CoverButton => "Wieder anmelden",
        PageText::CoverWait => "Einen Moment: Sind Sie noch angemeldet?",
        // A text that is newer than this translation is in English.
        _ => return None,
    })
}
