//! The open pages of this node: their limits, and their end when the server stops.

use std::{
    collections::HashMap,
    hash::Hash,
    mem,
    pin::Pin,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll},
    time::Duration,
};

use tokio::{
    sync::{Notify, futures::OwnedNotified, oneshot},
    time::Instant,
};

use super::LogoutSignal;
use crate::LoginId;

/// One in this many places is reserved for users without an open page.
const RESERVED: usize = 4;
/// The shortest time between two log events about rejected pages.
const BETWEEN_EVENTS: Duration = Duration::from_secs(1);

/// How many pages may be open.
#[derive(Debug, Clone, Copy)]
pub(crate) struct PageLimits {
    pub(crate) all: usize,
    pub(crate) per_user: usize,
    pub(crate) per_login: usize,
}

/// The open pages of a layer and its clones.
pub(crate) struct Pages {
    open: Arc<Mutex<Open>>,
    closed: AtomicBool,
    closing: Arc<Notify>,
}

/// The place of one open page. Dropping it frees the place.
pub(crate) struct Page {
    open: Arc<Mutex<Open>>,
    id: u64,
    closing: Pin<Box<OwnedNotified>>,
    replaced: oneshot::Receiver<()>,
}

struct Open {
    limits: PageLimits,
    next_id: u64,
    pages: HashMap<u64, Entry>,
    /// By the id of the user.
    by_user: HashMap<Arc<str>, usize>,
    by_login: HashMap<LoginId, usize>,
    by_name: HashMap<Name, u64>,
    rejections: Rejections,
}

/// The login of a page, and the random name that the page sends.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Name(LoginId, String);

struct Entry {
    user: Arc<str>,
    login: LoginId,
    name: Option<Name>,
    /// Dropped when another connection of the page replaces this one.
    _keep: oneshot::Sender<()>,
}

/// The limit that rejects a page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Limit {
    Login,
    User,
    All,
}

/// The pages rejected since the last log event, by limit.
#[derive(Default)]
struct Rejections {
    by_login: u64,
    by_user: u64,
    by_all: u64,
    logged_at: Option<Instant>,
}

impl Default for PageLimits {
    fn default() -> Self {
        Self {
            all: 20_000,
            per_user: 64,
            per_login: 16,
        }
    }
}

impl PageLimits {
    /// The places for users with an open page.
    fn unreserved(&self) -> usize {
        let reserved = self.all.div_ceil(RESERVED);
        self.all - reserved.min(self.all.saturating_sub(1))
    }
}

impl Pages {
    pub(super) fn new(limits: PageLimits) -> Self {
        let open = Open {
            limits,
            next_id: 0,
            pages: HashMap::new(),
            by_user: HashMap::new(),
            by_login: HashMap::new(),
            by_name: HashMap::new(),
            rejections: Rejections::default(),
        };
        Self {
            open: Arc::new(Mutex::new(open)),
            closed: AtomicBool::new(false),
            closing: Arc::default(),
        }
    }

    pub(crate) fn open(&self) -> usize {
        lock(&self.open).pages.len()
    }

    /// Whether another page fits the limit for all. Called before the login of the page is checked,
    /// so that a full server makes no store call.
    pub(crate) fn have_room(&self) -> bool {
        if self.are_closed() {
            return false;
        }
        let open = lock(&self.open);
        let has_room = open.pages.len() < open.limits.all;
        drop(open);
        if !has_room {
            self.reject(Limit::All);
        }
        has_room
    }

    /// Admits a page of this user and login. Returns `None` if a limit is reached or the server
    /// stops.
    ///
    /// A page that reconnects under its name replaces its earlier connection, which may be dead
    /// before a timeout shows it.
    pub(crate) fn admit(
        &self,
        user_id: &str,
        login: &LogoutSignal,
        name: Option<&str>,
    ) -> Option<Page> {
        // Created before `closed` is read, so that no close in between is missed.
        let closing = Box::pin(Arc::clone(&self.closing).notified_owned());
        if self.are_closed() {
            return None;
        }
        let login = login.id();
        let name = name.map(|name| Name(login, name.to_owned()));
        let admitted = lock(&self.open).admit(user_id, login, name);
        match admitted {
            Ok((id, replaced)) => Some(Page {
                open: Arc::clone(&self.open),
                id,
                closing,
                replaced,
            }),
            Err(limit) => {
                self.reject(limit);
                None
            }
        }
    }

    fn reject(&self, limit: Limit) {
        let (open, due) = {
            let mut open = lock(&self.open);
            (open.pages.len(), open.rejections.add(limit))
        };
        // Outside of the lock: a log subscriber may call `open`.
        if let Some(Rejections {
            by_login,
            by_user,
            by_all,
            ..
        }) = due
        {
            tracing::warn!(
                count = by_login + by_user + by_all,
                by_login,
                by_user,
                by_all,
                open,
                "open pages were rejected: a limit per login, per user or for all pages is reached"
            );
        }
    }

    /// Whether the server stops.
    fn are_closed(&self) -> bool {
        self.closed.load(Ordering::Acquire)
    }

    /// Ends all pages and admits no more.
    pub(crate) fn close(&self) {
        self.closed.store(true, Ordering::Release);
        self.closing.notify_waiters();
    }
}

