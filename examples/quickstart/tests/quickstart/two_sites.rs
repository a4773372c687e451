//! Two sites at one Clef, logged out by one tap.

use std::sync::Arc;

use reqwest::{Client, Response, cookie::Jar, header::LOCATION, redirect};

use crate::program::{self, Quickstart};

fn location(response: &Response) -> &str {
    assert_eq!(response.status(), 303);
    response.headers()[LOCATION].to_str().unwrap()
}

#[tokio::test]
async fn two_sites_are_logged_out_by_one_tap() {
    let clef = program::clef().await;
    let sites = [
        Quickstart::start_at(&clef).await,
        Quickstart::start_at(&clef).await,
    ];
    let browser = Client::builder()
        .cookie_provider(Arc::new(Jar::default()))
        .redirect(redirect::Policy::none())
        .no_proxy()
        .build()
        .unwrap();
    let get = async |url: &str| {
        let request = browser.get(url).header("accept", "text/html");
        request.send().await.unwrap()
    };

    // The first site: the wave, and the phone. The second: one click.
    for (site, person) in sites.iter().zip([Some("12345"), None]) {
        let start = get(&format!("{}/clef/login?next=/account", site.site)).await;
        let page = get(location(&start)).await.text().await.unwrap();
        assert_eq!(page.contains(">Continue</button>"), person.is_none());
        let (_, key) = page.split_once("/iframes/qr/").unwrap();
        let (key, _) = key.split_once('/').unwrap();
        let approve = browser.post(format!("{}/iframes/qr/{key}/approve", clef.url()));
        let form: Vec<_> = person.map(|id| ("person", id)).into_iter().collect();
        let approved = approve.form(&form).send().await.unwrap();
        let finish = get(&format!("{}{}", clef.url(), location(&approved))).await;
        let landed = get(location(&finish)).await;
        assert_eq!(location(&landed), "/account");
        assert_eq!(get(&format!("{}/account", site.site)).await.status(), 200);
    }

    let rows = sites[0].log_out("12345").await;
    assert_eq!(rows.as_array().unwrap().len(), 2, "{rows}");
    for site in &sites {
        assert_eq!(get(&format!("{}/account", site.site)).await.status(), 303);
    }
}
