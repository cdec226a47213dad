//! `fuzzcheck names`, for [`crate::gaps`].

use std::process::ExitCode;

use anyhow::Result;

use crate::gaps::Names;
use crate::ui;
use crate::verbs::Verb;

/// Print the SQL functions and pragmas in this program.
#[derive(Debug, clap::Args)]
pub(crate) struct Args;

impl Verb for Args {
    fn run(&self) -> Result<ExitCode> {
        let names = serde_json::to_string(&Names::of_this_program())?;
        ui::line(format_args!("{names}")).map(|()| ExitCode::SUCCESS)
    }
}
