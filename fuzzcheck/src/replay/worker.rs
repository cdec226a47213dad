//! The worker: reads batches of cases from standard input, runs them, writes results to standard output.
//!
//! Before each case it writes the index of the case into the progress file, which the parent reads when the
//! worker dies or seems to hang: a write to a file costs half a microsecond and wakes nobody.

use std::fs::File;
use std::io::{self, BufReader, Write};
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::rc::Rc;

use anyhow::{Context, Result, bail};
use tandem::TestCase;
use tandem::engine::plant::Plant;
use tandem::engine::sqlite::{DiskTimes, Executor};
use tandem::engine::{Asked, Engine, Turn, TurnKind};
use tandem::oracles::{Entry, Judgement, Verdict};
use tandem::targets::{Exploration, Judged};

use super::client::STATEMENT_BYTES;
use super::protocol::{
    self, BatchResult, CaseDigest, CaseResult, ExplorationFrame, ExploredFrame, FoundBug, Job, Options,
    TurnFrame,
};
use super::switches::write_switch;

/// The VFS of a compiled-in extension, through which cases open their files.
const VFS_VARIABLE: &str = "TANDEM_VFS";

/// Runs until standard input ends.
///
/// # Errors
/// If a pipe or the progress file breaks.
pub fn run(options: &Options, progress: &Path, traces_statements: bool) -> Result<()> {
    let mut runner = Runner::isolated(options)?;
    if options.is_transcribing {
        return serve(&mut runner.executor, options, progress, traces_statements);
    }
    let progress = begin(options, progress, traces_statements, &mut runner.executor)?;
    let told = progress.try_clone()?;
    // A parent that cannot read it any more has no use for it either.
    runner.executor.on_switch(Rc::new(move |at, switch| _ = write_switch(&told, at + 1, Some(switch))));
    answer(&progress, |job, batch| match &job.exploration {
        Some(exploration) => runner.explore(job, exploration, &progress, batch),
        None => runner.run(job, batch),
    })
}

/// Runs until standard input ends, and sends what `engine` did with each case: the worker of any engine, for a
/// program whose own `worker` takes the arguments of ours ([`super::arguments::WorkerArgs`]).
///
/// # Errors
/// As [`run`].
pub fn serve(
    engine: &mut dyn Engine,
    options: &Options,
    progress: &Path,
    traces_statements: bool,
) -> Result<()> {
    let progress = begin(options, progress, traces_statements, engine)?;
    let identity = engine.identity();
    answer(&progress, |job, batch| {
        let target = job.target;
        let budget = options.limits.apply(&target.budget, job.heap_bytes);
        let started = cpu_time_ns();
        let case = TestCase::decode(&job.body);
        let transcript = Some(engine.transcript(&case, &budget));
        batch.engine.clone_from(&identity);
        let cpu_ns = cpu_time_ns() - started;
        let files = options.sends_files.then(|| engine.files_left(&case, &budget)).flatten();
        let files = files.map(|files| {
            files.iter().map(|(name, content)| (name.as_str().to_owned(), content.to_vec())).collect()
        });
        CaseResult { index: job.index, cpu_ns, transcript, files, ..CaseResult::default() }
    })
}

/// What a worker does before its first case; the progress file.
fn begin(
    options: &Options,
    progress: &Path,
    traces_statements: bool,
    engine: &mut dyn Engine,
) -> Result<File> {
    limit_memory(options.worker_memory_mib)?;
    tandem::stack::report_signals();
    let progress = File::options().write(true).open(progress).context("opening the progress file")?;
    if traces_statements {
        let progress = progress.try_clone()?;
        engine.on_statement(Box::new(move |number, text| {
            let mut record = number.to_le_bytes().to_vec();
            record.extend(text.trim_ascii_start().iter().take(STATEMENT_BYTES));
            record.resize(8 + STATEMENT_BYTES, 0);
            // A parent that cannot read it any more has no use for it either.
            progress.write_all_at(&record, 8).ok();
        }));
    }
    Ok(progress)
}

