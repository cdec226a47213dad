//! Sorts the cases of a campaign into bugs, known or new, each with a bug report.
//!
//! `triage` has rerun the cases and named the bug of each; a case that showed nothing there keeps the signature that
//! the target gave it. Across nights there is one Markdown file per bug. Its first lines are ours and
//! change; the rest is written once and can be edited.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use tandem::TestCase;
use tandem::targets::Target;
use tandem::testcase::CaseId;

use super::limits;
use super::record::Finding;
use super::state::{Case, Memory};
use crate::build_kind::BuildKind;
use crate::files;
use crate::fuzzing::session::tail;
use crate::source;
use crate::triage::known::Known;
use crate::triage::state::{self as triage, file_name};
use crate::ui::shell_quoted;

const BEGIN: &str = "<!-- fuzzcheck nightly: these lines change -->";
const END: &str = "<!-- fuzzcheck nightly: what follows is written once -->";
const INDEX: &str = "index.json";
/// Lines of a target's output that serve as the message of a case unknown to `triage`.
const MESSAGE_LINES: usize = 12;
/// Longest script in the record, in bytes.
const SQL_BYTES_MAX: usize = 64 << 10;

/// A bug across nights.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Seen {
    /// When it was first and last seen.
    pub first_seen: Timestamp,
    pub last_seen: Timestamp,
    /// Cases that showed it, by the name of the campaign.
    pub cases: BTreeMap<String, u64>,
}

/// The bugs of all nights, in a folder with a file for each new one.
#[derive(Debug)]
pub(crate) struct Index {
    folder: PathBuf,
    /// By signature.
    pub bugs: BTreeMap<String, Seen>,
}

impl Index {
    /// Opens that of a folder, which may be new.
    ///
    /// # Errors
    /// If it cannot be read.
    pub(crate) fn open(folder: &Path) -> Result<Self> {
        let path = folder.join(INDEX);
        let bugs = if path.exists() {
            let text = fs::read(&path).with_context(|| format!("{}", path.display()))?;
            serde_json::from_slice(&text)
                .with_context(|| format!("{}: not a list of bugs: remove it", path.display()))?
        } else {
            BTreeMap::new()
        };
        Ok(Self { folder: folder.to_owned(), bugs })
    }

    /// Records that a campaign has seen a bug in this many cases.
    pub(crate) fn note(&mut self, signature: &str, campaign: &str, cases: u64, now: Timestamp) -> &Seen {
        let seen = self.bugs.entry(signature.to_owned()).or_insert_with(|| Seen {
            first_seen: now,
            last_seen: now,
            cases: BTreeMap::new(),
        });
        seen.last_seen = now;
        seen.cases.insert(campaign.to_owned(), cases);
        seen
    }

    /// Writes it.
    ///
    /// # Errors
    /// If it cannot be written; the old one is then unchanged.
    pub(crate) fn save(&self) -> Result<()> {
        fs::create_dir_all(&self.folder).with_context(|| format!("{}", self.folder.display()))?;
        files::write(&self.folder.join(INDEX), &serde_json::to_vec_pretty(&self.bugs)?)
    }

    /// The file of a bug.
    pub(crate) fn file(&self, signature: &str) -> PathBuf {
        self.folder.join(format!("{}.md", file_name(signature)))
    }

    /// Writes the file of a bug; `write` makes its text if there is none yet, or `None` for no file.
    ///
    /// # Errors
    /// If it cannot be read or written.
    pub(crate) fn update_file(
        &self,
        signature: &str,
        write: impl FnOnce() -> Option<String>,
    ) -> Result<Option<PathBuf>> {
        let path = self.file(signature);
        let old = if path.exists() {
            Some(fs::read_to_string(&path).with_context(|| format!("{}", path.display()))?)
        } else {
            write()
        };
        let Some((old, seen)) = old.zip(self.bugs.get(signature)) else {
            return Ok(None);
        };
        // If someone has removed our lines, the rest is still theirs.
        let rest = old.split_once(END).map_or(old.as_str(), |(_, rest)| rest).trim_start();
        let (nights, cases) = (seen.cases.len(), seen.cases.values().sum::<u64>());
        let [first, last] = [seen.first_seen, seen.last_seen].map(|time| time.strftime("%Y-%m-%d %H:%M UTC"));
        let head =
            format!("{BEGIN}\nSeen in {nights} nights, {cases} cases: first {first}, last {last}.\n{END}");
        fs::create_dir_all(&self.folder).with_context(|| format!("{}", self.folder.display()))?;
        files::write(&path, format!("{head}\n\n{rest}").as_bytes())?;
        Ok(Some(path))
    }
}

