//! The command line.

pub mod bisect;
pub mod distill;
pub mod doctor;
pub mod focus;
pub mod gaps;
pub mod handover;
pub mod inspect;
pub mod keep;
pub mod lanes;
pub mod measure;
pub mod minimize;
pub mod nightly;
pub mod ossfuzz;
pub mod pair;
pub mod report;
pub mod triage;

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::base::{TIMEOUT_MS, WORKER_MEMORY_MIB};
use crate::build::arguments::FlavorArgs;
use crate::lane::Lane;
use crate::replay::arguments::{LimitArgs, WorkerArgs};
use tandem::corpus::Kind;

/// Replays, inspects, keeps and fuzzes cases of Tandem.
///
/// Without a subcommand, runs the shipped corpora. Exit codes: 0 clean, 1 findings, 2 usage or harness
/// error.
#[derive(Debug, Parser)]
#[command(name = "fuzzcheck", version, args_conflicts_with_subcommands = true, max_term_width = 100)]
pub struct Cli {
    /// What to do; `run` if left out.
    #[command(subcommand)]
    pub command: Option<Command>,
    /// Arguments of `run`.
    #[command(flatten)]
    pub run: RunArgs,
}

/// The subcommands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run cases and judge them: corpus databases, SQLite's fuzzdataN.db, folders, single files.
    Run(RunArgs),
    /// List cases.
    List(ListArgs),
    /// Show a case: settings, files described page by page, SQL.
    Show(ShowArgs),
    /// Put cases into a corpus database.
    Import(ImportArgs),
    /// Take cases out: into a folder, one file, or a fuzzdata database that SQLite's fuzzcheck reads.
    Export(ExportArgs),
    /// Say since which published release a case shows its bug, and until which.
    ///
    /// Halves the releases that crates bundle, or your own (--releases DIR). Exit codes: 0 told, 2 wrong
    /// usage, or a case that shows nothing in any release.
    Bisect(bisect::BisectArgs),
    /// Write a case so that someone without Tandem can use it: bug report, scripts, files, a Rust test.
    ///
    /// The case is run first: report and test say what it showed. Exit codes: 0 written, 2 wrong usage or a case that
    /// shows nothing, or something else than --signature; then nothing is written. What a form cannot carry is said.
    Handover(handover::HandoverArgs),
    /// Write the hand-written seeds into the corpus databases.
    Seeds(SeedsArgs),
    /// Fuzz a target: checks the tools, installs what it may, seeds, fuzzes, says what was found.
    Fuzz(FuzzArgs),
    /// Fuzz all targets for a night, then sort what was found, merge it back, and count what is reached.
    ///
    /// All of it lies within --budget. Interrupted or killed, the same command goes on where this one was. Exit codes: 0
    /// nothing new was found, 1 a bug that nobody knows, 2 wrong usage, an interruption, or something that failed.
    Nightly(nightly::NightlyArgs),
    /// Keep the case of a finding under a name; with --check, see that known bugs are explained and still there.
    Keep(keep::KeepArgs),
    /// Merge what fuzzing found into the corpus databases: what adds coverage, and nothing that is kept for a reason goes.
    Distill(distill::DistillArgs),
    /// Run cases in several lanes and compare what they do there.
    Lanes(lanes::LanesArgs),
    /// Count the branches, lines, functions and regions of sqlite3.c that cases reach.
    Coverage(measure::CoverageArgs),
    /// List what no case reaches: functions, opcodes, SQL functions, pragmas, result codes; with the target that could.
    Gaps(gaps::GapsArgs),
    /// Fuzz with our mutations, with libFuzzer's and without each family of ours: the same seeds, the same time.
    CompareMutators(measure::CompareArgs),
    /// Run cases on two builds of SQLite and compare what they did: rows, errors, schema, content.
    Pair(pair::PairArgs),
    /// Make a case smaller without losing its bug: statements, expressions, tables, pages, settings.
    Minimize(minimize::MinimizeArgs),
    /// Inspect a database: every page and tree, and everything that is wrong; or compare two.
    Db(inspect::DbArgs),
    /// Inspect a write-ahead log: every frame, and what SQLite recovers from it.
    Wal(inspect::LogArgs),
    /// Inspect a rollback journal: every record, and what SQLite rolls back.
    Journal(inspect::LogArgs),
    /// Sort a pile of cases by the bugs that they show, make the smallest of each smaller, tell new bugs from known ones.
    Triage(triage::TriageArgs),
    /// Write the words of this SQLite as a dictionary for libFuzzer: keywords, functions, pragmas, modules, collations.
    Dictionary(ossfuzz::DictionaryArgs),
    /// Check a folder that fuzz/build.sh filled as OSS-Fuzz will, and more strictly; without docker.
    ///
    /// Exit codes: 0 all checks passed, 1 some did not, 2 wrong usage or a folder without targets.
    CheckOssFuzz(ossfuzz::CheckArgs),
    /// See whether this machine can fuzz, and what to do where it cannot. Exit codes: 0 it can, 1 it cannot.
    Doctor(doctor::DoctorArgs),
    /// Write the report of a campaign once more: report.html, junit.xml, report.json.
    Report(report::ReportArgs),
    /// Plant each known bug and see that it is found.
    Selftest,
    /// Say which SQLite is in this program.
    #[command(hide = true)]
    Identity,
    /// Say which SQL functions and pragmas are in it.
    #[command(hide = true)]
    Names,
    /// A worker process of `run`; speaks a protocol of its own.
    #[command(hide = true)]
    Worker(WorkerArgs),
}

