//! The pages of the crate in a real browser: readable and usable in every language, in dark and
//! light, on a narrow screen, by keyboard and by screen reader.

mod browser;
#[path = "../../examples/languages/src/french.rs"]
mod french;
mod gallery;
#[path = "../../examples/languages/src/german.rs"]
mod german;

use axum_clef::{PageText, Translation};
use serde_json::Value;
use thirtyfour::{Key, error::WebDriverResult};

use crate::{
    browser::{Browser, Look, in_a_browser},
    gallery::Gallery,
};

/// The narrowest screen that has to do (WCAG 2.2, criterion 1.4.10), and a wide one.
const LOOKS: [Look; 3] = [
    Look::new(320, "light"),
    Look::new(320, "dark"),
    Look::new(1_000, "light"),
];

#[test]
fn german_and_french_have_every_text_with_its_placeholder() {
    let placeholder = |text: &str| {
        let (_, rest) = text.split_once('{')?;
        Some(rest.split_once('}')?.0.to_owned())
    };
    for translation in [german::text, french::text] {
        for text in PageText::ALL {
            let translated = translation.text(*text);
            let translated = translated.unwrap_or_else(|| panic!("{text:?}"));
            assert_eq!(
                placeholder(&translated),
                placeholder(text.english()),
                "{text:?}"
            );
        }
    }
}

#[tokio::test]
#[ignore = "needs a browser and `npm ci` in tests/pages/axe: cargo test --test pages -- --ignored"]
async fn axe_finds_no_violation_on_any_page() {
    let gallery = Gallery::open().await;
    in_a_browser(async |browser| {
        for look in LOOKS {
            browser.looks(look).await?;
            for page in gallery.pages() {
                browser.0.goto(&page.url).await?;
                browser.has_no_violation(&page.name, look).await?;
                browser.fits(&page.name, look).await?;
                browser.picture(&page.name, look).await?;
            }
        }
        Ok(())
    })
    .await;
}

#[tokio::test]
#[ignore = "needs a browser and `npm ci` in tests/pages/axe: cargo test --test pages -- --ignored"]
async fn axe_finds_no_violation_on_the_cover() {
    let gallery = Gallery::open().await;
    in_a_browser(async |browser| {
        for look in LOOKS {
            browser.looks(look).await?;
            for (language, title) in [
                ("en", "You are logged out"),
                ("de-AT", "Sie sind abgemeldet"),
                ("fr", "Vous êtes déconnecté"),
            ] {
                for colors in [false, true] {
                    browser.0.goto(gallery.covered(language, colors)).await?;
                    browser.waits_for(COVERED).await?;
                    let name = format!("cover-{language}-{colors}");
                    browser.has_no_violation(&name, look).await?;
                    browser.fits(&name, look).await?;
                    browser.picture(&name, look).await?;
                    let shown = browser.value(TITLE).await?;
                    assert_eq!(shown, title);
                }
            }
        }
        // The language of a page for which there is no text is that of the browser.
        browser.0.goto(gallery.covered("es", false)).await?;
        browser.waits_for(COVERED).await?;
        let language = browser.value(&format!("{DIALOG}.lang")).await?;
        assert_eq!(language, "en");
        // It has the focus, so that a screen reader announces it, and the button is next.
        assert_eq!(browser.value(FOCUSED).await?, "cover");
        browser.presses(Key::Tab).await?;
        assert_eq!(browser.value(FOCUSED).await?, "button");
        Ok(())
    })
    .await;
}

const DIALOG: &str = "document.querySelector('clef-cover').shadowRoot.querySelector('dialog')";
const COVERED: &str = "document.querySelector('clef-cover')?.shadowRoot\
    .querySelector('dialog:modal #button:not([hidden])')";
const TITLE: &str =
    "document.querySelector('clef-cover').shadowRoot.querySelector('h1').textContent";
const FOCUSED: &str = "document.querySelector('clef-cover').shadowRoot.activeElement.id";

#[tokio::test]
#[ignore = "needs a browser and `npm ci` in tests/pages/axe: cargo test --test pages -- --ignored"]
async fn every_link_and_button_is_reached_by_keyboard_and_shows_it() {
    let gallery = Gallery::open().await;
    in_a_browser(async |browser| {
        for page in gallery.pages() {
            browser.0.goto(&page.url).await?;
            let controls = browser.value("document.querySelectorAll('a, button').length");
            let controls = controls.await?.as_u64().unwrap();
            assert!(controls > 0, "{} leads nowhere", page.name);
            for index in 0..controls {
                browser.presses(Key::Tab).await?;
                reached(&browser, &page.name, index).await?;
            }
        }
        Ok(())
    })
    .await;
}

/// The control with this index has the focus, and an outline.
async fn reached(browser: &Browser, name: &str, index: u64) -> WebDriverResult<()> {
    let focused = format!(
        "document.activeElement === document.querySelectorAll('a, button')[{index}] && \
         getComputedStyle(document.activeElement).outlineStyle"
    );
    let outline = browser.value(&focused).await?;
    assert_eq!(outline, Value::from("solid"), "{name}, control {index}");
    Ok(())
}
