use std::{
    collections::VecDeque,
    time::{Duration, SystemTime},
};

use serde::{Serialize, Serializer};
use time::OffsetDateTime;

/// The most that is remembered.
const MOST: usize = 500;

/// One attempt to tell one site of a log-out: what was sent to whom, when, and what came back.
///
/// As JSON, `sent_at` is RFC 3339 in UTC and `took` is `milliseconds`. The logout token is not in
/// it.
#[derive(Debug, Clone, Serialize)]
#[non_exhaustive]
pub struct Delivery {
    /// The id of the person who logged out.
    pub person: String,
    /// Host and port of the site.
    pub site: String,
    /// The logout hook that was called; `None` if the site never gave one.
    pub url: Option<String>,
    /// 1 for the first attempt, more for the ones after it.
    pub attempt: u32,
    /// When the call began.
    #[serde(serialize_with = "rfc_3339")]
    pub sent_at: SystemTime,
    /// How long the call took.
    #[serde(rename = "milliseconds", serialize_with = "whole_milliseconds")]
    pub took: Duration,
    /// The status that the site answered with, if it answered.
    pub status: Option<u16>,
    /// The beginning of the site's answer, up to 200 characters.
    pub answer: Option<String>,
    /// Why the site does not count as told, in plain words.
    pub error: Option<String>,
    /// The site is told again after a pause, unless a newer login or log-out makes it void.
    pub will_retry: bool,
}

impl Delivery {
    /// Whether the site says that the person is logged out there.
    #[must_use]
    pub fn succeeded(&self) -> bool {
        self.error.is_none()
    }
}

/// What was delivered, the oldest first.
#[derive(Default)]
pub(super) struct Deliveries(VecDeque<Delivery>);

impl Deliveries {
    pub(super) fn note(&mut self, delivery: Delivery) {
        if self.0.len() >= MOST {
            self.0.pop_front();
        }
        self.0.push_back(delivery);
    }

    pub(super) fn all(&self) -> impl DoubleEndedIterator<Item = &Delivery> {
        self.0.iter()
    }

    pub(super) fn of(&self, person: &str) -> impl DoubleEndedIterator<Item = &Delivery> {
        self.all().filter(move |delivery| delivery.person == person)
    }
}

/// A moment as `2026-11-24T21:10:19.042Z`.
pub(super) fn moment(moment: SystemTime) -> String {
    let utc = OffsetDateTime::from(moment);
    let (hour, minute, second, millisecond) = utc.to_hms_milli();
    format!(
        "{}T{hour:02}:{minute:02}:{second:02}.{millisecond:03}Z",
        utc.date()
    )
}

fn rfc_3339<S: Serializer>(sent_at: &SystemTime, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&moment(*sent_at))
}

pub(super) fn milliseconds(took: Duration) -> u64 {
    u64::try_from(took.as_millis()).unwrap_or(u64::MAX)
}

fn whole_milliseconds<S: Serializer>(took: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_u64(milliseconds(*took))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn delivery(attempt: u32) -> Delivery {
        Delivery {
            person: "12345".to_owned(),
            site: "localhost:3000".to_owned(),
            url: None,
            attempt,
            sent_at: SystemTime::UNIX_EPOCH + Duration::from_millis(1_700_000_000_042),
            took: Duration::from_micros(3_900),
            status: Some(200),
            answer: None,
            error: None,
            will_retry: false,
        }
    }

    #[test]
    fn the_newest_are_remembered() {
        let mut deliveries = Deliveries::default();
        for attempt in 0..=500 {
            deliveries.note(delivery(attempt));
        }
        assert_eq!(deliveries.all().count(), MOST);
        assert_eq!(deliveries.all().next().unwrap().attempt, 1);
        assert_eq!(deliveries.of("12345").count(), MOST);
        assert_eq!(deliveries.of("1234").count(), 0);
    }

    #[test]
    fn as_json_it_reads_like_a_log() {
        let json = serde_json::to_value(delivery(1)).unwrap();
        assert_eq!(json["sent_at"], "2023-11-14T22:13:20.042Z");
        assert_eq!(json["milliseconds"], 3);
    }
}
