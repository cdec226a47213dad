//! Whether lanes agree: the same case must do the same in every build of the same SQLite.
//!
//! What is compared is the [`CaseDigest`]: result codes and rows of each statement, then the files. A difference
//! between lanes that do not change SQLite is undefined behaviour at work, in SQLite or in the harness, or a sanitizer
//! that looks at the stack or the heap of a case that SQLite let grow. SQLITE_DEBUG does change SQLite; what it may
//! change is excused, with the reason:
//! 1. `EXPLAIN` and the tables and functions that show bytecode have comments in a debug build;
//! 2. what tells of the build tells of another one;
//! 3. structures are larger, so that limits on memory are reached elsewhere.

use crate::build::lane::Lane;
use crate::replay::protocol::{CaseDigest, StatementDigest};

/// What comparing a case gives.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Comparison {
    /// Both did the same.
    Equal,
    /// They may differ, for this reason; nothing behind that was compared.
    Excused(&'static str),
    /// They differ.
    Different(String),
}

/// Words of statements that show what a debug build does otherwise.
const TELLS_OF_THE_BUILD: [&str; 14] = [
    "compile_options",
    "compileoption",
    "pragma_list",
    "function_list",
    "module_list",
    "bytecode",
    "tables_used",
    "sqlite_stmt",
    "explain",
    "vdbe_",
    "parser_trace",
    "sqlite_memory",
    "page_cache",
    "stats",
];
/// `SQLITE_NOMEM`, whatever the extended code.
const NOMEM: i32 = 7;

/// Compares what a case with this script did in a lane with what it did in the first one.
pub(crate) fn compare(script: &[u8], first: &CaseDigest, other: &CaseDigest, lane: Lane) -> Comparison {
    if first == other {
        return Comparison::Equal;
    }
    let pairs = first.statements.iter().zip(&other.statements);
    let differing = pairs.clone().find(|(a, b)| a != b);
    if lane.changes_semantics()
        && let Some(reason) = excuse(script, first, other, differing)
    {
        return Comparison::Excused(reason);
    }
    Comparison::Different(match differing {
        Some((a, b)) => format!("{}: {} against {}", text(script, a), shown(a), shown(b)),
        None if first.statements.len() != other.statements.len() => {
            format!("{} statements against {}", first.statements.len(), other.statements.len())
        }
        None if first.files != other.files => "the files that are left differ".to_owned(),
        None => "the budget ended one of the runs".to_owned(),
    })
}

fn excuse(
    script: &[u8],
    first: &CaseDigest,
    other: &CaseDigest,
    differing: Option<(&StatementDigest, &StatementDigest)>,
) -> Option<&'static str> {
    if first.is_cut_short || other.is_cut_short {
        return Some("cut short by the budget");
    }
    // A trigger or a view may call what tells of the build, too: the whole script is looked at.
    let script = String::from_utf8_lossy(script).to_ascii_lowercase();
    if TELLS_OF_THE_BUILD.iter().any(|word| script.contains(word)) {
        return Some("the script asks for what a debug build does otherwise");
    }
    let ran_out = |statement: &StatementDigest| statement.code & 0xff == NOMEM;
    let (a, b) = differing?;
    (ran_out(a) || ran_out(b)).then_some("a limit on memory was reached")
}

fn text(script: &[u8], statement: &StatementDigest) -> String {
    let sql = script.get(statement.sql.clone()).unwrap_or_default();
    let sql = String::from_utf8_lossy(sql.trim_ascii());
    if sql.is_empty() { statement.verb.clone() } else { sql.chars().take(200).collect() }
}

fn shown(statement: &StatementDigest) -> String {
    let StatementDigest { code, rows, values, .. } = statement;
    format!("code {code}, {rows} rows ({values:016x})")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn digest(code: i32, values: u64, files: u64) -> CaseDigest {
        let statement = StatementDigest { verb: "SELECT".to_owned(), sql: 0..8, code, rows: 1, values };
        CaseDigest { statements: vec![statement], files, is_cut_short: false }
    }

    #[test]
    fn differences_are_named_and_debug_builds_excused() {
        let (one, two) = (digest(101, 5, 1), digest(101, 6, 1));
        let compared = |script: &[u8], lane| compare(script, &one, &two, lane);
        assert_eq!(compare(b"SELECT 1", &one, &one, Lane::Asan), Comparison::Equal);
        let expected =
            "SELECT 1: code 101, 1 rows (0000000000000005) against code 101, 1 rows (0000000000000006)";
        for lane in [Lane::Asan, Lane::Debug] {
            assert_eq!(compared(b"SELECT 1", lane), Comparison::Different(expected.to_owned()));
        }
        let asks = b"PRAGMA compile_options";
        assert!(matches!(compared(asks, Lane::Asan), Comparison::Different(_)));
        assert!(matches!(compared(asks, Lane::Debug), Comparison::Excused(_)));
        let out_of_memory = compare(b"SELECT 1", &one, &digest(7, 5, 1), Lane::Memdebug);
        assert_eq!(out_of_memory, Comparison::Excused("a limit on memory was reached"));
        let files = compare(b"SELECT 1", &one, &digest(101, 5, 2), Lane::Debug);
        assert_eq!(files, Comparison::Different("the files that are left differ".to_owned()));
        let short = CaseDigest { is_cut_short: true, ..one.clone() };
        assert!(matches!(compare(b"", &one, &short, Lane::Debug), Comparison::Excused(_)));
        assert!(matches!(compare(b"", &one, &short, Lane::Ubsan), Comparison::Different(_)));
    }
}
