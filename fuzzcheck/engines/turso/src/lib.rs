//! Turso as an engine beside SQLite.
//!
//! `tandem-turso` is a worker of fuzzcheck that runs cases on [Turso](https://github.com/tursodatabase/turso), a
//! rewrite of SQLite in Rust. `cargo fuzzcheck compare engines bundled turso` builds it and compares the two; what differs is
//! a finding in Turso, most likely.
//!
//! # A workspace of its own
//! turso_core brings some two hundred crates, twice what all of Tandem needs, and takes minutes to build. In the
//! workspace of Tandem they would all be in the one `Cargo.lock` that every checkout fetches. Here they have their
//! own, and `cargo build`, `cargo test` and even `--workspace` there know nothing of them.
//!
//! # A run
//! Each case gets a new disk in memory (`disk`) with its files, a new database and a new connection. Statements
//! are cut as for SQLite, and what each did is written down in the same [`Transcript`]. At the end SQLite, which is
//! in this process, too, reads the file that Turso wrote: what it finds wrong is a problem of Turso's
//! `integrity_check`.
//!
//! A panic in Turso ends the process (`panics`): a worker that dies is how the comparison learns of a crash.

mod disk;
mod end;
mod panics;
mod plant;
mod pragmas;
mod refusal;
mod session;

use std::cell::OnceCell;
use std::sync::Arc;

use tandem::TestCase;
use tandem::engine::sqlite::{Budget, Executor, Moment};
use tandem::engine::transcript::StatementRecord;
use tandem::engine::{Engine, Transcript};
use tandem::testcase::RICH_SCHEMA;
use tandem::sql;
use tandem::testcase::{FileName, FileSet, MAIN_DB, OpenConfig, Setting, TOGGLE_NAMES};
use turso_core::{Connection, Database, DatabaseOpts, IO, LimboError, OpenOptions, SqliteDialect};

pub use panics::exit_on_panics;
pub use plant::Plant;

use disk::Disk;
use pragmas::Pragmas;
use session::{Session, Settings, StatementObserver};

/// The engine. It holds no database between cases.
pub struct Turso {
    /// Reads the files that Turso leaves, and builds the rich schema.
    sqlite: Executor,
    plant: Option<Plant>,
    on_statement: Option<Box<StatementObserver>>,
    pragmas: Pragmas,
    /// The main database of cases that ask for the rich schema.
    rich_image: OnceCell<Vec<u8>>,
}

impl Turso {
    /// An engine that uses `sqlite` to look at what it leaves.
    pub fn new(sqlite: Executor, plant: Option<Plant>) -> Self {
        let pragmas = Pragmas::new(&sqlite);
        Self { sqlite, plant, on_statement: None, pragmas, rich_image: OnceCell::new() }
    }

    /// The version of turso_core, as its Cargo.lock says.
    fn version() -> &'static str {
        let lock = include_str!("../Cargo.lock");
        let entry = lock.split_once("name = \"turso_core\"\nversion = \"").map(|(_, rest)| rest);
        entry.and_then(|rest| rest.split('"').next()).expect("Cargo.lock names turso_core")
    }

    fn disk(&self, case: &TestCase) -> Result<Arc<Disk>, LimboError> {
        let disk = Disk::new(&case.files, case.config.get(Setting::RandomSeed))?;
        if case.config.is_on(Setting::RichSchema) && case.files.main().is_none() {
            let image = self.rich_image.get_or_init(|| {
                let files = self.sqlite.files_after(&OpenConfig::default(), RICH_SCHEMA, Moment::Closed);
                files.expect("the rich schema is valid SQL").main().unwrap_or_default().to_vec()
            });
            disk.put(MAIN_DB, image)?;
        }
        Ok(disk)
    }

    fn run(
        &mut self,
        case: &TestCase,
        budget: &Budget,
        transcript: &mut Transcript,
    ) -> Result<Arc<Disk>, LimboError> {
        let disk = self.disk(case)?;
        let connection = connect(&disk, &case.config)?;
        let settings = Settings {
            vm_steps: budget.vm_steps,
            rows_max: case.config.get(Setting::RowsMax),
            is_utf16: case.config.is_on(Setting::Utf16),
            observer: self.on_statement.as_deref(),
            plant: self.plant,
            pragmas: &self.pragmas,
        };
        let mut session = Session::new(connection, settings);
        session.run_script(case.sql.as_bytes());
        transcript.is_cut_short = session.is_over();
        transcript.statements = session.take_records();
        if !transcript.is_cut_short {
            transcript.end = end::read(&session);
        }
        if let Some(end) = &mut transcript.end {
            let problems = end::check_file(&session, &disk, end, &mut self.sqlite);
            if !problems.is_empty() {
                end.integrity.get_or_insert_default().extend(problems);
            }
            if let Some(plant) = self.plant {
                plant.alter_end(end);
            }
        }
        session.connection().close()?;
        Ok(disk)
    }
}

