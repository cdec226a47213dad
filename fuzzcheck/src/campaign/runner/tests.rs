//! A campaign of jobs that follow a script.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::*;
use crate::campaign::clock::Scripted;
use crate::campaign::record::Campaign;
use crate::campaign::state::{Case, tests as state};

/// What a job of a script does with a slice.
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
    slices: Vec<usize>,
}

impl Fuzz for Script<'_> {
    fn slice(
        &mut self,
        job: usize,
        time: Duration,
        stop: &AtomicBool,
        show: &mut dyn FnMut(&Moment),
    ) -> Result<SliceEnd> {
        let act = (self.act)(job, self.slices.iter().filter(|slice| **slice == job).count());
        self.slices.push(job);
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
            moment.slice.executions += if fuzzes { 100 } else { 0 };
            moment.slice.seconds = second as f64;
            (moment.edges, moment.features, moment.corpus_cases) = (10, 20, 5);
            if let Act::Find(signature) = act
                && second == whole / 2
            {
                moment.slice.found = BTreeMap::from([(signature.to_owned(), 1)]);
                moment.cases = vec![Case {
                    path: PathBuf::from(format!("crash-{}", self.slices.len())),
                    signature: signature.to_owned(),
                    target: "sql".to_owned(),
                    build: "asan".to_owned(),
                    message: None,
                }];
            }
            show(&moment);
            if stop.load(Ordering::Relaxed) {
                return Ok(SliceEnd::Over);
            }
        }
        match act {
            Act::Kill => panic!("killed"),
            Act::Interrupt => self.stop.store(true, Ordering::Relaxed),
            Act::CrashAtOnce => return Ok(SliceEnd::CrashesAtOnce),
            Act::Die { has_fuzzed } => {
                return Ok(SliceEnd::Failed { why: "it died".to_owned(), has_fuzzed });
            }
            _ => {}
        }
        Ok(SliceEnd::Over)
    }
}

fn no_limit() -> Disk {
    Disk { bytes_max: u64::MAX, folders: vec![], artifacts: vec![], logs: vec![] }
}

/// Runs a session; the record as it is on disk afterwards, and how fuzzing ended, unless the process was killed.
fn run_session(
    root: &Path,
    jobs: &[(&str, f64)],
    disk: &Disk,
    act: impl FnMut(usize, usize) -> Act + 'static,
) -> (Campaign, Option<FuzzEnd>, Vec<usize>) {
    let (clock, stop) = (Scripted::default(), AtomicBool::new(false));
    let mut script = Script { clock: &clock, stop: &stop, act: Box::new(act), slices: vec![] };
    let state = state::open(root, false, jobs).unwrap();
    let record = state.record();
    let end = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        let mut runner = Runner::new(state, &clock, &stop, View::new());
        let mut end = None;
        let fuzzed = runner.step("fuzz", |runner| {
            let ended = runner.fuzz(&mut script, Duration::from_secs(800), disk)?;
            end = Some(ended.clone());
            Ok(if ended == FuzzEnd::Stopped { Done::Stopped } else { Done::Ok })
        });
        fuzzed.unwrap();
        let how = if runner.is_stopped() { SessionEnd::Interrupted } else { SessionEnd::Finished };
        runner.end_session(how).unwrap();
        end
    }));
    let campaign = serde_json::from_slice(&std::fs::read(record).unwrap()).unwrap();
    (campaign, end.ok().flatten(), script.slices)
}

#[test]
fn counts_add_up_over_a_campaign_that_is_killed_and_interrupted() {
    let root = tempfile::tempdir().unwrap();
    let jobs = [("db_sql", 3.0), ("sql", 1.0)];
    let (killed, end, _) = run_session(root.path(), &jobs, &no_limit(), |job, slice| {
        if (job, slice) == (1, 1) { Act::Kill } else { Act::Fuzz }
    });
    assert_eq!(end, None);
    assert_eq!(killed.sessions[0].end, SessionEnd::Open);
    // All that was written before stays; of the slice that was killed, all but the last two seconds.
    let before = killed.executions();
    let slice = killed.jobs[1].slices[1].clone();
    assert!(slice.executions > 100 * 20 && slice.executions >= 100 * (slice.seconds as u64), "{slice:?}");

    let (interrupted, end, _) = run_session(root.path(), &[], &no_limit(), |_, _| Act::Interrupt);
    assert_eq!(end, Some(FuzzEnd::Stopped));
    let ends: Vec<SessionEnd> = interrupted.sessions.iter().map(|session| session.end).collect();
    assert_eq!(ends, [SessionEnd::Killed, SessionEnd::Interrupted]);
    assert!(interrupted.executions() > before);
    assert_eq!(interrupted.jobs[1].slices[1], slice, "what has ended does not change");

    let (through, end, slices) = run_session(root.path(), &[], &no_limit(), |_, _| Act::Fuzz);
    assert_eq!((end, through.sessions.len()), (Some(FuzzEnd::Over), 3));
    assert!(!slices.is_empty());
    // A hundred executions for each second that was written down, and not more seconds than there were.
    let seconds: f64 = through.jobs.iter().map(|job| job.seconds()).sum();
    assert_eq!(through.executions(), 100 * seconds as u64);
    let sat: f64 = through.sessions.iter().map(|session| session.seconds).sum();
    assert!((through.used_s - sat).abs() < 1e-6 && seconds <= sat && through.used_s >= 799.0, "{sat}");
    let samples = &through.jobs[0].samples;
    assert!(
        samples.len() > 10
            && samples.is_sorted_by(|a, b| a.seconds < b.seconds && a.executions < b.executions)
    );
    // What is done is not done again.
    let (again, end, slices) = run_session(root.path(), &[], &no_limit(), |_, _| unreachable!());
    assert_eq!((again.executions(), end, slices.len()), (through.executions(), None, 0));
}

