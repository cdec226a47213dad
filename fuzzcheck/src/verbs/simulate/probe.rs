//! `fuzzcheck simulate probe`: one script, statement by statement.

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Result, ensure};
use tandem::difference::{Difference, Said};

use super::arguments::{RunningArgs, engines};
use crate::base::{EXIT_FINDINGS, project};
use crate::simulating::Simulator;
use crate::source::single;
use crate::ui;
use crate::verbs::Verb;

/// Run a script on two engines and say where they part, statement by statement.
///
/// Exit codes: 0 they do the same, 1 they part, 2 wrong usage or an internal error.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// A file with SQL, or with a case.
    file: PathBuf,
    /// The first engine, as for `simulate`.
    a: Option<String>,
    /// The second one.
    b: Option<String>,
    #[command(flatten)]
    running: RunningArgs,
}

impl Verb for Args {
    fn run(&self) -> Result<ExitCode> {
        let named = single(&self.file, None)?;
        let names = engines(self.a.as_deref(), self.b.as_deref());
        let mut simulator = Simulator::new(names, &self.running.running(None)?, &project())?;
        let case = named.target.scripted(named.case);
        let comparison = simulator.compare(&case)?;
        let has_parted = !comparison.differences.is_empty();
        let [a, b] = simulator.identities();
        ensure!(
            !comparison.marks.is_empty() || has_parted,
            "{}: no statement was compared: {}",
            self.file.display(),
            comparison.skipped.keys().cloned().collect::<Vec<_>>().join(", ")
        );
        ui::print(|out| {
            writeln!(out, "A            {a}\nB            {b}")?;
            for mark in &comparison.marks {
                let text = case.sql.as_bytes().get(mark.sql.clone()).unwrap_or_default().trim_ascii();
                let text = String::from_utf8_lossy(text);
                match &mark.said {
                    Said::Same => writeln!(out, "same         {text}")?,
                    Said::Skipped(reason) => writeln!(out, "skipped      {text}\n    {reason}")?,
                    Said::Behind => writeln!(out, "not compared {text}")?,
                    Said::Differs(index) => tell(&comparison.differences[*index], "different   ", out)?,
                }
            }
            comparison.at_the_end().try_for_each(|difference| tell(difference, "at the end  ", out))
        })?;
        Ok(ExitCode::from(EXIT_FINDINGS * u8::from(has_parted)))
    }
}

/// A difference, and why it may be none.
fn tell(difference: &Difference, label: &str, out: &mut dyn Write) -> Result<()> {
    let why = difference.warning.as_ref().map(|reason| format!(" (warning: {reason})")).unwrap_or_default();
    writeln!(out, "{label} {}{why}", difference.signature())?;
    Ok(writeln!(out, "    {}", difference.message.trim().replace('\n', "\n    "))?)
}
