//! Applying an [`OpenConfig`] to a connection.
//!
//! Every switch is set, also where SQLite's default agrees: a build may have other defaults, and a
//! case must mean the same there.

use std::ffi::c_int;

use rusqlite::ffi;

use super::executor::Budget;
use super::ffi::Connection;
use crate::engine::Taint;
use crate::testcase::{OpenConfig, Setting};

/// `sqlite3_db_config` switches with the value that a clear toggle bit means, in the order of
/// [`crate::testcase::TOGGLE_NAMES`]. `None` is a switch that this SQLite's interface lacks.
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

/// Limits with their setting and the value of a case that does not say: those of SQLite's own
/// fuzzcheck, SQLite's maximum elsewhere.
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

/// Applies all settings of the connection; those of the disk and the process are the executor's.
/// Returns how they taint the run.
pub(super) fn apply(config: &OpenConfig, budget: &Budget, connection: &Connection<'_>) -> Taint {
    let toggles = config.get(Setting::Toggles);
    for (bit, switch) in SWITCHES.iter().enumerate() {
        if let Some((switch, default)) = switch {
            connection.db_config(*switch, default ^ (toggles >> bit & 1 == 1));
        }
    }
    connection.optimizations_off(config.get(Setting::OptimizationsOff));
    apply_limits(config, budget, connection);
    apply_pragmas(config, connection);
    taint(config)
}

fn apply_limits(config: &OpenConfig, budget: &Budget, connection: &Connection<'_>) {
    for (limit, setting, default) in LIMITS {
        let value = match config.get(setting) {
            0 if limit == ffi::SQLITE_LIMIT_LENGTH => budget.length_bytes as c_int,
            0 => default,
            value => value as c_int,
        };
        connection.limit(limit, value);
    }
    // Threads would make runs differ.
    connection.limit(ffi::SQLITE_LIMIT_WORKER_THREADS, 0);
}

fn apply_pragmas(config: &OpenConfig, connection: &Connection<'_>) {
    for (spec, value) in config.changed() {
        let pragma = match spec.setting {
            Setting::CachePages => format!("PRAGMA cache_size={value}"),
            Setting::CacheSpill => format!("PRAGMA cache_spill={value}"),
            Setting::CellSizeCheck => format!("PRAGMA cell_size_check={value}"),
            Setting::ExclusiveLocking => "PRAGMA locking_mode=EXCLUSIVE".to_owned(),
            Setting::TempStore => format!("PRAGMA temp_store={value}"),
            _ => continue,
        };
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

/// Gives the connection back what the executor's own statements need, whatever the case asked for.
pub(super) fn relax(connection: &Connection<'_>) {
    apply_limits(&OpenConfig::default(), &Budget::UNLIMITED, connection);
}
