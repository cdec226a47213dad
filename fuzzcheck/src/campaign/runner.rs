//! Runs a campaign: time slices of jobs until the fuzzing time is over, then steps, recording progress all along.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::Result;

use super::clock::Clock;
use super::fuzzer::{Fuzz, Moment};
use super::limits::Disk;
use super::record::{Campaign, Sample, SessionEnd, Step, StepEnd, TimeSlice};
use super::schedule::{Next, Schedule, SliceEnd};
use super::state::State;
use super::view::View;

/// How often the record is written during a slice or step.
const SAVE_INTERVAL: Duration = Duration::from_secs(2);
/// How often disk usage is checked.
const DISK_INTERVAL: Duration = Duration::from_secs(20);
/// Minimum distance and approximate number of the samples of a campaign.
const SAMPLE_INTERVAL_MIN: Duration = Duration::from_secs(5);
const SAMPLES: u32 = 500;
/// A pause is split, so that an interruption is noticed.
const PAUSE: Duration = Duration::from_millis(100);
/// How many failures of a job are recorded in full; there may be thousands.
const FAILURES_MAX: usize = 20;

/// How fuzzing ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum FuzzEnd {
    /// Its time is over.
    Over,
    /// The campaign is interrupted.
    Stopped,
    /// The disk limit is reached.
    DiskFull,
    /// No job manages to fuzz.
    Hopeless,
}

/// The result of a step.
pub(crate) enum Done {
    /// It is done.
    Ok,
    /// It was skipped or cut off, and why.
    Skipped(String),
    /// It failed, and why; the campaign continues.
    Failed(String),
    /// The campaign is interrupted: the next session repeats the step.
    Stopped,
}

/// Runs a campaign.
pub(crate) struct Runner<'a> {
    /// The campaign.
    pub state: State,
    clock: &'a dyn Clock,
    stop: &'a AtomicBool,
    /// The time used by earlier sessions.
    used_before: Duration,
    /// When this session began, by the clock.
    began: Duration,
    saved: Duration,
    looked: Duration,
    sampled: Duration,
    view: View,
}

