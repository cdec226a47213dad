//! Operations.

use std::ops::Range;

use super::{Part, Pass};
use crate::testcase::{Bound, Operation, TestCase};

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
        _ => {}
    }
    [low, small].into_iter()
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
