//! Binds the names of statements again.

use std::ops::Range;

use super::{Subject, bind, tree_mutator};
use crate::generators::statements::{Statements, Validity};
use crate::mutators::sql_statements::{join, store};
use crate::mutators::{Context, Mutator, Outcome, sql_templates};
use crate::sql::tree::{self, Kind, Node};
use crate::sql::{self, Names};
use crate::testcase::TestCase;

/// Longest script that is repaired, in bytes.
const SCRIPT_BYTES_MAX: usize = 12 << 10;
/// Statements that are repaired at a time: from this many to twice as many.
const WINDOW: usize = 3;

tree_mutator! {
    /// Replaces names of a statement by others from the schema: it then works on another table, index or column.
    Rebind => rebind
}

fn rebind(tree: &mut Node, subject: &Subject<'_>, context: &mut Context<'_>) -> bool {
    let before = tree.clone();
    let forget = context.rng.u8(0..100);
    forget_names(tree, forget, context);
    bind(tree, subject.names, context);
    *tree != before
}

/// Replaces `percent` of the names by placeholders.
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

/// [`repair`] as a mutator.
pub(in crate::mutators) struct Repair;

impl Mutator for Repair {
    fn can_mutate(&self, case: &TestCase) -> bool {
        !case.sql.is_empty()
    }

    fn mutate(&self, case: &mut TestCase, context: &mut Context<'_>) -> Outcome {
        repair(case, context)
    }
}

/// Binds some statements of the script, one after the other, to what exists when they run. A statement that does not
/// parse is kept or replaced by a new one. Statements that are correct are not changed. A long script is repaired over
/// several generations of mutants.
pub(in crate::mutators) fn repair(case: &mut TestCase, context: &mut Context<'_>) -> Outcome {
    let all: Vec<Range<usize>> = sql::statements(case.sql.as_bytes()).collect();
    let Some(window) = context.range(all.len(), 2 * WINDOW).filter(|_| case.sql.len() <= SCRIPT_BYTES_MAX)
    else {
        return Outcome::Skipped;
    };
    let window = window.start..window.end.max(window.start + WINDOW).min(all.len());
    let (start, end) = (all[window.start].start, all[window.end - 1].end);
    let mut names = sql_templates::names_before(case, start);
    let script = case.sql.as_bytes();
    let mut parts: Vec<Vec<u8>> = vec![script[..start].to_vec()];
    let mut has_changed = false;
    for range in &all[window] {
        let text = &script[range.clone()];
        let new = repaired(text, &names, context);
        has_changed |= new.is_some();
        let new = new.unwrap_or_else(|| text.to_vec());
        names.add(&new);
        parts.push(new);
    }
    parts.push(script[end..].to_vec());
    let new = join(parts.iter().map(Vec::as_slice));
    if !has_changed || new.len() > script.len() + context.room() {
        return Outcome::Skipped;
    }
    store(case, new)
}

/// A statement bound to `names`, or its replacement; `None` if it stays as it is.
fn repaired(text: &[u8], names: &Names, context: &mut Context<'_>) -> Option<Vec<u8>> {
    /// Broken statements that are replaced, of 100.
    const EXCHANGED_PERCENT: u8 = 60;
    let Some(mut tree) = tree::parse(text) else {
        let is_exchanged = context.chance(EXCHANGED_PERCENT) && !text.trim_ascii().is_empty();
        let vocabulary = context.vocabulary;
        return is_exchanged.then(|| {
            Statements::new(names, vocabulary, &mut context.rng, Validity::VALID).statement().into_bytes()
        });
    };
    let before = tree.print();
    bind(&mut tree, names, context);
    let bound = tree.print();
    (bound != before).then(|| (bound + ";").into_bytes())
}
