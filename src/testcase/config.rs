//! How a case's connection is opened.
//!
//! One table, [`SETTINGS`], describes every setting: the codec, the printed form and the mutator read
//! it, so a new setting takes one line here plus its use in the engine.

use super::DecodeError;
use super::envelope::Reader;
use super::sparse::write_varint;
use crate::dbfile::geometry::LOCK_BYTE;

/// Names of the `sqlite3_db_config` toggles, by their bit in [`Setting::Toggles`]. A set bit inverts
/// SQLite's default (see [`crate::engine::sqlite`] for the defaults). The order follows header
/// bytes 72..75 of a dbsqlfuzz case.
pub const TOGGLE_NAMES: [&str; 14] = [
    "ENABLE_FKEY",
    "ENABLE_TRIGGER",
    "ENABLE_VIEW",
    "ENABLE_QPSG",
    "TRIGGER_EQP",
    "DEFENSIVE",
    "WRITABLE_SCHEMA",
    "LEGACY_ALTER_TABLE",
    "STMT_SCANSTATUS",
    "REVERSE_SCANORDER",
    "STRICT_AGGREGATE",
    "DQS_DML",
    "DQS_DDL",
    "TRUSTED_SCHEMA",
];

/// One setting of the connection; see [`SETTINGS`] for meaning, default and range.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
#[allow(missing_docs)] // each is described where it is defined, in SETTINGS
pub enum Setting {
    Toggles,
    OptimizationsOff,
    LimitLength,
    LimitSqlLength,
    LimitColumn,
    LimitExprDepth,
    LimitCompoundSelect,
    LimitVdbeOp,
    LimitFunctionArg,
    LimitAttached,
    LimitLikePatternLength,
    LimitVariableNumber,
    LimitTriggerDepth,
    CachePages,
    CacheSpill,
    CellSizeCheck,
    ExclusiveLocking,
    TempStore,
    PendingBytePage,
    SectorLog2,
    DeviceCharacteristics,
    RandomSeed,
    RowsMax,
    Utf16,
    RichSchema,
    Oracle,
}

/// Number of settings.
const COUNT: usize = SETTINGS.len();

/// What a [`Setting`] means.
#[derive(Debug)]
pub struct SettingSpec {
    /// The setting.
    pub setting: Setting,
    /// Its name in the printed form.
    pub name: &'static str,
    /// The value if a case does not set it.
    pub default: u32,
    /// Largest value; the smallest is `min`.
    pub max: u32,
    /// Smallest value.
    pub min: u32,
    /// Meaning and unit.
    pub about: &'static str,
}

const fn spec(
    setting: Setting,
    name: &'static str,
    (min, default, max): (u32, u32, u32),
    about: &'static str,
) -> SettingSpec {
    SettingSpec { setting, name, default, max, min, about }
}

/// A limit from <https://sqlite.org/c3ref/limit.html>; 0 keeps the executor's own.
const fn limit(setting: Setting, name: &'static str, max: u32) -> SettingSpec {
    spec(setting, name, (0, 0, max), "sqlite3_limit(); 0 leaves the limit of the target")
}

