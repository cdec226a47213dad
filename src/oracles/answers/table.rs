//! A table that a statement writes to, and what becomes of the values that it is given.

use super::content::{self, text};
use super::query;
use crate::engine::Value;
use crate::engine::sqlite::{Row, Session};
use crate::sql;
use crate::sql::tree::{Kind, Node, Part};

/// The names of the rowid.
const ROWID_NAMES: [&str; 3] = ["rowid", "oid", "_rowid_"];
/// Integers up to here are the same as floating-point numbers.
const EXACT_MAX: i64 = 1 << 53;
/// Digits that are an integer in any case.
const DIGITS_MAX: usize = 15;

/// What a column prefers to store (<https://sqlite.org/datatype3.html#determination_of_column_affinity>).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Affinity {
    Text,
    Numeric,
    Real,
    Blob,
}

impl Affinity {
    /// `None` for `ANY`, which means one thing in a `STRICT` table and another elsewhere.
    fn of(declared: &str) -> Option<Self> {
        let declared = declared.to_ascii_uppercase();
        let says = |words: &[&str]| words.iter().any(|word| declared.contains(word));
        Some(match () {
            () if says(&["INT"]) => Self::Numeric,
            () if says(&["CHAR", "CLOB", "TEXT"]) => Self::Text,
            () if declared.is_empty() || says(&["BLOB"]) => Self::Blob,
            () if says(&["REAL", "FLOA", "DOUB"]) => Self::Real,
            () => (declared != "ANY").then_some(Self::Numeric)?,
        })
    }

    /// What is stored for a value; `None` where that depends on how numbers are written.
    pub(super) fn stored(self, value: &Value) -> Option<Value> {
        Some(match (self, value) {
            (_, Value::Text(text)) if !is_plain(text) => return None,
            (Self::Blob, _) | (_, Value::Null | Value::Blob(_)) | (Self::Text, Value::Text(_)) => {
                value.clone()
            }
            (Self::Text, Value::Integer(n)) => Value::Text(n.to_string().into_bytes()),
            (Self::Text, Value::Real(_)) => return None,
            (Self::Numeric | Self::Real, Value::Text(text)) => match integer(text) {
                Some(n) => self.stored(&Value::Integer(n))?,
                None if text.iter().any(u8::is_ascii_digit) => return None,
                None => value.clone(),
            },
            (Self::Real, Value::Integer(n)) if n.abs_diff(0) > EXACT_MAX.abs_diff(0) => return None,
            (Self::Real, Value::Integer(n)) => Value::Real(*n as f64),
            (Self::Numeric, Value::Real(x)) if x.fract() == 0.0 => {
                (x.abs() < EXACT_MAX as f64).then_some(Value::Integer(*x as i64))?
            }
            (Self::Numeric | Self::Real, _) => value.clone(),
        })
    }
}

/// False for a text that a conversion to UTF-16 and back may change.
fn is_plain(text: &[u8]) -> bool {
    std::str::from_utf8(text).is_ok_and(|text| !text.contains(['\0', '\u{feff}', '\u{fffd}']))
}

/// A text that is an integer of a few digits.
fn integer(text: &[u8]) -> Option<i64> {
    let digits = text.strip_prefix(b"-").unwrap_or(text);
    let is_fit = (1..=DIGITS_MAX).contains(&digits.len()) && digits.iter().all(u8::is_ascii_digit);
    std::str::from_utf8(text).ok().filter(|_| is_fit)?.parse().ok()
}

/// A column that `*` stands for.
#[derive(Debug)]
pub(super) struct Column {
    pub name: String,
    /// What it prefers to store, if that is certain.
    pub affinity: Option<Affinity>,
    /// The text of its default.
    pub default: Option<String>,
    pub is_generated: bool,
    /// True if it is part of the primary key: it may be the rowid.
    pub is_key: bool,
}

