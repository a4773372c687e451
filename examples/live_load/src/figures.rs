//! Middle and worst, and what memory a process takes.

use std::{fs, time::Duration};

/// The middle one, the one that a hundredth is worse than, and the worst.
pub struct Figures {
    times: Vec<Duration>,
}

impl Figures {
    pub fn of(mut times: Vec<Duration>) -> Self {
        times.sort_unstable();
        Self { times }
    }

    /// In milliseconds.
    pub fn median(&self) -> f64 {
        self.at(0.5)
    }

    /// In milliseconds.
    pub fn worst(&self) -> f64 {
        self.at(1.0)
    }

    fn at(&self, part: f64) -> f64 {
        let last = self.times.len().saturating_sub(1);
        let time = self.times.get((last as f64 * part).round() as usize);
        time.map_or(0.0, |time| time.as_secs_f64() * 1_000.0)
    }
}

impl std::fmt::Display for Figures {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            formatter,
            "median {:.2} ms, 99 of 100 within {:.2} ms, worst {:.2} ms, of {}",
            self.median(),
            self.at(0.99),
            self.worst(),
            self.times.len()
        )
    }
}

/// The open file descriptors of this process, without that of the listing. Known on Linux only.
pub fn open_files() -> Option<usize> {
    let listed = fs::read_dir("/proc/self/fd").ok()?.count();
    Some(listed.saturating_sub(1))
}

/// The resident set of this process, in KiB; only Linux tells.
pub fn resident_kib() -> Option<u64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))?;
    line.trim().strip_suffix("kB")?.trim().parse().ok()
}
