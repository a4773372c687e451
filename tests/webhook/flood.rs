//! Ten thousand forged notices a second, from one address or from as many as there are notices.
//! The time is paused: it advances when every task waits.

use std::{net::IpAddr, time::Duration};

use axum::http::StatusCode;
use axum_clef::AdmissionLimits;
use tokio::{task::JoinSet, time::sleep};

use crate::site::{ATTACKER, Answer, MILLISECOND, PROVIDER, Site, attacker};

/// What the provider takes for each notice, real or forged.
const TAKES: Duration = Duration::from_millis(20);
/// Ten thousand a second.
const EACH_MILLISECOND: usize = 10;

/// What became of a flood, and of the real notices in it.
struct Flood {
    forged: Vec<Answer>,
    real: Vec<Answer>,
}

/// A flood of so many milliseconds from these addresses, with a real notice in each of these
/// milliseconds.
async fn flood(
    site: &Site,
    milliseconds: usize,
    attacker: impl Fn(usize) -> IpAddr,
    real: impl Fn(usize) -> bool,
) -> Flood {
    let (mut forged, mut good) = (JoinSet::new(), JoinSet::new());
    for now in 0..milliseconds {
        for number in 0..EACH_MILLISECOND {
            // In their midst.
            if number == EACH_MILLISECOND / 2 && real(now) {
                good.spawn(site.send(Some(PROVIDER), &format!("token:{}:{now}", now % 100)));
            }
            let sender = attacker(now * EACH_MILLISECOND + number);
            forged.spawn(site.send(Some(sender), &format!("forged {now} {number}")));
        }
        sleep(MILLISECOND).await;
    }
    Flood {
        forged: forged.join_all().await,
        real: good.join_all().await,
    }
}

#[tokio::test(start_paused = true)]
async fn every_notice_of_a_known_sender_gets_through_a_flood_at_its_first_try() {
    let site = Site::new(TAKES, AdmissionLimits::default()).await;
    site.know_the_provider().await;
    let Flood { forged, real } = flood(&site, 1_000, attacker, |now| now % 5 == 0).await;

    assert_eq!(forged.len(), 10_000);
    assert_eq!(real.len(), 200);
    for real in real {
        assert_eq!(real.status, StatusCode::OK);
        assert!(real.after <= 2 * TAKES, "{:?}", real.after);
    }
    // It was one: most of them were turned away, and at once.
    let (away, checked): (Vec<_>, Vec<_>) = forged.iter().partition(|forged| forged.retry_after);
    assert!(away.len() > 6_000, "{}", away.len());
    assert!(away.iter().all(|away| away.after.is_zero()));
    // The others waited their turn: 256 before them, by 64 each twenty milliseconds.
    assert!(checked.len() > 3_000, "{}", checked.len());
    assert!(checked.iter().all(|forged| forged.after <= 6 * TAKES));
    assert!(site.calls.gauge.most() <= 2 * 64);
}

/// However much one address sends, it has a quarter of the permits.
#[tokio::test(start_paused = true)]
async fn an_unknown_sender_gets_through_a_flood_from_one_address_at_its_first_try() {
    let site = Site::new(TAKES, AdmissionLimits::default()).await;
    let Flood { forged, real } = flood(&site, 1_000, |_| ATTACKER, |now| now == 500).await;
    for real in real {
        assert_eq!((real.status, real.after), (StatusCode::OK, TAKES));
    }
    let checked = forged.iter().filter(|forged| !forged.retry_after).count();
    assert!((800..=800 + 16 + 256).contains(&checked), "{checked}");
}

/// Among attackers who all have addresses of their own, an unknown sender is one of them: 64 checks each twenty milliseconds for
/// ten thousand a second are room for 32 in a hundred.
#[tokio::test(start_paused = true)]
async fn of_a_flood_as_many_are_checked_as_there_is_room_for() {
    let site = Site::new(TAKES, AdmissionLimits::default()).await;
    let Flood { forged, .. } = flood(&site, 1_000, attacker, |_| false).await;
    let checked = forged.iter().filter(|forged| !forged.retry_after).count();
    // And those who wait at the end.
    assert!((3_200..=3_200 + 64 + 256).contains(&checked), "{checked}");
}

/// A sender that tries again as it is told gets through: each time with the 32 in a hundred from
/// above, so after ten tries all but two in a hundred are through. The provider frees its 64 permits
/// at once, so the moment within its twenty milliseconds decides: all of them are tried, and a
/// sender that is a little late each time meets another moment each time.
#[tokio::test(start_paused = true)]
async fn an_unknown_sender_who_comes_again_gets_through_after_a_few_tries() {
    let mut tries = Vec::new();
    for moment in 0..20 {
        tries.push(tries_of_an_unknown_sender(moment).await);
    }
    let at_first = tries.iter().filter(|tries| **tries == 1).count();
    assert!((5..=8).contains(&at_first), "{tries:?}");
    assert!(tries.iter().all(|tries| *tries <= 10), "{tries:?}");
}

/// How often an unknown sender tries in a flood until its notice is checked. The time that
/// `Retry-After` asks for is cut to a hundredth.
async fn tries_of_an_unknown_sender(moment: usize) -> usize {
    const RETRY: usize = 5_000 / 100 + 3;
    let site = Site::new(TAKES, AdmissionLimits::default()).await;
    let mut forged = JoinSet::new();
    // Once the queue is full.
    let mut next = 80 + moment;
    let mut tries = 0;
    let mut sent = None;
    for now in 0..10_000 {
        for number in 0..EACH_MILLISECOND {
            if number == EACH_MILLISECOND / 2 && now == next {
                tries += 1;
                sent = Some(tokio::spawn(site.send(Some(PROVIDER), "token:1")));
            }
            let sender = attacker(now * EACH_MILLISECOND + number);
            forged.spawn(site.send(Some(sender), &format!("forged {now} {number}")));
        }
        sleep(MILLISECOND).await;
        let Some(answer) = sent.take_if(|sent| sent.is_finished()) else {
            continue;
        };
        let answer = answer.await.unwrap();
        if answer.status == StatusCode::OK {
            return tries;
        }
        assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE);
        assert!(answer.retry_after && answer.after.is_zero());
        next = now + RETRY;
    }
    panic!("never checked");
}
