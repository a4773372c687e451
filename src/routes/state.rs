//! The state of the routes, and the paths to log in.

use std::{fmt, sync::Arc, time::Duration};

use axum::{extract::OriginalUri, http::request::Parts};
use url::Url;

use super::{
    client_address::ClientAddress,
    exchanges::Exchanges,
    failure::{LoginFailureKind, Reason, RenderFailure},
    sign_out_states::SignOutStates,
};
use crate::{
    auth::{AuthState, MaxAge, MountedProvider, RequestAuth, login_url},
    log_limit::LogLimit,
    provider::LogoutEndpoint,
    revocation::{
        Admission, AdmissionLimits, AdmissionPermit, Client, NoticeAdmission, ReplayCache,
    },
    site::{ReturnPath, Site},
};

/// How long a call to a provider may take.
pub(super) const EXCHANGE_LIMIT: Duration = Duration::from_secs(15);
/// How long the body of a notice or a form may take to arrive.
pub(super) const ARRIVAL_LIMIT: Duration = Duration::from_secs(10);

/// The settings of the routes.
pub(crate) struct RouteSettings {
    pub(crate) notice_limits: AdmissionLimits,
    pub(crate) login_limits: AdmissionLimits,
    pub(crate) client_address: ClientAddress,
    /// The endpoints for logout notices beside those of the providers.
    pub(crate) logout_endpoints: Vec<MountedEndpoint>,
    /// Whether an endpoint ends only sessions that were noted.
    pub(crate) notes_sessions: bool,
    pub(crate) render_failure: Option<RenderFailure>,
    /// Below the base path, as every path in the settings.
    pub(crate) sign_out_path: String,
    /// Whether a sign-out ends all logins of the user.
    pub(crate) sign_out_everywhere: bool,
    /// The path in the browser to redirect to after a sign-out.
    pub(crate) after_sign_out: String,
    #[cfg(feature = "live")]
    pub(crate) live: crate::site::LivePaths,
}

/// The state that all routes share.
pub(crate) struct RoutesState {
    pub(crate) auth: Arc<AuthState>,
    pub(super) sign_outs: SignOutStates,
    pub(super) exchanges: Exchanges,
    pub(super) replays: ReplayCache,
    pub(super) notice_admission: NoticeAdmission,
    /// One per provider, so that one that hangs does not delay logins at another.
    pub(super) login_admissions: Vec<LoginAdmission>,
    /// Limits the log events that any client can cause.
    pub(super) log_limit: LogLimit<ClientEvent>,
    pub(super) settings: RouteSettings,
}

/// The kinds of log events that any client can cause.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum ClientEvent {
    LoginFailed(LoginFailureKind),
    NoticeNotAdmitted,
    NoticeReplayed,
    NoticeSpent,
    NotedSessionEnded,
    NoticeRefused { known_sender: bool },
    NoticeUnchecked { known_sender: bool },
    SignOutNotContinued,
    SignOutReturned { begun_here: bool },
}

/// An endpoint for logout notices, and where it is.
#[derive(Clone)]
pub(crate) struct MountedEndpoint {
    /// The path below the base path.
    pub(crate) path: String,
    pub(crate) endpoint: Arc<dyn LogoutEndpoint>,
}

/// The state of the route of one endpoint.
#[derive(Clone)]
pub(super) struct EndpointState {
    pub(super) shared: Arc<RoutesState>,
    pub(super) mounted: MountedEndpoint,
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
    pub(super) redirect: Admission,
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
    pub(crate) fn new(auth: AuthState, settings: RouteSettings) -> Self {
        Self {
            sign_outs: SignOutStates::new(auth.site.clone()),
            exchanges: Exchanges::default(),
            replays: ReplayCache::default(),
            notice_admission: NoticeAdmission::new(&settings.notice_limits),
            login_admissions: auth
                .providers
                .iter()
                .map(|_| LoginAdmission::new(&settings.login_limits))
                .collect(),
            log_limit: LogLimit::default(),
            settings,
            auth: Arc::new(auth),
        }
    }

    pub(super) fn site(&self) -> &Site {
        &self.auth.site
    }

    /// The endpoints of the providers, and those beside them.
    pub(super) fn logout_endpoints(&self) -> impl Iterator<Item = MountedEndpoint> {
        let of_providers = self.auth.providers.iter().filter_map(|mounted| {
            let endpoint = mounted.provider.logout_endpoint()?;
            let path = mounted.paths.logout().to_owned();
            Some(MountedEndpoint { path, endpoint })
        });
        of_providers.chain(self.settings.logout_endpoints.iter().cloned())
    }

    pub(super) fn client(&self, parts: &Parts) -> Client {
        Client::of(self.settings.client_address.of(parts))
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
        if !Arc::ptr_eq(auth.state(), &self.auth) {
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

impl RouteState {
    pub(super) fn auth(&self) -> &Arc<AuthState> {
        &self.shared.auth
    }

    pub(super) fn site(&self) -> &Site {
        self.shared.site()
    }

    pub(super) async fn admit_exchange(&self, parts: &Parts) -> Option<AdmissionPermit> {
        self.admission
            .exchange
            .admit(self.shared.client(parts))
            .await
    }

    pub(super) async fn admit_redirect(&self, parts: &Parts) -> Option<AdmissionPermit> {
        self.admission
            .redirect
            .admit(self.shared.client(parts))
            .await
    }

    pub(super) fn callback_url(&self) -> Url {
        self.site().url(self.mounted.paths.callback())
    }

    pub(super) fn logout_url(&self) -> Url {
        self.site().url(self.mounted.paths.logout())
    }

    /// As [`RoutesState::request_auth`].
    pub(super) fn request_auth<'a>(
        &self,
        parts: &'a Parts,
    ) -> Result<&'a Arc<RequestAuth>, Reason> {
        self.shared.request_auth(parts)
    }
}

/// Where a login leads, and how recently its credentials have to be proven.
#[derive(Debug, Clone)]
pub(super) struct LoginTarget {
    pub(super) next: ReturnPath,
    pub(super) max_age: Option<MaxAge>,
    /// Whether an identity is linked instead: no login begins.
    pub(super) links: bool,
}

impl LoginTarget {
    /// Any login, which leads to the front page.
    pub(super) fn front(site: &Site) -> Self {
        Self {
            next: ReturnPath::front(site),
            max_age: None,
            links: false,
        }
    }

    /// The path in the browser to log in: the application's login page, or the start route of this
    /// provider. Without one, the first provider's.
    pub(super) fn login_path(&self, auth: &AuthState, mounted: Option<&MountedProvider>) -> String {
        match (auth.login_page(), mounted) {
            (None, Some(mounted)) => self.start(&auth.site, mounted),
            _ => self.at(&auth.site, &auth.login_path),
        }
    }

    /// The start route of this provider, as a path in the browser.
    pub(super) fn start(&self, site: &Site, mounted: &MountedProvider) -> String {
        self.at(site, &site.path(mounted.paths.start()))
    }

    fn at(&self, site: &Site, path: &str) -> String {
        let next = (!self.next.is_front(site)).then(|| self.next.as_str());
        login_url(path, self.max_age, next)
    }
}

impl fmt::Debug for RoutesState {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("RoutesState")
            .field("auth", &self.auth)
            .finish_non_exhaustive()
    }
}