/// What decides whether bugs are known.
pub(crate) struct Judge<'a> {
    /// The state of `triage`.
    pub triage: &'a triage::State,
    /// The known bugs of corpora and library.
    pub known: &'a Known,
    /// The command-line arguments that select the SQLite.
    pub arguments: &'a [String],
    /// The working copy.
    pub project: &'a Path,
}

/// A case that was read.
struct Read<'a> {
    case: &'a Case,
    body: Option<TestCase>,
    signature: String,
}

impl Judge<'_> {
    /// The bugs of a campaign by signature; also adds them to the list of all nights.
    pub(crate) fn findings(&self, memory: &Memory, campaign: &str, index: &mut Index) -> Vec<Finding> {
        let by_case: BTreeMap<&str, &str> = self
            .triage
            .bugs
            .iter()
            .flat_map(|(signature, bug)| bug.cases.iter().map(|id| (id.as_str(), signature.as_str())))
            .collect();
        let mut groups: BTreeMap<String, Vec<Read<'_>>> = BTreeMap::new();
        for (given, cases) in by_given(memory) {
            let mut reads: Vec<Read<'_>> = cases.into_iter().map(|case| read(case, &by_case)).collect();
            // Missing cases, or those beyond the limit, count like the others of their signature.
            let renamed =
                reads.iter().find(|read| read.signature != given).map(|read| read.signature.clone());
            let is_any_confirmed =
                reads.iter().any(|read| read.signature == given && self.triage.bugs.contains_key(given));
            if let Some(renamed) = renamed.filter(|_| !is_any_confirmed) {
                let rest = reads.iter_mut().filter(|read| read.signature == given);
                rest.for_each(|read| read.signature.clone_from(&renamed));
            }
            for read in reads {
                groups.entry(read.signature.clone()).or_default().push(read);
            }
        }
        let now = Timestamp::now();
        groups
            .into_iter()
            .filter_map(|(signature, reads)| {
                let count = reads.len() as u64;
                let seen = index.note(&signature, campaign, count, now).clone();
                self.finding(memory, &signature, &reads, &seen)
            })
            .collect()
    }

    fn finding(&self, memory: &Memory, signature: &str, reads: &[Read<'_>], seen: &Seen) -> Option<Finding> {
        let bug = self.triage.bugs.get(signature);
        let smallest = reads.iter().filter(|read| read.body.is_some());
        let smallest = smallest.min_by_key(|read| read.body.as_ref().map(|case| case.encode().len()));
        let first = smallest.or(reads.first())?;
        let target = bug.map_or(first.case.target.as_str(), |bug| bug.target.as_str());
        let path = bug.map_or_else(|| first.case.path.clone(), |_| self.triage.case_path(signature));
        let body = fs::read(&path).unwrap_or_default();
        let case = Target::by_name(target).map(|target| (target.decode)(&body));
        let script = case.as_ref().map(|case| case.sql.as_bytes()).unwrap_or_default();
        let short = path.strip_prefix(self.project).unwrap_or(&path).display().to_string();
        let build = BuildKind::that_reports(signature);
        let mut words: Vec<String> = Vec::new();
        if build != BuildKind::Release {
            words.push(format!("--build={build}"));
        }
        words.extend(self.arguments.iter().cloned());
        words.extend(["--target".to_owned(), target.to_owned(), shell_quoted(&short)]);
        let message = bug.map(|bug| bug.message.clone()).or_else(|| first.case.message.clone());
        Some(Finding {
            signature: signature.to_owned(),
            known_as: self.known.get(signature).map(str::to_owned),
            is_new: !memory.seen_before.contains(signature),
            cases: reads.len() as u64,
            first_seen: bug.map_or(seen.first_seen, |bug| bug.first_seen.min(seen.first_seen)),
            last_seen: seen.last_seen,
            target: target.to_owned(),
            builds: bug.map(|bug| bug.builds.iter().cloned().collect()).unwrap_or_default(),
            message: message.unwrap_or_else(|| said(&first.case.path)),
            case: short,
            case_bytes: body.len() as u64,
            sql: (!script.is_empty() && script.len() <= SQL_BYTES_MAX)
                .then(|| String::from_utf8_lossy(script).into_owned()),
            replay: format!("cargo fuzzcheck run {}", words.join(" ")),
            file: None,
        })
    }
}

