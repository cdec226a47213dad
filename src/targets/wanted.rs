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
    let header = folder.join("sqlite3.h");
    let text = std::fs::read(&header).map_err(|error| format!("{}: {error}", header.display()))?;
    let text = String::from_utf8_lossy(&text);
    let wanted = defined(&text, "SQLITE_SOURCE_ID")
        .ok_or_else(|| format!("{} defines no SQLITE_SOURCE_ID", header.display()))?;
    let here = sqlite::source_id();
    if here == wanted {
        return Ok(());
    }
    Err(format!(
        "this program was built with SQLite {here}, not with {wanted}. Build it again inside the project with \
         the variable set and without CC, or let `cargo fuzzcheck fuzz --sqlite DIR` do it"
    ))
}

/// The value of `#define NAME "value"` in a header.
pub fn defined<'t>(header: &'t str, name: &str) -> Option<&'t str> {
    let lines = header.lines().filter_map(|line| line.strip_prefix("#define ")?.strip_prefix(name));
    lines.filter(|rest| rest.starts_with([' ', '\t'])).find_map(|rest| rest.split('"').nth(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_sqlite_is_noticed() {
        let folder = std::env::temp_dir().join(format!("tandem-wanted-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let write = |id: &str| {
            std::fs::write(folder.join("sqlite3.h"), format!("#define SQLITE_SOURCE_ID      \"{id}\"\n"))
                .unwrap();
        };
        write(&sqlite::source_id());
        assert_eq!(check(&folder), Ok(()));
        write("2020-01-01 00:00:00 abc");
        assert!(check(&folder).unwrap_err().contains("not with 2020-01-01"));
        std::fs::write(folder.join("sqlite3.h"), "").unwrap();
        assert!(check(&folder).unwrap_err().contains("SQLITE_SOURCE_ID"));
        std::fs::remove_dir_all(&folder).unwrap();
        assert!(check(&folder).unwrap_err().contains("sqlite3.h"));
    }
}
