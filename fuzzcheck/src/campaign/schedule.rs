//! Which job gets the next time slice.
//!
//! The next slice goes to the job that has had the least of its weighted share. A round, in
//! which each job has one slice, is short compared to the whole, so that every job gets a slice early, and later slices
//! benefit from the corpora of earlier ones. A job that does not manage to fuzz rests, longer each time; a
//! process that dies after it has fuzzed for a while is no reason for that.

use std::time::Duration;

/// Minimum number of rounds, as far as slices of [`SLICE_MIN`] allow.
const ROUNDS_MIN: u32 = 3;
/// Longest round.
const ROUND_MAX: Duration = Duration::from_secs(30 * 60);
/// Shorter slices are not worth their startup: the corpus is loaded again, which may take half a minute. If there is not
/// even time for two such rounds, slices are shorter nevertheless.
const SLICE_MIN: Duration = Duration::from_secs(60);
/// Rest after the first failed slice; doubled after each further one.
const REST_MIN: Duration = Duration::from_secs(5);
/// Longest rest.
const REST_MAX: Duration = Duration::from_secs(15 * 60);
/// When all jobs have failed this often in a row, fuzzing is given up.
const STRIKES_MAX: u32 = 6;

/// How much of a budget is reserved for the steps after fuzzing. Building for coverage and replaying the
/// corpora take minutes whatever the budget; merging takes longer the more was found.
pub(crate) fn time_for_after(budget: Duration) -> Duration {
    (Duration::from_secs(6 * 60) + budget.mul_f64(0.08)).min(budget.mul_f64(0.4))
}

/// How a slice ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum SliceEnd {
    /// Its time was over.
    Over,
    /// Processes end with a finding as soon as they begin.
    CrashesAtOnce,
    /// A process ended for another reason than a finding.
    Failed {
        /// Its message.
        why: String,
        /// Whether it had fuzzed before.
        has_fuzzed: bool,
    },
}

/// What to do next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Next {
    /// A slice of this length for this job.
    Slice(usize, Duration),
    /// All jobs rest for this long.
    Rest(Duration),
    /// The time is used up.
    Over,
    /// No job manages to fuzz.
    Hopeless,
}

/// A job.
#[derive(Debug, Clone)]
struct Share {
    weight: f64,
    used: Duration,
    /// Failed slices in a row.
    strikes: u32,
    rests_until: Duration,
}

/// The schedule. Times are those of the campaign, without pauses.
#[derive(Debug, Clone)]
pub(crate) struct Schedule {
    shares: Vec<Share>,
    round: Duration,
    slice_min: Duration,
    until: Duration,
}

impl Schedule {
    /// Of jobs with a weight above 0 and what each has used already, from `now` to `until`.
    pub(crate) fn new(
        jobs: impl IntoIterator<Item = (f64, Duration)>,
        now: Duration,
        until: Duration,
    ) -> Self {
        let share = |(weight, used)| Share { weight, used, strikes: 0, rests_until: Duration::ZERO };
        let shares: Vec<Share> = jobs.into_iter().map(share).collect();
        let time = until.saturating_sub(now);
        let round = (time / ROUNDS_MIN).min(ROUND_MAX);
        let jobs = u32::try_from(shares.len()).unwrap_or(u32::MAX).max(1);
        let slice_min = SLICE_MIN.min(time / 2 / jobs);
        Self { shares, round, slice_min, until }
    }

    /// What to do at this time.
    pub(crate) fn next(&self, now: Duration) -> Next {
        let left = self.until.saturating_sub(now);
        if left.is_zero() {
            return Next::Over;
        }
        if self.shares.iter().all(|share| share.strikes >= STRIKES_MAX) {
            return Next::Hopeless;
        }
        let has_had = |share: &Share| share.used.as_secs_f64() / share.weight;
        let ready = self.shares.iter().enumerate().filter(|(_, share)| share.rests_until <= now);
        let next = ready.min_by(|(_, a), (_, b)| has_had(a).total_cmp(&has_had(b)));
        let Some((job, share)) = next else {
            let first = self.shares.iter().map(|share| share.rests_until).min().unwrap_or(now);
            return Next::Rest(first.saturating_sub(now).min(left));
        };
        let all: f64 = self.shares.iter().map(|share| share.weight).sum();
        let slice = self.round.mul_f64(share.weight / all).max(self.slice_min);
        // The rest would be too short for another slice.
        Next::Slice(job, if left < slice + self.slice_min { left } else { slice })
    }

