//! `fuzzcheck oss-fuzz dictionary`.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Result;
use tandem::engine::sqlite::{self, Executor};

use crate::ossfuzz::dictionary;
use crate::verbs::Verb;
use crate::{files, ui};

/// Write a libFuzzer dictionary of the words of this SQLite.
///
/// Keywords, functions, pragmas, modules, collations.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Write it to this file [default: standard output]
    #[arg(long, value_name = "FILE")]
    to: Option<PathBuf>,
}

impl Verb for Args {
    fn run(&self) -> Result<ExitCode> {
        let vocabulary = Executor::shared().vocabulary();
        let keywords = sqlite::keywords();
        let words = keywords.iter().map(String::as_str).chain(vocabulary.words());
        let dictionary = dictionary::write(words);
        let Some(file) = &self.to else {
            return ui::print(|out| Ok(out.write_all(dictionary.text.as_bytes())?))
                .map(|()| ExitCode::SUCCESS);
        };
        files::refuse_special(file)?;
        files::refuse_corpus(file)?;
        files::write(file, dictionary.text.as_bytes())?;
        ui::line(format_args!("{}: {} words", file.display(), dictionary.words))?;
        Ok(ExitCode::SUCCESS)
    }
}
