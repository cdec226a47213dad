//! `fuzzcheck doctor`.

mod selftest;

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::atomic::Ordering;

use anyhow::{Result, bail};
use serde::Serialize;

use crate::base::text::visible;
use crate::base::{EXIT_FINDINGS, cores, project};
use crate::doctor::{Check, Place, State, examine};
use crate::ui;
use crate::verbs::shared::{check_plant, interrupt_flag};
use crate::verbs::{Listed, Verb, verb};

/// Check whether this machine can fuzz, and say how to fix what prevents it.
///
/// Exit codes: 0 it can, 1 it cannot.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Toolchain for the targets, as in `cargo +TOOLCHAIN` [default: the active one]
    #[arg(long, value_name = "TOOLCHAIN")]
    toolchain: Option<String>,
    /// Print one JSON document instead of text.
    #[arg(long)]
    json: bool,
    /// The working copy [default: the one that this program was built from]
    #[arg(long, value_name = "DIR", hide = true)]
    project: Option<PathBuf>,
    /// The folder to look for /proc in.
    #[arg(long, value_name = "DIR", hide = true, default_value = "/")]
    root: PathBuf,
    /// Plant a bug by name (see `doctor selftest`).
    #[arg(long, value_name = "NAME", hide = true)]
    plant: Option<String>,
}

/// The verbs of the group, for [`super::SECTIONS`].
pub(super) const VERBS: &[Listed] = &[verb::<selftest::Args>("selftest")];

/// The results, as JSON.
#[derive(Serialize)]
struct Document<'c> {
    version: u32,
    /// Whether fuzzing works.
    is_ok: bool,
    checks: &'c [Check],
}

impl Verb for Args {
    fn run(&self) -> Result<ExitCode> {
        check_plant(self.plant.as_deref())?;
        let project = self.project.clone().unwrap_or_else(project);
        if !project.is_dir() {
            bail!("{}: not a folder: name the working copy", project.display());
        }
        let stop = interrupt_flag()?;
        let place = Place {
            root: &self.root,
            project: &project,
            toolchain: self.toolchain.as_deref(),
            free_bytes: &|folder| {
                let disk = rustix::fs::statvfs(folder)?;
                Ok(disk.f_bavail.saturating_mul(disk.f_frsize))
            },
            cores: cores(),
            plant: self.plant.as_deref(),
            stop: &stop,
        };
        let mut printed = Ok(());
        let checks = examine(&place, |check| {
            if !self.json && printed.is_ok() {
                printed = print(check);
            }
        });
        printed?;
        if stop.load(Ordering::Relaxed) {
            bail!("interrupted: not all checks were run");
        }
        let errors = checks.iter().filter(|check| check.state == State::Error).count();
        if self.json {
            let document = Document { version: 1, is_ok: errors == 0, checks: &checks };
            ui::line(format_args!("{}", serde_json::to_string_pretty(&document)?))?;
        } else {
            let warnings = checks.iter().filter(|check| check.state == State::Warning).count();
            let what = if errors == 0 { "fuzzing works here" } else { "fuzzing does not work here" };
            ui::line(format_args!(
                "fuzzcheck: {what}: {} checks, {errors} errors, {warnings} warnings",
                checks.len()
            ))?;
        }
        Ok(if errors == 0 { ExitCode::SUCCESS } else { ExitCode::from(EXIT_FINDINGS) })
    }
}

/// A line for each check, and one below it for the fix.
fn print(check: &Check) -> Result<()> {
    let word = match check.state {
        State::Ok => "ok",
        State::Warning => "warning",
        State::Error => "error",
    };
    ui::line(format_args!("{word:<8} {:<18} {}", check.name, visible(&check.found)))?;
    check.fix.as_ref().map_or(Ok(()), |fix| ui::line(format_args!("{:<8} {:<18} fix: {fix}", "", "")))
}
