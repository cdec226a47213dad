//! Histories of lists and registers, of cases whose statements make some: see [`crate::histories`].

use super::{Environment, Finding, Oracle, Signature, SkipReason, Verdict, tainted, unfit};
use crate::engine::{Asked, Observation, StatementTrace, Taint, Value};
use crate::histories::{
    Completion, Event, Form, HistoryBuilder, LIST_TABLE, REGISTER_TABLE, check, recognise,
};
use crate::testcase::TestCase;

pub(crate) struct Histories;

impl Oracle for Histories {
    fn check(&self, case: &TestCase, observation: &Observation, ask: &mut Environment<'_>) -> Verdict {
        let script = case.sql.as_bytes();
        let mentions =
            |name: &str| script.windows(name.len()).any(|part| part.eq_ignore_ascii_case(name.as_bytes()));
        if !mentions(LIST_TABLE) && !mentions(REGISTER_TABLE) {
            return Verdict::Skip(SkipReason::NoHistory);
        }
        if let Some(reason) = unfit(case, observation).or_else(|| tainted(observation, &EXCUSES)) {
            return Verdict::Skip(reason);
        }
        if case.files.main().is_some() {
            return Verdict::Skip(SkipReason::Excused("a database with a history of its own"));
        }
        let with_rows = match ask.run(case, Asked { has_values: true, ..Asked::NOTHING }) {
            Ok(run) => run,
            Err(reason) => return Verdict::Skip(reason),
        };
        let mut builder = HistoryBuilder::new([]);
        for statement in &with_rows.trace.statements {
            add(statement, script, &mut builder);
        }
        let history = match builder.finish() {
            Ok(history) => history,
            Err(_) => return Verdict::Skip(SkipReason::Excused("no history that can be read")),
        };
        ask.count_check(history.len() < 2);
        match check(&history).first() {
            Some(anomaly) => Verdict::Fail(Finding {
                signature: Signature::new("histories", anomaly.kind.name(), "-"),
                message: anomaly.to_string(),
            }),
            None => Verdict::Pass,
        }
    }
}

/// Taints after which the promises do not hold.
const EXCUSES: [Taint; 5] =
    [Taint::JOURNAL_OFF, Taint::WRITABLE_SCHEMA, Taint::DBPAGE, Taint::HEAP_LIMIT, Taint::LIMITS];

fn add(statement: &StatementTrace, script: &[u8], builder: &mut HistoryBuilder) {
    let text = script.get(statement.sql.clone()).unwrap_or_default();
    // A checkpoint of the interface neither reads nor writes rows.
    let form = if statement.sql.is_empty() { Form::Other } else { recognise(text) };
    let completion = match statement.code() {
        code if code.is_success() => Completion::Done,
        code if matches!(code.primary(), super::BUSY | super::LOCKED) => Completion::Busy,
        _ => Completion::Failed,
    };
    let rows: Vec<Vec<Option<String>>> =
        statement.values.iter().map(|row| row.iter().map(text_of).collect()).collect();
    let (process, started, finished, is_autocommit) = match statement.place {
        Some(place) => (place.connection, place.began.event, place.done.event, place.is_autocommit),
        // Those behind the last operation run on connection 0, alone.
        None => (0, u64::MAX / 2, u64::MAX / 2, true),
    };
    builder.add(&Event { process, form: &form, started, finished, completion, rows: &rows, is_autocommit });
}

fn text_of(value: &Value) -> Option<String> {
    match value {
        Value::Null => None,
        Value::Integer(number) => Some(number.to_string()),
        Value::Text(text) => Some(String::from_utf8_lossy(text).into_owned()),
        other => Some(format!("{other:?}")),
    }
}
