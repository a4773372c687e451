//! The routes, each in the situations in which it does something else.

use std::time::Duration;

use crate::{
    browser::{Answer, Browser, notice},
    fault::Call,
    site::{Node, Site},
};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Route {
    /// `GET /clef/login`.
    Start,
    /// `GET /clef/callback` in a fresh browser.
    FirstLogin,
    /// The same, over a login of the same person.
    LoginAgain,
    /// The same, over a login of somebody else.
    LoginOverAnother,
    /// `POST /clef/logout`.
    Notice,
    /// The same, for somebody who is no user.
    NoticeForAStranger,
    /// `POST /clef/sign-out`.
    SignOut,
    /// A page with `LoggedIn`.
    Guarded,
    /// The same, when the session is to be renewed.
    Renewal,
    /// A page with `Option<LoggedIn>`.
    Perhaps,
    /// A button that is pressed by `Logouts`.
    Everywhere,
    /// A handler that changes the session and asks for nobody.
    Cart,
}

/// A site, and a browser before the request.
pub struct Scene {
    pub site: Site,
    pub node: Node,
    pub browser: Browser,
    /// The way back from the provider, where a login is under way.
    pub callback: String,
}

pub const PERSON: &str = "12345";
pub const ANOTHER: &str = "67890";
pub const CODE: &str = "code:12345";
pub const TOKEN: &str = "token:12345:once";
const STRANGERS_TOKEN: &str = "token:77777:once";

impl Route {
    pub const ALL: [Self; 12] = [
        Self::Start,
        Self::FirstLogin,
        Self::LoginAgain,
        Self::LoginOverAnother,
        Self::Notice,
        Self::NoticeForAStranger,
        Self::SignOut,
        Self::Guarded,
        Self::Renewal,
        Self::Perhaps,
        Self::Everywhere,
        Self::Cart,
    ];

    /// The status of an answer when all is well.
    pub fn good(self) -> u16 {
        match self {
            Self::Start | Self::SignOut => 303,
            Self::FirstLogin | Self::LoginAgain | Self::LoginOverAnother => 303,
            Self::NoticeForAStranger => 404,
            _ => 200,
        }
    }

    /// What it asks of the stores when all is well.
    pub fn calls(self) -> &'static [Call] {
        use Call::{Create, Delete, LoadSession, LoadUser, LogIn, LogOut, Now, Save};
        match self {
            Self::Start => &[],
            Self::FirstLogin => &[Now, LogIn, Now, Create],
            Self::LoginAgain | Self::LoginOverAnother => {
                &[Now, LogIn, Now, LoadSession, Delete, Create]
            }
            Self::Notice => &[LogOut],
            Self::NoticeForAStranger => &[LogOut, Now],
            Self::SignOut => &[LoadSession, Delete],
            Self::Guarded | Self::Perhaps => &[LoadSession, LoadUser, Now],
            Self::Renewal => &[LoadSession, LoadUser, Now, LoadSession, Save],
            Self::Everywhere => &[LoadSession, LoadUser, Now, LogOut],
            Self::Cart => &[LoadSession, Save],
        }
    }

    /// The calls that are the crate's to answer for: the first of them.
    pub fn first_of_ours(self) -> usize {
        match self {
            // The handler loads the session itself.
            Self::Cart => 1,
            _ => 0,
        }
    }

    pub async fn scene(self) -> Scene {
        let site = Site::new();
        let node = site.node();
        let mut browser = Browser::default();
        let mut callback = String::new();
        match self {
            Self::Start | Self::FirstLogin => {}
            Self::LoginOverAnother => browser.log_in(&node.app, "code:67890").await,
            _ => browser.log_in(&node.app, CODE).await,
        }
        if self.is_login() {
            callback = browser.begin(&node.app, CODE).await;
        }
        if self == Self::Renewal {
            site.advance(Duration::from_secs(2 * 60 * 60));
        }
        site.faults.listen();
        Scene {
            site,
            node,
            browser,
            callback,
        }
    }

    pub fn is_login(self) -> bool {
        matches!(
            self,
            Self::FirstLogin | Self::LoginAgain | Self::LoginOverAnother
        )
    }

    /// Makes the request.
    pub async fn ask(self, scene: &mut Scene) -> Answer {
        let (app, browser) = (&scene.node.app, &mut scene.browser);
        match self {
            Self::Start => browser.get(app, "/clef/login?next=/account").await,
            Self::FirstLogin | Self::LoginAgain | Self::LoginOverAnother => {
                browser.get(app, &scene.callback).await
            }
            Self::Notice => notice(app, TOKEN).await,
            Self::NoticeForAStranger => notice(app, STRANGERS_TOKEN).await,
            Self::SignOut => browser.post(app, "/clef/sign-out").await,
            Self::Guarded | Self::Renewal => browser.get(app, "/account").await,
            Self::Perhaps => browser.get(app, "/").await,
            Self::Everywhere => browser.post(app, "/everywhere").await,
            Self::Cart => browser.post(app, "/cart").await,
        }
    }
}
