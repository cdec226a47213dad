//! Settings, one by one and bit by bit.

use std::ops::Range;

use super::{Part, Pass};
use crate::testcase::{OpenConfig, Setting, TestCase};

/// All settings at once.
pub(super) struct AllSettings;

impl Pass for AllSettings {
    fn name(&self) -> &'static str {
        "settings"
    }

    fn part(&self) -> Part {
        Part::Settings
    }

    fn count(&self, case: &TestCase) -> usize {
        usize::from(case.config != bare(case))
    }

    fn without(&self, case: &TestCase, _: Range<usize>) -> Option<TestCase> {
        Some(TestCase { config: bare(case), ..case.clone() })
    }
}

/// No settings, but for the oracle that the case names.
fn bare(case: &TestCase) -> OpenConfig {
    OpenConfig::default().with(Setting::Oracle, case.config.get(Setting::Oracle))
}

/// One setting, or one switch of a setting that is a set of switches.
pub(super) struct Settings;

/// What removing each place leaves: the setting, and its value without that place.
fn places(case: &TestCase) -> Vec<(Setting, u32)> {
    let mut places = Vec::new();
    for (spec, value) in case.config.changed().filter(|(spec, _)| spec.setting != Setting::Oracle) {
        places.push((spec.setting, spec.default));
        if matches!(spec.setting, Setting::Toggles | Setting::OptimizationsOff) && value.count_ones() > 1 {
            let bits = (0..u32::BITS).filter(|bit| value >> bit & 1 == 1);
            places.extend(bits.map(|bit| (spec.setting, value & !(1 << bit))));
        }
    }
    places
}

impl Pass for Settings {
    fn name(&self) -> &'static str {
        "settings"
    }

    fn part(&self) -> Part {
        Part::Settings
    }

    fn count(&self, case: &TestCase) -> usize {
        places(case).len()
    }

    fn without(&self, case: &TestCase, at: Range<usize>) -> Option<TestCase> {
        let (setting, value) = *places(case).get(at.start)?;
        Some(TestCase { config: case.config.with(setting, value), ..case.clone() })
    }

    fn is_divisible(&self) -> bool {
        false
    }
}
