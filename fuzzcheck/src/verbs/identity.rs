//! `fuzzcheck identity`, for [`crate::build::worker`].

use std::process::ExitCode;

use anyhow::Result;

use crate::build::worker::Identity;
use crate::ui;
use crate::verbs::Verb;

/// Print which SQLite is in this program.
#[derive(Debug, clap::Args)]
pub(crate) struct Args;

impl Verb for Args {
    fn run(&self) -> Result<ExitCode> {
        let identity = serde_json::to_string(&Identity::of_this_program())?;
        ui::line(format_args!("{identity}")).map(|()| ExitCode::SUCCESS)
    }
}