#[test]
fn a_job_that_crashes_at_once_or_dies_leaves_its_time_to_the_others() {
    let root = tempfile::tempdir().unwrap();
    let jobs = [("db_sql", 1.0), ("sql", 1.0), ("db_file", 1.0)];
    let (campaign, end, slices) =
        run_session(root.path(), &jobs, &no_limit(), |job, slice| match (job, slice) {
            (0, _) => Act::CrashAtOnce,
            (1, 0) => Act::Die { has_fuzzed: true },
            _ => Act::Fuzz,
        });
    assert_eq!(end, Some(FuzzEnd::Over));
    let of = |job: usize| slices.iter().filter(|slice| **slice == job).count();
    assert!((3..=9).contains(&of(0)), "{slices:?}");
    let [first, second, third] = [0, 1, 2].map(|job: usize| &campaign.jobs[job]);
    assert!(first.failures.iter().all(|why| why.contains("as soon as it starts")), "{:?}", first.failures);
    assert_eq!((second.failures.len(), third.failures.len()), (1, 0));
    assert!(second.seconds() > 250.0 && third.seconds() > 250.0);
}

#[test]
fn jobs_that_never_fuzz_end_the_fuzzing_early() {
    let root = tempfile::tempdir().unwrap();
    let (campaign, end, _) =
        run_session(root.path(), &[("sql", 1.0)], &no_limit(), |_, _| Act::Die { has_fuzzed: false });
    assert_eq!((end, campaign.executions()), (Some(FuzzEnd::Hopeless), 0));
    assert!(campaign.used_s < 400.0 && campaign.jobs[0].failures.len() == 6);
}

#[test]
fn a_full_disk_ends_the_fuzzing_and_findings_are_kept() {
    let (root, scratch) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let corpus = scratch.path().join("case");
    let folders = vec![scratch.path().to_owned()];
    let disk = Disk { bytes_max: 1000, folders, artifacts: vec![], logs: vec![] };
    let path = corpus.clone();
    let (campaign, end, slices) = run_session(root.path(), &[("sql", 1.0)], &disk, move |_, slice| {
        if slice == 1 {
            std::fs::write(&path, [0; 2000]).unwrap();
        }
        Act::Find("a/b/c")
    });
    assert_eq!((end, slices.len()), (Some(FuzzEnd::DiskFull), 2));
    assert_eq!(campaign.jobs[0].slices[0].found["a/b/c"], 1);
    // The slice in which it filled up was cut short.
    assert!(campaign.jobs[0].slices[1].seconds < 30.0, "{:?}", campaign.jobs[0].slices);
    assert_eq!(std::fs::metadata(corpus).unwrap().len(), 2000);
    let memory = std::fs::read_to_string(root.path().join(&campaign.id).join("runner.json")).unwrap();
    assert!(memory.contains("crash-1"));
}

#[test]
fn steps_are_done_once_and_say_why_they_were_not() {
    let root = tempfile::tempdir().unwrap();
    let (clock, stop) = (Scripted::default(), AtomicBool::new(false));
    let state = state::open(root.path(), false, &[]).unwrap();
    let mut runner = Runner::new(state, &clock, &stop, View::new());
    runner.step("fails", |_| anyhow::bail!("no reason")).unwrap();
    runner.step("left out", |_| Ok(Done::Skipped("no time".to_owned()))).unwrap();
    runner.step("cut", |_| Ok(Done::Stopped)).unwrap();
    runner
        .step("works", |_| {
            clock.sleep(Duration::from_secs(3));
            Ok(Done::Ok)
        })
        .unwrap();
    drop(runner);
    let state = state::open(root.path(), false, &[]).unwrap();
    let mut runner = Runner::new(state, &clock, &stop, View::new());
    let mut ran = vec![];
    for name in ["fails", "left out", "cut", "works"] {
        let ran = &mut ran;
        runner
            .step(name, |_| {
                Ok({
                    ran.push(name);
                    Done::Ok
                })
            })
            .unwrap();
    }
    assert_eq!(ran, ["cut"]);
    let step = runner.step_of("fails").unwrap();
    assert_eq!((step.end, step.why.as_deref()), (StepEnd::Failed, Some("no reason")));
    assert_eq!(runner.step_of("left out").unwrap().end, StepEnd::Skipped);
    assert_eq!(runner.step_of("works").unwrap().seconds, 3.0);
}
