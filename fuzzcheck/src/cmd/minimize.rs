//! `fuzzcheck minimize`.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::atomic::Ordering;
use std::time::Instant;

use anyhow::{Context, Result, bail};
use serde::Serialize;
use tandem::minimize::{End, Part};
use tandem::testcase::Readable;

use super::{EXIT_ERROR, interrupt_flag, paths_or_corpus, project, target_by_name};
use crate::build::flavor::Flavor;
use crate::build::lane::Lane;
use crate::cli::TIMEOUT_MS;
use crate::cli::minimize::{MinimizeArgs, PartArg};
use crate::minimizing::Probes;
use crate::minimizing::judge::TRIALS;
use crate::minimizing::work::{Size, Smaller, Work};
use crate::replay::Options;
use crate::source::{self, NamedCase};
use crate::ui;

pub(super) fn run(args: &MinimizeArgs) -> Result<ExitCode> {
    let started = Instant::now();
    let named = find(args)?;
    let flavor = Flavor::new(&args.flavor, &Lane::JUDGING)?;
    let options = Options {
        is_twice: args.twice,
        plant: args.plant.clone(),
        timeout_ms: TIMEOUT_MS,
        ..Options::default()
    };
    let probes = Probes::new(&flavor, args.pair.as_deref(), &options, &project(), !args.no_install)?;
    let stop = interrupt_flag()?;
    let path = match &args.to {
        Some(path) => path.clone(),
        None => default_path(&named)?,
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
    Ok(ExitCode::SUCCESS)
}

/// The case of a file, or the only one in the corpora whose id begins so.
fn find(args: &MinimizeArgs) -> Result<NamedCase> {
    let target = target_by_name(args.target.as_deref())?;
    let path = Path::new(&args.case);
    let is_path = path.exists();
    let paths = if is_path { vec![path.to_owned()] } else { paths_or_corpus(&[]) };
    let mut all = source::open(&paths, target)?;
    if is_path {
        if all.total != 1 {
            bail!(
                "{}: {} cases are there, and one is made smaller at a time: give the id of one in corpus/, or take it \
                   out with `export --case ID --file FILE`",
                path.display(),
                all.total
            );
        }
        return all.cases.next().context("the case is not there any more");
    }
    let mut found: Vec<NamedCase> = all
        .cases
        .filter(|named| named.case.id().to_string().starts_with(&args.case.to_lowercase()))
        .filter(|named| target.is_none_or(|target| target.name == named.target.name))
        .collect();
    match (found.len(), found.pop()) {
        (1, Some(named)) => Ok(named),
        (0, _) => bail!("`{}` is no file, and no case in corpus/ has an id that begins with it", args.case),
        (n, _) => {
            bail!("{n} cases have an id that begins with `{}`: give more of it, or --target", args.case)
        }
    }
}

fn parts(chosen: &[PartArg]) -> Vec<Part> {
    let mut parts: Vec<Part> = chosen.iter().flat_map(|part| part.parts()).copied().collect();
    parts.sort_unstable();
    parts.dedup();
    parts
}

/// Beside the case, under the name that libFuzzer gives to such files.
fn default_path(named: &NamedCase) -> Result<PathBuf> {
    let name = format!("minimized-from-{}", named.case.id().short());
    let case = Path::new(&named.name);
    let folder = match case.parent() {
        Some(folder) if case.is_file() => folder.to_owned(),
        _ => project().join("fuzz/artifacts").join(named.target.name),
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
