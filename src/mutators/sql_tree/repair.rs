//! Scripts whose names are bound again, from the first statement to the last.

use super::{Subject, bind, edit};
use crate::generators::statements::{Statements, Validity};
use crate::mutators::sql_statements::join;
use crate::mutators::{Context, Mutator, Outcome, sql_templates};
use crate::sql::tree::{self, Kind, Node};
use crate::sql::{self};
use crate::testcase::TestCase;

/// Longest script in bytes that is repaired.
const SCRIPT_BYTES_MAX: usize = 12 << 10;

/// Names of a statement give way to others of the schema: it works on another table, index or column.
pub(in crate::mutators) struct Rebind;

impl Mutator for Rebind {
    fn can_mutate(&self, case: &TestCase) -> bool {
        !case.sql.is_empty()
    }

    fn mutate(&self, case: &mut TestCase, context: &mut Context<'_>) -> Outcome {
        edit(case, context, |tree, subject: &Subject<'_>, context| {
            let before = tree.clone();
            let forget = context.rng.u8(0..100);
            forget_names(tree, forget, context);
            bind(tree, subject.names, context);
            *tree != before
        })
    }
}

/// Puts placeholders in place of `percent` of the names.
fn forget_names(node: &mut Node, percent: u8, context: &mut Context<'_>) {
    let placeholder = match node.kind {
        Kind::TableName | Kind::Target => "_t",
        Kind::Column | Kind::ColumnName => "_c",
        Kind::IndexName => "_i",
        _ => "",
    };
    if !placeholder.is_empty() && context.chance(percent) {
        *node = Node::text(node.kind, placeholder);
        return;
    }
    for child in node.children_mut() {
        forget_names(child, percent, context);
    }
}

/// [`repair`] as an edit of its own.
pub(in crate::mutators) struct Repair;

impl Mutator for Repair {
    fn can_mutate(&self, case: &TestCase) -> bool {
        !case.sql.is_empty()
    }

    fn mutate(&self, case: &mut TestCase, context: &mut Context<'_>) -> Outcome {
        repair(case, context)
    }
}

/// Binds every statement of the script to what is there when it runs. One that no parser takes is left, or a new
/// one takes its place. Nothing happens to what is right already.
pub(in crate::mutators) fn repair(case: &mut TestCase, context: &mut Context<'_>) -> Outcome {
    /// Broken statements that are exchanged, of 100.
    const EXCHANGED_PERCENT: u8 = 40;
    if case.sql.is_empty() || case.sql.len() > SCRIPT_BYTES_MAX {
        return Outcome::Skipped;
    }
    let script = case.sql.as_bytes();
    let mut names = sql_templates::names_before(case, 0);
    let mut parts: Vec<Vec<u8>> = Vec::new();
    let mut has_changed = false;
    for range in sql::statements(script) {
        let text = &script[range];
        let mut new = text.to_vec();
        match tree::parse(text) {
            Some(mut tree) => {
                let before = tree.print();
                bind(&mut tree, &names, context);
                let bound = tree.print();
                if bound != before {
                    new = (bound + ";").into_bytes();
                    has_changed = true;
                }
            }
            None if context.chance(EXCHANGED_PERCENT) && !text.trim_ascii().is_empty() => {
                let vocabulary = context.vocabulary;
                new = Statements::new(&names, vocabulary, &mut context.rng, Validity::VALID)
                    .statement()
                    .into_bytes();
                has_changed = true;
            }
            None => {}
        }
        names.add(&new);
        parts.push(new);
    }
    let new = join(parts.iter().map(Vec::as_slice));
    if !has_changed || new.len() > script.len() + context.room() || new == case.sql {
        return Outcome::Skipped;
    }
    case.sql = new;
    Outcome::Mutated
}
