//! Databases that were left in the middle of something: what is in their journals and WALs is mutated with the database and
//! the script. A hot journal may name other files, and a WAL may be of other pages; SQLite promises nothing then but to stay
//! sane, and to let alone what is not its own.

use super::Target;
use crate::engine::sqlite::{Budget, ScriptProgram};
use crate::generators::seeds;
use crate::mutators::Weights;
use crate::testcase::TestCase;

pub(super) const TARGET: Target = Target {
    name: "recovery",
    about: "hot journals and WALs, and the files that they name",
    budget: Budget {
        vm_steps: 10_000,
        alloc_bytes: 64 << 20,
        heap_bytes: 20_000_000,
        disk_bytes: 10_000_000,
        length_bytes: 50_000,
        rows: None,
        has_small_limits: true,
        has_few_variants: false,
    },
    decode: TestCase::decode,
    seeds: seeds::recovery,
    program: &ScriptProgram,
    weights: Weights { sql: 12, database: 64, config: 8, faults: 16, ..Weights::NONE },
    judges: super::usual,
};
