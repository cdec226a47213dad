//! Files with one case.
//!
//! The target of a file is given by `--target`, or by its folder: one named after a target, as
//! `fuzz/corpus/db_sql`, or after a target and a configuration, as `fuzz/corpus/db_sql-3.40.0`. Then its bytes are read
//! as that fuzz target reads them, for which any bytes are a case: libFuzzer keeps what its own mutations make of an
//! envelope, and cuts what is longer than `-max_len`. Elsewhere the form of the file tells, and a damaged envelope is
//! an error.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, anyhow};
use tandem::TestCase;
use tandem::targets::{DB_FILE, DB_SQL, SQL, Target};
use tandem::testcase::{CASE_BYTES_MAX, DecodeError, Form};

use super::NamedCase;

/// Reads a file with one case; `target` is as in [`super::open`].
///
/// # Errors
/// If it cannot be read or decoded; with its name.
pub(crate) fn single(path: &Path, target: Option<&'static Target>) -> Result<NamedCase> {
    let content = read(path)?;
    let (target, case) = match target.or_else(|| target_of(path)) {
        // An empty file is none that a fuzzer left.
        Some(target) if !content.is_empty() => (target, (target.decode)(&content)),
        named => {
            let case = TestCase::decode_strict(&content).map_err(|error| refusal(path, &error))?;
            (named.unwrap_or_else(|| suited_to(Form::of(&content))), case)
        }
    };
    Ok(NamedCase { name: path.display().to_string(), target, case, heap_bytes: None, provenance: None })
}

fn read(path: &Path) -> Result<Vec<u8>> {
    let bytes = fs::metadata(path).with_context(|| format!("{}", path.display()))?.len();
    if bytes > CASE_BYTES_MAX as u64 {
        return Err(DecodeError::TooLarge { bytes }).with_context(|| format!("{}", path.display()));
    }
    fs::read(path).with_context(|| format!("{}", path.display()))
}

fn refusal(path: &Path, error: &DecodeError) -> anyhow::Error {
    let is_damaged = *error != DecodeError::Empty;
    let advice = "; in a folder named after a target it is read as that target reads it";
    anyhow!("{}: {error}{}", path.display(), if is_damaged { advice } else { "" })
}

/// The target after which the folder of a file is named, as libFuzzer's corpora and artifacts and exported cases lie.
/// Folders further up say nothing: a working copy may lie in one named `sql`.
fn target_of(path: &Path) -> Option<&'static Target> {
    let absolute = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    let folder = absolute.parent()?;
    let name = folder.file_name()?.to_str()?;
    let is_of_fuzzing = || folder.ancestors().nth(2).is_some_and(|folder| folder.ends_with("fuzz"));
    Target::by_name(name).or_else(|| target_named(name).filter(|_| is_of_fuzzing()))
}

/// The target that names a folder of its inputs, where that is of one build ([`crate::build::configuration::Configuration::name_of`]).
pub(crate) fn target_named(folder: &str) -> Option<&'static Target> {
    Target::by_name(folder.split('-').next()?)
}

/// What suits a form where nothing names a target.
fn suited_to(form: Form) -> &'static Target {
    match form {
        Form::Envelope | Form::Dbsqlfuzz => &DB_SQL,
        Form::Database => &DB_FILE,
        Form::Sql => &SQL,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What stands at `place` below a folder, read as a case.
    fn single_at(place: &str, content: &[u8]) -> Result<NamedCase> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(place);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, content).unwrap();
        single(&path, None)
    }

    #[test]
    fn the_folder_says_which_target_reads_a_file() {
        let whole = TestCase::from_sql("SELECT 1;").encode();
        let target = |place: &str| single_at(place, &whole).unwrap().target.name;
        assert_eq!(target("sql/x"), "sql");
        assert_eq!(target("fuzz/corpus/db_file-3.40.0/x"), "db_file");
        // That is a folder of somebody else's.
        assert_eq!(target("db_file-3.40.0/x"), "db_sql");
        assert_eq!(target("sql/inner/x"), "db_sql");
        // Settings in front of the text are a form that one target knows.
        let text = b"1\nSELECT 1;";
        assert_eq!(single_at("sql/x", text).unwrap().case, (SQL.decode)(text));
        assert_eq!(single_at("x.sql", text).unwrap().case, TestCase::from_sql(*text));
    }

    #[test]
    fn a_damaged_envelope_is_a_case_of_a_target_only() {
        let whole = TestCase::from_sql("SELECT 1; SELECT 2;").encode();
        let cut = &whole[..whole.len() - 5];
        for place in ["db_sql/x", "sql/x", "fuzz/corpus/db_sql-3.40.0/x"] {
            assert_eq!(single_at(place, cut).unwrap().case, TestCase::decode(cut), "{place}");
        }
        let error = single_at("cases/x", cut).err().unwrap().to_string();
        assert!(error.contains("truncated") && error.contains("named after a target"), "{error}");
        let error = single_at("db_sql/x", b"").err().unwrap().to_string();
        assert!(error.ends_with("a case needs at least one byte"), "{error}");
    }
}
