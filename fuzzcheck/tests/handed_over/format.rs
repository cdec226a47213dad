//! A well-formed database is corrupted: never used after the connection was closed.
//!
//! Seen in SQLite 3.54.1 (2026-10-16 14:45:20 555e07ef33f69a0957d24d8e555b702464a131d6f1607f4c3c1e4551e8e6ca76), release build.
//! Signature: `format/never-used/after-close`.
//! Written by Tandem from its case 4ce05b4bf38a045a9f5a66c8fae3e7cc572a3d7778bb900306d1999e75c5e15c.
//!
//! Put it into `tests/` of a package with the development dependency `rusqlite`, feature `bundled`.
//! SQLite was built with these flags, which some cases need:
//! ```sh
//! LIBSQLITE3_FLAGS="-DSQLITE_ENABLE_FTS4 -DSQLITE_ENABLE_GEOPOLY -DSQLITE_ENABLE_DBPAGE_VTAB -DSQLITE_ENABLE_BYTECODE_VTAB -DSQLITE_ENABLE_STMTVTAB -DSQLITE_ENABLE_SESSION -DSQLITE_ENABLE_PREUPDATE_HOOK -DSQLITE_ENABLE_DESERIALIZE -DSQLITE_ENABLE_OFFSET_SQL_FUNC -DSQLITE_ENABLE_NORMALIZE -DSQLITE_INTROSPECTION_PRAGMAS -DSQLITE_ENABLE_MATH_FUNCTIONS -DSQLITE_ENABLE_UNKNOWN_SQL_FUNCTION -DSQLITE_ENABLE_PERCENTILE -DSQLITE_DEFAULT_LOOKASIDE=0,0 -DSQLITE_MAX_MEMORY=50000000 -DSQLITE_MAX_MMAP_SIZE=67108864 -DSQLITE_PRINTF_PRECISION_LIMIT=1048576" cargo test
//! ```
//! Left out: the file is judged by integrity_check, which may not see what Tandem's own reader saw.

use std::ffi::{c_int, c_void};
use std::sync::atomic::{AtomicI64, Ordering};
use std::{env, fs, process, ptr};

use rusqlite::config::DbConfig;
use rusqlite::{Connection, ffi};

/// Calls of the progress handler, one per 100 VM steps, that are left for all statements.
static TICKS_LEFT: AtomicI64 = AtomicI64::new(200);
/// Rows that may still come.
static ROWS_LEFT: AtomicI64 = AtomicI64::new(i64::MAX);

/// The statements, a line `-- next` between each two.
const SCRIPT: &str = r#"
CREATE TABLE t(a INTEGER PRIMARY KEY, b TEXT);
-- next
CREATE INDEX i ON t(b);
-- next
WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x+1 FROM c LIMIT 300) INSERT INTO t SELECT x, hex(zeroblob(x)) FROM c;
-- next
PRAGMA cache_size=1;
-- next
UPDATE t SET b=b||a;
-- next
DELETE FROM t WHERE a%3=0;
-- next
SELECT count(*), sum(length(b)) FROM t;
-- next
SELECT planted();
"#;

#[test]
fn case_4ce05b4bf38a045a() {
    reproduce();
}

/// Runs the case and asserts what should hold.
pub fn reproduce() {
    let folder = env::temp_dir().join(format!("sqlite-4ce05b4bf38a045a-{}", process::id()));
    fs::create_dir(&folder).expect("a temporary folder can be made");
    // The script, too, may name files, and does so without a path.
    env::set_current_dir(&folder).expect("it was just made");
    let db = open();
    for sql in SCRIPT.split("\n-- next\n").map(str::as_bytes) {
        run(&db, sql);
    }
    db.close().expect("the connection can be closed");
    assert_integrity(&open());
    env::set_current_dir(env::temp_dir()).expect("it is there");
    fs::remove_dir_all(&folder).ok();
}

fn assert_integrity(db: &Connection) {
    // SAFETY: the connection is open. The check is no part of the run, and nothing limits it.
    unsafe {
        ffi::sqlite3_progress_handler(db.handle(), 0, None, ptr::null_mut());
        ffi::sqlite3_hard_heap_limit64(0);
        for limit in ffi::SQLITE_LIMIT_LENGTH..ffi::SQLITE_LIMIT_WORKER_THREADS {
            ffi::sqlite3_limit(db.handle(), limit, c_int::MAX);
        }
    }
    let problems: Vec<String> = db
        .prepare("PRAGMA main.integrity_check(8)")
        .and_then(|mut check| check.query_map([], |row| row.get(0))?.collect())
        .expect("the check runs");
    assert_eq!(problems, ["ok"]);
}

