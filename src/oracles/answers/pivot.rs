//! A comparison of a column with a constant chooses the rows that the rules say (pivoted query synthesis, Rigger and Su,
//! OSDI 2020: the part of it that needs no interpreter).
//!
//! A value of a column is taken from the rows that the query returns, and a constant is made of it: the same one, one
//! nearby, or one of another type that the column's affinity may turn into the same. The rows with `column op constant`
//! must be those for which SQLite's rules of comparison, followed here, say true
//! (<https://sqlite.org/datatype3.html#comparison_expressions>). Columns are judged that belong to a table, also those of
//! `USING`, if the table and the join have no collation but `BINARY`.

use std::cmp::Ordering;

use super::join::name_of;
use super::norec::Filtered;
use super::query::{self, Query, has};
use super::rows::difference;
use super::{Check, Said, Statementwise};
use crate::engine::Value;
use crate::engine::sqlite::{Row, Session};
use crate::sql;
use crate::sql::tree::{Kind, Node};

pub(crate) const PIVOT: Statementwise = Statementwise { name: "pivot", check: Check::Queries(check) };

/// Comparisons that are tried per query.
const TRIED: usize = 4;
/// Larger numbers are not compared with such of another type here.
const NUMBER_MAX: i64 = 1 << 50;
/// Larger numbers with a point may be printed with an exponent, and texts of more digits read inexactly.
const DIGITS_MAX: i64 = 1_000_000_000;
const OPERATORS: [&str; 8] = ["=", "<>", "<", "<=", ">", ">=", "IS", "IS NOT"];

/// What a column does to what it is compared with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Affinity {
    Text,
    Number,
    None,
}

impl Affinity {
    /// By the declared type (<https://sqlite.org/datatype3.html#determination_of_column_affinity>).
    fn of(declared: &str) -> Self {
        let declared = declared.to_ascii_uppercase();
        let has = |part: &str| declared.contains(part);
        if has("INT") {
            Self::Number
        } else if has("CHAR") || has("CLOB") || has("TEXT") {
            Self::Text
        } else if has("BLOB") || declared.is_empty() {
            Self::None
        } else {
            Self::Number
        }
    }
}

/// A column that can be compared.
struct Pivot {
    text: String,
    affinity: Affinity,
}

fn check(query: &Query<'_>, db: &mut Session<'_, '_>) -> Said {
    if let Some(reason) = query.why_open().or(query.why_no_other_rows()) {
        return Said::Nothing(reason);
    }
    if query.has_representatives() {
        return Said::Nothing("which of several equal values represents them");
    }
    let (Some(core), Some(parts)) = (query.core(), Filtered::of(query)) else {
        return Said::Nothing("compound, or without tables");
    };
    let is_utf8 =
        db.rows("PRAGMA encoding").is_ok_and(|rows| rows == vec![vec![Value::Text(b"UTF-8".to_vec())]]);
    if !is_utf8 {
        return Said::Nothing("another encoding");
    }
    let pivots = core.child(Kind::From).map(|from| pivots(query, from, db)).unwrap_or_default();
    if pivots.is_empty() {
        return Said::Nothing("without columns that are known to be compared plainly");
    }
    let seed = crate::oracles::choice(5, query.text.as_bytes());
    let mut said = Said::Nothing("without values to compare");
    for turn in 0..TRIED {
        let pivot = &pivots[seed.wrapping_add(turn * 7) % pivots.len()];
        match compare(query, &parts, pivot, seed.wrapping_add(turn * 13), db) {
            said @ Said::Differs(..) => return said,
            Said::Nothing(reason) => {
                if matches!(said, Said::Nothing(_)) {
                    said = Said::Nothing(reason);
                }
            }
            Said::Agrees { is_telling } => {
                let before = matches!(said, Said::Agrees { is_telling: true });
                said = Said::Agrees { is_telling: is_telling || before };
            }
        }
    }
    said
}

/// One comparison of one column.
fn compare(
    query: &Query<'_>,
    parts: &Filtered,
    pivot: &Pivot,
    seed: usize,
    db: &mut Session<'_, '_>,
) -> Said {
    let Filtered { with, columns, from, predicate, .. } = parts;
    let column = &pivot.text;
    let filter = |own: Option<String>| {
        let terms: Vec<String> =
            own.into_iter().chain(predicate.as_ref().map(|predicate| format!("({predicate})"))).collect();
        if terms.is_empty() { String::new() } else { format!(" WHERE {}", terms.join(" AND ")) }
    };
    let all = match db.rows(&format!("{with} SELECT {column}, {columns} {from}{}", filter(None))) {
        Ok(rows) => rows,
        Err(none) => return Said::Nothing(query::why(none)),
    };
    let Some(row) = all.get(seed % all.len().max(1)) else {
        return Said::Nothing("without values to compare");
    };
    let constants = constants(&row[0]);
    let (literal, constant) = &constants[(seed / 7) % constants.len()];
    let operator = OPERATORS[(seed / 3) % OPERATORS.len()];
    if !is_read_exactly(constant) || !all.iter().all(|row| is_comparable(&row[0], constant)) {
        return Said::Nothing("numbers that lose digits");
    }
    let is_chosen = |row: &&Row| is_true(&row[0], pivot.affinity, operator, constant, literal);
    let expected: Vec<Row> = all.iter().filter(is_chosen).cloned().collect();
    let term = format!("{column} {operator} {literal}");
    let asked = format!("{with} SELECT {column}, {columns} {from}{}", filter(Some(term.clone())));
    let rows = match db.rows(&asked) {
        Ok(rows) => rows,
        Err(none) => return Said::Nothing(query::why(none)),
    };
    match difference(&rows, &expected) {
        None => Said::Agrees { is_telling: !rows.is_empty() && rows.len() < all.len() },
        Some(_) if query.adds_up_reals(&rows) => Said::Nothing("sums of real numbers"),
        Some(difference) => {
            let kind = format!("{:?}", pivot.affinity).to_ascii_lowercase();
            Said::Differs(kind, format!("`{term}` is true for other rows: {difference}; asked: `{asked}`"))
        }
    }
}

