//! The pages of the crate in the language of their visitor, and with the application's style.

use std::{borrow::Cow, sync::atomic::Ordering::SeqCst};

use axum::{
    body::Body,
    http::{Method, Response},
};
use axum_clef::{BuildError, PageText, Translation};

use crate::support::{
    Jar, World,
    jar::{notice, text},
};

/// Each text in capitals, so that what stays in English shows.
struct Shouted;

impl Translation for Shouted {
    fn text(&self, text: PageText) -> Option<Cow<'_, str>> {
        let english = text.english().to_uppercase();
        Some(english.replace("{PROVIDER}", "{provider}").into())
    }
}

/// Some texts, one of which is no HTML.
fn german(text: PageText) -> Option<&'static str> {
    Some(match text {
        PageText::BadRequestTitle => "<b>Ungültiger Link</b>",
        PageText::LogInWith => "Mit {provider} anmelden",
        PageText::NotSavedTitle => "Sie sind abgemeldet",
        PageText::AtTime => " am {time}",
        PageText::LoggedOutByProvider => "Der Dienst hat Sie{when} abgemeldet.",
        PageText::CoverTitle => "Abgemeldet",
        _ => return None,
    })
}

fn app(world: &World) -> axum::Router {
    let builder = world.builder();
    world.app_of(builder.translation("de", german).translation("fr", Shouted))
}

async fn open(app: &axum::Router, path: &str, languages: &str) -> Response<Body> {
    let headers = [("accept", "text/html"), ("accept-language", languages)];
    let get = (Method::GET, path);
    Jar::default().send_with(app, get, &headers).await
}

const BAD: &str = "/clef/login?next=https://evil.example";

#[tokio::test]
async fn a_page_is_in_the_language_that_its_visitor_prefers() {
    let world = World::new();
    let app = app(&world);
    for (languages, language, headline) in [
        ("", "en", "Invalid login link"),
        ("es", "en", "Invalid login link"),
        ("en-GB, de;q=0.9", "en", "Invalid login link"),
        ("es, fr;q=0.3, en;q=0.2", "fr", "INVALID LOGIN LINK"),
        ("de-AT", "de", "&lt;b&gt;Ungültiger Link&lt;/b&gt;"),
    ] {
        let page = open(&app, BAD, languages).await;
        assert_eq!(page.headers()["content-language"], language);
        let mut vary = page.headers().get_all("vary").iter();
        assert!(vary.any(|name| name == "accept-language"));
        let page = text(page).await;
        let start = format!("<html lang=\"{language}\" dir=\"ltr\">");
        assert!(page.contains(&start), "{page}");
        assert!(
            page.contains(&format!("<title>{headline}</title>")),
            "{page}"
        );
        assert!(page.contains(&format!("<h1>{headline}</h1>")), "{page}");
    }
}

#[tokio::test]
async fn a_site_without_translations_does_not_ask_for_the_language() {
    let (_, app) = World::with_app();
    let page = open(&app, BAD, "de").await;
    assert_eq!(page.headers()["content-language"], "en");
    let mut vary = page.headers().get_all("vary").iter();
    assert!(vary.all(|name| name != "accept-language"));
}

#[tokio::test]
async fn a_text_that_is_not_translated_is_marked_as_english() {
    let world = World::new();
    let app = app(&world);
    let page = text(open(&app, BAD, "de").await).await;
    assert!(page.contains("Mit Clef anmelden"), "{page}");
    let english = "<span lang=\"en\" dir=\"ltr\">Go to the front page</span>";
    assert!(page.contains(english), "{page}");
    let page = text(open(&app, BAD, "fr").await).await;
    assert!(!page.contains("<span"), "{page}");
    assert!(page.contains("LOG IN WITH Clef"), "{page}");
}

#[tokio::test]
async fn a_link_in_a_page_of_the_application_names_its_language() {
    let world = World::new();
    world.provider.has_no_button.store(true, SeqCst);
    let app = app(&world);
    for (languages, language, words) in [
        ("fr", "fr", "LOG IN WITH Clef"),
        ("de", "de", "Mit Clef anmelden"),
        ("es", "en", "Log in with Clef"),
    ] {
        let link = text(open(&app, "/button", languages).await).await;
        let start = "/clef/login?next=%2Fbutton";
        let expected = format!("<a href=\"{start}\" lang=\"{language}\">{words}</a>");
        assert_eq!(link, expected);
    }
}

