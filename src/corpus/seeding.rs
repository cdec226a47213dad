//! Seeds for a fuzz target that is started with an empty folder.
//!
//! `cargo fuzz run db_sql` knows nothing of `corpus/db_sql.db`; without seeds, fuzzing would begin with
//! nothing, and look as if all was well.

use std::path::{Path, PathBuf};

use super::{Corpus, CorpusError, Kind};
use crate::testcase::CaseId;

/// Cases of a corpus with which fuzzing may begin. Never known bugs: the fuzzer would end at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Beginning {
    /// What was written by hand and what once was a bug. Fuzzing finds the like of the rest again within minutes, and they
    /// are slower than seeds.
    Seeds,
    /// All that fuzzing found, too: for an SQLite in which that has not been done.
    All,
}

impl Beginning {
    fn has(self, kind: Kind) -> bool {
        match kind {
            Kind::Seed | Kind::Regression => true,
            Kind::Interesting => self == Self::All,
            Kind::Known => false,
        }
    }
}

/// Writes each case of `corpus` that belongs to the beginning into `folder` as a file named by its identity; returns
/// how many.
///
/// # Errors
/// [`CorpusError::Io`], naming the file.
pub fn export(corpus: &Corpus, folder: &Path, beginning: Beginning) -> Result<usize, CorpusError> {
    let chosen = corpus.iter().filter(|(_, entry)| beginning.has(entry.kind));
    write(folder, chosen.map(|(_, entry)| &entry.body))
}

/// Writes encoded cases into `folder` as files named by their identities; returns how many.
///
/// # Errors
/// [`CorpusError::Io`], naming the file.
pub fn write(folder: &Path, bodies: impl Iterator<Item = impl AsRef<[u8]>>) -> Result<usize, CorpusError> {
    std::fs::create_dir_all(folder).map_err(CorpusError::io(folder))?;
    let mut count = 0;
    for body in bodies {
        let path = folder.join(CaseId::of_encoded(body.as_ref()).to_string());
        std::fs::write(&path, body).map_err(CorpusError::io(&path))?;
        count += 1;
    }
    Ok(count)
}

/// Whether the program is one that leaves the working copy: OSS-Fuzz's, whose seeds lie in a zip beside it, and which opens
/// no file but those that it is given. `fuzz/build.sh` sets it while it builds.
const IS_AWAY: bool = option_env!("TANDEM_AWAY").is_some();

/// Fills the folder that libFuzzer was given as its corpus with the shipped seeds of the target, if it
/// is empty and the seeds are there. Never in a program that leaves the working copy. Returns the folder of a target that
/// has no shipped ones, if it is empty.
pub fn seed_empty_folder(target: &str) -> Option<PathBuf> {
    let folder = corpus_argument(std::env::args().skip(1)).filter(|_| !IS_AWAY)?;
    let is_empty = std::fs::read_dir(&folder).is_ok_and(|mut entries| entries.next().is_none());
    let shipped = shipped_corpus(target);
    if !is_empty || !shipped.exists() {
        return is_empty.then_some(folder);
    }
    match Corpus::load(&shipped).and_then(|corpus| export(&corpus, &folder, Beginning::Seeds)) {
        Ok(count) => {
            eprintln!(
                "tandem: {} was empty: wrote {count} seeds from {}",
                folder.display(),
                shipped.display()
            );
        }
        Err(error) => eprintln!("tandem: no seeds written: {error}"),
    }
    None
}

/// The database of shipped cases of a target in the working copy that this program was built from.
pub fn shipped_corpus(target: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus").join(format!("{target}.db"))
}

/// Flags under which the first folder is not one to begin with: the output of a merge (`cargo fuzz cmin`),
/// the folder of a child in fork mode.
const NO_SEEDS: [&str; 5] =
    ["-merge=1", "-set_cover_merge=1", "-merge_inner=1", "-minimize_crash=1", "-seed_inputs="];

/// The first folder among the arguments of a libFuzzer program that fuzzes: what is no flag.
fn corpus_argument(arguments: impl Iterator<Item = String>) -> Option<PathBuf> {
    let arguments: Vec<String> = arguments.collect();
    let is_other_work = |argument: &String| NO_SEEDS.iter().any(|flag| argument.starts_with(flag));
    if arguments.iter().any(is_other_work) {
        return None;
    }
    arguments.into_iter().find(|argument| !argument.starts_with('-')).map(PathBuf::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fuzzing_begins_with_seeds_and_regressions() {
        let mut corpus = Corpus::default();
        for (i, kind) in Kind::ALL.into_iter().enumerate() {
            let case = crate::TestCase::from_sql(format!("SELECT {i}"));
            assert!(corpus.insert(crate::corpus::Entry::new("sql", kind, "test", &case)));
        }
        let folder = std::env::temp_dir().join(format!("tandem-seeding-{}", std::process::id()));
        assert_eq!(export(&corpus, &folder, Beginning::Seeds).unwrap(), 2);
        assert_eq!(std::fs::read_dir(&folder).unwrap().count(), 2);
        assert_eq!(export(&corpus, &folder, Beginning::All).unwrap(), 3);
        std::fs::remove_dir_all(&folder).unwrap();
    }

    #[test]
    fn flags_are_no_folders() {
        let arguments = |list: &[&str]| corpus_argument(list.iter().map(|text| (*text).to_owned()));
        assert_eq!(arguments(&["-runs=1", "--", "corpus/x", "other"]), Some(PathBuf::from("corpus/x")));
        assert_eq!(arguments(&["-runs=1"]), None);
        assert_eq!(arguments(&["-merge=1", "out", "in"]), None);
        assert_eq!(arguments(&["-seed_inputs=@list", "job"]), None);
    }
}
