//! The ticks of an axis and their labels.

/// About as many ticks as an axis has.
const TICKS: f64 = 5.0;
/// Steps of an axis of time in seconds, each with the seconds of its unit and the unit's name.
const TIME_STEPS: [(f64, f64, &str); 18] = [
    (1.0, 1.0, "s"),
    (2.0, 1.0, "s"),
    (5.0, 1.0, "s"),
    (10.0, 1.0, "s"),
    (30.0, 1.0, "s"),
    (60.0, 60.0, "min"),
    (120.0, 60.0, "min"),
    (300.0, 60.0, "min"),
    (600.0, 60.0, "min"),
    (1200.0, 60.0, "min"),
    (1800.0, 60.0, "min"),
    (3600.0, 3600.0, "h"),
    (7200.0, 3600.0, "h"),
    (10_800.0, 3600.0, "h"),
    (21_600.0, 3600.0, "h"),
    (43_200.0, 3600.0, "h"),
    (86_400.0, 86_400.0, "d"),
    (604_800.0, 86_400.0, "d"),
];

/// Round values from below `low` to above `high`, at least two.
pub(super) fn ticks(low: f64, high: f64) -> Vec<f64> {
    let spread = if high > low { high - low } else { high.abs().max(1.0) * 0.1 };
    let magnitude = 10_f64.powf((spread / TICKS).log10().floor());
    let step = [1.0, 2.0, 2.5, 5.0, 10.0].into_iter().map(|factor| factor * magnitude);
    let step = step.into_iter().find(|step| spread / step <= TICKS).unwrap_or(magnitude * 10.0);
    let first = (low / step + 1e-9).floor();
    let last = (high / step - 1e-9).ceil().max(first + 1.0);
    (0..=(last - first) as u32).map(|index| (first + f64::from(index)) * step).collect()
}

/// The label of a value, with as many digits as distinguish it from the next one, `step` further.
pub(super) fn short(value: f64, step: f64) -> String {
    let (divisor, suffix) = match value.abs().max(step) {
        1e6.. => (1e6, "M"),
        1e4.. => (1e3, "k"),
        _ => (1.0, ""),
    };
    let digits = (-(step / divisor).log10()).ceil().clamp(0.0, 3.0) as usize;
    // 2.5 has one more than its power of ten says.
    let is_exact = |digits: usize| ((step / divisor) * 10_f64.powi(digits as i32)).fract().abs() < 1e-6;
    let digits = if is_exact(digits) { digits } else { digits + 1 };
    if value == 0.0 { "0".to_owned() } else { format!("{:.digits$}{suffix}", value / divisor) }
}

/// Ticks of an axis of time from zero to `end` seconds.
pub(super) fn times(end: f64) -> Vec<(f64, String)> {
    let fits = |(step, ..): &&(f64, f64, &str)| end / step <= TICKS + 1.0;
    let (step, unit, name) = *TIME_STEPS.iter().find(fits).unwrap_or(&TIME_STEPS[TIME_STEPS.len() - 1]);
    // Months: several weeks at a time.
    let step = if end / step > 2.0 * TICKS { (end / step / TICKS).ceil() * step } else { step };
    let all = (0..).map(|index| f64::from(index) * step).take_while(|at| *at <= end * 1.0001);
    all.map(|at| (at, if at == 0.0 { "0".to_owned() } else { format!("{} {name}", at / unit) })).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_are_round_and_hold_all_values() {
        assert_eq!(ticks(0.0, 480.0), [0.0, 100.0, 200.0, 300.0, 400.0, 500.0]);
        assert_eq!(ticks(0.0, 0.0), [0.0, 0.02]);
        assert_eq!(ticks(66.0, 72.1), [66.0, 68.0, 70.0, 72.0, 74.0]);
        for (low, high) in [(0.0, 1.0), (3.0, 3.0), (24_100.0, 34_700.0), (0.0, 1e9), (1e-3, 2e-3)] {
            let all = ticks(low, high);
            assert!(
                (2..=7).contains(&all.len()) && all[0] <= low && all[all.len() - 1] >= high,
                "{low} {high} {all:?}"
            );
        }
    }

    #[test]
    fn a_tick_shows_what_tells_it_from_the_next() {
        let shown = |low: f64, high: f64| {
            let all = ticks(low, high);
            all.iter().map(|value| short(*value, all[1] - all[0])).collect::<Vec<_>>()
        };
        assert_eq!(shown(0.0, 12.0), ["0", "2.5", "5.0", "7.5", "10.0", "12.5"]);
        assert_eq!(shown(24_100.0, 34_700.0), ["22.5k", "25.0k", "27.5k", "30.0k", "32.5k", "35.0k"]);
        for (low, high) in [(66.7, 66.9), (0.0, 3e6), (9_000.0, 11_000.0), (27_911.0, 27_954.0)] {
            let mut all = shown(low, high);
            let count = all.len();
            all.dedup();
            assert_eq!(all.len(), count, "{all:?}");
        }
    }

    #[test]
    fn seconds_hours_and_months_all_get_few_labels() {
        for seconds in [1.0, 45.0, 400.0, 28_500.0, 86_400.0, 90.0 * 86_400.0] {
            let labels = times(seconds);
            assert!((2..=11).contains(&labels.len()), "{seconds}: {labels:?}");
        }
        assert_eq!(times(7_300.0).last(), Some(&(7_200.0, "120 min".to_owned())));
        assert_eq!(times(28_500.0)[1], (7_200.0, "2 h".to_owned()));
    }
}
