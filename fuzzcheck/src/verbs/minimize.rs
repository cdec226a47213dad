//! `fuzzcheck minimize`.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::atomic::Ordering;
use std::time::Instant;

use anyhow::{Context, Result};
use clap::ValueEnum;
use serde::Serialize;
use tandem::minimize::{End, Part};
use tandem::testcase::Readable;

use crate::base::{EXIT_ERROR, TIMEOUT_MS, project};
use crate::build::arguments::ConfigurationArgs;
use crate::build::configuration::Configuration;
use crate::build_kind::BuildKind;
use crate::minimizing::Probes;
use crate::minimizing::arguments::SearchArgs;
use crate::minimizing::judge::TRIALS;
use crate::minimizing::work::{Size, Smaller, Work};
use crate::replay::Options;
use crate::replay::oracles::Oracles;
use crate::source::NamedCase;
use crate::ui;
use crate::verbs::Verb;
use crate::verbs::lookup;
use crate::verbs::shared::{interrupt_flag, target_by_name};

/// Make a case smaller without losing its bug.
///
/// Statements, expressions, tables, pages, settings.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// A file with a case, or the id of one in the corpora, which may be shortened.
    case: String,
    /// The parts to make smaller; all others stay as they are.
    #[arg(long, value_name = "PART,...", value_enum, value_delimiter = ',', default_value = "all")]
    minimize: Vec<PartArg>,
    /// The bug that must remain, by its signature [default: the first one that the case shows]
    #[arg(long, value_name = "SIGNATURE")]
    signature: Option<String>,
    /// Where to write the smaller case [default: minimized-from-ID beside the case, or where `run` saves those of findings]
    #[arg(long, value_name = "FILE")]
    to: Option<PathBuf>,
    /// Start over instead of resuming an earlier run for the same bug.
    #[arg(long)]
    fresh: bool,
    /// The limits of the search.
    #[command(flatten)]
    limits: SearchArgs,
    /// The target of the case, instead of the one detected.
    #[arg(long, value_name = "TARGET")]
    target: Option<String>,
    /// The build that shows the bug [default: release]
    #[command(flatten)]
    configuration: ConfigurationArgs,
    /// For a difference between two configurations: the other one, as for `compare engines`.
    #[arg(long, value_name = "CONFIGURATION")]
    differential: Option<String>,
    /// Print one JSON document instead of text.
    #[arg(long)]
    json: bool,
    /// Do not install anything: report what is missing and stop.
    #[arg(long)]
    no_install: bool,
    /// Plant a bug by name, to check that it is found (see `doctor selftest`).
    #[arg(long, value_name = "NAME", hide = true)]
    plant: Option<String>,
}

/// A part of a case, or all of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum PartArg {
    /// The script.
    Sql,
    /// Database, WAL and journal.
    Db,
    /// The operations.
    Operations,
    /// The fault plan and the schedules.
    Faults,
    /// How the connection is opened.
    Settings,
    /// All of it.
    All,
}

impl PartArg {
    /// The parts that it stands for.
    pub(super) fn parts(self) -> &'static [Part] {
        match self {
            Self::Sql => &[Part::Sql],
            Self::Db => &[Part::Db],
            Self::Operations => &[Part::Operations],
            Self::Faults => &[Part::Faults],
            Self::Settings => &[Part::Settings],
            Self::All => &Part::ALL,
        }
    }
}

impl Verb for Args {
    fn run(&self) -> Result<ExitCode> {
        let started = Instant::now();
        let (named, code) = lookup::find(&self.case, &[], target_by_name(self.target.as_deref())?)?;
        let configuration = Configuration::new(&self.configuration, &BuildKind::JUDGING)?;
        let options = Options {
            oracles: Oracles::for_bug(self.signature.as_deref()),
            plant: self.plant.clone(),
            timeout_ms: self.limits.timeout_ms.unwrap_or(TIMEOUT_MS),
            ..Options::default()
        };
        let probes = Probes::new(
            &configuration,
            self.differential.as_deref(),
            &options,
            &project(),
            !self.no_install,
        )?;
        let stop = interrupt_flag()?;
        let path = match &self.to {
            Some(path) => path.clone(),
            None => default_path(&named, &configuration)?,
        };
        crate::files::refuse_corpus(&path)?;
        crate::files::refuse_special(&path)?;
        let work = Work {
            probes: &probes,
            slowness: configuration.build.slowness(),
            parts: parts(&self.minimize),
            limits: self.limits.clone(),
            stop: std::sync::Arc::clone(&stop),
            is_fresh: self.fresh,
        };
        let mut shown = ui::Ticker::new();
        let smaller = work
            .run(&named.case, named.target, self.signature.as_deref(), &path, |case, pass| {
                shown.show(|| format!("{}: {}", in_words(&Size::of(case)), pass));
            })
            .with_context(|| named.name.clone())?;
        shown.finish();
        let summary = Summary::new(&smaller, &path, &probes, started.elapsed().as_secs_f64());
        if self.json {
            let document = serde_json::to_string_pretty(&summary)?;
            ui::line(format_args!("{document}"))?;
        } else {
            ui::print(|out| print(&smaller, &summary, out))?;
        }
        if stop.load(Ordering::Relaxed) {
            eprintln!(
                "fuzzcheck: interrupted: the best case so far is {}; the same command resumes from it",
                path.display()
            );
            return Ok(ExitCode::from(EXIT_ERROR));
        }
        Ok(code)
    }
}

