//! `fuzzcheck doctor`.

use std::process::ExitCode;
use std::sync::atomic::Ordering;

use anyhow::{Result, bail};
use serde::Serialize;

use super::interrupt_flag;
use super::run::check_plant;
use crate::base::text::visible;
use crate::base::{EXIT_FINDINGS, cores, project};
use crate::cli::doctor::DoctorArgs;
use crate::doctor::{Check, Place, State, examine};
use crate::ui;

/// What was found, for machines.
#[derive(Serialize)]
struct Document<'c> {
    version: u32,
    /// Whether nothing is in the way of fuzzing.
    is_well: bool,
    checks: &'c [Check],
}

pub(super) fn run(args: &DoctorArgs) -> Result<ExitCode> {
    check_plant(args.plant.as_deref())?;
    let project = args.project.clone().unwrap_or_else(project);
    if !project.is_dir() {
        bail!("{}: this is no folder: name the working copy", project.display());
    }
    let stop = interrupt_flag()?;
    let place = Place {
        root: &args.root,
        project: &project,
        toolchain: args.toolchain.as_deref(),
        free_bytes: &|folder| {
            let disk = rustix::fs::statvfs(folder)?;
            Ok(disk.f_bavail.saturating_mul(disk.f_frsize))
        },
        cores: cores(),
        plant: args.plant.as_deref(),
        stop: &stop,
    };
    let mut printed = Ok(());
    let checks = examine(&place, |check| {
        if !args.json && printed.is_ok() {
            printed = print(check);
        }
    });
    printed?;
    if stop.load(Ordering::Relaxed) {
        bail!("interrupted: not everything was looked at");
    }
    let wrong = checks.iter().filter(|check| check.state == State::Wrong).count();
    if args.json {
        let document = Document { version: 1, is_well: wrong == 0, checks: &checks };
        ui::line(format_args!("{}", serde_json::to_string_pretty(&document)?))?;
    } else {
        let warnings = checks.iter().filter(|check| check.state == State::Warning).count();
        let what = if wrong == 0 { "fuzzing works here" } else { "fuzzing does not work here" };
        ui::line(format_args!(
            "fuzzcheck: {what}: {} checks, {wrong} wrong, {warnings} warnings",
            checks.len()
        ))?;
    }
    Ok(if wrong == 0 { ExitCode::SUCCESS } else { ExitCode::from(EXIT_FINDINGS) })
}

/// A line for each check, and one below it for what to do.
fn print(check: &Check) -> Result<()> {
    let word = match check.state {
        State::Well => "well",
        State::Warning => "warning",
        State::Wrong => "WRONG",
    };
    ui::line(format_args!("{word:<8} {:<18} {}", check.name, visible(&check.found)))?;
    check.fix.as_ref().map_or(Ok(()), |fix| ui::line(format_args!("{:<8} {:<18} fix: {fix}", "", "")))
}
