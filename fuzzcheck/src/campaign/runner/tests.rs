//! A campaign of arms that follow a script.

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
                    build: "asan".to_owned(),
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
        let mut runner = Runner::new(state, &clock, &stop, View::new());
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
    assert!(first.failures.iter().all(|why| why.contains("as soon as it begins")), "{:?}", first.failures);
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
    let mut runner = Runner::new(state, &clock, &stop, View::new());
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
    let mut runner = Runner::new(state, &clock, &stop, View::new());
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
