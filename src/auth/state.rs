//! What all requests of a layer share.

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use tokio::sync::Semaphore;
use url::form_urlencoded;

use super::{Attempts, Hooks, Listeners, MaxAge, RenderRejection, Unanswered, login_url};
use crate::{
    log_limit::{LogLimit, log_mistake_at},
    page::PageSettings,
    provider::Provider,
    revocation::{LogoutQueue, UnknownSubjects},
    sessions::{LoginRecord, SessionBackend, Tokens},
    site::{Paths, ReturnPath, Site},
    users::{AnyIdentityStore, AnyUserStore},
};

/// A provider of the site, and where its routes are.
#[derive(Clone)]
pub(crate) struct MountedProvider {
    pub(crate) provider: Arc<dyn Provider>,
    pub(crate) paths: Paths,
    /// Maps the provider's subjects to users.
    pub(crate) identities: Arc<dyn AnyIdentityStore>,
}

/// What all requests of a layer share. It does not change once the layer is built.
pub(crate) struct AuthState {
    pub(crate) site: Site,
    pub(crate) users: Arc<dyn AnyUserStore>,
    pub(crate) sessions: SessionBackend,
    /// Logins that wait for a further step, in the same store or under the same keys.
    pub(crate) suspended: SessionBackend,
    /// Maps subjects to users; `None` for a site without providers.
    pub(crate) identities: Option<Arc<dyn AnyIdentityStore>>,
    /// `None` where no bearer tokens are accepted.
    pub(crate) tokens: Option<Tokens>,
    /// The first is the one that unauthenticated users are sent to.
    pub(crate) providers: Vec<MountedProvider>,
    pub(crate) attempts: Attempts,
    pub(crate) queue: LogoutQueue,
    pub(crate) unknown_subjects: UnknownSubjects,
    /// How long a login lasts at the most, however often it is used.
    pub(crate) lifetime: Option<Duration>,
    /// Where unauthenticated users are sent: a start route, or a page of the application.
    pub(crate) login_path: String,
    pub(crate) has_login_page: bool,
    /// The paths of our routes to which no login can lead back.
    pub(crate) dead_ends: Vec<String>,
    /// Whether the routes were asked for, so that some router has them.
    pub(crate) has_routes: AtomicBool,
    pub(crate) render_rejection: Option<RenderRejection>,
    pub(crate) pages: Arc<PageSettings>,
    pub(crate) hooks: Hooks,
    pub(crate) listeners: Listeners,
    /// Limits the log of stores that do not answer.
    pub(crate) unanswered: LogLimit<Unanswered>,
    /// Limits the renewals that are written at once: requests go on while they take long.
    pub(crate) renewals: Arc<Semaphore>,
}

impl AuthState {
    /// Fewer than the connections of most pools, so that slow renewals leave some for checks.
    pub(crate) const RENEWALS_AT_ONCE: usize = 4;

    /// Where to log in, with the way back to `next`.
    pub(crate) fn login_for(&self, next: Option<&str>) -> String {
        login_url(&self.login_path, None, next)
    }

    /// Where the user of a login proves again who they are: at the provider that they logged in
    /// with, or else where every user logs in.
    pub(crate) fn reauthentication_for(
        &self,
        record: &LoginRecord<'_>,
        max_age: MaxAge,
        next: Option<&str>,
    ) -> String {
        let mut providers = self.providers.iter();
        let mounted = providers.find(|mounted| mounted.paths.callback() == record.callback);
        let start = mounted.map(|mounted| self.site.path(mounted.paths.start()));
        let path = start.as_deref().unwrap_or(&self.login_path);
        login_url(path, Some(max_age), next)
    }

    /// The application's page to log in on, if it has one.
    pub(crate) fn login_page(&self) -> Option<&str> {
        self.has_login_page.then_some(&self.login_path)
    }

    /// Where a login leads that begins in a request with this query: its `next`, as for
    /// [`return_path`](Self::return_path).
    pub(crate) fn next_in(&self, query: Option<&str>) -> ReturnPath {
        let mut fields = form_urlencoded::parse(query.unwrap_or_default().as_bytes());
        let next = fields.find_map(|(name, value)| (name == "next").then_some(value));
        self.return_path(next.as_deref().unwrap_or_default())
    }

    /// Where a login leads: `next` if it is a page of this site that no login loops to, and
    /// otherwise the front page.
    pub(crate) fn return_path(&self, next: &str) -> ReturnPath {
        ReturnPath::normalize(&self.site, next)
            .filter(|next| !self.leads_nowhere(next.path()))
            .unwrap_or_else(|| ReturnPath::front(&self.site))
    }

    /// Whether a login that leads back to `path` would loop: the path of a route or of the login page.
    pub(crate) fn leads_nowhere(&self, path: &str) -> bool {
        path == self.login_path || self.route_at(path).is_some()
    }

    /// The route of ours with this path, in the browser or below the base path.
    fn route_at(&self, path: &str) -> Option<&str> {
        let path = self.site.below_base(path).unwrap_or(path);
        let mut routes = self.dead_ends.iter().map(String::as_str);
        routes.find(|route| *route == path)
    }

    /// Logs a request for one of our routes that no router has.
    pub(crate) fn check_routes(&self, path: &str) {
        if !self.has_routes.load(Ordering::Relaxed)
            && let Some(route) = self.route_at(path)
        {
            log_mistake_at(
                "a request for a ready route finds none: write `.merge(auth.routes())` before \
                 `.layer(auth)`",
                route,
            );
        }
    }
}

impl fmt::Debug for AuthState {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("AuthState")
            .field("site", &self.site)
            .field("sessions", &self.sessions)
            .field("providers", &self.providers)
            .field("login_path", &self.login_path)
            .field("pending_logouts", &self.queue.len())
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for MountedProvider {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("MountedProvider")
            .field("provider", &self.provider.name())
            .field("paths", &self.paths)
            .finish()
    }
}