/// The columns that are known to be compared as the rules say.
fn pivots(query: &Query<'_>, from: &Node, db: &mut Session<'_, '_>) -> Vec<Pivot> {
    let mut columns: Vec<(String, String, Affinity)> = Vec::new();
    let mut is_known = true;
    for table in from.children().filter(|child| child.kind == Kind::TableRef) {
        match plain_columns(query, table, db) {
            Some((name, known)) => {
                columns.extend(known.into_iter().map(|(column, affinity)| (name.clone(), column, affinity)));
            }
            None => is_known = false,
        }
    }
    let mut pivots: Vec<Pivot> = Vec::new();
    for (table, column, affinity) in &columns {
        pivots.push(Pivot { text: format!("{table}.{}", sql::quoted(column, '"')), affinity: *affinity });
    }
    // A column of USING stands for those of both tables; there must be no third one.
    let mut shared = Vec::new();
    from.visit(&mut |node| {
        if node.kind == Kind::ColumnName {
            shared.extend(node.as_text().map(|name| sql::bare(name).to_owned()));
        }
    });
    for name in shared.iter().filter(|_| is_known) {
        let of_name: Vec<Affinity> = columns
            .iter()
            .filter(|(_, column, _)| column.eq_ignore_ascii_case(name))
            .map(|(.., affinity)| *affinity)
            .collect();
        if let [one, other] = of_name[..]
            && one == other
        {
            pivots.push(Pivot { text: sql::quoted(name, '"'), affinity: one });
        }
    }
    pivots
}

/// The name of an ordinary table in `FROM`, and its columns; `None` for views, subqueries and tables with collations.
pub(super) fn plain_columns(
    query: &Query<'_>,
    table: &Node,
    db: &mut Session<'_, '_>,
) -> Option<(String, Vec<(String, Affinity)>)> {
    let own = sql::bare(table.child(Kind::TableName)?.as_text()?).to_owned();
    let is_cte = has(&query.tree, Kind::With);
    let is_view = query.facts.through.iter().any(|through| through.eq_ignore_ascii_case(&own));
    let mut of_name = query.facts.tables.iter().filter(|(_, table)| table.eq_ignore_ascii_case(&own));
    let literal = own.to_ascii_lowercase().replace('\'', "''");
    let schema = match of_name.next() {
        Some((schema, _)) => schema,
        // SQLite does not tell of every column that it reads, those of a full join with USING among them.
        None => {
            let text = format!("SELECT 1 FROM temp.sqlite_master WHERE lower(name)='{literal}'");
            db.rows(&text).is_ok_and(|rows| rows.is_empty()).then_some("main")?
        }
    };
    if is_cte || is_view || of_name.next().is_some() {
        return None;
    }
    let text = format!(
        "SELECT sql FROM {}.sqlite_master WHERE type='table' AND lower(name)='{literal}'",
        sql::quoted(schema, '"')
    );
    let definition = match db.rows(&text).ok()?.into_iter().flatten().next()? {
        Value::Text(text) => String::from_utf8_lossy(&text).to_ascii_uppercase(),
        _ => return None,
    };
    if definition.contains("COLLATE") || definition.contains("VIRTUAL") {
        return None;
    }
    let pragma = format!("PRAGMA {}.table_xinfo({})", sql::quoted(schema, '"'), sql::quoted(&own, '"'));
    let column = |row: &Row| match &row[..] {
        // What `ANY` means depends on STRICT; hidden columns are generated and may have other types.
        [_, Value::Text(name), Value::Text(declared), .., Value::Integer(0)] => {
            let declared = String::from_utf8_lossy(declared).into_owned();
            let name = std::str::from_utf8(name).ok()?.to_owned();
            (!declared.to_ascii_uppercase().contains("ANY")).then(|| (name, Affinity::of(&declared)))
        }
        _ => None,
    };
    Some((name_of(table)?, db.rows(&pragma).ok()?.iter().filter_map(column).collect()))
}

