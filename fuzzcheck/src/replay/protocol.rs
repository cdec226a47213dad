//! The messages between parent and worker: batches of cases as binary frames in one direction, their results
//! as a line of JSON in the other.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Read, Write};
use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use tandem::TestCase;
use tandem::engine::sqlite::Budget;
use tandem::engine::{Limit, StatementTrace, Trace, Transcript};
use tandem::targets::Target;

use super::oracles::Oracles;

/// Longest encoded case in a frame, in bytes: an envelope of the largest files, and some.
const BODY_BYTES_MAX: u32 = 64 << 20;
/// Why oracles do not judge a case that has ended its worker.
const WORKER_ENDED: &str = "its worker ended";

/// A case for a worker.
#[derive(Debug, Clone)]
pub struct Job {
    /// Names the case between parent and worker, from 1.
    pub index: u64,
    /// What it runs on.
    pub target: &'static Target,
    /// Bytes that SQLite may hold, if the case brings a limit of its own.
    pub heap_bytes: Option<u64>,
    /// The encoded case.
    pub body: Vec<u8>,
    /// Which schedules to run it under, instead of its own.
    pub exploration: Option<ExplorationFrame>,
}

/// Schedules to try: [`tandem::targets::Exploration`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExplorationFrame {
    /// How they are chosen.
    pub strategy: String,
    /// The seed.
    pub seed: u64,
    /// The number of the first.
    pub from: u64,
    /// How many.
    pub runs: u64,
    /// Where a search is.
    pub rest: Option<String>,
}

/// Schedules that were tried.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExploredFrame {
    /// How many.
    pub runs: u64,
    /// Points of the longest.
    pub points: u32,
    /// Switches of all.
    pub switches: u64,
    /// Runs that a limit cut short.
    pub cut_short: u64,
    /// Runs in which something was refused as locked.
    pub busy: u64,
    /// Where a search is that is not at its end.
    pub rest: Option<String>,
    /// True if there are no more schedules.
    pub is_exhausted: bool,
    /// The schedule under which something was found: that of the last.
    pub schedule: Option<String>,
}

impl Job {
    fn write(&self, out: &mut impl Write) -> io::Result<()> {
        out.write_all(&self.index.to_le_bytes())?;
        let name = self.target.name.as_bytes();
        out.write_all(&[u8::try_from(name.len()).map_err(io::Error::other)?])?;
        out.write_all(name)?;
        out.write_all(&self.heap_bytes.unwrap_or(0).to_le_bytes())?;
        out.write_all(&(self.body.len() as u32).to_le_bytes())?;
        out.write_all(&self.body)?;
        let exploration = serde_json::to_vec(&self.exploration)?;
        out.write_all(&(exploration.len() as u32).to_le_bytes())?;
        out.write_all(&exploration)
    }

    fn read(input: &mut impl Read) -> io::Result<Self> {
        let index = u64::from_le_bytes(read_array(input)?);
        let [length] = read_array(input)?;
        let mut name = vec![0; usize::from(length)];
        input.read_exact(&mut name)?;
        let heap_bytes = u64::from_le_bytes(read_array(input)?);
        let length = u32::from_le_bytes(read_array(input)?);
        let invalid = |what: &str| io::Error::new(io::ErrorKind::InvalidData, what);
        if length > BODY_BYTES_MAX {
            return Err(invalid("no frame of a case"));
        }
        let name = String::from_utf8_lossy(&name);
        let target =
            Target::by_name(&name).ok_or_else(|| invalid(&format!("this program has no target `{name}`")))?;
        let mut body = vec![0; length as usize];
        input.read_exact(&mut body)?;
        let length = u32::from_le_bytes(read_array(input)?);
        if length > BODY_BYTES_MAX {
            return Err(invalid("no frame of an exploration"));
        }
        let mut exploration = vec![0; length as usize];
        input.read_exact(&mut exploration)?;
        let exploration = serde_json::from_slice(&exploration)?;
        Ok(Self { index, target, heap_bytes: (heap_bytes > 0).then_some(heap_bytes), body, exploration })
    }
}

