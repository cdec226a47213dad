//! An amalgamation: `sqlite3.c` and `sqlite3.h` in one folder.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use tandem::targets::wanted;

use super::published;

/// The oldest release that is built: before it, functions are missing without which nothing runs.
const OLDEST: [u32; 3] = [3, 26, 0];
/// What stands in for API that an older release lacks.
const ABSENT_C: &str = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../.cargo/absent.c"));

/// An amalgamation.
#[derive(Debug, Clone)]
pub(crate) struct Sqlite {
    /// Where it lies.
    pub folder: PathBuf,
    /// As `sqlite3_libversion()` says it.
    pub version: String,
    /// As `sqlite3_sourceid()` says it.
    pub source_id: String,
    /// The words of the command line that name it.
    pub argument: String,
}

impl Sqlite {
    /// What names it on the command line: its version, or its folder.
    pub(super) fn name(&self) -> String {
        self.argument.split_once('=').map_or("", |(_, name)| name).to_owned()
    }

    /// That of a published release.
    ///
    /// # Errors
    /// As [`published::fetch`].
    pub(super) fn published(version: &str) -> Result<Self> {
        let found = Self::read(&published::fetch(version)?, format!("--sqlite-version={version}"))?;
        if found.version != version {
            bail!("the crate that should bundle SQLite {version} has {}", found.version);
        }
        Ok(found)
    }

    /// That of a folder.
    ///
    /// # Errors
    /// It holds none, or one that is too old.
    pub(super) fn in_folder(folder: &Path) -> Result<Self> {
        let whole = folder.canonicalize().with_context(|| format!("{}", folder.display()))?;
        let argument = format!("--sqlite={}", whole.display());
        Self::read(&whole, argument)
    }

    fn read(folder: &Path, argument: String) -> Result<Self> {
        let [code, header] = ["sqlite3.c", "sqlite3.h"].map(|name| folder.join(name));
        let text = |path: &Path| {
            let bytes = fs::read(path).with_context(|| {
                format!("{}: an amalgamation is sqlite3.c and sqlite3.h in one folder", path.display())
            })?;
            anyhow::Ok(String::from_utf8_lossy(&bytes).into_owned())
        };
        let (code, header_text) = (text(&code)?, text(&header)?);
        let defined = |name: &str| {
            let value = wanted::defined(&header_text, name);
            value.with_context(|| format!("{}: it does not define {name}", header.display()))
        };
        let version = defined("SQLITE_VERSION")?.to_owned();
        let source_id = defined("SQLITE_SOURCE_ID")?.to_owned();
        let number: Vec<u32> = version.split('.').filter_map(|part| part.parse().ok()).collect();
        if number.as_slice() < OLDEST.as_slice() {
            bail!(
                "{}: SQLite {version} is older than 3.26.0, the oldest that Tandem builds",
                folder.display()
            );
        }
        let absent = absent(&code);
        if !absent.is_empty() {
            eprintln!("fuzzcheck: SQLite {version} has no {}: cases run without", absent.join(", no "));
        }
        Ok(Self { folder: folder.to_owned(), version, source_id, argument })
    }
}

/// The functions of `.cargo/absent.c` that the text of an amalgamation does not mention.
fn absent(code: &str) -> Vec<&'static str> {
    let functions = ABSENT_C.lines().filter_map(|line| {
        let rest = line.strip_prefix("ABSENT ")?;
        rest.split(['(', ' ', '*']).find(|word| word.starts_with("sqlite3_") && *word != "sqlite3_int64")
    });
    functions.filter(|name| !code.contains(&format!("{name}("))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn amalgamation(version: &str) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("sqlite3.c"), "int sqlite3_hard_heap_limit64(int n){}").unwrap();
        let header = format!(
            "#define SQLITE_VERSION_NUMBER 1\n#define SQLITE_VERSION        \"{version}\"\n\
             #define SQLITE_SOURCE_ID      \"2020 abc\"\n"
        );
        fs::write(folder.path().join("sqlite3.h"), header).unwrap();
        folder
    }

    #[test]
    fn a_folder_says_which_sqlite_it_holds() {
        let folder = amalgamation("3.35.4");
        let sqlite = Sqlite::in_folder(folder.path()).unwrap();
        assert_eq!((sqlite.version.as_str(), sqlite.source_id.as_str()), ("3.35.4", "2020 abc"));
        let missing = absent(&fs::read_to_string(folder.path().join("sqlite3.c")).unwrap());
        assert!(
            missing.contains(&"sqlite3_error_offset") && missing.contains(&"sqlite3_db_name"),
            "{missing:?}"
        );
        assert!(!missing.contains(&"sqlite3_hard_heap_limit64") && missing.len() == 15, "{missing:?}");
        let message = |folder: &Path| format!("{:#}", Sqlite::in_folder(folder).unwrap_err());
        assert!(message(amalgamation("3.25.3").path()).contains("older than 3.26.0"));
        assert!(message(&folder.path().join("none")).contains("none"));
        fs::remove_file(folder.path().join("sqlite3.c")).unwrap();
        assert!(message(folder.path()).contains("sqlite3.c"));
    }
}
