use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use super::{
    Application, Person, destination::Destination, short_lived::ShortLived, site_url::SiteUrl,
};

/// How long a code waits to be exchanged.
const CODE_LIFETIME: Duration = Duration::from_secs(60);
/// How long an access token opens the person's data.
const ACCESS_TOKEN_LIFETIME: Duration = Duration::from_secs(60);
/// How long a logout token waits to be exchanged: longer than any site takes to answer its hook,
/// for sites that look into it afterwards.
const LOGOUT_TOKEN_LIFETIME: Duration = Duration::from_secs(5 * 60);
/// The most logins that are remembered at a time. A log-out calls them all at the same time, and
/// each call takes a socket.
const MOST_ENTRIES: usize = 1_000;

/// The code that Clef published for tests: any known application may exchange it, any number of
/// times.
const PUBLISHED_CODE: &str = "code_1234567890";
/// What the published code is exchanged for. It never ends.
const PUBLISHED_ACCESS_TOKEN: &str = "token_1234567890";

/// Who is logged in where, and the codes and tokens on the way there and back.
///
/// Each method is one step: a code is either exchanged before a log-out, which then ends that login
/// too, or dies with it.
pub(super) struct Logins {
    /// Whom the published code opens.
    published: Arc<Person>,
    codes: ShortLived<Code>,
    access_tokens: ShortLived<Arc<Person>>,
    logout_tokens: ShortLived<LogoutToken>,
    entries: Vec<Entry>,
    last_serial: u64,
}

#[derive(Clone)]
struct Code {
    person: Arc<Person>,
    destination: Destination,
}

struct LogoutToken {
    person: Arc<Person>,
    application: Arc<Application>,
}

/// A login: a person who entered a site.
struct Entry {
    /// Tells this login from a later one at the same site.
    serial: u64,
    person: Arc<Person>,
    application: Arc<Application>,
    /// Host and port, for people.
    site: String,
    hook: Option<SiteUrl>,
    since: Instant,
    /// The last log-out that this site has not heard of yet.
    owed: Option<u64>,
}

/// A wish to exchange a code, by an application that has proved itself.
pub(super) struct Exchange<'a> {
    pub(super) application: &'a Arc<Application>,
    pub(super) code: &'a str,
    pub(super) redirect_uri: Option<&'a str>,
    pub(super) logout_hook: Option<&'a str>,
}

/// Why a code was not exchanged.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum ExchangeError {
    Code,
    LogoutHook,
}

/// A site that is to hear of a log-out.
pub(super) struct Notice {
    pub(super) id: NoticeId,
    pub(super) site: String,
    /// The call to make; `None` if the site never said where.
    pub(super) call: Option<HookCall>,
}

/// Which log-out of which login a site is to hear of. A newer login at the site and a newer
/// log-out both make it void.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct NoticeId {
    login: u64,
    log_out: u64,
}

/// A call to a logout webhook.
pub(super) struct HookCall {
    pub(super) url: SiteUrl,
    pub(super) logout_token: String,
}

/// A site that a person is in.
pub(super) struct Site {
    pub(super) name: String,
    pub(super) entered: Duration,
    pub(super) has_hook: bool,
    /// The person has logged out, and the site has not heard of it.
    pub(super) owed: bool,
}

impl Logins {
    pub(super) fn new(published: Arc<Person>) -> Self {
        Self {
            published,
            codes: ShortLived::new(CODE_LIFETIME),
            access_tokens: ShortLived::new(ACCESS_TOKEN_LIFETIME),
            logout_tokens: ShortLived::new(LOGOUT_TOKEN_LIFETIME),
            entries: Vec::new(),
            last_serial: 0,
        }
    }

    /// A code for a person who is on the way to a site.
    pub(super) fn give_code(
        &mut self,
        person: &Arc<Person>,
        destination: &Destination,
        now: Instant,
    ) -> String {
        let code = Code {
            person: Arc::clone(person),
            destination: destination.clone(),
        };
        self.codes.insert(code, now)
    }

    /// Exchanges a code for an access token. From here on the person is in the site.
    ///
    /// Only a success burns the code. Whose it was is told with the token.
    pub(super) fn exchange_code(
        &mut self,
        exchange: &Exchange<'_>,
        now: Instant,
    ) -> Result<(String, Arc<Person>), ExchangeError> {
        let hook = exchange.logout_hook.map(|text| {
            SiteUrl::parse(text, exchange.application).ok_or(ExchangeError::LogoutHook)
        });

        if exchange.code == PUBLISHED_CODE {
            let hook = hook.transpose()?;
            let site = match &hook {
                Some(hook) => hook.site(),
                None => "a site that used the published code".to_owned(),
            };
            let person = Arc::clone(&self.published);
            self.enter(&person, exchange.application, site, hook, now);
            return Ok((PUBLISHED_ACCESS_TOKEN.to_owned(), person));
        }

        let Code {
            person,
            destination,
        } = self
            .codes
            .get(exchange.code, now)
            .filter(|code| code.destination.application.id() == exchange.application.id())
            .filter(|code| {
                exchange
                    .redirect_uri
                    .is_none_or(|text| text == code.destination.redirect_text)
            })
            .cloned()
            .ok_or(ExchangeError::Code)?;
        let hook = hook.transpose()?;
        if hook
            .as_ref()
            .is_some_and(|hook| !hook.same_site(&destination.redirect))
        {
            return Err(ExchangeError::LogoutHook);
        }

        self.codes.remove(exchange.code);
        self.enter(
            &person,
            exchange.application,
            destination.redirect.site(),
            hook,
            now,
        );
        let token = self.access_tokens.insert(Arc::clone(&person), now);
        Ok((token, person))
    }

