//! `fuzzcheck simulate`: see [`crate::simulating`].

mod arguments;
mod looped;
mod probe;

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use anyhow::{Result, bail};
use serde::Serialize;
use tandem::TestCase;
use tandem::generators::simulation::{Plan, Simulation};

use crate::base::{EXIT_ERROR, EXIT_FINDINGS, project};
use crate::command_line;
use crate::minimizing::arguments::SearchArgs;
use crate::simulating::count::{Counts, title};
use crate::simulating::{Finding, Outcome, Simulator, Verdict, output, profile};
use crate::ui;
use crate::verbs::shared::interrupt_flag;
use crate::verbs::{Listed, Verb, verb};
use arguments::{Prepared, SimulationArgs, engines};

/// The verbs below it.
pub(crate) const VERBS: &[Listed] = &[verb::<looped::Args>("loop"), verb::<probe::Args>("probe")];

/// Run a random script from a seed on two engines and compare.
///
/// Without names: the bundled SQLite with and without its optimizations. Leaves the script with what each statement came to,
/// both databases as SQL, and a smaller script of each difference. Exit codes: 0 no difference, 1 differences, 2 wrong usage or
/// an internal error.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The first engine: `bundled`, a published version such as 3.49.1, or a folder with sqlite3.c, optionally followed by
    /// `:BUILD` and `:unoptimized`; `turso`; or a program with a `worker` verb [default: bundled]
    a: Option<String>,
    /// The second one [default: the first without its optimizations]
    b: Option<String>,
    #[command(flatten)]
    simulation: SimulationArgs,
    /// The folder for what it leaves [default: target/simulations/SEED]
    #[arg(long, value_name = "DIR")]
    to: Option<PathBuf>,
    /// Keep the database files of both engines there, too.
    #[arg(long)]
    keep_files: bool,
    /// Print each statement with what it came to.
    #[arg(long, short)]
    verbose: bool,
    /// Print one JSON document instead of text.
    #[arg(long)]
    json: bool,
    /// Print the JSON Schema of a profile, and do nothing else.
    #[arg(long)]
    profile_schema: bool,
}

/// A finding with its smaller script.
#[derive(Debug, Serialize)]
pub(super) struct Told {
    signature: String,
    message: String,
    /// The optimizations without which the difference is gone.
    needs: Vec<&'static str>,
    /// What the smaller script is about.
    about: Vec<String>,
    /// Where the smaller script is, or why there is none.
    minimized: Result<PathBuf, String>,
    /// The smaller script, or the whole.
    script: String,
    replay: Option<String>,
    /// The engine in which an oracle found it.
    #[serde(skip)]
    by_oracle: Option<usize>,
}

impl Verb for Args {
    fn run(&self) -> Result<ExitCode> {
        if self.profile_schema {
            ui::line(format_args!("{}", profile::schema()))?;
            return Ok(ExitCode::SUCCESS);
        }
        let stop = interrupt_flag()?;
        let started = Instant::now();
        let mut prepared = self.simulation.prepare(engines(self.a.as_deref(), self.b.as_deref()))?;
        let seed = prepared.seed;
        let simulation = prepared.simulation(seed);
        let outcome = prepared.simulator.run(&simulation)?;
        let seconds = started.elapsed().as_secs_f64();
        let counts = Counts::of(&outcome);
        ensure_something(&counts, &outcome)?;
        let folder =
            self.to.clone().unwrap_or_else(|| project().join("target/simulations").join(seed.to_string()));
        let repeat = self.simulation.repeat(&prepared.simulator.names, seed);
        output::write(&folder, &simulation, &outcome, &prepared.simulator, &repeat, self.keep_files)?;
        let search = self.simulation.search();
        let told = tell(&outcome.findings, &prepared.simulator, &folder, search.as_ref(), &stop);
        eprintln!("fuzzcheck: {:.0} statements a second", counts.total() as f64 / seconds);
        let report = Report { args: self, prepared: &prepared, simulation: &simulation, repeat: &repeat };
        if self.json {
            let document = report.document(&outcome, &counts, &told, &folder);
            ui::line(format_args!("{}", serde_json::to_string_pretty(&document)?))?;
        } else {
            ui::print(|out| report.print(&outcome, &counts, &told, &folder, out))?;
        }
        Ok(exit_code(&stop, told.is_empty()))
    }
}

