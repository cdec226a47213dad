//! The results of a run that must be the same on another engine or version.
//!
//! A [`super::Trace`] is compared with a second run of the same build and may hold whatever is the same there: VM
//! steps, bytes of files. A [`Transcript`] is compared, in another process, with that of a different program: results,
//! and the contents of the tables, whatever the bytes look like.
//!
//! Rows are compared as multisets ([`RowsDigest`]): without `ORDER BY`, and within equal keys with it, SQL does not
//! define their order.

use std::fmt::Write as _;
use std::ops::Range;

use serde::{Deserialize, Serialize};
use twox_hash::XxHash3_64;

use super::{Code, Observation, Value, order_keys};

/// Digits of a number on which versions of SQLite agree that convert floating-point numbers differently: an R-Tree
/// keeps 7, and one bit of that may differ.
const DIGITS: usize = 6;
/// A longer run of digits without a point, in a text, may come from a floating-point number.
const INTEGER_DIGITS: usize = 12;
/// Rows of a result that are kept as text, for people.
const SAMPLE_ROWS_MAX: usize = 6;
/// Their total size in bytes.
const SAMPLE_BYTES_MAX: usize = 400;
/// Bytes of a message that are kept.
const MESSAGE_BYTES_MAX: usize = 300;

/// The results of a run.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Transcript {
    /// The statements in the order in which they ran.
    pub statements: Vec<StatementRecord>,
    /// True if the run ended because its budget, or the number of rows that the case allows, was used up: the last
    /// statement is then incomplete.
    pub is_cut_short: bool,
    /// Whether the engine found the database sound before the first statement.
    pub is_healthy_at_start: bool,
    /// What is left after the last statement, on the same connection; `None` if the run was cut short, or it could not
    /// be read.
    pub end: Option<EndState>,
}

impl Transcript {
    /// The transcript of a run that was asked for [`super::Asked::TRANSCRIPT`].
    pub fn of(run: Observation, is_healthy_at_start: bool) -> Self {
        let is_cut_short = run.ended_early();
        let mut statements: Vec<StatementRecord> =
            run.trace.statements.into_iter().filter_map(|trace| trace.record).map(|record| *record).collect();
        if let Some(Code(code)) = run.open_failed {
            // The whole script counts as a statement that failed.
            let verb = "-".to_owned();
            statements.push(StatementRecord {
                verb,
                code,
                explain_fails: true,
                ..StatementRecord::default()
            });
        }
        Self { statements, is_cut_short, is_healthy_at_start, end: run.end }
    }
}

/// What happened to one statement.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct StatementRecord {
    /// Its offset in the script.
    pub sql: Range<usize>,
    /// The keyword with which it begins; `-` for any other word.
    pub verb: String,
    /// Extended result code of preparing it, or of its last step: 101 for a statement that ran to its end.
    pub code: i32,
    /// SQLite's message if it failed. For people, never for a verdict.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub message: String,
    /// True if it can change no database, or could not be prepared.
    pub is_read_only: bool,
    /// True if `EXPLAIN` of it fails, as it does if the engine does not know the construct.
    pub explain_fails: bool,
    /// Names of what the settings and the script did up to and including this statement that may change results without
    /// a bug ([`super::Taint`]).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub taints: Vec<String>,
    /// Its rows.
    pub rows: RowsDigest,
    /// The columns that are the keys of its `ORDER BY` (`order_keys::key_columns`), while it runs.
    #[serde(skip)]
    pub key_columns: Vec<usize>,
    /// Digest of the keys of its rows, in order; `None` without rows, or if the keys are not among the columns.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub keys: Option<u64>,
    /// The first rows as text, if they are short.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub sample: Vec<String>,
}