impl Engine for Turso {
    fn identity(&self) -> String {
        format!("Turso {}", Self::version())
    }

    fn transcript(&mut self, case: &TestCase, budget: &Budget) -> Transcript {
        // Whether the database is sound is SQLite's to say, which is the other engine.
        let mut transcript = Transcript { is_healthy_at_start: true, ..Transcript::default() };
        if let Err(error) = self.run(case, budget, &mut transcript)
            && transcript.statements.is_empty()
        {
            transcript.statements.extend(failed_open(case, &error));
        }
        if let Some(first) = transcript.statements.first_mut() {
            first.taints.extend(refusal::missing_for(&case.files, &case.config));
        }
        transcript
    }

    fn files_left(&mut self, case: &TestCase, budget: &Budget) -> Option<FileSet> {
        let disk = self.run(case, budget, &mut Transcript::default()).ok()?;
        let mut files = FileSet::default();
        for name in [FileName::main(), FileName::wal()] {
            if let Some(content) = disk.content(name.as_str()).filter(|content| !content.is_empty()) {
                files.insert(name, content);
            }
        }
        Some(files)
    }

    fn on_statement(&mut self, observer: Box<dyn Fn(u64, &[u8])>) {
        self.on_statement = Some(observer);
    }
}

/// Opens the main database with what Turso has, finished or not.
fn connect(disk: &Arc<Disk>, config: &OpenConfig) -> Result<Arc<Connection>, LimboError> {
    let options =
        DatabaseOpts::new().with_generated_columns(true).with_without_rowid(true).with_autovacuum(true);
    let options = OpenOptions::new(Arc::new(SqliteDialect)).db_opts(options);
    let io: Arc<dyn IO> = Arc::clone(disk) as Arc<dyn IO>;
    let connection = Database::open(io, MAIN_DB, options)?.connect()?;
    // On disk it would be one of the host.
    connection.execute("PRAGMA temp_store=2")?;
    let bit = TOGGLE_NAMES.iter().position(|name| *name == "ENABLE_FKEY");
    if bit.is_some_and(|bit| config.get(Setting::Toggles) >> bit & 1 == 1) {
        connection.set_foreign_keys_enabled(true);
    }
    Ok(connection)
}

/// The database could not be opened: every statement failed, as it does in SQLite, which opens late.
fn failed_open(case: &TestCase, error: &LimboError) -> Vec<StatementRecord> {
    let is_missing = refusal::is_missing_feature(error);
    let taint = is_missing.then(|| format!("Turso does not open the database: {error}"));
    let record = |range| {
        let mut record = StatementRecord {
            sql: range,
            verb: "-".to_owned(),
            code: error.sqlite_result_code(),
            is_read_only: true,
            explain_fails: is_missing,
            taints: taint.clone().into_iter().collect(),
            ..StatementRecord::default()
        };
        record.set_message(&error.to_string());
        record
    };
    let text = case.sql.as_bytes();
    let ranges = sql::statements(text).filter(|range| !session::is_blank(&text[range.clone()]));
    ranges.map(record).collect()
}

#[cfg(test)]
mod tests;