/// Answers batches with what `run` says of each of their cases.
fn answer(progress: &File, mut run: impl FnMut(&Job, &mut BatchResult) -> CaseResult) -> Result<()> {
    let mut input = BufReader::with_capacity(1 << 16, io::stdin().lock());
    let mut output = io::stdout().lock();
    while let Some(jobs) = protocol::read_batch(&mut input)? {
        let mut batch = BatchResult::default();
        for job in jobs {
            progress.write_all_at(&job.index.to_le_bytes(), 0)?;
            let result = run(&job, &mut batch);
            batch.results.push(result);
        }
        serde_json::to_writer(&mut output, &batch)?;
        output.write_all(b"\n")?;
        output.flush()?;
    }
    Ok(())
}

/// Limits the address space, so that a case which takes all memory ends itself and not the machine.
fn limit_memory(mib: u64) -> Result<()> {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    if mib == 0 {
        return Ok(());
    }
    // With less than it has already, a worker would get as far as the heap that it has freed happens to reach.
    if let Some(bytes) = tandem::stack::address_space_bytes().filter(|&bytes| bytes > mib << 20) {
        bail!("a worker needs {} MiB before its first case, but is limited to {mib}", bytes >> 20);
    }
    let maximum = getrlimit(Resource::As).maximum;
    let current = Some(maximum.map_or(mib << 20, |most| most.min(mib << 20)));
    setrlimit(Resource::As, Rlimit { current, maximum }).context("limiting the memory of a worker")
}

/// Runs and judges cases in this process.
pub struct Runner {
    executor: Executor,
    options: Options,
}

impl Runner {
    /// For a process that does nothing else with SQLite.
    ///
    /// # Errors
    /// If the planted bug of the options is unknown.
    pub fn isolated(options: &Options) -> Result<Self> {
        let mut executor = Executor::isolated();
        if let Some(name) = &options.plant {
            executor
                .plant(Plant::by_name(name).with_context(|| format!("no planted bug is named `{name}`"))?);
        }
        if let Ok(name) = std::env::var(VFS_VARIABLE) {
            executor
                .open_through(&name)
                .map_err(|error| anyhow::anyhow!("{VFS_VARIABLE}={name}: {error}"))?;
        }
        if options.meets_known_bugs {
            executor.meet_known_bugs();
        }
        Ok(Self { executor, options: options.clone() })
    }

    /// Runs one case and adds its verdicts to the counts of `batch`.
    pub fn run(&mut self, job: &Job, batch: &mut BatchResult) -> CaseResult {
        let target = job.target;
        let case = TestCase::decode(&job.body);
        let budget = self.options.limits.apply(&target.budget, job.heap_bytes);
        let started = cpu_time_ns();
        let judges = |entry: &Entry| self.options.oracles.judges(entry, target, &case);
        let judged = target.judge_by(&mut self.executor, &case, &budget, &judges);
        let cpu_ns = cpu_time_ns() - started;
        let bugs = count_verdicts(&judged, batch);
        for name in &judged.observation.avoided {
            *batch.counts.avoided.entry((*name).to_owned()).or_default() += 1;
        }
        let trace = &judged.observation.trace;
        let digest = self.options.has_digests.then(|| CaseDigest::of(trace));
        let hits = trace.hits.iter().map(|(hit, &count)| (hit.to_string(), count)).collect();
        let log = judged.observation.disk_log.as_ref();
        CaseResult {
            index: job.index,
            cpu_ns,
            vm_steps: trace.vm_steps(),
            bugs,
            cut_short: judged.observation.cut_short.clone(),
            hits,
            disk_operations: log.map_or(0, |log| log.entries().len() as u64),
            digest,
            turns: if self.options.has_turns { self.turns(job) } else { Vec::new() },
            ..CaseResult::default()
        }
    }

