//! Database bytes against a fixed battery of statements, which read and rewrite everything in it, whatever it holds.
//!
//! Strategy: first only read, by every access path; then change rows so that pages split, merge, spill
//! and are freed; then what rewrites the whole file. Names come from the schema as SQLite reads it, so
//! a schema that it refuses ends the table part and leaves the rest.

use super::Target;
use crate::dbfile::schema;
use crate::engine::Value;
use crate::engine::sqlite::{Budget, Execution, Program};
use crate::generators::seeds;
use crate::mutators::Weights;
use crate::sql;
use crate::testcase::TestCase;

/// Most tables that get their own statements.
const TABLES_MAX: usize = 6;

pub(super) const TARGET: Target = Target {
    name: "db_file",
    about: "database bytes against statements that read and rewrite everything",
    budget: Budget {
        vm_steps: 50_000,
        alloc_bytes: 64 << 20,
        heap_bytes: 50_000_000,
        disk_bytes: 10_000_000,
        length_bytes: 1_000_000,
        rows: None,
        has_small_limits: true,
        has_few_variants: false,
    },
    decode: TestCase::decode,
    seeds: seeds::db_file,
    program: &Battery,
    weights: Weights { database: 90, config: 10, ..Weights::NONE },
    judges: super::usual,
};

struct Battery;

impl Program for Battery {
    fn run(&self, _case: &TestCase, execution: &mut Execution<'_>) {
        run_all(execution, &READ_ALL);
        let tables = tables(execution);
        for table in &tables {
            let statements = READ_TABLE.iter().chain(table.kind_statements());
            run_on(execution, table, statements);
        }
        for table in &tables {
            run_on(execution, table, WRITE_TABLE.iter());
        }
        run_all(execution, &REWRITE_ALL);
    }

    fn script(&self, case: &TestCase) -> Option<String> {
        let rows = schema::rows(case.files.main().unwrap_or_default());
        let tables = rows.into_iter().filter(|row| row.kind == "table");
        let tables: Vec<Table> =
            tables.map(|row| Table { name: row.name, sql: row.sql }).take(TABLES_MAX).collect();
        let read = |table: &Table| -> Vec<String> {
            READ_TABLE.iter().chain(table.kind_statements()).map(|text| table.fill(text)).collect()
        };
        let write = |table: &Table| WRITE_TABLE.map(|text| table.fill(text));
        let statements = READ_ALL
            .map(str::to_owned)
            .into_iter()
            .chain(tables.iter().flat_map(read))
            .chain(tables.iter().flat_map(write))
            .chain(REWRITE_ALL.map(str::to_owned));
        Some(statements.map(|statement| statement + ";\n").collect())
    }
}

/// A table with its quoted name.
struct Table {
    name: String,
    sql: String,
}

impl Table {
    /// A statement with the table's name in it.
    fn fill(&self, statement: &str) -> String {
        let node = sql::quoted(&format!("{}_node", self.name), '"');
        let statement = statement.replace("$T", &sql::quoted(&self.name, '"'));
        statement.replace("$S", &sql::quoted(&self.name, '\'')).replace("$N", &node)
    }

    fn kind_statements(&self) -> std::slice::Iter<'static, &'static str> {
        let sql = self.sql.to_ascii_lowercase();
        let is_using = |module: &str| sql.contains("virtual") && sql.contains(module);
        if is_using("fts") {
            FULL_TEXT.iter()
        } else if is_using("rtree") || is_using("geopoly") {
            RTREE.iter()
        } else {
            [].iter()
        }
    }
}

const READ_ALL: [&str; 7] = [
    "SELECT type, name, tbl_name, rootpage, sql FROM sqlite_master",
    "PRAGMA quick_check(5)",
    "SELECT count(*), sum(pgsize), max(path) FROM dbstat",
    "SELECT pgno, length(data) FROM sqlite_dbpage LIMIT 20",
    "SELECT * FROM pragma_table_list",
    "SELECT * FROM sqlite_stat1",
    "SELECT *, typeof(sample) FROM sqlite_stat4",
];