impl StatementRecord {
    /// Adds a row of the result.
    pub fn add_row(&mut self, row: &[Value]) {
        self.rows.add(row);
        if !self.key_columns.is_empty() {
            let before = self.keys.unwrap_or_default();
            self.keys = Some(order_keys::add_key(before, row, &self.key_columns));
        }
        let bytes: usize = self.sample.iter().map(String::len).sum();
        if self.sample.len() < SAMPLE_ROWS_MAX && bytes < SAMPLE_BYTES_MAX {
            self.sample.push(row_text(row, SAMPLE_BYTES_MAX - bytes));
        }
    }

    /// Keeps the message of a failure, as much of it as is read.
    pub fn set_message(&mut self, message: &str) {
        self.message = message.chars().take(MESSAGE_BYTES_MAX).collect();
    }
}

/// What is left after a run.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct EndState {
    /// Rows of `sqlite_schema` of the main database, sorted: type, name, table and SQL (empty for none).
    pub schema: Vec<[String; 4]>,
    /// The tables of the main database that could be read, sorted by name. Virtual ones are among them.
    pub tables: Vec<TableDigest>,
    /// What `PRAGMA integrity_check` says is wrong, empty for nothing; `None` if it did not run to its end.
    pub integrity: Option<Vec<String>>,
}

/// The content of a table.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TableDigest {
    /// Its name.
    pub name: String,
    /// Its rows: the columns of `SELECT *`.
    pub rows: RowsDigest,
    /// The same with the rowid before each row, if there is one.
    pub with_rowid: Option<RowsDigest>,
}

/// A digest of rows, to compare two results without storing them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RowsDigest {
    /// Their number.
    pub count: u64,
    /// Hash of all rows, with the types of their values, regardless of order.
    pub multiset: u64,
    /// The same, but in order.
    pub ordered: u64,
    /// The same as `multiset`, with numbers reduced to six digits: tells whether rows differ by more than the rounding
    /// and printing of floating-point numbers.
    pub coarse: u64,
}

impl RowsDigest {
    /// Adds a row.
    pub fn add(&mut self, row: &[Value]) {
        let mut bytes = Vec::with_capacity(16 * row.len());
        row.iter().for_each(|value| write_value(value, &mut bytes));
        let hash = XxHash3_64::oneshot(&bytes);
        self.count += 1;
        // A sum does not depend on the order, and unlike with XOR, two equal rows do not cancel out.
        self.multiset = self.multiset.wrapping_add(mix(hash));
        self.ordered = mix(self.ordered ^ hash);
        let hash = if row.iter().any(has_many_digits) { coarse_hash(row) } else { hash };
        self.coarse = self.coarse.wrapping_add(mix(hash));
    }

    /// Whether the rows are the same, in any order, up to the first digits of each number.
    pub fn is_same_but_for_digits(&self, other: &Self) -> bool {
        (self.count, self.coarse) == (other.count, other.coarse)
    }

    /// Whether the rows are the same, in any order.
    pub fn is_same_multiset(&self, other: &Self) -> bool {
        (self.count, self.multiset) == (other.count, other.multiset)
    }
}

/// True for what may depend on the rounding of floating-point numbers: the numbers themselves, texts that show one, and
/// blobs that are the text of one.
fn has_many_digits(value: &Value) -> bool {
    match value {
        Value::Real(_) => true,
        Value::Blob(bytes) => number_in(bytes).is_some() && shows_many_digits(bytes),
        Value::Text(bytes) => shows_many_digits(bytes),
        _ => false,
    }
}

fn shows_many_digits(bytes: &[u8]) -> bool {
    has_exponent(bytes) || bytes.split(|byte| !is_of_number(*byte)).any(|run| run.len() > run_bytes_max(run))
}

fn is_of_number(byte: u8) -> bool {
    byte.is_ascii_digit() || byte == b'.'
}

/// True if a number with a point and an exponent is in the text, as `9.0e999` in JSON.
fn has_exponent(bytes: &[u8]) -> bool {
    bytes.windows(2).any(|pair| pair[0].is_ascii_digit() && pair[1] == b'e') && bytes.contains(&b'.')
}