impl<'a> Runner<'a> {
    /// Starts a session of a campaign at the start of the clock; an interruption sets `stop`.
    pub(crate) fn new(state: State, clock: &'a dyn Clock, stop: &'a AtomicBool, view: View) -> Self {
        let used_before = Duration::from_secs_f64(state.campaign.used_s.max(0.0));
        let [began, saved, looked, sampled] = [Duration::ZERO; 4];
        Self { state, clock, stop, used_before, began, saved, looked, sampled, view }
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

    /// Shows the progress now and then; `phase` is the current activity, in words.
    pub(crate) fn show(&mut self, phase: &str) {
        self.view.show(&self.state.campaign, phase);
    }

    /// Prints a message at once, where progress is shown.
    pub(crate) fn say(&self, text: &str) {
        self.view.line(text);
    }

    /// Writes the record.
    ///
    /// # Errors
    /// If it cannot be written.
    pub(crate) fn save(&mut self) -> Result<()> {
        let seconds = (self.clock.now().saturating_sub(self.began)).as_secs_f64();
        if let Some(session) = self.state.campaign.sessions.last_mut() {
            session.seconds = seconds;
        }
        self.state.campaign.used_s = self.now().as_secs_f64();
        self.saved = self.clock.now();
        self.state.save()
    }

    /// As [`Runner::save`], but not too often.
    ///
    /// # Errors
    /// As [`Runner::save`].
    pub(crate) fn save_now_and_then(&mut self) -> Result<()> {
        if self.clock.now().saturating_sub(self.saved) >= SAVE_INTERVAL { self.save() } else { Ok(()) }
    }

    /// Ends the session.
    ///
    /// # Errors
    /// If the record cannot be written.
    pub(crate) fn end_session(&mut self, end: SessionEnd) -> Result<()> {
        if let Some(session) = self.state.campaign.sessions.last_mut() {
            session.end = end;
        }
        self.save()
    }

    /// Runs a step unless it is done, and records how it ended.
    ///
    /// # Errors
    /// If the record cannot be written.
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
            Ok(Done::Ok) => (StepEnd::Done, None),
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

    /// Lets a step run again that an earlier session has done.
    pub(crate) fn reopen(&mut self, name: &str) {
        let steps = self.state.campaign.steps.iter_mut();
        steps.filter(|step| step.name == name).for_each(|step| step.end = StepEnd::Open);
    }

    /// The final record.
    pub(crate) fn finish(self) -> Campaign {
        self.view.finish();
        self.state.campaign
    }

    /// A step of the record.
    pub(crate) fn step_of(&self, name: &str) -> Option<&Step> {
        self.state.campaign.steps.iter().rfind(|step| step.name == name)
    }

    /// Fuzzes until this time of the campaign.
    ///
    /// # Errors
    /// If the record cannot be written.
    pub(crate) fn fuzz(&mut self, fuzzer: &mut dyn Fuzz, until: Duration, disk: &Disk) -> Result<FuzzEnd> {
        let jobs = self.state.campaign.jobs.iter();
        let shares = jobs.map(|job| (job.weight, Duration::from_secs_f64(job.seconds().max(0.0))));
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
                Next::Slice(job, time) => {
                    let began = self.now();
                    let end = self.slice(fuzzer, job, time, disk)?;
                    let now = self.now();
                    schedule.ended(job, now.saturating_sub(began), &end, now);
                }
            }
        }
    }

    /// Waits, in pieces.
    fn rest(&mut self, time: Duration) -> Result<()> {
        let until = self.clock.now() + time;
        while self.clock.now() < until && !self.is_stopped() {
            self.clock.sleep(PAUSE.min(until.saturating_sub(self.clock.now())));
            self.show("all jobs rest: none of them gets started");
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
                "fuzzcheck: --max-disk-gib: removed {} expendable files; {} MiB remain",
                looked.removed,
                looked.bytes >> 20
            );
        }
        looked.is_over
    }

    /// Runs one slice. Its failure is recorded, and does not end the campaign.
    fn slice(&mut self, fuzzer: &mut dyn Fuzz, job: usize, time: Duration, disk: &Disk) -> Result<SliceEnd> {
        self.state.campaign.jobs[job].slices.push(TimeSlice::default());
        self.save()?;
        let stop = AtomicBool::new(false);
        let mut saved = Ok(());
        let end = fuzzer.slice(job, time, &stop, &mut |moment| {
            self.note(job, moment);
            if saved.is_ok() {
                saved = self.save_now_and_then();
            }
            if self.is_stopped() || saved.is_err() || self.is_disk_full_soon(disk) {
                stop.store(true, Ordering::Relaxed);
            }
        });
        saved?;
        let slice = self.state.campaign.jobs[job].slices.last();
        let has_fuzzed = slice.is_some_and(|slice| slice.executions > 0);
        let end = end.unwrap_or_else(|error| SliceEnd::Failed { why: format!("{error:#}"), has_fuzzed });
        let record = &mut self.state.campaign.jobs[job];
        let why = match &end {
            SliceEnd::Over => None,
            SliceEnd::CrashesAtOnce => Some("every process ends with a finding as soon as it starts"),
            SliceEnd::Failed { why, .. } => Some(why.as_str()),
        };
        if let Some(why) = why {
            // Do not repeat the same message.
            if record.failures.last().is_none_or(|last| last != why) {
                eprintln!("fuzzcheck: {} in the {} build: {why}", record.target, record.build);
            }
            if record.failures.len() < FAILURES_MAX {
                record.failures.push(why.to_owned());
            }
        }
        self.save()?;
        Ok(end)
    }

    /// Checks disk usage within a slice; it is checked again afterwards.
    fn is_disk_full_soon(&mut self, disk: &Disk) -> bool {
        let is_full = self.is_disk_full(disk);
        if is_full {
            self.looked = Duration::ZERO;
        }
        is_full
    }

    /// Records the progress of a slice.
    fn note(&mut self, job: usize, moment: &Moment) {
        let now = self.now();
        let budget = Duration::from_secs_f64(self.state.campaign.budget_s.max(0.0));
        let record = &mut self.state.campaign.jobs[job];
        if let Some(slice) = record.slices.last_mut() {
            slice.clone_from(&moment.slice);
        }
        self.state.memory.cases.extend(moment.cases.iter().cloned());
        let Moment { edges, features, corpus_cases, .. } = *moment;
        let is_due = now.saturating_sub(self.sampled) >= SAMPLE_INTERVAL_MIN.max(budget / SAMPLES);
        if is_due && edges > 0 {
            self.sampled = now;
            let (seconds, executions) = (now.as_secs_f64(), record.executions());
            record.samples.push(Sample { seconds, executions, edges, features, corpus_cases });
        }
        self.view.show(&self.state.campaign, "fuzzing");
    }
}

#[cfg(test)]
mod tests;
