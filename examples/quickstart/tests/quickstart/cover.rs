//! The cover of a page whose login has ended, in a real browser, at a site whose logins the test
//! makes up.

use std::time::Duration;

use thirtyfour::{
    By, WebElement, WindowHandle, cdp::Cdp, error::WebDriverResult,
    extensions::query::ElementQueryable as _,
};

use crate::{
    browser::{Browser, in_a_browser},
    stub::Stub,
};

/// What stands on the cover, once one is there.
async fn cover(browser: &Browser) -> WebDriverResult<WebElement> {
    let host = browser.0.query(By::Css("clef-cover")).first().await?;
    host.get_shadow_root().await
}

impl Browser {
    async fn types(&self, text: &str) -> WebDriverResult<()> {
        let field = self.0.query(By::Id("text")).first().await?;
        field.send_keys(text).await
    }

    async fn typed(&self, text: &str) -> WebDriverResult<bool> {
        self.is(&format!(
            "document.getElementById('text').value === '{text}'"
        ))
        .await
    }
}

/// With its button, above all else.
const COVERED: &str = "document.querySelector('clef-cover')?.shadowRoot\
    .querySelector('dialog:modal #button:not([hidden])')";
const UNCOVERED: &str = "!document.querySelector('clef-cover')";
/// With nothing on it, for as long as nobody knows.
const VEILED: &str = "document.querySelector('clef-cover')?.shadowRoot\
    .querySelector('dialog:modal #button[hidden]')";

/// So many pages have been told, while nobody saw them.
fn hidden(event: &str, times: usize) -> String {
    format!(
        "Object.keys(localStorage).filter((key) => key.startsWith('{event} hidden')).length \
         === {times}"
    )
}

/// Opens the page of somebody, and types something there.
async fn open_page(browser: &Browser, stub: &Stub, query: &str) -> WebDriverResult<()> {
    stub.log_in("Alex");
    browser.open(&format!("{}/page{query}", stub.url)).await?;
    stub.has_open(1).await;
    browser.types("half a letter").await
}

/// "Log in again", as whoever it is, in the window that this opens and that closes itself.
async fn log_in_again(browser: &Browser, who: &str) -> WebDriverResult<()> {
    let page = browser.0.window().await?;
    let before = browser.0.windows().await?;
    let button = cover(browser).await?.find(By::Id("button")).await?;
    button.click().await?;
    browser.go_to_the_new_window(&before).await?;
    let login = browser.0.window().await?;
    browser.press(&format!("I am {who}")).await?;
    browser.0.switch_to_window(page).await?;
    browser.is_rid_of(&login).await
}

/// Opens another tab and goes there: the one left.
async fn new_tab(browser: &Browser) -> WebDriverResult<WindowHandle> {
    let here = browser.0.window().await?;
    let new = browser.0.new_tab().await?;
    browser.0.switch_to_window(new).await?;
    Ok(here)
}

#[tokio::test]
#[ignore = "needs a browser: cargo test --test quickstart -- --ignored"]
async fn what_was_typed_is_there_again_and_the_policy_has_nothing_to_forbid() {
    let stub = Stub::start().await;
    in_a_browser(async |browser| {
        open_page(&browser, &stub, "").await?;
        stub.log_out();
        browser.waits_for(COVERED).await?;
        assert!(
            browser
                .is("document.title === 'You are logged out'")
                .await?
        );
        let nothing = "document.body.innerText.trim() === ''";
        assert!(browser.is(nothing).await?, "the page can be read");
        log_in_again(&browser, "Alex").await?;
        browser.waits_for(UNCOVERED).await?;
        assert!(browser.is("document.title === 'The page'").await?);
        // Where the caret was.
        browser.types(", and the rest").await?;
        assert!(browser.typed("half a letter, and the rest").await?);
        let told = "told.join() === 'clef:logged-out,clef:logged-in'";
        assert!(browser.is(told).await?);
        assert!(browser.is("violations.length === 0").await?);
        stub.has_open(1).await;

        // And once more, on a page that is uncovered already.
        stub.log_out();
        browser.waits_for(COVERED).await?;
        log_in_again(&browser, "Alex").await?;
        browser.waits_for(UNCOVERED).await
    })
    .await;
}

