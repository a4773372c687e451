//! The cover of a page whose login has ended, in a real browser, at a site whose logins the test
//! makes up.

use std::{slice::from_ref, sync::Arc, time::Duration};

use serde_json::{Value, json};
use thirtyfour::{
    By, WebElement, WindowHandle, cdp::Cdp, error::WebDriverResult,
    extensions::query::ElementQueryable as _,
};

use crate::{
    browser::{Browser, in_a_browser},
    stub::Stub,
};

/// With its button, above all else.
const COVERED: &str = "document.querySelector('clef-cover')?.shadowRoot\
    .querySelector('dialog:modal #button:not([hidden])')";
/// Notes the detail of the event.
const HEAR_DETAIL: &str =
    "document.addEventListener('clef:logged-out', (event) => (window.detail = event.detail))";
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

/// Runs a test on the page of Alex, where something is typed already.
async fn on_the_page(query: &str, test: impl AsyncFn(&Browser, &Stub) -> WebDriverResult<()>) {
    let stub = Stub::start().await;
    in_a_browser(async |browser| {
        browser.opens_page(&stub, query).await?;
        test(&browser, &stub).await
    })
    .await;
}

impl Browser {
    /// Opens the page of Alex, and types something there.
    async fn opens_page(&self, stub: &Stub, query: &str) -> WebDriverResult<()> {
        stub.log_in("Alex");
        self.open(&stub.at(&format!("/page{query}"))).await?;
        stub.has_open(1).await;
        self.types("half a letter").await
    }

    async fn types(&self, text: &str) -> WebDriverResult<()> {
        let field = self.0.query(By::Id("text")).first().await?;
        field.send_keys(text).await
    }

    async fn has_typed(&self, text: &str) -> WebDriverResult<()> {
        self.shows(&format!(
            "document.getElementById('text').value === '{text}'"
        ))
        .await
    }

    /// The condition holds now.
    async fn shows(&self, condition: &str) -> WebDriverResult<()> {
        assert!(self.is(condition).await?, "{condition}");
        Ok(())
    }

    async fn runs(&self, script: &str) -> WebDriverResult<Value> {
        let value = self.0.execute(script, vec![]).await?;
        Ok(value.json().clone())
    }

    /// What stands on the cover, once one is there.
    async fn cover(&self) -> WebDriverResult<WebElement> {
        let host = self.0.query(By::Css("clef-cover")).first().await?;
        host.get_shadow_root().await
    }

    /// The login ends, and the page covers itself.
    async fn is_covered(&self, stub: &Stub) -> WebDriverResult<()> {
        stub.log_out();
        self.waits_for(COVERED).await
    }

    /// Presses "Log in again", and goes to the window that this opens: the one left.
    async fn presses_the_button(&self) -> WebDriverResult<WindowHandle> {
        let page = self.0.window().await?;
        let before = self.0.windows().await?;
        let button = self.cover().await?.find(By::Id("button")).await?;
        button.click().await?;
        self.go_to_the_new_window(&before).await?;
        Ok(page)
    }

    /// "Log in again", as whoever it is, in the window that this opens and that closes itself.
    async fn logs_in_again(&self, who: &str) -> WebDriverResult<()> {
        let page = self.presses_the_button().await?;
        let login = self.0.window().await?;
        self.press(&format!("I am {who}")).await?;
        self.0.switch_to_window(page).await?;
        self.is_rid_of(&login).await
    }

    /// Alex logs in again, and the page uncovers itself.
    async fn is_uncovered(&self) -> WebDriverResult<()> {
        self.logs_in_again("Alex").await?;
        self.waits_for(UNCOVERED).await
    }

    /// Opens another tab and goes there: the one left.
    async fn new_tab(&self) -> WebDriverResult<WindowHandle> {
        let here = self.0.window().await?;
        let new = self.0.new_tab().await?;
        self.0.switch_to_window(new).await?;
        Ok(here)
    }
}

