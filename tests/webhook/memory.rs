//! Memory stays flat, whatever is forged.

use std::{process::Command, time::Duration};

use axum::http::StatusCode;
use axum_clef::AdmissionLimits;

use crate::site::{ATTACKER, Site};

const FORGED: usize = 200_000;
/// How much may come on top, in bytes: a tenth of what so many notices would take if no more
/// than a digest of each were kept.
const GROWTH: usize = 1024 * 1024;

/// In a process of its own, as other tests take memory too.
#[test]
fn a_flood_leaves_nothing_behind() {
    let program = std::env::current_exe().unwrap();
    let flood = Command::new(program)
        .args(["--ignored", "--exact", "memory::the_flood"])
        .output()
        .unwrap();
    let output = String::from_utf8_lossy(&flood.stdout);
    assert!(output.contains("1 passed"), "{output}");
}

#[tokio::test]
#[ignore = "run by a_flood_leaves_nothing_behind"]
async fn the_flood() {
    let site = Site::new(Duration::ZERO, AdmissionLimits::default()).await;
    let forge = async |first: usize, count: usize| {
        for number in first..first + count {
            let forged = site.send(Some(ATTACKER), &format!("forged {number}"));
            assert_eq!(forged.await.status, StatusCode::BAD_REQUEST);
        }
    };
    // What the first ones make is made once.
    forge(0, FORGED / 10).await;
    let before = resident();
    forge(FORGED, FORGED).await;
    let growth = resident().saturating_sub(before);
    assert!(growth < GROWTH, "{growth} bytes");
    assert_eq!(site.calls.gauge.all(), FORGED + FORGED / 10);
}

/// The memory of this process that is in use, in bytes.
fn resident() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let resident = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kibibytes = resident.and_then(|resident| resident.trim().strip_suffix(" kB"));
    1_024 * kibibytes.unwrap().parse::<usize>().unwrap()
}
