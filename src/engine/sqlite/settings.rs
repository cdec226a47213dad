//! Applies an [`OpenConfig`] to a connection.
//!
//! Every switch is set, even where SQLite's default agrees: a build may have other defaults, and a case must mean the
//! same there.
//!
//! A build may have stricter limits than this file sets: SQLite cuts the text of its own schema at
//! `SQLITE_PRINTF_PRECISION_LIMIT`. If that is below [`Setting::LimitLength`], which only custom `LIBSQLITE3_FLAGS` can
//! cause, long `CREATE` statements show `code/SQLITE_CORRUPT`, and that build is to blame.

use std::ffi::c_int;

use rusqlite::ffi;

use super::executor::Budget;
use super::ffi::Connection;
use crate::engine::Taint;
use crate::testcase::{OpenConfig, Setting, TOGGLE_NAMES};

/// `sqlite3_db_config` switches with the value that a clear toggle bit means, in the order of
/// [`crate::testcase::TOGGLE_NAMES`]. `None` is a switch that SQLite's interface lacks.
const SWITCHES: [Option<(c_int, bool)>; 14] = [
    Some((ffi::SQLITE_DBCONFIG_ENABLE_FKEY, false)),
    Some((ffi::SQLITE_DBCONFIG_ENABLE_TRIGGER, true)),
    Some((ffi::SQLITE_DBCONFIG_ENABLE_VIEW, true)),
    Some((ffi::SQLITE_DBCONFIG_ENABLE_QPSG, false)),
    Some((ffi::SQLITE_DBCONFIG_TRIGGER_EQP, false)),
    Some((ffi::SQLITE_DBCONFIG_DEFENSIVE, false)),
    Some((ffi::SQLITE_DBCONFIG_WRITABLE_SCHEMA, false)),
    Some((ffi::SQLITE_DBCONFIG_LEGACY_ALTER_TABLE, false)),
    Some((ffi::SQLITE_DBCONFIG_STMT_SCANSTATUS, false)),
    Some((ffi::SQLITE_DBCONFIG_REVERSE_SCANORDER, false)),
    None, // SQLITE_DBCONFIG_STRICT_AGGREGATE was never released
    Some((ffi::SQLITE_DBCONFIG_DQS_DML, true)),
    Some((ffi::SQLITE_DBCONFIG_DQS_DDL, true)),
    Some((ffi::SQLITE_DBCONFIG_TRUSTED_SCHEMA, true)),
];
const WRITABLE_SCHEMA_BIT: u32 = 6;

/// Limits with their setting and the default for a case: that of SQLite's own fuzzcheck, otherwise SQLite's maximum.
const LIMITS: [(c_int, Setting, c_int); 11] = [
    (ffi::SQLITE_LIMIT_LENGTH, Setting::LimitLength, 1_000_000),
    (ffi::SQLITE_LIMIT_SQL_LENGTH, Setting::LimitSqlLength, 1_000_000),
    (ffi::SQLITE_LIMIT_COLUMN, Setting::LimitColumn, 2_000),
    (ffi::SQLITE_LIMIT_EXPR_DEPTH, Setting::LimitExprDepth, 500),
    (ffi::SQLITE_LIMIT_COMPOUND_SELECT, Setting::LimitCompoundSelect, 500),
    (ffi::SQLITE_LIMIT_VDBE_OP, Setting::LimitVdbeOp, 25_000),
    (ffi::SQLITE_LIMIT_FUNCTION_ARG, Setting::LimitFunctionArg, 1_000),
    (ffi::SQLITE_LIMIT_ATTACHED, Setting::LimitAttached, 10),
    (ffi::SQLITE_LIMIT_LIKE_PATTERN_LENGTH, Setting::LimitLikePatternLength, 100),
    (ffi::SQLITE_LIMIT_VARIABLE_NUMBER, Setting::LimitVariableNumber, 32_766),
    (ffi::SQLITE_LIMIT_TRIGGER_DEPTH, Setting::LimitTriggerDepth, 1_000),
];

