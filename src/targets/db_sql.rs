//! The main target: database, WAL, journal, settings and SQL of one case.

use super::Target;
use crate::engine::sqlite::{Budget, ScriptProgram};
use crate::generators::seeds;
use crate::mutators::Weights;
use crate::testcase::TestCase;

pub(super) const TARGET: Target = Target {
    name: "db_sql",
    about: "database files and SQL text mutated together",
    // The steps of SQLite's own dbsqlfuzz driver.
    budget: Budget {
        vm_steps: 20_000,
        alloc_bytes: 64 << 20,
        heap_bytes: 50_000_000,
        disk_bytes: 10_000_000,
        length_bytes: 1_000_000,
        rows: None,
        has_small_limits: true,
        has_few_variants: false,
    },
    decode: TestCase::decode,
    seeds: seeds::db_sql,
    program: &ScriptProgram,
    weights: Weights { sql: 52, database: 30, config: 8, joint: 10, ..Weights::NONE },
    judges: super::usual,
};
