//! Logins over several requests: suspended after a step, and resumed with their first stamp.

use std::{sync::Arc, time::Duration};

use cookie::Cookie;
use http::HeaderMap;

use super::{AuthState, LoginError, begin_login::write_record};
use crate::{
    BoxError, LoginId, Timestamp,
    sessions::{LoginDetails, PresentedLogin},
    time_limit::{STORE_LIMIT, within},
};

/// How long a login may be suspended.
pub(crate) const SUSPENDED_LOGIN: Duration = Duration::from_secs(10 * 60);

impl AuthState {
    /// Suspends a login of which a step is proven. Returns the cookies that the next step comes with.
    pub(crate) async fn suspend_login(
        &self,
        id: LoginId,
        user_id: &str,
        logged_in_at: Timestamp,
    ) -> Result<Vec<Cookie<'static>>, LoginError> {
        let login = LoginDetails {
            id,
            user_id,
            logged_in_at,
            authenticated_at: Some(logged_in_at),
            kept_at: None,
            written_at: logged_in_at,
            ends_at: Some(logged_in_at.after(SUSPENDED_LOGIN)),
            remember: false,
            subject: None,
            provider_key: None,
            callback: "",
        };
        write_record(&self.suspended, &login, None).await
    }

    /// The suspended login that the cookies name, unless its time is over. Logouts are compared with
    /// it once it begins.
    ///
    /// # Errors
    ///
    /// When a store cannot answer.
    pub(crate) async fn suspended_login(
        &self,
        headers: &HeaderMap,
    ) -> Result<Option<Arc<PresentedLogin>>, BoxError> {
        let Some(login) = within(STORE_LIMIT, self.suspended.find(headers)).await? else {
            return Ok(None);
        };
        let now = within(STORE_LIMIT, self.users.now()).await?;
        let record = login.record();
        let is_valid = record.logged_in_at <= now && record.ends_at.is_some_and(|end| now < end);
        Ok(is_valid.then_some(login))
    }
}
