//! Compares the statements of two runs, one by one.

use rusqlite::ffi;

use super::doubt::{Doubts, Reading};
use super::open::{self, Place, Warning};
use super::{Class, Comparison, Difference, Policy, Said, Side, UNKNOWN, code_text};
use crate::engine::transcript::StatementRecord;
use crate::engine::{Code, Transcript};
use crate::testcase::TestCase;

/// Longest text of a statement in a [`Difference`], in bytes.
const SQL_BYTES_MAX: usize = 4000;

/// Codes for a limit that was reached. How much a version needs is its own business.
const LIMIT_CODES: [i32; 4] =
    [ffi::SQLITE_NOMEM, ffi::SQLITE_INTERRUPT, ffi::SQLITE_FULL, ffi::SQLITE_TOOBIG];

/// Taints that do not affect what two engines have to agree on.
const HARMLESS_TAINTS: [&str; 4] = ["attached-file", "unchecked-rows", "like-changed", LIMITS_TAINT];
/// With this taint a statement may be too much for one version and not for the other.
const LIMITS_TAINT: &str = "limits";

/// Verbs of statements that change nothing.
const QUERIES: [&str; 4] = ["SELECT", "VALUES", "WITH", "EXPLAIN"];

/// Compares all statements; true if both are in the same state at the end, as far as can be determined.
pub(super) fn compare_all(
    case: &TestCase,
    a: &Transcript,
    b: &Transcript,
    policy: &Policy,
    doubts: &mut Doubts,
    comparison: &mut Comparison,
) -> bool {
    let (whole_a, whole_b) = (whole(a), whole(b));
    // If one side cannot prepare a query, it does not run the rest of the same piece of the script.
    let mut has_failed_apart = false;
    for (index, (a, b)) in whole_a.iter().zip(whole_b).enumerate() {
        let mut taints = a.taints.iter().chain(&b.taints);
        if let Some(taint) = taints.find(|taint| !HARMLESS_TAINTS.contains(&taint.as_str())) {
            let reason = format!("tainted: {taint}");
            comparison.mark(&a.sql, Said::Skipped(reason.clone()));
            comparison.skip(reason);
            return false;
        }
        if a.sql.start != b.sql.start && has_failed_apart {
            comparison.skip("after a difference");
            return false;
        }
        if a.sql.start != b.sql.start {
            comparison.add(uneven(case, a, "another statement"), None);
            return false;
        }
        has_failed_apart |= Code(a.code).is_success() != Code(b.code).is_success();
        let reading = Reading::of(text(case, a), policy);
        let doubt = doubts.of_statement(&reading);
        let pair = Pair { a, b, reading: &reading, policy };
        match pair.judge(doubt.tells) {
            Judgement::Same => {
                comparison.statements += 1;
                // What neither knows, or what needs something that neither made, shows nothing.
                let is_refused = policy.skips_unknown_statements && a.explain_fails && b.explain_fails;
                let refused = || Said::Skipped("refused by both".to_owned());
                comparison.mark(&a.sql, if is_refused { refused() } else { Said::Same });
            }
            Judgement::Skip(reason) => {
                comparison.mark(&a.sql, Said::Skipped(reason.to_owned()));
                comparison.skip(reason);
                if !pair.leaves_all_as_it_is() {
                    return false;
                }
            }
            Judgement::Differs(class) => {
                comparison.statements += 1;
                let warning = open::warning(&pair, class, doubt);
                let place = warning.as_ref().filter(|it| it.is_refutable).map(|_| Place::Statement(index));
                let index = comparison.add(pair.difference(class, warning.as_ref(), text(case, a)), place);
                comparison.mark(&a.sql, Said::Differs(index));
                if !pair.leaves_all_as_it_is() {
                    comparison.skip("after a difference");
                    return false;
                }
            }
        }
        doubts.note_write(&reading, doubt, a.is_read_only && b.is_read_only);
    }
    if a.is_cut_short || b.is_cut_short {
        comparison.skip("cut short");
        return false;
    }
    match (whole_a.len(), whole_b.len()) {
        (count_a, count_b) if count_a != count_b && has_failed_apart => {
            comparison.skip("after a difference");
        }
        (more, less) if more > less => _ = comparison.add(uneven(case, &whole_a[less], "nothing"), None),
        (less, more) if less < more => _ = comparison.add(uneven(case, &whole_b[less], "nothing"), None),
        _ => return true,
    }
    false
}

