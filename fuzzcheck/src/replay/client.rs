//! The parent's end of one worker.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use tandem::engine::Limit;
use tempfile::NamedTempFile;

use super::death::{self, Cause, Fault, Kill};
use super::protocol::{self, BatchResult, CaseResult, ExploredFrame, FoundBug, Job, Options};
use super::switches::read_switches;
use super::symbols::Symbolizer;
use super::watchdog::{self, Slot};

/// Maximum bytes to read of a dying worker's output.
const STDERR_BYTES_MAX: u64 = 1 << 20;
/// Maximum bytes of statement text that a worker writes after its progress.
pub(super) const STATEMENT_BYTES: usize = 24;
/// How often a worker may die before its first case.
const FAILED_STARTS_MAX: u32 = 3;

/// The outcome of a case.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome {
    /// The worker's result; for a case that ended it, the crash.
    pub result: CaseResult,
    /// The failure of our own code, if any.
    pub harness_error: Option<String>,
}

/// A worker process, started on demand and restarted after a death.
pub struct Client {
    program: PathBuf,
    options: Options,
    progress: NamedTempFile,
    stderr: File,
    slot: Arc<Slot>,
    process: Option<Process>,
    failed_starts: u32,
}

struct Process {
    child: Child,
    input: Option<ChildStdin>,
    output: BufReader<ChildStdout>,
}

impl Client {
    /// A client of workers that are `program worker …`.
    ///
    /// # Errors
    /// If no temporary file can be made.
    pub fn new(program: &Path, options: &Options) -> Result<Self> {
        let progress = NamedTempFile::with_prefix("tandem-progress-").context("making a temporary file")?;
        let slot = Arc::new(Slot::new(progress.reopen()?));
        Ok(Self {
            program: program.to_owned(),
            options: options.clone(),
            progress,
            stderr: tempfile::tempfile().context("making a temporary file")?,
            slot,
            process: None,
            failed_starts: 0,
        })
    }

    pub(super) fn slot(&self) -> Arc<Slot> {
        Arc::clone(&self.slot)
    }

    /// Runs cases in order, whatever they do to the worker. Outcomes come in the order in which they
    /// are known; the counts of oracles are in the second part. After an interruption some may be missing.
    ///
    /// # Errors
    /// If no worker can be started, or none gets as far as its first case.
    pub fn run(&mut self, mut jobs: Vec<Job>) -> Result<(Vec<Outcome>, BatchResult)> {
        let (mut outcomes, mut ended) = (Vec::new(), BatchResult::default());
        while !jobs.is_empty() {
            match self.run_batch(&jobs) {
                Ok(mut batch) => {
                    self.failed_starts = 0;
                    let results = std::mem::take(&mut batch.results);
                    outcomes
                        .extend(results.into_iter().map(|result| Outcome { result, harness_error: None }));
                    batch.counts.add(&ended.counts);
                    return Ok((outcomes, batch));
                }
                Err(_) => {
                    let at = self.slot.at_case();
                    let Some(cause) = self.bury()? else {
                        return Ok((outcomes, ended));
                    };
                    let Some(position) = jobs.iter().position(|job| job.index == at) else {
                        self.failed_starts += 1;
                        if self.failed_starts >= FAILED_STARTS_MAX {
                            bail!("the worker ends before its first case: {}", cause.message);
                        }
                        continue;
                    };
                    // The rest of the batch runs again: it has no results yet, and the cases before the
                    // dead one are known to be harmless.
                    let is_alone = jobs.len() == 1;
                    let job = jobs.remove(position);
                    // A second run of a single case would say nothing new if its function is known.
                    let is_clear = match cause.fault {
                        Fault::Sqlite => is_alone && cause.function.is_some(),
                        Fault::MemoryLimit => true,
                        Fault::Harness => false,
                    };
                    ended.counts.count_ended(&self.options, &job);
                    let schedule = self.schedule_of(&job);
                    let mut outcome =
                        if is_clear { outcome_of(&job, &cause, None) } else { self.diagnose(&job, cause)? };
                    outcome.result.explored = schedule.map(|schedule| ExploredFrame {
                        schedule: Some(schedule),
                        ..ExploredFrame::default()
                    });
                    outcomes.push(outcome);
                }
            }
        }
        Ok((outcomes, ended))
    }

