//! Comparison of answers: multisets of rows, or lists of them.

use std::cmp::Ordering;

use crate::engine::Value;
use crate::engine::sqlite::Row;

/// Two sums of floating-point numbers may be added up in another order.
const RELATIVE_ERROR: f64 = 1e-9;
/// So many rows at most are matched each with each.
const MATCHED_MAX: usize = 200;

/// How two multisets of rows differ, in words; `None` if they do not.
pub(crate) fn difference(one: &[Row], other: &[Row]) -> Option<String> {
    if is_same_multiset(one, other, is_same) {
        return None;
    }
    let rest = without(one, other);
    let missing = without(other, one);
    let sample = |rows: &[&Row]| rows.iter().take(3).map(|row| shown(row)).collect::<Vec<_>>().join(" / ");
    Some(format!(
        "{} rows versus {}; only in the first: {}; only in the second: {}",
        one.len(),
        other.len(),
        sample(&rest),
        sample(&missing)
    ))
}

/// How two multisets of stored rows differ, in words: these have not been computed, so each value is the very same, also
/// its type.
pub(crate) fn exact_difference(one: &[Row], other: &[Row]) -> Option<String> {
    // Tables are read in the same order both times, nearly always.
    let common = one.iter().zip(other).take_while(|(a, b)| a == b).count();
    let (one, other) = (&one[common..], &other[common..]);
    let mut free: Vec<&Row> = other.iter().collect();
    let mut rest = Vec::new();
    for row in one {
        match free.iter().position(|other| *other == row) {
            Some(at) => drop(free.swap_remove(at)),
            None => rest.push(row),
        }
    }
    let sample = |rows: &[&Row]| rows.iter().take(3).map(|row| shown(row)).collect::<Vec<_>>().join(" / ");
    let is_same = rest.is_empty() && free.is_empty();
    (!is_same).then(|| format!("only before: {}; only after: {}", sample(&rest), sample(&free)))
}

/// True if the rows differ at most in which of several values that some collation takes for equal, or that are equal as
/// numbers, represents them: SQL leaves that open for `DISTINCT`, `GROUP BY`, `UNION`, `min()` and so on.
pub(crate) fn is_same_but_representatives(one: &[Row], other: &[Row]) -> bool {
    is_same_multiset(one, other, |a, b| is_same(&folded(a), &folded(b)))
}

/// True if both have the same rows in the same order.
pub(crate) fn is_same_list(one: &[Row], other: &[Row]) -> bool {
    one.len() == other.len()
        && one
            .iter()
            .zip(other)
            .all(|(a, b)| a.len() == b.len() && a.iter().zip(b).all(|(a, b)| is_same(a, b)))
}

/// The same but for what [`is_same_but_representatives`] allows.
pub(crate) fn is_same_list_but_representatives(one: &[Row], other: &[Row]) -> bool {
    let fold =
        |rows: &[Row]| -> Vec<Row> { rows.iter().map(|row| row.iter().map(folded).collect()).collect() };
    is_same_list(&fold(one), &fold(other))
}

/// The rows without those that some collation takes for equal to one before.
pub(crate) fn distinct(rows: &[Row]) -> Vec<Row> {
    let mut distinct: Vec<Row> = Vec::new();
    for row in rows {
        let row: Row = row.iter().map(folded).collect();
        if !distinct.iter().any(|known| is_same_list(std::slice::from_ref(known), std::slice::from_ref(&row)))
        {
            distinct.push(row);
        }
    }
    distinct
}

/// True if every row of `part` is in `whole` at least as often.
pub(crate) fn is_contained(part: &[Row], whole: &[Row]) -> bool {
    without(part, whole).is_empty()
}

fn folded(value: &Value) -> Value {
    match value {
        Value::Text(text) => {
            let end = text.iter().rposition(|&byte| byte != b' ').map_or(0, |last| last + 1);
            Value::Text(text[..end].to_ascii_lowercase())
        }
        other => other.clone(),
    }
}

fn is_same_multiset(one: &[Row], other: &[Row], is_same: impl Fn(&Value, &Value) -> bool) -> bool {
    if one.len() != other.len() {
        return false;
    }
    let is_same_row = |a: &Row, b: &Row| a.len() == b.len() && a.iter().zip(b).all(|(a, b)| is_same(a, b));
    // Values that are the same only nearly, or but for case, can sort apart: then each is matched with each.
    let (one, other) = unmatched(one, other);
    if one.len() > MATCHED_MAX {
        let sorted = |rows: Vec<&Row>| {
            let mut rows: Vec<Row> = rows.into_iter().map(|row| row.iter().map(folded).collect()).collect();
            rows.sort_by(|a, b| order(a, b));
            rows
        };
        return sorted(one).iter().zip(&sorted(other)).all(|(a, b)| is_same_row(a, b));
    }
    let mut free = other;
    one.iter().all(|row| match free.iter().position(|other| is_same_row(row, other)) {
        Some(at) => {
            free.swap_remove(at);
            true
        }
        None => false,
    })
}

/// The rows of both that the other does not have as often, to the last bit: a number that is nearly equal to two others
/// must not take the wrong one of them.
fn unmatched<'r>(one: &'r [Row], other: &'r [Row]) -> (Vec<&'r Row>, Vec<&'r Row>) {
    let mut free: Vec<&Row> = other.iter().collect();
    let mut rest = Vec::new();
    for row in one {
        match free.iter().position(|other| row == *other) {
            Some(at) => drop(free.swap_remove(at)),
            None => rest.push(row),
        }
    }
    (rest, free)
}

