//! Internal tables of SQLite and its modules.
//!
//! They are found by name alone, and their users rely on the columns with which they were created: without its INTEGER
//! PRIMARY KEY, the rows of an FTS5 shadow table are renumbered by VACUUM; without its two columns, `sqlite_sequence`
//! makes an INSERT report damage. Nothing checks that in time, not even `integrity_check`.

use super::blob;
use super::schema::SchemaRow;

/// Tables that SQLite creates, with their columns (`analyze.c`, `build.c`).
const RESERVED: [(&str, &str); 5] = [
    ("sqlite_sequence", "(name,seq)"),
    ("sqlite_stat1", "(tbl,idx,stat)"),
    ("sqlite_stat2", "(tbl,idx,sampleno,sample)"),
    ("sqlite_stat3", "(tbl,idx,neq,nlt,ndlt,sample)"),
    ("sqlite_stat4", "(tbl,idx,neq,nlt,ndlt,sample)"),
];

/// Shadow tables by module and name suffix, with the text after their names. Text without a closing parenthesis
/// continues with columns that depend on the table.
const SHADOWS: [(&[&str], &str, &[&str]); 13] = [
    (&["fts5"], "data", &["(id INTEGER PRIMARY KEY, block BLOB)"]),
    (&["fts5"], "idx", &["(segid, term, pgno, PRIMARY KEY(segid, term)) WITHOUT ROWID"]),
    (&["fts5"], "config", &["(k PRIMARY KEY, v) WITHOUT ROWID"]),
    (&["fts5"], "content", &["(id INTEGER PRIMARY KEY, "]),
    (
        &["fts5"],
        "docsize",
        &["(id INTEGER PRIMARY KEY, sz BLOB)", "(id INTEGER PRIMARY KEY, sz BLOB, origin INTEGER)"],
    ),
    (&["fts3", "fts4"], "content", &["(docid INTEGER PRIMARY KEY, "]),
    (&["fts3", "fts4"], "segments", &["(blockid INTEGER PRIMARY KEY, block BLOB)"]),
    (
        &["fts3", "fts4"],
        "segdir",
        &["(level INTEGER,idx INTEGER,start_block INTEGER,leaves_end_block INTEGER,end_block INTEGER,\
            root BLOB,PRIMARY KEY(level, idx))"],
    ),
    (&["fts3", "fts4"], "docsize", &["(docid INTEGER PRIMARY KEY, size BLOB)"]),
    (&["fts3", "fts4"], "stat", &["(id INTEGER PRIMARY KEY, value BLOB)"]),
    (&["rtree", "rtree_i32", "geopoly"], "node", &["(nodeno INTEGER PRIMARY KEY,data)"]),
    (&["rtree", "rtree_i32", "geopoly"], "parent", &["(nodeno INTEGER PRIMARY KEY,parentnode)"]),
    (
        &["rtree", "rtree_i32", "geopoly"],
        "rowid",
        &["(rowid INTEGER PRIMARY KEY,nodeno)", "(rowid INTEGER PRIMARY KEY,nodeno,"],
    ),
];

/// How many pairs of a virtual table and a schema row are checked at most.
const PAIRS_MAX: usize = 1 << 16;

/// True if every such table is as it was created, and `sqlite_sequence` exists if a table needs it.
pub fn are_as_made(rows: &[SchemaRow]) -> bool {
    let counts = |row: &SchemaRow| row.sql.to_ascii_lowercase().contains("autoincrement");
    let has_sequence = rows.iter().any(|row| row.name == RESERVED[0].0);
    let modules: Vec<(&str, String)> = rows
        .iter()
        .filter(|row| row.is_virtual())
        .filter_map(|row| Some((row.name.as_str(), blob::module(&row.sql)?.0)))
        .collect();
    modules.len() * rows.len() <= PAIRS_MAX
        && (has_sequence || !rows.iter().any(counts))
        && rows.iter().all(|row| is_as_reserved(row) && modules.iter().all(|owner| is_as_shadow(row, owner)))
}

