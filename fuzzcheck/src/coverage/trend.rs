//! The coverage of the corpora night by night, in one file.
//!
//! The same corpus on the same build reaches the same: measured again right after itself, it replaces its entry. A build
//! is its SQLite with its options, a corpus its cases in any order.

use std::io::Write;
use std::path::Path;

use anyhow::{Context, Result, bail};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::build::Count;
use super::measure::Measured;
use super::reached::Night;
use crate::build::worker::Identity;
use crate::files;

/// Version of the file.
const VERSION: u32 = 1;
/// Nights that are printed.
const SHOWN: usize = 10;

/// The file.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Trend {
    version: u32,
    /// Oldest first.
    pub nights: Vec<Entry>,
}

/// A night.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Entry {
    /// What was reached. `coverage` alone does not fuzz: its entries have no executions and no findings.
    #[serde(flatten)]
    pub night: Night,
    /// The build.
    pub sqlite: Identity,
    /// Names the cases.
    pub corpus: String,
}

impl Entry {
    /// What was measured now.
    pub(crate) fn of(measured: &Measured, now: Timestamp) -> Self {
        let night = Night {
            id: now.strftime("%Y%m%dT%H%M%SZ").to_string(),
            started: now,
            total: measured.files.sqlite,
            executions: 0,
            corpus_cases: measured.cases,
            new_findings: 0,
        };
        Self { night, sqlite: measured.identity.clone(), corpus: measured.corpus.to_string() }
    }
}

impl Trend {
    /// Reads the file; an empty one where there is none yet.
    ///
    /// # Errors
    /// It cannot be read, is damaged, of a later version, or something else.
    pub(crate) fn read(path: &Path) -> Result<Self> {
        files::refuse_special(path)?;
        let bytes = match std::fs::read(path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                return Ok(Self { version: VERSION, nights: Vec::new() });
            }
            Err(error) => return Err(error).with_context(|| format!("{}", path.display())),
        };
        let trend: Self = serde_json::from_slice(&bytes).with_context(|| {
            format!("{}: not a trend file, or a damaged one: name another file", path.display())
        })?;
        if trend.version > VERSION {
            bail!("{}: of version {}, this program reads {VERSION}", path.display(), trend.version);
        }
        Ok(trend)
    }

    /// Adds a night, or replaces the last one where it is the same build and corpus.
    pub(crate) fn add(&mut self, entry: Entry) {
        let is_same = |last: &Entry| last.sqlite == entry.sqlite && last.corpus == entry.corpus;
        if self.nights.last().is_some_and(is_same) {
            self.nights.pop();
        }
        self.nights.push(entry);
    }

    /// Writes the file.
    ///
    /// # Errors
    /// It cannot be written; the old one stays.
    pub(crate) fn write(&self, path: &Path) -> Result<()> {
        files::write(path, &serde_json::to_vec_pretty(self)?)
    }

    /// Prints the last nights, each against the one before.
    pub(crate) fn print(&self, out: &mut dyn Write) -> Result<()> {
        writeln!(
            out,
            "{:<17} {:>7} {:>18} {:>18} {:>16}  SQLite",
            "night", "cases", "branches", "lines", "functions"
        )?;
        let first = self.nights.len().saturating_sub(SHOWN);
        for (i, Entry { night, sqlite, .. }) in self.nights.iter().enumerate().skip(first) {
            let before = i.checked_sub(1).map(|i| &self.nights[i]).filter(|before| before.sqlite == *sqlite);
            let total = before.map(|before| before.night.total);
            let cell = |now: Count, before: Option<Count>| match before {
                Some(before) => format!("{} ({:+})", now.covered, now.covered as i64 - before.covered as i64),
                None => now.covered.to_string(),
            };
            writeln!(
                out,
                "{:<17} {:>7} {:>18} {:>18} {:>16}  {}",
                night.id,
                night.corpus_cases,
                cell(night.total.branches, total.map(|total| total.branches)),
                cell(night.total.lines, total.map(|total| total.lines)),
                cell(night.total.functions, total.map(|total| total.functions)),
                sqlite.version
            )?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::coverage::build::Coverage;

    fn entry(corpus: &str, branches: u64) -> Entry {
        let total = Coverage { branches: Count { covered: branches, total: 100 }, ..Coverage::default() };
        let night = Night {
            id: corpus.to_owned(),
            started: Timestamp::UNIX_EPOCH,
            total,
            executions: 0,
            corpus_cases: 1,
            new_findings: 0,
        };
        Entry { night, sqlite: Identity::of_this_program(), corpus: corpus.to_owned() }
    }

    #[test]
    fn nights_are_kept_with_differences_and_the_same_twice_is_one() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("trend.json");
        for (corpus, branches) in [("a", 10), ("b", 15), ("b", 15), ("a", 12)] {
            let mut trend = Trend::read(&path).unwrap();
            trend.add(entry(corpus, branches));
            trend.write(&path).unwrap();
        }
        let mut trend = Trend::read(&path).unwrap();
        let ids: Vec<&str> = trend.nights.iter().map(|entry| entry.night.id.as_str()).collect();
        assert_eq!(ids, ["a", "b", "a"]);
        let mut text = Vec::new();
        // Another SQLite is not to be compared with.
        let mut other = entry("c", 50);
        other.sqlite.source_id = "another".to_owned();
        trend.add(other);
        trend.print(&mut text).unwrap();
        let text = String::from_utf8(text).unwrap();
        assert!(text.contains("15 (+5)") && text.contains("12 (-3)") && !text.contains("(+38)"), "{text}");
    }

    #[test]
    fn something_else_is_not_overwritten() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("notes.txt");
        std::fs::write(&path, "mine").unwrap();
        assert!(format!("{:#}", Trend::read(&path).unwrap_err()).contains("notes.txt: not a trend file"));
        std::fs::write(&path, r#"{"version":9,"nights":[]}"#).unwrap();
        assert!(format!("{:#}", Trend::read(&path).unwrap_err()).contains("version 9"));
        assert!(Trend::read(folder.path()).is_err());
    }
}
