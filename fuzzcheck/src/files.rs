//! Listing files, and writing them atomically.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use tandem::corpus::{application_id, store};

/// Writes a file through a temporary one beside it, so that a full disk or an interruption leaves the old one
/// unchanged. Anything but a regular file (`/dev/stdout`, a pipe) is written to, not replaced.
pub(crate) fn write(path: &Path, content: &[u8]) -> Result<()> {
    write_inner(path, content).with_context(|| format!("{}", path.display()))
}

fn write_inner(path: &Path, content: &[u8]) -> std::io::Result<()> {
    if fs::metadata(path).is_ok_and(|kind| !kind.is_file() && !kind.is_dir()) {
        return fs::File::options().write(true).open(path)?.write_all(content);
    }
    let folder = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut builder = tempfile::Builder::new();
    // A temporary file is for its owner alone; this one becomes an ordinary file, subject to the umask.
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
    let mut file = builder.prefix(".fuzzcheck-").tempfile_in(folder)?;
    file.write_all(content)?;
    file.as_file().sync_all()?;
    file.persist(path)?;
    Ok(())
}

/// What is in a folder, by name.
pub(crate) fn in_folder(folder: &Path) -> Result<Vec<PathBuf>> {
    let entries = fs::read_dir(folder).and_then(|entries| {
        entries.map(|entry| entry.map(|entry| entry.path())).collect::<std::io::Result<Vec<_>>>()
    });
    let mut paths = entries.with_context(|| format!("{}", folder.display()))?;
    paths.sort();
    Ok(paths)
}

/// The names in a folder.
pub(crate) fn names_in(folder: &Path) -> Result<BTreeSet<OsString>> {
    Ok(in_folder(folder)?.iter().filter_map(|path| Some(path.file_name()?.to_owned())).collect())
}

/// A locked file or folder, unlocked on drop. Explicitly, since closing it is not enough: a process that another
/// thread starts at that moment has it open, too, until it runs its program.
#[derive(Debug)]
pub(crate) struct Held(pub File);

impl Drop for Held {
    fn drop(&mut self) {
        // If this fails, closing unlocks it.
        let _ = self.0.unlock();
    }
}

/// Refuses to overwrite a corpus database: it may be the only copy of its cases.
pub(crate) fn refuse_corpus(path: &Path) -> Result<()> {
    // Looking into a pipe would wait for a writer.
    if path.is_file() && application_id(path) == Some(store::APPLICATION_ID) {
        bail!("{}: refusing to overwrite a corpus database: name another file", path.display());
    }
    Ok(())
}

/// Refuses what cannot be replaced by a file: a folder, a device, a pipe.
pub(crate) fn refuse_special(path: &Path) -> Result<()> {
    if fs::metadata(path).is_ok_and(|kind| !kind.is_file()) {
        bail!("{}: not a regular file: name another", path.display());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_held_is_free_though_another_process_has_it_open() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("lock");
        let file = File::create(&path).unwrap();
        file.try_lock().unwrap();
        // What a process has that was forked in the meantime: the same open file.
        let inherited = file.try_clone().unwrap();
        drop(Held(file));
        File::open(&path).unwrap().try_lock().unwrap();
        drop(inherited);
    }
}
