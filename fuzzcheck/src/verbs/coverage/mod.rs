//! `fuzzcheck coverage`.

mod gaps;

use std::collections::BTreeMap;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::{Result, bail};
use jiff::Timestamp;
use serde::Serialize;
use tandem::targets::Target;

use crate::base::{EXIT_ERROR, cores, project};
use crate::build::configuration::Configuration;
use crate::build_kind::BuildKind;
use crate::coverage::build::{Count, Coverage, CoverageBuild, cases};
use crate::coverage::html;
use crate::coverage::measure::{Measured, Order};
use crate::coverage::reached::{Gap, Reached};
use crate::coverage::saved::{Saved, compare};
use crate::coverage::trend::{Entry, Trend};
use crate::ui::{self, Progress};
use crate::verbs::shared::{interrupt_flag, target_by_name, tell_skipped};
use crate::verbs::{Listed, Verb, verb};

/// Measure what cases reach of sqlite3.c: branches, lines, functions, regions.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// As for `run` [default: corpus/, or corpus/TARGET.db with --target]
    sources: Vec<PathBuf>,
    /// The target of single files. All files in folders are then taken as cases, as libFuzzer does.
    #[arg(long, value_name = "TARGET")]
    target: Option<String>,
    /// Worker processes [default: one per core]
    #[arg(long, short, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=256))]
    jobs: Option<u16>,
    /// The SQLite to measure.
    #[command(flatten)]
    configuration: crate::build::arguments::ConfigurationArgs,
    /// Do not install anything: report what is missing and stop.
    #[arg(long)]
    no_install: bool,
    /// Print one JSON document instead of text.
    #[arg(long)]
    json: bool,
    /// Further output.
    #[command(flatten)]
    more: CoverageMoreArgs,
    /// The working copy [default: the one that this program was built from]
    #[arg(long, value_name = "DIR", hide = true)]
    project: Option<PathBuf>,
}

/// The output of `coverage` beside its table.
#[derive(Debug, clap::Args)]
pub(super) struct CoverageMoreArgs {
    /// Write the source with its counts as HTML: an index and a page per module.
    #[arg(long, value_name = "DIR")]
    pub(super) html: Option<PathBuf>,
    /// Also list what nothing reaches; with --json, as `gaps`.
    #[arg(long)]
    pub(super) gaps: bool,
    /// Save what was reached to a file, for --compare.
    #[arg(long, value_name = "FILE")]
    pub(super) save: Option<PathBuf>,
    /// Append the totals to a file, and print the latest ones with differences. The same corpus on the same build
    /// replaces its last entry.
    #[arg(long, value_name = "FILE")]
    pub(super) trend: Option<PathBuf>,
    /// Instead, compare what two corpora, or files of --save from the same build, reach, by module and function.
    #[arg(long, num_args = 2, value_names = ["A", "B"], conflicts_with_all = ["sources", "html", "gaps", "save", "trend"])]
    pub(super) compare: Option<Vec<PathBuf>>,
}

/// The verbs of the group, for [`super::SECTIONS`].
pub(super) const VERBS: &[Listed] = &[verb::<gaps::Args>("gaps")];

/// How many gaps are printed beside the table; `fuzzcheck coverage gaps` lists them all.
const GAPS_SHOWN: usize = 20;

/// What the cases reach, as JSON.
#[derive(Serialize)]
struct Summary<'a> {
    version: u32,
    cases: u64,
    cases_with_findings: usize,
    #[serde(flatten)]
    coverage: Coverage,
    /// The same with the modules, as campaigns record it.
    reached: Reached,
    /// Whether the source has marks where its files begin.
    has_modules: bool,
    /// What `--extra-c` built in, by path.
    extra: &'a BTreeMap<PathBuf, Coverage>,
    /// With `--gaps`.
    #[serde(skip_serializing_if = "Option::is_none")]
    gaps: Option<Vec<Gap>>,
}

/// Where to measure, and with what.
pub(super) struct Setup {
    build: CoverageBuild,
    target: Option<&'static Target>,
    jobs: usize,
    stop: std::sync::Arc<AtomicBool>,
}