fn parts(chosen: &[PartArg]) -> Vec<Part> {
    let mut parts: Vec<Part> = chosen.iter().flat_map(|part| part.parts()).copied().collect();
    parts.sort_unstable();
    parts.dedup();
    parts
}

/// Beside the case, under the name that libFuzzer gives to such files.
fn default_path(named: &NamedCase, configuration: &Configuration) -> Result<PathBuf> {
    let name = format!("minimized-from-{}", named.case.id().short());
    let case = Path::new(&named.name);
    let folder = match case.parent() {
        Some(folder) if case.is_file() => folder.to_owned(),
        _ => configuration.artifacts(&project(), named.target.name),
    };
    std::fs::create_dir_all(&folder).with_context(|| format!("{}", folder.display()))?;
    Ok(folder.join(name))
}

fn in_words(size: &Size) -> String {
    let mut words = format!("{} statements of {} bytes", size.statements, size.sql_bytes);
    if size.files > 0 {
        let Size { files, file_bytes, pages, .. } = size;
        words += &format!(
            ", {files} files of {file_bytes} bytes that are not zero, {pages} pages behind the first"
        );
    }
    if size.log_pages > 0 {
        words += &format!(", {} pages in WAL and journal", size.log_pages);
    }
    if size.operations > 0 {
        words += &format!(", {} operations", size.operations);
    }
    if size.settings + size.faults > 0 {
        words += &format!(", {} settings, {} faults", size.settings, size.faults);
    }
    words
}

/// The JSON document.
#[derive(Serialize)]
struct Summary {
    version: u32,
    signature: String,
    target: &'static str,
    path: PathBuf,
    before: Size,
    after: Size,
    runs_that_showed_it: u32,
    runs: u32,
    attempts: u64,
    attempts_before: u64,
    accepted: u64,
    end: &'static str,
    guilty_optimizations: Vec<&'static str>,
    seconds: f64,
    replay: String,
}

impl Summary {
    fn new(smaller: &Smaller, path: &Path, probes: &Probes, seconds: f64) -> Self {
        let [attempts, attempts_before, accepted] = smaller.attempts;
        Self {
            version: 1,
            signature: smaller.signature.clone(),
            target: smaller.target.name,
            path: path.to_owned(),
            before: smaller.sizes[0],
            after: smaller.sizes[1],
            runs_that_showed_it: smaller.hits,
            runs: TRIALS,
            attempts,
            attempts_before,
            accepted,
            end: match smaller.end {
                End::Minimal => "no smaller case was found",
                End::Attempts => "out of attempts",
                End::Stopped => "out of time",
            },
            guilty_optimizations: smaller.guilty.clone(),
            seconds,
            replay: probes.replay(path, smaller.target, &smaller.signature),
        }
    }
}

fn print(smaller: &Smaller, summary: &Summary, out: &mut dyn Write) -> Result<()> {
    write!(out, "{}", Readable(&smaller.case))?;
    writeln!(out, "{}", summary.signature)?;
    for line in smaller.message.trim().lines() {
        writeln!(out, "    {line}")?;
    }
    writeln!(out, "  before: {}", in_words(&summary.before))?;
    writeln!(out, "  after:  {}", in_words(&summary.after))?;
    if summary.runs_that_showed_it < TRIALS {
        writeln!(
            out,
            "  flaky:  {} of {TRIALS} runs of the case showed it; each candidate ran several times",
            summary.runs_that_showed_it
        )?;
    }
    if !summary.guilty_optimizations.is_empty() {
        writeln!(out, "  needs:  the optimization {}", summary.guilty_optimizations.join(", "))?;
    }
    let Summary { attempts, accepted, end, seconds, .. } = summary;
    writeln!(out, "  search: {attempts} attempts, {accepted} accepted, {seconds:.1} seconds: {end}")?;
    writeln!(out, "  saved:  {}", summary.path.display())?;
    writeln!(out, "  replay: {}", summary.replay)?;
    Ok(())
}