/// Fails if nothing was compared, and no engine died of it.
fn ensure_something(counts: &Counts, outcome: &Outcome) -> Result<()> {
    if counts.pass + counts.warning + counts.failed == 0 && outcome.findings.is_empty() {
        let reasons: Vec<&str> = counts.reasons.keys().map(String::as_str).collect();
        bail!("no statement of {} was compared: {}", outcome.steps.len(), reasons.join(", "));
    }
    if counts.are_oracles_silent() && outcome.findings.is_empty() {
        let reasons = counts.oracles.iter().flat_map(|(name, counts)| {
            counts.reasons().into_iter().map(move |(reason, _)| format!("{name}: {reason}"))
        });
        bail!("--oracles: nothing was judged: {}", reasons.collect::<Vec<_>>().join(", "));
    }
    Ok(())
}

fn exit_code(stop: &AtomicBool, is_clean: bool) -> ExitCode {
    if stop.load(Ordering::Relaxed) {
        eprintln!("fuzzcheck: interrupted");
        return ExitCode::from(EXIT_ERROR);
    }
    ExitCode::from(EXIT_FINDINGS * u8::from(!is_clean))
}

/// The findings, made smaller.
fn tell(
    findings: &[Finding],
    simulator: &Simulator,
    folder: &Path,
    search: Option<&SearchArgs>,
    stop: &Arc<AtomicBool>,
) -> Vec<Told> {
    let text = |case: &TestCase| String::from_utf8_lossy(case.sql.as_bytes()).into_owned();
    let one = |finding: &Finding| {
        let made = search.map_or_else(
            || Err("it was not asked for".to_owned()),
            |search| {
                output::minimize(folder, finding, simulator, search, stop)
                    .map_err(|error| format!("{error:#}"))
            },
        );
        let made = made.as_ref();
        let replay = made.ok().map(|made| match finding.by_oracle {
            None => command_line::compare_engines(&simulator.names, &[], "sql", &made.path),
            Some(_) => command_line::run(&[], "sql", &made.path),
        });
        Told {
            signature: finding.signature.clone(),
            message: finding.message.clone(),
            needs: made.map_or_else(|_| Vec::new(), |made| made.needs.clone()),
            about: made.map_or_else(|_| Vec::new(), |made| output::subject(&made.case)),
            script: text(made.map_or(&finding.case, |made| &made.case)),
            minimized: made.map(|made| made.path.clone()).map_err(Clone::clone),
            replay,
            by_oracle: finding.by_oracle,
        }
    };
    findings.iter().map(one).collect()
}

struct Report<'r> {
    args: &'r Args,
    prepared: &'r Prepared,
    simulation: &'r Simulation,
    repeat: &'r str,
}