#[tokio::test]
async fn a_page_for_a_form_says_how_the_login_ended_in_that_language() {
    let world = World::new();
    let app = app(&world);
    let mut browser = Jar::default();
    browser.log_in(&app, "12345").await;
    notice(&app, "token:12345").await;
    let form = [("accept", "text/html"), ("accept-language", "de")];
    let post = (Method::POST, "/account");
    let page = browser.send_with(&app, post, &form).await;
    assert_eq!(page.status(), 401);
    assert_eq!(page.headers()["content-language"], "de");
    let page = text(page).await;
    assert!(page.contains("<h1>Sie sind abgemeldet</h1>"), "{page}");
    let (_, sentence) = page.split_once("Der Dienst hat Sie am <time").unwrap();
    let (time, after) = sentence.split_once("</time>").unwrap();
    assert!(after.starts_with(" abgemeldet."), "{after}");
    // No name of a month.
    let (_, time) = time.split_once('>').unwrap();
    assert!(time.ends_with(" UTC"), "{time}");
    let mut plain = time.trim_end_matches(" UTC").chars();
    assert!(
        plain.all(|c| c.is_ascii_digit() || "-: ".contains(c)),
        "{time}"
    );
}

#[tokio::test]
async fn a_script_reads_english() {
    let world = World::new();
    let app = app(&world);
    let headers = [("accept", "application/json"), ("accept-language", "fr")];
    let mut browser = Jar::default();
    let get = (Method::GET, "/account");
    let answer = text(browser.send_with(&app, get, &headers).await).await;
    assert!(answer.contains("You are not logged in."), "{answer}");
}

#[tokio::test]
async fn a_store_that_is_down_is_said_in_that_language() {
    let world = World::new();
    let app = app(&world);
    let mut browser = Jar::default();
    browser.log_in(&app, "12345").await;
    world.users.failing.store(true, SeqCst);
    let headers = [("accept", "text/html"), ("accept-language", "fr")];
    let get = (Method::GET, "/account");
    let page = browser.send_with(&app, get, &headers).await;
    assert_eq!(page.status(), 503);
    let page = text(page).await;
    assert!(page.contains("<h1>TEMPORARILY UNAVAILABLE</h1>"), "{page}");
    // The same page again, or another.
    assert!(page.contains("<a href=\"\">TRY AGAIN</a>"), "{page}");
    assert!(
        page.contains("href=\"/\">GO TO THE FRONT PAGE</a>"),
        "{page}"
    );
}

#[tokio::test]
async fn the_script_of_open_pages_has_the_cover_in_every_language() {
    let world = World::new();
    let app = app(&world);
    let script = text(Jar::default().get(&app, "/auth/live.js").await).await;
    let (_, arguments) = script.rsplit_once("(...").unwrap();
    let arguments = arguments.trim_end().trim_end_matches(");");
    let arguments = serde_json::from_str::<serde_json::Value>(arguments).unwrap();
    let texts = &arguments[2];
    assert_eq!(texts["en"]["title"], "You are logged out");
    assert_eq!(texts["de"]["title"], "Abgemeldet");
    assert_eq!(texts["de"]["at"], " am {time}");
    assert_eq!(texts["fr"]["button"], "LOG IN AGAIN");
}

#[tokio::test]
async fn an_open_page_names_its_language_itself() {
    let world = World::new();
    let app = app(&world);
    let mut browser = Jar::default();
    browser.log_in(&app, "12345").await;
    notice(&app, "token:12345").await;
    for (query, languages, sentence) in [
        ("", "de", "Der Dienst hat Sie{time} abgemeldet."),
        ("?lang=de", "fr", "Der Dienst hat Sie{time} abgemeldet."),
        ("?lang=es", "de", "Der Dienst hat Sie{time} abgemeldet."),
        ("?lang=es", "es", "You were logged out{time} by the service"),
    ] {
        let path = format!("/auth/live{query}");
        let headers = [("accept-language", languages)];
        let get = (Method::GET, path.as_str());
        let events = text(browser.send_with(&app, get, &headers).await).await;
        assert!(events.contains(sentence), "{query} {languages}: {events}");
    }
}

#[tokio::test]
async fn the_style_of_the_application_comes_last() {
    let world = World::new();
    let style = ":root { --clef-accent: rebeccapurple }";
    let app = world.app_of(world.builder().page_style(style));
    let page = text(open(&app, BAD, "").await).await;
    let (_, last) = page.rsplit_once("<style>").unwrap();
    assert!(last.starts_with(style), "{page}");
}

#[test]
fn a_wrong_language_or_style_is_an_error_of_build() {
    let world = World::new();
    let error = |languages: &[&str]| {
        let mut builder = world.builder();
        for language in languages {
            builder = builder.translation(language, german);
        }
        builder.build().err()
    };
    assert_eq!(error(&["de", "fr", "pt-BR", "en"]), None);
    for (languages, wrong) in [(&["de", "DE"][..], "DE"), (&["fr", "de_AT"], "de_AT")] {
        let wrong = BuildError::Language(wrong.to_owned());
        assert_eq!(error(languages), Some(wrong));
    }
    let style = "</style><script>alert(1)</script>";
    let error = world.builder().page_style(style).build().err();
    assert_eq!(error, Some(BuildError::PageStyle));
}
