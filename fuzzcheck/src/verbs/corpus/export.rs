//! `fuzzcheck corpus export`.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, Result, bail};
use tandem::corpus::fuzzdata;

use crate::ossfuzz::seed_zip;
use crate::source::{self, NamedCase};
use crate::verbs::Verb;
use crate::verbs::shared::{in_words, paths_or_corpus, target_by_name, tell_skipped};
use crate::{files, ui};

/// Take cases out: into a folder, one file, a zip, or a database that SQLite's fuzzcheck reads.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// As for `run` [default: corpus/]
    paths: Vec<PathBuf>,
    /// Only cases of this target.
    #[arg(long, value_name = "TARGET")]
    target: Option<String>,
    /// Only cases whose name contains this text: a file name, `sqlid=12`, (the start of) an id.
    #[arg(long, value_name = "ID")]
    case: Option<String>,
    /// Where to write.
    #[command(flatten)]
    to: ExportTo,
}

/// Where `corpus export` writes to.
#[derive(Debug, clap::Args)]
#[group(required = true, multiple = false)]
pub(super) struct ExportTo {
    /// A folder, one file per case named by its id: DIR/TARGET/ID, or DIR/ID with --target.
    #[arg(long, value_name = "DIR")]
    pub(super) dir: Option<PathBuf>,
    /// A file, for a single case.
    #[arg(long, value_name = "FILE")]
    pub(super) file: Option<PathBuf>,
    /// A database that SQLite's own fuzzcheck reads.
    #[arg(long, value_name = "DB")]
    pub(super) fuzzdata: Option<PathBuf>,
    /// A zip as OSS-Fuzz takes seeds: one file per case named by its id; without cases of known bugs.
    #[arg(long, value_name = "FILE")]
    pub(super) zip: Option<PathBuf>,
}

impl Verb for Args {
    fn run(&self) -> Result<ExitCode> {
        let target = target_by_name(self.target.as_deref())?;
        let paths = paths_or_corpus(&self.paths);
        let cases = source::open(&paths, None)?;
        let code = tell_skipped(&cases);
        let is_wanted = |named: &NamedCase| {
            let is_target = target.is_none_or(|target| target.name == named.target.name);
            is_target && self.case.as_ref().is_none_or(|part| named.matches(part))
        };
        let chosen: Vec<NamedCase> = cases.cases.filter(is_wanted).collect();
        if chosen.is_empty() {
            bail!("{}: no case to export, or none that matches --target and --case", in_words(&paths));
        }
        if let Some(folder) = &self.to.dir {
            to_folder(&chosen, folder, target.is_some())?;
        } else if let Some(file) = &self.to.file {
            let [named] = chosen.as_slice() else {
                bail!("{} cases match, but a file holds only one: choose it with --case", chosen.len());
            };
            files::refuse_corpus(file)?;
            files::write(file, &named.case.encode())?;
            ui::line(format_args!("{}: {}", file.display(), named.name))?;
        } else if let Some(database) = &self.to.fuzzdata {
            to_fuzzdata(&chosen, database)?;
        } else if let Some(file) = &self.to.zip {
            to_zip(&chosen, file)?;
        }
        Ok(code)
    }
}

/// Writes a file per case. A file does not say which target it is for, so its folder does, unless all are
/// for the one that was asked for.
fn to_folder(cases: &[NamedCase], folder: &Path, is_one_target: bool) -> Result<()> {
    let mut written = BTreeSet::new();
    for named in cases {
        let folder = if is_one_target { folder.to_owned() } else { folder.join(named.target.name) };
        let path = folder.join(named.case.id().to_string());
        fs::create_dir_all(&folder).with_context(|| format!("{}", folder.display()))?;
        files::write(&path, &named.case.encode())?;
        written.insert(path);
    }
    ui::line(format_args!("{}: {} cases in {} files", folder.display(), cases.len(), written.len()))
}

/// Writes a flat zip, without the cases of known bugs: those would end a fuzzer at once. The same cases give the same
/// bytes.
fn to_zip(cases: &[NamedCase], file: &Path) -> Result<()> {
    files::refuse_special(file)?;
    files::refuse_corpus(file)?;
    let usable = cases.iter().filter(|named| named.known().is_none());
    let seeds: BTreeMap<String, Vec<u8>> =
        usable.map(|named| (named.case.id().to_string(), named.case.encode())).collect();
    if seeds.is_empty() {
        bail!("{}: all {} cases show known bugs: none is left to start with", file.display(), cases.len());
    }
    files::write(file, &seed_zip::write(&seeds)?)?;
    ui::line(format_args!("{}: {} cases in {} files", file.display(), cases.len(), seeds.len()))
}

fn to_fuzzdata(cases: &[NamedCase], database: &Path) -> Result<()> {
    files::refuse_special(database)?;
    files::refuse_corpus(database)?;
    let written = fuzzdata::write(database, cases.iter().map(|named| &named.case));
    let losses = written.map_err(source::told)?;
    for (named, losses) in cases.iter().zip(&losses) {
        losses.iter().for_each(|loss| eprintln!("fuzzcheck: {}: {loss}", named.name));
    }
    let whole = losses.iter().filter(|losses| losses.is_empty()).count();
    ui::line(format_args!("{}: {} cases, {whole} of them whole", database.display(), cases.len()))
}
