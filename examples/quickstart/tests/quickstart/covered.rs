//! The quickstart's pages cover themselves, and are there again.

use std::time::{SystemTime, UNIX_EPOCH};

use thirtyfour::{
    By, WindowHandle, error::WebDriverResult, extensions::query::ElementQueryable as _,
};

use crate::{
    browser::{Browser, in_a_browser},
    program::Quickstart,
    stub::Stub,
};

/// Notes when the cover comes, and what the policy forbids.
const WATCH: &str = "
    window.violations = [];
    document.addEventListener('securitypolicyviolation', (event) => violations.push(event.blockedURI));
    new MutationObserver(() => {
        if (document.querySelector('clef-cover')) {
            window.coveredAt = performance.timeOrigin + performance.now();
        }
    }).observe(document.documentElement, { childList: true });";

/// The account of whoever approves on the phone, with a note that is not kept yet.
async fn write_a_note(browser: &Browser, quickstart: &Quickstart) -> WebDriverResult<WindowHandle> {
    let account = format!("{}/account", quickstart.site);
    browser.open(&account).await?;
    let phone = browser
        .answer_on_the_phone(Some("Alex Rivers"), "Approve")
        .await?;
    browser.sees("Your account").await?;
    browser.0.execute(WATCH, vec![]).await?;
    let note = browser.0.query(By::Id("note")).first().await?;
    note.send_keys("Milk, bread and").await?;
    Ok(phone)
}

/// "Log in again" and then the phone, which knows whose it is unless it is another's now.
async fn log_in_again(browser: &Browser, other: Option<&str>) -> WebDriverResult<()> {
    let page = browser.0.window().await?;
    let before = browser.0.windows().await?;
    let cover = browser.0.query(By::Css("clef-cover")).first().await?;
    let button = cover
        .get_shadow_root()
        .await?
        .find(By::Id("button"))
        .await?;
    button.click().await?;
    browser.go_to_the_new_window(&before).await?;
    // This one closes itself as soon as the phone has answered.
    let login = browser.press_for_a_window("Open the phone").await?;
    if let Some(person) = other {
        browser.press("Switch person").await?;
        browser.press(person).await?;
    }
    browser.press("Approve").await?;
    browser.0.switch_to_window(page).await?;
    browser.is_rid_of(&login).await
}

#[tokio::test]
#[ignore = "needs a browser: cargo test --test quickstart -- --ignored"]
async fn the_page_covers_itself_and_the_note_is_still_there() {
    let quickstart = Quickstart::start().await;
    in_a_browser(async |browser| {
        write_a_note(&browser, &quickstart).await?;
        browser.waits_for("window.coveredAt === undefined").await?;
        quickstart.log_out("12345").await;
        let answered = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
        browser.waits_for("window.coveredAt").await?;
        let covered = browser.0.execute("return coveredAt", vec![]).await?;
        let after = covered.json().as_f64().unwrap() - answered.as_secs_f64() * 1e3;
        println!("covered {after:.0} ms after the phone was answered");
        assert!(after < 1_000.0);
        browser.picture("cover").await?;
        log_in_again(&browser, None).await?;
        browser
            .waits_for("!document.querySelector('clef-cover')")
            .await?;
        let note = browser.0.query(By::Id("note")).first().await?;
        note.send_keys(" honey").await?;
        assert!(browser.is("violations.length === 0").await?);
        browser.press("Keep the note").await?;
        browser
            .waits_for("document.getElementById('note').defaultValue === 'Milk, bread and honey'")
            .await
    })
    .await;
}

#[tokio::test]
#[ignore = "needs a browser: cargo test --test quickstart -- --ignored"]
async fn the_page_is_covered_when_one_comes_back_from_the_phone() {
    let quickstart = Quickstart::start().await;
    in_a_browser(async |browser| {
        let phone = write_a_note(&browser, &quickstart).await?;
        let page = browser.0.window().await?;
        browser.0.switch_to_window(phone).await?;
        browser.press("Log out now").await?;
        browser.sees("is logged out").await?;
        browser.0.switch_to_window(page).await?;
        browser
            .waits_for("document.querySelector('clef-cover')")
            .await?;
        // Somebody else: the page was not for them.
        log_in_again(&browser, Some("Noor Haddad")).await?;
        let name = "//dd[contains(normalize-space(), \"Noor Haddad\")]";
        browser.0.query(By::XPath(name)).first().await?;
        browser.sees("Your account").await?;
        assert!(
            browser
                .is("document.getElementById('note').value === ''")
                .await?
        );
        browser.picture("account").await
    })
    .await;
}

#[tokio::test]
#[ignore = "needs a browser: cargo test --test quickstart -- --ignored"]
async fn a_page_of_another_site_cannot_lead_our_page_elsewhere() {
    let (quickstart, hostile) = (Quickstart::start().await, Stub::start().await);
    in_a_browser(async |browser| {
        browser.open(&hostile.url).await?;
        let elsewhere = browser.0.window().await?;
        let path = "clef/callback?code=made-up&state=made-up";
        let open = format!("window.ours = window.open('{}/{path}')", quickstart.site);
        browser.0.execute(open, vec![]).await?;
        browser
            .go_to_the_new_window(std::slice::from_ref(&elsewhere))
            .await?;
        browser.sees("This login is no longer valid").await?;
        let ours = browser.0.window().await?;
        browser.0.switch_to_window(elsewhere).await?;
        browser.waits_for("ours.closed").await?;
        let lead = format!("ours.location = '{}/'", hostile.url);
        browser.0.execute(lead, vec![]).await?;
        browser.0.switch_to_window(ours).await?;
        browser.sees("This login is no longer valid").await?;
        assert!(browser.is("window.opener === null").await?);
        Ok(())
    })
    .await;
}
