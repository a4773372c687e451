use std::time::Instant;

use tokio::time::timeout_at;

use super::{log_out::log_out, service::Service};

/// Watches the clock: logs people out whose timer has run out, and says when a waiting login has
/// expired. Ends with the service.
pub(super) async fn keep_time(service: Service) {
    let mut changes = service.changes();
    loop {
        changes.mark_unchanged();
        let next = service.read(|state| {
            let moments = [state.timers.next(), state.waiting.next_expiry()];
            moments.into_iter().flatten().min()
        });
        let change = changes.changed();
        let in_time = match next {
            Some(moment) => {
                service
                    .unless_stopped(timeout_at(moment.into(), change))
                    .await
            }
            None => service.unless_stopped(change).await.map(Ok),
        };
        match in_time {
            None => return,
            // The next moment may be another one now.
            Some(Ok(_)) => {}
            Some(Err(_)) => act(&service),
        }
    }
}

fn act(service: &Service) {
    let now = Instant::now();
    let run_out = service.change(|state| {
        state.waiting.sweep(now);
        state.timers.run_out(now)
    });
    for id in run_out {
        if let Some(person) = service.directory().person(&id) {
            tracing::info!("a timer has run out");
            // The calls are under way; nobody waits for what comes of them.
            drop(log_out(service, person));
        }
    }
}
