//! Who did what under a schedule, in lines that can be read.

use std::io::Write;

use anyhow::{Result, bail};
use serde::Serialize;
use tandem::TestCase;
use tandem::sql;
use tandem::testcase::Operation;

use crate::build::worker::Worker;
use crate::replay::Options;
use crate::replay::client::Client;
use crate::replay::protocol::{Job, TurnFrame};
use crate::source::NamedCase;

/// What one connection did without anybody else in between.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Line {
    /// Who.
    pub connection: u8,
    /// The operation, counted from 1, and the point in it at which this began.
    pub operation: usize,
    pub point: u32,
    /// The operation in words: the statement, or what it does.
    pub what: String,
    /// Whether the operation was begun before.
    pub goes_on: bool,
    /// The call of the VFS before which somebody else went on; `None` if the operation was done.
    pub stops_before: Option<String>,
    /// Calls of the VFS.
    pub calls: usize,
}

/// The interleaving of a case under its schedule.
///
/// # Errors
/// If no worker can be started.
pub(crate) fn of(named: &NamedCase, worker: &Worker, options: &Options) -> Result<Vec<Line>> {
    if named.case.schedule.is_empty() {
        return Ok(Vec::new());
    }
    let options = worker.options(Options { has_turns: true, ..options.clone() });
    let mut client = Client::new(&worker.program, &options)?;
    let body = named.case.encode();
    let job = Job { index: 1, target: named.target, heap_bytes: named.heap_bytes, body, exploration: None };
    let (outcomes, _) = client.run_watched(vec![job])?;
    let Some(outcome) = outcomes.into_iter().next() else {
        return Ok(Vec::new());
    };
    if let Some(message) = outcome.harness_error {
        bail!("{}: a worker failed, which is a bug in Tandem: {message}", named.name);
    }
    Ok(lines(&named.case, &outcome.result.turns))
}

/// Each operation in words.
fn in_words(case: &TestCase) -> Vec<String> {
    let text = case.sql.as_bytes();
    let mut statements =
        sql::statements(text).map(|range| String::from_utf8_lossy(&text[range]).trim().to_owned());
    let words = |operation: &Operation| match operation {
        Operation::Run { .. } => statements.next().unwrap_or_default(),
        operation if operation.takes_statement() => {
            format!("{operation}: {}", statements.next().unwrap_or_default())
        }
        operation => operation.to_string(),
    };
    case.operations.list().iter().map(words).collect()
}

fn lines(case: &TestCase, turns: &[TurnFrame]) -> Vec<Line> {
    let words = in_words(case);
    let mut lines: Vec<Line> = Vec::new();
    for turn in turns {
        let begins = turn.what == "begins";
        let is_new = lines.last().is_none_or(|last| {
            last.connection != turn.connection || last.operation != turn.operation || begins
        });
        if is_new {
            // Whoever ran before was stopped before the call with which it goes on.
            let unfinished = lines
                .iter_mut()
                .rev()
                .find(|line| line.connection == turn.connection && line.operation == turn.operation);
            if let Some(line) = unfinished.filter(|_| !begins) {
                line.stops_before = Some(turn.what.clone());
            }
            lines.push(Line {
                connection: turn.connection,
                operation: turn.operation,
                point: turn.point,
                what: words.get(turn.operation - 1).cloned().unwrap_or_default(),
                goes_on: !begins,
                stops_before: None,
                calls: 0,
            });
        }
        if let Some(last) = lines.last_mut().filter(|_| !begins) {
            last.calls += 1;
        }
    }
    lines
}

/// Prints an interleaving, a column per connection.
pub(crate) fn print(lines: &[Line], out: &mut dyn Write) -> Result<()> {
    const STATEMENT_CHARS: usize = 70;
    for line in lines {
        let indent = " ".repeat(4 + 4 * usize::from(line.connection));
        let mut what: String = line.what.chars().take(STATEMENT_CHARS).collect();
        if what.len() < line.what.len() {
            what.push_str("...");
        }
        let again = if line.goes_on { "goes on: " } else { "" };
        write!(out, "{indent}{}: {again}{what}", line.connection)?;
        if let Some(call) = &line.stops_before {
            write!(out, "  [stops before it {call}]")?;
        }
        writeln!(out)?;
    }
    Ok(())
}