fn read_array<const N: usize>(input: &mut impl Read) -> io::Result<[u8; N]> {
    let mut bytes = [0; N];
    input.read_exact(&mut bytes)?;
    Ok(bytes)
}

/// Sends a batch.
///
/// # Errors
/// If the worker is gone.
pub fn write_batch(jobs: &[Job], out: &mut impl Write) -> io::Result<()> {
    out.write_all(&(jobs.len() as u32).to_le_bytes())?;
    jobs.iter().try_for_each(|job| job.write(out))?;
    out.flush()
}

/// Receives a batch; `None` if the parent has closed the pipe.
///
/// # Errors
/// If the pipe breaks in the middle of one.
pub fn read_batch(input: &mut impl Read) -> io::Result<Option<Vec<Job>>> {
    let count = match read_array(input) {
        Ok(bytes) => u32::from_le_bytes(bytes),
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
        Err(error) => return Err(error),
    };
    (0..count).map(|_| Job::read(input)).collect::<io::Result<_>>().map(Some)
}

/// A bug found in a case.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FoundBug {
    /// Which bug it is.
    pub signature: String,
    /// What happened.
    pub message: String,
}

/// Files by name.
pub type Files = BTreeMap<String, Vec<u8>>;

/// A worker's result for one case.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CaseResult {
    /// The case.
    pub index: u64,
    /// CPU time in nanoseconds.
    pub cpu_ns: u64,
    /// Virtual-machine steps.
    pub vm_steps: u64,
    /// Bugs, most important first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub bugs: Vec<FoundBug>,
    /// The limits that cut it short.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub cut_short: BTreeSet<Limit>,
    /// What failed because a fault was planned, and how often.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub hits: BTreeMap<String, u64>,
    /// Operations that changed the disk, of a case that plans to lose power.
    #[serde(default)]
    pub disk_operations: u64,
    /// What the case did, if requested.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub digest: Option<CaseDigest>,
    /// What it did, for a comparison with another build ([`Options::is_transcribing`]).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub transcript: Option<Transcript>,
    /// What was explored, if that was asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub explored: Option<ExploredFrame>,
    /// What connections did in their turns, if requested.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub turns: Vec<TurnFrame>,
    /// The files that it left, if requested and kept by the engine.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub files: Option<Files>,
}

/// What a connection did in its turn.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct TurnFrame {
    /// The operation of the case, counted from 1.
    pub operation: usize,
    /// The point in it.
    pub point: u32,
    /// Who did it.
    pub connection: u8,
    /// What: `begins`, or a call of the VFS in words.
    pub what: String,
}

/// What a case did, short enough to be kept for every case: equal for equal behaviour, whatever it cost.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CaseDigest {
    /// One per statement that ran.
    pub statements: Vec<StatementDigest>,
    /// Of the names and contents of all files that were left.
    pub files: u64,
    /// True if the budget ended the run.
    pub is_cut_short: bool,
}

/// What a statement did, for [`CaseDigest`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StatementDigest {
    /// The keyword with which it begins.
    pub verb: String,
    /// Where it stands in the script.
    pub sql: std::ops::Range<usize>,
    /// The extended result code.
    pub code: i32,
    /// Rows that came.
    pub rows: u64,
    /// Of their values, in order.
    pub values: u64,
}

impl CaseDigest {
    /// That of a trace.
    pub fn of(trace: &Trace) -> Self {
        let statement = |trace: &StatementTrace| StatementDigest {
            verb: trace.verb.to_owned(),
            sql: trace.sql.clone(),
            code: trace.code().0,
            rows: trace.rows,
            values: trace.row_digest,
        };
        let mut files = Sha256::new();
        for file in &trace.files {
            files.update(format!("{} {} {} ", file.name, file.bytes, file.digest));
        }
        let files: [u8; 8] = files.finalize()[..8].try_into().expect("a digest has 32 bytes");
        Self {
            statements: trace.statements.iter().map(statement).collect(),
            files: u64::from_le_bytes(files),
            is_cut_short: trace.is_cut_short,
        }
    }