    /// As [`Client::run`], with a watchdog of its own.
    ///
    /// # Errors
    /// As [`Client::run`].
    pub fn run_watched(&mut self, jobs: Vec<Job>) -> Result<(Vec<Outcome>, BatchResult)> {
        let (slots, is_over, never) = ([self.slot()], AtomicBool::new(false), AtomicBool::new(false));
        let timeout = Duration::from_millis(self.options.timeout_ms);
        std::thread::scope(|scope| {
            let watchdog = scope.spawn(|| watchdog::watch(&slots, timeout, &is_over, &never));
            let done = self.run(jobs);
            is_over.store(true, Ordering::Relaxed);
            watchdog.thread().unpark();
            done
        })
    }

    /// Ends the worker; the next case gets a new one.
    pub(crate) fn renew(&mut self) {
        if let Some(mut process) = self.process.take() {
            // A closed pipe tells the worker to end.
            drop(process.input.take());
            process.child.wait().ok();
        }
    }

    fn run_batch(&mut self, jobs: &[Job]) -> Result<BatchResult> {
        let mut process = match self.process.take() {
            Some(process) => process,
            None => self.start(false)?,
        };
        self.slot.is_busy.store(true, Ordering::Relaxed);
        let answer = exchange(&mut process, jobs);
        self.slot.is_busy.store(false, Ordering::Relaxed);
        self.process = Some(process);
        answer
    }

    fn start(&mut self, traces_statements: bool) -> Result<Process> {
        self.progress.as_file().write_all_at(&[0; 16 + STATEMENT_BYTES], 0)?;
        self.stderr.set_len(0)?;
        self.stderr.seek(SeekFrom::Start(0))?;
        let mut words = self.options.prefix.iter().map(AsRef::as_ref).chain([self.program.as_os_str()]);
        let mut command = Command::new(words.next().context("a worker is a program")?);
        command.args(words).arg("worker").arg("--progress").arg(self.progress.path());
        command.args(worker_arguments(&self.options));
        if traces_statements {
            command.arg("--trace-statements");
        }
        command.envs(self.options.environment.iter().map(|(name, value)| (name, value)));
        command.envs(self.options.profile.iter().map(|path| ("LLVM_PROFILE_FILE", path)));
        // Ctrl-C is for this process, which then ends its workers: one that dies of it would look like a crash.
        #[cfg(unix)]
        std::os::unix::process::CommandExt::process_group(&mut command, 0);
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(self.stderr.try_clone()?)
            .env("RUST_BACKTRACE", "0")
            .spawn()
            .with_context(|| format!("starting {}", self.program.display()))?;
        self.slot.pid.store(child.id(), Ordering::Relaxed);
        let input = child.stdin.take();
        let output = BufReader::new(child.stdout.take().context("a worker has standard output")?);
        Ok(Process { child, input, output })
    }

    /// Waits for the end of the worker and says what it means; nothing if it was made to end for the sake
    /// of an interruption.
    fn bury(&mut self) -> Result<Option<Cause>> {
        let Some(mut process) = self.process.take() else {
            bail!("no worker to wait for");
        };
        drop(process.input.take());
        let status = process.child.wait()?;
        self.slot.pid.store(0, Ordering::Relaxed);
        let mut text = Vec::new();
        self.stderr.seek(SeekFrom::Start(0))?;
        (&self.stderr).take(STDERR_BYTES_MAX).read_to_end(&mut text)?;
        let kill = self.slot.take_kill();
        if kill == Some(Kill::Interrupt) {
            return Ok(None);
        }
        let text = Symbolizer::shared().in_words(&String::from_utf8_lossy(&text), &self.program);
        let cause = death::classify(status, &text, kill);
        // Without a limit, it is our fault that memory runs out.
        let is_ours = cause.fault == Fault::MemoryLimit && self.options.worker_memory_mib == 0;
        Ok(Some(Cause { fault: if is_ours { Fault::Harness } else { cause.fault }, ..cause }))
    }

