//! Whether a database is well-formed: to SQLite, to us, and in ways that neither checks.
//!
//! Each check finds things that the others miss. `integrity_check` trusts an edited schema: an index whose SQL loses a
//! column keeps it in its entries, each of which still begins with the right key, and the next DELETE reports
//! corruption. Nor does it read the values in a row beyond the columns of the schema, until ALTER TABLE adds a column
//! and they become its values. So the widths of records are compared with what SQLite expects.

use super::ffi::{Connection, process};
use super::{execution, settings};
use crate::dbfile::damage::{self, Assessment};
use crate::dbfile::page::BtreePage;
use crate::dbfile::{Geometry, record, tree};
use crate::engine::{Problem, Trace, Value};
use crate::sql;
use crate::testcase::{FileSet, MAIN_DB};

/// How many problems `PRAGMA integrity_check` is asked for at most.
const PROBLEMS_MAX: usize = 8;
/// Budget of the executor's own checks: generous, because they are not part of the case.
const CHECK_VM_STEPS: u64 = 2_000_000;
const CHECK_BYTES: u64 = 1 << 30;

/// Root pages, whether they belong to indexes, and how many columns SQLite expects in their records.
/// `pragma_index_xinfo` covers tables WITHOUT ROWID, too; columns with `hidden` = 2 are not stored.
const WIDTHS: &str = "SELECT 1, 0, 5 UNION ALL SELECT rootpage, type = 'index', \
                      max((SELECT count(*) FROM pragma_index_xinfo(m.name)), \
                      (SELECT count(*) FROM pragma_table_xinfo(m.name) AS x WHERE x.hidden <> 2)) \
                      FROM main.sqlite_master AS m WHERE rootpage > 0";

/// Root page, table and definition of each partial index.
const PARTIAL: &str = "SELECT rootpage, tbl_name, sql FROM main.sqlite_master AS m WHERE type = 'index' \
                       AND (SELECT partial FROM pragma_index_list(m.tbl_name, 'main') WHERE name = m.name)";

/// Our own check of the database `name`, without SQLite.
pub(super) fn assess(files: &FileSet, name: &str, lock_byte: u32) -> Assessment {
    let [image, log, journal] = files.database(name);
    let image = image.unwrap_or_default();
    match (log, journal) {
        (None, None) => damage::assess(image, lock_byte),
        (log, journal) => damage::assess_with(image, log, journal, lock_byte),
    }
}

/// What is wrong with the databases that are left, as [`crate::engine::Observation::left`] says. `content` is what a
/// file holds then.
pub(super) fn assess_left<'f>(
    left: impl Iterator<Item = (&'f str, &'f [u8])>,
    start: &FileSet,
    lock_byte: u32,
) -> Vec<(String, Assessment)> {
    let left: Vec<(&str, &[u8])> = left.collect();
    let was_sound = |name: &str| assess(start, name, lock_byte) == Assessment::Sound;
    // A fault may have kept SQLite from bringing what is in the WAL or the journal into the database.
    let beside = |name: &str, suffix: &str| {
        let is_it = |(other, _): &&(&str, &[u8])| other.strip_prefix(name) == Some(suffix);
        left.iter().find(is_it).map(|(_, content)| *content).filter(|content| !content.is_empty())
    };
    let assessed = |name: &str, image: &[u8]| match (beside(name, "-wal"), beside(name, "-journal")) {
        (None, None) => damage::assess(image, lock_byte),
        (log, journal) => damage::assess_with(image, log, journal, lock_byte),
    };
    let databases = left.iter().filter(|(name, _)| !name.contains('-') && was_sound(name));
    databases.map(|(name, image)| ((*name).to_owned(), assessed(name, image))).collect()
}

/// What `PRAGMA integrity_check` says about one database.
#[derive(Debug, Clone)]
pub(super) struct Checked {
    /// The problems, possibly none.
    pub problems: Vec<String>,
    /// See [`Problem::is_refusal`].
    is_refusal: bool,
}

/// Reads the schema again after a run that was interrupted. With `PRAGMA writable_schema` on, SQLite takes what it had
/// read of the schema before an error for all of it, and the pages of the other tables look as if nobody used them.
/// (See `RESET` at <https://sqlite.org/pragma.html#pragma_writable_schema>.)
pub(super) fn complete_schema(connection: &Connection<'_>) {
    settings::relax(connection);
    connection.watch().set_budget(CHECK_VM_STEPS, CHECK_BYTES);
    let is_writable = execution::query(connection, "PRAGMA writable_schema");
    if is_writable.is_some_and(|rows| matches!(rows[..], [ref row] if row[..] == [Value::Integer(1)])) {
        execution::query(connection, "PRAGMA writable_schema=RESET");
    }
}

/// The problems that `PRAGMA integrity_check` reports in one database; `None` if it does not run to its end.
/// The name of the database need not be UTF-8.
pub(super) fn integrity(connection: &Connection<'_>, database: &[u8]) -> Option<Checked> {
    settings::relax(connection);
    process::reset_heap_limit();
    connection.watch().set_budget(CHECK_VM_STEPS, CHECK_BYTES);
    let name = database.iter().flat_map(|&byte| std::iter::repeat_n(byte, 1 + usize::from(byte == b'"')));
    let name: Vec<u8> = name.collect();
    let check = format!("\".integrity_check({PROBLEMS_MAX})");
    let rows = execution::query(connection, &[&b"PRAGMA \""[..], &name, check.as_bytes()].concat());
    let Some(rows) = rows else {
        // If it is cut short by the budget, or cannot run for another reason (a collation that does not exist), it says
        // nothing; if SQLite finds damage on the way, that is a problem like any other.
        let is_damage = connection.error_code().tells_of_damage();
        return is_damage.then(|| Checked { problems: vec![connection.error_message()], is_refusal: true });
    };
    let problems = rows.into_iter().flatten().map(text).filter(|line| line != "ok").collect();
    Some(Checked { problems, is_refusal: false })
}

