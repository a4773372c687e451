//! The routes, each in the situations in which it does something else.

use std::time::Duration;

use crate::{
    browser::{Answer, Browser, notice, with_token},
    fault::Call,
    site::{Node, Site},
};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Route {
    /// `GET /clef/login`.
    Start,
    /// `GET /clef/callback` in a fresh browser.
    FirstLogin,
    /// The same, where the provider names a session.
    LoginInASession,
    /// The same, over a login of the same user.
    LoginAgain,
    /// The same, over a login of another user.
    LoginOverAnother,
    /// The same, over a login of the same user, where logins are sealed.
    SealedLoginAgain,
    /// `POST /clef/logout`.
    Notice,
    /// The same, for a session at the provider.
    NoticeForASession,
    /// The same, for an unknown subject.
    NoticeForAStranger,
    /// `POST /auth/sign-out`.
    SignOut,
    /// The same, where logins are sealed.
    SealedSignOut,
    /// A handler that signs out with `SignOut`.
    Leave,
    /// A page with `LoggedIn`.
    Guarded,
    /// The same, over a store that answers the check in parts.
    GuardedInParts,
    /// The same, where logins are sealed.
    SealedGuarded,
    /// The same, when the login is to be renewed.
    Renewal,
    /// A page with `Option<LoggedIn>`.
    Perhaps,
    /// A button that is pressed by `Logouts`.
    Everywhere,
    /// The site's own form, in a fresh browser.
    Form,
    /// A page with `RecentLogin`.
    Recent,
    /// A program's request for a page with `LoggedIn`.
    WithToken,
    /// A page that makes a token.
    NewToken,
    /// A button that ends all other logins.
    Others,
    /// The same, where logins are sealed.
    SealedOthers,
    /// `GET /clef/callback` of a user who links an identity.
    Link,
}

/// A site, and a browser before the request.
pub struct Scene {
    pub site: Site,
    pub node: Node,
    pub browser: Browser,
    /// The way back from the provider, where a login is under way.
    pub callback: String,
    /// The token of a program, where it sends one.
    pub token: String,
}

pub const PERSON: &str = "12345";
pub const ANOTHER: &str = "67890";
pub const CODE: &str = "code:12345";
pub const TOKEN: &str = "token:12345:once";
const CODE_IN_A_SESSION: &str = "code:12345:sid:home";
const TOKEN_OF_A_SESSION: &str = "session:home:of:12345:once";
const STRANGERS_TOKEN: &str = "token:77777:once";

impl Route {
    pub const ALL: [Self; 25] = [
        Self::Start,
        Self::FirstLogin,
        Self::LoginInASession,
        Self::LoginAgain,
        Self::LoginOverAnother,
        Self::SealedLoginAgain,
        Self::Notice,
        Self::NoticeForASession,
        Self::NoticeForAStranger,
        Self::SignOut,
        Self::SealedSignOut,
        Self::Leave,
        Self::Guarded,
        Self::GuardedInParts,
        Self::SealedGuarded,
        Self::Renewal,
        Self::Perhaps,
        Self::Everywhere,
        Self::Form,
        Self::Recent,
        Self::WithToken,
        Self::NewToken,
        Self::Others,
        Self::SealedOthers,
        Self::Link,
    ];

    /// The status of an answer when all is well.
    pub fn good(self) -> u16 {
        match self {
            Self::Start | Self::SignOut | Self::SealedSignOut | Self::Form | Self::Link => 303,
            route if route.is_login() => 303,
            Self::NoticeForAStranger => 404,
            _ => 200,
        }
    }

