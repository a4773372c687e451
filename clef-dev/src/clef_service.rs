use std::{
    fmt, io,
    net::SocketAddr,
    sync::Arc,
    time::{Duration, Instant},
};

use tokio::{net::TcpListener, sync::watch};
use url::Url;

use super::{
    ClefServiceBuilder, Delivery, DevError, Fault, Person,
    destination::Destination,
    directory::Directory,
    log_out::{log_out, tell_what_is_owed},
    phone,
    router::router,
    service::{Service, Settings},
    timekeeper::keep_time,
};

/// A running Clef service.
///
/// It stops when this is dropped: the port is given back, pages that listen for news are closed,
/// retries end, and requests under way are still answered.
///
/// # Example
///
/// A login and a logout, as a site in any language sees them:
///
/// ```
/// use axum::{Router, routing::post};
/// use clef_dev::{ClefService, PEOPLE, TEST_APPLICATIONS};
/// use serde_json::Value;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let clef = ClefService::builder().start().await?;
/// let application = &TEST_APPLICATIONS[0];
/// let alex = PEOPLE[0].id();
///
/// // The webhook of the site under test.
/// let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
/// let site = format!("http://{}", listener.local_addr()?);
/// let app = Router::new().route("/clef/logout", post(async || "Ok"));
/// tokio::spawn(async move { axum::serve(listener, app).await });
///
/// // Alex approves on the phone; the browser arrives at the callback, with a code.
/// let callback = format!("{site}/clef/callback");
/// let arrived = clef.log_in(alex, application.id(), &callback, None).await?;
/// let (_, code) = arrived.query_pairs().find(|(name, _)| name == "code").unwrap();
///
/// // The site exchanges the code, and says where its webhook is.
/// let hook = format!("{site}/clef/logout");
/// let answer: Value = reqwest::Client::new()
///     .post(format!("{}/api/v1/authorize", clef.url()))
///     .form(&[
///         ("code", &*code),
///         ("app_id", application.id()),
///         ("app_secret", application.secret()),
///         ("logout_hook", &hook),
///     ])
///     .send()
///     .await?
///     .json()
///     .await?;
/// assert_eq!(answer["success"], true);
///
/// // "Log out now": a delivery for each site that Alex entered.
/// let deliveries = clef.log_out(alex).await?;
/// assert!(deliveries[0].succeeded());
/// # Ok(())
/// # }
/// ```
pub struct ClefService {
    address: SocketAddr,
    service: Service,
    /// The server and its tasks wait for this to go.
    _running: watch::Sender<()>,
}

impl ClefService {
    /// Binds `address` and serves on it with [`TEST_APPLICATIONS`](super::TEST_APPLICATIONS) and
    /// [`PEOPLE`](super::PEOPLE); port 0 takes a free one.
    ///
    /// # Errors
    ///
    /// As those of [`ClefServiceBuilder::start`].
    pub async fn start(address: SocketAddr) -> io::Result<Self> {
        Self::builder().address(address).start().await
    }

    /// A service with applications, people and settings of your own.
    pub fn builder() -> ClefServiceBuilder {
        ClefServiceBuilder::new()
    }

    pub(super) async fn from_builder(builder: ClefServiceBuilder) -> io::Result<Self> {
        let invalid = |text| io::Error::new(io::ErrorKind::InvalidInput, text);
        let address = builder.address;
        if !address.ip().is_loopback() && !builder.reachable_by_everybody {
            return Err(invalid(format!(
                "{address} is not a loopback address: whoever reaches this Clef service can log \
                 in as anybody, so nobody else may, unless the builder says so in so many words"
            )));
        }
        let directory = Directory::new(&builder.applications, &builder.people).map_err(invalid)?;
        let listener = TcpListener::bind(address).await?;
        let address = listener.local_addr()?;
        let (running, stopped) = watch::channel(());
        let service = Service::new(Settings {
            directory,
            retry_pauses: builder.retry_pauses,
            waiting_lifetime: builder.waiting_lifetime,
            any_host: builder.reachable_by_everybody,
            port: address.port(),
            running: stopped,
        })
        .map_err(io::Error::other)?;

        let until_stopped = service.clone();
        let server =
            axum::serve(listener, router(service.clone())).with_graceful_shutdown(async move {
                until_stopped
                    .unless_stopped(std::future::pending::<()>())
                    .await;
            });
        tokio::spawn(async move {
            if let Err(error) = server.await {
                tracing::error!(%error, "the Clef service broke down");
            }
        });
        tokio::spawn(keep_time(service.clone()));
        tracing::info!(%address, "the Clef service is running");
        Ok(Self {
            address,
            service,
            _running: running,
        })
    }

    /// Where the service listens, with the port that was taken.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The address as a URL without a slash at the end: `http://127.0.0.1:5050`.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Approves the login that a site sent the browser here for, as a person (an
    /// [id](Person::id)), without a browser and without a phone: the URL at the site that the
    /// browser would be sent to. `login_url` is the `Location` that the site's start route
    /// answered with; the browser must be the one that asked for it.
    ///
    /// # Errors
    ///
    /// As those of [`log_in`](Self::log_in), or if it is no address of a login page.
    pub async fn approve(&self, person: &str, login_url: &str) -> Result<Url, DevError> {
        let url = Url::parse(login_url).map_err(|error| {
            DevError::new(format!(
                "{login_url:?} is no address of a login page: {error}"
            ))
        })?;
        let field = |name: &str| {
            let mut pairs = url.query_pairs();
            pairs.find(|(key, _)| key == name).map(|(_, value)| value)
        };
        let application = field("app_id").unwrap_or_default();
        let redirect_url = field("redirect_url").unwrap_or_default();
        let state = field("state");
        self.log_in(person, &application, &redirect_url, state.as_deref())
            .await
    }