    /// What connections do in their turns.
    fn turns(&mut self, job: &Job) -> Vec<TurnFrame> {
        let case = TestCase::decode(&job.body);
        let budget = self.options.limits.apply(&job.target.budget, job.heap_bytes);
        let asked = Asked { has_turns: true, ..Asked::VERDICTS };
        let observation = self.executor.run_asking(&case, job.target.program, &budget, asked);
        let frame = |turn: Turn| TurnFrame {
            operation: turn.operation + 1,
            point: turn.point,
            connection: turn.connection,
            what: match turn.kind {
                TurnKind::Begins => "begins".to_owned(),
                TurnKind::Call(call) => call.to_string(),
            },
        };
        observation.trace.turns.into_iter().flat_map(|turns| turns.events).map(frame).collect()
    }

    /// Runs one case under many schedules, until one shows something.
    fn explore(
        &mut self,
        job: &Job,
        frame: &ExplorationFrame,
        progress: &File,
        batch: &mut BatchResult,
    ) -> CaseResult {
        let target = job.target;
        let case = TestCase::decode(&job.body);
        let budget = self.options.limits.apply(&target.budget, job.heap_bytes);
        let exploration = Exploration {
            strategy: frame.strategy.parse().expect("the parent has read it"),
            seed: frame.seed,
            from: frame.from,
            runs: frame.runs,
            rest: frame.rest.clone(),
        };
        let started = cpu_time_ns();
        let mut told = ExploredFrame::default();
        let mut result = CaseResult { index: job.index, ..CaseResult::default() };
        let judges = |entry: &Entry| self.options.oracles.judges(entry, target, &case);
        write_switch(progress, 0, None).ok();
        let mut hear = |case: &TestCase, judged: &Judged| {
            result.bugs = count_verdicts(judged, batch);
            told.cut_short += u64::from(!judged.observation.cut_short.is_empty());
            let mut statements = judged.observation.trace.statements.iter();
            told.busy += u64::from(statements.any(|statement| statement.code().primary() == SQLITE_BUSY));
            if !result.bugs.is_empty() {
                told.schedule = Some(case.schedule.to_string());
            }
            write_switch(progress, 0, None).ok();
            result.bugs.is_empty()
        };
        let explored = target.explore(&mut self.executor, &case, &budget, &exploration, &judges, &mut hear);
        result.explored = Some(ExploredFrame {
            runs: explored.runs,
            points: explored.points,
            switches: explored.switches,
            rest: explored.rest,
            is_exhausted: explored.is_exhausted,
            ..told
        });
        result.cpu_ns = cpu_time_ns() - started;
        result
    }
}

/// The primary code of a refusal for a lock.
const SQLITE_BUSY: i32 = 5;

fn count_verdicts(judged: &Judged, batch: &mut BatchResult) -> Vec<FoundBug> {
    let mut bugs = Vec::new();
    for Judgement { oracle, verdict, spent } in &judged.judgements {
        if !batch.counts.oracles.contains_key(oracle.name) {
            batch.counts.oracles.insert(oracle.name.to_owned(), Default::default());
        }
        let counts = batch.counts.oracles.get_mut(oracle.name).expect("inserted above");
        counts.runs += u64::from(spent.runs);
        counts.refused_runs += u64::from(spent.refused);
        counts.checks += u64::from(spent.checks);
        counts.nontrivial += u64::from(spent.nontrivial);
        let DiskTimes { image_ns, recovery_ns, check_ns } = spent.disks;
        let disks_ns = [image_ns, recovery_ns, check_ns];
        counts.disks_ns = [0, 1, 2].map(|at| counts.disks_ns[at] + disks_ns[at]);
        match verdict {
            Verdict::Pass => counts.passed += 1,
            Verdict::Skip(reason) => {
                *counts.not_judged.entry(reason.to_string()).or_default() += 1;
                counts.nothing_to_judge += u64::from(reason.has_nothing_to_judge());
            }
            Verdict::Fail(finding) => {
                counts.failed += 1;
                let (signature, message) = (finding.signature.to_string(), finding.message.clone());
                bugs.push(FoundBug { signature, message });
            }
        }
    }
    bugs
}

/// CPU time of this thread in nanoseconds.
fn cpu_time_ns() -> u64 {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    time.tv_sec as u64 * 1_000_000_000 + time.tv_nsec as u64
}
