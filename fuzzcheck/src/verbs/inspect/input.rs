//! From a name on the command line to the bytes of a database, WAL or journal.

use std::fs;
use std::path::Path;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, Result, bail, ensure};
use tandem::TestCase;
use tandem::dbfile::geometry::LOCK_BYTE;
use tandem::dbfile::{MAGIC, journal, recover, wal};
use tandem::testcase::{Form, MAIN_DB};

use crate::verbs::lookup;

/// How a database is found.
#[derive(Debug, clap::Args)]
pub(super) struct InputArgs {
    /// Which file of a case [default: main.db]
    #[arg(long = "file", value_name = "NAME", conflicts_with = "raw")]
    pub(super) name: Option<String>,
    /// Treat the file as a database, whatever it begins with.
    #[arg(long)]
    pub(super) raw: bool,
    /// Where to look for the id of a case [default: corpus/]
    #[arg(long, value_name = "PATH")]
    pub(super) corpus: Vec<PathBuf>,
}

/// How a WAL or journal is found, and how it is shown.
#[derive(Debug, clap::Args)]
pub(super) struct LogArgs {
    /// The WAL or journal, the database that it belongs to, or a case that contains it.
    pub(super) file: String,
    /// Which file of a case [default: that of main.db]
    #[arg(long = "file", value_name = "NAME", conflicts_with = "raw")]
    pub(super) name: Option<String>,
    /// Treat the file as one, whatever it begins with.
    #[arg(long)]
    pub(super) raw: bool,
    /// Where to look for the id of a case [default: corpus/]
    #[arg(long, value_name = "PATH")]
    pub(super) corpus: Vec<PathBuf>,
    /// Print one JSON document instead of text.
    #[arg(long)]
    pub(super) json: bool,
}

/// Largest file to inspect: all of it is in memory, and so are the results.
const FILE_BYTES_MAX: u64 = 1 << 30;

/// A database, with what lies beside it.
pub(super) struct Database {
    /// What to call it.
    pub(super) name: String,
    pub(super) image: Vec<u8>,
    pub(super) log: Option<Vec<u8>>,
    pub(super) journal: Option<Vec<u8>>,
    pub(super) lock_byte: u32,
    /// Whether all corpora could be searched for it.
    pub(super) code: ExitCode,
}

impl Database {
    /// What SQLite makes of the database with its WAL and journal.
    pub(super) fn recover(&mut self) -> Result<()> {
        let name = &self.name;
        ensure!(
            self.log.is_some() || self.journal.is_some(),
            "{name}: no WAL and no journal beside it: leave out --recovered"
        );
        let recovered = recover::recovered(&self.image, self.log.as_deref(), self.journal.as_deref());
        let Some(recovered) = recovered.map(std::borrow::Cow::into_owned) else {
            bail!(
                "{name}: what SQLite makes of it with the WAL or journal beside it is not plain (another page size, \
                 several headers, a super-journal, damage): leave out --recovered, and see `fuzzcheck inspect wal` and \
                 `fuzzcheck inspect journal`"
            );
        };
        (self.image, self.log, self.journal) = (recovered, None, None);
        Ok(())
    }
}

/// The database that a name stands for.
pub(super) fn database(name: &str, args: &InputArgs) -> Result<Database> {
    let path = Path::new(name);
    let content = read_named(path)?;
    let is_plain = |content: &Vec<u8>| args.raw || content.is_empty() || content.starts_with(MAGIC);
    if let Some(image) = content.filter(is_plain) {
        if let Some(file) = &args.name {
            bail!("{name}: this is a database, not a case, and has no `{file}`: leave out --file");
        }
        return Ok(Database {
            name: name.to_owned(),
            image,
            log: beside(path, "-wal")?,
            journal: beside(path, "-journal")?,
            lock_byte: LOCK_BYTE,
            code: ExitCode::SUCCESS,
        });
    }
    ensure!(!args.raw, "{name}: no such file");
    let (named, code) = lookup::find(name, &args.corpus, None)?;
    let case = named.case;
    let file = args.name.as_deref().unwrap_or(MAIN_DB);
    let image = of_case(&case, name, file)?;
    ensure!(
        image.is_empty()
            || image.starts_with(MAGIC)
            || !(file.ends_with("-wal") || file.ends_with("-journal")),
        "{name}: `{file}` is not a database: see `fuzzcheck inspect wal` and `fuzzcheck inspect journal`"
    );
    let beside = |end: &str| case.files.get(&format!("{file}{end}")).map(<[u8]>::to_vec);
    Ok(Database {
        name: format!("{name}: {file}"),
        image,
        log: beside("-wal"),
        journal: beside("-journal"),
        lock_byte: case.config.lock_byte(),
        code,
    })
}

