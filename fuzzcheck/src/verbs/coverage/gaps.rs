//! `fuzzcheck coverage gaps`.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Result;
use clap::ValueEnum;
use serde::Serialize;

use super::Wanted;
use crate::base::EXIT_ERROR;
use crate::coverage::reached::Gap;
use crate::coverage::reached::GapKind;
use crate::gaps;
use crate::ui;
use crate::verbs::Verb;

/// List code that no case reaches, and the target that could.
///
/// Functions, opcodes, SQL functions, pragmas, result codes.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// As for `run` [default: corpus/, or corpus/TARGET.db with --target]
    sources: Vec<PathBuf>,
    /// As for `coverage`.
    #[arg(long, value_name = "TARGET")]
    target: Option<String>,
    /// Only gaps of these kinds [default: all]
    #[arg(long, value_name = "KIND,...", value_enum, value_delimiter = ',')]
    kind: Vec<KindArg>,
    /// Only the largest N.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    limit: Option<u32>,
    /// Worker processes [default: one per core]
    #[arg(long, short, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=256))]
    jobs: Option<u16>,
    /// The SQLite to find gaps in.
    #[command(flatten)]
    configuration: crate::build::arguments::ConfigurationArgs,
    /// Do not install anything: report what is missing and stop.
    #[arg(long)]
    no_install: bool,
    /// Print one JSON document instead of text.
    #[arg(long)]
    json: bool,
    /// The working copy [default: the one that this program was built from]
    #[arg(long, value_name = "DIR", hide = true)]
    project: Option<PathBuf>,
}

/// A kind of gap.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum KindArg {
    /// Functions of sqlite3.c.
    Function,
    /// Opcodes of the virtual machine.
    Opcode,
    /// SQL functions.
    SqlFunction,
    /// Pragmas.
    Pragma,
    /// Result codes.
    ResultCode,
}

impl KindArg {
    fn kind(self) -> GapKind {
        match self {
            Self::Function => GapKind::Function,
            Self::Opcode => GapKind::Opcode,
            Self::SqlFunction => GapKind::SqlFunction,
            Self::Pragma => GapKind::Pragma,
            Self::ResultCode => GapKind::ResultCode,
        }
    }
}

/// The gaps, as JSON.
#[derive(Serialize)]
struct Summary {
    version: u32,
    /// Cases that were run.
    cases: u64,
    /// Gaps of the requested kinds, before `--limit`.
    total: usize,
    /// Largest first.
    gaps: Vec<Gap>,
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
        let sources = wanted.sources();
        let (total, skipped) = wanted.count(&sources)?;
        let setup = wanted.build()?;
        let measured = setup.measure(&sources, total)?;
        let mut gaps = gaps::find(&measured, &gaps::Names::of(setup.program())?);
        let kinds: Vec<_> = self.kind.iter().map(|kind| KindArg::kind(*kind)).collect();
        gaps.retain(|gap| kinds.is_empty() || kinds.contains(&gap.kind));
        let total = gaps.len();
        gaps.truncate(self.limit.map_or(usize::MAX, |limit| limit as usize));
        if self.json {
            let summary = Summary { version: 1, cases: measured.cases, total, gaps };
            let document = serde_json::to_string_pretty(&summary)?;
            ui::line(format_args!("{document}"))?;
        } else {
            ui::print(|out| gaps::print(&gaps, total, out))?;
        }
        Ok(if measured.harness_errors.is_empty() { skipped } else { ExitCode::from(EXIT_ERROR) })
    }
}
