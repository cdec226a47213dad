//! Which query optimizations a bug needs: `SQLITE_TESTCTRL_OPTIMIZATIONS` switches them off one at a time
//! (<https://sqlite.org/c3ref/c_testctrl_always.html>; names as in `sqliteInt.h`).

use anyhow::Result;
use tandem::TestCase;
use tandem::targets::Target;
use tandem::testcase::Setting;

use super::Probe;
use super::judge::shows;

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

/// The optimizations without which the case does not show the bug.
///
/// # Errors
/// Where cases cannot be run.
pub(crate) fn guilty(
    probe: &mut Probe,
    case: &TestCase,
    target: &'static Target,
    signature: &str,
) -> Result<Vec<&'static str>> {
    let mask = case.config.get(Setting::OptimizationsOff);
    let mut found = Vec::new();
    for (bit, name) in NAMES.into_iter().enumerate() {
        let without = mask | 1 << bit;
        if without == mask {
            continue;
        }
        let case = TestCase { config: case.config.with(Setting::OptimizationsOff, without), ..case.clone() };
        if !shows(probe, &case, target, signature, 1)? {
            found.push(name);
        }
    }
    Ok(found)
}
