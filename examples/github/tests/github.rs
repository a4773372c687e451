//! The site and a GitHub over loopback.

use github::{WEBHOOK_PATH, application, local_github::LocalGithub};
use reqwest::{Client, Response, StatusCode, Url, header};
use tokio::net::TcpListener;

const OCTOCAT: &str = "583231";

struct Site {
    url: String,
    origin: String,
    github: LocalGithub,
}

impl Site {
    async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let origin = format!("http://{}", listener.local_addr().unwrap());
        let site = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", site.local_addr().unwrap());
        let github = LocalGithub::new(&origin, &url);
        let routes = github.routes();
        tokio::spawn(async move { axum::serve(listener, routes).await.unwrap() });

        let (provider, webhook) = (github.provider().unwrap(), github.webhook());
        let app = application(&url, provider, Some(webhook)).unwrap();
        tokio::spawn(async move { axum::serve(site, app).await.unwrap() });
        Self {
            url,
            origin,
            github,
        }
    }

    /// Sends an event to the webhook, and returns the status.
    async fn deliver(
        &self,
        event: &str,
        delivery: Option<&str>,
        signature: &str,
        body: &str,
    ) -> StatusCode {
        let client = Client::builder().no_proxy().build().unwrap();
        let mut request = client
            .post(format!("{}{WEBHOOK_PATH}", self.url))
            .header("x-github-event", event)
            .header("x-hub-signature-256", signature)
            .header(header::CONTENT_TYPE, "application/json")
            .body(body.to_owned());
        if let Some(delivery) = delivery {
            request = request.header("x-github-delivery", delivery);
        }
        request.send().await.unwrap().status()
    }
}

/// A browser, which follows redirects.
struct Browser<'a> {
    site: &'a Site,
    client: Client,
}

impl<'a> Browser<'a> {
    fn new(site: &'a Site) -> Self {
        let client = Client::builder().cookie_store(true).no_proxy().build();
        Self {
            site,
            client: client.unwrap(),
        }
    }

    async fn open(&self, path: &str) -> Response {
        let request = self.client.get(format!("{}{path}", self.site.url));
        request
            .header(header::ACCEPT, "text/html")
            .send()
            .await
            .unwrap()
    }

    async fn send(&self, url: &str, form: &[(&str, &str)]) -> Response {
        let origin = Url::parse(url).unwrap().origin().ascii_serialization();
        self.send_from(&origin, url, form).await
    }

    async fn send_from(&self, origin: &str, url: &str, form: &[(&str, &str)]) -> Response {
        let request = self.client.post(url).form(form);
        let request = request.header(header::ORIGIN, origin);
        request
            .header(header::ACCEPT, "text/html")
            .send()
            .await
            .unwrap()
    }

    async fn press(&self, path: &str) -> Response {
        self.send(&format!("{}{path}", self.site.url), &[]).await
    }

    /// Opens the account, and logs in at GitHub. Returns the page after it.
    async fn log_in(&self, user: &str) -> String {
        let form = self.open("/account").await;
        assert_eq!(form.url().path(), "/login/oauth/authorize");
        let page = self.send(form.url().as_str(), &[("user", user)]).await;
        assert_eq!(
            (page.status().as_u16(), page.url().path()),
            (200, "/account")
        );
        page.text().await.unwrap()
    }

    async fn is_in(&self) -> bool {
        let page = self.open("/account").await;
        page.url().as_str().starts_with(&self.site.url)
    }
}

#[tokio::test]
async fn a_user_logs_in_signs_out_here_and_logs_out_everywhere() {
    let site = Site::start().await;
    let (here, there) = (Browser::new(&site), Browser::new(&site));
    let page = here.log_in(OCTOCAT).await;
    assert!(
        page.contains("The octocat") && page.contains(OCTOCAT),
        "{page}"
    );
    assert!(
        page.contains("octocat@example.com"),
        "the verified one: {page}"
    );
    there.log_in(OCTOCAT).await;
    let bystander = Browser::new(&site);
    bystander.log_in("9919").await;

    assert_eq!(here.press("/auth/sign-out").await.url().path(), "/");
    assert!(!here.is_in().await && there.is_in().await);
    here.log_in(OCTOCAT).await;
    here.press("/account/log-out-everywhere").await;
    assert!(!here.is_in().await && !there.is_in().await);
    assert!(bystander.is_in().await);
    there.log_in(OCTOCAT).await;
    assert!(there.is_in().await, "a new login works");
}

