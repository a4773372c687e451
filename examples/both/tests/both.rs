//! The site and the provider over loopback, and members with browsers.

use std::net::SocketAddr;

use axum_clef::{
    IdentityStore as _, LinkOutcome, Profile, Subject,
    oidc::{Oidc, SigningAlgorithm},
    testing::check_identity_store,
};
use both::{
    MOST_ATTEMPTS, Members, application,
    local_provider::{self, CLIENT_ID, CLIENT_SECRET},
};
use reqwest::{Client, Response, header, redirect::Policy};
use tempfile::TempDir;
use tokio::net::TcpListener;

const PASSWORD: &str = "a sentence of mine";

struct Served {
    url: String,
    issuer: String,
    members: Members,
    _directory: TempDir,
}

impl Served {
    async fn start() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let database = format!("sqlite://{}", directory.path().join("both.db").display());
        let members = Members::connect(&database).await.unwrap();
        let (site, url) = listen().await;
        let (provider, issuer) = listen().await;
        let routes = local_provider::router(&issuer, &url).unwrap();
        tokio::spawn(async move { axum::serve(provider, routes).await });
        let oidc = Oidc::discover(&*issuer, CLIENT_ID, CLIENT_SECRET).await;
        let oidc = oidc.unwrap().signing_algorithm(SigningAlgorithm::EdDsa);
        let app = application(&url, members.clone(), oidc).await.unwrap();
        let app = app.into_make_service_with_connect_info::<SocketAddr>();
        tokio::spawn(async move { axum::serve(site, app).await });
        Self {
            url,
            issuer,
            members,
            _directory: directory,
        }
    }

    fn browser(&self) -> Browser {
        let client = Client::builder()
            .cookie_store(true)
            .redirect(Policy::none());
        Browser {
            client: client.no_proxy().build().unwrap(),
            site: self.url.clone(),
        }
    }

    /// A browser in which a new member with this name is logged in.
    async fn member(&self, name: &str) -> Browser {
        let browser = self.browser();
        let form = [("name", name), ("password", PASSWORD)];
        let response = browser.send("/sign-up", &form).await;
        assert_eq!(location(&response), "/account");
        browser
    }
}

async fn listen() -> (TcpListener, String) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    (listener, url)
}

/// A browser, which keeps cookies and follows no redirect.
struct Browser {
    client: Client,
    site: String,
}

impl Browser {
    async fn open(&self, url: &str) -> Response {
        let url = match url.starts_with('/') {
            true => format!("{}{url}", self.site),
            false => url.to_owned(),
        };
        let request = self.client.get(url).header(header::ACCEPT, "text/html");
        request.send().await.unwrap()
    }

    async fn send(&self, path: &str, form: &[(&str, &str)]) -> Response {
        let request = self.client.post(format!("{}{path}", self.site));
        let request = request
            .header(header::ACCEPT, "text/html")
            .header(header::ORIGIN, &self.site);
        request.form(form).send().await.unwrap()
    }

    /// Whom the front page greets.
    async fn greeting(&self) -> Option<String> {
        let page = self.open("/").await.text().await.unwrap();
        let (_, name) = page.split_once("Hello, ")?;
        Some(name.split('.').next().unwrap().to_owned())
    }

    /// Says at the provider who it is, and comes back.
    async fn approve(&self, url: &str, person: &str) -> Response {
        let page = self.open(url).await.text().await.unwrap();
        assert!(page.contains("Who are you?"), "{page}");
        let approved = self.open(&format!("{url}&person={person}")).await;
        let callback = location(&approved).to_owned();
        self.open(&callback).await
    }

    async fn log_in_at_provider(&self, person: &str) -> Response {
        let start = self.open("/clef/login?next=/account").await;
        let url = location(&start).to_owned();
        self.approve(&url, person).await
    }

    async fn log_in(&self, name: &str) -> Response {
        let form = [("name", name), ("password", PASSWORD)];
        self.send("/log-in?next=/account", &form).await
    }

    /// Links the identity of a person: the answer of the callback.
    async fn link(&self, person: &str) -> Response {
        let form = [("link", "true"), ("next", "/account")];
        let page = self.send("/clef/login", &form).await.text().await.unwrap();
        let (_, rest) = page.split_once("href=\"").unwrap();
        let url = rest.split('"').next().unwrap().replace("&amp;", "&");
        assert!(url.contains("max_age=600"), "{url}");
        self.approve(&url, person).await
    }
}

fn location(response: &Response) -> &str {
    assert_eq!(response.status(), 303);
    response.headers()[header::LOCATION].to_str().unwrap()
}

#[tokio::test]
async fn one_member_logs_in_both_ways() {
    let site = Served::start().await;
    let here = site.member("alex").await;
    assert_eq!(location(&here.link("mira").await), "/account");
    let account = here.open("/account").await.text().await.unwrap();
    assert!(account.contains("mira at "), "{account}");

    let there = site.browser();
    there.log_in_at_provider("mira").await;
    assert_eq!(there.greeting().await.as_deref(), Some("alex"));
    here.send("/auth/sign-out", &[]).await;
    assert_eq!(here.greeting().await, None);
    assert_eq!(location(&here.log_in("alex").await), "/account");
    assert_eq!(here.greeting().await.as_deref(), Some("alex"));
}

