//! Operations.

use std::ops::Range;

use super::{Part, Pass};
use crate::testcase::{Behaviour, Bound, OpenOptions, Operation, Parameter, Supplied, TestCase};

/// Statements that no operation takes run on this connection.
const PLAIN: Operation = Operation::Run { connection: 0 };

/// Operations, from all of them down to one. If a removed operation takes a statement, connection 0 runs that statement
/// instead, so the statements after it keep their places; removing the statement itself is left to another pass.
pub(super) struct Operations;

impl Pass for Operations {
    fn name(&self) -> &'static str {
        "operations"
    }

    fn part(&self) -> Part {
        Part::Operations
    }

    fn count(&self, case: &TestCase) -> usize {
        case.operations.list().len()
    }

    fn without(&self, case: &TestCase, places: Range<usize>) -> Option<TestCase> {
        let mut kept = Vec::new();
        for (at, operation) in case.operations.list().iter().enumerate() {
            match operation {
                operation if !places.contains(&at) => kept.push(operation.clone()),
                operation if operation.takes_statement() => kept.push(PLAIN),
                _ => {}
            }
        }
        while kept.last() == Some(&PLAIN) {
            kept.pop();
        }
        with_operations(case, kept)
    }
}

/// The case with other operations; `None` if they are the same.
fn with_operations(case: &TestCase, operations: Vec<Operation>) -> Option<TestCase> {
    if operations == case.operations.list() {
        return None;
    }
    Some(TestCase { operations: crate::testcase::Operations::new(operations), ..case.clone() })
}

/// An operation in a simpler form.
pub(super) struct Details;

/// Each operation that can be simplified, with its place.
fn simpler(case: &TestCase) -> Vec<(usize, Operation)> {
    let list = case.operations.list();
    let new = list.iter().enumerate().flat_map(|(at, operation)| forms(operation).map(move |new| (at, new)));
    new.filter(|(at, new)| *new != list[*at]).collect()
}

fn forms(operation: &Operation) -> impl Iterator<Item = Operation> {
    use Operation as O;
    let mut low = operation.clone();
    if let Some(connection) = low.connection_mut() {
        *connection = connection.saturating_sub(1);
    }
    let mut small = operation.clone();
    match &mut small {
        O::Prepare { connection, .. } => small = O::Run { connection: *connection },
        O::Step { rows, .. } => *rows /= 2,
        O::Bind { value, .. } => *value = smaller(value),
        O::BlobRead { offset, bytes, .. } => (*offset, *bytes) = (*offset / 2, *bytes / 2),
        O::BlobWrite { content, .. } => content.truncate(content.len() / 2),
        O::PassTime { milliseconds } => *milliseconds /= 2,
        O::Open { is_read_only, .. } | O::Deserialize { is_read_only, .. } => *is_read_only = false,
        other => simplify_call(other),
    }
    [low, small].into_iter()
}

/// Puts the plainer operation in place of another where there is one, and makes numbers smaller.
fn simplify_call(operation: &mut Operation) {
    use Operation as O;
    match operation {
        O::PrepareAs { connection, statement, .. } => {
            *operation = O::Prepare { connection: *connection, statement: *statement };
        }
        O::Execute { connection, .. } => *operation = O::Run { connection: *connection },
        O::BindAs { statement, parameter: Parameter::Number(parameter), value: Supplied::Plain(value) } => {
            *operation = O::Bind { statement: *statement, parameter: *parameter, value: value.clone() };
        }
        O::BindAs { value: Supplied::Text16(text), .. } => text.truncate(text.len() / 2),
        O::OpenAs { options, .. } if *options != OpenOptions::default() => simplify_options(options),
        O::OpenAs { connection, file, .. } => {
            *operation = O::Open { connection: *connection, file: file.clone(), is_read_only: false };
        }
        O::CloseLater { connection } => *operation = O::Close { connection: *connection },
        O::BackupStartAs { from_schema, to_schema, .. } if from_schema != "main" || to_schema != "main" => {
            (*from_schema, *to_schema) = ("main".to_owned(), "main".to_owned());
        }
        O::BackupStartAs { from, to, .. } => *operation = O::BackupStart { from: *from, to: *to },
        O::BlobOpenAs { connection, table, column, row, is_writable, .. } => {
            let (table, column) = (table.clone(), column.clone());
            let (connection, row, is_writable) = (*connection, *row, *is_writable);
            *operation = O::BlobOpen { connection, table, column, row, is_writable };
        }
        O::SerializeAs { connection, .. } => *operation = O::Serialize { connection: *connection },
        O::DeserializeAs { room, .. } if *room > 0 => *room /= 2,
        O::DeserializeAs { connection, is_read_only, .. } => {
            *operation = O::Deserialize { connection: *connection, is_read_only: *is_read_only };
        }
        O::SessionCreate { connection, .. } => *operation = O::SessionStart { connection: *connection },
        O::SessionStream { connection, is_patchset, .. } => {
            *operation = O::SessionTake { connection: *connection, is_patchset: *is_patchset };
        }
        O::ChangesetPut { content } => content.truncate(content.len().saturating_sub(1)),
        O::Changeset { action, .. } => {
            if let Some(chunk) = action.chunk_mut() {
                *chunk /= 2;
            }
        }
        O::BusyHandler { calls, .. } => *calls /= 2,
        O::BusyTimeout { milliseconds, .. } => *milliseconds /= 2,
        O::InterruptAfter { calls: count, .. } | O::Authorize { request: count, .. } => {
            *count = (*count / 2).max(1).min(*count);
        }
        O::CreateFunction { flags, .. } if *flags != 0 => *flags &= *flags - 1,
        O::CreateFunction { behaviour, .. } => *behaviour = Behaviour::Plain,
        _ => {}
    }
}

/// Takes the first option away that is not the default.
fn simplify_options(options: &mut OpenOptions) {
    let plain = OpenOptions::default();
    let simpler = [
        OpenOptions { is_utf16: false, ..*options },
        OpenOptions { is_immutable: false, ..*options },
        OpenOptions { has_no_locks: false, ..*options },
        OpenOptions { is_powersafe: None, ..*options },
        OpenOptions { shares_cache: None, ..*options },
    ];
    *options = simpler.into_iter().find(|simpler| simpler != options).unwrap_or(plain);
}

fn smaller(value: &Bound) -> Bound {
    match value {
        Bound::Text(text) if !text.is_empty() => Bound::Text(text[..text.len() / 2].to_vec()),
        Bound::Blob(blob) if !blob.is_empty() => Bound::Blob(blob[..blob.len() / 2].to_vec()),
        Bound::ZeroBlob(bytes) if *bytes > 0 => Bound::ZeroBlob(bytes / 2),
        Bound::Integer(integer) if *integer != 0 => Bound::Integer(integer / 2),
        _ => Bound::Null,
    }
}

impl Pass for Details {
    fn name(&self) -> &'static str {
        "operations"
    }

    fn part(&self) -> Part {
        Part::Operations
    }

    fn count(&self, case: &TestCase) -> usize {
        simpler(case).len()
    }

    fn without(&self, case: &TestCase, places: Range<usize>) -> Option<TestCase> {
        let (at, operation) = simpler(case).into_iter().nth(places.start)?;
        let mut operations = case.operations.list().to_vec();
        operations[at] = operation;
        with_operations(case, operations)
    }

    fn is_divisible(&self) -> bool {
        false
    }
}
