//! The rejection of one request: where it may log in, and how it is rendered.

use http::{Method, header, request::Parts};

use super::{
    CheckError, LoggedInRejection, MaxAge, RejectionKind, RequestAuth, Unanswered, asked_for,
    navigation::navigates,
    rejection::{Audience, LAYER_MISSING},
};
use crate::{BoxError, page::PageRenderer, sessions::LoginRecord, site::ReturnPath};

impl LoggedInRejection {
    /// A rejection that leads to no login.
    fn new(kind: RejectionKind, audience: Audience, parts: Option<&Parts>) -> Self {
        let auth = parts.and_then(RequestAuth::of);
        let state = auth.map(|auth| auth.state());
        Self {
            kind,
            source: None,
            ended_login: None,
            login_path: None,
            max_age: None,
            audience,
            accepts_tokens: false,
            by_token: auth.is_some_and(|auth| auth.is_by_token()),
            render: state.and_then(|state| state.render_rejection.clone()),
            pages: match (state, parts) {
                (Some(state), Some(parts)) => PageRenderer::new(&state.pages, &parts.headers),
                _ => PageRenderer::default(),
            },
        }
    }

    pub(crate) fn unauthenticated(parts: &Parts) -> Self {
        let login_path =
            RequestAuth::of(parts).map(|auth| auth.state().login_for(way_back(parts).as_deref()));
        let ended = RequestAuth::of(parts).and_then(|auth| auth.ended_login());
        let kind = RejectionKind::Unauthenticated;
        Self {
            ended_login: ended.cloned().map(Box::new),
            ..Self::to_log_in(kind, login_path, None, parts)
        }
    }

    /// The user is logged in by a login whose credentials were proven too long ago.
    pub(crate) fn reauthentication_required(
        record: &LoginRecord<'_>,
        max_age: MaxAge,
        parts: &Parts,
    ) -> Self {
        let login_path = RequestAuth::of(parts).map(|auth| {
            let next = way_back(parts);
            auth.state()
                .reauthentication_for(record, max_age, next.as_deref())
        });
        let kind = RejectionKind::ReauthenticationRequired;
        Self::to_log_in(kind, login_path, Some(max_age), parts)
    }

    fn to_log_in(
        kind: RejectionKind,
        login_path: Option<String>,
        max_age: Option<MaxAge>,
        parts: &Parts,
    ) -> Self {
        if is_outside(parts) {
            let why = "the request is outside of the site's base path";
            return Self::of(CheckError::mistake(RejectionKind::OutsideSite, why), parts);
        }
        Self {
            login_path,
            max_age,
            accepts_tokens: RequestAuth::of(parts)
                .is_some_and(|auth| auth.state().tokens.is_some()),
            ..Self::new(kind, Audience::of(parts), Some(parts))
        }
    }

    /// The user is logged in and lacks a permission.
    pub(crate) fn forbidden(parts: &Parts) -> Self {
        Self::new(RejectionKind::Forbidden, Audience::of(parts), Some(parts))
    }

    /// The answer to a question about the user is missing.
    pub(crate) fn no_answer(question: Unanswered, error: BoxError, parts: &Parts) -> Self {
        let Some(auth) = RequestAuth::of(parts) else {
            return Self::layer_missing();
        };
        let unanswered = &auth.state().unanswered;
        Self::of(CheckError::no_answer(unanswered, question, error), parts)
    }

    pub(crate) fn layer_missing() -> Self {
        Self::mistake(RejectionKind::LayerMissing, LAYER_MISSING)
    }

    #[cfg(feature = "clef")]
    pub(crate) fn provider_missing() -> Self {
        Self::mistake(
            RejectionKind::ProviderMissing,
            "`ClefButton` needs a provider; set one with `ClefLayer::builder(…).provider(…)`",
        )
    }

    fn mistake(kind: RejectionKind, why: &'static str) -> Self {
        let error = CheckError::mistake(kind, why);
        Self {
            source: error.source,
            ..Self::new(error.kind, Audience::Script, None)
        }
    }

    pub(crate) fn of(error: CheckError, parts: &Parts) -> Self {
        let audience = match error.is_bad_token() {
            true => Audience::Script,
            false => Audience::of(parts),
        };
        Self {
            source: error.source,
            ..Self::new(error.kind, audience, Some(parts))
        }
    }
}

impl Audience {
    fn of(parts: &Parts) -> Self {
        // Programs send tokens, whatever their other headers say.
        let by_token = RequestAuth::of(parts).is_some_and(|auth| auth.is_by_token());
        match navigates(&parts.headers) && !by_token {
            true if asks(&parts.method) => Self::Reader,
            true => Self::Sender,
            false => Self::Script,
        }
    }
}

fn asks(method: &Method) -> bool {
    method == Method::GET || method == Method::HEAD
}

/// Where a login leads back to: the page that was asked for. There is no way back to what a script
/// asked for, nor into the middle of a form that was sent: those lead back to their page.
fn way_back(parts: &Parts) -> Option<String> {
    match Audience::of(parts) {
        Audience::Reader => {
            let state = RequestAuth::of(parts)?.state();
            let path = asked_for(parts);
            path.starts_with('/').then(|| state.site.arrived(path))
        }
        Audience::Sender | Audience::Script => referring_page(parts),
    }
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