impl Setup {
    /// Runs the cases of `sources`; the exit code says whether some files were not cases.
    pub(super) fn measure(&self, sources: &[PathBuf], total: usize) -> Result<Measured> {
        let mut progress = Progress::new(total);
        let order = Order { sources, target: self.target, jobs: self.jobs, stop: &self.stop };
        let measured = Measured::new(&self.build, &order, || progress.case_done(false));
        progress.finish();
        let measured = measured?;
        if self.stop.load(Ordering::Relaxed) {
            bail!("interrupted: not all cases were run");
        }
        for (name, message) in &measured.harness_errors {
            eprintln!("fuzzcheck: {name}: a worker failed, which is a bug in Tandem: {message}");
        }
        Ok(measured)
    }

    /// Its program.
    pub(super) fn program(&self) -> &Path {
        &self.build.worker.program
    }
}

/// What the arguments of `coverage` and `coverage gaps` have in common.
pub(super) struct Wanted<'a> {
    pub(super) sources: &'a [PathBuf],
    pub(super) target: Option<&'a str>,
    pub(super) jobs: Option<u16>,
    pub(super) configuration: &'a crate::build::arguments::ConfigurationArgs,
    pub(super) may_install: bool,
    pub(super) project: Option<&'a Path>,
}

impl Wanted<'_> {
    /// The given sources, or the shipped corpora.
    pub(super) fn sources(&self) -> Vec<PathBuf> {
        if !self.sources.is_empty() {
            return self.sources.to_vec();
        }
        let shipped = self.target.map_or_else(|| "corpus".to_owned(), |name| format!("corpus/{name}.db"));
        vec![self.project().join(shipped)]
    }

    fn project(&self) -> PathBuf {
        self.project.map_or_else(project, Path::to_owned)
    }

    /// Checks that there are cases before anything is built; their number, and the exit code for files that are not cases.
    pub(super) fn count(&self, sources: &[PathBuf]) -> Result<(usize, ExitCode)> {
        let all = cases(sources, target_by_name(self.target)?)?;
        let skipped = tell_skipped(&all);
        if all.total == 0 {
            let places: Vec<String> = sources.iter().map(|path| path.display().to_string()).collect();
            bail!("{}: no cases there; name corpus databases, folders or files", places.join(", "));
        }
        Ok((all.total, skipped))
    }

    /// Builds for coverage.
    pub(super) fn build(&self) -> Result<Setup> {
        let configuration = Configuration::new(self.configuration, &[BuildKind::Coverage])?;
        let build = CoverageBuild::build(&configuration, &self.project(), self.may_install)?;
        let jobs = self.jobs.map_or_else(cores, usize::from);
        Ok(Setup { build, target: target_by_name(self.target)?, jobs, stop: interrupt_flag()? })
    }
}

impl Verb for Args {
    fn run(&self) -> Result<ExitCode> {
        let wanted = Wanted {
            sources: &self.sources,
            target: self.target.as_deref(),
            jobs: self.jobs,
            configuration: &self.configuration,
            may_install: !self.no_install,
            project: self.project.as_deref(),
        };
        if let Some([a, b]) = self.more.compare.as_deref() {
            return run_compare(self, &wanted, [a, b]);
        }
        // Fail before minutes of work if the output cannot be written.
        self.more.html.as_deref().map_or(Ok(()), html::check_place)?;
        self.more.save.as_deref().map_or(Ok(()), Saved::check_place)?;
        let mut trend = self.more.trend.as_deref().map(Trend::read).transpose()?;
        let sources = wanted.sources();
        let (total, skipped) = wanted.count(&sources)?;
        let setup = wanted.build()?;
        let measured = setup.measure(&sources, total)?;
        let mut reached = measured.reached();
        if let Some(folder) = &self.more.html {
            let index = html::write(&measured, folder)?;
            eprintln!("fuzzcheck: the source with its counts is in {}", index.display());
            reached.html = Some(index.display().to_string());
        }
        if let Some(path) = &self.more.save {
            Saved::of(&measured).write(path)?;
            eprintln!("fuzzcheck: what was reached is saved in {}, for --compare", path.display());
        }
        if let (Some(trend), Some(path)) = (&mut trend, &self.more.trend) {
            trend.add(Entry::of(&measured, Timestamp::now()));
            trend.write(path)?;
        }
        let gaps = self
            .more
            .gaps
            .then(|| anyhow::Ok(crate::gaps::find(&measured, &crate::gaps::Names::of(setup.program())?)));
        let summary = Summary {
            version: 1,
            cases: measured.cases,
            cases_with_findings: measured.cases_with_findings,
            coverage: measured.files.sqlite,
            reached,
            has_modules: measured.modules.are_marked(),
            extra: &measured.files.extra,
            gaps: gaps.transpose()?,
        };
        if self.json {
            let document = serde_json::to_string_pretty(&summary)?;
            ui::line(format_args!("{document}"))?;
        } else {
            ui::print(|out| print(&summary, out))?;
            trend.map_or(Ok(()), |trend| ui::print(|out| trend.print(out)))?;
        }
        Ok(if measured.harness_errors.is_empty() { skipped } else { ExitCode::from(EXIT_ERROR) })
    }
}

