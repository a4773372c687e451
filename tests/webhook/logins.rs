//! Logins under attack: the start route gives a good attempt to any client, and each callback with
//! one costs a call to the provider.

use std::{net::IpAddr, sync::atomic::Ordering::SeqCst, time::Duration};

use axum::{
    Router,
    body::{Body, to_bytes},
    extract::ConnectInfo,
    http::{HeaderMap, Method, Request, header},
};
use axum_clef::AdmissionLimits;
use tokio::{
    task::{JoinHandle, JoinSet},
    time::{Instant, sleep},
};
use tower::ServiceExt as _;

use crate::site::{ATTACKER, PROVIDER as PERSON, Site, attacker};

const MILLISECOND: Duration = Duration::from_millis(1);
const TAKES: Duration = Duration::from_millis(20);
const START: &str = "/clef/login";

/// What a browser received, and how long it took.
struct Answer {
    status: u16,
    headers: HeaderMap,
    page: String,
    after: Duration,
}

impl Answer {
    fn location(&self) -> &str {
        self.headers[header::LOCATION].to_str().unwrap()
    }

    /// The cookies that it sets, as a browser sends them.
    fn cookies(&self) -> String {
        let cookies = self.headers.get_all(header::SET_COOKIE).iter();
        let pairs = cookies.map(|cookie| cookie.to_str().unwrap().split(';').next().unwrap());
        pairs.collect::<Vec<_>>().join("; ")
    }