impl Report<'_> {
    fn print(
        &self,
        outcome: &Outcome,
        counts: &Counts,
        told: &[Told],
        folder: &Path,
        out: &mut dyn Write,
    ) -> Result<()> {
        print_configuration(self.prepared, self.repeat, out)?;
        for (index, verdict) in outcome.steps.iter().enumerate().filter(|_| self.args.verbose) {
            writeln!(out, "{}", title(self.simulation, index, verdict))?;
            writeln!(out, "    {}", self.simulation.steps[index].sql.replace('\n', "\n    "))?;
        }
        for verdict in outcome.end.iter().filter(|verdict| **verdict != Verdict::Pass) {
            writeln!(out, "at the end  {verdict:?}")?;
        }
        told.iter().try_for_each(|told| told.print(out))?;
        counts.print(out)?;
        writeln!(out, "left in     {}", folder.display())?;
        let statements = self.simulation.steps.len();
        writeln!(out, "fuzzcheck: {} differences out of {statements} statements", told.len())?;
        Ok(())
    }

    fn document(
        &self,
        outcome: &Outcome,
        counts: &Counts,
        told: &[Told],
        folder: &Path,
    ) -> serde_json::Value {
        let title = |index: usize, verdict: &Verdict| title(self.simulation, index, verdict);
        let others = outcome.steps.iter().enumerate().filter(|(_, verdict)| **verdict != Verdict::Pass);
        serde_json::json!({
            "version": 1,
            "engines": self.prepared.simulator.identities(),
            "seed": self.prepared.entropy.is_none().then_some(self.prepared.seed),
            "repeat": self.repeat,
            "statements": self.simulation.steps.len(),
            "verdicts": counts,
            "not_passed": others.map(|(index, verdict)| title(index, verdict)).collect::<Vec<_>>(),
            "findings": told,
            "folder": folder,
        })
    }
}

impl Told {
    /// The signature, and what tells one bug from another where it stands for many: the optimizations that it needs, and
    /// what its script is about. Where an engine died, the signature has its function.
    fn bug(&self) -> String {
        if self.signature.starts_with("differential/death") {
            return self.signature.clone();
        }
        let parts = self.needs.iter().copied().chain(self.about.iter().map(String::as_str));
        let parts: Vec<&str> = parts.collect();
        if parts.is_empty() {
            self.signature.clone()
        } else {
            format!("{}/{}", self.signature, parts.join("+"))
        }
    }

    fn print(&self, out: &mut dyn Write) -> Result<()> {
        writeln!(out, "{}", self.bug())?;
        writeln!(out, "    {}", self.message.trim().replace('\n', "\n    "))?;
        match &self.minimized {
            Ok(path) => {
                writeln!(out, "  smaller: {}", path.display())?;
                writeln!(out, "    {}", self.script.trim().replace('\n', "\n    "))?;
            }
            Err(why) => writeln!(out, "  not made smaller: {why}")?,
        }
        if !self.needs.is_empty() {
            writeln!(out, "  needs:   the optimization {}", self.needs.join(", "))?;
        }
        if let Some(replay) = &self.replay {
            writeln!(out, "  replay:  {replay}")?;
        }
        Ok(())
    }
}

/// All that the run depends on, and the command that repeats it.
fn print_configuration(prepared: &Prepared, repeat: &str, out: &mut dyn Write) -> Result<()> {
    let Prepared { simulator, plan, seed, entropy } = prepared;
    let [a, b] = simulator.identities();
    writeln!(out, "A           {a}\nB           {b}")?;
    match entropy {
        Some(bytes) => writeln!(out, "choices     {} bytes of a file", bytes.len())?,
        None => writeln!(out, "seed        {seed}")?,
    }
    let Plan { statements, tables, columns, rows, row_bytes, cache_pages, .. } = plan;
    let start = match &plan.image {
        Some(image) => format!("a database of {} bytes", image.len()),
        None => format!("{tables} tables of {columns} columns and {rows} rows, {row_bytes} bytes wide"),
    };
    writeln!(out, "script      {statements} statements behind {start}")?;
    let mode = plan.journal_mode.as_deref().unwrap_or("as it is");
    let cache = if *cache_pages == 0 { "SQLite's own".to_owned() } else { format!("{cache_pages} pages") };
    writeln!(out, "settings    journal mode {mode}, cache {cache}")?;
    for sql in &plan.setup {
        writeln!(out, "setup       {sql}")?;
    }
    let weights: Vec<String> =
        plan.weights.each().map(|(class, weight)| format!("{} {weight}", class.name)).collect();
    writeln!(out, "weights     {}", weights.join(", "))?;
    writeln!(out, "repeat      {repeat}")?;
    Ok(())
}
