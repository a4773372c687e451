use std::{convert::Infallible, time::Duration};

use axum::response::{
    IntoResponse, Response,
    sse::{Event, KeepAlive, Sse},
};
use futures_util::stream;

use super::{service::Service, state::State};

/// How soon a browser comes back that lost the connection.
const COME_BACK: Duration = Duration::from_secs(1);

/// Pushes what `look` sees: at once, and whenever it sees something else. Ends with the service.
pub(super) fn push(service: Service, look: impl Fn(&State) -> String + Send + 'static) -> Response {
    let changes = service.changes();
    let start = (service, changes, look, None::<String>);
    let events = stream::unfold(start, |(service, mut changes, look, last)| async move {
        loop {
            changes.mark_unchanged();
            let seen = service.read(&look);
            if last.as_ref() != Some(&seen) {
                let event = Event::default().retry(COME_BACK).data(&seen);
                let next = (service, changes, look, Some(seen));
                return Some((Ok::<_, Infallible>(event), next));
            }
            service.unless_stopped(changes.changed()).await?.ok()?;
        }
    });
    Sse::new(events)
        .keep_alive(KeepAlive::default())
        .into_response()
}