const READ_TABLE: [&str; 8] = [
    "SELECT * FROM $T",
    "SELECT count(*) FROM $T",
    "SELECT rowid, * FROM $T ORDER BY rowid DESC LIMIT 30",
    "SELECT * FROM $T ORDER BY 1, 2 DESC",
    "SELECT * FROM $T AS a JOIN $T AS b USING(rowid) WHERE a.rowid BETWEEN 2 AND 9",
    "SELECT il.name, ii.*, quote(ii.name) FROM pragma_index_list($S) AS il, pragma_index_xinfo(il.name) AS ii",
    "SELECT * FROM pragma_table_xinfo($S)",
    "PRAGMA foreign_key_check($T)",
];

const WRITE_TABLE: [&str; 7] = [
    "INSERT OR IGNORE INTO $T SELECT * FROM $T LIMIT 4",
    "UPDATE OR REPLACE $T SET rowid = rowid + 50 WHERE rowid % 3 = 1",
    "DELETE FROM $T WHERE rowid IN (SELECT rowid FROM $T LIMIT 2 OFFSET 1)",
    "INSERT INTO $T DEFAULT VALUES",
    "REINDEX $T",
    "ANALYZE $T",
    "ALTER TABLE $T ADD COLUMN tandem_added DEFAULT 'x'",
];

const FULL_TEXT: [&str; 5] = [
    "INSERT INTO $T($T) VALUES('integrity-check')",
    "SELECT * FROM $T WHERE $T MATCH 'a* OR b'",
    "INSERT INTO $T($T) VALUES('optimize')",
    "INSERT INTO $T($T) VALUES('rebuild')",
    "SELECT snippet($T) FROM $T WHERE $T MATCH 'one OR two'",
];

const RTREE: [&str; 3] = [
    "SELECT rtreecheck($S)",
    "SELECT * FROM $T WHERE rowid > 0",
    "SELECT rtreedepth(data), rtreenode(2, data) FROM $N",
];

const REWRITE_ALL: [&str; 12] = [
    "PRAGMA foreign_key_check",
    "PRAGMA incremental_vacuum(3)",
    "PRAGMA journal_mode = WAL",
    "CREATE TABLE IF NOT EXISTS tandem_new(a INTEGER PRIMARY KEY, b UNIQUE)",
    "INSERT INTO tandem_new(b) SELECT sql FROM sqlite_master",
    "PRAGMA wal_checkpoint(TRUNCATE)",
    "PRAGMA journal_mode = DELETE",
    "PRAGMA auto_vacuum = 1",
    "VACUUM",
    "DROP TABLE IF EXISTS tandem_new",
    "PRAGMA optimize",
    "PRAGMA integrity_check(5)",
];

fn run_all(execution: &mut Execution<'_>, statements: &[&str]) {
    for statement in statements {
        execution.run(statement.as_bytes(), 0..0);
    }
}

fn run_on<'a>(
    execution: &mut Execution<'_>,
    table: &Table,
    statements: impl Iterator<Item = &'a &'static str>,
) {
    for statement in statements {
        execution.run(table.fill(statement).as_bytes(), 0..0);
    }
}

fn tables(execution: &Execution<'_>) -> Vec<Table> {
    let query = "SELECT name, sql FROM sqlite_master WHERE type = 'table' ORDER BY rowid LIMIT 30";
    let rows = execution.query(query).unwrap_or_default();
    let text = |value: &Value| match value {
        Value::Text(text) => Some(String::from_utf8_lossy(text).into_owned()),
        _ => None,
    };
    let table = |row: &Vec<Value>| Some(Table { name: text(&row[0])?, sql: text(&row[1])? });
    rows.iter().filter_map(table).take(TABLES_MAX).collect()
}
