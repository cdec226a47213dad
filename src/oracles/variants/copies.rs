//! A copy says what the original says.
//!
//! What a script leaves is rebuilt by `VACUUM` (<https://sqlite.org/lang_vacuum.html>), also with another page size or
//! `auto_vacuum`, and by `REINDEX`, copied by `VACUUM INTO`, `sqlite3_serialize()` and a backup ([`images`]), and
//! written down as `INSERT`s that fill an empty database. Schema and rows must stay, and `integrity_check` must find nothing new. `VACUUM` may give rows other
//! rowids unless a column holds them (`INTEGER PRIMARY KEY`); then they are among the columns that are compared.
//!
//! # When nothing is said
//! * If the statement itself fails, other than by reporting damage: a script may have attached databases or set
//!   `query_only`.
//! * Dumping: of virtual tables, generated columns and what `INSERT` would change (triggers are created afterwards).

use super::compare::{self, Said};
use super::recheck::MEANINGS;
use super::{ASKED, Keeps, images, script};
use crate::engine::transcript::{EndState, RowsDigest};
use crate::engine::{Asked, Observation, Value};
use crate::oracles::excuse;
use crate::oracles::{Environment, Finding, Oracle, Signature, SkipReason, Verdict};
use crate::sql;
use crate::testcase::{Setting, TestCase};

/// Ends a transaction that the script left open.
const SETTLE: [&str; 2] = ["COMMIT", "ROLLBACK"];
/// Rows of a table that are written down at most.
const ROWS_MAX: usize = 500;

/// Modules whose virtual tables show how others are stored.
const SHOWING_STORAGE: [&str; 4] = ["dbstat", "sqlite_dbpage", "sqlite_memstat", "sqlite_dbdata"];

/// Ways to copy a database onto itself: name and statements.
const IN_PLACE: [(&str, &[&str]); 8] = [
    ("vacuum", &["VACUUM"]),
    ("vacuum-512", &["PRAGMA journal_mode=DELETE", "PRAGMA page_size=512", "VACUUM"]),
    ("vacuum-65536", &["PRAGMA journal_mode=DELETE", "PRAGMA page_size=65536", "VACUUM"]),
    ("vacuum-full", &["PRAGMA auto_vacuum=FULL", "VACUUM"]),
    ("vacuum-none", &["PRAGMA auto_vacuum=NONE", "VACUUM", "VACUUM"]),
    ("vacuum-memory", &["PRAGMA journal_mode=MEMORY", "PRAGMA cache_size=1", "VACUUM"]),
    ("reindex", &["REINDEX"]),
    ("reindex-spilling", &["PRAGMA cache_size=1", "REINDEX"]),
];

pub(crate) struct Copies;

impl Oracle for Copies {
    fn check(&self, case: &TestCase, _: &Observation, ask: &mut Environment<'_>) -> Verdict {
        judge(case, ask).unwrap_or_else(Verdict::Skip)
    }
}

