//! SQL text on an empty or the rich schema.

use super::Target;
use crate::engine::sqlite::{Budget, ScriptProgram};
use crate::generators::seeds;
use crate::mutators::Weights;
use crate::testcase::ossfuzz;

pub(super) const TARGET: Target = Target {
    name: "sql",
    about: "SQL text on an empty or a rich schema; accepts inputs of SQLite's ossfuzz.c",
    // Heap and length are those of ossfuzz.c.
    budget: Budget {
        vm_steps: 50_000,
        alloc_bytes: 64 << 20,
        heap_bytes: 20_000_000,
        disk_bytes: 10_000_000,
        length_bytes: 50_000,
        rows: None,
        has_small_limits: true,
        has_few_variants: false,
    },
    decode: ossfuzz::decode,
    seeds: seeds::sql,
    program: &ScriptProgram,
    weights: Weights { sql: 90, config: 10, ..Weights::NONE },
    judges: super::usual,
};