#[tokio::test]
#[ignore = "needs a browser: cargo test --test quickstart -- --ignored"]
async fn somebody_else_gets_a_page_of_their_own() {
    let stub = Stub::start().await;
    in_a_browser(async |browser| {
        open_page(&browser, &stub, "#below").await?;
        browser.0.execute("window.first = true", vec![]).await?;
        stub.log_out();
        browser.waits_for(COVERED).await?;
        log_in_again(&browser, "Noor").await?;
        browser.sees("Page of Noor").await?;
        assert!(browser.is("!window.first").await?);
        assert!(browser.typed("").await?);

        // Nor do they send what somebody else has sent.
        browser.open(&stub.url).await?;
        browser.press("Order").await?;
        browser.sees("Page of Noor").await?;
        stub.has_open(1).await;
        stub.log_out();
        browser.waits_for(COVERED).await?;
        log_in_again(&browser, "Alex").await?;
        browser.sees("Page of Alex").await?;
        assert_eq!(stub.posted(), 1);
        stub.log_in("Noor");
        browser.open(&format!("{}/page", stub.url)).await?;
        stub.has_open(1).await;

        // Nor does anybody see it who took over while this page heard nothing.
        browser.0.execute("window.first = true", vec![]).await?;
        stub.go_down();
        stub.has_open(0).await;
        stub.log_in("Alex");
        stub.come_up();
        browser.sees("Page of Alex").await?;
        assert!(browser.is("!window.first").await?);
        assert!(browser.is(UNCOVERED).await?);
        assert!(browser.is("violations.length === 0").await?);
        Ok(())
    })
    .await;
}

#[tokio::test]
#[ignore = "needs a browser: cargo test --test quickstart -- --ignored"]
async fn by_the_keyboard_alone() {
    let stub = Stub::start().await;
    in_a_browser(async |browser| {
        open_page(&browser, &stub, "").await?;
        stub.log_out();
        browser.waits_for(COVERED).await?;
        let dialog = cover(&browser).await?.find(By::Css("dialog")).await?;
        for (name, value) in [
            ("role", "alertdialog"),
            ("aria-labelledby", "title"),
            ("aria-describedby", "text"),
        ] {
            assert_eq!(dialog.attr(name).await?.as_deref(), Some(value));
        }
        let press = async |keys: &str| browser.0.action_chain().send_keys(keys).perform().await;
        // Whoever is in the middle of a word presses nothing by it, and Escape closes nothing.
        press(" \u{e007}word").await?;
        for _ in 0..3 {
            press("\u{e00c}").await?;
        }
        assert!(browser.is(COVERED).await?);
        assert_eq!(browser.0.windows().await?.len(), 1);
        let focus = "document.querySelector('clef-cover').shadowRoot.activeElement?.id === ";
        assert!(browser.is(&format!("{focus}'cover'")).await?);
        // There is one stop, however often Tab is pressed, and never one below.
        for _ in 0..4 {
            press("\u{e004}").await?;
            assert!(browser.is("document.activeElement.id !== 'text'").await?);
        }
        for _ in 0..4 {
            if browser.is(&format!("{focus}'button'")).await? {
                break;
            }
            press("\u{e004}").await?;
        }
        let page = browser.0.window().await?;
        press("\u{e007}").await?;
        browser
            .go_to_the_new_window(std::slice::from_ref(&page))
            .await?;
        browser.sees("Who?").await?;
        press("\u{e004}\u{e007}").await?;
        browser.0.switch_to_window(page).await?;
        browser.waits_for(UNCOVERED).await?;
        assert!(browser.typed("half a letter").await?);
        press("!").await?;
        assert!(browser.typed("half a letter!").await?, "the focus is back");
        Ok(())
    })
    .await;
}