fn judge(case: &TestCase, ask: &mut Environment<'_>) -> Result<Verdict, SkipReason> {
    if let Some(reason) = ask.why_no_answers() {
        return Err(reason);
    }
    if !ask.observation().cut_short.is_empty() {
        return Err(SkipReason::CheckCutShort);
    }
    if let Some(reason) = super::unsteady(ask.observation().taint) {
        return Err(reason);
    }
    if case.config.is_on(Setting::Utf16) {
        return Err(SkipReason::Excused("text comes back as UTF-16"));
    }
    let settled = ask.then(&strings(&SETTLE), Asked { has_end: true, ..Asked::default() })?;
    let has_external_content = excuse::virtual_tables(case).iter().any(|table| table.has_external_content);
    if script::mentions(case, &settled, &SHOWING_STORAGE) || has_external_content {
        return Err(SkipReason::Excused("tables that show how others are stored"));
    }
    let Some(end) = settled.end.filter(|end| end.integrity.as_ref().is_some_and(Vec::is_empty)) else {
        return Err(SkipReason::CheckCutShort);
    };
    let is_trivial = end.tables.iter().all(|table| table.rows.count == 0);
    let start = super::hash(case);
    let ways = IN_PLACE.len() + images::WAYS.len() + 2;
    let mut reason = Some(SkipReason::Excused("no copy"));
    for at in 0..ways {
        if at >= super::FEW && !ask.is_cheap_so_far() {
            break;
        }
        let (name, said) = match (start + at) % ways {
            0 => ("vacuum-into", vacuum_into(&end, ask)),
            1 => ("dump", dump(&end, ask)),
            way => match IN_PLACE.get(way - 2) {
                Some((name, statements)) => (*name, in_place(statements, &end, case, ask)),
                None => {
                    let way = &images::WAYS[way - 2 - IN_PLACE.len()];
                    (way.name, image(way, &end, case, ask))
                }
            },
        };
        match said {
            Ok(Said::Same { .. }) => {
                ask.count_check(is_trivial);
                reason = None;
            }
            Ok(Said::Nothing(why)) => reason = reason.map(|_| SkipReason::Excused(why)),
            Ok(Said::Differs(detail, message)) => {
                ask.count_check(false);
                let message = format!("{name}: {message}");
                return Ok(Verdict::Fail(Finding {
                    signature: Signature::new("copies", name, &detail),
                    message,
                }));
            }
            Err(SkipReason::BudgetUsedUp) => break,
            Err(other) => reason = reason.map(|_| other),
        }
    }
    reason.map_or(Ok(Verdict::Pass), Err)
}

fn strings(statements: &[&str]) -> Vec<String> {
    statements.iter().map(|statement| (*statement).to_owned()).collect()
}

/// Runs statements after the script, outside of a transaction. Returns what the statements themselves did, and the run.
fn after(
    statements: &[String],
    asked: Asked,
    ask: &mut Environment<'_>,
) -> Result<(usize, Observation), SkipReason> {
    let mut all = strings(&SETTLE);
    all.extend_from_slice(statements);
    let run = ask.then(&all, asked)?;
    if !run.cut_short.is_empty() {
        return Err(SkipReason::CheckCutShort);
    }
    let first = run.trace.statements.len().saturating_sub(statements.len());
    Ok((first, run))
}

fn in_place(
    statements: &[&str],
    end: &EndState,
    case: &TestCase,
    ask: &mut Environment<'_>,
) -> Result<Said, SkipReason> {
    let (first, run) = after(&strings(statements), Asked { has_values: false, ..ASKED }, ask)?;
    for statement in &run.trace.statements[first..] {
        let code = statement.code();
        if code.tells_of_damage() {
            return Ok(Said::Differs(
                "damage".to_owned(),
                format!("{} reports {}", statement.verb, code.name()),
            ));
        }
        if !code.is_success() {
            return Ok(Said::Nothing("it fails"));
        }
    }
    let Some(other) = &run.end else {
        return Ok(Said::Nothing("what is left cannot be read"));
    };
    Ok(match compare::ends_differ(end, other, Keeps::Rows, case) {
        Some((what, how)) => Said::Differs(what.to_owned(), how),
        None => Said::Same { is_trivial: false },
    })
}

/// A copy that a new connection reads.
fn image(
    way: &images::Way,
    end: &EndState,
    case: &TestCase,
    ask: &mut Environment<'_>,
) -> Result<Said, SkipReason> {
    if script::mentions(case, ask.observation(), &MEANINGS) {
        return Ok(Said::Nothing("the schema means something else to a new connection"));
    }
    images::copy(way, end, ask)
}

/// `VACUUM INTO` a file, which is then attached and read.
fn vacuum_into(end: &EndState, ask: &mut Environment<'_>) -> Result<Said, SkipReason> {
    let mut statements = strings(&["VACUUM INTO 'tandem_copy.db'", "ATTACH 'tandem_copy.db' AS tandem_copy"]);
    let tables = || end.tables.iter().filter(|table| !table.name.starts_with("sqlite_"));
    statements
        .extend(tables().map(|table| format!("SELECT * FROM tandem_copy.{}", sql::quoted(&table.name, '"'))));
    let (first, run) = after(&statements, Asked::default(), ask)?;
    let [vacuum, attach, reads @ ..] = &run.trace.statements[first..] else {
        return Ok(Said::Nothing("it fails"));
    };
    if vacuum.code().tells_of_damage() || (vacuum.code().is_success() && attach.code().tells_of_damage()) {
        return Ok(Said::Differs("damage".to_owned(), "the copy, or copying, reports damage".to_owned()));
    }
    if !vacuum.code().is_success() || !attach.code().is_success() {
        return Ok(Said::Nothing("it fails"));
    }
    for (table, read) in tables().zip(reads) {
        let mut digest = RowsDigest::default();
        read.values.iter().for_each(|row| digest.add(row));
        // A view or virtual table in the copy may refer to what is elsewhere.
        if read.code().is_success() && !digest.is_same_multiset(&table.rows) {
            let message =
                format!("{} has {} rows in the copy, not {}", table.name, digest.count, table.rows.count);
            return Ok(Said::Differs("table".to_owned(), message));
        }
    }
    Ok(Said::Same { is_trivial: false })
}

