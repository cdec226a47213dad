//! Whatever the optimizer does, the rows are the same.
//!
//! A query runs with all query optimizations switched off, then with some of them, one at a time
//! (`SQLITE_TESTCTRL_OPTIMIZATIONS`, <https://sqlite.org/c3ref/c_testctrl_always.html>). The bit that alone brings the
//! difference about is part of the signature: it says which optimization is wrong. An agreement is telling if the
//! programs differ.
//!
//! Left alone: the bit that switches window functions' inverse off, since sums of floating-point numbers depend on it,
//! and virtual tables, whose own judgement of a constraint may differ from SQLite's (an R-Tree has 32-bit numbers).

use super::query::Query;
use super::rows::difference;
use super::{Check, Said, Statementwise, query};
use crate::engine::Value;
use crate::engine::sqlite::Session;

/// Names of the optimizations by their bit (`src/sqliteInt.h`).
const BITS: [(u32, &str); 25] = [
    (0x1, "query-flattener"),
    (0x4, "group-by-order"),
    (0x8, "factor-out-const"),
    (0x10, "distinct-opt"),
    (0x20, "cover-idx-scan"),
    (0x40, "order-by-idx-join"),
    (0x80, "transitive"),
    (0x100, "omit-noop-join"),
    (0x200, "count-of-view"),
    (0x400, "cursor-hints"),
    (0x800, "stat4"),
    (0x1000, "push-down"),
    (0x2000, "simplify-join"),
    (0x4000, "skip-scan"),
    (0x8000, "prop-const"),
    (0x1_0000, "min-max"),
    (0x2_0000, "seek-scan"),
    (0x4_0000, "omit-order-by"),
    (0x8_0000, "bloom-filter"),
    (0x10_0000, "bloom-pulldown"),
    (0x20_0000, "balanced-merge"),
    (0x80_0000, "flatten-union-all"),
    (0x100_0000, "indexed-expr"),
    (0x200_0000, "coroutines"),
    (0x400_0000, "null-unused"),
];
/// Newer ones.
const NEW_BITS: [(u32, &str); 4] = [
    (0x800_0000, "one-pass"),
    (0x1000_0000, "order-by-subquery"),
    (0x2000_0000, "star-query"),
    (0x4000_0000, "exists-to-join"),
];
/// All that can be off for a comparison.
pub(crate) const ALL: u32 = crate::engine::OPTIMIZATIONS;
/// The bit of coroutines.
pub(super) const COROUTINES: u32 = 0x200_0000;
/// Single bits that are tried if all together make no difference.
const SINGLE_BITS: usize = 3;

pub(crate) const PLANS: Statementwise = Statementwise { name: "plans", check: Check::Queries(check) };

/// All optimizations that may be off now: where scans are reversed, so are the rows of a subquery that is sorted for a
/// window, and no longer a coroutine, which nobody but a test can bring about.
pub(super) fn all_off(db: &mut Session<'_, '_>) -> u32 {
    if query::is_reversed(db) == Some(false) { ALL } else { ALL & !COROUTINES }
}

/// The optimizations that are switched off one at a time: bit and name.
pub(crate) fn bits() -> impl Iterator<Item = (u32, &'static str)> {
    BITS.into_iter().chain(NEW_BITS)
}

fn check(query: &Query<'_>, db: &mut Session<'_, '_>) -> Said {
    if let Some(reason) = query.why_open() {
        return Said::Nothing(reason);
    }
    // Then the rows of a subquery that is sorted for a window, and no longer a coroutine, are scanned backwards, too:
    // nobody but a test can switch coroutines off.
    if db.rows("PRAGMA reverse_unordered_selects").is_ok_and(|rows| rows == [[Value::Integer(1)]]) {
        return Said::Nothing("scans are reversed");
    }
    let mut is_telling = false;
    let seed = crate::oracles::choice(7, query.text.as_bytes());
    let some = (0..SINGLE_BITS).filter_map(|i| bits().nth((seed / (1 + 29 * i)) % 29)).map(|(bit, _)| bit);
    for off in std::iter::once(ALL).chain(some) {
        let off = off | db.optimizations_off();
        match db.rows_without(query.text, off) {
            Err(none) => return Said::Nothing(query::why(none)),
            Ok(rows) => {
                let kind = |db: &mut Session<'_, '_>| guilty_bit(query, off, db);
                if difference(&query.rows, &rows).is_some() {
                    let kind = kind(db);
                    if let Err(said) =
                        query.must_be(&rows, db, kind, &format!("without optimizations {off:#x}"))
                    {
                        return said;
                    }
                }
            }
        }
        is_telling |= !query.rows.is_empty()
            && db.facts(query.text, off).is_ok_and(|facts| facts.program != query.facts.program);
    }
    Said::Agrees { is_telling }
}

/// The single bit that brings a difference about; `several` if there is none.
fn guilty_bit(query: &Query<'_>, off: u32, db: &mut Session<'_, '_>) -> &'static str {
    let own = db.optimizations_off();
    let mut is_guilty = |bit: u32| {
        db.rows_without(query.text, own | bit).is_ok_and(|rows| difference(&query.rows, &rows).is_some())
    };
    bits()
        .filter(|(bit, _)| off & bit != 0)
        .find(|(bit, _)| is_guilty(*bit))
        .map_or("several", |(_, name)| name)
}