#[tokio::test]
#[ignore = "needs a browser: cargo test --test quickstart -- --ignored"]
async fn nothing_of_the_page_comes_above_the_cover() {
    let stub = Stub::start().await;
    in_a_browser(async |browser| {
        open_page(&browser, &stub, "").await?;
        let open = "document.getElementById('other').showModal()";
        browser.0.execute(open, vec![]).await?;
        let top = "document.elementFromPoint(innerWidth / 2, innerHeight / 2)?.localName \
            === 'clef-cover' && document.activeElement?.localName === 'clef-cover' \
            && document.getElementById('other').innerText.trim() === ''";
        stub.log_out();
        browser.waits_for(COVERED).await?;
        browser.waits_for(top).await?;
        // Opened by a script of the page, which knows nothing of all this.
        let again = "document.getElementById('other').close()";
        browser.0.execute(again, vec![]).await?;
        browser.0.execute(open, vec![]).await?;
        browser.waits_for(top).await?;
        // Nor does it help to throw the cover away, or the page around it.
        let remove = "document.querySelector('clef-cover').remove()";
        browser.0.execute(remove, vec![]).await?;
        browser.waits_for(COVERED).await?;
        log_in_again(&browser, "Alex").await?;
        browser.waits_for(UNCOVERED).await?;
        assert!(
            browser
                .is("document.getElementById('other').matches(':modal')")
                .await?
        );
        Ok(())
    })
    .await;
}

#[tokio::test]
#[ignore = "needs a browser: cargo test --test quickstart -- --ignored"]
async fn a_page_that_asked_too_early_finds_out_by_itself() {
    let stub = Stub::start().await;
    in_a_browser(async |browser| {
        // Between a session that is gone and the cookie of the next it is nobody.
        open_page(&browser, &stub, "").await?;
        stub.log_out();
        browser.waits_for(COVERED).await?;
        stub.log_in("Alex");
        browser.waits_for(UNCOVERED).await?;
        assert!(browser.typed("half a letter").await?);
        stub.has_open(1).await;

        // And does not go on asking where nobody is.
        stub.log_out();
        browser.waits_for(COVERED).await?;
        let asked = stub.asked();
        stub.has_been_asked(asked + 1).await;
        tokio::time::sleep(Duration::from_secs(5)).await;
        assert_eq!(stub.asked(), asked + 1);
        Ok(())
    })
    .await;
}

#[tokio::test]
#[ignore = "needs a browser: cargo test --test quickstart -- --ignored"]
async fn no_style_of_the_page_shows_it_again() {
    let stub = Stub::start().await;
    in_a_browser(async |browser| {
        open_page(&browser, &stub, "").await?;
        // As frameworks have it, in a layer whose `!important` comes before that of all others.
        let insist = "const style = new CSSStyleSheet(); \
            style.replaceSync(`@layer { .visible { visibility: visible !important } }`); \
            document.adoptedStyleSheets.push(style); \
            document.querySelector('h1').className = 'visible'; \
            const host = document.createElement('x-part'); \
            window.shadowed = document.createElement('p'); \
            shadowed.style.visibility = 'visible'; \
            host.attachShadow({ mode: 'open' }).append(shadowed); \
            document.body.append(host); \
            window.toast = document.createElement('p'); \
            toast.className = 'visible'; \
            toast.popover = 'manual'; \
            toast.textContent = 'A letter from Noor'; \
            document.body.append(toast)";
        browser.0.execute(insist, vec![]).await?;
        stub.log_out();
        browser.waits_for(COVERED).await?;
        browser.0.execute("toast.showPopover()", vec![]).await?;
        // What is printed is what is seen without the cover before it.
        let seen = "[document.querySelector('h1'), shadowed, toast].some((part) => \
            part.checkVisibility({ opacityProperty: true, visibilityProperty: true }))";
        assert!(!browser.is(seen).await?);
        log_in_again(&browser, "Alex").await?;
        browser.waits_for(UNCOVERED).await?;
        assert!(browser.is(seen).await?);
        Ok(())
    })
    .await;
}

#[tokio::test]
#[ignore = "needs a browser: cargo test --test quickstart -- --ignored"]
async fn a_page_that_began_without_a_login_is_left_alone() {
    let stub = Stub::start().await;
    in_a_browser(async |browser| {
        browser.open(&format!("{}/page", stub.url)).await?;
        browser.waits_for("performance.getEntriesByType('resource').some((entry) => entry.name.includes('/auth/live?') && entry.responseEnd)").await?;
        assert_eq!(stub.asked(), 1);
        browser.types("a remark").await?;
        stub.log_in("Alex");
        browser
            .0
            .execute("window.dispatchEvent(new Event('focus'))", vec![])
            .await?;
        let other = new_tab(&browser).await?;
        open_page(&browser, &stub, "").await?;
        stub.log_out();
        browser.waits_for(COVERED).await?;
        assert_eq!(stub.asked(), 2, "the first page asks no more");
        browser.0.switch_to_window(other).await?;
        assert!(browser.is(UNCOVERED).await?);
        assert!(browser.typed("a remark").await?);

        // Unless it says that it is somebody's.
        browser
            .open(&format!("{}/page?data=data-private", stub.url))
            .await?;
        browser.waits_for(COVERED).await?;
        log_in_again(&browser, "Alex").await?;
        browser.sees("Page of Alex").await
    })
    .await;
}

