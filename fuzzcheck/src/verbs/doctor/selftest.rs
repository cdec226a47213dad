//! `fuzzcheck doctor selftest`: shows that every oracle can fail.

use std::process::ExitCode;
use std::sync::atomic::AtomicBool;

use anyhow::{Context, Result};
use tandem::TestCase;
use tandem::targets::DB_SQL;
use tandem::testcase::{Fault, FaultPlan, FileName, Lasts, Moment, Operation, Phase, Schedule, Switch};

use crate::base::EXIT_FINDINGS;
use crate::differential::{Build, pool};
use crate::replay::oracles::Oracles;
use crate::replay::{Options, run_all};
use crate::source::NamedCase;
use crate::ui;
use crate::verbs::Verb;

/// Plant a bug for each oracle, and check that it is found.
#[derive(Debug, clap::Args)]
pub(crate) struct Args;

/// Writes enough pages, twice, for a lost or wrong one to matter.
const WRITING: &str = "CREATE TABLE t(a INTEGER PRIMARY KEY, b TEXT); CREATE INDEX i ON t(b);
    WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x+1 FROM c LIMIT 300) INSERT INTO t SELECT x, hex(zeroblob(x)) FROM c;
    PRAGMA cache_size=1; UPDATE t SET b=b||a; DELETE FROM t WHERE a%3=0; SELECT count(*), sum(length(b)) FROM t;";
const WRITTEN: &str = "CREATE TABLE planted(a); CREATE INDEX i ON planted(a); INSERT INTO planted VALUES(1); SELECT a FROM planted;";
const WITHOUT_SYNC: &str =
    "PRAGMA synchronous=OFF; CREATE TABLE t(a); INSERT INTO t VALUES(1); UPDATE t SET a=2;";
const CALLING: &str = "CREATE TABLE t(a); INSERT INTO t VALUES(1); SELECT planted() FROM t; SELECT 2;";

/// A planted bug, the script that triggers it, and the expected signature.
struct Trial {
    plant: &'static str,
    script: &'static str,
    signature: &'static str,
    /// True if only a comparison with a build without the bug shows it.
    is_differential: bool,
    /// True if only AddressSanitizer finds the bug. `.ci/run` plants it in the fuzz targets, which have it.
    needs_sanitizer: bool,
    /// What else the case has.
    with: With,
}

/// What a case has beside its script.
#[derive(Clone, Copy)]
enum With {
    Nothing,
    /// A file that is nobody's business.
    Bystander,
    /// Power is lost at each operation.
    PowerLoss,
    /// Each of its first allocations fails, in a case of its own.
    FailingAllocations,
    /// Two patient connections, and one switch between them and back, each in a case of its own: the script is one of turns.
    Turns,
}

/// Connections that write to the same lists, with a log or without.
const APPENDING: &str = "PRAGMA journal_mode=WAL; CREATE TABLE tandem_list(k INTEGER PRIMARY KEY, v TEXT); INSERT INTO tandem_list VALUES(1, '')
    0: UPDATE tandem_list SET v = v || ',1' WHERE k = 1; SELECT v FROM tandem_list WHERE k = 1
    1: UPDATE tandem_list SET v = v || ',2' WHERE k = 1; SELECT v FROM tandem_list WHERE k = 1";
const LOCKING: &str =
    "CREATE TABLE tandem_list(k INTEGER PRIMARY KEY, v TEXT); INSERT INTO tandem_list VALUES(1, '')
    0: UPDATE tandem_list SET v = v || ',1' WHERE k = 1; SELECT v FROM tandem_list WHERE k = 1
    1: UPDATE tandem_list SET v = v || ',2' WHERE k = 1; SELECT v FROM tandem_list WHERE k = 1";
/// Points of an operation at which [`With::Turns`] switches.
const POINTS: u32 = 30;

/// Allocations of [`CALLING`], and some more.
const ALLOCATIONS: u32 = 800;