    /// What it asks of the stores when all is well.
    pub fn calls(self) -> &'static [Call] {
        use Call::{
            CheckLogin, Create, Delete, FindOrCreate, Link, LoadSession, LoadUser, LogIn, LogOut,
            LogOutOthers, LogOutSubject, Now, Revoke, RevokedAt, Save,
        };
        match self {
            Self::Start => &[],
            Self::FirstLogin | Self::LoginInASession => {
                &[Now, FindOrCreate, LogIn, CheckLogin, RevokedAt, Create]
            }
            Self::LoginAgain | Self::LoginOverAnother => &[
                Now,
                FindOrCreate,
                LogIn,
                CheckLogin,
                RevokedAt,
                LoadSession,
                Create,
                Revoke,
                Delete,
            ],
            Self::SealedLoginAgain => &[Now, FindOrCreate, LogIn, CheckLogin, RevokedAt, Revoke],
            Self::Notice => &[LogOutSubject],
            Self::NoticeForASession => &[Now, Revoke],
            Self::NoticeForAStranger => &[LogOutSubject, Now, Now, Revoke, LogOutSubject, Now],
            Self::SignOut | Self::Leave => &[LoadSession, CheckLogin, Revoke, Delete],
            Self::SealedSignOut => &[CheckLogin, Revoke],
            Self::Guarded | Self::Perhaps => &[LoadSession, CheckLogin],
            Self::GuardedInParts => &[LoadSession, LoadUser, RevokedAt, RevokedAt, RevokedAt, Now],
            Self::SealedGuarded => &[CheckLogin],
            Self::Renewal => &[LoadSession, CheckLogin, Save],
            Self::Everywhere => &[LoadSession, CheckLogin, LogOut],
            Self::Form => &[Now, LogIn, CheckLogin, Create],
            Self::Recent => &[LoadSession, CheckLogin],
            Self::WithToken => &[CheckLogin],
            Self::NewToken => &[LoadSession, CheckLogin, CheckLogin],
            Self::Others => &[
                LoadSession,
                CheckLogin,
                LogOutOthers,
                CheckLogin,
                LoadSession,
                Create,
                Save,
            ],
            Self::SealedOthers => &[CheckLogin, LogOutOthers, CheckLogin],
            Self::Link => &[LoadSession, CheckLogin, Now, CheckLogin, Link],
        }
    }

    /// Another node of the same site, with the same settings.
    pub fn node(self, site: &Site) -> Node {
        match self {
            Self::GuardedInParts => site.node_in_parts(),
            Self::SealedLoginAgain
            | Self::SealedSignOut
            | Self::SealedGuarded
            | Self::SealedOthers => site.sealed_node(),
            _ => site.node(),
        }
    }

    pub async fn scene(self) -> Scene {
        let site = Site::new();
        let node = self.node(&site);
        let mut browser = Browser::default();
        let mut callback = String::new();
        match self {
            Self::Start | Self::FirstLogin | Self::LoginInASession => {}
            Self::Form => Browser::default().log_in(&node.app, CODE).await,
            Self::LoginOverAnother => browser.log_in(&node.app, "code:67890").await,
            Self::NoticeForASession => browser.log_in(&node.app, CODE_IN_A_SESSION).await,
            _ => browser.log_in(&node.app, CODE).await,
        }
        if self.is_login() {
            let code = match self {
                Self::LoginInASession => CODE_IN_A_SESSION,
                _ => CODE,
            };
            callback = browser.begin(&node.app, code).await;
        }
        if self == Self::Renewal {
            site.advance(Duration::from_secs(2 * 60 * 60));
        }
        if self == Self::Link {
            callback = browser.begin_link(&node.app, ANOTHER).await;
        }
        let mut token = String::new();
        if self == Self::WithToken {
            token = browser.post(&node.app, "/token").await.text;
        }
        site.faults.listen();
        Scene {
            site,
            node,
            browser,
            callback,
            token,
        }
    }

    pub fn is_login(self) -> bool {
        matches!(
            self,
            Self::FirstLogin
                | Self::LoginInASession
                | Self::LoginAgain
                | Self::LoginOverAnother
                | Self::SealedLoginAgain
        )
    }

    pub fn is_sign_out(self) -> bool {
        matches!(self, Self::SignOut | Self::SealedSignOut | Self::Leave)
    }

    /// A page, or what a program reads.
    pub fn is_page(self) -> bool {
        matches!(
            self,
            Self::Guarded
                | Self::GuardedInParts
                | Self::SealedGuarded
                | Self::Renewal
                | Self::Perhaps
                | Self::Recent
                | Self::WithToken
                | Self::NewToken
        )
    }

    /// The logout token, where a notice is sent for a user.
    pub fn token(self) -> Option<&'static str> {
        match self {
            Self::Notice => Some(TOKEN),
            Self::NoticeForASession => Some(TOKEN_OF_A_SESSION),
            _ => None,
        }
    }

    /// Makes the request.
    pub async fn ask(self, scene: &mut Scene) -> Answer {
        let (app, browser) = (&scene.node.app, &mut scene.browser);
        if self.is_login() || self == Self::Link {
            return browser.get(app, &scene.callback).await;
        }
        match self {
            Self::Start => browser.get(app, "/clef/login?next=/account").await,
            Self::NoticeForAStranger => notice(app, STRANGERS_TOKEN).await,
            Self::SignOut | Self::SealedSignOut => browser.post(app, "/auth/sign-out").await,
            Self::Leave => browser.post(app, "/leave").await,
            Self::Perhaps => browser.get(app, "/").await,
            Self::Everywhere => browser.post(app, "/everywhere").await,
            Self::Form => {
                let known = scene.site.faults.returned.lock().unwrap()[0].clone();
                browser.post(app, &format!("/form?user={known}")).await
            }
            Self::Recent => browser.get(app, "/recent").await,
            Self::WithToken => with_token(app, "/account", &scene.token).await,
            Self::NewToken => browser.post(app, "/token").await,
            Self::Others | Self::SealedOthers => browser.post(app, "/others").await,
            route => match route.token() {
                Some(token) => notice(app, token).await,
                None => browser.get(app, "/account").await,
            },
        }
    }
}