#[tokio::test]
async fn a_name_that_was_given_up_opens_no_account() {
    let site = Site::start().await;
    let browser = Browser::new(&site);
    browser.log_in(OCTOCAT).await;
    site.github.rename(583_231, "renamed");
    site.github.rename(9_919, "octocat");
    let other = Browser::new(&site);
    let page = other.log_in("9919").await;
    assert!(
        page.contains("The octocat") && page.contains("9919"),
        "{page}"
    );
    // The account of the renamed user is another one, and still theirs.
    other.press("/account/log-out-everywhere").await;
    assert!(browser.is_in().await && !other.is_in().await);
    let page = Browser::new(&site).log_in(OCTOCAT).await;
    assert!(
        page.contains("The renamed") && page.contains(OCTOCAT),
        "{page}"
    );
}

#[tokio::test]
async fn a_user_who_cancels_can_try_again() {
    let site = Site::start().await;
    let browser = Browser::new(&site);
    let form = browser.open("/account").await;
    let page = browser.send(form.url().as_str(), &[]).await;
    assert_eq!(
        (page.status().as_u16(), page.url().path()),
        (403, "/clef/callback")
    );
    let issuer = format!("{}/login/oauth", site.origin);
    let mut query = page.url().query_pairs();
    assert!(
        query.any(|(name, value)| name == "iss" && value == issuer),
        "GitHub names itself: {}",
        page.url()
    );
    let text = page.text().await.unwrap();
    assert!(text.contains("/clef/login?next=%2Faccount"), "{text}");
    browser.log_in(OCTOCAT).await;
}

#[tokio::test]
async fn a_page_of_another_site_logs_nobody_out() {
    let site = Site::start().await;
    let browser = Browser::new(&site);
    browser.log_in(OCTOCAT).await;
    let url = format!("{}/account/log-out-everywhere", site.url);
    for origin in ["https://evil.example", "null"] {
        let response = browser.send_from(origin, &url, &[]).await;
        assert_eq!(response.status(), 403, "{origin}");
    }
    assert!(browser.is_in().await);
}

#[tokio::test]
async fn a_user_who_revokes_the_app_is_logged_out_everywhere() {
    let site = Site::start().await;
    let [here, there, bystander] = [(); 3].map(|()| Browser::new(&site));
    here.log_in(OCTOCAT).await;
    there.log_in(OCTOCAT).await;
    bystander.log_in("9919").await;
    let settings = format!("{}/settings/apps", site.origin);
    let page = here.send(&settings, &[("user", OCTOCAT)]).await;
    let page = page.text().await.unwrap();
    assert!(page.contains("The site answered 200"), "{page}");
    assert!(!here.is_in().await && !there.is_in().await);
    assert!(bystander.is_in().await);
    here.log_in(OCTOCAT).await;
    assert!(here.is_in().await, "a new login works");

    // The second event has the body of the first.
    here.send(&settings, &[("user", OCTOCAT)]).await;
    assert!(!here.is_in().await);
    // A delivery that is sent again has its id.
    let (body, signature) = site.github.event("revoked", 583_231);
    let event = "github_app_authorization";
    for (delivery, ends) in [("one", true), ("one", false), ("another", true)] {
        here.log_in(OCTOCAT).await;
        let status = site.deliver(event, Some(delivery), &signature, &body);
        assert_eq!(status.await, 200);
        assert_eq!(here.is_in().await, !ends, "{delivery}");
        here.press("/auth/sign-out").await;
    }
    assert!(bystander.is_in().await);
}

#[tokio::test]
async fn a_webhook_that_is_forged_or_says_something_else_ends_nothing() {
    let site = Site::start().await;
    let browser = Browser::new(&site);
    browser.log_in(OCTOCAT).await;
    let (body, signature) = site.github.event("revoked", 583_231);
    let (other, signature_of_other) = site.github.event("created", 583_231);
    let event = "github_app_authorization";
    for (event, signature, body, status) in [
        (event, "", &*body, 401),
        (event, &*signature_of_other, &*body, 401),
        (event, &signature[..70], &*body, 401),
        (event, &*signature.replace("sha256=", "sha1="), &*body, 401),
        (event, &*signature, "{}", 401),
        (event, &*signature_of_other, &*other, 200),
        ("ping", &*signature, &*body, 200),
    ] {
        let answer = site.deliver(event, Some("one"), signature, body).await;
        assert_eq!(answer, status, "{event} {signature} {body}");
        assert!(browser.is_in().await, "{event} {signature} {body}");
    }
    let answer = site.deliver(event, None, &signature, &body).await;
    assert_eq!(answer, 400, "no id");
    assert!(browser.is_in().await);
}