#[tokio::test]
#[ignore = "needs a browser: cargo test --test quickstart -- --ignored"]
async fn what_was_typed_is_there_again_and_the_policy_has_nothing_to_forbid() {
    on_the_page("", async |browser, stub| {
        browser.is_covered(stub).await?;
        browser
            .shows("document.title === 'You are logged out'")
            .await?;
        // The page cannot be read.
        browser
            .shows("document.body.innerText.trim() === ''")
            .await?;
        browser.is_uncovered().await?;
        browser.shows("document.title === 'The page'").await?;
        // Where the caret was.
        browser.types(", and the rest").await?;
        browser.has_typed("half a letter, and the rest").await?;
        browser
            .shows("told.join() === 'clef:logged-out,clef:logged-in'")
            .await?;
        browser.shows("violations.length === 0").await?;
        stub.has_open(1).await;

        // And once more, on a page that is uncovered already.
        browser.is_covered(stub).await?;
        browser.is_uncovered().await
    })
    .await;
}

/// The time is that of the browser, and only a logout that the page has seen has one without.
#[tokio::test]
#[ignore = "needs a browser: cargo test --test quickstart -- --ignored"]
async fn the_cover_says_who_logged_the_user_out_and_when() {
    on_the_page("?data=data-private", async |browser, stub| {
        browser.runs(HEAR_DETAIL).await?;
        let text = async |browser: &Browser| {
            let element = browser.cover().await?.find(By::Id("text")).await?;
            element.text().await
        };
        let rest = " Log in again in a new window, and this page stays as you left it.";
        let at_once = r#"{"cause":"user","text":"You logged out{time}, here."}"#;
        stub.log_out_with(at_once);
        browser.waits_for(COVERED).await?;
        let now = "new Date(detail.at).toLocaleTimeString([], { timeStyle: 'short' })";
        let now = browser.runs(&format!("return {now}")).await?;
        let now = now.as_str().unwrap();
        let expected = format!("You logged out at {now}, here.{rest}");
        assert_eq!(text(browser).await?, expected);
        browser.shows("detail.cause === 'user'").await?;
        browser
            .shows("Math.abs(Date.now() - detail.at) < 60000")
            .await?;
        browser.is_uncovered().await?;

        // 10:03 in UTC on 2 March 2026.
        let earlier = r#"{"cause":"administrator","at":1772445780123,
            "text":"An administrator logged you out{time}."}"#;
        let earlier = earlier.replace('\n', " ");
        stub.log_out_with(&earlier);
        browser.waits_for(COVERED).await?;
        let styles = "{ dateStyle: 'medium', timeStyle: 'short' }";
        let time = format!("return new Date(1772445780123).toLocaleString([], {styles})");
        let time = browser.runs(&time).await?;
        let time = time.as_str().unwrap();
        assert!(time.contains("2026"), "{time}");
        let expected = format!("An administrator logged you out at {time}.{rest}");
        assert_eq!(text(browser).await?, expected);
        browser.shows("detail.at === 1772445780123").await?;

        // A page that begins without a login has seen none end.
        stub.log_out_with(at_once);
        browser.open(&stub.at("/page?data=data-private")).await?;
        browser.waits_for(COVERED).await?;
        assert_eq!(text(browser).await?, format!("You logged out, here.{rest}"));

        // Nothing to say, and words of the page's own.
        stub.log_out_with("{}");
        browser.open(&stub.at("/page?data=data-private")).await?;
        browser.waits_for(COVERED).await?;
        let usual = format!("Your login has ended, here or on another device.{rest}");
        assert_eq!(text(browser).await?, usual);
        stub.log_out_with(at_once);
        let page = "/page?data=data-private%20data-text=Hier";
        browser.open(&stub.at(page)).await?;
        browser.waits_for(COVERED).await?;
        assert_eq!(text(browser).await?, "Hier");
        Ok(())
    })
    .await;
}

