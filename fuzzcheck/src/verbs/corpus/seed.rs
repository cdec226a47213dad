//! `fuzzcheck corpus seed`.

use std::fs;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, Result, anyhow};
use tandem::corpus::{self, Entry, Kind};
use tandem::engine::sqlite::Executor;
use tandem::targets;

use crate::base::project;
use crate::verbs::Verb;
use crate::{source, ui};

/// Write the hand-written seeds into the corpus databases.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Folder of the corpus databases [default: corpus/]
    #[arg(long, value_name = "DIR")]
    into: Option<PathBuf>,
}

/// How the source of a hand-written seed begins.
const SOURCE: &str = "seed: ";

impl Verb for Args {
    fn run(&self) -> Result<ExitCode> {
        let folder = self.into.clone().unwrap_or_else(|| project().join("corpus"));
        fs::create_dir_all(&folder).with_context(|| format!("{}", folder.display()))?;
        for target in targets::all() {
            let path = folder.join(format!("{}.db", target.name));
            let _lock = corpus::lock(&path).map_err(source::told)?;
            let mut corpus = source::load_or_new(&path)?;
            // Seeds that are written differently today go; all else stays.
            corpus.retain(|entry| entry.kind != Kind::Seed || !entry.source.starts_with(SOURCE));
            let executor = Executor::shared();
            let all = (target.seeds)();
            for seed in &all {
                let case = seed
                    .build(&executor)
                    .map_err(|error| anyhow!("{}: {}: {error}", target.name, seed.about))?;
                corpus.insert(Entry::new(target.name, Kind::Seed, &format!("{SOURCE}{}", seed.about), &case));
            }
            corpus.save(&path).map_err(source::told)?;
            let (file, cases) = (path.display(), corpus.len());
            ui::line(format_args!("{file}: {} seeds, {cases} cases in all", all.len()))?;
        }
        Ok(ExitCode::SUCCESS)
    }
}