/// The cases by the signature that the target gave them.
fn by_given(memory: &Memory) -> BTreeMap<&str, Vec<&Case>> {
    let mut all: BTreeMap<&str, Vec<&Case>> = BTreeMap::new();
    for case in &memory.cases {
        all.entry(&case.signature).or_default().push(case);
    }
    all
}

/// Reads a case and its bug according to `triage`.
fn read<'a>(case: &'a Case, by_case: &BTreeMap<&str, &str>) -> Read<'a> {
    let target = Target::by_name(&case.target);
    let body = source::single(&case.path, target).ok().map(|named| named.case);
    let id = body.as_ref().map(|body| CaseId::of_encoded(&body.encode()).to_string());
    let signature = id.and_then(|id| by_case.get(id.as_str()).copied()).unwrap_or(&case.signature);
    Read { case, body, signature: signature.to_owned() }
}

/// What the target printed about a case: the end of its log.
fn said(path: &Path) -> String {
    let log = path.parent().and_then(|folder| {
        let name = format!("{}.txt", path.file_name()?.to_string_lossy());
        Some(folder.parent()?.parent()?.join("logs").join(folder.file_name()?).join(name))
    });
    let text = log.and_then(|log| fs::read(log).ok()).unwrap_or_default();
    tail(&String::from_utf8_lossy(&text), MESSAGE_LINES)
}

/// The paths of the cases for `triage`, the smallest of each signature, by target and build.
pub(crate) fn piles(memory: &Memory) -> BTreeMap<(BuildKind, String), Vec<PathBuf>> {
    let mut piles: BTreeMap<_, Vec<PathBuf>> = BTreeMap::new();
    let mut by_target: BTreeMap<(&str, &str), Vec<PathBuf>> = BTreeMap::new();
    for case in &memory.cases {
        by_target.entry((&case.signature, &case.target)).or_default().push(case.path.clone());
    }
    for ((signature, target), paths) in by_target {
        let build = BuildKind::that_reports(signature);
        let pile = piles.entry((build, target.to_owned())).or_default();
        pile.extend(limits::smallest(&paths).into_iter().cloned());
    }
    piles.retain(|_, paths| !paths.is_empty());
    piles
}

/// The text for a bug that could not be reproduced.
pub(crate) fn plain_report(finding: &Finding) -> String {
    let Finding { signature, message, case, replay, .. } = finding;
    let message = if message.trim().is_empty() { "(nothing was said)" } else { message.trim() };
    let quoted: String = message.lines().map(|line| format!("    {line}\n")).collect();
    format!(
        "# {signature}\n\nA bug report could not be made of the smallest case: it did not show this again, or there was no time. \
         What was said when it was found:\n\n{quoted}\nCase: `{case}`\n\nCommand:\n\n    {replay}\n"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_written_once_and_its_counts_each_night() {
        let folder = tempfile::tempdir().unwrap();
        let mut index = Index::open(folder.path()).unwrap();
        let now = Timestamp::UNIX_EPOCH;
        index.note("a/b/c", "first", 3, now);
        // Known bugs get none.
        assert_eq!(index.update_file("a/b/c", || None).unwrap(), None);
        let path = index.update_file("a/b/c", || Some("# Title\n".to_owned())).unwrap().unwrap();
        index.save().unwrap();
        let text = fs::read_to_string(&path).unwrap();
        assert!(text.contains("Seen in 1 nights, 3 cases") && text.ends_with("\n\n# Title\n"), "{text}");

        fs::write(&path, format!("{text}My notes.\n")).unwrap();
        let mut index = Index::open(folder.path()).unwrap();
        // The same night again, after it was killed, is one night.
        index.note("a/b/c", "second", 1, now);
        index.note("a/b/c", "second", 4, now);
        index.update_file("a/b/c", || unreachable!("it is there")).unwrap();
        let text = fs::read_to_string(&path).unwrap();
        assert!(
            text.contains("Seen in 2 nights, 7 cases") && text.ends_with("# Title\nMy notes.\n"),
            "{text}"
        );
        assert_eq!(text.matches(BEGIN).count(), 1);
        assert_eq!(files::in_folder(folder.path()).unwrap().len(), 2);
    }
}
