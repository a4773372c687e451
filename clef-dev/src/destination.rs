use std::sync::Arc;

use axum::response::{IntoResponse, Response};
use http::StatusCode;
use url::{Url, form_urlencoded};

use super::{
    Application,
    directory::Directory,
    fields::Fields,
    pages,
    site_url::{self, SiteUrl},
};

/// The longest `state` taken, in bytes.
const LONGEST_STATE: usize = 2048;

/// Where a login leads, checked.
#[derive(Clone)]
pub(super) struct Destination {
    pub(super) application: Arc<Application>,
    pub(super) redirect: SiteUrl,
    /// The redirect URL as the site wrote it: OAuth 2 compares the text.
    pub(super) redirect_text: String,
    pub(super) state: Option<String>,
}

/// What is wrong with a destination.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum BadDestination {
    Application,
    Redirect,
    State,
}

impl Destination {
    /// What a login page was asked for.
    pub(super) fn read(fields: &Fields, directory: &Directory) -> Result<Self, BadDestination> {
        Self::new(
            directory,
            fields.get("app_id").unwrap_or_default(),
            fields.get("redirect_url").unwrap_or_default(),
            fields.get("state"),
        )
    }

    pub(super) fn new(
        directory: &Directory,
        application: &str,
        redirect: &str,
        state: Option<&str>,
    ) -> Result<Self, BadDestination> {
        let application = directory
            .application(application)
            .ok_or(BadDestination::Application)?;
        let site = SiteUrl::parse(redirect, application).ok_or(BadDestination::Redirect)?;
        // A browser would change line breaks on the way through a form.
        if state.is_some_and(|s| s.len() > LONGEST_STATE || s.contains(char::is_control)) {
            return Err(BadDestination::State);
        }
        Ok(Self {
            redirect: site,
            redirect_text: redirect.to_owned(),
            application: Arc::clone(application),
            state: state.map(str::to_owned),
        })
    }

    /// The query of the login page that leads here.
    pub(super) fn query(&self) -> String {
        form_urlencoded::Serializer::new(String::new())
            .append_pair("app_id", self.application.id())
            .append_pair("redirect_url", &self.redirect_text)
            .extend_pairs(self.state.iter().map(|state| ("state", state)))
            .finish()
    }

    /// The redirect URL of a login that was approved.
    pub(super) fn with_code(&self, code: &str) -> Url {
        self.answer("code", code)
    }

    /// The redirect URL of a login that was refused, as in OAuth 2.
    pub(super) fn refused(&self) -> Url {
        self.answer("error", "access_denied")
    }

    fn answer(&self, name: &str, value: &str) -> Url {
        match &self.state {
            Some(state) => self.redirect.with(&[(name, value), ("state", state)]),
            None => self.redirect.with(&[(name, value)]),
        }
    }
}

impl BadDestination {
    fn status(self) -> StatusCode {
        match self {
            Self::Application => StatusCode::FORBIDDEN,
            Self::Redirect | Self::State => StatusCode::BAD_REQUEST,
        }
    }

    pub(super) fn title(self) -> &'static str {
        match self {
            Self::Application => "Invalid App ID.",
            Self::Redirect => "Invalid redirect URL.",
            Self::State => "Invalid state.",
        }
    }

    pub(super) fn explanation(self) -> &'static str {
        match self {
            Self::Application => {
                "Write `app_id` as on the front page of this service, which has two ids for any site on \
                 this machine, or as an application that was registered at its start."
            }
            Self::Redirect => site_url::RULE,
            Self::State => "It may have up to 2 KiB of text without control characters.",
        }
    }
}

impl IntoResponse for BadDestination {
    fn into_response(self) -> Response {
        pages::refusal(self.status(), self.title(), self.explanation())
    }
}