/// What to look for beside a database.
pub(super) struct Kind {
    /// What it is called.
    pub(super) what: &'static str,
    /// The end of its name.
    pub(super) end: &'static str,
    /// True for bytes that begin one.
    begins: fn(&[u8]) -> bool,
}

pub(super) const LOG: Kind = Kind {
    what: "WAL",
    end: "-wal",
    begins: |bytes| wal::header(bytes).is_some_and(|header| header.magic & !1 == wal::MAGIC),
};

pub(super) const JOURNAL: Kind =
    Kind { what: "journal", end: "-journal", begins: |bytes| bytes.starts_with(&journal::MAGIC) };

/// The WAL or journal of a name: what to call it, its bytes, and whether all corpora could be
/// searched for it.
pub(super) fn log(args: &LogArgs, kind: &Kind) -> Result<(String, Vec<u8>, ExitCode)> {
    let (name, path) = (&args.file, Path::new(&args.file));
    let Kind { what, end, begins } = kind;
    if let Some(content) = read_named(path)? {
        let is_one = args.raw || name.ends_with(end) || content.is_empty() || begins(&content);
        if is_one {
            if let Some(file) = &args.name {
                bail!("{name}: this is a {what}, not a case, and has no `{file}`: leave out --file");
            }
            return Ok((name.clone(), content, ExitCode::SUCCESS));
        }
        if content.starts_with(MAGIC) {
            let found = beside(path, end)?;
            let found = found.with_context(|| format!("{name}: no {what} beside it ({name}{end})"))?;
            return Ok((format!("{name}{end}"), found, ExitCode::SUCCESS));
        }
        if Form::of(&content) == Form::Sql {
            bail!(
                "{name}: no {what}, no database with one beside it, and no case that has one; to take it for one all \
                 the same, give --raw"
            );
        }
    }
    ensure!(!args.raw, "{name}: no such file");
    let (named, code) = lookup::find(name, &args.corpus, None)?;
    let case = named.case;
    let file = args.name.clone().unwrap_or_else(|| format!("{MAIN_DB}{end}"));
    Ok((format!("{name}: {file}"), of_case(&case, name, &file)?, code))
}

fn of_case(case: &TestCase, name: &str, file: &str) -> Result<Vec<u8>> {
    if let Some(content) = case.files.get(file) {
        return Ok(content.to_vec());
    }
    let names: Vec<&str> = case.files.iter().map(|(name, _)| name.as_str()).collect();
    if names.is_empty() {
        bail!(
            "{name}: no database, and as a case it is SQL without files; if it is a database whose first bytes are \
             damaged, give --raw"
        );
    }
    bail!("{name}: the case has no file `{file}`, but {}: name one with --file", names.join(", "))
}

/// The content of a file; `None` if there is none of this name, which may be an id.
fn read_named(path: &Path) -> Result<Option<Vec<u8>>> {
    let shown = path.display();
    let Ok(found) = fs::metadata(path) else {
        return Ok(None);
    };
    ensure!(!found.is_dir(), "{shown}: this is a folder: name a file in it");
    ensure!(found.is_file(), "{shown}: not a regular file: copy its content into a file");
    let bytes = found.len();
    ensure!(
        bytes <= FILE_BYTES_MAX,
        "{shown}: {bytes} bytes, but at most {FILE_BYTES_MAX} can be inspected: all of it has to be in memory"
    );
    fs::read(path).with_context(|| format!("{shown}")).map(Some)
}

fn beside(path: &Path, end: &str) -> Result<Option<Vec<u8>>> {
    let mut name = path.as_os_str().to_owned();
    name.push(end);
    read_named(Path::new(&name))
}