/// Arguments of `run`.
#[derive(Debug, Args)]
pub struct RunArgs {
    /// Corpus databases, fuzzdataN.db files, folders or files with one case each [default: corpus/]
    pub paths: Vec<PathBuf>,
    /// Worker processes [default: one per core]
    #[arg(long, short, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=256))]
    pub jobs: Option<u16>,
    /// Run all cases in this process, for a debugger: a crash ends it.
    #[arg(long, conflicts_with_all = ["jobs", "lane"])]
    pub in_process: bool,
    /// Run only cases whose name contains this text: an id or its beginning, `sqlid=12`, a file name.
    #[arg(long, value_name = "ID")]
    pub case: Option<String>,
    /// Leave out the first N cases.
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub skip: usize,
    /// Run single files on this target, read as it reads them, instead of the one that they seem to be for.
    #[arg(long, value_name = "TARGET")]
    pub target: Option<String>,
    /// Run every case twice and compare what it did.
    #[arg(long)]
    pub twice: bool,
    /// List the N slowest cases by CPU time.
    #[arg(long, value_name = "N", default_value_t = 0, value_parser = clap::value_parser!(u16).range(0..=100))]
    pub slowest: u16,
    /// Print one JSON document instead of text.
    #[arg(long)]
    pub json: bool,
    /// Add to the JSON document what each case did, as a digest: equal for equal behaviour, so that two documents can be
    /// compared.
    #[arg(long, requires = "json")]
    pub digests: bool,
    /// Folder for the cases of findings [default: where `fuzz` of that build has them, fuzz/artifacts/TARGET or TARGET-BUILD]
    #[arg(long, value_name = "DIR")]
    pub save_dir: Option<PathBuf>,
    /// CPU milliseconds after which a case counts as hanging.
    #[arg(long, value_name = "MS", default_value_t = TIMEOUT_MS, value_parser = clap::value_parser!(u64).range(1..))]
    pub timeout_ms: u64,
    /// MiB of address space of a worker; 0 is no limit.
    #[arg(long, value_name = "MIB", default_value_t = WORKER_MEMORY_MIB)]
    pub worker_memory_mib: u64,
    /// Limits.
    #[command(flatten)]
    pub limits: LimitArgs,
    /// The build whose workers run the cases [default lane: release]
    #[command(flatten)]
    pub flavor: FlavorArgs,
    /// Run every Nth case only: for slow lanes.
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..))]
    pub every: u32,
    /// Do not install anything: say what is missing and stop.
    #[arg(long)]
    pub no_install: bool,
    /// Refuse nothing of what leads to a known bug of SQLite.
    #[arg(long)]
    pub meet_known_bugs: bool,
    /// Plant a bug by name, to see that it is found (see `selftest`).
    #[arg(long, value_name = "NAME", hide = true)]
    pub plant: Option<String>,
}

/// Arguments of `list`.
#[derive(Debug, Args)]
pub struct ListArgs {
    /// As for `run` [default: corpus/]
    pub paths: Vec<PathBuf>,
    /// Print one JSON document instead of text.
    #[arg(long)]
    pub json: bool,
}

/// Arguments of `show`.
#[derive(Debug, Args)]
pub struct ShowArgs {
    /// A file with a case, or the id of one in the corpora, or its beginning.
    pub case: String,
    /// Where to look for an id [default: corpus/]
    #[arg(long, value_name = "PATH")]
    pub corpus: Vec<PathBuf>,
    /// As a script for the sqlite3 shell, with the database inline.
    #[arg(long, conflicts_with = "dbsqlfuzz")]
    pub script: bool,
    /// As dbsqlfuzz text.
    #[arg(long)]
    pub dbsqlfuzz: bool,
}

/// A kind of kept case.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub enum KindArg {
    /// Written by hand, or made from what was.
    Seed,
    /// Reaches code that no other case does.
    Interesting,
    /// Once showed a bug that is fixed.
    Regression,
    /// Shows a bug that is not fixed.
    Known,
}

impl From<KindArg> for Kind {
    fn from(kind: KindArg) -> Self {
        match kind {
            KindArg::Seed => Self::Seed,
            KindArg::Interesting => Self::Interesting,
            KindArg::Regression => Self::Regression,
            KindArg::Known => Self::Known,
        }
    }
}

