//! Settings.

use super::{Context, Mutator, Outcome};
use crate::testcase::{SETTINGS, Setting, TOGGLE_NAMES, TestCase};

/// Sets one setting to its default, a boundary, or any value in its range.
pub(super) struct SettingValue;

impl Mutator for SettingValue {
    fn can_mutate(&self, _case: &TestCase) -> bool {
        true
    }

    fn mutate(&self, case: &mut TestCase, context: &mut Context<'_>) -> Outcome {
        let spec = &SETTINGS[context.rng.usize(0..SETTINGS.len())];
        // Which oracle judges is no matter of what is found new.
        if spec.setting == Setting::Oracle {
            return Outcome::Skipped;
        }
        let old = case.config.get(spec.setting);
        let value = match context.rng.u8(0..5) {
            0 => spec.default,
            1 => spec.min,
            2 if spec.setting == Setting::OptimizationsOff => 1 << context.rng.u32(0..32),
            2 => spec.max,
            3 => spec.min.saturating_add(context.rng.u32(0..32)),
            _ => context.rng.u32(spec.min..=spec.max),
        };
        case.config.set(spec.setting, value);
        if case.config.get(spec.setting) == old { Outcome::Skipped } else { Outcome::Mutated }
    }
}

/// Inverts one `sqlite3_db_config` switch.
pub(super) struct Toggle;

impl Mutator for Toggle {
    fn can_mutate(&self, _case: &TestCase) -> bool {
        true
    }

    fn mutate(&self, case: &mut TestCase, context: &mut Context<'_>) -> Outcome {
        let bit = context.rng.usize(0..TOGGLE_NAMES.len());
        case.config.set(Setting::Toggles, case.config.get(Setting::Toggles) ^ 1 << bit);
        Outcome::Mutated
    }
}
