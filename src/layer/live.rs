//! The settings of open pages, and of what else ends with a login.

use std::time::Duration;

use super::ClefLayerBuilder;
use crate::UserStore;

impl<S: UserStore> ClefLayerBuilder<S> {
    /// The path of the events for open pages. Defaults to `/auth/live`.
    ///
    /// `GET` answers with server-sent events. `logged-in` is sent at the start if the login is
    /// valid, `logged-out` when it ends or if there is none, and `alive` every 15 seconds. If only
    /// the record of the login is gone, as after a sign-out at another node, the events end without
    /// `logged-out`, and the next connection receives it. The query parameter `page` is a random
    /// name of up to 64 letters and digits. With it, `logged-in` has
    /// the data `{"who":"…"}`, a pseudonym of the user for this page only. Otherwise the data is
    /// `{}`. Over HTTP/1.1 a browser opens at most six connections to a host, so the script shares
    /// one between tabs.
    ///
    /// The path with `.js` is the script that covers a page when its login ends, and uncovers it
    /// when the same user has logged in again. Add
    /// `<script src="/auth/live.js" data-private defer></script>` to a page for one user. Without
    /// `data-private`, a page that starts without a login is not covered. See [the guide](crate::guide::covered_pages).
    ///
    /// The path with `/back` is where a login ends in the window that a covered page opens. It
    /// notifies that page and closes the window.
    pub fn live_path(mut self, path: impl Into<String>) -> Self {
        self.live.path = path.into();
        self
    }

    /// How often the stores are asked about the logins that a
    /// [`LogoutSignal`](crate::LogoutSignal) or an open page listens to. Defaults to ten seconds.
    /// Logouts that this node receives are signalled at once; logouts of other nodes once the stores
    /// are asked, or by the news of a leased store.
    ///
    /// In this time the user store is asked once about each user with listeners (once for each
    /// session at the provider, where that names sessions). If several of the user's logins have
    /// listeners, it is also asked about the revocation of each. The session store is asked once
    /// about each login. The checks are spread evenly over the time, at most eight at once, so with
    /// slow stores and many users a round takes longer than the interval. An interval of less than
    /// a tenth of a second counts as that, one of more than a day as a day.
    pub fn live_interval(mut self, interval: Duration) -> Self {
        self.live.interval = interval;
        self
    }

    /// How many pages may have `GET /auth/live` open at this node. Defaults to 20,000.
    ///
    /// Each takes a file descriptor, so keep the number below the limit of the process. The last
    /// quarter of the places is reserved: only a user without an open page gets one of them, so
    /// that a few users with many pages do not keep all others out. What is turned away is 503
    /// with `Retry-After`, and the page tries again; the log says how many at most once a second.
    ///
    /// A [`LogoutSignal`](crate::LogoutSignal) in a handler is not counted: the application bounds
    /// those.
    pub fn most_live_pages(mut self, pages: usize) -> Self {
        self.live.pages = Some(pages);
        self
    }

    /// How many pages of one user, by all logins together, may be open at this node. Defaults to
    /// 64. Raise it where many people share an account. More than
    /// [`most_live_pages`](Self::most_live_pages) is an error of `build`.
    ///
    /// What is turned away is 503, as with [`most_live_pages`](Self::most_live_pages).
    pub fn most_live_pages_per_user(mut self, pages: usize) -> Self {
        self.live.pages_per_user = Some(pages);
        self
    }

    /// How many pages of one login, so of one browser, may be open at this node. Defaults to 16.
    /// More than [`most_live_pages_per_user`](Self::most_live_pages_per_user) is an error of
    /// `build`.
    ///
    /// With the script `/auth/live.js`, a browser has one connection for each visible page, one for
    /// all hidden pages together, and briefly one for each page that loads. What is turned away is
    /// 503, as with [`most_live_pages`](Self::most_live_pages).
    pub fn most_live_pages_per_login(mut self, pages: usize) -> Self {
        self.live.pages_per_login = Some(pages);
        self
    }
}