/// All settings in the order of [`Setting`].
pub const SETTINGS: [SettingSpec; 26] = [
    spec(
        Setting::Toggles,
        "toggles",
        (0, 0, (1 << TOGGLE_NAMES.len()) - 1),
        "sqlite3_db_config() switches to invert, a bit each (TOGGLE_NAMES)",
    ),
    spec(
        Setting::OptimizationsOff,
        "optimizations_off",
        (0, 0, u32::MAX),
        "argument of SQLITE_TESTCTRL_OPTIMIZATIONS: query optimizations to switch off",
    ),
    limit(Setting::LimitLength, "limit_length", 1_000_000),
    limit(Setting::LimitSqlLength, "limit_sql_length", 1_000_000),
    limit(Setting::LimitColumn, "limit_column", 2_000),
    limit(Setting::LimitExprDepth, "limit_expr_depth", 1_000),
    limit(Setting::LimitCompoundSelect, "limit_compound_select", 500),
    limit(Setting::LimitVdbeOp, "limit_vdbe_op", 25_000),
    limit(Setting::LimitFunctionArg, "limit_function_arg", 1_000),
    limit(Setting::LimitAttached, "limit_attached", 10),
    limit(Setting::LimitLikePatternLength, "limit_like_pattern_length", 50_000),
    limit(Setting::LimitVariableNumber, "limit_variable_number", 32_766),
    limit(Setting::LimitTriggerDepth, "limit_trigger_depth", 1_000),
    spec(
        Setting::CachePages,
        "cache_pages",
        (0, 0, 10_000),
        "PRAGMA cache_size in pages; 0 leaves SQLite's default",
    ),
    spec(Setting::CacheSpill, "cache_spill", (0, 1, 1), "PRAGMA cache_spill"),
    spec(Setting::CellSizeCheck, "cell_size_check", (0, 0, 1), "PRAGMA cell_size_check"),
    spec(Setting::ExclusiveLocking, "exclusive_locking", (0, 0, 1), "PRAGMA locking_mode=EXCLUSIVE"),
    spec(Setting::TempStore, "temp_store", (0, 0, 2), "PRAGMA temp_store"),
    spec(
        Setting::PendingBytePage,
        "pending_byte_page",
        (0, 0, 64),
        "where the lock-byte page lies, in units of 65536 bytes; 0 leaves it at 1 GiB",
    ),
    spec(Setting::SectorLog2, "sector_log2", (9, 12, 16), "log2 of the disk's sector size in bytes"),
    spec(
        Setting::DeviceCharacteristics,
        "device_characteristics",
        (0, 0, 0x7fff),
        "the disk's SQLITE_IOCAP_ flags",
    ),
    spec(
        Setting::RandomSeed,
        "random_seed",
        (1, 1, u32::MAX),
        "seed of SQLite's random numbers and of the VFS's",
    ),
    spec(
        Setting::RowsMax,
        "rows_max",
        (0, 0, u32::MAX),
        "the run ends after so many rows, as in ossfuzz.c; 0 is no end",
    ),
    spec(
        Setting::Utf16,
        "utf16",
        (0, 0, 1),
        "statements go through sqlite3_prepare16_v3() and text comes back as UTF-16",
    ),
    spec(
        Setting::RichSchema,
        "rich_schema",
        (0, 0, 1),
        "1 creates the rich schema first where the case brings no main database",
    ),
    spec(
        Setting::Oracle,
        "oracle",
        (0, 0, 255),
        "number of the oracle of answers that judges the case (oracles::NUMBERED, from 1); 0 leaves it to the target",
    ),
];

impl Setting {
    /// The description.
    pub fn spec(self) -> &'static SettingSpec {
        &SETTINGS[self as usize]
    }
}

/// A value for each [`Setting`], always within its range.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct OpenConfig([u32; COUNT]);

impl Default for OpenConfig {
    fn default() -> Self {
        Self(std::array::from_fn(|i| SETTINGS[i].default))
    }
}

impl OpenConfig {
    /// The value of a setting.
    pub fn get(&self, setting: Setting) -> u32 {
        self.0[setting as usize]
    }

    /// True if a setting of range 0 to 1 is 1.
    pub fn is_on(&self, setting: Setting) -> bool {
        self.get(setting) != 0
    }

    /// Offset of the database's lock byte, in bytes.
    pub fn lock_byte(&self) -> u32 {
        match self.get(Setting::PendingBytePage) {
            0 => LOCK_BYTE,
            unit => unit << 16,
        }
    }

    /// Sets a value, clamped to the setting's range.
    pub fn set(&mut self, setting: Setting, value: u32) {
        let spec = setting.spec();
        self.0[setting as usize] = value.clamp(spec.min, spec.max);
    }

    /// A copy of this configuration with one value changed.
    #[must_use]
    pub fn with(mut self, setting: Setting, value: u32) -> Self {
        self.set(setting, value);
        self
    }

    /// Settings that differ from their default, in the order of [`SETTINGS`].
    pub fn changed(&self) -> impl Iterator<Item = (&'static SettingSpec, u32)> {
        SETTINGS.iter().zip(self.0).filter(|(spec, value)| spec.default != *value)
    }

    pub(super) fn write(&self, out: &mut Vec<u8>) {
        for (spec, value) in self.changed() {
            write_varint(spec.setting as u64, out);
            write_varint(u64::from(value), out);
        }
    }

    pub(super) fn read(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let mut config = Self::default();
        while !reader.is_empty() {
            let key = reader.varint("key of a setting")?;
            let value = reader.varint("value of a setting")?;
            let spec = usize::try_from(key).ok().and_then(|key| SETTINGS.get(key));
            let Some(spec) = spec else {
                reader.tolerate("unknown setting")?;
                continue;
            };
            let value = u32::try_from(value).unwrap_or(u32::MAX);
            config.set(spec.setting, value);
            if config.get(spec.setting) != value {
                reader.tolerate("a setting is outside its range")?;
            }
        }
        Ok(config)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_table_is_in_order_and_consistent() {
        for (i, spec) in SETTINGS.iter().enumerate() {
            assert_eq!(spec.setting as usize, i, "{}", spec.name);
            assert!((spec.min..=spec.max).contains(&spec.default), "{}", spec.name);
        }
    }
}
