//! The quickstart by a person: a real browser, windows, clicks.
//!
//! `cargo test --test quickstart -- --ignored` runs these, with Debian's `chromium` and
//! `chromium-driver` or what `CHROMEDRIVER` names; `.ci/run` does, and installs them where they
//! are missing. With `PICTURES` set to a folder, the pictures of the guide are taken on the way.

use axum::{Router, response::Html, routing::get};
use axum_clef::{
    ClefButton, ClefLayer, LoggedIn,
    clef::Clef as ClefClient,
    stores::{Account, MemoryUserStore},
};
use clef_dev::{ClefService, TEST_APPLICATIONS};
use thirtyfour::{By, Key, extensions::query::ElementQueryable as _};
use tokio::net::TcpListener;
use tower_sessions::MemoryStore;

use crate::{
    browser::in_a_browser,
    program::{self, Quickstart},
};

#[tokio::test]
#[ignore = "needs a browser: cargo test --test quickstart -- --ignored"]
async fn log_in_by_the_wave_and_out_by_the_phone() {
    let quickstart = Quickstart::start().await;
    in_a_browser(async |browser| {
        // The page first asked for is where the login leads.
        browser
            .open(&format!("{}/account", quickstart.site))
            .await?;
        let phone = browser
            .answer_on_the_phone(Some("Alex Rivers"), "Approve")
            .await?;
        browser.sees("Your account").await?;

        // Whoever goes on by hand after "Log out now", past the cover, is refused.
        browser.log_out_on(&phone).await?;
        browser
            .waits_for("document.querySelector('clef-cover')")
            .await?;
        browser.open(&quickstart.site).await?;
        browser.sees("The Reading Room").await?;

        // By the button, on a page that anybody may see. The phone is still Alex's.
        browser.picture("site").await?;
        browser.press("Log in with Clef").await?;
        browser.control("Open the phone").await?;
        browser.picture("wave").await?;
        let phone = browser.answer_on_the_phone(None, "Approve").await?;
        browser.sees("Your account").await?;
        let site = browser.0.window().await?;
        browser.0.switch_to_window(phone).await?;
        browser.picture("phone").await?;
        browser.0.switch_to_window(site).await?;
        browser.press("Sign out on this device").await?;
        browser.control("Log in with Clef").await.map(|_| ())
    })
    .await;
}

#[tokio::test]
#[ignore = "needs a browser: cargo test --test quickstart -- --ignored"]
async fn a_login_refused_on_the_phone_says_so_and_can_begin_again() {
    let quickstart = Quickstart::start().await;
    in_a_browser(async |browser| {
        browser
            .open(&format!("{}/account", quickstart.site))
            .await?;
        browser
            .answer_on_the_phone(Some("Noor Haddad"), "Refuse")
            .await?;
        browser.press("Try again").await?;
        browser.answer_on_the_phone(None, "Refuse").await?;
        browser.press("Back to").await?;
        browser.sees("The login was not completed").await?;
        browser.press("Log in with Clef").await?;
        browser.answer_on_the_phone(None, "Approve").await?;
        browser.sees("Your account").await
    })
    .await;
}

#[tokio::test]
#[ignore = "needs a browser: cargo test --test quickstart -- --ignored"]
async fn two_sites_one_click_and_one_tap() {
    let clef = program::clef().await;
    let sites = [
        Quickstart::start_at(&clef).await,
        Quickstart::start_at(&clef).await,
    ];
    in_a_browser(async |browser| {
        browser.open(&format!("{}/account", sites[0].site)).await?;
        let phone = browser
            .answer_on_the_phone(Some("Alex Rivers"), "Approve")
            .await?;
        browser.sees("Your account").await?;
        // Already logged in here: the second site asks one click.
        browser.open(&format!("{}/account", sites[1].site)).await?;
        browser.press("Continue").await?;
        browser.sees("Your account").await?;

        browser.log_out_on(&phone).await?;
        for site in &sites {
            browser.open(&format!("{}/account", site.site)).await?;
            browser.control("Open the phone").await?;
        }
        Ok(())
    })
    .await;
}

#[tokio::test]
#[ignore = "needs a browser: cargo test --test quickstart -- --ignored"]
async fn by_the_keyboard_alone() {
    let quickstart = Quickstart::start().await;
    in_a_browser(async |browser| {
        browser.open(&quickstart.site).await?;
        let press = async |name: &str| {
            browser.control(name).await?;
            // From one stop to the next until it is reached, as people do.
            for _ in 0..20 {
                let body = browser.0.active_element().await?;
                if body.text().await?.contains(name) && body.tag_name().await? != "body" {
                    return body.send_keys(Key::Enter + "").await;
                }
                body.send_keys(Key::Tab + "").await?;
            }
            panic!("{name} cannot be reached by the keyboard");
        };
        press("Log in with Clef").await?;
        let site = browser.0.window().await?;
        press("Open the phone").await?;
        browser
            .go_to_the_new_window(std::slice::from_ref(&site))
            .await?;
        press("Teo Lindqvist").await?;
        press("Approve").await?;
        browser.0.switch_to_window(site).await?;
        browser.sees("Your account").await
    })
    .await;
}

/// A site of another make: the wave inside its page.
async fn embedding_site(clef: &ClefService) -> String {
    async fn home(user: Option<LoggedIn<Account>>, button: ClefButton) -> Html<String> {
        Html(match user {
            Some(LoggedIn(user)) => {
                format!(
                    "<h1>Hello, {}</h1>",
                    user.profile().name().unwrap_or_default()
                )
            }
            None => format!("<h1>Come in</h1>{}", button.embed().html()),
        })
    }

    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let site = format!("http://{}", listener.local_addr().unwrap());
    let application = &TEST_APPLICATIONS[1];
    let provider = ClefClient::new(&clef.url(), application.id(), application.secret()).unwrap();
    let auth = ClefLayer::builder(&site, MemoryUserStore::new(), MemoryStore::default());
    let auth = auth.provider(provider).build().unwrap();
    let app = Router::new()
        .route("/", get(home))
        .merge(auth.routes())
        .layer(auth);
    tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
    site
}

#[tokio::test]
#[ignore = "needs a browser: cargo test --test quickstart -- --ignored"]
async fn the_wave_inside_the_page_takes_the_whole_page_along() {
    let clef = program::clef().await;
    let site = embedding_site(&clef).await;
    in_a_browser(async |browser| {
        browser.open(&site).await?;
        browser.sees("Come in").await?;
        let frame = browser.0.query(By::Tag("iframe")).first().await?;
        assert!(
            frame
                .attr("title")
                .await?
                .is_some_and(|title| !title.is_empty())
        );
        frame.enter_frame().await?;
        let site = browser.press_for_a_window("Open the phone").await?;
        browser.press("Alex Rivers").await?;
        browser.press("Approve").await?;
        browser.0.switch_to_window(site).await?;
        browser.sees("Hello, Alex Rivers").await?;

        clef.log_out("12345").await.unwrap();
        browser.0.refresh().await?;
        browser.sees("Come in").await
    })
    .await;
}
