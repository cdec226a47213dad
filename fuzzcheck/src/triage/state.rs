//! The state of `triage`: all bugs in `triage.json`, with the smallest case of each beside it.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::files;

const FILE: &str = "triage.json";
const VERSION: u32 = 1;
/// Longest name of a case's file, in characters.
const NAME_CHARS_MAX: usize = 60;

/// A bug.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Bug {
    /// When it was first and last seen, in UTC.
    pub first_seen: Timestamp,
    pub last_seen: Timestamp,
    /// Identities of the cases that show it.
    pub cases: BTreeSet<String>,
    /// The builds in which it was seen.
    pub builds: BTreeSet<String>,
    /// The target of its smallest case.
    pub target: String,
    /// Its smallest case, in the folder.
    pub smallest: String,
    /// Whether no smaller case was found.
    pub is_minimal: bool,
    /// Optimizations without which it is gone.
    #[serde(default)]
    pub guilty_optimizations: Vec<String>,
    /// The message of the smallest case.
    pub message: String,
}

/// The state of `triage`.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct State {
    version: u32,
    /// By signature.
    pub bugs: BTreeMap<String, Bug>,
    #[serde(skip)]
    folder: PathBuf,
}

impl State {
    /// Opens that of a folder, which may be new.
    ///
    /// # Errors
    /// If it cannot be read, or is of a later format.
    pub(crate) fn open(folder: &Path) -> Result<Self> {
        std::fs::create_dir_all(folder).with_context(|| format!("{}", folder.display()))?;
        let path = folder.join(FILE);
        if !path.exists() {
            return Ok(Self { version: VERSION, bugs: BTreeMap::new(), folder: folder.to_owned() });
        }
        let text = std::fs::read(&path).with_context(|| format!("{}", path.display()))?;
        let state: Self = serde_json::from_slice(&text).with_context(|| {
            format!(
                "{}: not a state of `triage`: remove it, or use another folder with --state",
                path.display()
            )
        })?;
        if state.version > VERSION {
            bail!("{}: format {} is newer than this build reads ({VERSION})", path.display(), state.version);
        }
        Ok(Self { folder: folder.to_owned(), ..state })
    }

    /// Writes it.
    ///
    /// # Errors
    /// If it cannot be written; the old one is then unchanged.
    pub(crate) fn save(&self) -> Result<()> {
        files::write(&self.folder.join(FILE), &serde_json::to_vec_pretty(self)?)
    }

    /// Where the smallest case of a signature lies.
    pub(crate) fn case_path(&self, signature: &str) -> PathBuf {
        self.folder.join(file_name(signature))
    }
}

/// A valid file name, with part of a digest to make it unique.
pub(crate) fn file_name(signature: &str) -> String {
    let plain = |char: char| if char.is_ascii_alphanumeric() || char == '_' { char } else { '-' };
    let name: String = signature.chars().map(plain).take(NAME_CHARS_MAX).collect();
    let digest = Sha256::digest(signature.as_bytes());
    format!("{name}-{:02x}{:02x}{:02x}", digest[0], digest[1], digest[2])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_there_again() {
        let folder = tempfile::tempdir().unwrap();
        let mut state = State::open(folder.path()).unwrap();
        let bug = Bug {
            first_seen: Timestamp::UNIX_EPOCH,
            last_seen: Timestamp::UNIX_EPOCH,
            cases: BTreeSet::from(["ab".to_owned()]),
            builds: BTreeSet::new(),
            target: "sql".to_owned(),
            smallest: "x".to_owned(),
            is_minimal: true,
            guilty_optimizations: vec![],
            message: String::new(),
        };
        state.bugs.insert("a/b/c".to_owned(), bug.clone());
        state.save().unwrap();
        assert_eq!(State::open(folder.path()).unwrap().bugs["a/b/c"], bug);
        std::fs::write(folder.path().join(FILE), "{").unwrap();
        let error = format!("{:#}", State::open(folder.path()).unwrap_err());
        assert!(error.contains("triage.json") && error.contains("--state"), "{error}");
    }

    #[test]
    fn names_of_files_are_plain_and_their_own() {
        let names = ["crash/assert/f: a*b", "crash/assert/f: a+b"].map(file_name);
        assert_ne!(names[0], names[1]);
        assert!(names[0].bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_'));
    }
}