/// Prefix of SQLite's own names: those of its tables, and those of automatic indexes, which have no text.
fn is_as_reserved(row: &SchemaRow) -> bool {
    let name = row.name.to_ascii_lowercase();
    if !name.starts_with("sqlite_") {
        return true;
    }
    let made = RESERVED.iter().find(|(reserved, _)| *reserved == row.name);
    made.map_or(row.sql.is_empty(), |(_, columns)| row.is_table() && row.root > 0 && body(row) == *columns)
}

/// True if the row is not a shadow table of `owner`, or is as its module creates it.
fn is_as_shadow(row: &SchemaRow, (owner, module): &(&str, String)) -> bool {
    let rest = row.name.get(owner.len()..).and_then(|rest| rest.strip_prefix('_'));
    let is_owned = row.name.get(..owner.len()).is_some_and(|begin| begin.eq_ignore_ascii_case(owner));
    let Some(end) = rest.filter(|_| is_owned && row.kind != "index") else {
        return true;
    };
    let shadow = SHADOWS
        .iter()
        .find(|(modules, name, _)| modules.contains(&module.as_str()) && name.eq_ignore_ascii_case(end));
    shadow.is_none_or(|(_, _, bodies)| {
        let body = body(row);
        let is_it = |made: &&str| *made == body || made.ends_with([',', ' ']) && body.starts_with(made);
        row.is_table() && bodies.iter().any(is_it)
    })
}

/// The text after the name of the table, from the first parenthesis outside of the name's quotes, if it has any.
fn body(row: &SchemaRow) -> &str {
    let sql = row.sql.as_str();
    let named = ['\'', '"'].iter().find_map(|quote| {
        let quoted = format!("{quote}{}{quote}(", row.name);
        sql.find(&quoted).map(|at| at + quoted.len() - 1)
    });
    let plain = format!(" {}(", row.name);
    let at = named.or_else(|| sql.find(&plain).map(|at| at + plain.len() - 1));
    at.map_or("", |at| &sql[at..])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dbfile::schema;
    use crate::engine::sqlite::{Executor, Moment};
    use crate::testcase::OpenConfig;

    const SETUP: &str = "CREATE TABLE t(a INTEGER PRIMARY KEY AUTOINCREMENT, b); CREATE INDEX i ON t(b);
        CREATE VIRTUAL TABLE f5 USING fts5(x, y); CREATE VIRTUAL TABLE \"f 6\" USING fts5(x, content='',
        contentless_delete=1); CREATE VIRTUAL TABLE f3 USING fts3(a, b); CREATE VIRTUAL TABLE f4 USING fts4(a);
        CREATE VIRTUAL TABLE r USING rtree(id, x0, x1, +aux); CREATE VIRTUAL TABLE r2 USING rtree_i32(i, a, b);
        CREATE VIRTUAL TABLE g USING geopoly(a); INSERT INTO t(b) VALUES(1); ANALYZE;
        ALTER TABLE f5 RENAME TO renamed; ALTER TABLE r RENAME TO \"r renamed\"; ALTER TABLE f3 RENAME TO f3b;";

    #[test]
    fn tables_are_as_their_makers_make_them() {
        let files = Executor::shared().files_after(&OpenConfig::default(), SETUP, Moment::Closed).unwrap();
        let rows = schema::rows(files.main().unwrap());
        assert!(rows.len() > 35);
        for row in &rows {
            assert!(are_as_made(std::slice::from_ref(row)) || row.name == "t", "{row:?}");
        }
        assert!(are_as_made(&rows));
        let edits = [
            ("renamed_data", "PRIMARY", "PRAGMA"),
            ("renamed_docsize", "sz BLOB", "sz"),
            ("sqlite_sequence", "(name,seq)", "(a, b, c)"),
            ("sqlite_stat1", "(tbl,", "(x,tbl,"),
            ("f4_segdir", "level, idx", "idx, level"),
            ("r2_node", "INTEGER PRIMARY KEY", "INT PRIMARY KEY"),
        ];
        for (table, old, new) in edits {
            let mut rows = rows.clone();
            let row = rows.iter_mut().find(|row| row.name == table).unwrap();
            assert!(row.sql.contains(old), "{row:?}");
            row.sql = row.sql.replace(old, new);
            assert!(!are_as_made(&rows), "{table}");
        }
        let without: Vec<_> = rows.iter().filter(|row| row.name != "sqlite_sequence").cloned().collect();
        assert!(!are_as_made(&without));
    }
}