#[tokio::test]
#[ignore = "needs a browser: cargo test --test quickstart -- --ignored"]
async fn an_application_handles_it_by_itself() {
    let stub = Stub::start().await;
    in_a_browser(async |browser| {
        open_page(&browser, &stub, "?by-itself").await?;
        stub.log_out();
        browser
            .waits_for("told.join() === 'clef:logged-out'")
            .await?;
        assert!(browser.is(UNCOVERED).await?);
        assert!(browser.typed("half a letter").await?);
        let other = new_tab(&browser).await?;
        browser
            .open(&format!("{}/log-in?next=/page", stub.url))
            .await?;
        browser.0.switch_to_window(other).await?;
        browser
            .waits_for("told.join() === 'clef:logged-out,clef:logged-in'")
            .await?;
        assert!(browser.typed("half a letter").await?);

        // In words of its own.
        browser
            .open(&format!(
                "{}/page?data=data-private%20data-title=Abgemeldet%20data-button=Anmelden%20data-text=Hier",
                stub.url
            ))
            .await?;
        stub.log_out();
        browser.waits_for(COVERED).await?;
        let root = cover(&browser).await?;
        for (id, text) in [
            ("title", "Abgemeldet"),
            ("button", "Anmelden"),
            ("text", "Hier"),
        ] {
            assert_eq!(root.find(By::Id(id)).await?.text().await?, text);
        }
        Ok(())
    })
    .await;
}

#[tokio::test]
#[ignore = "needs a browser: cargo test --test quickstart -- --ignored"]
async fn all_tabs_know_and_those_that_nobody_sees_share_a_connection() {
    let stub = Stub::start().await;
    in_a_browser(async |browser| {
        open_page(&browser, &stub, "").await?;
        let mut tabs = vec![new_tab(&browser).await?];
        // Browsers have six connections for HTTP/1.1: the later ones load at all.
        for _ in 0..7 {
            browser.open(&format!("{}/page", stub.url)).await?;
            browser.sees("Page of Alex").await?;
            tabs.push(new_tab(&browser).await?);
        }
        browser.open(&stub.url).await?;
        // One comes again for all that are hidden.
        stub.go_down();
        stub.has_open(0).await;
        stub.come_up();
        stub.has_open(1).await;
        stub.log_out();
        // They say where they were then; whoever goes there brings them to the front.
        browser.waits_for(&hidden("clef:logged-out", 8)).await?;
        browser.0.switch_to_window(tabs.pop().unwrap()).await?;
        log_in_again(&browser, "Alex").await?;
        browser.waits_for(UNCOVERED).await?;
        browser.waits_for(&hidden("clef:logged-in", 7)).await?;
        for tab in tabs {
            browser.0.switch_to_window(tab).await?;
            assert!(browser.is(UNCOVERED).await?);
        }
        Ok(())
    })
    .await;
}

#[tokio::test]
#[ignore = "needs a browser: cargo test --test quickstart -- --ignored"]
async fn a_tab_without_a_connection_is_told_by_another() {
    let stub = Stub::start().await;
    in_a_browser(async |browser| {
        open_page(&browser, &stub, "?unlocked").await?;
        let first = new_tab(&browser).await?;
        stub.has_open(0).await;
        browser.open(&format!("{}/page?unlocked", stub.url)).await?;
        stub.has_open(1).await;
        stub.log_out();
        browser.waits_for(&hidden("clef:logged-out", 1)).await?;
        // A login like any other, and not over a page that is covered.
        browser
            .open(&format!("{}/log-in?next=/page", stub.url))
            .await?;
        browser.waits_for(&hidden("clef:logged-in", 1)).await?;
        browser.0.switch_to_window(first).await?;
        assert!(browser.is(UNCOVERED).await?);
        assert!(browser.typed("half a letter").await?);
        Ok(())
    })
    .await;
}

