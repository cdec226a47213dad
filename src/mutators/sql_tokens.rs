//! Tokens: replaced by similar ones, dropped, copied, wrapped, extended.
//!
//! There is no grammar: the result is often valid because tokens are replaced by tokens of the same kind, and
//! parentheses stay balanced.

use std::ops::Range;

use super::sql_templates as templates;
use super::{Context, Mutator, Outcome, sql_statements};
use crate::sql::{self, Token, TokenKind};
use crate::testcase::{Script, TestCase};

/// Tokens that are dropped or copied at once, at most.
const RUN_MAX: usize = 8;

/// The tokens of the script without whitespace.
fn tokens(case: &TestCase) -> Vec<Token> {
    sql::tokenize(case.sql.as_bytes()).into_iter().filter(|token| !token.kind.is_blank()).collect()
}

/// Replaces the bytes `range` by `new`, with spaces around it where words would run together.
pub(super) fn splice(text: &[u8], range: Range<usize>, new: &[u8]) -> Vec<u8> {
    let joins = |left: Option<&u8>, right: Option<&u8>| {
        let is_word = |byte: &u8| sql::token::is_word_byte(*byte);
        left.is_some_and(is_word) && right.is_some_and(is_word)
    };
    let (before, after) = (&text[..range.start], &text[range.end..]);
    let mut out = Vec::with_capacity(text.len() + new.len() + 2);
    out.extend_from_slice(before);
    if joins(before.last(), new.first()) {
        out.push(b' ');
    }
    out.extend_from_slice(new);
    if joins(out.last(), after.first()) {
        out.push(b' ');
    }
    out.extend_from_slice(after);
    out
}

fn store(case: &mut TestCase, range: Range<usize>, new: &[u8]) -> Outcome {
    let new = Script::new(splice(case.sql.as_bytes(), range, new));
    sql_statements::store(case, new)
}

/// Replaces a token by another of the same kind.
pub(super) struct Replace;

impl Mutator for Replace {
    fn can_mutate(&self, case: &TestCase) -> bool {
        !case.sql.is_empty()
    }

    fn mutate(&self, case: &mut TestCase, context: &mut Context<'_>) -> Outcome {
        let all = tokens(case);
        if all.is_empty() {
            return Outcome::Skipped;
        }
        let index = context.rng.usize(0..all.len());
        let new = replacement(case, &all, index, context);
        store(case, all[index].range.clone(), new.as_bytes())
    }
}

fn replacement(case: &TestCase, all: &[Token], index: usize, context: &mut Context<'_>) -> String {
    let text = case.sql.as_bytes();
    let word = |token: &Token| String::from_utf8_lossy(&text[token.range.clone()]).into_owned();
    let token = &all[index];
    let is_call = all.get(index + 1).is_some_and(|next| text[next.range.clone()] == *b"(");
    match token.kind {
        TokenKind::Word if is_call && context.chance(70) => {
            let arguments = arguments(text, all, index + 1);
            templates::function(arguments, context).unwrap_or_else(|| word(token))
        }
        TokenKind::Word => match sql::keyword(&text[token.range.clone()]) {
            Some(keyword) => templates::keyword_like(keyword, context),
            None => name(case, context),
        },
        TokenKind::QuotedName => name(case, context),
        TokenKind::Text | TokenKind::Blob | TokenKind::Number | TokenKind::Variable => {
            // Often a literal that the script already has, so that equal values meet in indexes and joins.
            let literals: Vec<&Token> = all.iter().filter(|other| other.kind == token.kind).collect();
            match context.pick(&literals) {
                Some(other) if context.chance(30) => word(other),
                _ => templates::literal(context),
            }
        }
        TokenKind::Operator => templates::operator_like(&word(token), context),
        _ => templates::literal(context),
    }
}

fn name(case: &TestCase, context: &mut Context<'_>) -> String {
    let names = templates::names(case);
    templates::any_name(&names, context)
}

/// The number of arguments of the call whose `(` is token `open`.
fn arguments(text: &[u8], all: &[Token], open: usize) -> usize {
    let (mut depth, mut commas, mut inside) = (0, 0, 0);
    for token in &all[open..] {
        match &text[token.range.clone()] {
            b"(" => depth += 1,
            b")" => depth -= 1,
            b"," if depth == 1 => commas += 1,
            _ => {}
        }
        if depth == 0 {
            break;
        }
        inside += 1;
    }
    if inside <= 1 { 0 } else { commas + 1 }
}

/// Drops a few consecutive tokens.
pub(super) struct Delete;

impl Mutator for Delete {
    fn can_mutate(&self, case: &TestCase) -> bool {
        !case.sql.is_empty()
    }

    fn mutate(&self, case: &mut TestCase, context: &mut Context<'_>) -> Outcome {
        let all = tokens(case);
        let Some(out) = context.range(all.len(), RUN_MAX) else {
            return Outcome::Skipped;
        };
        store(case, all[out.start].range.start..all[out.end - 1].range.end, b"")
    }
}