impl With {
    /// The cases with a script.
    fn cases(self, script: &str) -> Vec<TestCase> {
        let case = TestCase::from_sql(script);
        let planned = |fault| TestCase { faults: FaultPlan::new([fault]), ..case.clone() };
        let phase = Phase::Run;
        match self {
            Self::Nothing => vec![case],
            Self::Bystander => {
                let mut case = case;
                let name = FileName::new("diary.txt").expect("a valid name");
                case.files.insert(name, b"dear diary".to_vec());
                vec![case]
            }
            Self::PowerLoss => {
                let at = Moment::Each { from: 1, count: u32::MAX, images: 4 };
                vec![planned(Fault::PowerLoss { at, seed: 1, sector_log2: 9, phase })]
            }
            Self::FailingAllocations => {
                let failing = |nth| planned(Fault::Allocation { nth, lasts: Lasts::Once, phase });
                (1..=ALLOCATIONS).map(failing).collect()
            }
            Self::Turns => {
                let mut case = TestCase::from_turns(script).expect("the scripts are right");
                let setup = case.operations.list().iter().position(|one| *one == Operation::Meet);
                let after = setup.map_or(0, |at| at + 1);
                let patient = |connection| Operation::BusyHandler { connection, calls: u8::MAX };
                case.operations.edit(|list| drop(list.splice(after..after, [patient(0), patient(1)])));
                let (first, last) = (after + 2, case.operations.list().len() - 1);
                let switched = |point| {
                    let there = Switch { operation: first as u16, point, to: 1 };
                    let back = Switch { operation: last as u16, point: 0, to: 0 };
                    TestCase { schedule: Schedule::new([there, back]), ..case.clone() }
                };
                (0..POINTS).map(switched).collect()
            }
        }
    }
}

const fn trial(plant: &'static str, script: &'static str, signature: &'static str) -> Trial {
    let (is_differential, needs_sanitizer) = (false, false);
    Trial { plant, script, signature, is_differential, needs_sanitizer, with: With::Nothing }
}

const fn compared(plant: &'static str, script: &'static str, signature: &'static str) -> Trial {
    Trial { is_differential: true, ..trial(plant, script, signature) }
}

/// One trial per plant; `doctor selftest` fails if a plant has none.
const TRIALS: [Trial; 34] = [
    trial("lost-writes", WRITING, "integrity/"),
    trial("lost-freelist", WRITING, "format/"),
    trial("wrong-reads", WRITING, "code/SQLITE_"),
    trial("leaked-handle", WRITING, "files/open/after-close"),
    trial("lying-sync", WRITING, "write_ahead/journal/before-sync"),
    trial("dropped-journal", WRITING, "write_ahead/journal/before-sync"),
    trial("trusted-settings", WITHOUT_SYNC, "write_ahead/journal/before-sync"),
    Trial { with: With::PowerLoss, ..trial("late-sync", WRITTEN, "power_loss/") },
    Trial { with: With::Bystander, ..trial("greedy-delete", WRITING, "bystanders/deleted/file") },
    Trial { with: With::FailingAllocations, ..trial("leak-on-error", CALLING, "memory/leak/") },
    Trial { with: With::FailingAllocations, ..trial("ignored-failure", CALLING, "fault/other-rows/") },
    Trial { with: With::Turns, ..trial("free-writer-lock", APPENDING, "serial/") },
    Trial { with: With::Turns, ..trial("free-file-locks", LOCKING, "code/SQLITE_IOERR_DELETE_NOENT/") },
    Trial { with: With::Turns, ..trial("kept-locks", LOCKING, "turns/deadlock/-") },
    trial("leak", CALLING, "memory/leak/sqlite3VdbeExec"),
    trial("abort", CALLING, "crash/SIGABRT/sqlite3VdbeExec:"),
    trial("segfault", CALLING, "crash/SIGSEGV/sqlite3VdbeExec:"),
    trial("hang", CALLING, "hang/timeout/sqlite3VdbeExec:"),
    trial("out-of-memory", CALLING, "crash/out-of-memory/sqlite3VdbeExec:"),
    trial("recursion", CALLING, "crash/stack-overflow/sqlite3"),
    trial("nondeterminism", CALLING, "determinism/trace/second-run"),
    trial("internal-error", CALLING, "code/SQLITE_INTERNAL/SELECT"),
    Trial { needs_sanitizer: true, ..trial("heap-overread", CALLING, "crash/asan-heap-buffer-overflow/") },
    trial("page-overwrite", CALLING, "memory/page-overrun/sqlite3VdbeExec"),
    Trial { needs_sanitizer: true, ..trial("page-overread", CALLING, "crash/asan-heap-buffer-overflow/") },
    Trial { needs_sanitizer: true, ..trial("freed-page", CALLING, "crash/asan-heap-use-after-free/") },
    trial("fresh-page", CALLING, "uninitialized/trace/other-bytes"),
    trial("fresh-memory", CALLING, "uninitialized/trace/other-bytes"),
    trial("by-name", "SELECT planted('internal-error');", "code/SQLITE_INTERNAL/SELECT"),
    trial("unfinished-statement", CALLING, "close/SQLITE_BUSY/close"),
    compared("wrong-rows", "SELECT 1 AS \"planted()\";", "differential/rows/SELECT"),
    compared("wrong-code", "SELECT 1 AS \"planted()\";", "differential/error/SELECT-success-SQLITE_CORRUPT-"),
    compared("lost-rows", WRITTEN, "differential/rows-against-none/SELECT"),
    compared("other-schema", WRITTEN, "differential/schema/none-table"),
];

