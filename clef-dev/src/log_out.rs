use std::{
    sync::Arc,
    time::{Duration, Instant, SystemTime},
};

use tokio::{sync::oneshot, time::sleep};

use super::{
    Delivery, Fault, Person,
    destination::Destination,
    logins::{HookCall, Notice, NoticeId},
    service::{Service, UnderWay},
};

/// Ends a person's logins everywhere and tells all sites at the same time; whoever fails is told
/// again in the background.
///
/// Each site has a task of its own, so that it hears of it even if whoever pressed the button does
/// not wait for the answer.
pub(super) fn log_out(service: &Service, person: &Arc<Person>) -> FirstAttempts {
    let _under_way = service.under_way();
    let notices = service.change(|state| state.begin_log_out(person, Instant::now()));
    tell(service, person, notices, &service.settings().retry_pauses)
}

/// Tells a site of the log-outs that it has not heard of, before the person enters it anew.
///
/// A notice ends every login that it finds, so it must not come after the new one. And if none
/// came at all, the old logins in other browsers would live on. If the site fails even now, it is
/// told again until the new login is there, which makes the notice void.
pub(super) async fn tell_what_is_owed(
    service: &Service,
    person: &Arc<Person>,
    destination: &Destination,
) {
    let _under_way = service.under_way();
    let notices = service.change(|state| state.logins.owed(person, destination, Instant::now()));
    let pauses = &service.settings().retry_pauses;
    tell(service, person, notices, pauses).rows().await;
}

fn tell(
    service: &Service,
    person: &Arc<Person>,
    notices: Vec<Notice>,
    pauses: &[Duration],
) -> FirstAttempts {
    let faults = service.read(|state| state.faults.clone());
    let attempts = notices.into_iter().map(|Notice { id, site, call }| {
        let errand = Errand {
            service: service.clone(),
            person: Arc::clone(person),
            notice: id,
            site,
            faults: faults.clone(),
            _under_way: service.under_way(),
        };
        let broken_off = errand.row(call.as_ref(), None);
        let (first, attempt) = oneshot::channel();
        tokio::spawn(errand.run(call, pauses.to_vec(), first));
        (attempt, broken_off)
    });
    FirstAttempts(attempts.collect())
}

/// The first attempts of a log-out, under way. They go on without this.
pub(super) struct FirstAttempts(Vec<(oneshot::Receiver<Delivery>, Delivery)>);

impl FirstAttempts {
    /// What came of them, a row for each site.
    pub(super) async fn rows(self) -> Vec<Delivery> {
        let mut rows = Vec::with_capacity(self.0.len());
        for (attempt, broken_off) in self.0 {
            rows.push(attempt.await.unwrap_or(broken_off));
        }
        rows
    }
}

/// One site to tell of one log-out.
struct Errand {
    service: Service,
    person: Arc<Person>,
    notice: NoticeId,
    site: String,
    /// As they were when it began.
    faults: Vec<Fault>,
    _under_way: UnderWay,
}

impl Errand {
    async fn run(
        self,
        call: Option<HookCall>,
        pauses: Vec<Duration>,
        first: oneshot::Sender<Delivery>,
    ) {
        let Some(mut call) = call else {
            let row = Delivery {
                error: Some(format!(
                    "No logout hook was given when {} was entered, so it cannot be told.",
                    self.site
                )),
                ..self.row(None, None)
            };
            self.service
                .change(|state| state.deliveries.note(row.clone()));
            // Whoever asked may have gone.
            let _ = first.send(row);
            return;
        };
        for fault in &self.faults {
            if let Fault::WebhookLate(time) = fault
                && self.service.unless_stopped(sleep(*time)).await.is_none()
            {
                return;
            }
        }
        let mut first = Some(first);
        let mut pauses = pauses.into_iter();
        for number in 1.. {
            let pause = pauses.next();
            let row = self.attempt(&call, number, pause.is_some()).await;
            let will_retry = row.will_retry;
            if self.faults.contains(&Fault::WebhookTwice) {
                self.attempt(&call, number, false).await;
            }
            if let Some(first) = first.take() {
                let _ = first.send(row);
            }
            let Some(pause) = pause.filter(|_| will_retry) else {
                return;
            };
            if self.service.unless_stopped(sleep(pause)).await.is_none() {
                return;
            }
            let fresh = self
                .service
                .change(|state| state.logins.call_again(self.notice, Instant::now()));
            match fresh {
                Some(fresh) => call = fresh,
                None => return,
            }
        }
    }

    /// Calls the site once, and notes what came of it.
    async fn attempt(&self, call: &HookCall, number: u32, may_retry: bool) -> Delivery {
        let sent_at = SystemTime::now();
        let outcome = self.service.webhooks().deliver(call).await;
        let told = outcome.error.is_none();
        let row = Delivery {
            attempt: number,
            took: outcome.took,
            status: outcome.status,
            answer: outcome.answer,
            error: outcome.error,
            will_retry: !told && !outcome.nobody_there && may_retry,
            ..self.row(Some(call), Some(sent_at))
        };
        self.service.change(|state| {
            if told || outcome.nobody_there {
                state.logins.told(self.notice);
            }
            state.deliveries.note(row.clone());
        });
        if told {
            tracing::debug!(site = self.site, "a site was told of a log-out");
        } else {
            // Without the reason: it may be the site's own words, and who knows what those say.
            tracing::warn!(
                site = self.site,
                status = outcome.status,
                attempt = number,
                "a site was not told of a log-out"
            );
        }
        row
    }

    /// A delivery of which nothing is known yet.
    fn row(&self, call: Option<&HookCall>, sent_at: Option<SystemTime>) -> Delivery {
        Delivery {
            person: self.person.id().to_owned(),
            site: self.site.clone(),
            url: call.map(|call| call.url.to_string()),
            attempt: 1,
            sent_at: sent_at.unwrap_or_else(SystemTime::now),
            took: Duration::ZERO,
            status: None,
            answer: None,
            error: Some("The call broke off inside the Clef service.".to_owned()),
            will_retry: false,
        }
    }
}