    /// Records a slice that ended at this time.
    pub(crate) fn ended(&mut self, job: usize, used: Duration, end: &SliceEnd, now: Duration) {
        let share = &mut self.shares[job];
        share.used += used;
        match end {
            SliceEnd::Over | SliceEnd::Failed { has_fuzzed: true, .. } => share.strikes = 0,
            SliceEnd::CrashesAtOnce | SliceEnd::Failed { has_fuzzed: false, .. } => {
                let rest = REST_MIN.saturating_mul(1 << share.strikes.min(16)).min(REST_MAX);
                // A job that crashes at once still fuzzes a little each time.
                let counts = matches!(end, SliceEnd::Failed { .. }) || share.strikes + 1 < STRIKES_MAX;
                share.strikes += u32::from(counts);
                share.rests_until = now + rest;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seconds(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    /// Runs slices to the end; the jobs, each with its time.
    fn run(schedule: &mut Schedule, mut end: impl FnMut(usize) -> SliceEnd) -> (Vec<(usize, u64)>, Duration) {
        let (mut slices, mut now) = (Vec::new(), Duration::ZERO);
        loop {
            match schedule.next(now) {
                Next::Slice(job, time) => {
                    let end = end(job);
                    let time = if end == SliceEnd::Over { time } else { seconds(1) };
                    now += time;
                    schedule.ended(job, time, &end, now);
                    slices.push((job, time.as_secs()));
                }
                Next::Rest(time) => now += time,
                Next::Over | Next::Hopeless => return (slices, now),
            }
        }
    }

    #[test]
    fn what_is_kept_for_the_end_grows_with_the_budget_and_never_takes_all() {
        let minutes = [1, 20, 60, 480].map(|minutes| time_for_after(seconds(60 * minutes)).as_secs() / 6);
        assert_eq!(minutes, [4, 76, 108, 444]);
    }

    #[test]
    fn weights_are_kept_and_every_job_has_a_slice_early() {
        let mut schedule = Schedule::new(
            [(6.0, seconds(0)), (2.0, seconds(0)), (2.0, seconds(0))],
            seconds(0),
            seconds(3600),
        );
        let (slices, now) = run(&mut schedule, |_| SliceEnd::Over);
        assert_eq!(slices[..3], [(0, 720), (1, 240), (2, 240)]);
        assert_eq!(now, seconds(3600));
        let of = |job: usize| slices.iter().filter(|slice| slice.0 == job).map(|slice| slice.1).sum::<u64>();
        assert_eq!([of(0), of(1), of(2)], [2160, 720, 720]);
    }

    #[test]
    fn a_resumed_campaign_prefers_the_jobs_that_have_had_less() {
        let schedule = Schedule::new([(1.0, seconds(100)), (1.0, seconds(90))], seconds(190), seconds(1000));
        assert!(matches!(schedule.next(seconds(190)), Next::Slice(1, _)));
        assert_eq!(schedule.next(seconds(1000)), Next::Over);
        // A short remainder is not a separate slice.
        assert_eq!(schedule.next(seconds(900)), Next::Slice(1, seconds(100)));
    }

    #[test]
    fn in_a_short_time_all_arms_have_a_short_slice() {
        let jobs = [(6.0, seconds(0)), (2.0, seconds(0)), (2.0, seconds(0))];
        let (slices, now) = run(&mut Schedule::new(jobs, seconds(0), seconds(90)), |_| SliceEnd::Over);
        assert_eq!((&slices[..3], now), (&[(0, 18), (1, 15), (2, 15)][..], seconds(90)));
    }

    #[test]
    fn what_crashes_at_once_rests_longer_each_time_and_the_others_go_on() {
        let mut schedule = Schedule::new([(1.0, seconds(0)), (1.0, seconds(0))], seconds(0), seconds(1000));
        let (slices, now) =
            run(&mut schedule, |job| if job == 0 { SliceEnd::CrashesAtOnce } else { SliceEnd::Over });
        let brief = slices.iter().filter(|slice| slice.0 == 0).count();
        assert!((4..=9).contains(&brief), "{slices:?}");
        assert!(
            slices.iter().filter(|slice| slice.0 == 1).map(|slice| slice.1).sum::<u64>() > 950,
            "{slices:?}"
        );
        assert_eq!(now, seconds(1000));
    }

    #[test]
    fn a_process_that_dies_after_fuzzing_is_begun_again_at_once() {
        let mut schedule = Schedule::new([(1.0, seconds(0))], seconds(0), seconds(100));
        let died = SliceEnd::Failed { why: "killed".to_owned(), has_fuzzed: true };
        let (slices, now) = run(&mut schedule, |_| died.clone());
        assert_eq!((slices.len(), now), (100, seconds(100)));
    }

    #[test]
    fn jobs_that_never_fuzz_end_it() {
        let mut schedule =
            Schedule::new([(1.0, seconds(0)), (1.0, seconds(0))], seconds(0), seconds(100_000));
        let blind = SliceEnd::Failed { why: "blind".to_owned(), has_fuzzed: false };
        let (slices, now) = run(&mut schedule, |_| blind.clone());
        assert_eq!(slices.len() as u32, 2 * STRIKES_MAX);
        assert!(now < seconds(600), "{now:?}");
    }
}
