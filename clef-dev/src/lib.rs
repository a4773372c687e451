//! A small Clef service on your own machine, for development and tests.
//!
//! Clef was a login without passwords: a phone answered the wave on the screen, and "log out now"
//! on the phone ended the login at every site. The hosted service closed in 2017. [`ClefService`]
//! speaks its wire, so that a site that logs in with Clef can be built and tested from end to end:
//! the wave, the phone, the code, the person's data, and the webhook that tells every site of a
//! log-out.
//!
//! **Never for production.** Whoever can reach it can log in as anybody. So it listens on loopback
//! addresses only, answers only to names of this machine, and sends people and webhooks to this
//! machine only, unless the [builder](ClefService::builder) is told otherwise in so many words.
//!
//! # In a browser
//!
//! Start it, or run the program (`cargo run -p clef-dev` in a clone), and send the browser of a site that knows it to log in.
//! The page shows the wave and a QR code; "Open the phone" opens the phone in a second window.
//! Choose whose it is, approve, and the first window goes on by itself. The next site needs a
//! click. The phone shows where you are logged in, and its timer (an hour, unless you set it
//! otherwise) or "Log out now" ends it all.
//!
//! # In a test
//!
//! [`ClefService`] logs people [in](ClefService::log_in) and [out](ClefService::log_out) without a
//! browser, [waits](ClefService::wait_for_deliveries) for the webhooks, and
//! [misbehaves](ClefService::misbehave) on purpose. There are examples on each.
//!
//! # What it answers
//!
//! | route | what it is |
//! |---|---|
//! | `POST /api/v1/authorize` | exchanges a code for an access token |
//! | `GET /api/v1/info` | whom an access token belongs to |
//! | `POST /api/v1/logout` | exchanges a logout token for the person who logged out |
//! | `GET /iframes/qr` | the login page with the wave |
//! | `GET /iframes/login` | the login page on a phone: approve in place |
//! | `GET /` | what to write into a site |
//! | `GET /phone`, `GET /phone/{person}` | the phone |
//! | `GET /phone/{person}/deliveries` | what sites were told: a JSON array of [`Delivery`], or a page |
//! | `POST /phone/{person}/log-in` | approves a login without a page, for scripts |
//! | `POST /phone/{person}/log-out` | "log out now", for scripts too |
//! | `GET /v3/clef.js` | the script of the login button |
//!
//! The applications are [`TEST_APPLICATIONS`], the people [`PEOPLE`], and those that the builder
//! was given; `{person}` is a [`Person::id`]. A request may carry up to 16 KiB.
//!
//! # The button
//!
//! `<script class="clef-button" src="…/v3/clef.js" data-app-id="…" data-redirect-url="…"
//! data-state="…"></script>` puts a button where it stands.
//!
//! | attribute | values, the first by default | |
//! |---|---|---|
//! | `data-color` | `blue`, `white` | |
//! | `data-style` | `flat`, `button` | `button` is raised |
//! | `data-type` | `login`, `register`, `connect` | what the button says |
//! | `data-embed` | `true` | the wave itself, inside the page |
//! | `data-custom` | `true` | draws nothing; a click on the element after the script begins the login |
//! | `data-popup` | `true` | a click opens the wave in a small window, and takes the page on |
//!
//! An embedded wave and a window talk to the page by messages, and only to one on the scheme, host
//! and port of the redirect URL.
//!
//! # How long things last
//!
//! - A login waits for the phone for five minutes, and a hundred at a time. The oldest without an
//!   open page makes room for another; where every page is open, a new login is refused with 503.
//! - A code is good for one exchange, within one minute, by the application it was made for. A
//!   refused exchange does not use it up.
//! - An access token opens the person's data for one minute.
//! - A logout token is good for one exchange, within five minutes, by the application that it was
//!   sent to.
//! - Codes, access tokens, approved logins and what the browsers remember die when their person
//!   logs out.
//! - The timer of a person starts when they approve a login or enter a site, and starts anew with
//!   each. When it has run out, everything goes as by "Log out now".
//! - The published test code `code_1234567890` is the exception: every application may exchange it
//!   at any time and as often as it likes, for `token_1234567890`, which never ends. There is no
//!   redirect URL to compare with, so any `logout_hook` that the application may have is taken.
//!
//! # Logging in and out from a script
//!
//! `POST /phone/{person}/log-in` takes the form fields `app_id`, `redirect_url` and, if you like,
//! `state`, and answers 303 to the redirect URL with `code` and `state` added. The redirect URL is
//! an absolute http or https URL on the domain of the application, or for one without a domain on
//! this machine: `localhost`, a name under `.localhost`, 127.0.0.0/8 or `[::1]`, without a user
//! name, a password, a fragment or white space. `state` is up to 2 KiB of text without control
//! characters. A login refused on the phone goes back with `error=access_denied` and `state`.
//!
//! `POST /phone/{person}/log-out` first ends all that the person has begun, then calls the logout
//! hooks of all sites that the person entered, all at the same time, and answers when each was
//! called once: a JSON array with a row for each site, or a page for a browser.
//!
//! ```json
//! [
//!   { "url": "http://localhost:3000/clef/logout", "status": 200, "milliseconds": 3 },
//!   { "url": "http://localhost:3001/clef/logout", "status": null, "milliseconds": 1,
//!     "error": "No connection. Is the site running?" },
//!   { "url": null, "status": null, "milliseconds": 0,
//!     "error": "No logout hook was given when localhost:3002 was entered, so it cannot be told." }
//! ]
//! ```
//!
//! Both refuse with 403 what a browser sends from another site's page, sites on other ports of this
//! machine included. The login pages refuse what such a page fetches in the background; a browser
//! that navigates to them, or shows them in a frame, gets them.
//!
//! # How sites are told
//!
//! A site is told with `status` 200 and a JSON body whose `success` is true, or the text `Ok` or
//! `bye`. A connection may take two seconds, the whole call five; redirects are not followed, and
//! an answer may have up to 64 KiB. A 404 whose `success` is false says that the site knows nobody
//! like that: there is nothing left to tell.
//!
//! Any other site is told again after 1, 4 and 16 seconds, each time with a fresh logout token.
//! After that it stays on the phone's list: log out once more to tell it again.
//!
//! A notice ends every login that the site finds, the newer ones too. So before a person enters a
//! site anew that still owes an answer, it is told once more; the new login comes after. If that
//! fails too, the new login stands, and the site is not told of the old log-out any more: a login
//! in another browser that it never ended lives on until the next.

mod accept;
mod api;
mod application;
mod builder;
mod clef_service;
mod cookies;
mod delivery;
mod destination;
mod directory;
mod error;
mod events;
mod fault;
mod fetch_site;
mod fields;
mod host;
mod log_out;
mod login_page;
mod logins;
mod loopback;
mod pages;
mod person;
mod phone;
mod router;
mod service;
mod short_lived;
mod site_url;
mod state;
mod timekeeper;
mod timers;
mod waiting;
mod webhook;

pub use self::{
    application::{Application, TEST_APPLICATIONS},
    builder::ClefServiceBuilder,
    clef_service::ClefService,
    delivery::Delivery,
    error::DevError,
    fault::Fault,
    person::{PEOPLE, Person},
};

/// The code of the README runs too.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