/// The problems of all databases of the connection; `None` if one of the checks does not run to its end. `main` is the
/// result for the main database. A file in which our own check found damage at the start is not asked about.
pub(super) fn all_problems(
    connection: &Connection<'_>,
    main: Option<Checked>,
    start: &FileSet,
    lock_byte: u32,
) -> Option<Vec<Problem>> {
    let in_database = |database: &str, file: &str, Checked { problems, is_refusal }: Checked| {
        let problem =
            |text| Problem { database: database.to_owned(), file: file.to_owned(), text, is_refusal };
        problems.into_iter().map(problem).collect::<Vec<Problem>>()
    };
    let mut all = in_database("main", MAIN_DB, main?);
    for row in execution::query(connection, "PRAGMA database_list").unwrap_or_default() {
        let [_, Value::Text(name), file] = <[Value; 3]>::try_from(row).ok()? else {
            return None;
        };
        let file = text(file);
        let is_known_damaged = matches!(assess(start, &file, lock_byte), Assessment::Damaged(_));
        if name != b"main" && !is_known_damaged {
            let checked = integrity(connection, &name)?;
            all.extend(in_database(&String::from_utf8_lossy(&name), &file, checked));
        }
    }
    Some(all)
}

/// What SQLite expects in a b-tree.
#[derive(Debug, Clone, Copy)]
pub(super) struct Width {
    root: u32,
    is_index: bool,
    columns: usize,
}

/// The widths of all b-trees, as SQLite derives them from the schema.
pub(super) fn widths(connection: &Connection<'_>) -> Option<Vec<Width>> {
    let rows = execution::query(connection, WIDTHS)?;
    let width = |row: Vec<Value>| match row[..] {
        [Value::Integer(root), Value::Integer(is_index), Value::Integer(columns)] => Some(Width {
            root: u32::try_from(root).ok()?,
            is_index: is_index != 0,
            columns: usize::try_from(columns).ok()?,
        }),
        _ => None,
    };
    rows.into_iter().map(width).collect()
}

/// Whether every record of the b-tree is complete and has the expected number of columns, or fewer in a table to which
/// columns were added.
pub(super) fn has_width(image: &[u8], width: &Width) -> bool {
    let geometry = Geometry::of(image);
    tree::pages(image, &geometry, width.root).into_iter().all(|number| {
        let page = BtreePage::parse(image, &geometry, number);
        page.is_some_and(|page| {
            page.cells().filter_map(|(offset, cell)| Some((offset, cell.payload?))).all(
                |(offset, payload)| {
                    let bytes = tree::payload(image, &geometry, number, offset, &payload);
                    let columns = record::columns(&bytes).len();
                    let fits =
                        if width.is_index { columns == width.columns } else { columns <= width.columns };
                    fits && record::is_whole(&bytes)
                },
            )
        })
    })
}

/// A partial index, and how many entries the rows of its table say that it has.
#[derive(Debug, Clone, Copy)]
pub(super) struct PartialIndex {
    root: u32,
    entries: i64,
}

/// All partial indexes: SQLite's `integrity_check` looks for the entries that they must have, and no longer whether they
/// have others. `None` if the rows of one cannot be counted.
pub(super) fn partial_indexes(connection: &Connection<'_>) -> Option<Vec<PartialIndex>> {
    let index = |row: Vec<Value>| {
        let [Value::Integer(root), Value::Text(table), Value::Text(sql)] = &row[..] else {
            return None;
        };
        let table = sql::quoted(str::from_utf8(table).ok()?, '"');
        let condition = str::from_utf8(condition_of(sql)?).ok()?;
        let count = format!("SELECT count(*) FROM main.{table} NOT INDEXED WHERE {condition}");
        match execution::query(connection, &count)?.first().map(Vec::as_slice) {
            Some([Value::Integer(entries)]) => {
                Some(PartialIndex { root: u32::try_from(*root).ok()?, entries: *entries })
            }
            _ => None,
        }
    };
    execution::query(connection, PARTIAL)?.into_iter().map(index).collect()
}

/// What a CREATE INDEX says behind its WHERE.
fn condition_of(sql: &[u8]) -> Option<&[u8]> {
    let mut depth = 0;
    for token in sql::tokenize(sql) {
        match &sql[token.range.clone()] {
            b"(" => depth += 1,
            b")" => depth -= 1,
            word if depth == 0 && word.eq_ignore_ascii_case(b"WHERE") => return sql.get(token.range.end..),
            _ => {}
        }
    }
    None
}

/// Whether the index has as many entries as it should have.
pub(super) fn has_its_entries(image: &[u8], index: &PartialIndex) -> bool {
    let geometry = Geometry::of(image);
    let cells = |number| Some(BtreePage::parse(image, &geometry, number)?.cells().count());
    let counts: Option<Vec<usize>> =
        tree::pages(image, &geometry, index.root).into_iter().map(cells).collect();
    counts.is_some_and(|counts| i64::try_from(counts.iter().sum::<usize>()) == Ok(index.entries))
}

/// True if a statement wrote, or may have.
pub(super) fn has_written(trace: &Trace) -> bool {
    trace.statements.iter().any(|statement| !statement.is_read_only)
}

pub(super) fn text(value: Value) -> String {
    match value {
        Value::Text(text) => String::from_utf8_lossy(&text).into_owned(),
        other => format!("{other:?}"),
    }
}
