//! The rejection of one request: where it may log in, and how it is rendered.

use http::{Method, request::Parts};

use super::{
    CheckError, LoggedInRejection, RejectionKind, RenderRejection, RequestAuth, asked_for,
    navigation::navigates,
};

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
            navigates: navigates(&parts.method, &parts.headers),
            render: render(parts),
        }
    }

    pub(crate) fn of(error: CheckError, parts: &Parts) -> Self {
        Self {
            kind: error.kind,
            source: Some(error.source),
            login_path: None,
            navigates: navigates(&parts.method, &parts.headers),
            render: render(parts),
        }
    }
}

fn render(parts: &Parts) -> Option<RenderRejection> {
    RequestAuth::of(parts)?.state().render_rejection.clone()
}

/// Where to log in, with the way back to the page that was asked for. There is no way back into
/// the middle of a form that was sent.
fn login_path(parts: &Parts) -> Option<String> {
    let state = RequestAuth::of(parts)?.state();
    if parts.method != Method::GET && parts.method != Method::HEAD {
        return Some(state.login_path.clone());
    }
    let page = state.site.arrived(asked_for(parts));
    Some(state.login_for(&page))
}

/// Whether the request is outside of the path below which the site is.
fn is_outside(parts: &Parts) -> bool {
    let path = asked_for(parts).split('?').next().unwrap_or_default();
    RequestAuth::of(parts).is_some_and(|auth| auth.state().site.is_outside(path))
}
