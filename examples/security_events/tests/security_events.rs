//! The site and the directory over loopback: the click of an administrator ends logins.

use std::{net::SocketAddr, time::Duration};

use reqwest::{Client, StatusCode, header, redirect::Policy};
use security_events::{application, directory, register};
use tokio::net::TcpListener;

struct Served {
    site: String,
    directory: String,
}

impl Served {
    async fn start() -> Self {
        let (site_listener, site) = listen().await;
        let (directory_listener, directory) = listen().await;
        let routes = directory::router(&directory, &site).unwrap();
        tokio::spawn(async move { axum::serve(directory_listener, routes).await });
        let (app, stream) = application(&site, &directory).unwrap();
        let app = app.into_make_service_with_connect_info::<SocketAddr>();
        tokio::spawn(async move { axum::serve(site_listener, app).await });
        register(&site, &stream).await.unwrap();
        // The next start of a site finds its stream.
        register(&site, &stream).await.unwrap();
        Self { site, directory }
    }

    /// A browser in which this person has tried to log in, and the status.
    async fn log_in(&self, person: &str) -> (Client, StatusCode) {
        let browser = browser();
        let request = browser.post(format!("{}/log-in", self.site));
        let request = request.form(&[("person", person)]);
        let response = request.header(header::ORIGIN, &self.site).send().await;
        (browser, response.unwrap().status())
    }

    async fn page(&self, browser: &Client) -> String {
        let page = browser.get(&self.site).send().await.unwrap();
        page.text().await.unwrap()
    }

    async fn is_in(&self, browser: &Client) -> bool {
        self.page(browser).await.contains("Hello, ")
    }

    /// What the administrator does, and what the page then says of the deliveries.
    async fn click(&self, person: &str, event: &str) -> String {
        let form = [("person", person), ("event", event)];
        let request = browser().post(format!("{}/events", self.directory));
        let response = request.form(&form).send().await.unwrap();
        assert_eq!(response.status(), 303);
        self.deliveries().await
    }

    async fn deliveries(&self) -> String {
        let page = browser().get(&self.directory).send().await.unwrap();
        page.text().await.unwrap()
    }
}

async fn listen() -> (TcpListener, String) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    (listener, url)
}

/// A browser, which keeps cookies and follows no redirect.
fn browser() -> Client {
    let client = Client::builder().cookie_store(true);
    client.redirect(Policy::none()).no_proxy().build().unwrap()
}

#[tokio::test]
async fn a_click_in_the_directory_ends_the_logins_of_a_person() {
    let served = Served::start().await;
    let (mira, status) = served.log_in("mira").await;
    assert_eq!(status, 303);
    let (mira_elsewhere, _) = served.log_in("mira").await;
    let (noor, _) = served.log_in("noor").await;
    let page = served.click("mira", "session-revoked").await;
    assert!(page.contains("session-revoked: 202"), "{page}");
    let page = served.page(&mira).await;
    assert!(page.contains("An administrator logged you out"), "{page}");
    assert!(!served.is_in(&mira_elsewhere).await);
    assert!(served.is_in(&noor).await);
    let (again, _) = served.log_in("mira").await;
    assert!(served.is_in(&again).await);
}

#[tokio::test]
async fn a_disabled_person_cannot_log_in_again() {
    let served = Served::start().await;
    let (mira, _) = served.log_in("mira").await;
    served.click("mira", "account-disabled").await;
    assert!(!served.is_in(&mira).await);
    let (refused, status) = served.log_in("mira").await;
    assert_eq!(status, 403);
    assert!(!served.is_in(&refused).await);
    // The times of events are in whole seconds, and of two at the same time the lock wins.
    tokio::time::sleep(Duration::from_millis(1_100)).await;
    served.click("mira", "account-enabled").await;
    let (mira, status) = served.log_in("mira").await;
    assert_eq!(status, 303);
    assert!(served.is_in(&mira).await);

    // Nor can a person who has never logged in.
    served.click("noor", "account-disabled").await;
    let (refused, status) = served.log_in("noor").await;
    assert_eq!(status, 403);
    assert!(!served.is_in(&refused).await);
}

#[tokio::test]
async fn the_site_registers_itself_and_sees_that_events_arrive() {
    let served = Served::start().await;
    for _ in 0..500 {
        let page = served.deliveries().await;
        if page.matches("verification: 202").count() == 2 {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("{}", served.deliveries().await);
}
