//! The statements that a history is made of: SQL in fixed forms on two tables.

use super::Object;
use crate::sql::token::{self, TokenKind};
use crate::sql::{bare, words};

/// The table of lists: `k INTEGER PRIMARY KEY`, and `v TEXT` such as `,3,7`.
pub const LIST_TABLE: &str = "tandem_list";
/// The table of registers: `k INTEGER PRIMARY KEY`, and `v INTEGER`.
pub const REGISTER_TABLE: &str = "tandem_register";

/// Statements that only read, whatever they name.
const READING: [&str; 6] = ["SELECT", "VALUES", "EXPLAIN", "PRAGMA", "ANALYZE", "REINDEX"];
/// Statements that end a part of a transaction: what it wrote may or may not be kept.
const PARTIAL: [&str; 3] = ["SAVEPOINT", "RELEASE", "ROLLBACK"];
/// Pragmas that take promises back.
const PROMISES: [&str; 2] = ["read_uncommitted", "writable_schema"];

/// One of the two tables.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Table {
    /// [`LIST_TABLE`].
    List,
    /// [`REGISTER_TABLE`].
    Register,
}

impl Table {
    /// The object with this key.
    pub fn object(self, key: i64) -> Object {
        match self {
            Self::List => Object::List(key),
            Self::Register => Object::Register(key),
        }
    }

    fn named(word: &str) -> Option<Self> {
        let is = |name: &str| word.eq_ignore_ascii_case(name);
        is(LIST_TABLE).then_some(Self::List).or_else(|| is(REGISTER_TABLE).then_some(Self::Register))
    }
}

/// What a statement is to a history.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Form {
    /// `BEGIN`.
    Begin {
        /// `IMMEDIATE` or `EXCLUSIVE`: it takes its snapshot at once.
        is_immediate: bool,
    },
    /// `COMMIT` or `END`.
    Commit,
    /// `ROLLBACK`.
    Rollback,
    /// An append, `UPDATE tandem_list SET v = v || ',7' WHERE k = 1`, or
    /// `UPDATE tandem_register SET v = 7 WHERE k = 1`.
    Write(Object, i64),
    /// `SELECT v FROM tandem_list WHERE k = 1`: one row.
    Read(Object),
    /// `SELECT k, v FROM tandem_list ORDER BY k`: a row for each key.
    ReadAll(Table),
    /// One of the two tables is made, or gets rows with these keys and nothing in them:
    /// `INSERT INTO tandem_list VALUES (1, '')`, `INSERT INTO tandem_register VALUES (1, NULL)`.
    Setup(Vec<Object>),
    /// A statement that does not matter, except that it may begin to read.
    Other,
    /// A statement that may write to one of the tables in another form, or changes what is promised: no history has it.
    Spoils,
}

/// What a statement is. A `;` at its end, comments, blanks, quotes around names and the case of words do not matter.
pub fn recognise(statement: &[u8]) -> Form {
    let parts = parts(statement);
    let parts: Vec<&str> = parts.iter().map(String::as_str).collect();
    transaction(&parts)
        .or_else(|| access(&parts))
        .or_else(|| setup(&parts))
        .unwrap_or_else(|| other(statement, &parts))
}

/// The tokens, words and names in upper case, without blanks and the final `;`.
fn parts(statement: &[u8]) -> Vec<String> {
    let tokens = token::tokenize(statement).into_iter().filter(|token| !token.kind.is_blank());
    let mut parts: Vec<String> = tokens
        .map(|token| {
            let text = String::from_utf8_lossy(&statement[token.range]);
            match token.kind {
                TokenKind::Word | TokenKind::QuotedName => bare(&text).to_ascii_uppercase(),
                _ => text.into_owned(),
            }
        })
        .collect();
    parts.pop_if(|part| part == ";");
    parts
}

