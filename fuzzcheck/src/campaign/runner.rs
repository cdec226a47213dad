//! Runs a campaign: turns of arms until their time is over, then steps, and writes down what was done as it goes on.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::Result;

use super::clock::Clock;
use super::fuzzer::{Fuzz, Moment};
use super::limits::Disk;
use super::record::{Campaign, Sample, SittingEnd, Step, StepEnd, Turn};
use super::schedule::{Next, Schedule, TurnEnd};
use super::state::State;
use crate::ui::Ticker;

/// How often the record is written while something goes on.
const SAVE_INTERVAL: Duration = Duration::from_secs(2);
/// How often the disk is looked at.
const DISK_INTERVAL: Duration = Duration::from_secs(20);
/// Samples of a campaign are no closer, and about this many.
const SAMPLE_INTERVAL_MIN: Duration = Duration::from_secs(5);
const SAMPLES: u32 = 500;
/// A pause is spent in pieces, so that an interruption is seen.
const PAUSE: Duration = Duration::from_millis(100);
/// Failures of an arm that are told in full; there may be thousands.
const FAILURES_MAX: usize = 20;

/// How fuzzing ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum FuzzEnd {
    /// Its time is over.
    Over,
    /// The campaign is interrupted.
    Stopped,
    /// The disk is full, as far as it may be.
    DiskFull,
    /// No arm comes to fuzz.
    Hopeless,
}

/// What a step came to.
pub(crate) enum Done {
    /// It is done.
    Well,
    /// It was left out, or cut off, and why.
    Skipped(String),
    /// It failed, and why; the campaign goes on.
    Failed(String),
    /// The campaign is interrupted: the next sitting does it again.
    Stopped,
}

/// See the module.
pub(crate) struct Runner<'a> {
    /// The campaign.
    pub state: State,
    clock: &'a dyn Clock,
    stop: &'a AtomicBool,
    /// What earlier sittings have used.
    used_before: Duration,
    /// When this sitting began, by the clock.
    began: Duration,
    saved: Duration,
    looked: Duration,
    sampled: Duration,
    ticker: Ticker,
}

impl<'a> Runner<'a> {
    /// Goes on with a campaign, from when the clock began; an interruption sets `stop`.
    pub(crate) fn new(state: State, clock: &'a dyn Clock, stop: &'a AtomicBool, ticker: Ticker) -> Self {
        let used_before = Duration::from_secs_f64(state.campaign.used_s.max(0.0));
        let [began, saved, looked, sampled] = [Duration::ZERO; 4];
        Self { state, clock, stop, used_before, began, saved, looked, sampled, ticker }
    }

    /// Time that the campaign has used, without pauses.
    pub(crate) fn now(&self) -> Duration {
        self.used_before + self.clock.now().saturating_sub(self.began)
    }

    /// Whether it is interrupted.
    pub(crate) fn is_stopped(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }

