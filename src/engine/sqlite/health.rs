//! Whether a database is well-formed: as SQLite sees it, as we see it, and in what neither looks at.
//!
//! Each sees what the others do not. `integrity_check` believes a schema that was edited: an index that
//! loses a column in its SQL keeps it in its entries, each of which still begins with the key that belongs
//! there, and the next DELETE reports corruption. Nor does it read what stands in a row of a table behind the
//! columns of the schema, until ALTER TABLE adds one and takes that for its values. So the widths of records are
//! compared with what SQLite takes them to be.

use super::ffi::{Connection, process};
use super::{execution, settings};
use crate::dbfile::damage::{self, Assessment};
use crate::dbfile::page::BtreePage;
use crate::dbfile::{Geometry, record, tree};
use crate::engine::{Trace, Value};
use crate::testcase::{FileSet, JOURNAL, WAL};

/// Most problems that are asked of `PRAGMA integrity_check`.
const PROBLEMS_MAX: usize = 8;
/// Budget of the executor's own checks: generous, for they are no part of the case.
const CHECK_VM_STEPS: u64 = 2_000_000;
const CHECK_BYTES: u64 = 1 << 30;

/// Root pages, whether they are those of indexes, and how many columns SQLite takes their records to have.
/// `pragma_index_xinfo` knows tables WITHOUT ROWID, too; columns that are hidden as 2 are not stored.
const WIDTHS: &str = "SELECT 1, 0, 5 UNION ALL SELECT rootpage, type = 'index', \
                      max((SELECT count(*) FROM pragma_index_xinfo(m.name)), \
                      (SELECT count(*) FROM pragma_table_xinfo(m.name) AS x WHERE x.hidden <> 2)) \
                      FROM main.sqlite_master AS m WHERE rootpage > 0";

/// What the database shows without SQLite's help.
pub(super) fn assess_start(files: &FileSet, lock_byte: u32) -> Assessment {
    let image = files.main().unwrap_or_default();
    match (files.get(WAL), files.get(JOURNAL)) {
        (None, None) => damage::assess(image, lock_byte),
        (log, journal) => damage::assess_with(image, log, journal, lock_byte),
    }
}

/// What `PRAGMA integrity_check` finds wrong, empty for nothing; `None` if it does not run to its
/// end.
pub(super) fn integrity(connection: &Connection<'_>) -> Option<Vec<String>> {
    settings::relax(connection);
    process::reset_heap_limit();
    connection.watch().set_budget(CHECK_VM_STEPS, CHECK_BYTES);
    let rows = execution::query(connection, &format!("PRAGMA main.integrity_check({PROBLEMS_MAX})"));
    let Some(rows) = rows else {
        // Cut short by the budget, or kept from running by something else (a collation that does not
        // exist), it says nothing; that SQLite finds damage on the way is a problem like any other.
        let is_damage = connection.error_code().tells_of_damage();
        return is_damage.then(|| vec![connection.error_message()]);
    };
    Some(rows.into_iter().flatten().map(text).filter(|line| line != "ok").collect())
}

/// What SQLite takes a b-tree to hold.
#[derive(Debug, Clone, Copy)]
pub(super) struct Width {
    root: u32,
    is_index: bool,
    columns: usize,
}

/// The widths of all b-trees, as SQLite takes them from the schema.
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

/// Whether every record of the b-tree is whole, and has so many columns; in a table it may have fewer, to
/// which some were added.
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
