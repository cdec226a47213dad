//! The releases of SQLite by name: published ones, or folders of the user.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use super::amalgamation::Sqlite;
use super::published::RELEASES;

/// Releases, oldest first.
#[derive(Debug, Clone)]
pub(crate) struct Releases {
    names: Vec<String>,
    /// Where each has a folder of its name; `None` for what is published.
    folder: Option<PathBuf>,
}

impl Releases {
    /// Those that are published.
    pub(super) fn published() -> Self {
        Self { names: RELEASES.iter().map(|release| release.version.to_owned()).collect(), folder: None }
    }

    /// Those in a folder, or else those that are published.
    ///
    /// # Errors
    /// There is no such folder, no release in it, or a folder in it that is none: left out, it would be missing from a
    /// range without a word.
    pub(crate) fn new(folder: Option<&Path>) -> Result<Self> {
        let Some(folder) = folder else {
            return Ok(Self::published());
        };
        let said = || format!("--releases {}", folder.display());
        let mut names = Vec::new();
        for entry in fs::read_dir(folder).with_context(said)? {
            let path = entry.with_context(said)?.path();
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            if !path.is_dir() || name.starts_with('.') {
                continue;
            }
            if let Some(file) = ["sqlite3.c", "sqlite3.h"].iter().find(|file| !path.join(file).is_file()) {
                bail!("{}: {name} has no {file}", said());
            }
            names.push(name);
        }
        if names.is_empty() {
            bail!("{}: no releases: expected a folder for each, with sqlite3.c and sqlite3.h", said());
        }
        names.sort_by_cached_key(|name| (numbers(name), name.clone()));
        Ok(Self { names, folder: Some(folder.to_owned()) })
    }

    /// Their names.
    pub(crate) fn names(&self) -> impl ExactSizeIterator<Item = &str> {
        self.names.iter().map(String::as_str)
    }

    /// Where one stands among them.
    ///
    /// # Errors
    /// It is none of them.
    pub(crate) fn position(&self, name: &str) -> Result<usize> {
        self.names.iter().position(|known| known == name).with_context(|| {
            let known = self.names.join(", ");
            match &self.folder {
                Some(folder) => format!("--releases {}: no {name} there; there are {known}", folder.display()),
                None => format!(
                    "no crate is known to bundle SQLite {name}; there are {known}. Use --sqlite DIR for any other"
                ),
            }
        })
    }

    /// The amalgamation of one.
    ///
    /// # Errors
    /// It is none of them, cannot be fetched, or is too old.
    pub(super) fn sqlite(&self, name: &str) -> Result<Sqlite> {
        let Some(folder) = &self.folder else {
            return Sqlite::published(name);
        };
        self.position(name)?;
        Ok(Sqlite { release: Some(name.to_owned()), ..Sqlite::in_folder(&folder.join(name))? })
    }
}

/// The numbers in a name, which are what versions are ordered by.
fn numbers(name: &str) -> Vec<u64> {
    let runs = name.split(|character: char| !character.is_ascii_digit());
    runs.filter_map(|digits| digits.parse().ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folders_are_releases_in_the_order_of_their_numbers() {
        let folder = tempfile::tempdir().unwrap();
        let error = || format!("{:#}", Releases::new(Some(folder.path())).unwrap_err());
        assert!(error().contains("no releases"), "{}", error());
        for name in ["3.9.2", "3.10", "fork-3.9.10", ".git"] {
            fs::create_dir(folder.path().join(name)).unwrap();
            fs::write(folder.path().join(name).join("sqlite3.c"), "").unwrap();
        }
        fs::write(folder.path().join("README"), "").unwrap();
        assert!(error().contains("has no sqlite3.h"), "{}", error());
        for name in ["3.9.2", "3.10", "fork-3.9.10"] {
            fs::write(folder.path().join(name).join("sqlite3.h"), "").unwrap();
        }
        let releases = Releases::new(Some(folder.path())).unwrap();
        assert!(releases.names().eq(["3.9.2", "fork-3.9.10", "3.10"]), "{releases:?}");
        let error = releases.position("3.11").unwrap_err().to_string();
        assert!(error.contains("no 3.11 there") && error.contains("3.9.2, fork-3.9.10, 3.10"), "{error}");
    }
}
