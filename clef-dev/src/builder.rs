use std::{io, net::SocketAddr, time::Duration};

use super::{Application, ClefService, Person};

/// How a [`ClefService`] is to be; made by [`ClefService::builder`].
///
/// ```
/// use std::time::Duration;
///
/// use clef_dev::{Application, ClefService, Person};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> std::io::Result<()> {
/// let clef = ClefService::builder()
///     .application(Application::new("shop", "a secret").on("localhost:3000"))
///     .person(Person::new("4283383571", "Maya", "Okafor"))
///     .retry_pauses([Duration::from_millis(10)])
///     .start()
///     .await?;
/// assert!(clef.address().ip().is_loopback());
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone)]
#[must_use = "a service begins with `start`"]
pub struct ClefServiceBuilder {
    pub(super) address: SocketAddr,
    pub(super) applications: Vec<Application>,
    pub(super) people: Vec<Person>,
    pub(super) retry_pauses: Vec<Duration>,
    pub(super) waiting_lifetime: Duration,
    pub(super) reachable_by_everybody: bool,
}

impl ClefServiceBuilder {
    pub(super) fn new() -> Self {
        Self {
            address: SocketAddr::from(([127, 0, 0, 1], 0)),
            applications: Vec::new(),
            people: Vec::new(),
            retry_pauses: [1, 4, 16].map(Duration::from_secs).to_vec(),
            waiting_lifetime: Duration::from_secs(5 * 60),
            reachable_by_everybody: false,
        }
    }

    /// Where to listen. By default on a free port of 127.0.0.1.
    pub fn address(mut self, address: SocketAddr) -> Self {
        self.address = address;
        self
    }

    /// Registers an application beside [`TEST_APPLICATIONS`](super::TEST_APPLICATIONS).
    pub fn application(mut self, application: Application) -> Self {
        self.applications.push(application);
        self
    }

    /// Registers a person beside [`PEOPLE`](super::PEOPLE).
    pub fn person(mut self, person: Person) -> Self {
        self.people.push(person);
        self
    }

    /// The pauses before the second, the third, … attempt to tell a site of a log-out. By default
    /// 1, 4 and 16 seconds, which makes four attempts; none makes one.
    pub fn retry_pauses(mut self, pauses: impl IntoIterator<Item = Duration>) -> Self {
        self.retry_pauses = pauses.into_iter().collect();
        self
    }

    /// How long a login waits for the phone. By default five minutes.
    pub fn waiting_lifetime(mut self, lifetime: Duration) -> Self {
        self.waiting_lifetime = lifetime;
        self
    }

    /// Allows an address that other machines reach, and answers under any name.
    ///
    /// Whoever reaches the service can log in as anybody at every site that trusts it, and log
    /// everybody out. It is meant for a phone on the desk, in a network of your own.
    pub fn reachable_by_everybody_who_can_then_log_in_as_anybody(mut self) -> Self {
        self.reachable_by_everybody = true;
        self
    }

    /// Binds the address and serves on it.
    ///
    /// It runs on the tokio runtime that this is called in, which needs its IO and time drivers.
    ///
    /// # Errors
    ///
    /// - [`InvalidInput`](io::ErrorKind::InvalidInput) if the address is not a loopback address
    ///   and [nothing allows that][allowed], if an application or a person cannot be had, or if
    ///   two share an id; the text says which.
    /// - What the system says if the address cannot be bound, for example
    ///   [`AddrInUse`](io::ErrorKind::AddrInUse).
    /// - [`Other`](io::ErrorKind::Other) if the client that calls the webhooks cannot be built.
    ///
    /// [allowed]: Self::reachable_by_everybody_who_can_then_log_in_as_anybody
    pub async fn start(self) -> io::Result<ClefService> {
        ClefService::from_builder(self).await
    }
}