impl Column {
    /// What it stores for a value, if that is certain.
    pub(super) fn stored(&self, value: &Value) -> Option<Value> {
        self.affinity?.stored(value)
    }
}

/// A table whose changes can be told from its rows alone: without triggers, conflict clauses and the like.
#[derive(Debug)]
pub(super) struct Table {
    pub columns: Vec<Column>,
    pub has_rowid: bool,
    pub is_virtual: bool,
    /// As it can stand in `FROM`, with the alias that the statement gives it.
    pub from: String,
}

impl Table {
    /// The table that a statement writes to.
    ///
    /// # Errors
    /// Why more happens to it than the statement says, or why that is unknown.
    pub(super) fn of(tree: &Node, db: &mut Session<'_, '_>) -> Result<Self, &'static str> {
        let name = tree.child(Kind::Target).and_then(Node::as_text).map(sql::bare).ok_or("no table")?;
        let explicit = tree.parts.windows(2).find_map(|pair| match pair {
            [Part::Text(schema), Part::Text(dot)] if dot == "." => Some(sql::bare(schema).to_owned()),
            _ => None,
        });
        let literal = sql::quoted(name, '\'');
        let (mut found, mut schemas) = (None, content::schemas(db)?);
        // The order in which SQLite looks for a name: https://sqlite.org/lang_naming.html
        schemas.sort_by_key(|schema| schema != "temp");
        for schema in &schemas {
            let master = format!("{}.sqlite_master", sql::quoted(schema, '"'));
            let is_it = explicit.as_ref().is_none_or(|explicit| explicit.eq_ignore_ascii_case(schema));
            let text = format!(
                "SELECT type, sql FROM {master} WHERE tbl_name={literal} COLLATE NOCASE ORDER BY type='table'"
            );
            for row in db.rows(&text).map_err(query::why)? {
                match &row[..] {
                    [Value::Text(kind), _] if kind == b"trigger" => return Err("triggers"),
                    [Value::Text(kind), Value::Text(sql)] if kind == b"table" && is_it && found.is_none() => {
                        found = Some((schema.clone(), String::from_utf8_lossy(sql).to_ascii_lowercase()));
                    }
                    [Value::Text(kind), _] if kind == b"view" && is_it => return Err("views"),
                    _ => {}
                }
            }
            if has_foreign_key_actions(&master, db)? {
                return Err("foreign key actions");
            }
        }
        let (schema, definition) = found.ok_or("not a table of its own")?;
        let module = content::module(&definition);
        let is_gated = |words: &[&str]| words.iter().any(|word| definition.contains(word));
        match &module {
            Some(module) if !["fts3", "fts4", "fts5"].contains(&module.as_str()) => {
                return Err("virtual tables");
            }
            Some(_) if is_gated(&["content", "locale", "compress"]) => {
                return Err("virtual tables with options");
            }
            None if is_gated(&["conflict"]) => return Err("conflict clauses"),
            _ => {}
        }
        let qualified = format!("{}.{}", sql::quoted(&schema, '"'), sql::quoted(name, '"'));
        let columns = columns(&schema, name, module.is_some(), db)?;
        let has_rowid = db.rows(&format!("SELECT rowid FROM {qualified} LIMIT 0")).is_ok();
        let alias = tree.child(Kind::Alias).map(Node::print).unwrap_or_default();
        Ok(Self {
            columns,
            has_rowid,
            is_virtual: module.is_some(),
            from: format!("{qualified} {alias} NOT INDEXED"),
        })
    }

    /// What identifies and shows its rows, for a `SELECT`.
    pub(super) fn shown(&self) -> &'static str {
        if self.has_rowid { "rowid, *" } else { "*" }
    }

    /// How many columns that is.
    pub(super) fn width(&self) -> usize {
        self.columns.len() + usize::from(self.has_rowid)
    }

    /// The place of a column among [`Self::columns`].
    pub(super) fn position(&self, name: &str) -> Option<usize> {
        self.columns.iter().position(|column| column.name.eq_ignore_ascii_case(sql::bare(name)))
    }

    /// True for a name that may be the rowid's.
    pub(super) fn may_be_rowid(&self, name: &str) -> bool {
        ROWID_NAMES.iter().any(|rowid| rowid.eq_ignore_ascii_case(sql::bare(name)))
            || self.position(name).is_some_and(|at| self.columns[at].is_key)
    }
}

