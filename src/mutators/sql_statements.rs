//! Whole statements: deleted, duplicated, moved, or new.

use std::ops::Range;

use super::sql_templates;
use super::{Context, Mutator, Outcome};
use crate::generators::statements::{Statements, Validity};
use crate::sql::{self, Names};
use crate::testcase::{Script, TestCase};

/// Statements that are moved at once, at most.
const RUN_MAX: usize = 4;

fn statements(case: &TestCase) -> Vec<Range<usize>> {
    sql::statements(case.sql.as_bytes()).collect()
}

/// Joins `parts`, each terminated so that the next one is a statement of its own.
pub(super) fn join<'a>(parts: impl IntoIterator<Item = &'a [u8]>) -> Script {
    let mut text: Vec<u8> = Vec::new();
    for part in parts {
        let needs_end = !text.is_empty() && !text.trim_ascii_end().ends_with(b";");
        if needs_end {
            text.push(b';');
        }
        if !text.is_empty() && !text.ends_with(b"\n") {
            text.push(b'\n');
        }
        text.extend_from_slice(part.trim_ascii_start());
    }
    Script::new(text)
}

/// Replaces the script of the case.
pub(super) fn store(case: &mut TestCase, new: Script) -> Outcome {
    if new == case.sql {
        return Outcome::Skipped;
    }
    case.sql = new;
    Outcome::Mutated
}

/// Drops one or a few consecutive statements.
pub(super) struct Delete;

impl Mutator for Delete {
    fn can_mutate(&self, case: &TestCase) -> bool {
        !case.sql.is_empty()
    }

    fn mutate(&self, case: &mut TestCase, context: &mut Context<'_>) -> Outcome {
        let all = statements(case);
        let Some(out) = context.range(all.len(), RUN_MAX) else {
            return Outcome::Skipped;
        };
        let text = case.sql.as_bytes();
        let end = all[out.end - 1].end;
        let new = [&text[..all[out.start].start], &text[end..]].concat();
        store(case, Script::new(new))
    }
}

/// Duplicates a statement, right after the original or anywhere.
pub(super) struct Duplicate;

impl Mutator for Duplicate {
    fn can_mutate(&self, case: &TestCase) -> bool {
        !case.sql.is_empty()
    }

    fn mutate(&self, case: &mut TestCase, context: &mut Context<'_>) -> Outcome {
        let all = statements(case);
        let Some(chosen) = context.range(all.len(), RUN_MAX) else {
            return Outcome::Skipped;
        };
        let text = case.sql.as_bytes();
        let piece = &text[all[chosen.start].start..all[chosen.end - 1].end];
        if piece.len() > context.room() {
            return Outcome::Skipped;
        }
        let at = if context.chance(50) { chosen.end } else { context.rng.usize(0..=all.len()) };
        let at = all.get(at).map_or(text.len(), |statement| statement.start);
        let new = join([&text[..at], piece, &text[at..]]);
        store(case, new)
    }
}

/// Moves statements.
pub(super) struct Move;

impl Mutator for Move {
    fn can_mutate(&self, case: &TestCase) -> bool {
        case.sql.as_bytes().iter().filter(|&&byte| byte == b';').count() > 1
    }

    fn mutate(&self, case: &mut TestCase, context: &mut Context<'_>) -> Outcome {
        let mut order = statements(case);
        let Some(chosen) = context.range(order.len(), RUN_MAX) else {
            return Outcome::Skipped;
        };
        let moved: Vec<Range<usize>> = order.drain(chosen).collect();
        let at = context.rng.usize(0..=order.len());
        order.splice(at..at, moved);
        let text = case.sql.as_bytes();
        let new = join(order.iter().map(|range| &text[range.clone()]));
        store(case, new)
    }
}

/// One or a few generated statements; later ones know what earlier ones define.
pub(super) fn new_statement(names: &Names, context: &mut Context<'_>) -> String {
    let is_schema = names.is_empty() && context.chance(50);
    let count = if context.chance(50) { 1 } else { context.rng.u8(2..5) };
    let vocabulary = context.vocabulary;
    if is_schema {
        return Statements::new(names, vocabulary, &mut context.rng, Validity::MIXED).schema(2);
    }
    let mut text = Statements::new(names, vocabulary, &mut context.rng, Validity::MIXED).statement();
    if count > 1 {
        let mut names = names.clone();
        for _ in 1..count {
            names.add(text.as_bytes());
            text.push('\n');
            text += &Statements::new(&names, vocabulary, &mut context.rng, Validity::MIXED).statement();
        }
    }
    text
}

/// Inserts a new statement that uses what the case defines.
pub(super) struct Insert;

impl Mutator for Insert {
    fn can_mutate(&self, _case: &TestCase) -> bool {
        true
    }

    fn mutate(&self, case: &mut TestCase, context: &mut Context<'_>) -> Outcome {
        let all = statements(case);
        // Late in the script there is more to use.
        let at = if context.chance(60) { all.len() } else { context.rng.usize(0..=all.len()) };
        let text = case.sql.as_bytes();
        let at = all.get(at).map_or(text.len(), |range| range.start);
        let names = sql_templates::names_before(case, at);
        let statement = new_statement(&names, context);
        if statement.len() > context.room() {
            return Outcome::Skipped;
        }
        let new = join([&text[..at], statement.as_bytes(), &text[at..]]);
        store(case, new)
    }
}
