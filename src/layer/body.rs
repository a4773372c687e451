//! Answers of our own where the inner service has another type of body.

use std::any::Any;

use axum::body::Body;

/// The body as the inner service has it: our own where that is axum's, an empty one elsewhere.
pub(super) fn into_body<B: Default + 'static>(body: Body) -> B {
    let mut body = Some(body);
    let body = (&mut body as &mut dyn Any).downcast_mut::<Option<B>>();
    body.and_then(Option::take).unwrap_or_default()
}
