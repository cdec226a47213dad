//! Which share of the cases each check judged, and whether it fell since the last night.
//!
//! A check that excuses ever more cases stays green and finds ever less. So its share is compared with that of the last
//! night on the same version and options of SQLite. A fall is a warning if it is more than [`FALL_POINTS`] percentage points
//! and both nights had at least [`CASES_MIN`] cases: the corpora of two nights are nearly the same, and what a night adds to
//! them moves a share by less, while among fewer cases a handful moves it by as much.

use crate::campaign::record::{Campaign, Check};

/// Percentage points by which a share may fall.
const FALL_POINTS: f64 = 2.0;
/// Cases without which a share says too little.
const CASES_MIN: u64 = 200;

/// The same check in the last night.
pub(super) fn before<'c>(campaign: &'c Campaign, check: &Check) -> Option<&'c Check> {
    let checks = &campaign.checks_before.as_ref()?.checks;
    checks.iter().find(|other| (&other.name, &other.build) == (&check.name, &check.build))
}

/// The checks that judged less than in the last night, in words.
pub(super) fn warnings(campaign: &Campaign) -> Vec<String> {
    let Some(last) = &campaign.checks_before else {
        return Vec::new();
    };
    let warning = |old: &Check| {
        let now = campaign.checks.iter().find(|check| before(campaign, check) == Some(old));
        let (name, build, share) = (&old.name, &old.build, old.counts.judged_percent());
        match now {
            Some(now) => {
                let cases = old.counts.cases().min(now.counts.cases());
                let share_now = now.counts.judged_percent();
                let most = now.counts.reasons().first().map_or("-", |(reason, _)| *reason).to_owned();
                (cases >= CASES_MIN && share - share_now > FALL_POINTS).then(|| {
                    format!(
                        "{name} in the {build} build judged {share_now:.1} % of the cases, {share:.1} % in {}; \
                         most of the rest: {most}",
                        last.id
                    )
                })
            }
            // Where the build did not run at all, a step says so.
            None => campaign.checks.iter().any(|check| check.build == *build).then(|| {
                format!(
                    "{name} in the {build} build judged {share:.1} % of the cases in {}, and is gone",
                    last.id
                )
            }),
        }
    };
    last.checks.iter().filter_map(warning).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::campaign::record::Before;
    use crate::campaign::report::made::campaign;
    use crate::campaign::report::summary::Summary;
    use crate::replay::protocol::OracleCounts;

    fn check(name: &str, judged: u64, not_judged: u64) -> Check {
        let not_judged = [("tainted: limits".to_owned(), not_judged)].into();
        let counts = OracleCounts { passed: judged, not_judged, ..OracleCounts::default() };
        Check { name: name.to_owned(), build: "release".to_owned(), counts }
    }

    fn warned(last: &[Check], now: &[Check]) -> Vec<String> {
        let checks_before = Some(Before { id: "20261120T220102Z".to_owned(), checks: last.to_vec() });
        Summary::of(&Campaign { checks_before, checks: now.to_vec(), ..campaign() }).warnings
    }

    #[test]
    fn a_share_that_falls_from_night_to_night_is_a_warning() {
        let last = [check("code", 900, 100), check("memory", 100, 0)];
        let fallen = warned(&last, &[check("code", 870, 130), check("memory", 50, 50)]);
        assert_eq!(fallen.len(), 1, "memory has too few cases: {fallen:?}");
        let words = ["code", "87.0 %", "90.0 %", "20261120T220102Z", "tainted: limits"];
        assert!(words.iter().all(|word| fallen[0].contains(word)), "{fallen:?}");
        // Noise, a rise, and the same share of more cases are none.
        for now in [check("code", 881, 119), check("code", 950, 50), check("code", 1800, 200)] {
            assert_eq!(warned(&last, &[now, check("memory", 100, 0)]), [""; 0]);
        }
        let gone = warned(&last, &[check("memory", 100, 0)]);
        assert!(gone.len() == 1 && gone[0].contains("code") && gone[0].contains("gone"), "{gone:?}");
        assert_eq!(warned(&last, &[]), [""; 0], "nothing was replayed, which is told elsewhere");
    }
}
