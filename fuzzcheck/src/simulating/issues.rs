//! One Markdown file per signature: what a person files as an issue. One that is seen again is counted.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use serde::Serialize;

use super::output::slug;
use crate::files;

/// What stands before the count.
const SEEN: &str = "Simulations that showed it: ";

/// A finding as an issue.
#[derive(Debug, Serialize)]
pub(crate) struct Issue<'i> {
    /// Which one.
    pub signature: &'i str,
    /// Both engines.
    pub engines: &'i [String; 2],
    /// What happened.
    pub message: &'i str,
    /// The command that shows it.
    pub repeat: &'i str,
    /// The smaller script.
    pub script: &'i str,
}

/// What a notify command gets.
#[derive(Serialize)]
pub(crate) struct Notice<'i> {
    event: &'static str,
    version: u32,
    /// Where its Markdown is.
    path: &'i Path,
    #[serde(flatten)]
    issue: &'i Issue<'i>,
}

impl<'i> Notice<'i> {
    /// Of a new issue.
    pub(crate) fn new(issue: &'i Issue<'i>, path: &'i Path) -> Self {
        Self { event: "new-issue", version: 1, path, issue }
    }
}

/// The file of a signature.
pub(crate) fn path(folder: &Path, signature: &str) -> PathBuf {
    folder.join(format!("{}.md", slug(signature)))
}

/// Counts a signature that has a file; false if it has none.
///
/// # Errors
/// If the file cannot be read or written.
pub(crate) fn count(folder: &Path, signature: &str) -> Result<bool> {
    let path = path(folder, signature);
    if !path.exists() {
        return Ok(false);
    }
    let text = std::fs::read_to_string(&path).with_context(|| format!("{}", path.display()))?;
    let counted = text.lines().map(|line| match line.strip_prefix(SEEN).map(str::parse::<u64>) {
        Some(Ok(count)) => format!("{SEEN}{}\n", count + 1),
        _ => format!("{line}\n"),
    });
    files::write(&path, counted.collect::<String>().as_bytes())?;
    Ok(true)
}

/// Writes a new one.
///
/// # Errors
/// If the file cannot be written.
pub(crate) fn write(folder: &Path, issue: &Issue<'_>) -> Result<PathBuf> {
    std::fs::create_dir_all(folder).with_context(|| format!("{}", folder.display()))?;
    let path = path(folder, issue.signature);
    let Issue { signature, engines: [a, b], message, repeat, script } = issue;
    let text = format!(
        "# {signature}\n\n{SEEN}1\n\n- A: {a}\n- B: {b}\n\n## Script\n\n```sql\n{}\n```\n\n## What they did\n\n```text\n{}\n```\n\n\
         ## Again\n\n```text\n{repeat}\n```\n",
        script.trim_end(),
        message.trim()
    );
    files::write(&path, text.as_bytes())?;
    Ok(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signature_has_one_file_and_is_counted_in_it() {
        let folder = tempfile::tempdir().unwrap();
        let engines = ["SQLite 3.1".to_owned(), "SQLite 3.2".to_owned()];
        let issue = Issue {
            signature: "differential/rows/SELECT",
            engines: &engines,
            message: "A: 1\nB: 2",
            repeat: "again",
            script: "SELECT 1;\n",
        };
        assert!(!count(folder.path(), issue.signature).unwrap());
        let path = write(folder.path(), &issue).unwrap();
        assert!(
            count(folder.path(), issue.signature).unwrap() && count(folder.path(), issue.signature).unwrap()
        );
        let text = std::fs::read_to_string(&path).unwrap();
        assert!(
            text.contains("showed it: 3\n") && text.contains("SELECT 1;\n```") && text.ends_with("```\n"),
            "{text}"
        );
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
    }
}
