//! Whether a database is well-formed: as SQLite sees it, as we see it, and in what neither looks at.
//!
//! Each sees what the others do not. `integrity_check` believes a schema that was edited: an index that
//! loses a column in its SQL keeps it in its entries, each of which still begins with the key that belongs
//! there, and the next DELETE reports corruption. So the width of index entries is compared with what SQLite
//! takes the index to have.

use super::ffi::{Connection, process};
use super::{session, settings};
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

/// Root pages of indexes and how many columns their entries have.
const INDEX_WIDTHS: &str = "SELECT m.rootpage, count(*) FROM main.sqlite_schema AS m, \
                            pragma_index_xinfo(m.name) WHERE m.type='index' GROUP BY m.rowid";

/// What the database shows without SQLite's help.
pub(super) fn assess_start(files: &FileSet, lock_byte: u32) -> Assessment {
    let image = files.main().unwrap_or_default();
    match (files.get(WAL), files.get(JOURNAL)) {
        (None, None) => damage::assess(image, lock_byte),
        (log, journal) => damage::assess_with(image, log, journal, lock_byte),
    }
}

/// What `PRAGMA integrity_check` finds wrong, empty for nothing; `None` where it does not run to its
/// end.
pub(super) fn integrity(connection: &Connection<'_>) -> Option<Vec<String>> {
    settings::relax(connection);
    process::reset_heap_limit();
    connection.watch().set_budget(CHECK_VM_STEPS, CHECK_BYTES);
    let rows = session::query(connection, &format!("PRAGMA main.integrity_check({PROBLEMS_MAX})"));
    let Some(rows) = rows else {
        // Cut short by the budget, or kept from running by something else (a collation that does not
        // exist), it says nothing; that SQLite finds damage on the way is a problem like any other.
        let is_damage = connection.error_code().tells_of_damage();
        return is_damage.then(|| vec![connection.error_message()]);
    };
    Some(rows.into_iter().flatten().map(text).filter(|line| line != "ok").collect())
}

/// Root page and columns per entry of each index, as SQLite takes them from the schema.
pub(super) fn index_widths(connection: &Connection<'_>) -> Option<Vec<(u32, usize)>> {
    let rows = session::query(connection, INDEX_WIDTHS)?;
    rows.into_iter()
        .map(|row| match row[..] {
            [Value::Integer(root), Value::Integer(columns)] => {
                Some((u32::try_from(root).ok()?, usize::try_from(columns).ok()?))
            }
            _ => None,
        })
        .collect()
}

/// Whether every entry of the index at `root` has so many columns.
pub(super) fn has_width(image: &[u8], root: u32, columns: usize) -> bool {
    let geometry = Geometry::of(image);
    tree::pages(image, &geometry, root).into_iter().all(|number| {
        let page = BtreePage::parse(image, &geometry, number);
        page.is_some_and(|page| {
            page.cells().all(|(offset, cell)| {
                cell.payload.is_some_and(|payload| {
                    let bytes = tree::payload(image, &geometry, number, offset, &payload);
                    record::columns(&bytes).len() == columns
                })
            })
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
