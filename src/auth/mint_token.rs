//! Makes bearer tokens from logins.

use std::time::Duration;

use secrecy::SecretString;

use super::{AuthState, LoginError, check::reference};
use crate::{
    LoginId, Timestamp, metrics,
    sessions::{LoginDetails, LoginRecord, SealTokenError, Tokens},
    time_limit::{STORE_LIMIT, within},
};

/// The longest that a token lasts.
pub(crate) const LONGEST_TOKEN: Duration = Duration::from_secs(365 * 24 * 60 * 60);

/// A token that was made.
pub(crate) struct MintedToken {
    pub(crate) id: LoginId,
    pub(crate) secret: SecretString,
    pub(crate) ends_at: Timestamp,
}

impl AuthState {
    /// Makes a token from a login, which is compared with every logout again. It has the login's
    /// stamp, so a logout that comes later ends it too.
    pub(crate) async fn mint_token(
        &self,
        tokens: &Tokens,
        login: &LoginRecord<'_>,
        name: &str,
        lifetime: Duration,
    ) -> Result<MintedToken, LoginError> {
        let minted = self.mint(tokens, login, name, lifetime).await;
        let result = minted.as_ref().map_or_else(LoginError::name, |_| "Made");
        metrics::TOKENS.count([("result", format_args!("{result}"))]);
        minted
    }

    async fn mint(
        &self,
        tokens: &Tokens,
        login: &LoginRecord<'_>,
        name: &str,
        lifetime: Duration,
    ) -> Result<MintedToken, LoginError> {
        if self.has_pending_logout(login) {
            return Err(LoginError::LoggedOutMeanwhile);
        }
        let check = within(STORE_LIMIT, self.users.check_login(reference(login))).await;
        let check = check.map_err(LoginError::Store)?;
        let check = check.ok_or(LoginError::TurnedAway)?;
        check
            .compare(login.times(), self.lifetime)
            .map_err(|_| LoginError::LoggedOutMeanwhile)?;
        let ends_at = check.now.after(lifetime.min(LONGEST_TOKEN));
        let end_of_layer = self
            .lifetime
            .map(|longest| login.logged_in_at.after(longest));
        let ends_at = end_of_layer.map_or(ends_at, |end| ends_at.min(end));
        let id = LoginId::random();
        let secret = tokens.seal(
            &LoginDetails {
                id,
                user_id: login.user_id,
                logged_in_at: login.logged_in_at,
                authenticated_at: login.authenticated_at,
                kept_at: login.times().kept_at,
                written_at: check.now,
                ends_at: Some(ends_at),
                remember: false,
                subject: login.subject().as_ref(),
                // A session at the provider is one of the browser.
                provider_key: None,
                callback: "",
            },
            name,
        );
        let secret = secret.map_err(|error: SealTokenError| LoginError::TooLarge(error.into()))?;
        tracing::info!(user = ?login.user_id, login = %login.id, token = %id, "a token is made");
        Ok(MintedToken {
            id,
            secret,
            ends_at,
        })
    }
}
