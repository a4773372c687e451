//! A site to be asked.

use axum::{
    Router,
    body::{Body, to_bytes},
    http::{HeaderValue, Request, header},
    response::Response,
};
use axum_clef::ClefLayer;
use clef_dev::PEOPLE;
use test_support::Jar;
use tower::{Layer, ServiceExt as _};

pub const PUBLIC: &str = "the same for all";

/// An application, and the cookies of a user who is logged in there.
pub struct Site {
    pub name: String,
    app: App,
    cookies: HeaderValue,
}

/// An application, with its layers around each of the routes or around the router as a whole.
enum App {
    Routes(Router),
    Router(<ClefLayer as Layer<Router>>::Service),
}

/// What is asked of every site.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Route {
    /// A page that is the same for all, asked for by a stranger.
    PublicWithoutCookie,
    /// The same page, asked for by a logged-in user.
    PublicWithCookie,
    /// A page that says who is logged in.
    User,
}

impl Route {
    pub const ALL: [Self; 3] = [
        Self::PublicWithoutCookie,
        Self::PublicWithCookie,
        Self::User,
    ];

    pub fn name(self) -> &'static str {
        match self {
            Self::PublicWithoutCookie => "public, no cookie",
            Self::PublicWithCookie => "public, cookie",
            Self::User => "user",
        }
    }

    fn path(self) -> &'static str {
        match self {
            Self::PublicWithoutCookie | Self::PublicWithCookie => "/public",
            Self::User => "/user",
        }
    }

    /// What every site answers here.
    fn answer(self) -> &'static str {
        match self {
            Self::PublicWithoutCookie | Self::PublicWithCookie => PUBLIC,
            Self::User => PEOPLE[0].id(),
        }
    }
}

impl Site {
    pub fn new(name: impl Into<String>, app: Router, cookies: HeaderValue) -> Self {
        Self {
            name: name.into(),
            app: App::Routes(app),
            cookies,
        }
    }

    /// The same site with this layer around its router, which has none.
    #[allow(dead_code)] // One bench has such a site.
    pub fn within(self, layer: &ClefLayer, router: Router) -> Self {
        Self {
            app: App::Router(layer.layer(router)),
            ..self
        }
    }

    /// A site at which whoever opens `/login` is logged in.
    pub async fn by_login_path(name: impl Into<String>, app: Router) -> Self {
        let mut browser = Jar::default();
        browser.get(&app, "/login").await;
        Self::new(name, app, browser.header())
    }

    pub fn request(&self, route: Route) -> Request<Body> {
        let mut request = Request::get(route.path());
        if route != Route::PublicWithoutCookie {
            request = request.header(header::COOKIE, &self.cookies);
        }
        request.body(Body::empty()).unwrap()
    }

    /// Asks as a server does: each request by a clone of the application.
    pub async fn answer(&self, request: Request<Body>) -> Response {
        match &self.app {
            App::Routes(app) => app.clone().oneshot(request).await,
            App::Router(app) => app.clone().oneshot(request).await,
        }
        .unwrap()
    }

    /// Asks once, and sees that it is the answer that it must be.
    pub async fn answers_as_it_should(&self, route: Route) {
        let response = self.answer(self.request(route)).await;
        assert_eq!(response.status(), 200, "{}: {}", self.name, route.name());
        let body = to_bytes(response.into_body(), 1_000).await.unwrap();
        assert_eq!(body, route.answer(), "{}: {}", self.name, route.name());
    }
}
