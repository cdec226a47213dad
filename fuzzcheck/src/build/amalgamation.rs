//! An amalgamation: `sqlite3.c` and `sqlite3.h` in one folder.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use tandem::targets::wanted;

use super::published;

/// The oldest supported release: older ones lack functions that we need.
const OLDEST: [u32; 3] = [3, 26, 0];
/// Replacements for API that an older release lacks.
const ABSENT_C: &str = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../.cargo/absent.c"));

/// An amalgamation.
#[derive(Debug, Clone)]
pub(crate) struct Sqlite {
    /// Its path.
    pub folder: PathBuf,
    /// As `sqlite3_libversion()` says it.
    pub version: String,
    /// What `sqlite3_sourceid()` may say, the most likely first: an edited amalgamation reports the other
    /// of the two.
    pub source_ids: Vec<String>,
    /// The argument that selects it.
    pub argument: String,
    /// Its name among releases, if it is one.
    pub release: Option<String>,
}

impl Sqlite {
    /// Its name on the command line: its version, or its folder.
    pub(super) fn name(&self) -> String {
        self.argument.split_once('=').map_or("", |(_, name)| name).to_owned()
    }

    /// Its title: its name as a release, or its version.
    pub(crate) fn title(&self) -> &str {
        self.release.as_ref().unwrap_or(&self.version)
    }

    /// That of a published release.
    ///
    /// # Errors
    /// As [`published::fetch`].
    pub(super) fn published(version: &str) -> Result<Self> {
        let found = Self::read(&published::fetch(version)?, format!("--sqlite-version={version}"))?;
        if found.version != version {
            bail!("the crate that should bundle SQLite {version} bundles {}", found.version);
        }
        Ok(Self { release: Some(version.to_owned()), ..found })
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
        let (code_text, header_text) = (text(&code)?, text(&header)?);
        let defined = |name: &str| {
            let value = wanted::defined(&header_text, name);
            value.with_context(|| format!("{}: does not define {name}", header.display()))
        };
        let version = defined("SQLITE_VERSION")?.to_owned();
        let mut source_ids = wanted::source_ids(&code_text);
        if source_ids.is_empty() {
            bail!("{}: does not define SQLITE_SOURCE_ID", code.display());
        }
        if is_edited(&code_text) {
            source_ids.reverse();
        }
        let number: Vec<u32> = version.split('.').filter_map(|part| part.parse().ok()).collect();
        if number.as_slice() < OLDEST.as_slice() {
            bail!(
                "{}: SQLite {version} is older than 3.26.0, the oldest that Tandem builds",
                folder.display()
            );
        }
        let absent = absent(&code_text);
        if !absent.is_empty() {
            eprintln!("fuzzcheck: SQLite {version} has no {}; cases run without", absent.join(", no "));
        }
        Ok(Self { folder: folder.to_owned(), version, source_ids, argument, release: None })
    }
}

/// Whether the number of lines of an amalgamation has changed since it was made; it checks that itself.
fn is_edited(code: &str) -> bool {
    let counted = (1..).zip(code.lines()).find_map(|(number, line)| {
        let expected: u64 = line.strip_prefix("#if __LINE__!=")?.trim().parse().ok()?;
        Some(number != expected)
    });
    counted.unwrap_or(false)
}

/// The functions of `.cargo/absent.c` that the text of an amalgamation does not mention.
fn absent(code: &str) -> Vec<&'static str> {
    let functions = ABSENT_C.lines().filter_map(|line| {
        let rest = line.strip_prefix("ABSENT ")?;
        let name =
            rest.split(['(', ' ', '*']).find(|word| word.starts_with("sqlite3") && *word != "sqlite3_int64");
        name.filter(|name| name.starts_with("sqlite3_"))
    });
    functions.filter(|name| !code.contains(&format!("{name}("))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn amalgamation(version: &str) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        let code = "int sqlite3_hard_heap_limit64(int n){}\n#define SQLITE_SOURCE_ID      \"2020 abcd\"\n\
            #if __LINE__!=3\n#define SQLITE_SOURCE_ID      \"2020 alt2\"\n#endif\n";
        fs::write(folder.path().join("sqlite3.c"), code).unwrap();
        let header =
            format!("#define SQLITE_VERSION_NUMBER 1\n#define SQLITE_VERSION        \"{version}\"\n");
        fs::write(folder.path().join("sqlite3.h"), header).unwrap();
        folder
    }

    #[test]
    fn a_folder_says_which_sqlite_it_holds() {
        let folder = amalgamation("3.35.4");
        let sqlite = Sqlite::in_folder(folder.path()).unwrap();
        assert_eq!(sqlite.version, "3.35.4");
        assert_eq!(sqlite.source_ids, ["2020 abcd", "2020 alt2"]);
        let code = folder.path().join("sqlite3.c");
        fs::write(&code, "\n".to_owned() + &fs::read_to_string(&code).unwrap()).unwrap();
        assert_eq!(Sqlite::in_folder(folder.path()).unwrap().source_ids, ["2020 alt2", "2020 abcd"]);
        let missing = absent(&fs::read_to_string(folder.path().join("sqlite3.c")).unwrap());
        assert!(
            missing.contains(&"sqlite3_error_offset") && missing.contains(&"sqlite3_db_name"),
            "{missing:?}"
        );
        assert!(!missing.contains(&"sqlite3_hard_heap_limit64") && missing.len() == 33, "{missing:?}");
        let message = |folder: &Path| format!("{:#}", Sqlite::in_folder(folder).unwrap_err());
        assert!(message(amalgamation("3.25.3").path()).contains("older than 3.26.0"));
        assert!(message(&folder.path().join("none")).contains("none"));
        fs::remove_file(folder.path().join("sqlite3.c")).unwrap();
        assert!(message(folder.path()).contains("sqlite3.c"));
    }
}
