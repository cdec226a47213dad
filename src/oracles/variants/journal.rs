//! The journal mode makes no difference (<https://sqlite.org/pragma.html#pragma_journal_mode>).
//!
//! A transaction or savepoint that is rolled back leaves nothing, wherever its journal was: in a file that is deleted,
//! truncated or kept, in memory, or in a write-ahead log. With one page of cache, changed pages are written while the
//! transaction is open, so that rolling back must read them back. `OFF` is left alone: it damages by design.

use super::{Keeps, Scriptwise, Variant, by_name, script, starts_empty};
use crate::engine::Observation;
use crate::testcase::TestCase;

pub(crate) const JOURNAL: Scriptwise =
    Scriptwise { name: "journal", keeps: Keeps::Programs, variants, examine: by_name };

fn variants(case: &TestCase, own: &Observation) -> Result<Vec<Variant>, &'static str> {
    const MODE: &str = "journal_mode";
    const SPILLING: (&str, &str) = ("cache_size", "1");
    const EXCLUSIVE: (&str, &str) = ("locking_mode", "EXCLUSIVE");
    let mut variants = vec![
        Variant::new("delete", &[(MODE, "DELETE")]),
        Variant::new("delete-spilling", &[(MODE, "DELETE"), SPILLING]),
        Variant::new("truncate", &[(MODE, "TRUNCATE"), ("synchronous", "OFF")]),
        Variant::new("persist", &[(MODE, "PERSIST"), SPILLING]),
        Variant::new("persist-exclusive", &[(MODE, "PERSIST"), EXCLUSIVE, ("synchronous", "EXTRA")]),
        Variant::new("memory", &[(MODE, "MEMORY")]),
        Variant::new("memory-spilling", &[(MODE, "MEMORY"), SPILLING]),
    ];
    // To change to WAL, SQLite writes the first page: what is chosen for a new database can no longer be chosen then. Page
    // sizes decide how large the nodes of an R-Tree are.
    if !(starts_empty(case) && script::mentions(case, own, &["encoding", "page_size", "auto_vacuum"])) {
        variants.extend([
            Variant::new("wal", &[(MODE, "WAL")]),
            Variant::new("wal-spilling", &[(MODE, "WAL"), SPILLING]),
            Variant::new("wal-exclusive", &[EXCLUSIVE, (MODE, "WAL"), ("wal_autocheckpoint", "1")]),
        ]);
    }
    Ok(variants)
}