/// The rows of `one` that `other` does not have as often.
fn without<'r>(one: &'r [Row], other: &'r [Row]) -> Vec<&'r Row> {
    let (one, mut free) = unmatched(one, other);
    let mut rest = Vec::new();
    for row in one {
        let is_same_row =
            |other: &&Row| row.len() == other.len() && row.iter().zip(*other).all(|(a, b)| is_same(a, b));
        match free.iter().position(is_same_row) {
            Some(at) => drop(free.swap_remove(at)),
            None => rest.push(row),
        }
    }
    rest
}

/// True for values that are the same to a user: the types agree, but for numbers that are equal; floating-point numbers
/// nearly.
pub(crate) fn is_same(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Integer(a), Value::Integer(b)) => a == b,
        (Value::Real(_) | Value::Integer(_), Value::Real(_) | Value::Integer(_)) => {
            let (a, b) = (number(a), number(b));
            a == b || (a - b).abs() <= RELATIVE_ERROR * a.abs().max(b.abs())
        }
        _ => a == b,
    }
}

fn number(value: &Value) -> f64 {
    match value {
        Value::Integer(n) => *n as f64,
        Value::Real(x) => *x,
        _ => f64::NAN,
    }
}

fn order(a: &[Value], b: &[Value]) -> Ordering {
    let class = |value: &Value| match value {
        Value::Null => 0,
        Value::Integer(_) | Value::Real(_) => 1,
        Value::Text(_) => 2,
        Value::Blob(_) => 3,
    };
    let one = |a: &Value, b: &Value| {
        class(a).cmp(&class(b)).then_with(|| match (a, b) {
            (Value::Integer(a), Value::Integer(b)) => a.cmp(b),
            (Value::Text(a), Value::Text(b)) | (Value::Blob(a), Value::Blob(b)) => a.cmp(b),
            _ => number(a).total_cmp(&number(b)),
        })
    };
    let by_value = a.iter().zip(b).map(|(a, b)| one(a, b)).find(|order| order.is_ne());
    by_value.unwrap_or_else(|| a.len().cmp(&b.len()))
}

/// A row for people.
pub(crate) fn shown(row: &Row) -> String {
    let values = row.iter().map(|value| match value {
        Value::Null => "NULL".to_owned(),
        Value::Integer(n) => n.to_string(),
        Value::Real(x) => format!("{x:?}"),
        Value::Text(text) => format!("'{}'", cut(&String::from_utf8_lossy(text))),
        Value::Blob(blob) => {
            let digits: String = blob.iter().take(20).map(|byte| format!("{byte:02x}")).collect();
            format!("x'{digits}'{}", if blob.len() > 20 { "…" } else { "" })
        }
    });
    values.collect::<Vec<_>>().join("|")
}

fn cut(text: &str) -> String {
    match text.char_indices().nth(40) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(values: &[i64]) -> Row {
        values.iter().map(|&n| Value::Integer(n)).collect()
    }

    #[test]
    fn rows_are_compared_as_multisets_with_their_types() {
        let (a, b) = (row(&[1, 2]), row(&[3, 4]));
        assert_eq!(difference(&[a.clone(), b.clone()], &[b.clone(), a.clone()]), None);
        assert!(difference(&[a.clone(), a.clone()], &[a.clone(), b.clone()]).is_some());
        assert!(difference(std::slice::from_ref(&a), &[a.clone(), a.clone()]).is_some());
        let text = vec![Value::Text(b"1".to_vec())];
        assert!(difference(&[row(&[1])], std::slice::from_ref(&text)).is_some());
        assert!(difference(&[vec![Value::Blob(b"1".to_vec())]], std::slice::from_ref(&text)).is_some());
        assert_eq!(difference(&[row(&[1])], &[vec![Value::Real(1.0)]]), None);
        assert!(difference(&[vec![Value::Null]], &[row(&[0])]).is_some());
        let near = [vec![Value::Real(9_007_199_254_740_992.0)], row(&[9_007_199_254_740_991])];
        assert_eq!(difference(&near, &[near[1].clone(), near[0].clone()]), None);
        assert!(is_same_list(&[a.clone(), b.clone()], &[a.clone(), b.clone()]));
        assert!(!is_same_list(&[a.clone(), b.clone()], &[b.clone(), a.clone()]));
        assert!(
            is_contained(std::slice::from_ref(&a), &[b, a.clone()])
                && !is_contained(&[a.clone(), a.clone()], &[a])
        );
    }

    #[test]
    fn sums_may_differ_in_their_last_digits_and_representatives_in_case() {
        let real = |x| vec![vec![Value::Real(x)]];
        assert_eq!(difference(&real(0.1 + 0.2), &real(0.3)), None);
        assert!(difference(&real(0.3), &real(0.3001)).is_some());
        let text = |text: &str| vec![vec![Value::Text(text.as_bytes().to_vec())]];
        assert!(difference(&text("Ab"), &text("ab ")).is_some());
        assert!(is_same_but_representatives(&text("Ab"), &text("ab ")));
        assert!(!is_same_but_representatives(&text("Ab"), &text("ac")));
    }
}
