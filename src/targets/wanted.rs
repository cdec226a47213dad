//! Whether a target holds the SQLite that `TANDEM_SQLITE` asks for.
//!
//! Cargo builds again when that variable changes, but only where `.cargo/cc` compiles: with `CC` set to something else, or
//! a program that was built before, the SQLite that is fuzzed would silently be another one.

use std::path::Path;

use crate::engine::sqlite;

/// The folder of the amalgamation that is to be fuzzed.
pub(super) const VARIABLE: &str = "TANDEM_SQLITE";

/// Sees that SQLite in this program is the one of `folder`.
///
/// # Errors
/// It is another, or `folder` does not say which it holds.
pub(super) fn check(folder: &Path) -> Result<(), String> {
    let code = folder.join("sqlite3.c");
    let text = std::fs::read(&code).map_err(|error| format!("{}: {error}", code.display()))?;
    let wanted = source_ids(&String::from_utf8_lossy(&text));
    let here = sqlite::source_id();
    if wanted.contains(&here) {
        return Ok(());
    }
    if wanted.is_empty() {
        return Err(format!("{} defines no SQLITE_SOURCE_ID", code.display()));
    }
    Err(format!(
        "this program was built with SQLite {here}, not with {}. Build it again inside the project with \
         the variable set and without CC, or let `cargo fuzzcheck fuzz --sqlite DIR` do it",
        wanted.join(" or ")
    ))
}

/// What `sqlite3_sourceid()` of an amalgamation may say. It counts its lines, and where somebody has edited it, it calls
/// itself by a second id, which ends in `alt2`.
pub fn source_ids(code: &str) -> Vec<String> {
    let mut ids: Vec<String> = values(code, "SQLITE_SOURCE_ID").map(str::to_owned).collect();
    ids.dedup();
    ids
}

/// The value of `#define NAME "value"` in a header.
pub fn defined<'t>(header: &'t str, name: &str) -> Option<&'t str> {
    values(header, name).next()
}

/// Its values, where it is defined more than once.
fn values<'t>(text: &'t str, name: &str) -> impl Iterator<Item = &'t str> {
    let lines = text.lines().filter_map(move |line| line.strip_prefix("#define ")?.strip_prefix(name));
    lines.filter(|rest| rest.starts_with([' ', '\t'])).filter_map(|rest| rest.split('"').nth(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_sqlite_is_noticed() {
        let folder = std::env::temp_dir().join(format!("tandem-wanted-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let write = |ids: &[&str]| {
            let lines = ids.iter().map(|id| format!("#define SQLITE_SOURCE_ID      \"{id}\"\n"));
            std::fs::write(folder.join("sqlite3.c"), lines.collect::<String>()).unwrap();
        };
        let here = sqlite::source_id();
        write(&[&here, "2020-01-01 00:00:00 alt2"]);
        assert_eq!(check(&folder), Ok(()));
        // An edited one.
        write(&["2020-01-01 00:00:00 abcd", &here]);
        assert_eq!(check(&folder), Ok(()));
        write(&["2020-01-01 00:00:00 abcd", "2020-01-01 00:00:00 alt2"]);
        assert!(check(&folder).unwrap_err().contains("not with 2020-01-01 00:00:00 abcd or 2020"));
        write(&[]);
        assert!(check(&folder).unwrap_err().contains("SQLITE_SOURCE_ID"));
        std::fs::remove_dir_all(&folder).unwrap();
        assert!(check(&folder).unwrap_err().contains("sqlite3.c"));
    }
}