/// `--compare`: reads saved files, measures corpora.
fn run_compare(args: &Args, wanted: &Wanted<'_>, places: [&PathBuf; 2]) -> Result<ExitCode> {
    let mut saved = [None, None];
    let mut totals = [0, 0];
    let mut code = ExitCode::SUCCESS;
    for (i, place) in places.into_iter().enumerate() {
        if Saved::is_at(place)? {
            saved[i] = Some(Saved::read(place)?);
        } else {
            let (total, skipped) = wanted.count(std::slice::from_ref(place))?;
            totals[i] = total;
            if skipped != ExitCode::SUCCESS {
                code = skipped;
            }
        }
    }
    let setup = saved.iter().any(Option::is_none).then(|| wanted.build()).transpose()?;
    for (i, place) in places.into_iter().enumerate() {
        if let (None, Some(setup)) = (&saved[i], &setup) {
            let measured = setup.measure(std::slice::from_ref(place), totals[i])?;
            if !measured.harness_errors.is_empty() {
                code = ExitCode::from(EXIT_ERROR);
            }
            saved[i] = Some(Saved::of(&measured));
        }
    }
    let [Some(first), Some(second)] = saved else { bail!("one of the two was not measured") };
    let names = places.map(|place| place.display().to_string());
    let comparison = compare(names, &first, &second)?;
    if args.json {
        let document = serde_json::to_string_pretty(&comparison)?;
        ui::line(format_args!("{document}"))?;
    } else {
        ui::print(|out| comparison.print(out))?;
    }
    Ok(code)
}

fn print(summary: &Summary<'_>, out: &mut dyn Write) -> Result<()> {
    let Coverage { branches, lines, functions, regions } = summary.coverage;
    if summary.has_modules {
        writeln!(out, "{:<20} {:>22} {:>25} {:>13}", "module", "branches", "lines", "functions")?;
        for module in &summary.reached.modules {
            let Coverage { branches, lines, functions, .. } = module.reached;
            writeln!(
                out,
                "{:<20} {:>5} of {:>5} {:6.2} % {:>6} of {:>6} {:6.2} % {:>4} of {:>4}",
                module.name,
                branches.covered,
                branches.total,
                branches.percent(),
                lines.covered,
                lines.total,
                lines.percent(),
                functions.covered,
                functions.total
            )?;
        }
    } else {
        writeln!(out, "sqlite3.c does not mark where its source files begin, so it counts as one module")?;
    }
    for (name, count) in
        [("branches", branches), ("lines", lines), ("functions", functions), ("regions", regions)]
    {
        let Count { covered, total } = count;
        writeln!(out, "{name:<10} {covered:>7} of {total:>7}  {:5.2} %", count.percent())?;
    }
    for (path, Coverage { branches, functions, .. }) in summary.extra {
        let (path, functions) = (path.display(), functions.covered);
        let Count { covered, total } = branches;
        writeln!(out, "{path}: branches {covered} of {total}, {functions} functions ran")?;
    }
    if let Some(all) = &summary.gaps {
        crate::gaps::print(&all[..all.len().min(GAPS_SHOWN)], all.len(), out)?;
    }
    let (cases, findings) = (summary.cases, summary.cases_with_findings);
    writeln!(out, "fuzzcheck: sqlite3.c as reached by {cases} cases, {findings} of them with findings")?;
    Ok(())
}
