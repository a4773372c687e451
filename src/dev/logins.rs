use std::time::{Duration, Instant};

use super::{
    applications::Application,
    loopback::LoopbackUrl,
    people::{self, Person},
    short_lived::ShortLived,
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
/// The whole state of the service. It is kept behind one lock, and each method is one step: a code
/// is either exchanged before a log-out, which then ends that login too, or dies with it.
pub(super) struct Logins {
    codes: ShortLived<Code>,
    access_tokens: ShortLived<&'static Person>,
    logout_tokens: ShortLived<LogoutToken>,
    entries: Vec<Entry>,
    last_serial: u64,
}

#[derive(Clone)]
struct Code {
    person: &'static Person,
    application: &'static Application,
    redirect: LoopbackUrl,
    /// The redirect URL as the site wrote it: OAuth 2 compares the text.
    redirect_text: String,
}

struct LogoutToken {
    person: &'static Person,
    application: &'static Application,
}

/// A login: a person who entered a site.
struct Entry {
    /// Tells this login from a later one at the same site.
    serial: u64,
    person: &'static Person,
    application: &'static Application,
    /// Host and port, for people.
    site: String,
    hook: Option<LoopbackUrl>,
    since: Instant,
}

/// A wish to exchange a code, by an application that has proved itself.
pub(super) struct Exchange<'a> {
    pub(super) application: &'static Application,
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
    pub(super) serial: u64,
    pub(super) site: String,
    /// The call to make; `None` if the site never said where.
    pub(super) call: Option<HookCall>,
}

/// A call to a logout webhook.
pub(super) struct HookCall {
    pub(super) url: LoopbackUrl,
    pub(super) logout_token: String,
}

/// A site that a person is in.
pub(super) struct Site {
    pub(super) name: String,
    pub(super) entered: Duration,
    pub(super) has_hook: bool,
}

impl Logins {
    pub(super) fn new() -> Self {
        Self {
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
        person: &'static Person,
        application: &'static Application,
        redirect: &LoopbackUrl,
        redirect_text: &str,
        now: Instant,
    ) -> String {
        let code = Code {
            person,
            application,
            redirect: redirect.clone(),
            redirect_text: redirect_text.to_owned(),
        };
        self.codes.insert(code, now)
    }

    /// Exchanges a code for an access token. From here on the person is in the site.
    ///
    /// Only a success burns the code.
    pub(super) fn exchange_code(
        &mut self,
        exchange: &Exchange<'_>,
        now: Instant,
    ) -> Result<String, ExchangeError> {
        let hook = exchange
            .logout_hook
            .map(|text| LoopbackUrl::parse(text).ok_or(ExchangeError::LogoutHook));

        if exchange.code == PUBLISHED_CODE {
            let hook = hook.transpose()?;
            let site = match &hook {
                Some(hook) => hook.site(),
                None => "a site that used the published code".to_owned(),
            };
            self.enter(people::published(), exchange.application, site, hook, now);
            return Ok(PUBLISHED_ACCESS_TOKEN.to_owned());
        }

        let code = self
            .codes
            .get(exchange.code, now)
            .filter(|code| code.application.id == exchange.application.id)
            .filter(|code| {
                exchange
                    .redirect_uri
                    .is_none_or(|text| text == code.redirect_text)
            })
            .cloned()
            .ok_or(ExchangeError::Code)?;
        let hook = hook.transpose()?;
        if hook
            .as_ref()
            .is_some_and(|hook| !hook.same_site(&code.redirect))
        {
            return Err(ExchangeError::LogoutHook);
        }

        self.codes.remove(exchange.code);
        self.enter(
            code.person,
            code.application,
            code.redirect.site(),
            hook,
            now,
        );
        Ok(self.access_tokens.insert(code.person, now))
    }

    fn enter(
        &mut self,
        person: &'static Person,
        application: &'static Application,
        site: String,
        hook: Option<LoopbackUrl>,
        now: Instant,
    ) {
        self.entries.retain(|entry| {
            entry.person.id != person.id
                || entry.application.id != application.id
                || entry.hook != hook
                || entry.site != site
        });
        if self.entries.len() >= MOST_ENTRIES {
            self.entries.remove(0);
        }
        self.last_serial += 1;
        self.entries.push(Entry {
            serial: self.last_serial,
            person,
            application,
            site,
            hook,
            since: now,
        });
    }

    /// Whose data an access token opens.
    pub(super) fn person_of(&self, access_token: &str, now: Instant) -> Option<&'static Person> {
        if access_token == PUBLISHED_ACCESS_TOKEN {
            return Some(people::published());
        }
        self.access_tokens.get(access_token, now).copied()
    }

    /// Ends the codes and access tokens of a person, and says who is to hear of it.
    ///
    /// A site stays listed until [`told`](Self::told); one without a hook cannot be told, and goes
    /// at once.
    pub(super) fn begin_log_out(&mut self, person: &'static Person, now: Instant) -> Vec<Notice> {
        self.codes.retain(|code| code.person.id != person.id);
        self.access_tokens.retain(|owner| owner.id != person.id);

        let mut notices = Vec::new();
        for entry in self.entries.iter().filter(|e| e.person.id == person.id) {
            let call = entry.hook.as_ref().map(|hook| HookCall {
                url: hook.clone(),
                logout_token: self.logout_tokens.insert(
                    LogoutToken {
                        person,
                        application: entry.application,
                    },
                    now,
                ),
            });
            notices.push(Notice {
                serial: entry.serial,
                site: entry.site.clone(),
                call,
            });
        }
        self.entries
            .retain(|entry| entry.person.id != person.id || entry.hook.is_some());
        notices
    }

    /// Takes a login off the list: its site has heard of the log-out. A newer login at the same
    /// site has another serial number and stays.
    pub(super) fn told(&mut self, serial: u64) {
        self.entries.retain(|entry| entry.serial != serial);
    }

    /// Exchanges a logout token for the person who logged out. Good once, and only for the
    /// application that it was sent to.
    pub(super) fn exchange_logout_token(
        &mut self,
        token: &str,
        application: &Application,
        now: Instant,
    ) -> Option<&'static Person> {
        let person = self
            .logout_tokens
            .get(token, now)
            .filter(|sent| sent.application.id == application.id)?
            .person;
        self.logout_tokens.remove(token);
        Some(person)
    }

    /// The sites that a person is in, the one entered last first.
    pub(super) fn sites(&self, person: &Person, now: Instant) -> Vec<Site> {
        self.entries
            .iter()
            .rev()
            .filter(|entry| entry.person.id == person.id)
            .map(|entry| Site {
                name: entry.site.clone(),
                entered: now.saturating_duration_since(entry.since),
                has_hook: entry.hook.is_some(),
            })
            .collect()
    }
}

#[cfg(test)]
mod tests;