fn lock(open: &Mutex<Open>) -> MutexGuard<'_, Open> {
    // Consistent after every step, so poisoning is harmless.
    open.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Open {
    fn limit_reached(&self, user_id: &str, login: LoginId) -> Option<Limit> {
        let PageLimits {
            all,
            per_user,
            per_login,
        } = self.limits;
        let of_user = self.by_user.get(user_id).copied().unwrap_or_default();
        let of_login = self.by_login.get(&login).copied().unwrap_or_default();
        if of_login >= per_login {
            Some(Limit::Login)
        } else if of_user >= per_user {
            Some(Limit::User)
        } else if self.pages.len() >= all
            || (of_user > 0 && self.pages.len() >= self.limits.unreserved())
        {
            Some(Limit::All)
        } else {
            None
        }
    }

    /// Returns the id of the page and a receiver that resolves when the page is replaced.
    ///
    /// # Errors
    ///
    /// The limit that is reached. Reject the page.
    fn admit(
        &mut self,
        user_id: &str,
        login: LoginId,
        name: Option<Name>,
    ) -> Result<(u64, oneshot::Receiver<()>), Limit> {
        let earlier = name.as_ref().and_then(|name| self.by_name.get(name));
        let earlier = earlier.copied().and_then(|id| self.pages.remove(&id));
        let user = match earlier {
            // The counts do not change.
            Some(earlier) => earlier.user,
            None => self.count(user_id, login)?,
        };
        self.next_id += 1;
        let id = self.next_id;
        if let Some(name) = &name {
            self.by_name.insert(name.clone(), id);
        }
        let (keep, replaced) = oneshot::channel();
        let entry = Entry {
            user,
            login,
            name,
            _keep: keep,
        };
        self.pages.insert(id, entry);
        Ok((id, replaced))
    }

    /// Counts a page and returns the shared key of its user, or the limit that is reached.
    fn count(&mut self, user_id: &str, login: LoginId) -> Result<Arc<str>, Limit> {
        if let Some(limit) = self.limit_reached(user_id, login) {
            return Err(limit);
        }
        let known = self.by_user.get_key_value(user_id);
        let user = known.map_or_else(|| Arc::from(user_id), |(known, _)| Arc::clone(known));
        *self.by_user.entry(Arc::clone(&user)).or_default() += 1;
        *self.by_login.entry(login).or_default() += 1;
        Ok(user)
    }

    /// Removes a page, unless another connection has replaced it.
    fn remove(&mut self, id: u64) {
        let Some(entry) = self.pages.remove(&id) else {
            return;
        };
        decrement(&mut self.by_user, &entry.user);
        decrement(&mut self.by_login, &entry.login);
        if let Some(name) = &entry.name {
            self.by_name.remove(name);
        }
    }
}

/// Decrements a count, and removes it at zero.
fn decrement<K: Hash + Eq>(counts: &mut HashMap<K, usize>, key: &K) {
    if let Some(count) = counts.get_mut(key) {
        *count -= 1;
        if *count == 0 {
            counts.remove(key);
        }
    }
}

impl Rejections {
    /// Counts a rejection. Returns the counts to log, or `None` within a second of the last event.
    fn add(&mut self, limit: Limit) -> Option<Self> {
        let by_limit = match limit {
            Limit::Login => &mut self.by_login,
            Limit::User => &mut self.by_user,
            Limit::All => &mut self.by_all,
        };
        *by_limit += 1;
        let logged_at = self.logged_at;
        if logged_at.is_some_and(|logged_at| logged_at.elapsed() < BETWEEN_EVENTS) {
            return None;
        }
        let next = Self {
            logged_at: Some(Instant::now()),
            ..Self::default()
        };
        Some(mem::replace(self, next))
    }
}

impl Page {
    /// Ready when the server stops.
    pub(crate) fn poll_closing(&mut self, context: &mut Context<'_>) -> Poll<()> {
        self.closing.as_mut().poll(context)
    }

    /// Ready when the page has reconnected. Must not be polled after that.
    pub(crate) fn poll_replaced(&mut self, context: &mut Context<'_>) -> Poll<()> {
        Pin::new(&mut self.replaced).poll(context).map(|_| ())
    }
}

impl Drop for Page {
    fn drop(&mut self) {
        lock(&self.open).remove(self.id);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_left_of_pages_that_are_closed() {
        let pages = Pages::new(PageLimits {
            per_login: 3,
            ..PageLimits::default()
        });
        let mut open = lock(&pages.open);
        let mut ids = Vec::new();
        let logins: [LoginId; 21] = std::array::from_fn(|_| LoginId::random());
        for number in 0..1_000 {
            let (user, login) = (number % 7, logins[number % 21]);
            let name = (number % 2 == 0).then(|| Name(login, (number % 10).to_string()));
            let admitted = open.admit(&user.to_string(), login, name);
            ids.extend(admitted.ok().map(|(id, _)| id));
            assert!(open.by_login.values().all(|count| *count <= 3));
            let of_users: usize = open.by_user.values().sum();
            let of_logins: usize = open.by_login.values().sum();
            assert_eq!((of_users, of_logins), (open.pages.len(), open.pages.len()));
            if number % 5 == 0 {
                open.remove(ids.swap_remove(ids.len() / 2));
            }
        }
        assert!(open.pages.len() > 20);
        for id in ids {
            open.remove(id);
            open.remove(id);
        }
        assert!(open.pages.is_empty() && open.by_name.is_empty());
        assert!(open.by_user.is_empty() && open.by_login.is_empty());
    }
}
