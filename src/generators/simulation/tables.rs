//! The tables that a simulation begins with, and their rows.

use super::Plan;
use crate::generators::statements::Entropy;

/// Types with the values that rows have there: few, so that joins find partners and constraints are hit.
const TYPES: [(&str, &[&str]); 6] = [
    ("INTEGER", &["0", "1", "2", "3", "-1", "9", "NULL", "'1'"]),
    ("TEXT", &["'a'", "'A'", "'b'", "''", "'1'", "'a '", "NULL", "1"]),
    ("REAL", &["0.5", "1.0", "-2.5", "2", "NULL", "1e3"]),
    ("", &["1", "'1'", "1.5", "x'61'", "'a'", "NULL", "x''"]),
    ("NUMERIC", &["1", "'2'", "2.5", "'x'", "NULL", "3"]),
    ("BLOB", &["x'61'", "'a'", "x'00ff'", "1", "NULL"]),
];
/// Types of a `STRICT` table with values that they accept.
const STRICT: [(&str, &[&str]); 4] = [
    ("INTEGER", &["0", "1", "2", "-1", "NULL", "'3'"]),
    ("TEXT", &["'a'", "'A'", "'b'", "''", "NULL"]),
    ("REAL", &["0.5", "1", "-2.5", "NULL"]),
    ("ANY", &["1", "'1'", "1.5", "x'61'", "NULL"]),
];

/// A table of a simulation.
pub(super) struct Table {
    /// `CREATE TABLE`.
    pub(super) definition: String,
    /// The statements that fill it.
    pub(super) rows: Vec<String>,
}

/// Table number `index`.
pub(super) fn table(plan: &Plan, index: u32, entropy: &mut dyn Entropy) -> Table {
    let kind = entropy.below(10);
    let (is_strict, is_without_rowid) = (kind == 0, kind == 1);
    let types: &[(&str, &[&str])] = if is_strict { &STRICT } else { &TYPES };
    let mut columns = Vec::new();
    let mut values: Vec<&[&str]> = Vec::new();
    for column in 0..plan.columns.max(1) {
        let (name, of_type) = types[entropy.below(types.len() as u32) as usize];
        let (name, of_type) = match column {
            0 if !is_without_rowid && entropy.below(3) == 0 => ("INTEGER PRIMARY KEY", &["NULL"][..]),
            _ => (name, of_type),
        };
        columns.push(format!("c{column} {name}{}", suffix(name, entropy)));
        values.push(of_type);
    }
    let options = match (is_strict, is_without_rowid) {
        (true, _) => " STRICT",
        (_, true) => {
            let last = plan.columns.max(1) - 1;
            columns.push(format!(
                "PRIMARY KEY(c{}, c0)",
                if last == 0 { "0 DESC".to_owned() } else { last.to_string() }
            ));
            " WITHOUT ROWID"
        }
        _ => "",
    };
    let definition = format!("CREATE TABLE t{index}({}){options}", columns.join(", "));
    let rows = (0..plan.rows).map(|row| {
        let mut literals: Vec<String> = values
            .iter()
            .map(|of_type| of_type[entropy.below(of_type.len() as u32) as usize].to_owned())
            .collect();
        if plan.row_bytes > 0 && !is_strict && literals.len() > 1 {
            // Wide rows are in a column that takes anything.
            let last = literals.len() - 1;
            literals[last] = format!("hex(zeroblob({})) || {row}", plan.row_bytes / 2);
        }
        format!("INSERT OR IGNORE INTO t{index} VALUES({})", literals.join(", "))
    });
    Table { rows: rows.collect(), definition }
}

/// What may stand behind the type of a column.
fn suffix(name: &str, entropy: &mut dyn Entropy) -> &'static str {
    if name.ends_with("KEY") {
        return "";
    }
    match entropy.below(16) {
        0 => " UNIQUE",
        1 => " NOT NULL DEFAULT 0",
        2 => " DEFAULT 7",
        3 => " COLLATE NOCASE",
        4 => " COLLATE RTRIM",
        5 => " CHECK(c0 IS NOT 99)",
        _ => "",
    }
}