/// Copies a few tokens, right after themselves or over others.
pub(super) struct Copy;

impl Mutator for Copy {
    fn can_mutate(&self, case: &TestCase) -> bool {
        !case.sql.is_empty()
    }

    fn mutate(&self, case: &mut TestCase, context: &mut Context<'_>) -> Outcome {
        let all = tokens(case);
        let (Some(from), Some(to)) = (context.range(all.len(), RUN_MAX), context.range(all.len(), RUN_MAX))
        else {
            return Outcome::Skipped;
        };
        let piece = case.sql.as_bytes()[all[from.start].range.start..all[from.end - 1].range.end].to_vec();
        if piece.len() > context.room() {
            return Outcome::Skipped;
        }
        let start = all[to.start].range.start;
        let end = if context.chance(50) { start } else { all[to.end - 1].range.end };
        store(case, start..end, &piece)
    }
}

/// Replaces a parenthesised group, or an operand, by another group.
pub(super) struct ExchangeGroups;

impl Mutator for ExchangeGroups {
    fn can_mutate(&self, case: &TestCase) -> bool {
        case.sql.as_bytes().contains(&b'(')
    }

    fn mutate(&self, case: &mut TestCase, context: &mut Context<'_>) -> Outcome {
        let all = tokens(case);
        let text = case.sql.as_bytes();
        let groups = groups(text, &all);
        let Some(from) = context.pick(&groups) else {
            return Outcome::Skipped;
        };
        let piece = text[from.clone()].to_vec();
        let operands = all.iter().filter(|token| is_operand(token)).map(|token| token.range.clone());
        let targets: Vec<Range<usize>> = if context.chance(60) { groups.clone() } else { operands.collect() };
        let Some(to) = context.pick(&targets) else {
            return Outcome::Skipped;
        };
        if piece.len() > to.len() + context.room() {
            return Outcome::Skipped;
        }
        store(case, to.clone(), &piece)
    }
}

/// The byte ranges of all `( … )`, parentheses included.
fn groups(text: &[u8], all: &[Token]) -> Vec<Range<usize>> {
    let mut open = Vec::new();
    let mut groups = Vec::new();
    for token in all {
        match &text[token.range.clone()] {
            b"(" => open.push(token.range.start),
            b")" => groups.extend(open.pop().map(|start| start..token.range.end)),
            b";" => open.clear(),
            _ => {}
        }
    }
    groups
}

fn is_operand(token: &Token) -> bool {
    use TokenKind::{Blob, Number, QuotedName, Text, Variable};
    matches!(token.kind, Blob | Number | QuotedName | Text | Variable)
}

/// Inserts a clause or a modifier between two tokens.
pub(super) struct InsertClause;

impl Mutator for InsertClause {
    fn can_mutate(&self, case: &TestCase) -> bool {
        !case.sql.is_empty()
    }

    fn mutate(&self, case: &mut TestCase, context: &mut Context<'_>) -> Outcome {
        let all = tokens(case);
        let names = templates::names(case);
        let clause = templates::clause(&names, context);
        if clause.len() + 2 > context.room() {
            return Outcome::Skipped;
        }
        // Clauses mostly belong at the end of a statement or before a closing parenthesis.
        let text = case.sql.as_bytes();
        let ends = all.iter().filter(|token| matches!(&text[token.range.clone()], b";" | b")"));
        let ends: Vec<usize> = ends.map(|token| token.range.start).chain([text.len()]).collect();
        let anywhere: Vec<usize> = all.iter().map(|token| token.range.end).collect();
        let places = if context.chance(60) || anywhere.is_empty() { &ends } else { &anywhere };
        let at = *context.pick(places).unwrap_or(&0);
        store(case, at..at, format!(" {clause} ").as_bytes())
    }
}

/// Wraps an operand in a larger expression.
pub(super) struct WrapExpression;

impl Mutator for WrapExpression {
    fn can_mutate(&self, case: &TestCase) -> bool {
        !case.sql.is_empty()
    }

    fn mutate(&self, case: &mut TestCase, context: &mut Context<'_>) -> Outcome {
        let all = tokens(case);
        let text = case.sql.as_bytes();
        let words = all.iter().filter(|token| {
            is_operand(token)
                || token.kind == TokenKind::Word && sql::keyword(&text[token.range.clone()]).is_none()
        });
        let words: Vec<Range<usize>> = words.map(|token| token.range.clone()).collect();
        let mut places = groups(text, &all);
        if places.is_empty() || context.chance(70) {
            places = words;
        }
        let Some(place) = context.pick(&places) else {
            return Outcome::Skipped;
        };
        let operand = String::from_utf8_lossy(&text[place.clone()]).into_owned();
        let names = templates::names(case);
        let new = templates::wrap(&operand, &names, context);
        if new.len() > operand.len() + context.room() {
            return Outcome::Skipped;
        }
        store(case, place.clone(), new.as_bytes())
    }
}