fn transaction(parts: &[&str]) -> Option<Form> {
    let parts = parts.strip_suffix(&["TRANSACTION"]).unwrap_or(parts);
    match parts {
        ["BEGIN"] | ["BEGIN", "DEFERRED"] => Some(Form::Begin { is_immediate: false }),
        ["BEGIN", "IMMEDIATE" | "EXCLUSIVE"] => Some(Form::Begin { is_immediate: true }),
        ["COMMIT" | "END"] => Some(Form::Commit),
        ["ROLLBACK"] => Some(Form::Rollback),
        _ => None,
    }
}

fn access(parts: &[&str]) -> Option<Form> {
    match parts {
        ["UPDATE", table, "SET", "V", "=", "V", "||", text, "WHERE", "K", "=", key @ ..] => {
            let value = text.strip_prefix("',")?.strip_suffix('\'')?;
            let object = (Table::named(table)? == Table::List).then_some(Object::List(number(key)?))?;
            Some(Form::Write(object, canonical(value)?))
        }
        ["UPDATE", table, "SET", "V", "=", rest @ ..] => {
            let at = rest.iter().position(|part| *part == "WHERE")?;
            let (value, ["WHERE", "K", "=", key @ ..]) = rest.split_at(at) else { return None };
            let is_register = Table::named(table)? == Table::Register;
            let object = is_register.then_some(Object::Register(number(key)?))?;
            Some(Form::Write(object, number(value)?))
        }
        ["SELECT", "V", "FROM", table, "WHERE", "K", "=", key @ ..] => {
            Some(Form::Read(Table::named(table)?.object(number(key)?)))
        }
        ["SELECT", "K", ",", "V", "FROM", table, "ORDER", "BY", "K"] => {
            Some(Form::ReadAll(Table::named(table)?))
        }
        _ => None,
    }
}

fn setup(parts: &[&str]) -> Option<Form> {
    match parts {
        ["CREATE", "TABLE", table, "(", "K", "INTEGER", "PRIMARY", "KEY", ",", "V", kind, ")"] => {
            let expected = match Table::named(table)? {
                Table::List => "TEXT",
                Table::Register => "INTEGER",
            };
            (*kind == expected).then_some(Form::Setup(Vec::new()))
        }
        ["INSERT", "INTO", table, rest @ ..] => {
            let table = Table::named(table)?;
            let rows = rest.strip_prefix(&["(", "K", ",", "V", ")"]).unwrap_or(rest);
            let rows = rows.strip_prefix(&["VALUES"])?;
            let nothing = if table == Table::List { "''" } else { "NULL" };
            let (mut objects, mut rest) = (Vec::new(), rows);
            loop {
                let end = rest.iter().position(|part| *part == ")")?;
                let ["(", key @ .., ",", value] = &rest[..end] else { return None };
                objects.push((*value == nothing).then_some(table.object(number(key)?))?);
                match &rest[end + 1..] {
                    [] => return Some(Form::Setup(objects)),
                    [",", more @ ..] => rest = more,
                    _ => return None,
                }
            }
        }
        _ => None,
    }
}

fn other(statement: &[u8], parts: &[&str]) -> Form {
    let first = parts.first().copied().unwrap_or_default();
    let mentions = |names: &[&str]| {
        words(statement).any(|word| names.iter().any(|name| word.eq_ignore_ascii_case(name.as_bytes())))
    };
    let is_spoilt = match first {
        "PRAGMA" => mentions(&PROMISES) || (mentions(&["journal_mode"]) && mentions(&["off"])),
        _ if READING.contains(&first) => false,
        _ => PARTIAL.contains(&first) || mentions(&[LIST_TABLE, REGISTER_TABLE]),
    };
    if is_spoilt { Form::Spoils } else { Form::Other }
}

/// The integer that these tokens are, as SQLite prints it.
fn number(parts: &[&str]) -> Option<i64> {
    match parts {
        [digits] => canonical(digits),
        ["-", digits] => canonical(&format!("-{digits}")),
        _ => None,
    }
}

/// The integer that this text is, if it is written the usual way.
pub(super) fn canonical(text: &str) -> Option<i64> {
    text.parse().ok().filter(|value: &i64| value.to_string() == text)
}