/// Literals that are near a value, with what they are.
fn constants(value: &Value) -> Vec<(String, Value)> {
    let text =
        |text: &str| (format!("'{}'", text.replace('\'', "''")), Value::Text(text.as_bytes().to_vec()));
    let integer = |n: i64| (n.to_string(), Value::Integer(n));
    let of_number = |n: i64| {
        if n.saturating_abs() > DIGITS_MAX {
            return vec![integer(n), text(&n.to_string()), integer(n + 1)];
        }
        let real = (format!("{n}.0"), Value::Real(n as f64));
        let between = (format!("{n}.5"), Value::Real(if n < 0 { n as f64 - 0.5 } else { n as f64 + 0.5 }));
        vec![
            text(&n.to_string()),
            integer(n),
            text(&format!("{n}.0")),
            real,
            between,
            text(&format!(" {n}")),
            integer(n + 1),
        ]
    };
    match value {
        Value::Integer(n) if n.saturating_abs() < NUMBER_MAX => of_number(*n),
        Value::Integer(n) if *n != i64::MIN => vec![integer(*n)],
        Value::Real(x) if x.abs() < 1e9 => of_number(*x as i64),
        Value::Text(bytes) => match std::str::from_utf8(bytes) {
            Ok(own) if !bytes.contains(&0) && own.len() < 200 => {
                let number = own.parse::<i64>().ok().filter(|n| n.saturating_abs() < NUMBER_MAX);
                number.map_or_else(Vec::new, of_number).into_iter().chain([text(own), integer(0)]).collect()
            }
            _ => vec![text("")],
        },
        Value::Blob(bytes) if bytes.len() < 100 => {
            let digits: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
            vec![(format!("x'{digits}'"), value.clone()), text("")]
        }
        _ => vec![integer(0), text("a"), ("1.0".to_owned(), Value::Real(1.0))],
    }
}

/// False for texts that may be numbers whose last digit depends on how they are read.
fn is_read_exactly(constant: &Value) -> bool {
    let Value::Text(text) = constant else {
        return true;
    };
    let has_exponent = text.iter().any(|byte| matches!(byte, b'e' | b'E'));
    !text.iter().any(u8::is_ascii_digit) || (text.len() <= 15 && !has_exponent)
}

/// False where a number may lose digits when it is compared.
fn is_comparable(value: &Value, constant: &Value) -> bool {
    let is_small = |value: &Value| !matches!(value, Value::Integer(n) if n.saturating_abs() >= NUMBER_MAX);
    match value {
        Value::Real(_) | Value::Text(_) => is_small(constant),
        Value::Integer(_) => is_small(value) || matches!(constant, Value::Integer(_)),
        _ => true,
    }
}

/// Whether `value operator constant` is true for a value of a column.
fn is_true(value: &Value, affinity: Affinity, operator: &str, constant: &Value, literal: &str) -> bool {
    let converted = match (affinity, constant) {
        (Affinity::Number, Value::Text(text)) => number(text).unwrap_or_else(|| constant.clone()),
        (Affinity::Text, Value::Integer(_) | Value::Real(_)) => Value::Text(literal.as_bytes().to_vec()),
        _ => constant.clone(),
    };
    if *value == Value::Null {
        return operator == "IS NOT";
    }
    let order = order(value, &converted);
    match operator {
        "=" | "IS" => order.is_eq(),
        "<>" | "IS NOT" => order.is_ne(),
        "<" => order.is_lt(),
        "<=" => order.is_le(),
        ">" => order.is_gt(),
        _ => order.is_ge(),
    }
}

/// The number that a whole text is, with spaces around it.
fn number(text: &[u8]) -> Option<Value> {
    let text = std::str::from_utf8(text)
        .ok()?
        .trim_matches(|c: char| matches!(c, ' ' | '\t' | '\n' | '\r' | '\x0b' | '\x0c'));
    let is_plain =
        text.bytes().all(|byte| byte.is_ascii_digit() || matches!(byte, b'.' | b'-' | b'+' | b'e' | b'E'));
    let has_digit = text.bytes().any(|byte| byte.is_ascii_digit());
    let integer = text.parse::<i64>().ok().map(Value::Integer);
    integer.or_else(|| text.parse::<f64>().ok().filter(|_| is_plain && has_digit).map(Value::Real))
}

/// Numbers, then texts, then blobs; texts byte by byte.
fn order(a: &Value, b: &Value) -> Ordering {
    let class = |value: &Value| match value {
        Value::Null => 0,
        Value::Integer(_) | Value::Real(_) => 1,
        Value::Text(_) => 2,
        Value::Blob(_) => 3,
    };
    let real = |value: &Value| match value {
        Value::Integer(n) => *n as f64,
        Value::Real(x) => *x,
        _ => 0.0,
    };
    class(a).cmp(&class(b)).then_with(|| match (a, b) {
        (Value::Integer(a), Value::Integer(b)) => a.cmp(b),
        (Value::Text(a), Value::Text(b)) | (Value::Blob(a), Value::Blob(b)) => a.cmp(b),
        _ => real(a).partial_cmp(&real(b)).unwrap_or(Ordering::Equal),
    })
}
