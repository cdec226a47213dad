//! `fuzzcheck oss-fuzz check`.

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, Result, bail};
use serde::Serialize;
use tandem::engine::sqlite;

use crate::base::{EXIT_FINDINGS, project};
use crate::ossfuzz::elf::Program;
use crate::ossfuzz::run::{Copy, Target};
use crate::ossfuzz::{Check, SanitizerArg, seeds, start, targets};
use crate::ui;
use crate::verbs::Verb;
use crate::verbs::shared::interrupt_flag;

/// Check the output folder of fuzz/build.sh as OSS-Fuzz will, but more strictly.
///
/// Needs no Docker. Exit codes: 0 all checks passed, 1 some failed, 2 wrong usage or a folder without targets.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The output folder of fuzz/build.sh: OSS-Fuzz's $OUT.
    out_dir: PathBuf,
    /// The sanitizer of the build, as OSS-Fuzz names it.
    #[arg(long, value_enum, default_value_t = SanitizerArg::Address)]
    sanitizer: SanitizerArg,
    /// Run only every tenth seed; all are read.
    #[arg(long)]
    fast: bool,
    /// Print one JSON document instead of text.
    #[arg(long)]
    json: bool,
    /// The working copy [default: the one that this program was built from]
    #[arg(long, value_name = "DIR", hide = true)]
    project: Option<PathBuf>,
}

/// The document of `--json`.
#[derive(Serialize)]
struct Document<'a> {
    /// Of this document.
    version: u32,
    passed: usize,
    failed: usize,
    checks: &'a [Check],
}

impl Verb for Args {
    fn run(&self) -> Result<ExitCode> {
        let out = fs::canonicalize(&self.out_dir).with_context(|| format!("{}", self.out_dir.display()))?;
        if !out.is_dir() {
            bail!("{}: not a folder: name the output folder of fuzz/build.sh", out.display());
        }
        let wanted = targets::of_project(&self.project.clone().unwrap_or_else(project))?;
        let listing = targets::found_in(&out)?;
        if listing.targets.is_empty() {
            bail!("{}: no fuzz target: fill the folder with OUT={0} fuzz/build.sh", out.display());
        }
        let mut checks = vec![
            Check::new("targets", None, targets::same_set(&out, &listing.targets, &wanted)),
            Check::new("size", None, targets::size_is_fine(listing.bytes)),
        ];
        eprintln!("fuzzcheck: copying {} MB to run them elsewhere", listing.bytes / 1_000_000);
        let copy = Copy::of(&out, interrupt_flag()?)?;
        let before = copy.state()?;
        // Each once, and only where OSS-Fuzz starts it.
        let direct = listing.targets.iter().filter(|path| path.parent() == Some(out.as_path()));
        let names: BTreeSet<String> =
            direct.filter_map(|path| Some(path.file_name()?.to_string_lossy().into_owned())).collect();
        for name in &names {
            eprintln!("fuzzcheck: {name}");
            check_target(&copy, name, self, &mut checks)?;
        }
        checks.push(Check::new("read-only", None, start::wrote_nothing(&copy, &before)?));
        print(&checks, self.json)
    }
}

fn check_target(copy: &Copy, name: &str, args: &Args, checks: &mut Vec<Check>) -> Result<()> {
    let mut note = |check, seen| checks.push(Check::new(check, Some(name), seen));
    note("name", targets::name_is_fine(name));
    let path = copy.folder().join(name);
    let content = fs::read(&path).with_context(|| format!("{}", path.display()))?;
    match Program::parse(&content, &sqlite::compile_options()) {
        Err(problem) => note("elf", Err(problem)),
        Ok(program) => {
            note("elf", program.machine());
            note("libraries", program.is_static());
            note("sanitizer", program.sanitizer(args.sanitizer));
            note("SQLite", program.has_options());
            note("frames", program.has_frames());
            if args.sanitizer == SanitizerArg::Coverage {
                note("counters", start::profile_counters(program.profile_counters));
            }
        }
    }
    drop(content);
    let options = seeds::options(&copy.folder(), name).map(|(options, seen)| {
        note("options", Ok(seen));
        options
    });
    let options = options.unwrap_or_else(|problem| {
        note("options", Err(problem));
        Default::default()
    });
    let target = Target { copy, name, options: &options };
    for (check, seen) in start::runs(&target, args.sanitizer)? {
        note(check, seen);
    }
    note("outside", start::takes_nothing_else(&target)?);
    note("dictionary", seeds::reads_dictionary(&target)?);
    match seeds::read(&copy.folder().join(format!("{name}_seed_corpus.zip")), &options) {
        Err(problem) => note("seeds", Err(problem)),
        Ok((all, seen)) => {
            note("seeds", Ok(seen));
            note("seeds run", seeds::run(&target, &all, args.fast)?);
        }
    }
    Ok(())
}

fn print(checks: &[Check], is_json: bool) -> Result<ExitCode> {
    let failed = checks.iter().filter(|check| !check.passed).count();
    let passed = checks.len() - failed;
    ui::print(|out| {
        if is_json {
            let document = Document { version: 1, passed, failed, checks };
            serde_json::to_writer_pretty(&mut *out, &document)?;
            writeln!(out)?;
            return Ok(());
        }
        for check in checks {
            let word = if check.passed { "ok    " } else { "FAILED" };
            let target = check.target.as_deref().unwrap_or("$OUT");
            // One line each, whatever a target printed.
            let detail = check.detail.replace('\n', " | ");
            writeln!(out, "{word} {target:<10} {:<11} {detail}", check.name)?;
        }
        writeln!(out, "fuzzcheck: {failed} problems in {} checks", checks.len())?;
        Ok(())
    })?;
    Ok(if failed == 0 { ExitCode::SUCCESS } else { ExitCode::from(EXIT_FINDINGS) })
}