#[tokio::test]
async fn a_sign_up_needs_a_name_and_a_long_password() {
    let site = Served::start().await;
    let (longest, too_long) = ("n".repeat(32), "n".repeat(33));
    let (shortest, too_short) = ("p".repeat(15), "p".repeat(14));
    let name_rule = "Use a name of 1 to 32 characters.";
    for (name, password, sentence) in [
        ("", PASSWORD, name_rule),
        ("  ", PASSWORD, name_rule),
        (too_long.as_str(), PASSWORD, name_rule),
        ("alex", "", "Use 15 characters or more"),
        ("alex", too_short.as_str(), "Use 15 characters or more"),
    ] {
        let browser = site.browser();
        let form = [("name", name), ("password", password)];
        let response = browser.send("/sign-up", &form).await;
        assert_eq!(response.status(), 422, "{name:?} {password:?}");
        let page = response.text().await.unwrap();
        assert!(page.contains(sentence), "{page}");
        assert_eq!(browser.greeting().await, None);
    }
    let form = [("name", &*longest), ("password", &*shortest)];
    let response = site.browser().send("/sign-up", &form).await;
    assert_eq!(location(&response), "/account");
}

#[tokio::test]
async fn an_identity_has_one_member() {
    let site = Served::start().await;
    let first = site.member("alex").await;
    first.link("mira").await;
    let second = site.member("noor").await;
    let response = second.link("mira").await;
    assert_eq!(response.status(), 403);
    let page = response.text().await.unwrap();
    assert!(page.contains("belongs to another user"), "{page}");
    assert_eq!(second.greeting().await.as_deref(), Some("noor"));

    // Nor one that began as a member of its own.
    let third = site.browser();
    third.log_in_at_provider("noor").await;
    assert_eq!(third.greeting().await.as_deref(), Some("member 3"));
    assert_eq!(second.link("noor").await.status(), 403);

    // Of two members at once, one has it.
    let person = Profile::new(Subject::new(&*site.issuer, "somebody"));
    let linked = tokio::join!(
        site.members.link("1", &person),
        site.members.link("2", &person)
    );
    let both = [linked.0.unwrap(), linked.1.unwrap()];
    assert!(both.contains(&LinkOutcome::Linked) && both.contains(&LinkOutcome::OtherUser));
    let unknown = site.members.link("99", &person).await.unwrap();
    assert_eq!(unknown, LinkOutcome::TurnedAway);
}

#[tokio::test]
async fn unlinking_logs_the_member_out_everywhere() {
    let site = Served::start().await;
    let here = site.member("alex").await;
    here.link("mira").await;
    let there = site.browser();
    there.log_in_at_provider("mira").await;
    let form = [("issuer", site.issuer.as_str()), ("subject", "mira")];
    let foreign = site
        .member("noor")
        .await
        .send("/account/unlink", &form)
        .await;
    assert_eq!(foreign.status(), 409, "it is not theirs");
    assert_eq!(location(&here.send("/account/unlink", &form).await), "/");
    assert_eq!(here.greeting().await, None);
    assert_eq!(there.greeting().await, None);
    there.log_in_at_provider("mira").await;
    assert_eq!(
        there.greeting().await.as_deref(),
        Some("member 3"),
        "a new one"
    );

    // The only way to log in stays.
    assert_eq!(there.send("/account/unlink", &form).await.status(), 409);
    assert_eq!(there.greeting().await.as_deref(), Some("member 3"));
}

#[tokio::test]
async fn a_page_of_another_site_links_and_unlinks_nothing() {
    let site = Served::start().await;
    let browser = site.member("alex").await;
    let origin = browser.site.clone();
    for path in ["/clef/login", "/account/unlink"] {
        let request = browser.client.post(format!("{origin}{path}"));
        let request = request
            .header(header::ACCEPT, "text/html")
            .header(header::ORIGIN, "https://evil.example");
        let form = [("link", "true"), ("issuer", "a"), ("subject", "b")];
        let response = request.form(&form).send().await.unwrap();
        assert!(response.status().is_client_error(), "{path}");
    }
    // Unauthenticated, it is a login like any other to begin with.
    let form = [("link", "true"), ("next", "/account")];
    let response = site.browser().send("/clef/login", &form).await;
    assert_eq!(response.status(), 401);
}

#[tokio::test]
async fn too_many_attempts_of_a_client_are_429() {
    let site = Served::start().await;
    let browser = site.member("alex").await;
    let mut statuses = Vec::new();
    // More than the limit, as a slow machine gives one back every six seconds.
    for _ in 0..10 * MOST_ATTEMPTS.get() {
        let form = [("name", "alex"), ("password", "not the sentence")];
        let response = site.browser().send("/log-in", &form).await;
        statuses.push(response.status().as_u16());
        if statuses.ends_with(&[429]) {
            break;
        }
    }
    assert_eq!(statuses.pop(), Some(429));
    assert!(statuses.iter().all(|status| *status == 303), "{statuses:?}");
    assert_eq!(browser.greeting().await.as_deref(), Some("alex"));
    let elsewhere = site.browser();
    elsewhere.log_in_at_provider("mira").await;
    assert!(elsewhere.greeting().await.is_some(), "the provider counts");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_members_keep_the_contract() {
    let directory = tempfile::tempdir().unwrap();
    let url = format!("sqlite://{}", directory.path().join("both.db").display());
    check_identity_store(async || Members::connect(&url).await)
        .await
        .unwrap();
}