/// Marks the statements behind the place where the comparison ended.
pub(super) fn mark_rest(a: &Transcript, b: &Transcript, policy: &Policy, comparison: &mut Comparison) {
    for (a, b) in whole(a).iter().zip(whole(b)).skip(comparison.marks.len()) {
        let is_unknown = policy.skips_unknown_statements && (a.explain_fails || b.explain_fails);
        let said = if is_unknown { Said::Skipped(UNKNOWN.to_owned()) } else { Said::Behind };
        comparison.mark(&a.sql, said);
    }
}

/// The statements that are known completely.
fn whole(transcript: &Transcript) -> &[StatementRecord] {
    let all = transcript.statements.as_slice();
    if transcript.is_cut_short { all.split_last().map_or(all, |(_, rest)| rest) } else { all }
}

fn text<'a>(case: &'a TestCase, record: &StatementRecord) -> &'a [u8] {
    case.sql.as_bytes().get(record.sql.clone()).unwrap_or_default().trim_ascii()
}

/// One ran a statement that the other did not.
fn uneven(case: &TestCase, record: &StatementRecord, other: &str) -> Difference {
    let sql = sql_text(text(case, record));
    Difference {
        class: Class::Statements,
        detail: record.verb.clone(),
        warning: None,
        message: format!("one ran `{sql}`, the other {other}"),
        sql,
        sides: [Side::default(), Side::default()],
    }
}

pub(super) fn sql_text(text: &[u8]) -> String {
    String::from_utf8_lossy(&text[..text.len().min(SQL_BYTES_MAX)]).into_owned()
}

enum Judgement {
    Same,
    Skip(&'static str),
    Differs(Class),
}

/// A statement on both sides.
pub(super) struct Pair<'a> {
    pub(super) a: &'a StatementRecord,
    pub(super) b: &'a StatementRecord,
    pub(super) reading: &'a Reading,
    policy: &'a Policy,
}

impl Pair<'_> {
    fn judge(&self, tells: Option<&'static str>) -> Judgement {
        let (a, b) = (Code(self.a.code), Code(self.b.code));
        if [a, b].iter().any(|code| LIMIT_CODES.contains(&code.primary())) {
            return Judgement::Skip("a limit was reached");
        }
        if self.policy.skips_unknown_statements {
            match (self.a.explain_fails, self.b.explain_fails) {
                (true, true) => return Judgement::Same,
                // The other may have failed as it ran, and rolled back.
                (true, false) | (false, true) => return Judgement::Skip(UNKNOWN),
                (false, false) => {}
            }
        }
        let Some(class) = self.class(a, b) else {
            return Judgement::Same;
        };
        match tells {
            // Even a missing function or pragma says nothing about its result.
            Some(reason) => Judgement::Skip(reason),
            None => Judgement::Differs(class),
        }
    }

    fn class(&self, a: Code, b: Code) -> Option<Class> {
        let (rows_a, rows_b) = (&self.a.rows, &self.b.rows);
        match (a.is_success(), b.is_success()) {
            (true, true) if rows_a.is_same_multiset(rows_b) => {
                let is_ordered = self.reading.has_top_order && rows_a.ordered != rows_b.ordered;
                is_ordered.then_some(Class::Order)
            }
            (true, true) if rows_a.is_same_but_for_digits(rows_b) => Some(Class::Digits),
            (true, true) if rows_a.count == 0 || rows_b.count == 0 => Some(Class::RowsAgainstNone),
            (true, true) => Some(Class::Rows),
            (false, false) => (self.policy.compares_codes && !is_same_failure(a, b)).then_some(Class::Code),
            _ => Some(Class::Error),
        }
    }

    /// Whether both could prepare the statement, and one failed with a generic error.
    pub(super) fn fails_as_it_runs(&self) -> bool {
        let is_prepared = !(self.a.explain_fails || self.b.explain_fails);
        is_prepared && [self.a, self.b].iter().any(|side| side.code == ffi::SQLITE_ERROR)
    }

    /// Whether both could prepare the statement, and a constraint, a value or a function failed on a row of it.
    pub(super) fn both_fail_on_a_row(&self) -> bool {
        const OF_ROWS: [i32; 3] = [ffi::SQLITE_CONSTRAINT, ffi::SQLITE_MISMATCH, ffi::SQLITE_ERROR];
        let is_prepared = !(self.a.explain_fails || self.b.explain_fails);
        let codes = [self.a, self.b].map(|side| Code(side.code).primary());
        // A constraint is one of a statement that writes.
        let has_constraint = codes.iter().any(|code| *code != ffi::SQLITE_ERROR);
        is_prepared && has_constraint && codes.iter().all(|code| OF_ROWS.contains(code))
    }

    /// Whether the script lowered a limit.
    pub(super) fn has_lowered_limits(&self) -> bool {
        self.a.taints.iter().any(|taint| taint == LIMITS_TAINT)
    }

    /// Whether the keys of the rows are the same in order; `None` if they are not known.
    pub(super) fn has_same_keys(&self) -> Option<bool> {
        Some(self.a.keys? == self.b.keys?)
    }

    /// Whether the two are in the same state after the statement, whatever its result was.
    fn leaves_all_as_it_is(&self) -> bool {
        let succeeded = [self.a, self.b].into_iter().filter(|side| Code(side.code).is_success());
        let is_query =
            QUERIES.contains(&self.a.verb.as_str()) && succeeded.into_iter().all(|side| side.is_read_only);
        is_query || self.reading.is_idle_pragma
    }

    fn difference(&self, class: Class, warning: Option<&Warning>, text: &[u8]) -> Difference {
        let verb = &self.a.verb;
        let names = [self.a, self.b].map(|side| {
            let code = Code(side.code);
            if code.is_success() { "success" } else { code.name() }
        });
        let detail = match class {
            Class::Error | Class::Code => {
                let messages = [self.a, self.b].map(|side| side.message.as_str());
                let words = messages.into_iter().find(|message| !message.is_empty()).map(plain_words);
                format!("{verb}-{}-{}-{}", names[0], names[1], words.unwrap_or_default())
            }
            _ => verb.clone(),
        };
        let sides = [self.a, self.b].map(|side| Side {
            code: side.code,
            message: side.message.clone(),
            shown: side.sample.clone(),
        });
        let sql = sql_text(text);
        let (shown_a, shown_b) = (shown(self.a), shown(self.b));
        let message = format!("`{sql}`\nA: {shown_a}\nB: {shown_b}");
        Difference { class, detail, warning: warning.map(|it| it.reason.to_owned()), sql, sides, message }
    }
}