    /// Approves a login that no browser of a site began, as a person (an [id](Person::id)): the
    /// URL at the site that the browser would be sent to, with `code` and `state`.
    ///
    /// The code is good for one exchange, within a minute. Once the site has exchanged it, the
    /// person is logged in there. A site that ties logins to browsers
    /// refuses a `state` that it did not give: see [`approve`](Self::approve).
    ///
    /// # Errors
    ///
    /// If there is no such person or application, or the application may not have the redirect
    /// URL or the state.
    pub async fn log_in(
        &self,
        person: &str,
        application_id: &str,
        redirect_url: &str,
        state: Option<&str>,
    ) -> Result<Url, DevError> {
        let person = self.person(person)?;
        let directory = self.service.directory();
        let destination = Destination::new(directory, application_id, redirect_url, state)
            .map_err(|bad| DevError::new(format!("{} {}", bad.title(), bad.explanation())))?;
        tell_what_is_owed(&self.service, person, &destination).await;
        Ok(self
            .service
            .change(|state| state.log_in(person, &destination, Instant::now())))
    }

    /// "Log out now" on the phone of a person. Tells all sites at the same time and answers when
    /// each was told once, with a [`Delivery`] for each site; retries go on in the background.
    ///
    /// # Errors
    ///
    /// If there is no such person. A site that fails is no error here: see
    /// [`Delivery::error`].
    pub async fn log_out(&self, person: &str) -> Result<Vec<Delivery>, DevError> {
        let person = self.person(person)?;
        Ok(log_out(&self.service, person).rows().await)
    }

    /// Waits until a person is logged out, by the button, by [`log_out`](Self::log_out) or by the
    /// timer, and no delivery is under way any more. Returns at once if the person is logged in
    /// nowhere.
    ///
    /// # Errors
    ///
    /// If there is no such person.
    pub async fn wait_until_logged_out(&self, person: &str) -> Result<(), DevError> {
        let person = self.person(person)?;
        self.service
            .until(|state| !state.timers.of(person).is_running() && state.under_way == 0)
            .await;
        Ok(())
    }

    /// Sets the timer of a person; `None` is ∞, and not the default of an hour. If the person is logged
    /// in, it counts from now on.
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// use clef_dev::{ClefService, PEOPLE, TEST_APPLICATIONS};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let clef = ClefService::builder().start().await?;
    /// let alex = PEOPLE[0].id();
    /// let application = TEST_APPLICATIONS[0].id();
    /// clef.log_in(alex, application, "http://localhost:3000/", None).await?;
    ///
    /// clef.set_timer(alex, Some(Duration::from_millis(5)))?;
    /// clef.wait_until_logged_out(alex).await?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// If there is no such person.
    pub fn set_timer(&self, person: &str, length: Option<Duration>) -> Result<(), DevError> {
        phone::set_timer(&self.service, self.person(person)?, length);
        Ok(())
    }

    /// What was delivered to webhooks so far, the oldest first; the last 500 are remembered.
    #[must_use]
    pub fn deliveries(&self) -> Vec<Delivery> {
        self.service
            .read(|state| state.deliveries.all().cloned().collect())
    }

    /// Waits until no delivery and no retry is under way. With a site that fails and the pauses
    /// as they are by default that takes 21 seconds and more: see
    /// [`retry_pauses`](ClefServiceBuilder::retry_pauses).
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// use clef_dev::ClefService;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let clef = ClefService::builder()
    ///     .retry_pauses([Duration::from_millis(5); 3])
    ///     .start()
    ///     .await?;
    /// clef.log_out("12345").await?;
    /// clef.wait_for_deliveries().await;
    /// assert!(clef.deliveries().is_empty(), "Alex was nowhere");
    /// # Ok(())
    /// # }
    /// ```
    pub async fn wait_for_deliveries(&self) {
        self.service
            .until(|state| state.under_way == 0 && state.timers.run_out(Instant::now()).is_empty())
            .await;
    }

    /// Makes the service misbehave from now on, in one more way.
    ///
    /// ```
    /// use clef_dev::{ClefService, Fault};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let clef = ClefService::builder().start().await?;
    /// let info = format!("{}/api/v1/info?access_token=token_1234567890", clef.url());
    ///
    /// clef.misbehave(Fault::Down);
    /// assert_eq!(reqwest::get(&info).await?.status(), 500);
    /// clef.behave();
    /// assert_eq!(reqwest::get(&info).await?.status(), 200);
    /// # Ok(())
    /// # }
    /// ```
    pub fn misbehave(&self, fault: Fault) {
        self.service.change(|state| state.faults.push(fault));
    }

    /// Ends all misbehaviour. What is on its way already stays as it is.
    pub fn behave(&self) {
        self.service.change(|state| state.faults.clear());
    }

    fn person(&self, id: &str) -> Result<&Arc<Person>, DevError> {
        self.service.directory().person(id).ok_or_else(|| {
            DevError::new(format!(
                "Nobody here has the id {id:?}. PEOPLE are always there; the builder registers \
                 others."
            ))
        })
    }
}

impl fmt::Debug for ClefService {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClefService")
            .field("address", &self.address)
            .finish_non_exhaustive()
    }
}
