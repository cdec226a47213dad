//! The subcommands, one file each.

mod bisect;
mod check_oss_fuzz;
mod compare_mutators;
mod coverage;
mod dictionary;
mod distill;
mod doctor;
mod export;
mod fuzz;
mod gaps;
mod handover;
mod import;
mod inspect;
mod keep;
mod lanes;
mod list;
mod lookup;
mod minimize;
mod nightly;
mod output;
mod pair;
mod report;
mod run;
mod run_versions;
mod seeds;
mod selftest;
mod show;
mod triage;
mod worker;

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::{Context, Result};
use tandem::targets::{TARGETS, Target};
use tandem::testcase::CaseId;

use crate::base::{EXIT_ERROR, project};
use crate::cli::{Cli, Command};
use crate::files;
use crate::source::Cases;
use crate::ui;

/// Does what the command line says.
///
/// # Errors
/// A usage or harness error, for exit code 2.
pub fn dispatch(cli: Cli) -> Result<ExitCode> {
    let done = match cli.command {
        None => run::run(&cli.run),
        Some(Command::Run(args)) => run::run(&args),
        Some(Command::List(args)) => list::run(&args),
        Some(Command::Show(args)) => show::run(&args),
        Some(Command::Import(args)) => import::run(&args),
        Some(Command::Export(args)) => export::run(&args),
        Some(Command::Bisect(args)) => bisect::run(&args),
        Some(Command::Handover(args)) => handover::run(&args),
        Some(Command::Seeds(args)) => seeds::run(&args),
        Some(Command::Fuzz(args)) => fuzz::run(&args),
        Some(Command::Nightly(args)) => nightly::run(&args),
        Some(Command::Keep(args)) => keep::run(&args),
        Some(Command::Distill(args)) => distill::run(&args),
        Some(Command::Lanes(args)) => lanes::run(&args),
        Some(Command::Coverage(args)) => coverage::run(&args),
        Some(Command::Gaps(args)) => gaps::run(&args),
        Some(Command::CompareMutators(args)) => compare_mutators::run(&args),
        Some(Command::Pair(args)) => pair::run(&args),
        Some(Command::Minimize(args)) => minimize::run(&args),
        Some(Command::Db(args)) => inspect::db(&args),
        Some(Command::Wal(args)) => inspect::wal(&args),
        Some(Command::Journal(args)) => inspect::journal(&args),
        Some(Command::Triage(args)) => triage::run(&args),
        Some(Command::Dictionary(args)) => dictionary::run(&args),
        Some(Command::CheckOssFuzz(args)) => check_oss_fuzz::run(&args),
        Some(Command::Doctor(args)) => doctor::run(&args),
        Some(Command::Report(args)) => report::run(&args),
        Some(Command::Selftest) => selftest::run(),
        Some(Command::Identity) => {
            let identity = serde_json::to_string(&crate::build::worker::Identity::of_this_program())?;
            ui::line(format_args!("{identity}")).map(|()| ExitCode::SUCCESS)
        }
        Some(Command::Names) => {
            let names = serde_json::to_string(&crate::gaps::Names::of_this_program())?;
            ui::line(format_args!("{names}")).map(|()| ExitCode::SUCCESS)
        }
        Some(Command::Worker(args)) => worker::run(&args),
    };
    match done {
        Err(error) if ui::is_closed_pipe(&error) => Ok(ExitCode::from(EXIT_ERROR)),
        done => done,
    }
}

/// Says which files of folders were no cases; the exit code that stands for it.
fn tell_skipped(cases: &Cases) -> ExitCode {
    for skipped in &cases.skipped {
        eprintln!("fuzzcheck: left out: {}", skipped.why);
    }
    if cases.skipped.is_empty() { ExitCode::SUCCESS } else { ExitCode::from(EXIT_ERROR) }
}

/// Two signals closer than this are one: `timeout` sends its own to the process and to its group.
const ONE_SIGNAL: Duration = Duration::from_millis(500);

/// A flag that Ctrl-C sets, and what else asks a program to end; a second time ends it at once.
fn interrupt_flag() -> Result<Arc<AtomicBool>> {
    let [flag, is_asked] = [(); 2].map(|()| Arc::new(AtomicBool::new(false)));
    let (first, second) = (Arc::clone(&flag), Arc::clone(&is_asked));
    std::thread::spawn(move || {
        while !first.load(Ordering::Relaxed) {
            std::thread::sleep(ONE_SIGNAL / 5);
        }
        std::thread::sleep(ONE_SIGNAL);
        second.store(true, Ordering::Relaxed);
    });
    for &signal in signal_hook::consts::TERM_SIGNALS {
        signal_hook::flag::register_conditional_shutdown(
            signal,
            i32::from(EXIT_ERROR),
            Arc::clone(&is_asked),
        )
        .and_then(|_| signal_hook::flag::register(signal, Arc::clone(&flag)))
        .context("catching Ctrl-C")?;
    }
    Ok(flag)
}

/// Writes the case of a finding into `folder`.
fn save_case(prefix: &str, name: &str, body: &[u8], folder: &Path) -> Result<PathBuf> {
    let path = folder.join(format!("{prefix}-{}", CaseId::of_encoded(body).short()));
    let made = std::fs::create_dir_all(folder).with_context(|| format!("{}", folder.display()));
    made.and_then(|()| files::write(&path, body))
        .with_context(|| format!("the case of `{name}` could not be saved"))?;
    Ok(path)
}

/// The paths in words, for a message.
fn in_words(paths: &[PathBuf]) -> String {
    paths.iter().map(|path| path.display().to_string()).collect::<Vec<_>>().join(", ")
}

/// The corpus database that a case of this target is put into.
fn corpus_of(target: &Target, into: Option<&Path>) -> PathBuf {
    let shipped = || project().join("corpus").join(format!("{}.db", target.name));
    into.map_or_else(shipped, Path::to_owned)
}

/// The given paths, or the shipped corpora.
fn paths_or_corpus(paths: &[PathBuf]) -> Vec<PathBuf> {
    if paths.is_empty() { vec![project().join("corpus")] } else { paths.to_vec() }
}

fn target_by_name(name: Option<&str>) -> Result<Option<&'static Target>> {
    let known = || TARGETS.map(|target| target.name).join(", ");
    name.map(|name| {
        Target::by_name(name).with_context(|| format!("no target is named `{name}`; there are {}", known()))
    })
    .transpose()
}