    /// All of it in 16 hexadecimal digits.
    pub fn short(&self) -> String {
        let text = serde_json::to_vec(self).expect("it is plain data");
        Sha256::digest(text)[..8].iter().map(|byte| format!("{byte:02x}")).collect()
    }
}

/// How often an oracle passed, failed, and did not judge for which reason: together, all cases.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct OracleCounts {
    /// Cases on which the property held.
    pub passed: u64,
    /// Cases on which it did not.
    pub failed: u64,
    /// Cases that it did not judge, by reason.
    #[serde(alias = "skipped")]
    pub not_judged: BTreeMap<String, u64>,
    /// Those of them that gave it nothing to judge: damaged at the start, or nothing written.
    #[serde(default)]
    pub nothing_to_judge: u64,
    /// Further runs that it asked for.
    #[serde(default)]
    pub runs: u64,
    /// Those that it was refused: its budget was used up.
    #[serde(default)]
    pub refused_runs: u64,
    /// Checks that it made, of an oracle that counts them.
    #[serde(default)]
    pub checks: u64,
    /// Those of them that were not trivial.
    #[serde(default)]
    pub nontrivial: u64,
    /// CPU nanoseconds to make the disks that a power loss left, to recover them, and to check them.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub disks_ns: [u64; 3],
}

fn is_zero(disks_ns: &[u64; 3]) -> bool {
    *disks_ns == [0; 3]
}

impl OracleCounts {
    /// Adds other counts.
    pub fn add(&mut self, other: &Self) {
        self.passed += other.passed;
        self.failed += other.failed;
        self.nothing_to_judge += other.nothing_to_judge;
        self.runs += other.runs;
        self.refused_runs += other.refused_runs;
        self.checks += other.checks;
        self.nontrivial += other.nontrivial;
        self.disks_ns = [0, 1, 2].map(|at| self.disks_ns[at] + other.disks_ns[at]);
        for (reason, count) in &other.not_judged {
            *self.not_judged.entry(reason.clone()).or_default() += count;
        }
    }

    /// All cases.
    pub fn cases(&self) -> u64 {
        self.passed + self.failed + self.not_judged.values().sum::<u64>()
    }

    /// The share of the cases that it judged, in percent; 100 of none.
    pub fn judged_percent(&self) -> f64 {
        self.judged_percent_of(self.cases())
    }

    /// The share of those that gave it something to judge, in percent: they began with a sound database, and wrote to
    /// it if it judges what is written. `None` if that is all of them.
    pub fn judged_percent_of_sound(&self) -> Option<f64> {
        let nothing = self.nothing_to_judge;
        (nothing > 0).then(|| self.judged_percent_of(self.cases() - nothing))
    }

    fn judged_percent_of(&self, cases: u64) -> f64 {
        let judged = self.passed + self.failed;
        if cases == 0 { 100.0 } else { 100.0 * judged as f64 / cases as f64 }
    }

    /// Why it did not judge: the reasons with their cases, most frequent first.
    pub fn reasons(&self) -> Vec<(&str, u64)> {
        let mut reasons: Vec<_> =
            self.not_judged.iter().map(|(reason, &cases)| (reason.as_str(), cases)).collect();
        reasons.sort_by_key(|&(_, cases)| std::cmp::Reverse(cases));
        reasons
    }
}

/// What is counted over many cases.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    /// By oracle.
    pub oracles: BTreeMap<String, OracleCounts>,
    /// Statements that were refused because they lead to a known bug, by its name.
    #[serde(default)]
    pub avoided: BTreeMap<String, u64>,
}

/// A worker's results for a batch.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct BatchResult {
    /// One per case, in order.
    pub results: Vec<CaseResult>,
    /// What is counted.
    #[serde(flatten)]
    pub counts: Counts,
    /// Name and version of the engine, with transcripts.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub engine: String,
}

impl Counts {
    /// Adds others.
    pub fn add(&mut self, other: &Self) {
        for (oracle, counts) in &other.oracles {
            self.oracles.entry(oracle.clone()).or_default().add(counts);
        }
        for (name, count) in &other.avoided {
            *self.avoided.entry(name.clone()).or_default() += count;
        }
    }

