//! A case's files as files, alongside its statements as plain SQL.

use tandem::engine::sqlite::pragmas;

use super::finding::{Expectation, Seen};
use super::{CHECK, Form, Handed, settings_in_words};

/// The name of the file with the statements.
pub(crate) const SCRIPT: &str = "case.sql";

/// The statements, each starting on a new line, preceded by the pragmas that are set.
pub(crate) fn script(handed: &Handed, seen: &Seen) -> Form {
    let mut losses = handed.losses.clone();
    let mut text = format!("-- case {}, for main.db beside this file; opening it may change it\n", handed.id);
    for words in settings_in_words(&handed.case.config) {
        text.push_str(&format!("-- setting {words}\n"));
        losses.push(format!("not set, for SQL cannot: {words}"));
    }
    if handed.has_named_values() {
        losses.push("parameters such as $int_1 are not bound".to_owned());
    }
    pragmas(&handed.case.config).for_each(|pragma| text.push_str(&format!("{pragma};\n")));
    let mut content = text.into_bytes();
    for statement in handed.statements() {
        content.extend_from_slice(statement);
        content.push(b'\n');
    }
    if seen.expectation(handed).0 == Expectation::Integrity {
        content.extend_from_slice(CHECK.as_bytes());
        content.push(b'\n');
    }
    Form { content, losses }
}