/// How many bytes of a run of digits and points count.
fn run_bytes_max(run: &[u8]) -> usize {
    if run.contains(&b'.') { DIGITS + 1 } else { INTEGER_DIGITS }
}

/// The hash of a row with its numbers truncated.
fn coarse_hash(row: &[Value]) -> u64 {
    let mut bytes = Vec::with_capacity(16 * row.len());
    for value in row {
        match value {
            Value::Real(x) => write_value(&Value::Text(format!("{x:.*e}", DIGITS - 1).into()), &mut bytes),
            Value::Text(text) if has_many_digits(value) => {
                write_value(&Value::Text(with_short_numbers(text)), &mut bytes);
            }
            Value::Blob(text) if has_many_digits(value) => {
                write_value(&Value::Blob(with_short_numbers(text)), &mut bytes);
            }
            other => write_value(other, &mut bytes),
        }
    }
    XxHash3_64::oneshot(&bytes)
}

/// A text with each run of digits and points truncated, and without spaces, since `printf()` pads. A text that is one
/// number is that number, whether it is written with an exponent or not.
fn with_short_numbers(text: &[u8]) -> Vec<u8> {
    if let Some(number) = number_in(text) {
        return format!("{number:.*e}", DIGITS - 1).into();
    }
    let mut short = Vec::with_capacity(text.len());
    for run in text.chunk_by(|a, b| is_of_number(*a) == is_of_number(*b)) {
        let bytes = if is_of_number(run[0]) { run.len().min(run_bytes_max(run)) } else { run.len() };
        if run[0] == b'e' && short.ends_with(b".0") {
            short.truncate(short.len() - 2);
        }
        short.extend(run[..bytes].iter().filter(|byte| **byte != b' '));
    }
    short
}

/// The number that a text is.
fn number_in(text: &[u8]) -> Option<f64> {
    std::str::from_utf8(text).ok()?.parse().ok().filter(|number: &f64| number.is_finite())
}

