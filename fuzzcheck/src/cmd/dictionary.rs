//! `fuzzcheck dictionary`.

use std::process::ExitCode;

use anyhow::Result;
use tandem::engine::sqlite::{self, Executor};

use crate::cli::ossfuzz::DictionaryArgs;
use crate::ossfuzz::dictionary;
use crate::{files, ui};

pub(super) fn run(args: &DictionaryArgs) -> Result<ExitCode> {
    let vocabulary = Executor::shared().vocabulary();
    let keywords = sqlite::keywords();
    let words = keywords.iter().map(String::as_str).chain(vocabulary.words());
    let dictionary = dictionary::write(words);
    let Some(file) = &args.to else {
        return ui::print(|out| Ok(out.write_all(dictionary.text.as_bytes())?)).map(|()| ExitCode::SUCCESS);
    };
    files::refuse_special(file)?;
    files::refuse_corpus(file)?;
    files::write(file, dictionary.text.as_bytes())?;
    ui::line(format_args!("{}: {} words", file.display(), dictionary.words))?;
    Ok(ExitCode::SUCCESS)
}