#[tokio::test]
#[ignore = "needs a browser: cargo test --test quickstart -- --ignored"]
async fn somebody_else_gets_a_page_of_their_own() {
    on_the_page("#below", async |browser, stub| {
        browser.runs("window.first = true").await?;
        browser.is_covered(stub).await?;
        browser.logs_in_again("Noor").await?;
        browser.sees("Page of Noor").await?;
        browser.shows("!window.first").await?;
        browser.has_typed("").await?;

        // Nor do they send what somebody else has sent.
        browser.open(&stub.url).await?;
        browser.press("Order").await?;
        browser.sees("Page of Noor").await?;
        stub.has_open(1).await;
        browser.is_covered(stub).await?;
        browser.logs_in_again("Alex").await?;
        browser.sees("Page of Alex").await?;
        assert_eq!(stub.posted(), 1);
        stub.log_in("Noor");
        browser.open(&stub.at("/page")).await?;
        stub.has_open(1).await;

        // Nor does anybody see it who took over while this page heard nothing.
        browser.runs("window.first = true").await?;
        stub.go_down();
        stub.has_open(0).await;
        stub.log_in("Alex");
        stub.come_up();
        browser.sees("Page of Alex").await?;
        browser.shows("!window.first").await?;
        browser.shows(UNCOVERED).await?;
        browser.shows("violations.length === 0").await
    })
    .await;
}

#[tokio::test]
#[ignore = "needs a browser: cargo test --test quickstart -- --ignored"]
async fn by_the_keyboard_alone() {
    on_the_page("", async |browser, stub| {
        browser.is_covered(stub).await?;
        let dialog = browser.cover().await?.find(By::Css("dialog")).await?;
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
        browser.shows(COVERED).await?;
        assert_eq!(browser.0.windows().await?.len(), 1);
        let focus = "document.querySelector('clef-cover').shadowRoot.activeElement?.id === ";
        browser.shows(&format!("{focus}'cover'")).await?;
        // There is one stop, however often Tab is pressed, and never one below.
        for _ in 0..4 {
            press("\u{e004}").await?;
            browser
                .shows("document.activeElement.id !== 'text'")
                .await?;
        }
        for _ in 0..4 {
            if browser.is(&format!("{focus}'button'")).await? {
                break;
            }
            press("\u{e004}").await?;
        }
        let page = browser.0.window().await?;
        press("\u{e007}").await?;
        browser.go_to_the_new_window(from_ref(&page)).await?;
        browser.sees("Who?").await?;
        press("\u{e004}\u{e007}").await?;
        browser.0.switch_to_window(page).await?;
        browser.waits_for(UNCOVERED).await?;
        browser.has_typed("half a letter").await?;
        // The focus is back.
        press("!").await?;
        browser.has_typed("half a letter!").await
    })
    .await;
}

#[tokio::test]
#[ignore = "needs a browser: cargo test --test quickstart -- --ignored"]
async fn nothing_of_the_page_comes_above_the_cover() {
    on_the_page("", async |browser, stub| {
        let open = "document.getElementById('other').showModal()";
        browser.runs(open).await?;
        let top = "document.elementFromPoint(innerWidth / 2, innerHeight / 2)?.localName \
            === 'clef-cover' && document.activeElement?.localName === 'clef-cover' \
            && document.getElementById('other').innerText.trim() === ''";
        browser.is_covered(stub).await?;
        browser.waits_for(top).await?;
        // Opened by a script of the page, which knows nothing of all this.
        browser
            .runs("document.getElementById('other').close()")
            .await?;
        browser.runs(open).await?;
        browser.waits_for(top).await?;
        // Nor does it help to throw the cover away, or the page around it.
        browser
            .runs("document.querySelector('clef-cover').remove()")
            .await?;
        browser.waits_for(COVERED).await?;
        browser.is_uncovered().await?;
        browser
            .shows("document.getElementById('other').matches(':modal')")
            .await
    })
    .await;
}