/// The finaliser of SplitMix64: sums of related hashes then do not collide.
fn mix(hash: u64) -> u64 {
    let hash = hash.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let hash = (hash ^ hash >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let hash = (hash ^ hash >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    hash ^ hash >> 31
}

/// Appends type and bytes of a value, so that rows are equal if and only if their bytes are.
fn write_value(value: &Value, out: &mut Vec<u8>) {
    match value {
        Value::Null => out.push(0),
        Value::Integer(n) => {
            out.push(1);
            out.extend_from_slice(&n.to_le_bytes());
        }
        Value::Real(x) => {
            out.push(2);
            // -0.0 equals 0.0 in SQL, and nothing guarantees which of the two is returned.
            let x = if *x == 0.0 { 0.0 } else { *x };
            out.extend_from_slice(&x.to_bits().to_le_bytes());
        }
        Value::Text(bytes) | Value::Blob(bytes) => {
            out.push(if matches!(value, Value::Text(_)) { 3 } else { 4 });
            out.extend_from_slice(&(bytes.len() as u64).to_le_bytes());
            out.extend_from_slice(bytes);
        }
    }
}

/// A row for people, at most `bytes_max` bytes long.
fn row_text(row: &[Value], bytes_max: usize) -> String {
    let mut text = String::new();
    for value in row {
        if text.len() >= bytes_max {
            break;
        }
        if !text.is_empty() {
            text.push('|');
        }
        let room = bytes_max - text.len();
        match value {
            Value::Null => text.push_str("NULL"),
            Value::Integer(n) => write!(text, "{n}").expect("writing to a String does not fail"),
            Value::Real(x) => write!(text, "{x:?}").expect("writing to a String does not fail"),
            Value::Text(bytes) => {
                let part = String::from_utf8_lossy(&bytes[..bytes.len().min(room)]).replace('\'', "''");
                write!(text, "'{part}'").expect("writing to a String does not fail");
            }
            Value::Blob(bytes) => {
                let hex = bytes.iter().take(room / 2).map(|byte| format!("{byte:02x}"));
                write!(text, "x'{}'", hex.collect::<String>()).expect("writing to a String does not fail");
            }
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn digest(rows: &[&[Value]]) -> RowsDigest {
        let mut digest = RowsDigest::default();
        rows.iter().for_each(|row| digest.add(row));
        digest
    }

    #[test]
    fn rows_are_a_multiset_of_typed_values() {
        let (one, two) = ([Value::Integer(1)], [Value::Integer(2)]);
        let (a, b) = (digest(&[&one, &two]), digest(&[&two, &one]));
        assert!(a.is_same_multiset(&b) && a.ordered != b.ordered);
        assert!(!a.is_same_multiset(&digest(&[&one])));
        assert!(!digest(&[&one, &one]).is_same_multiset(&digest(&[&two, &two])));
        // Types and the boundaries of values matter.
        let real = [Value::Real(1.0)];
        assert!(!digest(&[&one]).is_same_multiset(&digest(&[&real])));
        let text = |text: &str| Value::Text(text.as_bytes().to_vec());
        let (ab_c, a_bc) = ([text("ab"), text("c")], [text("a"), text("bc")]);
        assert!(!digest(&[&ab_c]).is_same_multiset(&digest(&[&a_bc])));
        assert!(!digest(&[&[text("a")]]).is_same_multiset(&digest(&[&[Value::Blob(b"a".to_vec())]])));
        let third = digest(&[&[Value::Real(1.0 / 3.0), text("x 0.333333333333333333")]]);
        let almost = digest(&[&[Value::Real(1.0 / 3.0 + 1e-16), text("x 0.333333333333333")]]);
        let other = digest(&[&[Value::Real(0.333), text("x 0.333333333333333")]]);
        assert!(!third.is_same_multiset(&almost) && third.is_same_but_for_digits(&almost));
        assert!(!other.is_same_but_for_digits(&almost));
        assert!(digest(&[&[Value::Real(0.0)]]).is_same_multiset(&digest(&[&[Value::Real(-0.0)]])));
        // One number, written in two ways; of short ones the way matters.
        for (one, other) in [("1.0e+15", "1000000000000000.0"), ("{\"c\":9.0e999}", "{\"c\":9e999}")] {
            let (one, other) = (digest(&[&[text(one)]]), digest(&[&[text(other)]]));
            assert!(!one.is_same_multiset(&other) && one.is_same_but_for_digits(&other));
        }
        let blob = |text: &str| [Value::Blob(text.as_bytes().to_vec())];
        let (one, other) = (digest(&[&blob("1.0e+15")]), digest(&[&blob("1000000000000000.0")]));
        assert!(one.is_same_but_for_digits(&other) && !one.is_same_but_for_digits(&digest(&[&blob("1e14")])));
        for (one, other) in [("1.0", "1"), ("{\"c\":9.0}", "{\"c\":9}"), ("1.0e+15", "1.0e+16")] {
            assert!(!digest(&[&[text(one)]]).is_same_but_for_digits(&digest(&[&[text(other)]])), "{one}");
        }
    }

    #[test]
    fn a_sample_is_short_whatever_comes() {
        let mut record = StatementRecord::default();
        for _ in 0..100 {
            record.add_row(&[Value::Text(vec![b'x'; 10_000]), Value::Blob(vec![7; 10_000]), Value::Null]);
        }
        assert_eq!(record.rows.count, 100);
        assert!(record.sample.iter().map(String::len).sum::<usize>() < 2 * SAMPLE_BYTES_MAX);
        let mut record = StatementRecord::default();
        record.add_row(&[Value::Text(b"it's".to_vec()), Value::Real(1.0), Value::Blob(vec![10])]);
        assert_eq!(record.sample, ["'it''s'|1.0|x'0a'"]);
    }
}
