//! A statement that fails leaves nothing behind.
//!
//! What a statement did before it failed is taken back, within a transaction and without, also what its triggers did
//! (`ABORT`, the default of <https://sqlite.org/lang_conflict.html>): all tables and schemas are as before. An agreement
//! is telling if the statement ran for so long that it has reached what writes.
//!
//! Nothing is said where SQLite documents otherwise: `FAIL` and `ROLLBACK` anywhere in the statement or the schema, and
//! the codes after which it may end the whole transaction (<https://sqlite.org/lang_transaction.html>).

use rusqlite::ffi;

use super::content::Content;
use super::{After, Change, Check, Said, Statementwise};
use crate::engine::Value;
use crate::engine::sqlite::{Facts, Session};
use crate::sql::tree::{Kind, Node};

pub(crate) const ATOMICITY: Statementwise = Statementwise { name: "atomicity", check: Check::Changes(check) };

/// Codes after which only the statement is taken back.
const CODES: [i32; 5] =
    [ffi::SQLITE_ERROR, ffi::SQLITE_CONSTRAINT, ffi::SQLITE_MISMATCH, ffi::SQLITE_TOOBIG, ffi::SQLITE_RANGE];
/// Instructions that write.
const WRITING: [&str; 8] =
    ["Insert", "IdxInsert", "Delete", "IdxDelete", "VUpdate", "CreateBtree", "Clear", "Destroy"];
/// Words that allow a statement to fail otherwise: both are conflict resolutions and kinds of `RAISE`.
const EXCEPTIONS: [&str; 2] = ["fail", "rollback"];

fn check<'q>(change: &'q Change<'_>, db: &mut Session<'_, '_>) -> Result<After<'q>, &'static str> {
    if change.code.is_success() {
        return Err("no statement that fails");
    }
    if !CODES.contains(&change.code.primary()) {
        return Err("an error that may end the transaction");
    }
    if !change.tree.is_some_and(is_atomic) {
        return Err("a statement of another kind");
    }
    // What cannot be prepared does nothing.
    let facts =
        db.facts(change.text, db.optimizations_off()).map_err(|_| "no statement that fails while it runs")?;
    let before = Content::of(db)?;
    if is_exception(change.text) || before.schema.iter().flatten().any(is_exception_there) {
        return Err("FAIL or ROLLBACK");
    }
    Ok(Box::new(move |trace, db| match Content::of(db) {
        Err(reason) => Said::Nothing(reason),
        Ok(after) => match before.difference(&after) {
            None => Said::Agrees { is_telling: before.has_rows() && trace.vm_steps > steps_to_write(&facts) },
            Some((kind, difference)) => {
                let code = trace.code();
                Said::Differs(
                    format!("{kind}-{}", code.name()),
                    format!("a statement that failed with {code} left something: {difference}"),
                )
            }
        },
    }))
}

/// True for statements that change rows or the schema. Those that steer transactions are judged by their own.
fn is_atomic(tree: &Node) -> bool {
    use Kind::{
        Alter, CreateIndex, CreateTable, CreateTrigger, CreateView, CreateVirtual, Delete, Insert, Statement,
        Update,
    };
    let is_definition = || ["DROP", "REINDEX", "ANALYZE"].iter().any(|verb| tree.print().starts_with(verb));
    match tree.kind {
        Insert | Update | Delete | CreateTable | CreateIndex | CreateView | CreateTrigger | CreateVirtual
        | Alter => true,
        Statement => is_definition(),
        _ => false,
    }
}

fn is_exception(text: &str) -> bool {
    let text = text.to_ascii_lowercase();
    EXCEPTIONS.iter().any(|word| text.contains(word))
}

fn is_exception_there(value: &Value) -> bool {
    matches!(value, Value::Text(text) if is_exception(&String::from_utf8_lossy(text)))
}

/// The least number of steps that reach an instruction that writes.
fn steps_to_write(facts: &Facts) -> u64 {
    let first = facts.program.iter().position(|(opcode, _)| WRITING.contains(&opcode.as_str()));
    first.map_or(u64::MAX, |at| at as u64)
}
