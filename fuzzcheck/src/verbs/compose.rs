//! `fuzzcheck compose`.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result, bail};
use tandem::TestCase;
use tandem::testcase::{FileName, FileSet, OPERATIONS_MAX, Operation, Operations, Script};

use crate::files;
use crate::ui;
use crate::verbs::Verb;

/// Make a case of files: a database with what lies beside it, and a script.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The database. It is main.db in the case; its journal and its WAL are taken, too, if they lie beside it.
    database: Option<PathBuf>,
    /// The script.
    #[arg(long, value_name = "FILE", required_unless_present_any = ["database", "turns", "operations"])]
    sql: Option<PathBuf>,
    /// A script of several connections, for `explore`: each line is statements, and begins with the number of the connection
    /// that runs them and a colon. Lines without a number come first, on connection 0, before the others begin.
    #[arg(long, value_name = "FILE", conflicts_with = "sql")]
    turns: Option<PathBuf>,
    /// Other files of the folder, which keep their names: databases to attach, files that must stay as they are.
    #[arg(long, value_name = "FILE", num_args = 1..)]
    beside: Vec<PathBuf>,
    /// What to do beyond running the script on one connection: a JSON list of `tandem::testcase::Operation`, such as
    /// `[{"ChangesetPut": {"content": [84, 3]}}, "SessionInvert"]`.
    #[arg(long, value_name = "FILE", conflicts_with = "turns")]
    operations: Option<PathBuf>,
    /// The file to write the case to.
    #[arg(long, value_name = "CASE")]
    to: PathBuf,
}

impl Verb for Args {
    fn run(&self) -> Result<ExitCode> {
        files::refuse_special(&self.to)?;
        files::refuse_corpus(&self.to)?;
        let mut all = FileSet::default();
        for (path, name) in self.parts()? {
            let content = read(&path)?;
            if !all.insert(name, content) {
                bail!("{}: too large, or one file too many, for a case", path.display());
            }
        }
        let sql = self.sql.as_deref().map(read).transpose()?.unwrap_or_default();
        let mut case = TestCase { files: all, sql: Script::new(sql), ..TestCase::default() };
        if let Some(path) = &self.operations {
            let list: Vec<Operation> = serde_json::from_slice(&read(path)?)
                .with_context(|| format!("{}: no list of operations", path.display()))?;
            if list.len() > OPERATIONS_MAX {
                bail!("{}: {} operations: a case has at most {OPERATIONS_MAX}", path.display(), list.len());
            }
            case.operations = Operations::new(list);
        }
        if let Some(path) = &self.turns {
            let text = String::from_utf8_lossy(&read(path)?).into_owned();
            let turns = TestCase::from_turns(&text)
                .map_err(|error| anyhow::anyhow!("{}: {error}", path.display()))?;
            (case.sql, case.operations) = (turns.sql, turns.operations);
        }
        files::write(&self.to, &case.encode())?;
        let names: Vec<&str> = case.files.iter().map(|(name, _)| name.as_str()).collect();
        let names = if names.is_empty() { "no files".to_owned() } else { names.join(", ") };
        ui::line(format_args!("{}: {}, {names}", self.to.display(), case.id()))?;
        Ok(ExitCode::SUCCESS)
    }
}

impl Args {
    /// The files, with their names in the case.
    fn parts(&self) -> Result<Vec<(PathBuf, FileName)>> {
        let mut parts = Vec::new();
        if let Some(path) = &self.database {
            parts.push((path.clone(), FileName::main()));
            for (suffix, name) in [("-journal", FileName::journal()), ("-wal", FileName::wal())] {
                let mut beside = path.clone().into_os_string();
                beside.push(suffix);
                let beside = PathBuf::from(beside);
                parts.extend(beside.exists().then_some((beside, name)));
            }
        }
        for path in &self.beside {
            let name = path.file_name().and_then(|name| name.to_str()).and_then(FileName::new);
            let Some(name) = name else {
                bail!("{}: a file of a case has a name of 1 to 64 of A-Z a-z 0-9 _ . -", path.display());
            };
            if parts.iter().any(|(_, other)| *other == name) {
                bail!("{}: there is a file `{name}` in the case already", path.display());
            }
            parts.push((path.clone(), name));
        }
        Ok(parts)
    }
}

fn read(path: &Path) -> Result<Vec<u8>> {
    std::fs::read(path).with_context(|| format!("{}", path.display()))
}
