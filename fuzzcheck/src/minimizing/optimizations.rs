//! Which query optimizations a bug needs: `SQLITE_TESTCTRL_OPTIMIZATIONS` switches them off one at a time
//! (<https://sqlite.org/c3ref/c_testctrl_always.html>; names as in `sqliteInt.h`).

use anyhow::Result;

/// Names by bit. An older SQLite has fewer, and some bits had other uses.
const NAMES: [&str; 31] = [
    "QueryFlattener",
    "WindowFunc",
    "GroupByOrder",
    "FactorOutConst",
    "DistinctOpt",
    "CoverIdxScan",
    "OrderByIdxJoin",
    "Transitive",
    "OmitNoopJoin",
    "CountOfView",
    "CursorHints",
    "Stat4",
    "PushDown",
    "SimplifyJoin",
    "SkipScan",
    "PropagateConst",
    "MinMaxOpt",
    "SeekScan",
    "OmitOrderBy",
    "BloomFilter",
    "BloomPulldown",
    "BalancedMerge",
    "ReleaseReg",
    "FlttnUnionAll",
    "IndexedExpr",
    "Coroutines",
    "NullUnusedCols",
    "OnePass",
    "OrderBySubq",
    "StarQuery",
    "ExistsToJoin",
];

/// The optimizations without which a bug is gone that shows with those of `off` switched off: `shows` says whether it does
/// with others.
///
/// # Errors
/// Those of `shows`.
pub(crate) fn guilty(off: u32, mut shows: impl FnMut(u32) -> Result<bool>) -> Result<Vec<&'static str>> {
    let mut found = Vec::new();
    for (bit, name) in NAMES.into_iter().enumerate() {
        let without = off | 1 << bit;
        if without != off && !shows(without)? {
            found.push(name);
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_the_bug_needs_is_guilty() {
        let needs = |bits: u32| move |off: u32| Ok(off & bits == 0);
        assert_eq!(guilty(0, needs(1 << 12 | 1)).unwrap(), ["QueryFlattener", "PushDown"]);
        assert!(guilty(0, needs(0)).unwrap().is_empty());
        // What is off already is not tried.
        assert_eq!(guilty(1, |off| Ok(off == 1)).unwrap().len(), NAMES.len() - 1);
    }
}
