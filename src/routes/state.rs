//! The state of the routes, and the paths to log in.

use std::{fmt, sync::Arc, time::Duration};

use axum::{extract::OriginalUri, http::request::Parts};
use url::{Url, form_urlencoded};

use super::{
    client_address::ClientAddress,
    failure::{LoginFailureKind, Reason, RenderFailure},
    sign_out_states::SignOutStates,
};
use crate::{
    auth::{AuthState, MountedProvider, RequestAuth},
    log_limit::LogLimit,
    revocation::{
        Admission, AdmissionLimits, AdmissionPermit, Client, NoticeAdmission, ReplayCache,
    },
    site::{Paths, ReturnPath, Site},
};

/// How long a call to a provider may take.
pub(super) const EXCHANGE_LIMIT: Duration = Duration::from_secs(15);

/// The state that the routes of all providers share.
pub(crate) struct RoutesState {
    pub(crate) auth: Arc<AuthState>,
    pub(super) sign_outs: SignOutStates,
    pub(super) replays: ReplayCache,
    pub(super) notice_admission: NoticeAdmission,
    /// One per provider, so that one that hangs does not delay logins at another.
    pub(super) login_admissions: Vec<LoginAdmission>,
    pub(super) client_address: ClientAddress,
    /// Limits the log events that any client can cause.
    pub(super) log_limit: LogLimit<ClientEvent>,
    pub(super) render_failure: Option<RenderFailure>,
    /// Whether a sign-out ends all logins of the user.
    pub(super) sign_out_everywhere: bool,
    /// The path in the browser to redirect to after a sign-out.
    pub(super) after_sign_out: String,
}

/// The kinds of log events that any client can cause.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum ClientEvent {
    LoginFailed(LoginFailureKind),
    NoticeNotAdmitted,
    NoticeRefused { known_sender: bool },
    NoticeUnchecked { known_sender: bool },
    SignOutNotContinued,
    SignOutReturned { begun_here: bool },
}

/// The state of the routes of one provider.
#[derive(Clone)]
pub(super) struct RouteState {
    pub(super) shared: Arc<RoutesState>,
    pub(super) mounted: MountedProvider,
    pub(super) admission: LoginAdmission,
}

/// Limits the concurrent calls to one provider for logins and sign-outs.
#[derive(Clone)]
pub(super) struct LoginAdmission {
    /// For the exchange of a code.
    exchange: Admission,
    /// For the URL to redirect a browser to, which most providers return without a call.
    redirect: Admission,
}

impl LoginAdmission {
    fn new(limits: &AdmissionLimits) -> Self {
        Self {
            exchange: Admission::new(limits),
            redirect: Admission::new(limits),
        }
    }
}

impl RoutesState {
    pub(crate) fn new(
        auth: AuthState,
        notice_limits: &AdmissionLimits,
        login_limits: &AdmissionLimits,
        client_address: ClientAddress,
        render_failure: Option<RenderFailure>,
        sign_out_everywhere: bool,
        after_sign_out: String,
    ) -> Self {
        Self {
            sign_outs: SignOutStates::new(auth.site.clone()),
            replays: ReplayCache::default(),
            notice_admission: NoticeAdmission::new(notice_limits),
            login_admissions: auth
                .providers
                .iter()
                .map(|_| LoginAdmission::new(login_limits))
                .collect(),
            client_address,
            log_limit: LogLimit::default(),
            render_failure,
            sign_out_everywhere,
            after_sign_out,
            auth: Arc::new(auth),
        }
    }
}

impl RouteState {
    pub(super) fn auth(&self) -> &Arc<AuthState> {
        &self.shared.auth
    }

    pub(super) fn site(&self) -> &Site {
        &self.shared.auth.site
    }

    pub(super) async fn admit_exchange(&self, parts: &Parts) -> Option<AdmissionPermit> {
        let client = Client::of(self.shared.client_address.of(parts));
        self.admission.exchange.admit(client).await
    }

    pub(super) async fn admit_redirect(&self, parts: &Parts) -> Option<AdmissionPermit> {
        let client = Client::of(self.shared.client_address.of(parts));
        self.admission.redirect.admit(client).await
    }

    pub(super) fn callback_url(&self) -> Url {
        self.site().url(self.mounted.paths.callback())
    }

    pub(super) fn logout_url(&self) -> Url {
        self.site().url(self.mounted.paths.logout())
    }

    /// The state of a request inside the layer of these routes.
    ///
    /// # Errors
    ///
    /// A reason if the routes are outside of their layer, inside another layer, or outside of the
    /// base path of the site. The user sees a 500.
    pub(super) fn request_auth<'a>(
        &self,
        parts: &'a Parts,
    ) -> Result<&'a Arc<RequestAuth>, Reason> {
        let auth = RequestAuth::of(parts).ok_or_else(Reason::layer_missing)?;
        if !Arc::ptr_eq(auth.state(), self.auth()) {
            return Err(Reason::other_layer());
        }
        let original = parts.extensions.get::<OriginalUri>();
        let uri = original.map_or(&parts.uri, |OriginalUri(uri)| uri);
        match self.site().is_outside(uri.path()) {
            true => Err(Reason::outside(self.site())),
            false => Ok(auth),
        }
    }
}

/// The path in the browser to log in and return to `next`: the application's login page, or the
/// start route of this provider.
pub(super) fn login_path(auth: &AuthState, paths: &Paths, next: &ReturnPath) -> String {
    let path = match auth.login_page() {
        Some(page) => page.to_owned(),
        None => auth.site.path(paths.start()),
    };
    with_next(&auth.site, path, next)
}

pub(super) fn with_next(site: &Site, path: String, next: &ReturnPath) -> String {
    if next.is_front(site) {
        return path;
    }
    let next: String = form_urlencoded::byte_serialize(next.as_str().as_bytes()).collect();
    format!("{path}?next={next}")
}

impl fmt::Debug for RoutesState {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("RoutesState")
            .field("auth", &self.auth)
            .finish_non_exhaustive()
    }
}