/// Applies all settings of the connection; those of the disk and the process are up to the executor. Returns how they
/// taint the run.
pub(super) fn apply(config: &OpenConfig, budget: &Budget, connection: &Connection<'_>) -> Taint {
    for (bit, on) in switched(config) {
        if let Some((switch, _)) = SWITCHES[bit] {
            connection.db_config(switch, on);
        }
    }
    connection.optimizations_off(config.get(Setting::OptimizationsOff));
    apply_limits(config, budget, connection);
    apply_pragmas(config, connection);
    taint(config)
}

/// The `sqlite3_db_config` switches that a case sets, with their values: the name of one is `SQLITE_DBCONFIG_` plus its
/// name in [`TOGGLE_NAMES`].
pub fn switches(config: &OpenConfig) -> impl Iterator<Item = (&'static str, bool)> {
    switched(config).map(|(bit, on)| (TOGGLE_NAMES[bit], on))
}

/// The bits of [`Setting::Toggles`] that SQLite's interface knows, with the values of their switches.
fn switched(config: &OpenConfig) -> impl Iterator<Item = (usize, bool)> {
    let toggles = config.get(Setting::Toggles);
    let known = SWITCHES.iter().enumerate().filter_map(|(bit, switch)| Some((bit, switch.as_ref()?.1)));
    known.map(move |(bit, default)| (bit, default ^ (toggles >> bit & 1 == 1)))
}

/// The limits that a case sets within a budget: the name of one is `SQLITE_LIMIT_` plus this in capitals.
pub fn limits(config: &OpenConfig, budget: &Budget) -> impl Iterator<Item = (&'static str, i32)> {
    let name = |setting: Setting| setting.spec().name.strip_prefix("limit_").unwrap_or_default();
    limited(config, budget).map(move |(setting, _, value)| (name(setting), value))
}

fn limited(config: &OpenConfig, budget: &Budget) -> impl Iterator<Item = (Setting, c_int, c_int)> {
    LIMITS.into_iter().map(|(limit, setting, default)| {
        let value = match config.get(setting) {
            0 if limit == ffi::SQLITE_LIMIT_LENGTH => budget.length_bytes as c_int,
            0 if budget.has_small_limits => default,
            0 => c_int::MAX,
            value => value as c_int,
        };
        (setting, limit, value)
    })
}

fn apply_limits(config: &OpenConfig, budget: &Budget, connection: &Connection<'_>) {
    for (_, limit, value) in limited(config, budget) {
        connection.limit(limit, value);
    }
    // With threads, runs would differ.
    connection.limit(ffi::SQLITE_LIMIT_WORKER_THREADS, 0);
}

/// The pragmas that a case runs before its script.
pub fn pragmas(config: &OpenConfig) -> impl Iterator<Item = String> {
    config.changed().filter_map(|(spec, value)| {
        Some(match spec.setting {
            Setting::CachePages => format!("PRAGMA cache_size={value}"),
            Setting::CacheSpill => format!("PRAGMA cache_spill={value}"),
            Setting::CellSizeCheck => format!("PRAGMA cell_size_check={value}"),
            Setting::ExclusiveLocking => "PRAGMA locking_mode=EXCLUSIVE".to_owned(),
            Setting::TempStore => format!("PRAGMA temp_store={value}"),
            _ => return None,
        })
    })
}

fn apply_pragmas(config: &OpenConfig, connection: &Connection<'_>) {
    for pragma in pragmas(config) {
        // A database that cannot even be read fails here as it will at the first statement.
        if let (_, Some(mut statement), _) = connection.prepare(pragma.as_bytes()) {
            statement.step();
        }
    }
}

fn taint(config: &OpenConfig) -> Taint {
    let mut taint = Taint::NONE;
    if config.get(Setting::Toggles) >> WRITABLE_SCHEMA_BIT & 1 == 1 {
        taint |= Taint::WRITABLE_SCHEMA;
    }
    if LIMITS.iter().any(|&(_, setting, _)| config.get(setting) != 0) {
        taint |= Taint::LIMITS;
    }
    taint
}

/// Restores the settings that the executor's own statements need, whatever the case asked for.
pub(super) fn relax(connection: &Connection<'_>) {
    apply_limits(&OpenConfig::default(), &Budget::UNLIMITED, connection);
}
