//! How many files a process may have open.

use std::{env, fs, process::Command};

use crate::Failure;

/// Starts this program again with the limit raised, where it is too low.
pub fn raise(files: u64) -> Result<(), Failure> {
    if open_files().is_none_or(|most| most >= files) {
        return Ok(());
    }
    if env::var_os("LIVE_RAISED").is_some() {
        return Err(format!(
            "{files} files must be open at once, and this user may not: raise the hard limit \
             (`ulimit -Hn`) or set LIVE_PAGES lower"
        )
        .into());
    }
    let mut raised = Command::new("sh");
    raised.args(["-c", "ulimit -Sn \"$(ulimit -Hn)\" && exec \"$0\""]);
    raised.arg(env::current_exe()?).env("LIVE_RAISED", "1");
    let status = raised.status()?;
    std::process::exit(status.code().unwrap_or(1));
}

/// The limit; only Linux tells.
fn open_files() -> Option<u64> {
    let limits = fs::read_to_string("/proc/self/limits").ok()?;
    let line = limits
        .lines()
        .find_map(|line| line.strip_prefix("Max open files"))?;
    line.split_whitespace().next()?.parse().ok()
}
