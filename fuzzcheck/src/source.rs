//! Reads cases from paths.
//!
//! A path is one of our corpus databases, one of SQLite's `fuzzdataN.db`, a folder, or a file with one
//! case. Folders are read to any depth, in the order of names; files whose name begins with a dot or
//! `README` are skipped. Files with a single case: [`mod@single`].

mod single;

use std::collections::VecDeque;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, anyhow, bail};
use tandem::TestCase;
use tandem::corpus::fuzzdata::{self, Fuzzdata};
use tandem::corpus::{Corpus, CorpusError, Details, Entry, Kind, Version, application_id, store};
use tandem::targets::Target;

use clap::ValueEnum;

use crate::build_kind::BuildKind;
use crate::files;

pub(crate) use single::single;
#[cfg(test)]
pub(crate) use single::target_named;

/// A case with where it came from.
#[derive(Clone)]
pub struct NamedCase {
    /// The file, and what it is within it.
    pub name: String,
    /// What it runs on.
    pub target: &'static Target,
    /// The case.
    pub case: TestCase,
    /// Bytes that SQLite may hold, if the source says so.
    pub heap_bytes: Option<u64>,
    /// What a corpus database says of it.
    pub provenance: Option<Provenance>,
}

/// What a corpus database says of a case.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Provenance {
    /// Why it is in the corpus.
    pub kind: Kind,
    /// The finding that it shows or showed.
    pub signature: Option<String>,
    /// Where it came from.
    pub source: String,
    /// What is said of its bug.
    pub details: Details,
}

impl From<&Entry> for Provenance {
    fn from(entry: &Entry) -> Self {
        let Entry { kind, signature, source, details, .. } = entry.clone();
        Self { kind, signature, source, details }
    }
}

impl Provenance {
    /// The signature of its bug, if that is known and not fixed.
    pub fn known(&self) -> Option<&str> {
        self.signature.as_deref().filter(|_| self.kind == Kind::Known)
    }

    /// The build in which it shows its bug: the one that was noted, else the only one whose reports read so.
    pub(crate) fn build(&self) -> Option<BuildKind> {
        match &self.details.build {
            Some(name) => BuildKind::from_str(name, false).ok(),
            None => Some(BuildKind::that_reports(self.signature.as_deref().unwrap_or_default())),
        }
    }

    /// True if it is to show its bug in this build of this SQLite; where the version is not known, too.
    pub(crate) fn is_expected(&self, build: BuildKind, version: Option<Version>) -> bool {
        self.build() == Some(build) && self.has_version(version)
    }

    /// True where this SQLite has the bug, as far as is known.
    pub(crate) fn has_version(&self, version: Option<Version>) -> bool {
        match (&self.details.versions, version) {
            (Some(range), Some(version)) => range.contains(version),
            _ => true,
        }
    }
}

impl NamedCase {
    /// The signature of its bug, if that is known and not fixed.
    pub fn known(&self) -> Option<String> {
        self.provenance.as_ref()?.known().map(str::to_owned)
    }

    /// True if `part` is in the name or begins the id: what `--case` asks.
    pub fn matches(&self, part: &str) -> bool {
        self.name.contains(part) || self.case.id().to_string().starts_with(&part.to_lowercase())
    }
}

/// A file in a folder that is no case, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Skipped {
    /// The file.
    pub path: PathBuf,
    /// What is wrong with it.
    pub why: String,
}

/// The cases of all paths.
#[derive(Default)]
pub struct Cases {
    /// How many there are.
    pub total: usize,
    /// The cases.
    pub cases: Queue,
    /// Files in folders that could not be read as cases.
    pub skipped: Vec<Skipped>,
}

/// Cases of several sources, one source after the other. Flat, for a folder may hold a hundred thousand files, each a
/// source.
#[derive(Default)]
pub struct Queue(VecDeque<Box<dyn Iterator<Item = NamedCase> + Send>>);

impl Iterator for Queue {
    type Item = NamedCase;

    fn next(&mut self) -> Option<NamedCase> {
        while let Some(source) = self.0.front_mut() {
            if let Some(case) = source.next() {
                return Some(case);
            }
            self.0.pop_front();
        }
        None
    }
}

impl Cases {
    /// Adds the `count` cases of a source.
    pub(crate) fn push(&mut self, count: usize, cases: impl Iterator<Item = NamedCase> + Send + 'static) {
        self.total += count;
        self.cases.0.push_back(Box::new(cases));
    }

    /// Adds all of `others`.
    pub(crate) fn append(&mut self, others: Self) {
        self.total += others.total;
        self.cases.0.extend(others.cases.0);
        self.skipped.extend(others.skipped);
    }
}

/// Opens all paths. `target` overrides the target that a file with one case seems to be for.
///
/// # Errors
/// If a path cannot be read, or is not what its name says, with its name and the reason. Files found
/// in folders are skipped instead.
pub fn open(paths: &[PathBuf], target: Option<&'static Target>) -> Result<Cases> {
    let mut all = Cases::default();
    for path in paths {
        add_path(&mut all, path, target)?;
    }
    Ok(all)
}

