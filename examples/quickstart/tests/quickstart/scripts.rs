//! The quickstart by scripts: a cookie jar, and eyes for where it is sent.

use std::{process::Stdio, sync::Arc};

use clef_dev::PEOPLE;
use reqwest::{
    Client, Response,
    cookie::Jar,
    header::{ACCEPT, LOCATION},
    redirect,
};
use tokio::net::TcpListener;
use url::Url;

use crate::program::{self, Quickstart};

struct Browser<'a> {
    quickstart: &'a Quickstart,
    client: Client,
}

impl<'a> Browser<'a> {
    fn new(quickstart: &'a Quickstart) -> Self {
        let client = Client::builder()
            .cookie_provider(Arc::new(Jar::default()))
            .redirect(redirect::Policy::none())
            .no_proxy()
            .build()
            .unwrap();
        Self { quickstart, client }
    }

    async fn open(&self, path: &str) -> Response {
        let url = format!("{}{path}", self.quickstart.site);
        let request = self.client.get(url).header(ACCEPT, "text/html");
        request.send().await.unwrap()
    }

    async fn page(&self, path: &str) -> String {
        let response = self.open(path).await;
        assert_eq!(response.status(), 200);
        response.text().await.unwrap()
    }

    /// The status of the guarded JSON.
    async fn me(&self) -> u16 {
        let url = format!("{}/api/me", self.quickstart.site);
        let response = self.client.get(url).send().await.unwrap();
        response.status().as_u16()
    }

    /// Logs in from the page asked for, and lands on it.
    async fn log_in(&self, person: &str, page: &str) {
        let guard = self.open(page).await;
        assert_eq!(guard.status(), 303);
        let start = self.open(location(&guard)).await;
        assert_eq!(start.status(), 303);
        // What the chosen person's button on Clef's page sends.
        let login = Url::parse(location(&start)).unwrap();
        let fields: Vec<(String, String)> = login.query_pairs().into_owned().collect();
        let url = format!("{}/phone/{person}/log-in", self.quickstart.clef);
        let approved = self.client.post(url).form(&fields).send().await.unwrap();
        assert_eq!(approved.status(), 303);
        let callback = self.client.get(location(&approved)).send().await.unwrap();
        assert_eq!(callback.status(), 303);
        assert_eq!(location(&callback), page);
    }
}

fn location(response: &Response) -> &str {
    response.headers()[LOCATION].to_str().unwrap()
}

#[tokio::test]
async fn logged_out_on_the_phone_is_logged_out_everywhere() {
    let quickstart = Quickstart::start().await;
    let [laptop, tablet, other] = [(); 3].map(|()| Browser::new(&quickstart));
    assert!(laptop.page("/").await.contains("clef-button"));
    assert_eq!(laptop.me().await, 401);

    laptop.log_in("12345", "/account").await;
    tablet.log_in("12345", "/account").await;
    other.log_in(PEOPLE[1].id(), "/account").await;
    assert_eq!(laptop.me().await, 200);
    assert!(laptop.page("/").await.contains("Hello, Alex"));
    let account = laptop.page("/account").await;
    for shown in ["Alex", "alex@getclef.com", "12345", "UTC"] {
        assert!(account.contains(shown), "{shown} in {account}");
    }

    let rows = quickstart.log_out("12345").await;
    assert_eq!(rows.as_array().unwrap().len(), 1, "{rows}");
    assert_eq!(rows[0]["url"], format!("{}/clef/logout", quickstart.site));
    assert_eq!(rows[0]["status"], 200);
    assert!(rows[0]["milliseconds"].is_u64());

    assert_eq!(laptop.me().await, 401);
    assert_eq!(tablet.me().await, 401);
    assert_eq!(laptop.open("/account").await.status(), 303);
    assert!(laptop.page("/").await.contains("clef-button"));
    assert_eq!(other.me().await, 200, "somebody else is not");

    laptop.log_in("12345", "/account").await;
    assert_eq!(laptop.me().await, 200, "a new login works");
    assert_eq!(tablet.me().await, 401);
}

