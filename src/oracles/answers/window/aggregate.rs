//! Aggregates over the rows of a frame (<https://sqlite.org/lang_aggfunc.html>).

use std::cmp::Ordering;
use std::fmt;

use crate::engine::Value;
use crate::engine::sqlite::Row;
use crate::oracles::answers::rows::{is_same, shown};

/// Part of a sum that may be wrong.
const ERROR_OF_RESULT: f64 = 1e-9;
/// Part of all that is added up in a partition that a sum may be wrong by: far more than rounding twice leaves.
const ERROR_OF_PARTITION: f64 = 1e-24;
/// Sums beyond this may become infinite on the way.
const SUM_MAX: f64 = 1e200;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Aggregate {
    CountRows,
    Count,
    Sum,
    Total,
    Avg,
    Min,
    Max,
    Concat,
}

/// What a value must be.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Expected {
    /// This.
    Exactly(Value),
    /// This number, or one that is as near.
    Near(f64, f64),
    /// A text of these bytes, in any order.
    Bytes(Vec<u8>),
    /// It is not known here.
    Anything,
}

impl Expected {
    pub(super) fn allows(&self, value: &Value) -> bool {
        match (self, value) {
            (Self::Exactly(expected), value) => is_same(expected, value),
            (Self::Near(expected, error), Value::Real(x)) => (x - expected).abs() <= *error,
            (Self::Near(expected, error), Value::Integer(n)) => (*n as f64 - expected).abs() <= *error,
            (Self::Bytes(expected), Value::Text(text)) => sorted(text) == *expected,
            (Self::Anything, _) => true,
            _ => false,
        }
    }
}

impl fmt::Display for Expected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exactly(value) => f.write_str(&shown(&vec![value.clone()])),
            Self::Near(x, error) => write!(f, "{x:?} ± {error:e}"),
            Self::Bytes(bytes) => write!(f, "a text of {} bytes", bytes.len()),
            Self::Anything => f.write_str("anything"),
        }
    }
}

impl Aggregate {
    pub(super) fn of(name: &str, arguments: usize) -> Option<Self> {
        match (name, arguments) {
            ("count", 0) => Some(Self::CountRows),
            ("count", 1) => Some(Self::Count),
            ("sum", 1) => Some(Self::Sum),
            ("total", 1) => Some(Self::Total),
            ("avg", 1) => Some(Self::Avg),
            ("min", 1) => Some(Self::Min),
            ("max", 1) => Some(Self::Max),
            ("group_concat", 1 | 2) | ("string_agg", 2) => Some(Self::Concat),
            _ => None,
        }
    }

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::CountRows | Self::Count => "count",
            Self::Sum => "sum",
            Self::Total => "total",
            Self::Avg => "avg",
            Self::Min => "min",
            Self::Max => "max",
            Self::Concat => "group_concat",
        }
    }

    pub(super) fn is_text(self) -> bool {
        self == Self::Concat
    }

    pub(super) fn is_sum(self) -> bool {
        matches!(self, Self::Sum | Self::Total | Self::Avg)
    }

    /// The aggregate over the rows of a frame, which are in order if that `is_total`, in a partition.
    pub(super) fn over(
        self,
        frame: &[&Row],
        partition: &[&Row],
        is_total: bool,
        sums_exactly: bool,
    ) -> Expected {
        let values: Vec<&Value> =
            frame.iter().map(|row| &row[1]).filter(|value| **value != Value::Null).collect();
        match self {
            Self::CountRows => Expected::Exactly(Value::Integer(frame.len() as i64)),
            Self::Count => Expected::Exactly(Value::Integer(values.len() as i64)),
            Self::Sum | Self::Total | Self::Avg => self.sum(&values, partition, sums_exactly),
            Self::Min => extreme(&values, Ordering::Less),
            Self::Max => extreme(&values, Ordering::Greater),
            Self::Concat => concat(frame, partition, is_total),
        }
    }

    fn sum(self, values: &[&Value], partition: &[&Row], sums_exactly: bool) -> Expected {
        let is_number = |row: &&Row| matches!(row[1], Value::Integer(_) | Value::Real(_) | Value::Null);
        let is_integer = |row: &&Row| matches!(row[1], Value::Integer(_) | Value::Null);
        let all: f64 = partition.iter().map(|row| number(&row[1]).abs()).sum();
        if !partition.iter().all(is_number) || !all.is_finite() || all > SUM_MAX {
            return Expected::Anything;
        }
        if values.is_empty() {
            return Expected::Exactly(if self == Self::Total { Value::Real(0.0) } else { Value::Null });
        }
        let sum = exact(values);
        let is_plain = all < 9.0e15 && partition.iter().all(is_integer);
        if self == Self::Sum && partition.iter().all(is_integer) && all < 9.0e18 {
            let sum: i64 =
                values.iter().map(|value| if let Value::Integer(n) = value { *n } else { 0 }).sum();
            return Expected::Exactly(Value::Integer(sum));
        }
        if !sums_exactly && !is_plain {
            return Expected::Anything;
        }
        let error = sum.abs() * ERROR_OF_RESULT + all * ERROR_OF_PARTITION;
        match self {
            Self::Avg => Expected::Near(sum / values.len() as f64, error / values.len() as f64),
            _ => Expected::Near(sum, error),
        }
    }
}