    #[track_caller]
    fn assert_overloaded(&self, after: Duration) {
        assert_eq!((self.status, self.after), (503, after));
        assert_eq!(self.headers[header::RETRY_AFTER], "5");
        assert!(self.page.contains("Please try again"), "{}", self.page);
        assert!(self.page.contains(r#"<a href="">Try again</a>"#));
        assert_eq!(self.cookies(), "", "nothing begun and nothing burnt");
    }
}

/// Sends a request in a task of its own, as a server does.
fn send(
    app: &Router,
    method: Method,
    client: IpAddr,
    path: &str,
    cookies: &str,
) -> JoinHandle<Answer> {
    let request = Request::builder()
        .method(method)
        .uri(path)
        .header(header::COOKIE, cookies)
        .extension(ConnectInfo(std::net::SocketAddr::new(client, 4_321)))
        .body(Body::empty())
        .unwrap();
    let app = app.clone();
    tokio::spawn(async move {
        let sent_at = Instant::now();
        let (parts, body) = app.oneshot(request).await.unwrap().into_parts();
        let page = to_bytes(body, 1_000_000).await.unwrap();
        Answer {
            status: parts.status.as_u16(),
            headers: parts.headers,
            page: String::from_utf8(page.to_vec()).unwrap(),
            after: sent_at.elapsed(),
        }
    })
}

/// The way back of a login that has just begun.
struct Callback {
    path: String,
    cookies: String,
}

impl Callback {
    async fn begin(site: &Site, client: IpAddr, code: &str) -> Self {
        let start = send(&site.app, Method::GET, client, START, "")
            .await
            .unwrap();
        let (_, state) = start.location().rsplit_once("state=").unwrap();
        Self {
            path: format!("/clef/callback?code={code}&state={state}"),
            cookies: start.cookies(),
        }
    }

    fn send(&self, site: &Site, client: IpAddr) -> JoinHandle<Answer> {
        send(&site.app, Method::GET, client, &self.path, &self.cookies)
    }
}

async fn log_in(site: &Site, client: IpAddr) -> Answer {
    let callback = Callback::begin(site, client, "good:1").await;
    callback.send(site, client).await.unwrap()
}

#[tokio::test(start_paused = true)]
async fn one_address_with_thousands_of_callbacks_holds_no_login_up() {
    let site = Site::new(TAKES, AdmissionLimits::default()).await;
    let mut flood = JoinSet::new();
    for number in 0..1_500 {
        let callback = Callback::begin(&site, ATTACKER, &format!("forged:{number}")).await;
        flood.spawn(callback.send(&site, ATTACKER));
    }
    sleep(MILLISECOND).await;
    assert_eq!(site.provider.now(), 16);
    let login = log_in(&site, PERSON).await;
    assert_eq!((login.status, login.after), (303, TAKES));
    let flood = flood.join_all().await;
    assert_eq!(site.provider.most(), 17);
    let refused = flood
        .iter()
        .filter(|one| one.as_ref().unwrap().status == 403);
    assert_eq!(refused.count(), 16 + 256, "the others were not admitted");
}

/// Even where each attacker fills its share: a client with fewer calls is next.
#[tokio::test(start_paused = true)]
async fn a_few_addresses_with_thousands_of_callbacks_hold_no_login_up_for_long() {
    let site = Site::new(TAKES, AdmissionLimits::default()).await;
    for number in 0..1_500 {
        let client = attacker(number % 20);
        let callback = Callback::begin(&site, client, &format!("forged:{number}")).await;
        drop(callback.send(&site, client));
    }
    sleep(MILLISECOND).await;
    assert_eq!(site.provider.now(), 64);
    let login = log_in(&site, PERSON).await;
    assert_eq!(login.status, 303);
    assert!(login.after <= 2 * TAKES, "{:?}", login.after);
    assert_eq!(site.provider.most(), 64);
}

#[tokio::test(start_paused = true)]
async fn a_callback_that_is_not_admitted_can_be_sent_again() {
    let wait = 300 * MILLISECOND;
    let limits = AdmissionLimits::default()
        .concurrency(1)
        .queue(1)
        .queue_timeout(wait);
    let site = Site::set_up(TAKES, |layer| layer.login_limits(limits)).await;
    let hanging = Callback::begin(&site, ATTACKER, "hang").await;
    let hanging = hanging.send(&site, ATTACKER);
    sleep(MILLISECOND).await;
    let callbacks = [
        Callback::begin(&site, PERSON, "good:1").await,
        Callback::begin(&site, PERSON, "good:1").await,
    ];
    let [waits, refused] = callbacks.each_ref().map(|one| one.send(&site, PERSON));
    refused.await.unwrap().assert_overloaded(Duration::ZERO);
    waits.await.unwrap().assert_overloaded(wait);
    assert_eq!(site.provider.calls(), 1);

    assert_eq!(hanging.await.unwrap().status, 502);
    for callback in callbacks {
        let login = callback.send(&site, PERSON).await.unwrap();
        assert_eq!((login.status, login.after), (303, TAKES));
        let again = callback.send(&site, PERSON).await.unwrap();
        assert_eq!(again.status, 403, "it is burnt now");
    }
}

/// A callback that costs no call needs no permit.
#[tokio::test(start_paused = true)]
async fn a_callback_that_cannot_be_a_login_is_refused_at_once() {
    let limits = AdmissionLimits::default().concurrency(1).queue(0);
    let site = Site::set_up(TAKES, |layer| layer.login_limits(limits)).await;
    let hanging = Callback::begin(&site, ATTACKER, "hang").await;
    let _hanging = hanging.send(&site, ATTACKER);
    let begun = Callback::begin(&site, ATTACKER, "x&error=access_denied").await;
    let declined = begun.send(&site, PERSON).await.unwrap();
    assert_eq!((declined.status, declined.after), (403, Duration::ZERO));
    let made_up = "/clef/callback?code=x&state=made-up";
    let made_up = send(&site.app, Method::GET, PERSON, made_up, "")
        .await
        .unwrap();
    assert_eq!((made_up.status, made_up.after), (403, Duration::ZERO));
}

#[tokio::test(start_paused = true)]
async fn starts_and_sign_outs_that_call_the_provider_are_bounded_too() {
    let limits = AdmissionLimits::default().concurrency(4).queue(8);
    let site = Site::set_up(TAKES, |layer| layer.login_limits(limits)).await;
    let login = log_in(&site, ATTACKER).await;
    let calls = site.provider.calls();
    site.provider.redirects_call.store(true, SeqCst);
    site.provider.takes(Duration::from_secs(5));
    let mut flood = JoinSet::new();
    for number in 0..1_000 {
        let client = attacker(number % 10);
        flood.spawn(send(&site.app, Method::GET, client, START, ""));
    }
    sleep(MILLISECOND).await;
    assert_eq!(site.provider.now(), 4);

    let start = send(&site.app, Method::GET, PERSON, START, "")
        .await
        .unwrap();
    start.assert_overloaded(Duration::from_secs(1));
    // The login here ends all the same.
    let cookies = login.cookies();
    let sign_out = send(
        &site.app,
        Method::POST,
        ATTACKER,
        "/auth/sign-out",
        &cookies,
    );
    let sign_out = sign_out.await.unwrap();
    assert_eq!((sign_out.status, sign_out.location()), (303, "/"));

    flood.join_all().await;
    assert_eq!(
        (site.provider.most(), site.provider.calls()),
        (4, calls + 4)
    );
    let start = send(&site.app, Method::GET, PERSON, START, "")
        .await
        .unwrap();
    assert_eq!(start.status, 303);
}