/// Arguments of `import`.
#[derive(Debug, Args)]
pub struct ImportArgs {
    /// As for `run`.
    #[arg(required = true)]
    pub paths: Vec<PathBuf>,
    /// The corpus database to write to [default: corpus/TARGET.db of each case]
    #[arg(long, value_name = "DB")]
    pub into: Option<PathBuf>,
    /// Why the cases are kept [default: interesting; what a corpus says of its own]
    #[arg(long, value_enum)]
    pub kind: Option<KindArg>,
    /// The finding that the cases show or showed [default: none; what a corpus says of its own]
    #[arg(long, value_name = "SIGNATURE")]
    pub signature: Option<String>,
    /// Where the cases came from, in words [default: the name of each; what a corpus says of its own]
    #[arg(long, value_name = "TEXT")]
    pub source: Option<String>,
    /// The target of single files, instead of the one that they seem to be for.
    #[arg(long, value_name = "TARGET")]
    pub target: Option<String>,
}

/// Arguments of `export`.
#[derive(Debug, Args)]
pub struct ExportArgs {
    /// As for `run` [default: corpus/]
    pub paths: Vec<PathBuf>,
    /// Only cases of this target.
    #[arg(long, value_name = "TARGET")]
    pub target: Option<String>,
    /// Only cases whose name contains this text: an id or its beginning, `sqlid=12`, a file name.
    #[arg(long, value_name = "ID")]
    pub case: Option<String>,
    /// Where to write to.
    #[command(flatten)]
    pub to: ExportTo,
}

/// Where `export` writes to.
#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
pub struct ExportTo {
    /// A folder, one file per case named by its id: DIR/TARGET/ID, or DIR/ID with --target.
    #[arg(long, value_name = "DIR")]
    pub dir: Option<PathBuf>,
    /// A file for the one case that is left.
    #[arg(long, value_name = "FILE")]
    pub file: Option<PathBuf>,
    /// A database that SQLite's own fuzzcheck reads.
    #[arg(long, value_name = "DB")]
    pub fuzzdata: Option<PathBuf>,
    /// A zip as OSS-Fuzz takes seeds: one file per case named by its id; without cases of known bugs.
    #[arg(long, value_name = "FILE")]
    pub zip: Option<PathBuf>,
}

/// Arguments of `seeds`.
#[derive(Debug, Args)]
pub struct SeedsArgs {
    /// Folder of the corpus databases [default: corpus/]
    #[arg(long, value_name = "DIR")]
    pub into: Option<PathBuf>,
}

/// Arguments of `fuzz`.
#[derive(Debug, Args)]
pub struct FuzzArgs {
    /// The target.
    pub target: String,
    /// Seconds after which to stop; without, until Ctrl-C.
    #[arg(long, value_name = "S", value_parser = clap::value_parser!(u64).range(1..))]
    pub max_total_time_s: Option<u64>,
    /// CPU seconds of all processes together after which to stop, those that run cases again included.
    #[arg(long, value_name = "S", value_parser = clap::value_parser!(u64).range(1..))]
    pub max_cpu_s: Option<u64>,
    /// Processes that fuzz at the same time and share the corpus.
    #[arg(long, short, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=256))]
    pub jobs: u16,
    /// The build to fuzz [default lane: asan]
    #[command(flatten)]
    pub flavor: FlavorArgs,
    /// Run what is new to the corpus, and a sample of the rest, again in these lanes [default: debug, where another SQLite
    /// than the bundled one is fuzzed]
    #[arg(long, value_name = "LANE,...", value_enum, value_delimiter = ',')]
    pub rerun: Vec<Lane>,
    /// Run nothing again.
    #[arg(long, conflicts_with = "rerun")]
    pub no_rerun: bool,
    /// Run the same on another build, too, and compare what both did: `bundled`, a version, a folder, as for `pair`.
    #[arg(long, value_name = "BUILD")]
    pub pair: Option<String>,
    /// With --rerun or --pair: every how many cases one is in the sample.
    #[arg(long, value_name = "N", default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..))]
    pub sample_every: u32,
    /// Where fuzzing is turned to.
    #[command(flatten)]
    pub focus: focus::FocusArgs,
    /// Toolchain for the targets, as in `cargo +TOOLCHAIN` [default: the active one]
    #[arg(long, value_name = "TOOLCHAIN")]
    pub toolchain: Option<String>,
    /// Do not install anything: say what is missing and stop.
    #[arg(long)]
    pub no_install: bool,
    /// Print one JSON document at the end instead of text.
    #[arg(long)]
    pub json: bool,
    /// The working copy, where it is not the one that this program was built from.
    #[arg(long, value_name = "DIR", hide = true)]
    pub project: Option<PathBuf>,
    /// Arguments for libFuzzer.
    #[arg(last = true, value_name = "LIBFUZZER ARGS")]
    pub libfuzzer: Vec<String>,
}

/// A number above 0.
fn positive(word: &str) -> Result<f64, String> {
    let number = word.parse().ok().filter(|number: &f64| number.is_finite() && *number > 0.0);
    number.ok_or_else(|| format!("`{word}` is no number above 0"))
}
