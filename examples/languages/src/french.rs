//! The pages in French. The time stands in brackets, as in German.

use axum_clef::PageText;

pub fn text(text: PageText) -> Option<&'static str> {
    Some(match text {
        PageText::LogIn => "Se connecter",
        PageText::LogInWith => "Se connecter avec {provider}",
        PageText::LoginService => "Le service de connexion",
        PageText::FrontPage => "Aller à la page d’accueil",
        PageText::TryAgain => "Réessayer",
        PageText::SignOut => "Se déconnecter",
        PageText::GoBack => "Retour",
        PageText::Continue => "Continuer",
        PageText::ContinueToLogIn => "Continuer vers la connexion",
        PageText::SignedOutHere => "Vous êtes déconnecté ici",
        PageText::CloseWindowTitle => "Vous pouvez fermer cette fenêtre",
        PageText::CloseWindow => "Fermez cette fenêtre et revenez à votre page.",
        PageText::BadRequestTitle => "Lien de connexion non valide",
        PageText::BadRequest => "Ce lien de connexion n’est pas valide. Veuillez recommencer.",
        PageText::StateMismatchTitle => "Cette connexion n’est plus valide",
        PageText::StateMismatch => {
            "Elle a été commencée dans un autre navigateur, a expiré ou a déjà servi. Veuillez recommencer."
        }
        PageText::DeclinedTitle => "La connexion n’a pas abouti",
        PageText::Declined => {
            "{provider} n’a pas terminé la connexion. Vous pouvez réessayer à tout moment."
        }
        PageText::RefusedTitle => "{provider} n’a pas confirmé la connexion",
        PageText::Refused => "La connexion a expiré ou a déjà servi. Veuillez vous reconnecter.",
        PageText::TurnedAwayTitle => "Vous ne pouvez pas vous connecter ici",
        PageText::TurnedAway => {
            "{provider} a confirmé votre identité, mais vous n’avez pas accès à ce site."
        }
        PageText::LoggedOutMeanwhileTitle => "Vous avez été déconnecté pendant la connexion",
        PageText::LoggedOutMeanwhile => "Veuillez vous reconnecter.",
        PageText::OtherUserTitle => "C’est un autre compte",
        PageText::OtherUser => {
            "Rien n’a changé. Déconnectez-vous de {provider}, puis reconnectez-vous avec votre propre compte."
        }
        PageText::LinkedToOtherUserTitle => "Ce compte de {provider} n’est pas libre",
        PageText::LinkedToOtherUser => {
            "Il appartient à une autre personne sur ce site. Rien n’a changé."
        }
        PageText::NotReauthenticatedTitle => "{provider} n’a pas demandé qui vous êtes",
        PageText::NotReauthenticated => {
            "Rien n’a changé. Déconnectez-vous de {provider}, puis reconnectez-vous."
        }
        PageText::ForeignOriginTitle => "Déconnexion bloquée",
        PageText::ForeignOrigin => "Un autre site a essayé de vous déconnecter. Rien n’a changé.",
        PageText::ProviderUnavailableTitle => "{provider} est momentanément indisponible",
        PageText::LogInLater => "Veuillez vous reconnecter dans quelques minutes.",
        PageText::OverloadedTitle => "Trop de connexions à la fois",
        PageText::Overloaded => "Veuillez réessayer dans quelques secondes.",
        PageText::UnavailableTitle => "Momentanément indisponible",
        PageText::Unavailable => "Veuillez réessayer dans quelques minutes.",
        PageText::NotSignedOutTitle => "Vous n’êtes pas encore déconnecté",
        PageText::NotSignedOut => {
            "Vos connexions ne sont pas encore terminées. Veuillez vous déconnecter à nouveau avant de quitter cet appareil."
        }
        PageText::SignOutIncompleteTitle => "Vous êtes déconnecté dans ce navigateur",
        PageText::SignOutIncomplete => {
            "Si vous vous êtes connecté avec un autre service, déconnectez-vous aussi de celui-ci."
        }
        PageText::SignOutIncompleteAt => {
            "Vous êtes peut-être encore connecté à {provider}. Déconnectez-vous aussi de ce service."
        }
        PageText::MisconfiguredTitle => "Ce site est mal configuré",
        PageText::Misconfigured => "Veuillez contacter ses responsables :",
        PageText::ProviderMisconfigured => {
            "{provider} n’accepte pas ce site. Veuillez contacter ses responsables."
        }
        PageText::NotSavedTitle => "Vous êtes déconnecté",
        PageText::NotSaved => {
            "Votre envoi n’a pas été enregistré. Connectez-vous et envoyez-le à nouveau."
        }
        PageText::NotRecentTitle => "Veuillez vous reconnecter",
        PageText::NotRecent => {
            "Votre envoi n’a pas été enregistré : il demande une connexion récente."
        }
        PageText::ForbiddenTitle => "Vous n’avez pas ce droit",
        PageText::Forbidden => "Votre compte n’a pas l’autorisation nécessaire.",
        PageText::FormTitle => "Vous n’êtes pas connecté",
        PageText::FormCrossOrigin => {
            "Cet envoi vient d’une page d’un autre site. Ouvrez la page de connexion ici et reconnectez-vous."
        }
        PageText::FormTurnedAway => "Vous ne pouvez pas vous connecter avec ce compte.",
        PageText::FormLoggedOutMeanwhile => {
            "Vous avez été déconnecté entre-temps. Veuillez vous reconnecter."
        }
        PageText::FormOtherUser => {
            "Ce n’est pas le compte avec lequel vous êtes connecté. Reconnectez-vous avec le vôtre."
        }
        PageText::FormExpired => "Cette connexion a pris trop de temps. Veuillez recommencer.",
        PageText::FormUnavailable => {
            "La connexion n’est pas possible pour le moment. Veuillez réessayer dans quelques minutes."
        }
        PageText::FormMisconfigured => {
            "Ce site est mal configuré. Veuillez contacter ses responsables."
        }
        PageText::OtherLoginsTitle => "Vos autres connexions",
        PageText::OtherLoginsUnavailable => {
            "Vos autres connexions sont peut-être encore actives. Veuillez réessayer dans quelques minutes."
        }
        PageText::OtherLoginsNotKept => {
            "Vous avez été déconnecté sur tous les appareils, celui-ci compris. Veuillez vous reconnecter."
        }
        PageText::AtTime => " ({time})",
        PageText::Expired => "Votre connexion a expiré.",
        PageText::LoggedOut => "Vous avez été déconnecté{when}.",
        PageText::LoggedOutByUser => {
            "Vous vous êtes déconnecté, ici ou sur un autre appareil{when}."
        }
        PageText::LoggedOutByAdministrator => "Un administrateur vous a déconnecté{when}.",
        PageText::LoggedOutByProvider => {
            "Le service avec lequel vous vous connectez vous a déconnecté{when}."
        }
        PageText::LoggedOutByCredentials => {
            "Vous avez été déconnecté{when}, car votre mot de passe ou un autre justificatif a été modifié."
        }
        PageText::LoggedOutByPolicy => "Une règle de sécurité vous a déconnecté{when}.",
        PageText::CoverTitle => "Vous êtes déconnecté",
        PageText::CoverEnded => "Votre connexion est terminée, ici ou sur un autre appareil.",
        PageText::CoverText => {
            "Reconnectez-vous dans une nouvelle fenêtre, et cette page reste telle quelle."
        }
        PageText::CoverButton => "Se reconnecter",
        PageText::CoverWait => "Un instant : êtes-vous encore connecté ?",
        // A text that is newer than this translation is in English.
        _ => return None,
    })
}