fn add_path(all: &mut Cases, path: &Path, target: Option<&'static Target>) -> Result<()> {
    let kind = fs::metadata(path).with_context(|| format!("{}", path.display()))?;
    if !kind.is_dir() {
        return add_file(all, path, target);
    }
    for entry in files::in_folder(path)? {
        let name = entry.file_name().unwrap_or_default().to_string_lossy();
        if name.starts_with('.') || name.starts_with("README") {
            continue;
        }
        // A link to a folder above would lead round in circles.
        let is_linked_folder = entry.is_dir() && entry.is_symlink();
        let added = if is_linked_folder {
            Err(anyhow!("{}: links to folders are not followed: name the folder", entry.display()))
        } else {
            add_path(all, &entry, target)
        };
        if let Err(error) = added {
            all.skipped.push(Skipped { why: format!("{error:#}"), path: entry });
        }
    }
    Ok(())
}

fn add_file(all: &mut Cases, path: &Path, target: Option<&'static Target>) -> Result<()> {
    // Opening a pipe waits for a writer, and /dev/zero has no end.
    if !fs::metadata(path).with_context(|| format!("{}", path.display()))?.is_file() {
        bail!("{}: neither a regular file nor a folder: copy what it gives into a file", path.display());
    }
    let id = application_id(path);
    if id == Some(store::APPLICATION_ID) {
        return add_corpus(all, path);
    }
    // A database that SQLite itself cannot read is a case, and a good one.
    if id.is_some() && fuzzdata::is_fuzzdata(path).unwrap_or(false) {
        return add_fuzzdata(all, path);
    }
    let is_named_database = path.extension().is_some_and(|extension| extension == "db");
    if is_named_database && id.is_none() {
        bail!("{}: its name ends in .db, but it is not a SQLite database (or a damaged one)", path.display());
    }
    all.push(1, std::iter::once(single(path, target)?));
    Ok(())
}

/// Reads a corpus database.
///
/// # Errors
/// If it is damaged or no corpus; says so, and what to do.
pub(crate) fn load_corpus(path: &Path) -> Result<Corpus> {
    Corpus::load(path).map_err(|error| {
        let is_missing = matches!(error, CorpusError::Io { .. });
        let advice = "it is as it was; put back a good copy, as with `git restore`, or name another file";
        if is_missing { told(error) } else { anyhow!("{error}; {advice}") }
    })
}

/// Reads a corpus database, or begins an empty one where there is none.
///
/// # Errors
/// As [`load_corpus`].
pub(crate) fn load_or_new(path: &Path) -> Result<Corpus> {
    if path.exists() { load_corpus(path) } else { Ok(Corpus::default()) }
}

/// The error without its causes, which its text has already.
pub(crate) fn told(error: CorpusError) -> anyhow::Error {
    anyhow!("{error}")
}

fn add_corpus(all: &mut Cases, path: &Path) -> Result<()> {
    let corpus = load_corpus(path)?;
    let file = path.display().to_string();
    let cases: Vec<NamedCase> = corpus
        .iter()
        .map(|(id, entry)| {
            let target = Target::by_name(&entry.target).with_context(|| {
                format!("{file}: the case {id} is for `{}`, which is not a target", entry.target)
            })?;
            let case = TestCase::decode(&entry.body);
            let provenance = Some(Provenance::from(entry));
            Ok(NamedCase { name: format!("{file}:{id}"), target, case, heap_bytes: None, provenance })
        })
        .collect::<Result<_>>()?;
    all.push(cases.len(), cases.into_iter());
    Ok(())
}

fn add_fuzzdata(all: &mut Cases, path: &Path) -> Result<()> {
    let data = Fuzzdata::load(path).map_err(told)?;
    let file = path.display().to_string();
    let (total, heap_bytes) = (data.len(), data.heap_bytes);
    let named = data.into_cases().map(move |case| NamedCase {
        name: format!("{file}:{}", case.name),
        target: Target::by_name(case.target).expect("fuzzdata runs on targets of our own"),
        case: case.case,
        heap_bytes,
        provenance: None,
    });
    all.push(total, named);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_of_very_many_files_is_read_in_their_order() {
        let folder = tempfile::tempdir().unwrap();
        for i in 0..20_000 {
            fs::write(folder.path().join(format!("{i:05}.sql")), format!("SELECT {i};")).unwrap();
        }
        // On a stack on which nothing may recurse by the number of files.
        let path = folder.path().to_owned();
        let small = std::thread::Builder::new().stack_size(128 << 10);
        let read = move || {
            let all = open(&[path], None).unwrap();
            assert_eq!(all.total, 20_000);
            let is_next = |(i, case): (usize, NamedCase)| case.name.ends_with(&format!("{i:05}.sql"));
            assert!(all.cases.enumerate().all(is_next));
        };
        small.spawn(read).unwrap().join().unwrap();
    }
}