    /// Counts a case that no oracle could judge because its worker ended.
    pub fn count_ended(&mut self, options: &Options, job: &Job) {
        let case = TestCase::decode(&job.body);
        for oracle in
            tandem::oracles::all().iter().filter(|entry| options.oracles.judges(entry, job.target, &case))
        {
            let counts = self.oracles.entry(oracle.name.to_owned()).or_default();
            *counts.not_judged.entry(WORKER_ENDED.to_owned()).or_default() += 1;
        }
    }
}

/// How cases are run.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Options {
    /// Which oracles judge.
    pub oracles: Oracles,
    /// A planted bug, by name.
    pub plant: Option<String>,
    /// Do not steer around known bugs.
    pub meets_known_bugs: bool,
    /// Send transcripts instead of judging.
    pub is_transcribing: bool,
    /// Send the files that are left, with transcripts.
    pub sends_files: bool,
    /// Limits that replace those of the target.
    pub limits: Limits,
    /// CPU milliseconds after which a case counts as a hang.
    pub timeout_ms: u64,
    /// MiB of address space per worker; 0 for no limit.
    pub worker_memory_mib: u64,
    /// Report what each case did.
    pub has_digests: bool,
    /// Report what connections did in their turns.
    pub has_turns: bool,
    /// Where workers that count what they reach keep it: `LLVM_PROFILE_FILE` of clang.
    pub profile: Option<PathBuf>,
    /// The command to run workers under: a program and its arguments, or nothing.
    pub prefix: Vec<String>,
    /// Variables that workers are run with.
    pub environment: Vec<(String, String)>,
}

/// Limits of one run that replace those of the target.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Limits {
    /// [`Budget::vm_steps`].
    pub vm_steps: Option<u64>,
    /// [`Budget::alloc_bytes`].
    pub alloc_bytes: Option<u64>,
    /// [`Budget::heap_bytes`].
    pub heap_bytes: Option<u64>,
    /// [`Budget::disk_bytes`].
    pub disk_bytes: Option<u64>,
    /// [`Budget::length_bytes`].
    pub length_bytes: Option<u32>,
    /// [`Budget::rows`].
    pub rows: Option<u64>,
    /// No [`Budget::has_small_limits`].
    pub are_sqlites: bool,
}

impl Limits {
    /// The budget of a target with these limits; the heap of a case that brings a smaller one counts where none is given.
    pub fn apply(&self, budget: &Budget, case_heap_bytes: Option<u64>) -> Budget {
        Budget {
            vm_steps: self.vm_steps.unwrap_or(budget.vm_steps),
            alloc_bytes: self.alloc_bytes.unwrap_or(budget.alloc_bytes),
            heap_bytes: self.heap_bytes.unwrap_or_else(|| {
                case_heap_bytes.map_or(budget.heap_bytes, |own| own.min(budget.heap_bytes))
            }),
            disk_bytes: self.disk_bytes.map_or(budget.disk_bytes, |bytes| bytes as usize),
            length_bytes: self.length_bytes.unwrap_or(budget.length_bytes),
            rows: self.rows.or(budget.rows),
            has_small_limits: budget.has_small_limits && !self.are_sqlites,
            has_few_variants: budget.has_few_variants,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn batches_pass_the_pipe_and_end_with_it() {
        let target = &tandem::targets::SQL;
        let job = |index, heap_bytes| Job {
            index,
            target,
            heap_bytes,
            body: vec![index as u8; 5],
            exploration: None,
        };
        let jobs = [job(1, None), job(2, Some(7))];
        let mut pipe = Vec::new();
        write_batch(&jobs, &mut pipe).unwrap();
        let mut input = pipe.as_slice();
        let read = read_batch(&mut input).unwrap().unwrap();
        assert_eq!(
            read.iter().map(|job| (job.index, job.heap_bytes)).collect::<Vec<_>>(),
            [(1, None), (2, Some(7))]
        );
        assert_eq!((&read[1].body, read[1].target.name), (&jobs[1].body, "sql"));
        assert!(read_batch(&mut input).unwrap().is_none());
        assert!(read_batch(&mut &pipe[..9]).is_err());
    }
}
