//! A case from an empty disk to a [`Transcript`].

use super::ffi::{Connection, process};
use super::session::{self, Session};
use super::{Budget, Executor, Program, ScriptProgram, health};
use crate::dbfile::damage::Assessment;
use crate::engine::plant::Plant;
use crate::engine::transcript::{EndState, RowsDigest, StatementRecord, TableDigest, Transcript};
use crate::engine::{Code, Engine, StatementObserver, Value};
use crate::faults::vfs::Machine;
use crate::sql;
use crate::testcase::TestCase;

/// VM steps and bytes that reading the schema and all tables may take: generous, for it is no part of the case.
const READ_VM_STEPS: u64 = 2_000_000;
const READ_BYTES: u64 = 1 << 30;

/// What a statement says that [`Plant::WrongRows`] changes.
const MARK: &[u8] = b"planted";

const SCHEMA: &str = "SELECT type, name, tbl_name, ifnull(sql, '') FROM main.sqlite_master";

impl Engine for Executor {
    fn identity(&self) -> String {
        format!("SQLite {}, {}", super::version(), super::source_id())
    }

    fn on_statement(&mut self, observer: Box<StatementObserver>) {
        self.on_statement = Some(observer);
    }

    fn transcript(&mut self, case: &TestCase, budget: &Budget) -> Transcript {
        let _exclusive = super::exclusive();
        self.build_rich_image(&case.config);
        let start = health::assess_start(&case.files, case.config.lock_byte());
        let mut transcript = Transcript {
            is_healthy_at_start: case.files.is_empty()
                || start == Assessment::Sound && self.is_healthy_to_sqlite(case, budget),
            ..Transcript::default()
        };
        self.prepare_machine(&case.files, &case.config, budget);
        match self.open(case, budget) {
            Ok(connection) => {
                self.transcribe(case, budget, &connection, &mut transcript);
                connection.close();
            }
            Err(code) => transcript.statements.push(failed_open(code)),
        }
        self.vfs.install(Machine::new(0));
        process::take_log();
        transcript
    }
}

impl Executor {
    fn transcribe(
        &self,
        case: &TestCase,
        budget: &Budget,
        connection: &Connection<'_>,
        transcript: &mut Transcript,
    ) {
        let mut session = Session::new(connection, case, budget, self.on_statement.as_deref());
        session.record();
        ScriptProgram.run(case, &mut session);
        (transcript.statements, transcript.is_cut_short) = session.into_records();
        if self.plant == Some(Plant::WrongRows) {
            spoil(case, &mut transcript.statements);
        }
        if !transcript.is_cut_short {
            transcript.end = end_state(connection);
        }
    }
}

/// The database could not be opened at all: the whole script is a statement that failed.
fn failed_open(code: Code) -> StatementRecord {
    StatementRecord { verb: "-".to_owned(), code: code.0, explain_fails: true, ..StatementRecord::default() }
}

/// Adds a row to the result of the statements that ask for it.
fn spoil(case: &TestCase, records: &mut [StatementRecord]) {
    for record in records {
        let text = case.sql.as_bytes().get(record.sql.clone()).unwrap_or_default();
        if text.windows(MARK.len()).any(|window| window == MARK) {
            record.add_row(&[Value::Text(MARK.to_vec())]);
        }
    }
}

/// What the connection sees, an open transaction included.
fn end_state(connection: &Connection<'_>) -> Option<EndState> {
    // Checked first: it lifts the limits of the case, which reading the tables needs, too.
    let integrity = health::integrity(connection);
    connection.watch().set_budget(READ_VM_STEPS, READ_BYTES);
    let mut schema: Vec<[String; 4]> = session::query(connection, SCHEMA)?
        .into_iter()
        .filter_map(|row| Some(<[Value; 4]>::try_from(row).ok()?.map(health::text)))
        .collect();
    schema.sort();
    let names = schema.iter().filter(|[kind, ..]| kind == "table").map(|[_, name, ..]| name);
    let mut tables: Vec<TableDigest> = names.filter_map(|name| table(connection, name)).collect();
    tables.sort_by(|a, b| a.name.cmp(&b.name));
    Some(EndState { schema, tables, integrity })
}

/// The content of a table, if it can be read.
fn table(connection: &Connection<'_>, name: &str) -> Option<TableDigest> {
    let quoted = format!("main.{}", sql::quoted(name, '"'));
    if let Some(rows) = session::query(connection, &format!("SELECT rowid, * FROM {quoted}")) {
        let (mut digest, mut with_rowid) = (RowsDigest::default(), RowsDigest::default());
        for row in &rows {
            with_rowid.add(row);
            digest.add(&row[1..]);
        }
        return Some(TableDigest { name: name.to_owned(), rows: digest, with_rowid: Some(with_rowid) });
    }
    let rows = session::query(connection, &format!("SELECT * FROM {quoted}"))?;
    let mut digest = RowsDigest::default();
    rows.iter().for_each(|row| digest.add(row));
    Some(TableDigest { name: name.to_owned(), rows: digest, with_rowid: None })
}