/// True if the two codes differ at most in that one is more specific.
fn is_same_failure(a: Code, b: Code) -> bool {
    let is_plain = |code: Code| code.0 == code.primary();
    a == b || a.primary() == b.primary() && (is_plain(a) || is_plain(b))
}

/// Words of messages that may be part of a signature: SQLite's own, none of the case.
const WORDS: [&str; 52] = [
    "such",
    "function",
    "column",
    "table",
    "view",
    "index",
    "trigger",
    "module",
    "collation",
    "syntax",
    "error",
    "token",
    "wrong",
    "number",
    "arguments",
    "misuse",
    "aggregate",
    "window",
    "ambiguous",
    "constraint",
    "failed",
    "unique",
    "foreign",
    "key",
    "check",
    "type",
    "mismatch",
    "overflow",
    "unsafe",
    "use",
    "rename",
    "rowid",
    "alias",
    "qualified",
    "names",
    "allowed",
    "values",
    "columns",
    "row",
    "malformed",
    "json",
    "path",
    "locked",
    "readonly",
    "modify",
    "terms",
    "recursive",
    "circular",
    "reference",
    "already",
    "exists",
    "unable",
];
/// How many of them a signature has at most.
const WORDS_MAX: usize = 5;

/// A message without the names and numbers of the case; tells people which bug a difference is.
fn plain_words(message: &str) -> String {
    let words = message.split(|c: char| !c.is_ascii_alphabetic()).map(str::to_ascii_lowercase);
    let known: Vec<String> = words.filter(|word| WORDS.contains(&word.as_str())).take(WORDS_MAX).collect();
    if known.is_empty() { "other".to_owned() } else { known.join("-") }
}

fn shown(record: &StatementRecord) -> String {
    let code = Code(record.code);
    if !code.is_success() {
        return format!("{}: {}", code_text(record.code), record.message);
    }
    let more = if record.rows.count as usize > record.sample.len() { ", ..." } else { "" };
    format!("{} rows: {}{more}", record.rows.count, record.sample.join(", "))
}