fn number(value: &Value) -> f64 {
    match value {
        Value::Integer(n) => *n as f64,
        Value::Real(x) => *x,
        _ => 0.0,
    }
}

/// The sum of numbers (Neumaier); integers that a floating-point number cannot hold are added in two parts.
fn exact(values: &[&Value]) -> f64 {
    let (mut sum, mut rest) = (0.0_f64, 0.0_f64);
    let mut add = |x: f64| {
        let next = sum + x;
        rest += if sum.abs() > x.abs() { (sum - next) + x } else { (x - next) + sum };
        sum = next;
    };
    for value in values {
        match value {
            Value::Integer(n) => {
                let low = n % (1 << 14);
                add((n - low) as f64);
                add(low as f64);
            }
            other => add(number(other)),
        }
    }
    sum + rest
}

/// The least or greatest of numbers and blobs: texts depend on a collation.
fn extreme(values: &[&Value], wanted: Ordering) -> Expected {
    let class = |value: &Value| i32::from(matches!(value, Value::Blob(_)));
    let compare = |a: &Value, b: &Value| {
        class(a).cmp(&class(b)).then_with(|| match (a, b) {
            (Value::Integer(a), Value::Integer(b)) => a.cmp(b),
            (Value::Blob(a), Value::Blob(b)) => a.cmp(b),
            _ => number(a).total_cmp(&number(b)),
        })
    };
    if values.iter().any(|value| matches!(value, Value::Text(_))) {
        return Expected::Anything;
    }
    let best = values
        .iter()
        .copied()
        .reduce(|best, value| if compare(value, best) == wanted { value } else { best });
    Expected::Exactly(best.cloned().unwrap_or(Value::Null))
}

/// Texts with a separator between them: the empty text if all of them are empty, NULL only without any.
fn concat(frame: &[&Row], partition: &[&Row], is_total: bool) -> Expected {
    let separator = match partition.first().map(|row| &row[4]) {
        Some(Value::Text(separator)) => separator,
        _ => return Expected::Anything,
    };
    let is_known = |row: &&Row| {
        matches!(row[1], Value::Null | Value::Text(_) | Value::Integer(_) | Value::Real(_))
            && matches!(&row[4], Value::Text(own) if own == separator)
    };
    if !partition.iter().all(is_known) {
        return Expected::Anything;
    }
    let texts = frame
        .iter()
        .filter_map(|row| if let Value::Text(text) = &row[2] { Some(text.as_slice()) } else { None });
    let texts: Vec<&[u8]> = texts.collect();
    if texts.is_empty() {
        return Expected::Exactly(Value::Null);
    }
    let all = texts.join(separator.as_slice());
    if is_total || texts.windows(2).all(|pair| pair[0] == pair[1]) {
        Expected::Exactly(Value::Text(all))
    } else {
        Expected::Bytes(sorted(&all))
    }
}

fn sorted(bytes: &[u8]) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    bytes.sort_unstable();
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(value: Value) -> Row {
        let text = Value::Text(b"t".to_vec());
        vec![Value::Null, value, text, Value::Integer(1), Value::Text(b",".to_vec())]
    }

    #[test]
    fn sums_lose_no_more_than_rounding_does() {
        let rows: Vec<Row> = [Value::Integer(i64::MAX), Value::Integer(1), Value::Real(0.5)].map(row).into();
        let all: Vec<&Row> = rows.iter().collect();
        let expected = Aggregate::Sum.over(&all[1..], &all, true, true);
        assert!(expected.allows(&Value::Real(1.5)));
        assert!(!expected.allows(&Value::Real(-9.223372036854776e18)) && !expected.allows(&Value::Real(1.0)));
        assert_eq!(Aggregate::Sum.over(&all[1..], &all, true, false), Expected::Anything);
    }

    #[test]
    fn no_rows_are_null_and_empty_texts_are_not() {
        let mut row = row(Value::Text(Vec::new()));
        row[2] = Value::Text(Vec::new());
        assert_eq!(
            Aggregate::Concat.over(&[&row], &[&row], true, true),
            Expected::Exactly(Value::Text(Vec::new()))
        );
        assert_eq!(Aggregate::Concat.over(&[], &[&row], true, true), Expected::Exactly(Value::Null));
        assert_eq!(Aggregate::Total.over(&[], &[], true, true), Expected::Exactly(Value::Real(0.0)));
    }
}
