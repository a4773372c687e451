use std::time::{Duration, Instant};

use serde::Serialize;

use super::{
    logins::{HookCall, Notice},
    people::Person,
    service::Service,
};

/// How one site took a log-out.
#[derive(Debug, Serialize)]
pub(super) struct Row {
    /// Host and port of the site, for the page.
    #[serde(skip)]
    pub(super) site: String,
    /// The hook that was called, if there is one.
    pub(super) url: Option<String>,
    /// The status that the site answered with, if it answered.
    pub(super) status: Option<u16>,
    /// How long the call took.
    pub(super) milliseconds: u64,
    /// Why the site was not told, in plain words.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) error: Option<String>,
}

/// Ends a person's logins everywhere and tells all sites at the same time.
///
/// Each call is a task of its own, so that every site hears of it even if whoever pressed the
/// button does not wait for the answer.
pub(super) async fn log_out(service: &Service, person: &'static Person) -> Vec<Row> {
    let notices = service.logins().begin_log_out(person, Instant::now());
    let calls: Vec<_> = notices
        .into_iter()
        .map(|notice| {
            let site = notice.site.clone();
            let url = notice.call.as_ref().map(|call| call.url.to_string());
            (site, url, tokio::spawn(tell(service.clone(), notice)))
        })
        .collect();

    let mut rows = Vec::with_capacity(calls.len());
    for (site, url, call) in calls {
        rows.push(call.await.unwrap_or_else(|error| {
            tracing::error!(site, %error, "the call to a logout hook broke off");
            Row {
                site,
                url,
                status: None,
                milliseconds: 0,
                error: Some("The call broke off inside the Clef service.".to_owned()),
            }
        }));
    }
    rows
}

async fn tell(service: Service, notice: Notice) -> Row {
    match notice.call {
        Some(call) => call_hook(&service, notice.serial, notice.site, &call).await,
        None => Row {
            error: Some(format!(
                "No logout hook was given when {} was entered, so it cannot be told.",
                notice.site
            )),
            site: notice.site,
            url: None,
            status: None,
            milliseconds: 0,
        },
    }
}

async fn call_hook(service: &Service, serial: u64, site: String, call: &HookCall) -> Row {
    let outcome = service.webhooks().deliver(call).await;
    if outcome.error.is_none() {
        service.logins().told(serial);
        tracing::debug!(site, "a site was told of a log-out");
    } else {
        // Without the reason: it may be the site's own words, and who knows what those say.
        tracing::warn!(
            site,
            status = outcome.status,
            "a site was not told of a log-out"
        );
    }
    Row {
        site,
        url: Some(call.url.to_string()),
        status: outcome.status,
        milliseconds: whole_milliseconds(outcome.took),
        error: outcome.error,
    }
}

fn whole_milliseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
