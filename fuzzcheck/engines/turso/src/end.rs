//! The final state of a run: as Turso reads it, and whether SQLite reads the same from the file.

use tandem::TestCase;
use tandem::engine::sqlite::{Budget, Executor};
use tandem::engine::transcript::{EndState, RowsDigest, TableDigest};
use tandem::engine::{Engine, Value};
use tandem::testcase::{FileName, MAIN_DB};

use crate::disk::Disk;
use crate::session::Session;

/// VM steps that reading the schema and all tables may take: generous, for it is no part of the case.
const READ_VM_STEPS: u64 = 2_000_000;

/// Without what Turso keeps there for itself, as SQLite does in `sqlite_sequence`.
const SCHEMA: &str = "\
SELECT type, name, tbl_name, coalesce(sql, '') FROM main.sqlite_master \
WHERE substr(name, 1, 17) <> '__turso_internal_'";

/// What the connection sees, an open transaction included; `None` if it cannot be read.
pub(crate) fn read(session: &Session<'_>) -> Option<EndState> {
    session.set_budget(READ_VM_STEPS);
    let rows = session.query(SCHEMA)?;
    let mut schema: Vec<[String; 4]> =
        rows.into_iter().filter_map(|row| Some(<[Value; 4]>::try_from(row).ok()?.map(text))).collect();
    schema.sort();
    let names = schema.iter().filter(|[kind, ..]| kind == "table").map(|[_, name, ..]| name);
    let mut tables: Vec<TableDigest> = names.filter_map(|name| table(session, name)).collect();
    tables.sort_by(|a, b| a.name.cmp(&b.name));
    session.set_budget(READ_VM_STEPS);
    Some(EndState { schema, tables, integrity: integrity(session) })
}

/// The content of a table, if it can be read.
fn table(session: &Session<'_>, name: &str) -> Option<TableDigest> {
    let quoted = format!("main.\"{}\"", name.replace('"', "\"\""));
    let digest = |rows: &[Vec<Value>], from: usize| {
        let mut digest = RowsDigest::default();
        rows.iter().for_each(|row| digest.add(row.get(from..).unwrap_or_default()));
        digest
    };
    if let Some(rows) = session.query(&format!("SELECT rowid, * FROM {quoted}")) {
        let with_rowid = Some(digest(&rows, 0));
        return Some(TableDigest { name: name.to_owned(), rows: digest(&rows, 1), with_rowid });
    }
    let rows = session.query(&format!("SELECT * FROM {quoted}"))?;
    Some(TableDigest { name: name.to_owned(), rows: digest(&rows, 0), with_rowid: None })
}

fn integrity(session: &Session<'_>) -> Option<Vec<String>> {
    let rows = session.query("PRAGMA main.integrity_check")?;
    let lines = rows.into_iter().filter_map(|row| row.into_iter().next()).map(text);
    Some(lines.filter(|line| line != "ok").collect())
}

fn text(value: Value) -> String {
    match value {
        Value::Text(bytes) => String::from_utf8_lossy(&bytes).into_owned(),
        other => format!("{other:?}"),
    }
}

/// What SQLite finds wrong with the file that Turso leaves: damage, or rows other than those that Turso reads
/// itself. The log is written into the file first; in a transaction nothing is looked at.
pub(crate) fn check_file(
    session: &Session<'_>,
    disk: &Disk,
    end: &EndState,
    sqlite: &mut Executor,
) -> Vec<String> {
    if !session.connection().get_auto_commit() {
        return Vec::new();
    }
    // Where that fails, the log is still beside the database, and SQLite reads both.
    session.query("PRAGMA wal_checkpoint(TRUNCATE)");
    let mut case = TestCase::default();
    for name in [FileName::main(), FileName::wal()] {
        if let Some(content) = disk.content(name.as_str()).filter(|content| !content.is_empty()) {
            case.files.insert(name, content);
        }
    }
    if case.files.get(MAIN_DB).is_none() {
        return Vec::new();
    }
    let seen = sqlite.transcript(&case, &Budget::UNLIMITED).end;
    let Some(seen) = seen else {
        return vec!["SQLite cannot read the file".to_owned()];
    };
    let mut problems = seen.integrity.unwrap_or_default();
    let differs = |table: &&TableDigest| {
        let other = seen.tables.iter().find(|other| other.name == table.name);
        other.is_some_and(|other| !other.rows.is_same_multiset(&table.rows))
    };
    let tables = end.tables.iter().filter(differs);
    problems.extend(tables.map(|table| format!("SQLite reads other rows from the table {}", table.name)));
    problems
}
