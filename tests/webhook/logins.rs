//! Logins under attack: the start route gives a good attempt to any client, and each callback with
//! one costs a call to the provider.

use std::{net::IpAddr, sync::atomic::Ordering::SeqCst, time::Duration};

use axum::http::Method;
use axum_clef::AdmissionLimits;
use test_support::{Answer, Jar, answer, set_cookies};
use tokio::{
    task::{JoinHandle, JoinSet},
    time::sleep,
};

use crate::site::{ATTACKER, MILLISECOND, PROVIDER as PERSON, Site, attacker, peer};

const TAKES: Duration = Duration::from_millis(20);
const START: &str = "/clef/login";

#[track_caller]
fn assert_overloaded(answer: &Answer, after: Duration) {
    assert_eq!((answer.status, answer.took), (503, after));
    assert_eq!(answer.header("retry-after"), "5");
    assert!(answer.text.contains("Please try again"), "{}", answer.text);
    assert!(answer.text.contains(r#"<a href="">Try again</a>"#));
    let cookie = set_cookies(&answer.headers).next();
    assert_eq!(cookie, None, "nothing begun and nothing burnt");
}

/// Sends a request in a task of its own, as a server does.
fn send(
    site: &Site,
    client: IpAddr,
    jar: &Jar,
    (method, path): (Method, &str),
) -> JoinHandle<Answer> {
    let mut request = jar.request(method, path);
    request.extensions_mut().insert(peer(client));
    let app = site.app.clone();
    tokio::spawn(async move { answer(&app, request).await })
}

async fn get(site: &Site, client: IpAddr, path: &str) -> Answer {
    let answer = send(site, client, &Jar::default(), (Method::GET, path));
    answer.await.unwrap()
}

/// The way back of a login that has just begun.
struct Callback {
    path: String,
    jar: Jar,
}

impl Callback {
    async fn begin(site: &Site, client: IpAddr, code: &str) -> Self {
        let start = get(site, client, START).await;
        let mut jar = Jar::default();
        jar.take(&start.headers);
        let (_, state) = start.location().rsplit_once("state=").unwrap();
        let path = format!("/clef/callback?code={code}&state={state}");
        Self { path, jar }
    }

    fn send(&self, site: &Site, client: IpAddr) -> JoinHandle<Answer> {
        send(site, client, &self.jar, (Method::GET, &self.path))
    }
}

async fn log_in(site: &Site, client: IpAddr) -> Answer {
    let callback = Callback::begin(site, client, "code:1").await;
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
    assert_eq!(site.calls.gauge.now(), 16);
    let login = log_in(&site, PERSON).await;
    assert_eq!((login.status, login.took), (303, TAKES));
    let flood = flood.join_all().await;
    assert_eq!(site.calls.gauge.most(), 17);
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
    assert_eq!(site.calls.gauge.now(), 64);
    let login = log_in(&site, PERSON).await;
    assert_eq!(login.status, 303);
    assert!(login.took <= 2 * TAKES, "{:?}", login.took);
    assert_eq!(site.calls.gauge.most(), 64);
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
        Callback::begin(&site, PERSON, "code:1").await,
        Callback::begin(&site, PERSON, "code:1").await,
    ];
    let [waits, refused] = callbacks.each_ref().map(|one| one.send(&site, PERSON));
    assert_overloaded(&refused.await.unwrap(), Duration::ZERO);
    assert_overloaded(&waits.await.unwrap(), wait);
    assert_eq!(site.calls.gauge.all(), 1);

    assert_eq!(hanging.await.unwrap().status, 502);
    for callback in callbacks {
        let login = callback.send(&site, PERSON).await.unwrap();
        assert_eq!((login.status, login.took), (303, TAKES));
        let exchanges = site.calls.gauge.all();
        let again = callback.send(&site, PERSON).await.unwrap();
        assert_eq!(again.status, 303);
        assert_eq!(site.calls.gauge.all(), exchanges, "both share one exchange");
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
    assert_eq!((declined.status, declined.took), (403, Duration::ZERO));
    let made_up = "/clef/callback?code=x&state=made-up";
    let made_up = get(&site, PERSON, made_up).await;
    assert_eq!((made_up.status, made_up.took), (403, Duration::ZERO));
}

#[tokio::test(start_paused = true)]
async fn starts_and_sign_outs_that_call_the_provider_are_bounded_too() {
    let limits = AdmissionLimits::default().concurrency(4).queue(8);
    let site = Site::set_up(TAKES, |layer| layer.login_limits(limits)).await;
    let login = log_in(&site, ATTACKER).await;
    let calls = site.calls.gauge.all();
    site.calls.redirects_call.store(true, SeqCst);
    site.calls.takes(Duration::from_secs(5));
    let mut flood = JoinSet::new();
    for number in 0..1_000 {
        let client = attacker(number % 10);
        flood.spawn(send(&site, client, &Jar::default(), (Method::GET, START)));
    }
    sleep(MILLISECOND).await;
    assert_eq!(site.calls.gauge.now(), 4);

    let start = get(&site, PERSON, START).await;
    assert_overloaded(&start, Duration::from_secs(1));
    // The login here ends all the same.
    let mut jar = Jar::default();
    jar.take(&login.headers);
    let sign_out = send(&site, ATTACKER, &jar, (Method::POST, "/auth/sign-out"));
    let sign_out = sign_out.await.unwrap();
    assert_eq!((sign_out.status, sign_out.location()), (303, "/"));

    flood.join_all().await;
    assert_eq!(
        (site.calls.gauge.most(), site.calls.gauge.all()),
        (4, calls + 4)
    );
    let start = get(&site, PERSON, START).await;
    assert_eq!(start.status, 303);
}
