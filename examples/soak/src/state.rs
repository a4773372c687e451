//! What the process and its stores hold at one moment. None of it may grow without bound.

use std::{fmt, fs};

use axum_clef::BoxError;
use peak_alloc::PeakAlloc;
use tokio::runtime::Handle;

use crate::{site::Site, tables::Rows};

/// Counts what is allocated and not freed. The resident set also has what the allocator keeps for later.
#[global_allocator]
static ALLOCATED: PeakAlloc = PeakAlloc;

#[derive(Clone, Copy)]
pub struct State {
    /// The resident set in KiB, of the site, Clef and the browsers together. Known on Linux only.
    resident: Option<u64>,
    /// Allocated memory in KiB.
    heap: u64,
    /// Open file descriptors. Known on Linux only.
    files: Option<u64>,
    /// Tasks that have not ended.
    tasks: u64,
    /// Records of logins.
    sessions: u64,
    /// Keys in Redis; `None` without Redis.
    keys: Option<u64>,
    /// Records of the application's own sessions.
    baskets: u64,
    rows: Rows,
}

impl State {
    /// # Errors
    ///
    /// When a store does not answer.
    pub async fn now(site: &Site) -> Result<Self, BoxError> {
        Ok(Self {
            resident: resident(),
            heap: u64::try_from(ALLOCATED.current_usage())? / 1024,
            files: open_files(),
            tasks: u64::try_from(Handle::current().metrics().num_alive_tasks())?,
            sessions: u64::try_from(site.sessions.len())?,
            keys: site.sessions.keys().await?,
            baskets: u64::try_from(site.baskets.len())?,
            rows: site.tables.rows().await?,
        })
    }

    /// The resident set in MiB, or `unknown`.
    pub fn mib(&self) -> String {
        self.resident.map_or_else(
            || "unknown".to_owned(),
            |kib| format!("{:.1}", kib as f64 / 1024.0),
        )
    }

    /// The known values, by name.
    pub fn values(&self) -> impl Iterator<Item = (&'static str, u64)> {
        [
            ("resident_kib", self.resident),
            ("heap_kib", Some(self.heap)),
            ("files", self.files),
            ("tasks", Some(self.tasks)),
            ("sessions", Some(self.sessions)),
            ("redis_keys", self.keys),
            ("baskets", Some(self.baskets)),
            ("users", Some(self.rows.users)),
            ("revocations", Some(self.rows.revocations)),
            ("provider_sessions", Some(self.rows.sessions)),
            ("tables_kib", self.rows.kib),
        ]
        .into_iter()
        .filter_map(|(name, value)| Some((name, value?)))
    }

    pub fn stored_sessions(&self) -> u64 {
        self.sessions
    }
}

impl fmt::Display for State {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let values: Vec<_> = self
            .values()
            .map(|(name, value)| format!("{name} {value}"))
            .collect();
        formatter.write_str(&values.join(", "))
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

/// Without the descriptor of the listing itself.
fn open_files() -> Option<u64> {
    let listed = fs::read_dir("/proc/self/fd").ok()?.count();
    u64::try_from(listed.saturating_sub(1)).ok()
}
