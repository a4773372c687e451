//! The rejection of one request: where it may log in, and how it is rendered.

use http::{Method, header, request::Parts};

use super::{
    CheckError, LoggedInRejection, RejectionKind, RenderRejection, RequestAuth, Unanswered,
    asked_for, navigation::navigates, rejection::Audience,
};
use crate::{BoxError, site::ReturnPath};

impl LoggedInRejection {
    pub(crate) fn unauthenticated(parts: &Parts) -> Self {
        if is_outside(parts) {
            let why = "the request is outside of the site's base path";
            return Self::of(CheckError::mistake(RejectionKind::OutsideSite, why), parts);
        }
        Self {
            kind: RejectionKind::Unauthenticated,
            source: None,
            login_path: login_path(parts),
            audience: Audience::of(parts),
            render: render(parts),
        }
    }

    /// The user is logged in and lacks a permission.
    pub(crate) fn forbidden(parts: &Parts) -> Self {
        Self {
            kind: RejectionKind::Forbidden,
            source: None,
            login_path: None,
            audience: Audience::of(parts),
            render: render(parts),
        }
    }

    /// The answer to a question about the user is missing.
    pub(crate) fn no_answer(question: Unanswered, error: BoxError, parts: &Parts) -> Self {
        let Some(auth) = RequestAuth::of(parts) else {
            return Self::layer_missing();
        };
        let unanswered = &auth.state().unanswered;
        Self::of(CheckError::no_answer(unanswered, question, error), parts)
    }

    pub(crate) fn of(error: CheckError, parts: &Parts) -> Self {
        Self {
            kind: error.kind,
            source: Some(error.source),
            login_path: None,
            audience: Audience::of(parts),
            render: render(parts),
        }
    }
}

fn render(parts: &Parts) -> Option<RenderRejection> {
    RequestAuth::of(parts)?.state().render_rejection.clone()
}

impl Audience {
    fn of(parts: &Parts) -> Self {
        match navigates(&parts.headers) {
            true if asks(&parts.method) => Self::Reader,
            true => Self::Sender,
            false => Self::Script,
        }
    }
}

fn asks(method: &Method) -> bool {
    method == Method::GET || method == Method::HEAD
}

/// Where to log in, with the way back to the page that was asked for. There is no way back to what a
/// script asked for, nor into the middle of a form that was sent: those lead back to their page.
fn login_path(parts: &Parts) -> Option<String> {
    let state = RequestAuth::of(parts)?.state();
    let page = match Audience::of(parts) {
        Audience::Reader => Some(state.site.arrived(asked_for(parts))),
        Audience::Sender | Audience::Script => referring_page(parts),
    };
    Some(match page {
        Some(page) => state.login_for(&page),
        None => state.login_path.clone(),
    })
}

/// The page of this site that the request came from, if a login can lead back to it.
pub(crate) fn referring_page(parts: &Parts) -> Option<String> {
    let state = RequestAuth::of(parts)?.state();
    let referer = parts.headers.get(header::REFERER)?.to_str().ok()?;
    let page = ReturnPath::of_referer(&state.site, referer)?;
    (!state.leads_nowhere(page.path())).then(|| page.as_str().to_owned())
}

/// Whether the request is outside of the path below which the site is.
fn is_outside(parts: &Parts) -> bool {
    let path = asked_for(parts).split('?').next().unwrap_or_default();
    RequestAuth::of(parts).is_some_and(|auth| auth.state().site.is_outside(path))
}