#[tokio::test]
#[ignore = "needs a browser: cargo test --test quickstart -- --ignored"]
async fn a_page_that_asked_too_early_finds_out_by_itself() {
    on_the_page("", async |browser, stub| {
        // Between a session that is gone and the cookie of the next it is nobody.
        browser.is_covered(stub).await?;
        stub.log_in("Alex");
        browser.waits_for(UNCOVERED).await?;
        browser.has_typed("half a letter").await?;
        stub.has_open(1).await;

        // And does not go on asking where nobody is.
        browser.is_covered(stub).await?;
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
    on_the_page("", async |browser, stub| {
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
        browser.runs(insist).await?;
        browser.is_covered(stub).await?;
        browser.runs("toast.showPopover()").await?;
        // What is printed is what is seen without the cover before it.
        let seen = "[document.querySelector('h1'), shadowed, toast].some((part) => \
            part.checkVisibility({ opacityProperty: true, visibilityProperty: true }))";
        assert!(!browser.is(seen).await?);
        browser.is_uncovered().await?;
        browser.shows(seen).await
    })
    .await;
}

#[tokio::test]
#[ignore = "needs a browser: cargo test --test quickstart -- --ignored"]
async fn a_page_that_began_without_a_login_is_left_alone() {
    let stub = Stub::start().await;
    in_a_browser(async |browser| {
        browser.open(&stub.at("/page")).await?;
        let has_asked = "performance.getEntriesByType('resource').some((entry) => \
            entry.name.includes('/auth/live?') && entry.responseEnd)";
        browser.waits_for(has_asked).await?;
        assert_eq!(stub.asked(), 1);
        browser.types("a remark").await?;
        stub.log_in("Alex");
        browser
            .runs("window.dispatchEvent(new Event('focus'))")
            .await?;
        let other = browser.new_tab().await?;
        browser.opens_page(&stub, "").await?;
        browser.is_covered(&stub).await?;
        assert_eq!(stub.asked(), 2, "the first page asks no more");
        browser.0.switch_to_window(other).await?;
        browser.shows(UNCOVERED).await?;
        browser.has_typed("a remark").await?;

        // Unless it says that it is somebody's.
        browser.open(&stub.at("/page?data=data-private")).await?;
        browser.waits_for(COVERED).await?;
        browser.logs_in_again("Alex").await?;
        browser.sees("Page of Alex").await
    })
    .await;
}

#[tokio::test]
#[ignore = "needs a browser: cargo test --test quickstart -- --ignored"]
async fn an_application_handles_it_by_itself() {
    on_the_page("?by-itself", async |browser, stub| {
        stub.log_out();
        browser
            .waits_for("told.join() === 'clef:logged-out'")
            .await?;
        browser.shows(UNCOVERED).await?;
        browser.has_typed("half a letter").await?;
        let other = browser.new_tab().await?;
        browser.open(&stub.at("/log-in?next=/page")).await?;
        browser.0.switch_to_window(other).await?;
        let told = "told.join() === 'clef:logged-out,clef:logged-in'";
        browser.waits_for(told).await?;
        browser.has_typed("half a letter").await?;

        // In words of its own.
        let words = "data-private%20data-title=Abgemeldet%20data-button=Anmelden%20data-text=Hier";
        browser
            .open(&stub.at(&format!("/page?data={words}")))
            .await?;
        browser.is_covered(stub).await?;
        let root = browser.cover().await?;
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
    on_the_page("", async |browser, stub| {
        let mut tabs = vec![browser.new_tab().await?];
        // Browsers have six connections for HTTP/1.1: the later ones load at all.
        for _ in 0..7 {
            browser.open(&stub.at("/page")).await?;
            browser.sees("Page of Alex").await?;
            tabs.push(browser.new_tab().await?);
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
        browser.is_uncovered().await?;
        browser.waits_for(&hidden("clef:logged-in", 7)).await?;
        for tab in tabs {
            browser.0.switch_to_window(tab).await?;
            browser.shows(UNCOVERED).await?;
        }
        Ok(())
    })
    .await;
}

#[tokio::test]
#[ignore = "needs a browser: cargo test --test quickstart -- --ignored"]
async fn a_tab_without_a_connection_is_told_by_another() {
    on_the_page("?unlocked", async |browser, stub| {
        let first = browser.new_tab().await?;
        stub.has_open(0).await;
        browser.open(&stub.at("/page?unlocked")).await?;
        stub.has_open(1).await;
        stub.log_out();
        browser.waits_for(&hidden("clef:logged-out", 1)).await?;
        // A login like any other, and not over a page that is covered.
        browser.open(&stub.at("/log-in?next=/page")).await?;
        browser.waits_for(&hidden("clef:logged-in", 1)).await?;
        browser.0.switch_to_window(first).await?;
        browser.shows(UNCOVERED).await?;
        browser.has_typed("half a letter").await
    })
    .await;
}

#[tokio::test]
#[ignore = "needs a browser: cargo test --test quickstart -- --ignored"]
async fn a_tab_that_was_asleep_learns_it_when_it_wakes() {
    on_the_page("", async |browser, stub| {
        let state = async |state: &str| {
            let tools = Cdp::new(Arc::clone(browser.0.handle()));
            let state = json!({ "state": state });
            tools.send_raw("Page.setWebLifecycleState", state).await
        };
        state("frozen").await?;
        stub.log_out();
        stub.has_open(0).await;
        state("active").await?;
        browser.waits_for(COVERED).await?;
        browser.is_uncovered().await?;

        // The computer slept, and the connection is dead without anybody having said so.
        stub.has_open(1).await;
        let asked = stub.asked();
        let later = "const now = Date.now; Date.now = () => now() + 60000; \
            window.dispatchEvent(new Event('online'))";
        browser.runs(later).await?;
        stub.has_been_asked(asked + 1).await;
        browser
            .runs("window.dispatchEvent(new Event('focus'))")
            .await?;
        assert_eq!(stub.asked(), asked + 1, "this one is alive");
        Ok(())
    })
    .await;
}

#[tokio::test]
#[ignore = "needs a browser: cargo test --test quickstart -- --ignored"]
async fn a_page_that_comes_back_by_the_back_button_shows_nothing_until_it_has_asked() {
    on_the_page("", async |browser, stub| {
        browser.press("Away").await?;
        browser.sees("Front").await?;
        // As long as it cannot ask, it shows nothing.
        stub.go_down();
        browser.0.back().await?;
        browser.waits_for(VEILED).await?;
        browser.shows("kept").await?;
        stub.come_up();
        browser.waits_for(UNCOVERED).await?;

        for ends in [false, true] {
            browser.opens_page(stub, "").await?;
            browser.press("Away").await?;
            browser.sees("Front").await?;
            stub.has_open(0).await;
            if ends {
                stub.log_out();
            }
            browser.0.back().await?;
            browser.sees("Page of Alex").await?;
            browser.shows("kept").await?;
            browser.shows("covered_when_shown").await?;
            let then = if ends { COVERED } else { UNCOVERED };
            browser.waits_for(then).await?;
            browser.has_typed("half a letter").await?;
        }
        Ok(())
    })
    .await;
}

#[tokio::test]
#[ignore = "needs a browser: cargo test --test quickstart -- --ignored"]
async fn a_page_of_an_unknown_user_is_loaded_again_by_the_back_button() {
    on_the_page("", async |browser, stub| {
        // No event says whose page it is.
        stub.go_down();
        browser.open(&stub.at("/page?again")).await?;
        browser.sees("Page of Alex").await?;
        browser.press("Away").await?;
        browser.sees("Front").await?;
        stub.come_up();
        stub.log_in("Noor");
        browser.0.back().await?;
        browser.sees("Page of Noor").await?;
        browser.waits_for(UNCOVERED).await
    })
    .await;
}

#[tokio::test]
#[ignore = "needs a browser: cargo test --test quickstart -- --ignored"]
async fn a_connection_that_is_lost_is_made_again_and_misses_nothing() {
    on_the_page("", async |browser, stub| {
        let asked = stub.asked();
        stub.go_down();
        stub.has_been_asked(asked + 2).await;
        browser.shows(UNCOVERED).await?;
        stub.log_out();
        stub.come_up();
        browser.waits_for(COVERED).await?;
        // And it asks hardly more then.
        let asked = stub.asked();
        browser.is_uncovered().await?;
        assert!(stub.asked() <= asked + 3);
        Ok(())
    })
    .await;
}

#[tokio::test]
#[ignore = "needs a browser: cargo test --test quickstart -- --ignored"]
async fn a_browser_that_lacks_the_new_things_covers_too() {
    on_the_page("?bare", async |browser, stub| {
        // Hidden, and with nobody to hear for it.
        let other = browser.new_tab().await?;
        browser.open(&stub.at("/")).await?;
        stub.has_open(0).await;
        stub.log_out();
        browser.0.switch_to_window(other).await?;
        let open = "document.querySelector('clef-cover')?.shadowRoot.querySelector('dialog[open]')";
        browser.waits_for(open).await?;
        let top = "document.elementFromPoint(innerWidth / 2, innerHeight / 2)?.localName \
            === 'clef-cover'";
        browser.shows(top).await?;
        browser.is_uncovered().await?;
        browser.has_typed("half a letter").await?;
        browser.shows("errors.length === 0").await
    })
    .await;
}

#[tokio::test]
#[ignore = "needs a browser: cargo test --test quickstart -- --ignored"]
async fn a_browser_with_a_malformed_language_covers_too() {
    on_the_page("", async |browser, stub| {
        let languages = "{ value: ['en-US@posix', 'en'] }";
        let malformed = format!("Object.defineProperty(navigator, 'languages', {languages})");
        browser.runs(&malformed).await?;
        stub.log_out_with(r#"{"cause":"user","text":"You logged out{time}."}"#);
        browser.waits_for(COVERED).await?;
        browser.shows("errors.length === 0").await
    })
    .await;
}

#[tokio::test]
#[ignore = "needs a browser: cargo test --test quickstart -- --ignored"]
async fn a_site_that_is_down_is_asked_less_and_less_often() {
    on_the_page("?quick", async |browser, stub| {
        let asked = stub.asked();
        stub.go_down();
        stub.has_been_asked(asked + 9).await;
        let pauses = browser.runs("return pauses").await?;
        let pauses: Vec<f64> = serde_json::from_value(pauses).unwrap();
        assert!(pauses.len() >= 8);
        // The first loss is the browser's own to mend.
        for (number, pause) in (2..).zip(pauses) {
            let longest = (1e3 * 2_f64.powi(number)).min(3e4);
            assert!(pause <= longest && pause >= longest / 10.0, "{pause} ms");
        }
        stub.come_up();
        stub.has_open(1).await;
        browser.shows(UNCOVERED).await
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
        browser
            .runs(&format!("window.open('{}')", stub.at("/page")))
            .await?;
        browser.go_to_the_new_window(from_ref(&elsewhere)).await?;
        let page = browser.0.window().await?;
        stub.has_open(1).await;
        // A name that was fixed once, and then the one that was used last.
        let mut name = "clef-again".to_owned();
        for _ in 0..2 {
            browser.0.switch_to_window(elsewhere.clone()).await?;
            browser.runs(&format!("window.name = '{name}'")).await?;
            browser.0.switch_to_window(page.clone()).await?;
            browser.is_covered(&stub).await?;
            browser.presses_the_button().await?;
            let used = browser.runs("return window.name").await?;
            let used = used.as_str().unwrap().to_owned();
            assert_ne!(used, name);
            name = used;
            browser.press("I am Alex").await?;
            browser.0.switch_to_window(page.clone()).await?;
            browser.waits_for(UNCOVERED).await?;
        }
        browser.0.switch_to_window(elsewhere).await?;
        browser.sees("Front").await?;
        let url = browser.0.current_url().await?;
        assert!(url.as_str().starts_with(&hostile.url), "{url}");
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
            browser
                .opens_page(&stub, &format!("?opener={policy}"))
                .await?;
            browser.is_covered(&stub).await?;
            browser.is_uncovered().await?;
            browser.has_typed("half a letter").await?;
            browser.shows("errors.length === 0").await?;
        }
        Ok(())
    })
    .await;
}