    /// Reruns a case that ended its worker, alone, to learn which statement does so.
    fn diagnose(&mut self, job: &Job, first: Cause) -> Result<Outcome> {
        let process = self.start(true)?;
        self.process = Some(process);
        let again = self.run_batch(std::slice::from_ref(job));
        let mut detail = None;
        let mut message = first.message.clone();
        match again {
            Ok(_) => message.push_str(" (run again alone, the case did not end its worker)"),
            Err(_) => {
                self.bury()?;
                detail = self.verb_of_last_statement();
            }
        }
        // A worker that traces statements is slower; the next batch gets a new one.
        self.process = None;
        Ok(outcome_of(job, &Cause { message, ..first }, detail))
    }

    /// The schedule under which a case ran that was explored when its worker died.
    fn schedule_of(&self, job: &Job) -> Option<String> {
        job.exploration.as_ref()?;
        read_switches(self.progress.as_file()).map(|schedule| schedule.to_string())
    }

    fn verb_of_last_statement(&self) -> Option<String> {
        let mut bytes = [0; STATEMENT_BYTES];
        self.progress.as_file().read_exact_at(&mut bytes, 16).ok()?;
        let text = String::from_utf8_lossy(&bytes);
        let word: String = text.trim_start().chars().take_while(char::is_ascii_alphabetic).collect();
        (!word.is_empty()).then(|| word.to_ascii_uppercase())
    }
}

/// The outcome of a case that ended its worker; `detail` is what is known of the place where the function is not.
fn outcome_of(job: &Job, cause: &Cause, detail: Option<String>) -> Outcome {
    let detail = cause.function.clone().or(detail);
    let signature = death::signature(&cause.kind, detail.as_deref());
    let message = cause.message.clone();
    let mut result = CaseResult { index: job.index, ..CaseResult::default() };
    let mut harness_error = None;
    match cause.fault {
        Fault::Sqlite => result.bugs.push(FoundBug { signature, message }),
        Fault::MemoryLimit => _ = result.cut_short.insert(Limit::Memory),
        Fault::Harness => harness_error = Some(message),
    }
    Outcome { result, harness_error }
}

fn exchange(process: &mut Process, jobs: &[Job]) -> Result<BatchResult> {
    let Some(input) = &mut process.input else {
        bail!("the worker's input is closed");
    };
    let mut buffered = io::BufWriter::with_capacity(1 << 16, input);
    protocol::write_batch(jobs, &mut buffered)?;
    drop(buffered);
    let mut line = String::new();
    if process.output.read_line(&mut line)? == 0 {
        bail!("the worker ended");
    }
    Ok(serde_json::from_str(&line)?)
}

/// The options as arguments of `fuzzcheck worker`.
fn worker_arguments(options: &Options) -> Vec<String> {
    let mut arguments = vec![format!("--worker-memory-mib={}", options.worker_memory_mib)];
    if options.meets_known_bugs {
        arguments.push("--meet-known-bugs".to_owned());
    }
    if options.has_digests {
        arguments.push("--digests".to_owned());
    }
    if options.has_turns {
        arguments.push("--turns".to_owned());
    }
    if options.is_transcribing {
        arguments.push("--transcript".to_owned());
    }
    if options.sends_files {
        arguments.push("--files".to_owned());
    }
    if options.limits.are_sqlites {
        arguments.push("--sqlite-limits".to_owned());
    }
    arguments.extend(options.oracles.argument());
    arguments.extend(options.plant.iter().map(|name| format!("--plant={name}")));
    let limits = [
        ("vm-steps", options.limits.vm_steps),
        ("alloc-bytes", options.limits.alloc_bytes),
        ("heap-bytes", options.limits.heap_bytes),
        ("disk-bytes", options.limits.disk_bytes),
        ("length-bytes", options.limits.length_bytes.map(u64::from)),
        ("rows", options.limits.rows),
    ];
    let limits = limits.into_iter().filter_map(|(name, value)| Some(format!("--limit-{name}={}", value?)));
    arguments.extend(limits);
    arguments
}

impl Drop for Client {
    fn drop(&mut self) {
        self.renew();
    }
}
