//! Processes of this run, which end with it.

use std::{
    ffi::OsStr,
    fs::File,
    net::TcpListener,
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};

use axum_clef::BoxError;
use rustix::process::{Pid, Signal, kill_process};
use tokio::process::{Child, Command};

/// A process with its log.
pub struct Process {
    child: Child,
    log: PathBuf,
}

impl Process {
    /// Starts a process, which is killed when this is dropped.
    ///
    /// # Errors
    ///
    /// If the program is missing.
    pub fn start(mut command: Command, log: PathBuf) -> Result<Self, BoxError> {
        let file = File::options().create(true).append(true).open(&log)?;
        command
            .stdin(Stdio::null())
            .stdout(file.try_clone()?)
            .stderr(file);
        let child = command.spawn();
        let child = child.map_err(|error| format!("{:?}: {error}", command.as_std()))?;
        Ok(Self { child, log })
    }

    /// Sends a signal to the process and its children, to itself first.
    ///
    /// # Errors
    ///
    /// If the process has ended.
    pub fn signal_all(&self, signal: Signal) -> Result<(), BoxError> {
        let children = self.children()?;
        kill_process(self.pid()?, signal)?;
        for child in children {
            // One that has ended meanwhile is as good as one that was killed.
            let _ = kill_process(child, signal);
        }
        Ok(())
    }

    /// Kills the process and its children without a warning, and waits for its end.
    ///
    /// # Errors
    ///
    /// If the process has ended already.
    pub async fn kill(&mut self) -> Result<(), BoxError> {
        self.signal_all(Signal::KILL)?;
        self.child.wait().await?;
        Ok(())
    }

    /// What it has logged.
    pub fn log(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap_or_default()
    }

    /// An error once its end was waited for, since its id may be another's by now.
    fn pid(&self) -> Result<Pid, BoxError> {
        let pid = self.child.id().ok_or("the process has ended")?;
        Ok(Pid::from_raw(pid.try_into()?).ok_or("a process without an id")?)
    }

    fn children(&self) -> Result<Vec<Pid>, BoxError> {
        let pid = self.pid()?.as_raw_pid();
        let children = std::fs::read_to_string(format!("/proc/{pid}/task/{pid}/children"))?;
        let mut pids = Vec::new();
        for child in children.split_whitespace() {
            pids.extend(Pid::from_raw(child.parse()?));
        }
        Ok(pids)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if self.signal_all(Signal::KILL).is_ok() {
            // So that its files can be deleted.
            while matches!(self.child.try_wait(), Ok(None)) {
                std::thread::sleep(Duration::from_millis(5));
            }
        }
    }
}

/// Runs a program to its end.
///
/// # Errors
///
/// If it fails, with what it says.
pub async fn run(mut command: Command) -> Result<(), BoxError> {
    let output = command.output().await;
    let output = output.map_err(|error| format!("{:?}: {error}", command.as_std()))?;
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    Err(format!("{:?}: {said}", command.as_std()).into())
}

/// A program of a server that refuses to run as root: by the user `postgres` then.
pub fn unprivileged(program: &Path) -> Command {
    if !rustix::process::geteuid().is_root() {
        return Command::new(program);
    }
    let mut command = Command::new("setpriv");
    command
        .args(["--reuid=postgres", "--regid=postgres", "--clear-groups"])
        .arg(program);
    command
}

/// Gives files to the user of [`unprivileged`].
///
/// # Errors
///
/// If the system does not.
pub async fn hand_over(path: &Path) -> Result<(), BoxError> {
    if rustix::process::geteuid().is_root() {
        let mut command = Command::new("chown");
        command.args([OsStr::new("-R"), OsStr::new("postgres:postgres")]);
        command.arg(path);
        run(command).await?;
    }
    Ok(())
}

/// A port on loopback that is free now.
///
/// # Errors
///
/// If there is none.
pub fn free_port() -> Result<u16, BoxError> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?.port())
}