/// Writes the database down as SQL and runs that.
fn dump(end: &EndState, ask: &mut Environment<'_>) -> Result<Said, SkipReason> {
    let objects =
        |kind: &'static str| end.schema.iter().filter(move |[of, _, _, sql]| of == kind && !sql.is_empty());
    let is_odd = |[_, name, _, sql]: &[String; 4]| {
        let words = script::words(sql.as_bytes());
        name.starts_with("sqlite_")
            || words.iter().any(|word| ["virtual", "generated", "as", "strict"].contains(&word.as_str()))
    };
    if objects("table").any(is_odd) {
        return Ok(Said::Nothing("virtual tables, generated columns, or tables of SQLite's own"));
    }
    let reads: Vec<String> = objects("table")
        .map(|[_, name, ..]| format!("SELECT * FROM main.{}", sql::quoted(name, '"')))
        .collect();
    let (first, run) = after(&reads, Asked::default(), ask)?;
    let mut script = String::from("PRAGMA foreign_keys=OFF; BEGIN;\n");
    for ([_, name, _, sql], read) in objects("table").zip(&run.trace.statements[first..]) {
        if !read.code().is_success() || read.values.len() > ROWS_MAX {
            return Ok(Said::Nothing("tables too large, or unreadable"));
        }
        script += &format!("{sql};\n");
        for row in &read.values {
            let Some(values) = row.iter().map(literal).collect::<Option<Vec<String>>>() else {
                return Ok(Said::Nothing("values that SQL cannot write"));
            };
            script += &format!("INSERT INTO {} VALUES({});\n", sql::quoted(name, '"'), values.join(","));
        }
    }
    for kind in ["index", "view", "trigger"] {
        objects(kind).for_each(|[.., sql]| script += &format!("{sql};\n"));
    }
    script += "COMMIT;";
    let reloaded =
        TestCase { config: ask.case().config.with(Setting::RichSchema, 0), ..TestCase::from_sql(script) };
    let run = ask.run(&reloaded, Asked { has_values: false, ..ASKED })?;
    let succeeds = run.trace.statements.iter().all(|statement| statement.code().is_success());
    match &run.end {
        Some(other) if succeeds && run.cut_short.is_empty() => {
            Ok(match compare::ends_differ(end, other, Keeps::Rows, ask.case()) {
                Some((what, how)) => Said::Differs(what.to_owned(), how),
                None => Said::Same { is_trivial: false },
            })
        }
        // CHECK constraints may be random, and quoted names may be texts.
        _ => Ok(Said::Nothing("the dump cannot be read back")),
    }
}

/// A value as SQL; `None` for one that has no literal.
fn literal(value: &Value) -> Option<String> {
    Some(match value {
        Value::Null => "NULL".to_owned(),
        Value::Integer(n) if *n == i64::MIN => "(-9223372036854775807-1)".to_owned(),
        Value::Integer(n) => n.to_string(),
        // Not all versions read all digits of a number back to the same one.
        Value::Real(x) if x.fract() == 0.0 && x.abs() < 1e15 => format!("{x:.1}"),
        Value::Real(_) => return None,
        Value::Text(text) if text.contains(&0) => return None,
        Value::Text(text) => format!("'{}'", std::str::from_utf8(text).ok()?.replace('\'', "''")),
        Value::Blob(blob) => {
            format!("x'{}'", blob.iter().map(|byte| format!("{byte:02x}")).collect::<String>())
        }
    })
}
