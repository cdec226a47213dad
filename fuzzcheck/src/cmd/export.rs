//! `fuzzcheck export`.

use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context, Result, bail};
use tandem::corpus::fuzzdata;

use super::{paths_or_corpus, target_by_name};
use crate::cli::ExportArgs;
use crate::source::{self, NamedCase};

pub(super) fn run(args: &ExportArgs) -> Result<ExitCode> {
    let target = target_by_name(args.target.as_deref())?;
    let cases = source::open(&paths_or_corpus(&args.paths), None)?;
    let is_wanted = |named: &NamedCase| {
        let is_target = target.is_none_or(|target| target.name == named.target.name);
        is_target && args.case.as_ref().is_none_or(|part| named.name.contains(part))
    };
    let chosen: Vec<NamedCase> = cases.cases.filter(is_wanted).collect();
    if chosen.is_empty() {
        bail!("no case to export");
    }
    if let Some(folder) = &args.to.dir {
        to_folder(&chosen, folder)?;
    } else if let Some(file) = &args.to.file {
        let [named] = chosen.as_slice() else {
            bail!("{} cases are left, and a file holds one: choose it with --case", chosen.len());
        };
        write_file(file, &named.case.encode())?;
        println!("{}: {}", file.display(), named.name);
    } else if let Some(database) = &args.to.fuzzdata {
        let losses = fuzzdata::write(database, chosen.iter().map(|named| &named.case))?;
        for (named, losses) in chosen.iter().zip(&losses) {
            losses.iter().for_each(|loss| eprintln!("fuzzcheck: {}: {loss}", named.name));
        }
        let whole = losses.iter().filter(|losses| losses.is_empty()).count();
        println!("{}: {} cases, {whole} of them whole", database.display(), chosen.len());
    }
    Ok(ExitCode::SUCCESS)
}

fn to_folder(cases: &[NamedCase], folder: &Path) -> Result<()> {
    fs::create_dir_all(folder).with_context(|| format!("{}", folder.display()))?;
    for named in cases {
        write_file(&folder.join(named.case.id().to_string()), &named.case.encode())?;
    }
    println!("{}: {} cases", folder.display(), cases.len());
    Ok(())
}

/// Writes a file through a temporary one beside it.
fn write_file(path: &Path, content: &[u8]) -> Result<()> {
    let folder = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let write = || -> std::io::Result<()> {
        let mut file = tempfile::NamedTempFile::new_in(folder)?;
        file.write_all(content)?;
        file.persist(path)?;
        Ok(())
    };
    write().with_context(|| format!("{}", path.display()))
}
