//! What is kept in memory, and how much of it are sessions.

use std::fs;

use test_support::Calls;

#[derive(Clone, Copy)]
pub struct Memory {
    /// The resident set of this process, site and Clef and browsers, in KiB; only Linux tells.
    resident: Option<u64>,
    /// How many sessions the store has.
    pub sessions: usize,
}

impl Memory {
    pub fn now(sessions: &Calls) -> Self {
        Self {
            resident: resident(),
            sessions: sessions.records().len(),
        }
    }

    /// In MiB, or `unknown`.
    pub fn mib(self) -> String {
        self.resident.map_or_else(
            || "unknown".to_owned(),
            |kib| format!("{:.1}", kib as f64 / 1024.0),
        )
    }
}

/// From `/proc/self/status` and not from `statm`, which counts in pages of a size that it does
/// not tell.
fn resident() -> Option<u64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))?;
    line.trim().strip_suffix("kB")?.trim().parse().ok()
}