impl Verb for Args {
    fn run(&self) -> Result<ExitCode> {
        let (mut missed, mut unseen) = (0, 0);
        for (name, _) in tandem::engine::plant::PLANTS {
            let trial = TRIALS.iter().find(|trial| trial.plant == name);
            let trial = trial.with_context(|| format!("the planted bug `{name}` has no trial"))?;
            let found = signatures(trial, trial.script, Some(name))?;
            let harmless = trial.script.replace("planted()", "1");
            let clean = signatures(trial, &harmless, None)?;
            let is_caught = found.iter().any(|signature| signature.starts_with(trial.signature));
            let is_unseen = trial.needs_sanitizer && found.is_empty() && clean.is_empty();
            if is_unseen {
                unseen += 1;
                ui::line(format_args!("unseen {name}: only a build with AddressSanitizer shows it"))?;
                continue;
            }
            let is_ok = is_caught && clean.is_empty();
            let word = if is_ok { "caught" } else { "MISSED" };
            ui::line(format_args!("{word} {name}: {}", found.join(", ")))?;
            if !clean.is_empty() {
                ui::line(format_args!("  without the plant: {}", clean.join(", ")))?;
            }
            missed += u32::from(!is_ok);
        }
        let trials = TRIALS.len() as u32 - unseen;
        ui::line(format_args!("selftest: {} of {trials} planted bugs caught", trials - missed))?;
        Ok(if missed == 0 { ExitCode::SUCCESS } else { ExitCode::from(EXIT_FINDINGS) })
    }
}

/// The signatures of a trial, with or without the planted bug. A case after it shows that the run continues
/// on.
fn signatures(trial: &Trial, script: &str, plant: Option<&str>) -> Result<Vec<String>> {
    let options = Options {
        oracles: Oracles::for_signature(trial.signature),
        plant: plant.map(str::to_owned),
        timeout_ms: 2_000,
        worker_memory_mib: 256,
        ..Options::default()
    };
    let named = |name: &str, case: TestCase| {
        let (name, target) = (name.to_owned(), &DB_SQL);
        NamedCase { name, target, case, heap_bytes: None, provenance: None }
    };
    let harmless = |name: &str| named(name, TestCase::from_sql("SELECT 1"));
    let planted = trial.with.cases(script).into_iter().map(|case| named("planted", case));
    let cases: Vec<NamedCase> =
        [harmless("before")].into_iter().chain(planted).chain([harmless("after")]).collect();
    let count = cases.len() as u64;
    let program = std::env::current_exe().context("finding this program")?;
    let stop = AtomicBool::new(false);
    if trial.is_differential {
        let build = |plant: Option<String>| Build {
            program: program.clone(),
            options: Options { plant, ..options.clone() },
            is_unoptimized: false,
        };
        let builds = [build(None), build(options.plant.clone())];
        let report = pool::compare_all(&builds, 1, cases.into_iter(), &stop, |_| {})?;
        anyhow::ensure!(report.cases == count, "{} of {count} cases were run", report.cases);
        return Ok(report.findings.into_keys().collect());
    }
    let report = run_all(&program, &options, 1, &mut cases.into_iter(), &stop, |_| {})?;
    anyhow::ensure!(report.cases == count, "{} of {count} cases were run", report.cases);
    let findings = report.findings.iter().filter(|finding| finding.case.name == "planted");
    Ok(findings.flat_map(|finding| finding.bugs.iter().map(|bug| bug.signature.clone())).collect())
}