#[tokio::test]
#[ignore = "needs a browser: cargo test --test quickstart -- --ignored"]
async fn a_tab_that_was_asleep_learns_it_when_it_wakes() {
    let stub = Stub::start().await;
    in_a_browser(async |browser| {
        open_page(&browser, &stub, "").await?;
        let state = async |state: &str| {
            let params = serde_json::json!({ "state": state });
            let tools = Cdp::new(std::sync::Arc::clone(browser.0.handle()));
            tools.send_raw("Page.setWebLifecycleState", params).await
        };
        state("frozen").await?;
        stub.log_out();
        stub.has_open(0).await;
        state("active").await?;
        browser.waits_for(COVERED).await?;
        log_in_again(&browser, "Alex").await?;
        browser.waits_for(UNCOVERED).await?;

        // The computer slept, and the connection is dead without anybody having said so.
        stub.has_open(1).await;
        let asked = stub.asked();
        let later = "const now = Date.now; Date.now = () => now() + 60000; \
            window.dispatchEvent(new Event('online'))";
        browser.0.execute(later, vec![]).await?;
        stub.has_been_asked(asked + 1).await;
        browser
            .0
            .execute("window.dispatchEvent(new Event('focus'))", vec![])
            .await?;
        assert_eq!(stub.asked(), asked + 1, "this one is alive");
        Ok(())
    })
    .await;
}

#[tokio::test]
#[ignore = "needs a browser: cargo test --test quickstart -- --ignored"]
async fn a_page_that_comes_back_by_the_back_button_shows_nothing_until_it_has_asked() {
    let stub = Stub::start().await;
    in_a_browser(async |browser| {
        open_page(&browser, &stub, "").await?;
        browser.press("Away").await?;
        browser.sees("Front").await?;
        // As long as it cannot ask, it shows nothing.
        stub.go_down();
        browser.0.back().await?;
        browser.waits_for(VEILED).await?;
        assert!(browser.is("kept").await?, "the browser has not kept it");
        stub.come_up();
        browser.waits_for(UNCOVERED).await?;

        for ends in [false, true] {
            open_page(&browser, &stub, "").await?;
            browser.press("Away").await?;
            browser.sees("Front").await?;
            stub.has_open(0).await;
            if ends {
                stub.log_out();
            }
            browser.0.back().await?;
            browser.sees("Page of Alex").await?;
            assert!(browser.is("kept").await?, "the browser has not kept it");
            assert!(browser.is("covered_when_shown").await?);
            let then = if ends { COVERED } else { UNCOVERED };
            browser.waits_for(then).await?;
            assert!(browser.typed("half a letter").await?);
        }
        Ok(())
    })
    .await;
}

#[tokio::test]
#[ignore = "needs a browser: cargo test --test quickstart -- --ignored"]
async fn a_connection_that_is_lost_is_made_again_and_misses_nothing() {
    let stub = Stub::start().await;
    in_a_browser(async |browser| {
        open_page(&browser, &stub, "").await?;
        let asked = stub.asked();
        stub.go_down();
        stub.has_been_asked(asked + 2).await;
        assert!(browser.is(UNCOVERED).await?);
        stub.log_out();
        stub.come_up();
        browser.waits_for(COVERED).await?;
        // And it asks hardly more then.
        let asked = stub.asked();
        log_in_again(&browser, "Alex").await?;
        browser.waits_for(UNCOVERED).await?;
        assert!(stub.asked() <= asked + 3);
        Ok(())
    })
    .await;
}

