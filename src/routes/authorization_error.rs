//! The error that a provider returns to the callback instead of a code (RFC 6749, section 4.1.2.1;
//! OpenID Connect Core 1.0, section 3.1.2.6).

use super::failure::{LoginFailureKind, Reason};

/// The user did not complete the login. The last two are those of LinkedIn and Apple.
const OF_THE_USER: [&str; 8] = [
    "access_denied",
    "login_required",
    "interaction_required",
    "consent_required",
    "account_selection_required",
    "unmet_authentication_requirements",
    "user_cancelled_login",
    "user_cancelled_authorize",
];
/// The provider failed.
const OF_THE_PROVIDER: [&str; 2] = ["server_error", "temporarily_unavailable"];
/// The request of this site is wrong.
const OF_THE_SITE: [&str; 10] = [
    "invalid_request",
    "unauthorized_client",
    "unsupported_response_type",
    "invalid_scope",
    "invalid_target",
    "invalid_request_uri",
    "invalid_request_object",
    "request_not_supported",
    "request_uri_not_supported",
    "registration_not_supported",
];

/// The failure for an error code. Only codes of the lists are logged, and no other text of the
/// provider: it may quote the request, and any client can send it.
pub(super) fn reason(code: &str) -> Reason {
    let listed = |codes: &[&'static str]| codes.iter().find(|listed| **listed == code).copied();
    if let Some(code) = listed(&OF_THE_USER) {
        let why = format!("the login was not completed at the provider: {code}");
        return Reason::new(LoginFailureKind::Declined, why);
    }
    if let Some(code) = listed(&OF_THE_SITE) {
        let why = format!(
            "the provider rejects the authorization request: {code}; compare the settings of the \
             provider with the registration there"
        );
        return Reason::new(LoginFailureKind::Misconfigured, why);
    }
    let why = match listed(&OF_THE_PROVIDER) {
        Some(code) => format!("the provider returned an error instead of a code: {code}"),
        None => "the provider returned an unknown error instead of a code".to_owned(),
    };
    Reason::new(LoginFailureKind::ProviderUnavailable, why)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_code_decides_whose_error_it_is_and_no_other_text_is_logged() {
        use LoginFailureKind::{Declined, Misconfigured, ProviderUnavailable};

        for (code, kind, is_logged) in [
            ("access_denied", Declined, true),
            ("login_required", Declined, true),
            ("temporarily_unavailable", ProviderUnavailable, true),
            ("server_error", ProviderUnavailable, true),
            ("invalid_scope", Misconfigured, true),
            ("request_uri_not_supported", Misconfigured, true),
            ("Access_Denied", ProviderUnavailable, false),
            (
                "access_denied\nalex@example.com",
                ProviderUnavailable,
                false,
            ),
            ("authentication_expired", ProviderUnavailable, false),
        ] {
            let reason = reason(code);
            assert_eq!(reason.kind, kind, "{code}");
            assert_eq!(
                reason.source.to_string().contains(code),
                is_logged,
                "{code}"
            );
        }
    }
}
