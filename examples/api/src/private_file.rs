//! Files that only their user can read.

use std::{
    fs::{self, OpenOptions},
    io::{self, Write as _},
    path::Path,
};

/// Writes a file with mode 0600, in one step: a reader finds the old file or the new one.
///
/// # Errors
///
/// When the file cannot be written.
pub fn write(path: &Path, content: &[u8]) -> io::Result<()> {
    let new = path.with_extension("new");
    // What an earlier attempt has left may have another mode.
    match fs::remove_file(&new) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(&new)?;
    file.write_all(content)?;
    file.sync_all()?;
    fs::rename(&new, path)
}

/// Reads a file.
///
/// # Errors
///
/// When the file cannot be read, or others than its user can read it.
pub fn read(path: &Path) -> io::Result<Vec<u8>> {
    #[cfg(unix)]
    {
        let mode = std::os::unix::fs::MetadataExt::mode(&fs::metadata(path)?);
        if mode & 0o077 != 0 {
            let text = "others can read it; run `chmod 600` on it, and replace what it holds";
            return Err(io::Error::other(text));
        }
    }
    fs::read(path)
}
