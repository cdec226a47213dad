//! Comparison of a run with that of a variant.

use super::Keeps;
use crate::engine::transcript::{EndState, RowsDigest, TableDigest};
use crate::engine::{Observation, StatementTrace};
use crate::oracles::answers::rows;
use crate::oracles::integrity;
use crate::testcase::TestCase;

/// What the comparison says.
pub(crate) enum Said {
    /// The two agree; it is trivial if there was nothing that could have differed.
    Same { is_trivial: bool },
    /// Nothing, for this reason.
    Nothing(&'static str),
    /// They do not: what, for the signature, and how.
    Differs(String, String),
}

/// Compares the statements for which `compared` is true, and what is left. In the variant, `before` bytes precede the
/// script.
pub(super) fn difference(
    own: &Observation,
    other: &Observation,
    before: usize,
    compared: &[bool],
    keeps: Keeps,
    case: &TestCase,
) -> Said {
    let others = other.trace.statements.iter().filter(|statement| statement.sql.start >= before);
    let mut has_rows = false;
    for ((one, other), _) in
        own.trace.statements.iter().zip(others.clone()).zip(compared).filter(|(_, is)| **is)
    {
        let (code, other_code) = (one.code(), other.code());
        if code.is_success() != other_code.is_success() {
            if keeps == Keeps::Answers && !other_code.tells_of_damage() {
                // An expression that fails may or may not be evaluated, and rows may be changed in another order.
                return Said::Nothing("it fails when asked otherwise");
            }
            let message =
                format!("{} instead of {} at byte {}", other_code.name(), code.name(), one.sql.start);
            return Said::Differs(format!("success-{}", one.verb), message);
        }
        has_rows |= !one.values.is_empty();
        if !code.is_success() || one.values == other.values {
            continue;
        }
        if let Some(said) = rows_differ(one, other, keeps) {
            return said;
        }
    }
    if others.count() != own.trace.statements.len() {
        return Said::Nothing("another number of statements");
    }
    match (&own.end, &other.end) {
        (Some(own), Some(other)) => match ends_differ(own, other, keeps, case) {
            Some((what, how)) => Said::Differs(what.to_owned(), how),
            None => {
                Said::Same { is_trivial: !has_rows && own.tables.iter().all(|table| table.rows.count == 0) }
            }
        },
        _ => Said::Nothing("what is left cannot be read"),
    }
}

fn rows_differ(one: &StatementTrace, other: &StatementTrace, keeps: Keeps) -> Option<Said> {
    let difference = rows::difference(&one.values, &other.values)?;
    if keeps == Keeps::Answers && rows::is_same_but_representatives(&one.values, &other.values) {
        return Some(Said::Nothing("which of several equal values represents them"));
    }
    let message = format!("{difference}, at byte {}", one.sql.start);
    Some(Said::Differs(format!("rows-{}", one.verb), message))
}

/// How what is left differs: for the signature, and for people.
pub(super) fn ends_differ(
    own: &EndState,
    other: &EndState,
    keeps: Keeps,
    case: &TestCase,
) -> Option<(&'static str, String)> {
    if let (Some([]), Some(problems)) = (own.integrity.as_deref(), &other.integrity)
        && let Some(problem) = problems.iter().find(|problem| integrity::excuse_of(problem, case).is_none())
    {
        return Some(("integrity", format!("integrity_check: {problem}")));
    }
    // A copy has that table only if a table that is left has AUTOINCREMENT, which a dropped one may have had.
    let is_kept = |name: &str| keeps != Keeps::Rows || name != "sqlite_sequence";
    let schema = |state: &'_ EndState| -> Vec<[String; 4]> {
        state.schema.iter().filter(|[_, name, ..]| is_kept(name)).cloned().collect()
    };
    let (own_schema, other_schema) = (schema(own), schema(other));
    if own_schema != other_schema {
        let differs = own_schema.iter().zip(&other_schema).find(|(own, other)| own != other);
        return Some(("schema", format!("the schema is another at the end: {differs:?}")));
    }
    let is_same = |own: &RowsDigest, other: &RowsDigest| match keeps {
        Keeps::Programs | Keeps::Rows => own.is_same_multiset(other),
        Keeps::Answers => own.is_same_but_for_digits(other),
    };
    let differs = |(own, other): &(&TableDigest, &TableDigest)| {
        let rowids_differ = match (&own.with_rowid, &other.with_rowid) {
            (Some(own), Some(other)) => keeps == Keeps::Programs && !own.is_same_multiset(other),
            _ => false,
        };
        own.name == other.name
            && !is_of_samples(&own.name)
            && (rowids_differ || !is_same(&own.rows, &other.rows))
    };
    // A table that only one of the two could read says nothing.
    let tables = |state: &'_ EndState| -> Vec<TableDigest> {
        state.tables.iter().filter(|table| is_kept(&table.name)).cloned().collect()
    };
    let (own_tables, other_tables) = (tables(own), tables(other));
    if own_tables.len() != other_tables.len() {
        return None;
    }
    own_tables.iter().zip(&other_tables).find(differs).map(|(own, other)| {
        let (count, others) = (own.rows.count, other.rows.count);
        ("table", format!("table {} has other rows at the end ({count} versus {others})", own.name))
    })
}

/// Tables with statistics that depend on how rows are stored: samples are records, and so are the terms of `ANALYZE`.
fn is_of_samples(name: &str) -> bool {
    name.eq_ignore_ascii_case("sqlite_stat4") || name.eq_ignore_ascii_case("sqlite_stat3")
}
