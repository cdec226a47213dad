//! Compares builds: a case must behave the same in every build of the same SQLite.
//!
//! What is compared is the [`CaseDigest`]: result codes and rows of each statement, then the files. A difference
//! between builds that do not change SQLite means undefined behavior, in SQLite or in the harness, or a sanitizer
//! that checks the stack or the heap of a case that SQLite let grow. Expected differences are excused, with the reason.
//!
//! In every build, statements that show compile options show another compiler. With SQLITE_DEBUG, which does
//! change SQLite:
//! 1. `EXPLAIN` and the tables and functions that show bytecode have comments in a debug build;
//! 2. statements that depend on the build differ;
//! 3. structures are larger, so that limits on memory are reached elsewhere;
//! 4. a page of a damaged database is looked at more closely, and what lies behind it is not made zero
//!    (`engine::sqlite`'s page cache cannot stand before one that asserts page sizes).

use tandem::TestCase;
use tandem::dbfile::damage::{Assessment, assess_with};
use tandem::testcase::{JOURNAL, WAL};

use crate::build_kind::BuildKind;
use crate::replay::protocol::{CaseDigest, StatementDigest};

/// The result of comparing a case.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Comparison {
    /// Both did the same.
    Equal,
    /// They may differ, for this reason; nothing after that was compared.
    Excused(&'static str),
    /// They differ.
    Different(String),
}

/// Words of statements that show with which compiler SQLite was built.
const TELLS_OF_THE_COMPILER: [&str; 2] = ["compile_options", "compileoption"];
/// Words of statements that show what a debug build does differently.
const TELLS_OF_THE_BUILD: [&str; 12] = [
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

/// Compares what a case did in a build with what it did in the first one.
pub(crate) fn compare(
    case: &TestCase,
    first: &CaseDigest,
    other: &CaseDigest,
    build: BuildKind,
) -> Comparison {
    if first == other {
        return Comparison::Equal;
    }
    let script = case.sql.as_bytes();
    // An excused statement does not excuse the next one.
    let mut excused = None;
    for (a, b) in first.statements.iter().zip(&other.statements).filter(|(a, b)| a != b) {
        let sql = script.get(a.sql.clone()).unwrap_or_default();
        match excuse_statement(sql, a, b, build) {
            Some(reason) => _ = excused.get_or_insert(reason),
            None => {
                let what = format!("{}: {} against {}", text(script, a), shown(a), shown(b));
                return excuse_case(case, first, other, build).unwrap_or(Comparison::Different(what));
            }
        }
    }
    if let Some(reason) = excused {
        return Comparison::Excused(reason);
    }
    let what = if first.statements.len() != other.statements.len() {
        format!("{} statements against {}", first.statements.len(), other.statements.len())
    } else if first.files != other.files {
        "the final files differ".to_owned()
    } else {
        "the budget ended one of the runs".to_owned()
    };
    excuse_case(case, first, other, build).unwrap_or(Comparison::Different(what))
}

/// Why one statement may have another result there.
fn excuse_statement(
    sql: &[u8],
    a: &StatementDigest,
    b: &StatementDigest,
    build: BuildKind,
) -> Option<&'static str> {
    if mentions(sql, &TELLS_OF_THE_COMPILER) {
        return Some("a statement asks for the compile options");
    }
    let is_out_of_memory = |statement: &StatementDigest| statement.code & 0xff == NOMEM;
    match build.changes_semantics() {
        true if a.verb == "EXPLAIN" || mentions(sql, &TELLS_OF_THE_BUILD) => {
            Some("a statement asks for what a debug build does otherwise")
        }
        true if is_out_of_memory(a) || is_out_of_memory(b) => Some("a limit on memory was reached"),
        _ => None,
    }
}

/// Why a case may do something else in another build: above all in one with SQLITE_DEBUG.
fn excuse_case(
    case: &TestCase,
    first: &CaseDigest,
    other: &CaseDigest,
    build: BuildKind,
) -> Option<Comparison> {
    if !case.faults.is_empty() {
        // They are counted from operation to operation, and call sites by what was inlined.
        return Some(Comparison::Excused("planned faults"));
    }
    if !build.changes_semantics() {
        return None;
    }
    if first.is_cut_short || other.is_cut_short {
        return Some(Comparison::Excused("cut short by the budget"));
    }
    if is_damaged(case) {
        return Some(Comparison::Excused("the database is damaged at the start"));
    }
    // A view or a trigger may ask for it where the statement does not.
    let is_told = mentions(case.sql.as_bytes(), &TELLS_OF_THE_BUILD);
    is_told.then_some(Comparison::Excused(
        "a view, a trigger or a table contains something that differs in a debug build",
    ))
}

