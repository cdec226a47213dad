//! Which connection does what: the operations of a case, divided among those who take turns.

use std::ops::Range;

use crate::testcase::{CONNECTIONS_MAX, Operation, STATEMENTS_MAX};

/// An operation to perform.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Step {
    /// Who performs it: a connection, and those that a backup joins to it are one.
    pub actor: u8,
    /// Its position in the list.
    pub number: usize,
    pub operation: Operation,
    /// The statement of the script that it takes.
    pub statement: Option<Range<usize>>,
}

/// The actor of each connection: a backup uses two at once, so the two never run at the same time.
pub(super) fn actors(operations: &[Operation]) -> [u8; CONNECTIONS_MAX as usize] {
    let mut actors: [u8; CONNECTIONS_MAX as usize] = std::array::from_fn(|id| id as u8);
    for operation in operations {
        if let Operation::BackupStart { from, to } | Operation::BackupStartAs { from, to, .. } = operation {
            let [a, b] = [from, to].map(|id| actors[usize::from(id % CONNECTIONS_MAX)]);
            actors.iter_mut().filter(|actor| **actor == a.max(b)).for_each(|actor| *actor = a.min(b));
        }
    }
    actors
}

/// The operations that can be performed, in the order written, each with its actor. A statement is used by the actor that
/// prepared it; if another one prepares one in its place, it is finalized first.
pub(super) fn plan(
    operations: &[Operation],
    statements: &mut dyn Iterator<Item = Range<usize>>,
) -> Vec<Step> {
    let actors = actors(operations);
    let mut owners = [None; STATEMENTS_MAX as usize];
    let (mut steps, mut last) = (Vec::with_capacity(operations.len()), actors[0]);
    for (number, operation) in operations.iter().enumerate() {
        let taken = operation.takes_statement().then(|| statements.next());
        if let Some(None) = taken {
            continue;
        }
        let actor = match operation {
            Operation::Bind { statement, .. }
            | Operation::BindAs { statement, .. }
            | Operation::AskStatement { statement, .. }
            | Operation::Step { statement, .. }
            | Operation::Reset { statement, .. }
            | Operation::Finalize { statement } => match owners[usize::from(statement % STATEMENTS_MAX)] {
                Some(owner) => owner,
                None => continue,
            },
            other => match other.clone().connection_mut() {
                Some(connection) => actors[usize::from(*connection % CONNECTIONS_MAX)],
                None => last,
            },
        };
        if let Operation::Prepare { statement, .. } | Operation::PrepareAs { statement, .. } = operation {
            let before = owners[usize::from(statement % STATEMENTS_MAX)].replace(actor);
            if let Some(before) = before.filter(|&before| before != actor) {
                let operation = Operation::Finalize { statement: *statement };
                steps.push(Step { actor: before, number, operation, statement: None });
            }
        }
        last = actor;
        steps.push(Step { actor, number, operation: operation.clone(), statement: taken.flatten() });
    }
    steps
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_backup_joins_two_connections() {
        let backup = |from, to| Operation::BackupStart { from, to };
        assert_eq!(actors(&[]), [0, 1, 2, 3]);
        assert_eq!(actors(&[backup(3, 1)]), [0, 1, 2, 1]);
        assert_eq!(actors(&[backup(3, 1), backup(7, 2), backup(0, 0)]), [0, 1, 1, 1]);
    }

    #[test]
    fn statements_belong_to_who_prepares_them() {
        let (prepare, step) = (
            |connection, statement| Operation::Prepare { connection, statement },
            |statement| Operation::Step { statement, rows: 1 },
        );
        let list = [
            step(0),
            prepare(1, 0),
            step(8),
            prepare(2, 0),
            step(0),
            Operation::PassTime { milliseconds: 1 },
            Operation::Run { connection: 0 },
            Operation::Run { connection: 0 },
        ];
        let mut statements = [0..1, 1..2, 2..3].into_iter();
        let steps = plan(&list, &mut statements);
        let told: Vec<(u8, usize)> = steps.iter().map(|step| (step.actor, step.number)).collect();
        assert_eq!(told, [(1, 1), (1, 2), (1, 3), (2, 3), (2, 4), (2, 5), (0, 6)]);
        assert_eq!(steps[2].operation, Operation::Finalize { statement: 0 });
    }
}
