//! `fuzzcheck minimize`.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::atomic::Ordering;
use std::time::Instant;

use anyhow::{Context, Result};
use serde::Serialize;
use tandem::minimize::{End, Part};
use tandem::testcase::Readable;

use super::{interrupt_flag, lookup, target_by_name};
use crate::base::{EXIT_ERROR, TIMEOUT_MS, project};
use crate::build::flavor::Flavor;
use crate::cli::minimize::{MinimizeArgs, PartArg};
use crate::lane::Lane;
use crate::minimizing::Probes;
use crate::minimizing::judge::TRIALS;
use crate::minimizing::work::{Size, Smaller, Work};
use crate::replay::Options;
use crate::source::NamedCase;
use crate::ui;

pub(super) fn run(args: &MinimizeArgs) -> Result<ExitCode> {
    let started = Instant::now();
    let (named, code) = lookup::find(&args.case, &[], target_by_name(args.target.as_deref())?)?;
    let flavor = Flavor::new(&args.flavor, &Lane::JUDGING)?;
    let options = Options {
        is_twice: args.twice,
        plant: args.plant.clone(),
        timeout_ms: args.limits.timeout_ms.unwrap_or(TIMEOUT_MS),
        ..Options::default()
    };
    let probes = Probes::new(&flavor, args.pair.as_deref(), &options, &project(), !args.no_install)?;
    let stop = interrupt_flag()?;
    let path = match &args.to {
        Some(path) => path.clone(),
        None => default_path(&named, &flavor)?,
    };
    crate::files::refuse_corpus(&path)?;
    crate::files::refuse_special(&path)?;
    let work = Work {
        probes: &probes,
        slowness: flavor.lane.slowness(),
        parts: parts(&args.minimize),
        limits: args.limits.clone(),
        stop: std::sync::Arc::clone(&stop),
        is_fresh: args.fresh,
    };
    let mut shown = ui::Ticker::new();
    let smaller = work
        .run(&named.case, named.target, args.signature.as_deref(), &path, |case, pass| {
            shown.show(|| format!("{}: {}", in_words(&Size::of(case)), pass));
        })
        .with_context(|| named.name.clone())?;
    shown.finish();
    let summary = Summary::new(&smaller, &path, &probes, started.elapsed().as_secs_f64());
    if args.json {
        let document = serde_json::to_string_pretty(&summary)?;
        ui::line(format_args!("{document}"))?;
    } else {
        ui::print(|out| print(&smaller, &summary, out))?;
    }
    if stop.load(Ordering::Relaxed) {
        eprintln!(
            "fuzzcheck: interrupted: the best case so far is {}; the same command goes on from it",
            path.display()
        );
        return Ok(ExitCode::from(EXIT_ERROR));
    }
    Ok(code)
}

fn parts(chosen: &[PartArg]) -> Vec<Part> {
    let mut parts: Vec<Part> = chosen.iter().flat_map(|part| part.parts()).copied().collect();
    parts.sort_unstable();
    parts.dedup();
    parts
}

/// Beside the case, under the name that libFuzzer gives to such files.
fn default_path(named: &NamedCase, flavor: &Flavor) -> Result<PathBuf> {
    let name = format!("minimized-from-{}", named.case.id().short());
    let case = Path::new(&named.name);
    let folder = match case.parent() {
        Some(folder) if case.is_file() => folder.to_owned(),
        _ => flavor.artifacts(&project(), named.target.name),
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
    if size.settings + size.faults > 0 {
        words += &format!(", {} settings, {} faults", size.settings, size.faults);
    }
    words
}

/// For machines.
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
                End::Minimal => "nothing more is to be found",
                End::Attempts => "the attempts are used up",
                End::Stopped => "the time is over",
            },
            guilty_optimizations: smaller.guilty.clone(),
            seconds,
            replay: probes.replay(path, smaller.target),
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
            "  flaky:  {} of {TRIALS} runs of the case showed it; candidates ran several times",
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
