use reqwest::{Client, RequestBuilder, header::LOCATION};
use url::Url;

/// What a person's browser is to the provider: its cookies there, and its clicks on the pages.
///
/// It goes to nobody else: where the provider sends it away, it says where to. So the site has a
/// jar of its own, in which cookies are by host and port, as they would be in real life.
pub struct BrowserAtProvider {
    client: Client,
    issuer: Url,
}

/// What the browser shows after the provider's redirects.
pub enum Shown {
    /// A page of the provider.
    Page(Page),
    /// An address of somebody else's, not called up.
    Elsewhere(Url),
}

pub struct Page {
    pub url: Url,
    pub html: String,
}

impl BrowserAtProvider {
    pub fn new(issuer: &str) -> Self {
        Self {
            client: test_support::Browser::new().client,
            issuer: issuer.parse().unwrap(),
        }
    }

    /// Opens an address of the provider's.
    pub async fn open(&self, url: &str) -> Shown {
        self.follow(self.client.get(url)).await
    }

    /// Logs in as a person by their subject: the address to come back to.
    pub async fn log_in(&self, authorization: &str, person: &str) -> Url {
        let page = self.open(authorization).await.page();
        self.press(&page, &[("person", person)]).await.elsewhere()
    }

    /// Turns back at the login page: the address to come back to.
    pub async fn cancel(&self, authorization: &str) -> Url {
        let page = self.open(authorization).await.page();
        self.press(&page, &[("cancel", "yes")]).await.elsewhere()
    }

    /// Logs out at the provider's own front page, which tells every site.
    pub async fn log_out(&self) {
        let front = self.open(self.issuer.as_str()).await.page();
        let link = front.attribute("class=\"button\" href").unwrap();
        let link = front.url.join(&link).unwrap();
        let done = self.confirm_logout(link.as_str()).await.page();
        assert!(done.html.contains("You are done here"));
    }

    /// Comes with a site's wish to log out, and confirms it.
    pub async fn confirm_logout(&self, end_session: &str) -> Shown {
        let page = self.open(end_session).await.page();
        self.press(&page, &[("logout", "yes")]).await
    }

    /// Presses a button of the page's one form.
    async fn press(&self, page: &Page, button: &[(&str, &str)]) -> Shown {
        let action = page.attribute(" action").unwrap_or_default();
        let mut fields = button.to_vec();
        let secret = page.attribute("name=\"xsrf\" value");
        if let Some(secret) = &secret {
            fields.push(("xsrf", secret));
        }
        let url = page.url.join(&action).unwrap();
        self.follow(self.client.post(url).form(&fields)).await
    }

    async fn follow(&self, mut request: RequestBuilder) -> Shown {
        for _ in 0..10 {
            let response = request.send().await.unwrap();
            let url = response.url().clone();
            let Some(location) = response.headers().get(LOCATION) else {
                let html = response.text().await.unwrap();
                return Shown::Page(Page { url, html });
            };
            let next = url.join(location.to_str().unwrap()).unwrap();
            if next.origin() != self.issuer.origin() {
                return Shown::Elsewhere(next);
            }
            request = self.client.get(next);
        }
        panic!("the provider sends round in circles");
    }
}

impl Shown {
    pub fn page(self) -> Page {
        match self {
            Self::Page(page) => page,
            Self::Elsewhere(url) => panic!("sent away, to {url}"),
        }
    }

    pub fn elsewhere(self) -> Url {
        match self {
            Self::Elsewhere(url) => url,
            Self::Page(page) => panic!("still at {}:\n{}", page.url, page.html),
        }
    }
}

impl Page {
    /// The first attribute that is written like this. The pages are our own, and known.
    fn attribute(&self, written: &str) -> Option<String> {
        let (_, rest) = self.html.split_once(&format!("{written}=\""))?;
        let (value, _) = rest.split_once('"')?;
        Some(value.replace("&amp;", "&"))
    }
}
