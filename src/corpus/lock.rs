//! One writer of a corpus at a time.

use std::fs::File;
use std::path::Path;

use super::CorpusError;

/// Held from reading a corpus database to the end of writing it; what another process adds in between would be
/// lost. The kernel gives it back when the process ends, however that is.
#[derive(Debug)]
pub struct Lock {
    _folder: File,
}

/// Waits until no other process writes a corpus database in the folder of `path`.
///
/// The folder is what is locked, so that no file for that purpose lies between the corpora; the database itself
/// is another file after each writing.
///
/// # Errors
/// [`CorpusError::Io`], naming `path`, where its folder cannot be opened or locked.
pub fn lock(path: &Path) -> Result<Lock, CorpusError> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let folder = File::open(folder).map_err(CorpusError::io(path))?;
    folder.lock().map_err(CorpusError::io(path))?;
    remove_remains(path);
    Ok(Lock { _folder: folder })
}

/// Removes what writers left behind that were killed: under the lock, none is at work.
fn remove_remains(path: &Path) {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let is_remains = |other: &str| {
        let id = other.strip_prefix(&format!(".{name}.")).and_then(|rest| rest.strip_suffix(".tmp"));
        id.is_some_and(|id| !id.is_empty() && id.bytes().all(|byte| byte.is_ascii_digit()))
    };
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        if is_remains(&entry.file_name().to_string_lossy()) {
            // Whoever cannot remove it is not kept from writing.
            std::fs::remove_file(entry.path()).ok();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn remains_of_killed_writers_go_and_nothing_else() {
        let folder = std::env::temp_dir().join(format!("tandem-lock-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let stays = ["x.db", ".x.db.tmp", ".x.db.1a.tmp", ".y.db.12.tmp", "x.db.12.tmp"];
        for name in stays.iter().chain(&[".x.db.12.tmp"]) {
            std::fs::write(folder.join(name), "").unwrap();
        }
        drop(lock(&folder.join("x.db")).unwrap());
        assert_eq!(std::fs::read_dir(&folder).unwrap().count(), stays.len());
        assert!(!folder.join(".x.db.12.tmp").exists());
        let missing = lock(&folder.join("none/x.db")).unwrap_err();
        assert!(missing.to_string().contains("none/x.db"), "{missing}");
        std::fs::remove_dir_all(folder).unwrap();
    }
}