    /// What an interruption sets.
    pub(crate) fn stop(&self) -> &'a AtomicBool {
        self.stop
    }

    /// Says something now and then.
    pub(crate) fn show(&mut self, text: impl FnOnce() -> String) {
        self.ticker.show(text);
    }

    /// Says something at once, where progress is said.
    pub(crate) fn say(&self, text: &str) {
        self.ticker.line(text);
    }

    /// Writes down what was done so far.
    ///
    /// # Errors
    /// Where it cannot be written.
    pub(crate) fn save(&mut self) -> Result<()> {
        let seconds = (self.clock.now().saturating_sub(self.began)).as_secs_f64();
        if let Some(sitting) = self.state.campaign.sittings.last_mut() {
            sitting.seconds = seconds;
        }
        self.state.campaign.used_s = self.now().as_secs_f64();
        self.saved = self.clock.now();
        self.state.save()
    }

    /// As [`Runner::save`], if that was not done just now.
    ///
    /// # Errors
    /// As [`Runner::save`].
    pub(crate) fn save_now_and_then(&mut self) -> Result<()> {
        if self.clock.now().saturating_sub(self.saved) >= SAVE_INTERVAL { self.save() } else { Ok(()) }
    }

    /// Ends the sitting.
    ///
    /// # Errors
    /// Where the record cannot be written.
    pub(crate) fn end_sitting(&mut self, end: SittingEnd) -> Result<()> {
        if let Some(sitting) = self.state.campaign.sittings.last_mut() {
            sitting.end = end;
        }
        self.save()
    }

    /// Does a step unless it is done, and notes how it ended.
    ///
    /// # Errors
    /// Where the record cannot be written.
    pub(crate) fn step(&mut self, name: &str, work: impl FnOnce(&mut Self) -> Result<Done>) -> Result<()> {
        let is_over = |step: &Step| step.end != StepEnd::Open;
        if self.is_stopped() || self.step_of(name).is_some_and(is_over) {
            return Ok(());
        }
        if self.step_of(name).is_none() {
            let step = Step { name: name.to_owned(), end: StepEnd::Open, seconds: 0.0, why: None };
            self.state.campaign.steps.push(step);
        }
        self.save()?;
        let started = self.now();
        let (end, why) = match work(self) {
            Ok(Done::Well) => (StepEnd::Done, None),
            Ok(Done::Skipped(why)) => (StepEnd::Skipped, Some(why)),
            Ok(Done::Failed(why)) => (StepEnd::Failed, Some(why)),
            Ok(Done::Stopped) => (StepEnd::Open, None),
            Err(error) => (StepEnd::Failed, Some(format!("{error:#}"))),
        };
        if let Some(why) = &why {
            let what = if end == StepEnd::Failed { "failed" } else { "not done" };
            eprintln!("fuzzcheck: {name}: {what}: {why}");
        }
        let seconds = self.now().saturating_sub(started).as_secs_f64();
        let steps = &mut self.state.campaign.steps;
        if let Some(step) = steps.iter_mut().rfind(|step| step.name == name) {
            (step.end, step.why) = (end, why);
            step.seconds += seconds;
        }
        self.save()
    }

    /// Lets a step be done again that an earlier sitting has done.
    pub(crate) fn reopen(&mut self, name: &str) {
        let steps = self.state.campaign.steps.iter_mut();
        steps.filter(|step| step.name == name).for_each(|step| step.end = StepEnd::Open);
    }

    /// The record; nothing changes any more.
    pub(crate) fn finish(self) -> Campaign {
        self.ticker.finish();
        self.state.campaign
    }

    /// A step of the record.
    pub(crate) fn step_of(&self, name: &str) -> Option<&Step> {
        self.state.campaign.steps.iter().rfind(|step| step.name == name)
    }

    /// Fuzzes until this time of the campaign.
    ///
    /// # Errors
    /// Where the record cannot be written.
    pub(crate) fn fuzz(&mut self, fuzzer: &mut dyn Fuzz, until: Duration, disk: &Disk) -> Result<FuzzEnd> {
        let arms = self.state.campaign.arms.iter();
        let shares = arms.map(|arm| (arm.weight, Duration::from_secs_f64(arm.seconds().max(0.0))));
        let mut schedule = Schedule::new(shares, self.now(), until);
        loop {
            if self.is_stopped() {
                return Ok(FuzzEnd::Stopped);
            }
            if self.is_disk_full(disk) {
                return Ok(FuzzEnd::DiskFull);
            }
            match schedule.next(self.now()) {
                Next::Over => return Ok(FuzzEnd::Over),
                Next::Hopeless => return Ok(FuzzEnd::Hopeless),
                Next::Rest(time) => self.rest(time)?,
                Next::Turn(arm, time) => {
                    let began = self.now();
                    let end = self.turn(fuzzer, arm, time, disk)?;
                    let now = self.now();
                    schedule.ended(arm, now.saturating_sub(began), &end, now);
                }
            }
        }
    }

    /// Waits, in pieces.
    fn rest(&mut self, time: Duration) -> Result<()> {
        let until = self.clock.now() + time;
        while self.clock.now() < until && !self.is_stopped() {
            self.clock.sleep(PAUSE.min(until.saturating_sub(self.clock.now())));
            self.show(|| "all arms rest: none of them gets further than its beginning".to_owned());
            self.save_now_and_then()?;
        }
        Ok(())
    }

    fn is_disk_full(&mut self, disk: &Disk) -> bool {
        let now = self.clock.now() + DISK_INTERVAL;
        if now.saturating_sub(self.looked) < DISK_INTERVAL {
            return false;
        }
        self.looked = now;
        let looked = disk.look(&self.state.memory.by_signature());
        if looked.removed > 0 {
            eprintln!(
                "fuzzcheck: --max-disk-gib: {} files that can be missed were removed; {} MiB are left",
                looked.removed,
                looked.bytes >> 20
            );
        }
        looked.is_over
    }

    /// One turn. What fails in it is its own failure, and noted.
    fn turn(&mut self, fuzzer: &mut dyn Fuzz, arm: usize, time: Duration, disk: &Disk) -> Result<TurnEnd> {
        self.state.campaign.arms[arm].sittings.push(Turn::default());
        self.save()?;
        let stop = AtomicBool::new(false);
        let mut saved = Ok(());
        let end = fuzzer.turn(arm, time, &stop, &mut |moment| {
            self.note(arm, time, moment);
            if saved.is_ok() {
                saved = self.save_now_and_then();
            }
            if self.is_stopped() || saved.is_err() || self.is_disk_full_soon(disk) {
                stop.store(true, Ordering::Relaxed);
            }
        });
        saved?;
        let turn = self.state.campaign.arms[arm].sittings.last();
        let has_fuzzed = turn.is_some_and(|turn| turn.executions > 0);
        let end = end.unwrap_or_else(|error| TurnEnd::Failed { why: format!("{error:#}"), has_fuzzed });
        let record = &mut self.state.campaign.arms[arm];
        let why = match &end {
            TurnEnd::Over => None,
            TurnEnd::CrashesAtOnce => Some("every process ends with a finding as soon as it begins"),
            TurnEnd::Failed { why, .. } => Some(why.as_str()),
        };
        if let Some(why) = why {
            eprintln!("fuzzcheck: {} in the lane {}: {why}", record.target, record.lane);
            if record.failures.len() < FAILURES_MAX {
                record.failures.push(why.to_owned());
            }
        }
        self.save()?;
        Ok(end)
    }

    /// Looks at the disk within a turn; that it is full is seen again after it.
    fn is_disk_full_soon(&mut self, disk: &Disk) -> bool {
        let is_full = self.is_disk_full(disk);
        if is_full {
            self.looked = Duration::ZERO;
        }
        is_full
    }

    /// Writes down how a turn goes on.
    fn note(&mut self, arm: usize, time: Duration, moment: &Moment) {
        let now = self.now();
        let budget = Duration::from_secs_f64(self.state.campaign.budget_s.max(0.0));
        let record = &mut self.state.campaign.arms[arm];
        if let Some(turn) = record.sittings.last_mut() {
            turn.clone_from(&moment.turn);
        }
        self.state.memory.cases.extend(moment.cases.iter().cloned());
        let Moment { edges, features, corpus_cases, .. } = *moment;
        let is_due = now.saturating_sub(self.sampled) >= SAMPLE_INTERVAL_MIN.max(budget / SAMPLES);
        if is_due && edges > 0 {
            self.sampled = now;
            let (seconds, executions) = (now.as_secs_f64(), record.executions());
            record.samples.push(Sample { seconds, executions, edges, features, corpus_cases });
        }
        let (name, turn) = (format!("{}/{}", record.target, record.lane), &moment.turn);
        let signatures = self.state.memory.by_signature().len();
        self.ticker.show(|| {
            format!(
                "{} of {} s: {name} for {:.0} of {} s: {} executions, {:.0}/s, {edges} edges, {corpus_cases} cases; \
                 {signatures} signatures so far",
                now.as_secs(),
                budget.as_secs(),
                turn.seconds,
                time.as_secs(),
                turn.executions,
                turn.executions as f64 / turn.seconds.max(0.001),
            )
        });
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::path::{Path, PathBuf};

    use super::*;
    use crate::campaign::clock::Scripted;
    use crate::campaign::record::Campaign;
    use crate::campaign::state::{Case, tests as state};

    /// What an arm of a script does with a turn.
    enum Act {
        /// Runs a hundred cases a second.
        Fuzz,
        /// Finds a bug after half of its time, and goes on.
        Find(&'static str),
        CrashAtOnce,
        Die {
            has_fuzzed: bool,
        },
        /// The campaign is killed in the middle of it: nothing that comes after the last writing is known.
        Kill,
        /// The user interrupts.
        Interrupt,
    }

    struct Script<'a> {
        clock: &'a Scripted,
        stop: &'a AtomicBool,
        act: Box<dyn FnMut(usize, usize) -> Act>,
        turns: Vec<usize>,
    }

    impl Fuzz for Script<'_> {
        fn turn(
            &mut self,
            arm: usize,
            time: Duration,
            stop: &AtomicBool,
            show: &mut dyn FnMut(&Moment),
        ) -> Result<TurnEnd> {
            let act = (self.act)(arm, self.turns.iter().filter(|turn| **turn == arm).count());
            self.turns.push(arm);
            let whole = time.as_secs();
            let lasts = match act {
                Act::CrashAtOnce | Act::Die { has_fuzzed: false } => 1,
                Act::Die { .. } | Act::Kill | Act::Interrupt => whole / 2,
                _ => whole,
            };
            let mut moment = Moment::default();
            for second in 1..=lasts {
                self.clock.sleep(Duration::from_secs(1));
                let fuzzes = !matches!(act, Act::CrashAtOnce | Act::Die { has_fuzzed: false });
                moment.turn.executions += if fuzzes { 100 } else { 0 };
                moment.turn.seconds = second as f64;
                (moment.edges, moment.features, moment.corpus_cases) = (10, 20, 5);
                if let Act::Find(signature) = act
                    && second == whole / 2
                {
                    moment.turn.found = BTreeMap::from([(signature.to_owned(), 1)]);
                    moment.cases = vec![Case {
                        path: PathBuf::from(format!("crash-{}", self.turns.len())),
                        signature: signature.to_owned(),
                        target: "sql".to_owned(),
                        lane: "asan".to_owned(),
                        message: None,
                    }];
                }
                show(&moment);
                if stop.load(Ordering::Relaxed) {
                    return Ok(TurnEnd::Over);
                }
            }
            match act {
                Act::Kill => panic!("killed"),
                Act::Interrupt => self.stop.store(true, Ordering::Relaxed),
                Act::CrashAtOnce => return Ok(TurnEnd::CrashesAtOnce),
                Act::Die { has_fuzzed } => {
                    return Ok(TurnEnd::Failed { why: "it died".to_owned(), has_fuzzed });
                }
                _ => {}
            }
            Ok(TurnEnd::Over)
        }
    }

    fn no_limit() -> Disk {
        Disk { bytes_max: u64::MAX, folders: vec![], artifacts: vec![], logs: vec![] }
    }

    /// Runs a sitting; the record as it is on disk afterwards, and how fuzzing ended, unless the process was killed.
    fn sit(
        root: &Path,
        arms: &[(&str, f64)],
        disk: &Disk,
        act: impl FnMut(usize, usize) -> Act + 'static,
    ) -> (Campaign, Option<FuzzEnd>, Vec<usize>) {
        let (clock, stop) = (Scripted::default(), AtomicBool::new(false));
        let mut script = Script { clock: &clock, stop: &stop, act: Box::new(act), turns: vec![] };
        let state = state::open(root, false, arms).unwrap();
        let record = state.record();
        let end = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            let mut runner = Runner::new(state, &clock, &stop, Ticker::new());
            let mut end = None;
            let fuzzed = runner.step("fuzz", |runner| {
                let ended = runner.fuzz(&mut script, Duration::from_secs(800), disk)?;
                end = Some(ended.clone());
                Ok(if ended == FuzzEnd::Stopped { Done::Stopped } else { Done::Well })
            });
            fuzzed.unwrap();
            let how = if runner.is_stopped() { SittingEnd::Interrupted } else { SittingEnd::Through };
            runner.end_sitting(how).unwrap();
            end
        }));
        let campaign = serde_json::from_slice(&std::fs::read(record).unwrap()).unwrap();
        (campaign, end.ok().flatten(), script.turns)
    }

    #[test]
    fn counts_add_up_over_a_campaign_that_is_killed_and_interrupted() {
        let root = tempfile::tempdir().unwrap();
        let arms = [("db_sql", 3.0), ("sql", 1.0)];
        let (killed, end, _) =
            sit(
                root.path(),
                &arms,
                &no_limit(),
                |arm, turn| if (arm, turn) == (1, 1) { Act::Kill } else { Act::Fuzz },
            );
        assert_eq!(end, None);
        assert_eq!(killed.sittings[0].end, SittingEnd::Open);
        // All that was written before stays; of the turn that was killed, all but the last two seconds.
        let before = killed.executions();
        let turn = killed.arms[1].sittings[1].clone();
        assert!(turn.executions > 100 * 20 && turn.executions >= 100 * (turn.seconds as u64), "{turn:?}");

        let (interrupted, end, _) = sit(root.path(), &[], &no_limit(), |_, _| Act::Interrupt);
        assert_eq!(end, Some(FuzzEnd::Stopped));
        let ends: Vec<SittingEnd> = interrupted.sittings.iter().map(|sitting| sitting.end).collect();
        assert_eq!(ends, [SittingEnd::Killed, SittingEnd::Interrupted]);
        assert!(interrupted.executions() > before);
        assert_eq!(interrupted.arms[1].sittings[1], turn, "what has ended does not change");

        let (through, end, turns) = sit(root.path(), &[], &no_limit(), |_, _| Act::Fuzz);
        assert_eq!((end, through.sittings.len()), (Some(FuzzEnd::Over), 3));
        assert!(!turns.is_empty());
        // A hundred executions for each second that was written down, and not more seconds than there were.
        let seconds: f64 = through.arms.iter().map(|arm| arm.seconds()).sum();
        assert_eq!(through.executions(), 100 * seconds as u64);
        let sat: f64 = through.sittings.iter().map(|sitting| sitting.seconds).sum();
        assert!((through.used_s - sat).abs() < 1e-6 && seconds <= sat && through.used_s >= 799.0, "{sat}");
        let samples = &through.arms[0].samples;
        assert!(
            samples.len() > 10
                && samples.is_sorted_by(|a, b| a.seconds < b.seconds && a.executions < b.executions)
        );
        // What is done is not done again.
        let (again, end, turns) = sit(root.path(), &[], &no_limit(), |_, _| unreachable!());
        assert_eq!((again.executions(), end, turns.len()), (through.executions(), None, 0));
    }

    #[test]
    fn an_arm_that_crashes_at_once_or_dies_leaves_its_time_to_the_others() {
        let root = tempfile::tempdir().unwrap();
        let arms = [("db_sql", 1.0), ("sql", 1.0), ("db_file", 1.0)];
        let (campaign, end, turns) = sit(root.path(), &arms, &no_limit(), |arm, turn| match (arm, turn) {
            (0, _) => Act::CrashAtOnce,
            (1, 0) => Act::Die { has_fuzzed: true },
            _ => Act::Fuzz,
        });
        assert_eq!(end, Some(FuzzEnd::Over));
        let of = |arm: usize| turns.iter().filter(|turn| **turn == arm).count();
        assert!((3..=9).contains(&of(0)), "{turns:?}");
        let [first, second, third] = [0, 1, 2].map(|arm: usize| &campaign.arms[arm]);
        assert!(
            first.failures.iter().all(|why| why.contains("as soon as it begins")),
            "{:?}",
            first.failures
        );
        assert_eq!((second.failures.len(), third.failures.len()), (1, 0));
        assert!(second.seconds() > 250.0 && third.seconds() > 250.0);
    }

    #[test]
    fn arms_that_never_fuzz_end_the_fuzzing_early() {
        let root = tempfile::tempdir().unwrap();
        let (campaign, end, _) =
            sit(root.path(), &[("sql", 1.0)], &no_limit(), |_, _| Act::Die { has_fuzzed: false });
        assert_eq!((end, campaign.executions()), (Some(FuzzEnd::Hopeless), 0));
        assert!(campaign.used_s < 400.0 && campaign.arms[0].failures.len() == 6);
    }

    #[test]
    fn a_full_disk_ends_the_fuzzing_and_findings_are_kept() {
        let (root, scratch) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let corpus = scratch.path().join("case");
        let folders = vec![scratch.path().to_owned()];
        let disk = Disk { bytes_max: 1000, folders, artifacts: vec![], logs: vec![] };
        let path = corpus.clone();
        let (campaign, end, turns) = sit(root.path(), &[("sql", 1.0)], &disk, move |_, turn| {
            if turn == 1 {
                std::fs::write(&path, [0; 2000]).unwrap();
            }
            Act::Find("a/b/c")
        });
        assert_eq!((end, turns.len()), (Some(FuzzEnd::DiskFull), 2));
        assert_eq!(campaign.arms[0].sittings[0].found["a/b/c"], 1);
        // The turn in which it filled up was cut short.
        assert!(campaign.arms[0].sittings[1].seconds < 30.0, "{:?}", campaign.arms[0].sittings);
        assert_eq!(std::fs::metadata(corpus).unwrap().len(), 2000);
        let memory = std::fs::read_to_string(root.path().join(&campaign.id).join("runner.json")).unwrap();
        assert!(memory.contains("crash-1"));
    }

    #[test]
    fn steps_are_done_once_and_say_why_they_were_not() {
        let root = tempfile::tempdir().unwrap();
        let (clock, stop) = (Scripted::default(), AtomicBool::new(false));
        let state = state::open(root.path(), false, &[]).unwrap();
        let mut runner = Runner::new(state, &clock, &stop, Ticker::new());
        runner.step("fails", |_| anyhow::bail!("no reason")).unwrap();
        runner.step("left out", |_| Ok(Done::Skipped("no time".to_owned()))).unwrap();
        runner.step("cut", |_| Ok(Done::Stopped)).unwrap();
        runner
            .step("well", |_| {
                clock.sleep(Duration::from_secs(3));
                Ok(Done::Well)
            })
            .unwrap();
        drop(runner);
        let state = state::open(root.path(), false, &[]).unwrap();
        let mut runner = Runner::new(state, &clock, &stop, Ticker::new());
        let mut ran = vec![];
        for name in ["fails", "left out", "cut", "well"] {
            let ran = &mut ran;
            runner
                .step(name, |_| {
                    Ok({
                        ran.push(name);
                        Done::Well
                    })
                })
                .unwrap();
        }
        assert_eq!(ran, ["cut"]);
        let step = runner.step_of("fails").unwrap();
        assert_eq!((step.end, step.why.as_deref()), (StepEnd::Failed, Some("no reason")));
        assert_eq!(runner.step_of("left out").unwrap().end, StepEnd::Skipped);
        assert_eq!(runner.step_of("well").unwrap().seconds, 3.0);
    }
}