#[tokio::test]
#[ignore = "needs a browser: cargo test --test quickstart -- --ignored"]
async fn a_browser_that_lacks_the_new_things_covers_too() {
    let stub = Stub::start().await;
    in_a_browser(async |browser| {
        open_page(&browser, &stub, "?bare").await?;
        // Hidden, and with nobody to hear for it.
        let other = new_tab(&browser).await?;
        browser.open(&format!("{}/", stub.url)).await?;
        stub.has_open(0).await;
        stub.log_out();
        browser.0.switch_to_window(other).await?;
        browser
            .waits_for(
                "document.querySelector('clef-cover')?.shadowRoot.querySelector('dialog[open]')",
            )
            .await?;
        let top = "document.elementFromPoint(innerWidth / 2, innerHeight / 2)?.localName \
            === 'clef-cover'";
        assert!(browser.is(top).await?);
        log_in_again(&browser, "Alex").await?;
        browser.waits_for(UNCOVERED).await?;
        assert!(browser.typed("half a letter").await?);
        assert!(browser.is("errors.length === 0").await?);
        Ok(())
    })
    .await;
}

#[tokio::test]
#[ignore = "needs a browser: cargo test --test quickstart -- --ignored"]
async fn a_site_that_is_down_is_asked_less_and_less_often() {
    let stub = Stub::start().await;
    in_a_browser(async |browser| {
        open_page(&browser, &stub, "?quick").await?;
        let asked = stub.asked();
        stub.go_down();
        stub.has_been_asked(asked + 9).await;
        let pauses = browser.0.execute("return pauses", vec![]).await?;
        let pauses: Vec<f64> = serde_json::from_value(pauses.json().clone()).unwrap();
        assert!(pauses.len() >= 8);
        // The first loss is the browser's own to mend.
        for (number, pause) in (2..).zip(pauses) {
            let longest = (1e3 * 2_f64.powi(number)).min(3e4);
            assert!(pause <= longest && pause >= longest / 10.0, "{pause} ms");
        }
        stub.come_up();
        stub.has_open(1).await;
        assert!(browser.is(UNCOVERED).await?);
        Ok(())
    })
    .await;
}

#[tokio::test]
#[ignore = "needs a browser: cargo test --test quickstart -- --ignored"]
async fn no_page_of_another_site_gets_the_window_of_the_login() {
    let (stub, hostile) = (Stub::start().await, Stub::start().await);
    in_a_browser(async |browser| {
        browser.open(&hostile.url).await?;
        let elsewhere = browser.0.window().await?;
        stub.log_in("Alex");
        let open = format!("window.open('{}/page')", stub.url);
        browser.0.execute(open, vec![]).await?;
        browser
            .go_to_the_new_window(std::slice::from_ref(&elsewhere))
            .await?;
        let page = browser.0.window().await?;
        stub.has_open(1).await;
        // A name that was fixed once, and then the one that was used last.
        let mut name = "clef-again".to_owned();
        for _ in 0..2 {
            browser.0.switch_to_window(elsewhere.clone()).await?;
            let take = format!("window.name = '{name}'");
            browser.0.execute(take, vec![]).await?;
            browser.0.switch_to_window(page.clone()).await?;
            stub.log_out();
            browser.waits_for(COVERED).await?;
            let before = browser.0.windows().await?;
            let button = cover(&browser).await?.find(By::Id("button")).await?;
            button.click().await?;
            browser.go_to_the_new_window(&before).await?;
            let used = browser.0.execute("return window.name", vec![]).await?;
            let used = used.json().as_str().unwrap().to_owned();
            assert_ne!(used, name);
            name = used;
            browser.press("I am Alex").await?;
            browser.0.switch_to_window(page.clone()).await?;
            browser.waits_for(UNCOVERED).await?;
        }
        browser.0.switch_to_window(elsewhere).await?;
        browser.sees("Front").await?;
        assert!(
            browser
                .0
                .current_url()
                .await?
                .as_str()
                .starts_with(&hostile.url)
        );
        Ok(())
    })
    .await;
}

#[tokio::test]
#[ignore = "needs a browser: cargo test --test quickstart -- --ignored"]
async fn a_page_with_an_opener_policy_is_uncovered_and_the_window_closes() {
    let stub = Stub::start().await;
    in_a_browser(async |browser| {
        for policy in ["same-origin", "same-origin-allow-popups", "unsafe-none"] {
            open_page(&browser, &stub, &format!("?opener={policy}")).await?;
            stub.log_out();
            browser.waits_for(COVERED).await?;
            log_in_again(&browser, "Alex").await?;
            browser.waits_for(UNCOVERED).await?;
            assert!(browser.typed("half a letter").await?);
            assert!(browser.is("errors.length === 0").await?);
        }
        Ok(())
    })
    .await;
}