/// Whether a text has one of these words.
fn mentions(text: &[u8], words: &[&str]) -> bool {
    let text = String::from_utf8_lossy(text).to_ascii_lowercase();
    words.iter().any(|word| text.contains(word))
}

/// Whether the database of a case is damaged at the start, as far as can be told.
fn is_damaged(case: &TestCase) -> bool {
    let image = case.files.main().unwrap_or_default();
    let assessment =
        assess_with(image, case.files.get(WAL), case.files.get(JOURNAL), case.config.lock_byte());
    !case.files.is_empty() && assessment != Assessment::Sound
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
    use tandem::testcase::{Fault, FaultPlan, Lasts, Phase};

    fn digest(code: i32, values: u64, files: u64) -> CaseDigest {
        let statement = StatementDigest { verb: "SELECT".to_owned(), sql: 0..22, code, rows: 1, values };
        CaseDigest { statements: vec![statement], files, is_cut_short: false }
    }

    #[test]
    fn differences_are_named_and_debug_builds_excused() {
        let (one, two) = (digest(101, 5, 1), digest(101, 6, 1));
        let script = |text: &str| TestCase::from_sql(format!("{text:<22}"));
        let select = script("SELECT 1");
        let compared = |text: &str, build| compare(&script(text), &one, &two, build);
        assert_eq!(compare(&select, &one, &one, BuildKind::Asan), Comparison::Equal);
        let expected =
            "SELECT 1: code 101, 1 rows (0000000000000005) against code 101, 1 rows (0000000000000006)";
        for build in [BuildKind::Asan, BuildKind::Debug] {
            assert_eq!(compared("SELECT 1", build), Comparison::Different(expected.to_owned()));
        }
        assert!(matches!(compared("PRAGMA compile_options", BuildKind::Asan), Comparison::Excused(_)));
        let asks = "EXPLAIN SELECT 1";
        assert!(matches!(compared(asks, BuildKind::Asan), Comparison::Different(_)));
        assert!(matches!(compared(asks, BuildKind::Debug), Comparison::Excused(_)));
        // Faults are met elsewhere in another build.
        let fault = Fault::Interrupt { nth: 1, lasts: Lasts::Once, phase: Phase::Run };
        let planned = TestCase { faults: FaultPlan::new([fault]), ..select.clone() };
        let expected = Comparison::Excused("planned faults");
        assert_eq!(compare(&planned, &one, &two, BuildKind::Asan), expected);
        assert_eq!(compare(&planned, &one, &one, BuildKind::Asan), Comparison::Equal);
        // What follows such a statement is looked at all the same.
        let twice = |first: &CaseDigest, values| {
            let mut both = first.clone();
            both.statements.push(StatementDigest {
                verb: "SELECT".to_owned(),
                sql: 0..0,
                code: 101,
                rows: 1,
                values,
            });
            both
        };
        let behind =
            compare(&script("PRAGMA vdbe_trace"), &twice(&one, 1), &twice(&two, 2), BuildKind::Debug);
        assert!(matches!(
            behind,
            Comparison::Excused(
                "a view, a trigger or a table contains something that differs in a debug build"
            )
        ));
        let behind =
            compare(&script("PRAGMA compile_options"), &twice(&one, 1), &twice(&two, 2), BuildKind::Asan);
        assert!(matches!(behind, Comparison::Different(_)));
        let out_of_memory = compare(&select, &one, &digest(7, 5, 1), BuildKind::Memdebug);
        assert_eq!(out_of_memory, Comparison::Excused("a limit on memory was reached"));
        let files = compare(&select, &one, &digest(101, 5, 2), BuildKind::Debug);
        assert_eq!(files, Comparison::Different("the final files differ".to_owned()));
        let short = CaseDigest { is_cut_short: true, ..one.clone() };
        assert!(matches!(compare(&select, &one, &short, BuildKind::Debug), Comparison::Excused(_)));
        assert!(matches!(compare(&select, &one, &short, BuildKind::Ubsan), Comparison::Different(_)));
        let mut damaged = select;
        damaged.files.insert(tandem::testcase::FileName::main(), vec![7; 1024]);
        assert!(matches!(compare(&damaged, &one, &two, BuildKind::Debug), Comparison::Excused(_)));
        assert!(matches!(compare(&damaged, &one, &two, BuildKind::Asan), Comparison::Different(_)));
    }
}