fn columns(
    schema: &str,
    name: &str,
    is_virtual: bool,
    db: &mut Session<'_, '_>,
) -> Result<Vec<Column>, &'static str> {
    let pragma = format!("PRAGMA {}.table_xinfo({})", sql::quoted(schema, '"'), sql::quoted(name, '"'));
    let column = |row: &Row| match &row[..] {
        [_, name, declared, _, default, Value::Integer(key), Value::Integer(hidden)] => {
            (*hidden != 1).then(|| Column {
                name: text(name).unwrap_or_default(),
                // A virtual table is given values as they are.
                affinity: if is_virtual { Some(Affinity::Blob) } else { Affinity::of(&lossy(declared)) },
                default: matches!(default, Value::Text(_)).then(|| lossy(default)),
                is_generated: *hidden != 0,
                is_key: *key != 0,
            })
        }
        _ => None,
    };
    let columns: Vec<Column> = db.rows(&pragma).map_err(query::why)?.iter().filter_map(column).collect();
    match columns.iter().any(|column| ROWID_NAMES.iter().any(|name| column.name.eq_ignore_ascii_case(name))) {
        // Nothing else identifies its rows.
        true => Err("a column that is named like the rowid"),
        false if columns.is_empty() => Err("a table without columns"),
        false => Ok(columns),
    }
}

/// A text of the schema; a type need not be valid UTF-8 to have an affinity.
fn lossy(declared: &Value) -> String {
    match declared {
        Value::Text(text) => String::from_utf8_lossy(text).into_owned(),
        _ => String::new(),
    }
}

/// True if a change in some table may change others.
fn has_foreign_key_actions(master: &str, db: &mut Session<'_, '_>) -> Result<bool, &'static str> {
    let text = format!(
        "SELECT 1 FROM {master} WHERE sql LIKE '%references%' AND (sql LIKE '%cascade%' OR sql LIKE '%set%')"
    );
    Ok(!db.rows(&text).map_err(query::why)?.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn affinities_are_those_of_the_documentation_and_say_nothing_of_what_depends_on_formats() {
        use Affinity::{Blob, Numeric, Real, Text};
        let declared =
            ["charint", "varchar(9)", "blobtext", "", "blob", "double", "t\u{fffd}xt", "decimal(3)"];
        assert_eq!(
            declared.map(|of| Affinity::of(of).unwrap()),
            [Numeric, Text, Text, Blob, Blob, Real, Numeric, Numeric]
        );
        assert_eq!(Affinity::of("any"), None);
        let text = |text: &str| Value::Text(text.as_bytes().to_vec());
        assert_eq!(Numeric.stored(&text("-07")), Some(Value::Integer(-7)));
        assert_eq!(Real.stored(&text("12")), Some(Value::Real(12.0)));
        assert_eq!(Numeric.stored(&text("1e1")), None);
        assert_eq!(Numeric.stored(&text("one")), Some(text("one")));
        assert_eq!(Text.stored(&Value::Integer(-3)), Some(text("-3")));
        assert_eq!(Text.stored(&Value::Real(0.5)), None);
        assert_eq!(Numeric.stored(&Value::Real(4.0)), Some(Value::Integer(4)));
        assert_eq!(Real.stored(&Value::Integer(i64::MIN)), None);
        assert_eq!(Blob.stored(&Value::Real(4.0)), Some(Value::Real(4.0)));
        assert_eq!(Numeric.stored(&Value::Blob(b"1".to_vec())), Some(Value::Blob(b"1".to_vec())));
    }
}