    fn enter(
        &mut self,
        person: &Arc<Person>,
        application: &Arc<Application>,
        site: String,
        hook: Option<SiteUrl>,
        now: Instant,
    ) {
        self.entries.retain(|entry| {
            entry.person.id() != person.id()
                || entry.application.id() != application.id()
                || entry.hook != hook
                || entry.site != site
        });
        if self.entries.len() >= MOST_ENTRIES {
            self.entries.remove(0);
        }
        self.last_serial += 1;
        self.entries.push(Entry {
            serial: self.last_serial,
            person: Arc::clone(person),
            application: Arc::clone(application),
            site,
            hook,
            since: now,
            owed: None,
        });
    }

    /// Whose data an access token opens.
    pub(super) fn person_of(&self, access_token: &str, now: Instant) -> Option<&Arc<Person>> {
        if access_token == PUBLISHED_ACCESS_TOKEN {
            return Some(&self.published);
        }
        self.access_tokens.get(access_token, now)
    }

    /// Ends the codes and access tokens of a person, and says who is to hear of it.
    ///
    /// A site stays listed until [`told`](Self::told); one without a hook cannot be told, and goes
    /// at once.
    pub(super) fn begin_log_out(&mut self, person: &Person, now: Instant) -> Vec<Notice> {
        self.codes.retain(|code| code.person.id() != person.id());
        self.access_tokens.retain(|owner| owner.id() != person.id());
        let notices = self.notices(|entry| entry.person.id() == person.id(), now);
        self.entries
            .retain(|entry| entry.person.id() != person.id() || entry.hook.is_some());
        notices
    }

    /// The log-outs that the site has not heard of, to be told before the person enters anew.
    pub(super) fn owed(
        &mut self,
        person: &Person,
        destination: &Destination,
        now: Instant,
    ) -> Vec<Notice> {
        let site = destination.redirect.site();
        let is_owed = |entry: &Entry| {
            entry.owed.is_some()
                && entry.person.id() == person.id()
                && entry.application.id() == destination.application.id()
                && entry.site == site
        };
        self.notices(is_owed, now)
    }

    fn notices(&mut self, wanted: impl Fn(&Entry) -> bool, now: Instant) -> Vec<Notice> {
        self.last_serial += 1;
        let mut notices = Vec::new();
        for entry in self.entries.iter_mut().filter(|entry| wanted(entry)) {
            entry.owed = Some(self.last_serial);
            notices.push(Notice {
                id: NoticeId {
                    login: entry.serial,
                    log_out: self.last_serial,
                },
                site: entry.site.clone(),
                call: entry.call(&mut self.logout_tokens, now),
            });
        }
        notices
    }

    /// The same call once more with a fresh token, unless there is no need any more: the site has
    /// heard of it, or a newer login or log-out came in between.
    pub(super) fn call_again(&mut self, notice: NoticeId, now: Instant) -> Option<HookCall> {
        let entry = self
            .entries
            .iter()
            .find(|entry| entry.serial == notice.login && entry.owed == Some(notice.log_out))?;
        entry.call(&mut self.logout_tokens, now)
    }

    /// Takes a login off the list: its site has heard of the log-out. A newer login at the same
    /// site has another serial number and stays.
    pub(super) fn told(&mut self, notice: NoticeId) {
        self.entries.retain(|entry| entry.serial != notice.login);
    }

    /// Exchanges a logout token for the person who logged out. Good once, and only for the
    /// application that it was sent to.
    pub(super) fn exchange_logout_token(
        &mut self,
        token: &str,
        application: &Application,
        now: Instant,
    ) -> Option<Arc<Person>> {
        let person = self
            .logout_tokens
            .get(token, now)
            .filter(|sent| sent.application.id() == application.id())?
            .person
            .clone();
        self.logout_tokens.remove(token);
        Some(person)
    }

    /// The sites that a person is in, the one entered last first.
    pub(super) fn sites(&self, person: &Person, now: Instant) -> Vec<Site> {
        self.entries
            .iter()
            .rev()
            .filter(|entry| entry.person.id() == person.id())
            .map(|entry| Site {
                name: entry.site.clone(),
                entered: now.saturating_duration_since(entry.since),
                has_hook: entry.hook.is_some(),
                owed: entry.owed.is_some(),
            })
            .collect()
    }
}

impl Entry {
    fn call(&self, tokens: &mut ShortLived<LogoutToken>, now: Instant) -> Option<HookCall> {
        let token = LogoutToken {
            person: Arc::clone(&self.person),
            application: Arc::clone(&self.application),
        };
        self.hook.as_ref().map(|hook| HookCall {
            url: hook.clone(),
            logout_token: tokens.insert(token, now),
        })
    }
}

#[cfg(test)]
mod tests;
