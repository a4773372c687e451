//! A logout at glewlwyd in a real browser, whose page loads an address of the site in a frame.

use thirtyfour::{By, error::WebDriverResult, extensions::query::ElementQueryable as _};

use crate::{
    glewlwyd::{Channel, Glewlwyd, PASSWORD},
    glewlwyd_logouts::{answered, site_at},
    site::Site,
};

#[path = "../../examples/quickstart/tests/quickstart/browser.rs"]
#[expect(dead_code, reason = "some of it is for the quickstart")]
mod chromium;

use self::chromium::{Browser, in_a_browser};

const MIRA: &str = "mira";

/// Logs in at glewlwyd's page.
async fn log_in(browser: &Browser) -> WebDriverResult<()> {
    for (id, text) in [("username", MIRA), ("password", PASSWORD)] {
        let field = browser.0.query(By::Id(id)).first().await?;
        field.send_keys(text).await?;
    }
    browser
        .0
        .query(By::Id("loginbut"))
        .first()
        .await?
        .click()
        .await
}

/// Allows a site to know who this is, at glewlwyd's page.
async fn allow(browser: &Browser) -> WebDriverResult<()> {
    browser.press("Grant").await?;
    browser.press("Continue").await
}

/// Waits until a site shows whose account this is.
async fn is_in(browser: &Browser, site: &Site) -> WebDriverResult<()> {
    let address = format!("location.href === \"{}/account\"", site.url);
    browser.waits_for(&address).await?;
    browser
        .waits_for("document.body.innerText.includes(\"mira\")")
        .await
}

#[tokio::test]
#[ignore = "needs Debian's glewlwyd, chromium and chromium-driver: .ci/run installs them"]
async fn the_page_that_logs_out_loads_a_frame_of_another_site() {
    let glewlwyd = Glewlwyd::start(&[MIRA]).await;
    let shop = site_at("127.0.0.1", &glewlwyd, "shop", Channel::Back).await;
    let forum = site_at("localhost", &glewlwyd, "forum", Channel::Front).await;
    in_a_browser(async |browser| {
        browser.open(&format!("{}/account", shop.url)).await?;
        log_in(&browser).await?;
        allow(&browser).await?;
        is_in(&browser, &shop).await?;
        browser.open(&format!("{}/account", forum.url)).await?;
        allow(&browser).await?;
        is_in(&browser, &forum).await?;
        browser.open(&shop.url).await?;
        let sign_out = "const form = document.createElement('form'); form.method = 'post'; \
            form.action = '/auth/sign-out'; document.body.append(form); form.submit();";
        browser.0.execute(sign_out, Vec::new()).await?;
        browser.press("Logout").await?;
        let front_page = format!("location.href === \"{}/\"", shop.url);
        browser.waits_for(&front_page).await?;

        let path = "/clef/front-channel-logout";
        assert_eq!(forum.answered().await, answered(path));
        browser.open(&format!("{}/account", forum.url)).await?;
        browser
            .waits_for("location.pathname === \"/login.html\"")
            .await
    })
    .await;
}