#[tokio::test]
async fn a_logout_under_way_at_clef_ends_the_code_too() {
    let quickstart = Quickstart::start().await;
    let browser = Browser::new(&quickstart);
    let start = browser.open("/clef/login").await;
    let login = Url::parse(location(&start)).unwrap();
    let fields: Vec<(String, String)> = login.query_pairs().into_owned().collect();
    let url = format!("{}/phone/12345/log-in", quickstart.clef);
    let approved = browser.client.post(url).form(&fields).send().await.unwrap();
    quickstart.log_out("12345").await;
    let callback = browser
        .client
        .get(location(&approved))
        .send()
        .await
        .unwrap();
    assert_eq!(callback.status(), 403);
    assert_eq!(browser.me().await, 401);
}

#[tokio::test]
async fn the_same_person_is_the_same_user_in_every_browser() {
    let quickstart = Quickstart::start().await;
    let [first, second] = [(); 2].map(|()| Browser::new(&quickstart));
    first.log_in(PEOPLE[2].id(), "/account").await;
    second.log_in(PEOPLE[2].id(), "/account").await;
    let me = async |browser: &Browser<'_>| {
        let url = format!("{}/api/me", quickstart.site);
        let response = browser.client.get(url).send().await.unwrap();
        response.json::<serde_json::Value>().await.unwrap()
    };
    let (first, second) = (me(&first).await, me(&second).await);
    assert_eq!(first, second);
    assert_eq!(first["clef_id"], PEOPLE[2].id());
    assert_eq!(first["email"].as_str(), PEOPLE[2].email());
}

#[tokio::test]
async fn a_page_on_another_port_cannot_write_a_note() {
    let quickstart = Quickstart::start().await;
    let browser = Browser::new(&quickstart);
    browser.log_in("12345", "/account").await;
    let post = async |note: &str, headers: &[(&str, &str)]| {
        let url = format!("{}/account/note", quickstart.site);
        let mut request = browser.client.post(url).form(&[("note", note)]);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        request.send().await.unwrap().status().as_u16()
    };
    let own = ("origin", &*quickstart.site);
    let same_origin = ("sec-fetch-site", "same-origin");
    assert_eq!(post("of my own", &[own, same_origin]).await, 303);
    for headers in [
        [
            ("origin", &*quickstart.clef),
            ("sec-fetch-site", "same-site"),
        ],
        [
            ("origin", "https://evil.example"),
            ("sec-fetch-site", "cross-site"),
        ],
    ] {
        assert_eq!(post("forged", &headers).await, 403, "{headers:?}");
    }
    let account = browser.page("/account").await;
    assert!(account.contains("of my own") && !account.contains("forged"));
}

#[tokio::test]
async fn what_is_in_the_way_is_one_clear_line() {
    let taken = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let here = "an address of this machine alone";
    for (variable, value, says) in [
        ("SITE_ADDR", address.as_str(), "it is taken"),
        ("CLEF_ADDR", &address, "it is taken"),
        ("SITE_ADDR", "somewhere", "write it like 127.0.0.1:3000"),
        ("SITE_ADDR", "0.0.0.0:0", here),
        ("CLEF_ADDR", "0.0.0.0:0", here),
        ("CLEF_URL", "http://example.com", "CLEF_URL"),
        (
            "DATABASE_URL",
            "sqlite:///no/such/place.db",
            "unable to open",
        ),
    ] {
        let output = program::command()
            .env("SITE_ADDR", "127.0.0.1:0")
            .env("CLEF_ADDR", "127.0.0.1:0")
            .env("DATABASE_URL", "sqlite::memory:")
            .env(variable, value)
            .stderr(Stdio::piped())
            .output()
            .await
            .unwrap();
        assert_eq!(output.status.code(), Some(1), "{variable}={value}");
        let error = String::from_utf8(output.stderr).unwrap();
        assert_eq!(error.trim_end().lines().count(), 1, "{error}");
        assert!(error.contains(variable) && error.contains(says), "{error}");
    }
}