/// A connection as the case has it.
fn open() -> Connection {
    // SAFETY: no connection is open, and the arguments are those of these controls.
    unsafe {
        let no_schema = ptr::null_mut::<ffi::sqlite3>();
        ffi::sqlite3_test_control(ffi::SQLITE_TESTCTRL_PRNG_SEED, 1 as c_int, no_schema);
        ffi::sqlite3_hard_heap_limit64(50000000);
    }
    let db = Connection::open("main.db").expect("a connection can be opened");
    db.busy_timeout(std::time::Duration::ZERO).ok();
    let switches = [
        (DbConfig::SQLITE_DBCONFIG_ENABLE_FKEY, false),
        (DbConfig::SQLITE_DBCONFIG_ENABLE_TRIGGER, true),
        (DbConfig::SQLITE_DBCONFIG_ENABLE_VIEW, true),
        (DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, false),
        (DbConfig::SQLITE_DBCONFIG_TRIGGER_EQP, false),
        (DbConfig::SQLITE_DBCONFIG_DEFENSIVE, false),
        (DbConfig::SQLITE_DBCONFIG_WRITABLE_SCHEMA, false),
        (DbConfig::SQLITE_DBCONFIG_LEGACY_ALTER_TABLE, false),
        (DbConfig::SQLITE_DBCONFIG_STMT_SCANSTATUS, false),
        (DbConfig::SQLITE_DBCONFIG_REVERSE_SCANORDER, false),
        (DbConfig::SQLITE_DBCONFIG_DQS_DML, true),
        (DbConfig::SQLITE_DBCONFIG_DQS_DDL, true),
        (DbConfig::SQLITE_DBCONFIG_TRUSTED_SCHEMA, true),
    ];
    for (switch, on) in switches {
        db.set_db_config(switch, on).ok();
    }
    let limits = [
        (ffi::SQLITE_LIMIT_LENGTH, 1000000),
        (ffi::SQLITE_LIMIT_SQL_LENGTH, 1000000),
        (ffi::SQLITE_LIMIT_COLUMN, 2000),
        (ffi::SQLITE_LIMIT_EXPR_DEPTH, 500),
        (ffi::SQLITE_LIMIT_COMPOUND_SELECT, 500),
        (ffi::SQLITE_LIMIT_VDBE_OP, 25000),
        (ffi::SQLITE_LIMIT_FUNCTION_ARG, 1000),
        (ffi::SQLITE_LIMIT_ATTACHED, 10),
        (ffi::SQLITE_LIMIT_LIKE_PATTERN_LENGTH, 100),
        (ffi::SQLITE_LIMIT_VARIABLE_NUMBER, 32766),
        (ffi::SQLITE_LIMIT_TRIGGER_DEPTH, 1000),
    ];
    // SAFETY: the connection is open, and the handler needs no data.
    unsafe {
        for (limit, value) in limits {
            ffi::sqlite3_limit(db.handle(), limit, value);
        }
        ffi::sqlite3_progress_handler(db.handle(), 100, Some(on_progress), ptr::null_mut());
    }
    db
}

/// Runs the statements of `sql` until one cannot be prepared; the extended result code of each.
fn run(db: &Connection, sql: &[u8]) -> Vec<c_int> {
    let mut codes = Vec::new();
    let mut rest = sql;
    while !rest.is_empty() && !is_over() {
        let (mut statement, mut tail) = (ptr::null_mut(), ptr::null());
        // SAFETY: the connection is open, and `rest` lives for the call; SQLite leaves the tail pointing into it.
        let (code, read) = unsafe {
            let start = rest.as_ptr().cast();
            let length = rest.len() as c_int;
            let code = ffi::sqlite3_prepare_v3(db.handle(), start, length, 0, &mut statement, &mut tail);
            (code, if tail.is_null() { rest.len() } else { tail.offset_from(start) as usize })
        };
        if code != ffi::SQLITE_OK {
            codes.push(code);
            break;
        }
        if !statement.is_null() {
            // SAFETY: the statement was just prepared.
            codes.push(unsafe { finish(statement) });
        }
        if read == 0 {
            break;
        }
        rest = &rest[read..];
    }
    codes
}

/// Steps to the end, reads every value, and finalizes; the extended result code.
///
/// # Safety
/// The statement is one that was prepared and not finalized.
unsafe fn finish(statement: *mut ffi::sqlite3_stmt) -> c_int {
    // SAFETY: given; SQLite takes any index of a column.
    unsafe {
        let code = loop {
            let code = ffi::sqlite3_step(statement);
            if code != ffi::SQLITE_ROW {
                break code;
            }
            for column in 0..ffi::sqlite3_data_count(statement) {
                match ffi::sqlite3_column_type(statement, column) {
                    ffi::SQLITE_TEXT => _ = ffi::sqlite3_column_text(statement, column),
                    ffi::SQLITE_BLOB => _ = ffi::sqlite3_column_blob(statement, column),
                    _ => {}
                }
            }
            if ROWS_LEFT.fetch_sub(1, Ordering::Relaxed) <= 1 {
                break code;
            }
        };
        ffi::sqlite3_finalize(statement);
        code
    }
}

extern "C" fn on_progress(_: *mut c_void) -> c_int {
    c_int::from(TICKS_LEFT.fetch_sub(1, Ordering::Relaxed) <= 0)
}

/// Whether the run has used up what it may: nothing more runs.
fn is_over() -> bool {
    TICKS_LEFT.load(Ordering::Relaxed) < 0 || ROWS_LEFT.load(Ordering::Relaxed) <= 0
}
