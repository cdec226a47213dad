//! libFuzzer's own byte mutations, applied to a part where they make sense: under a custom mutator, its dictionary and
//! comparison hints have no other effect.

use super::sql_statements::store;
use super::{Context, Mutator, Outcome};
use crate::dbfile::Geometry;
use crate::sql;
use crate::testcase::{FileName, Script, TestCase};

/// The longest piece of a page that is mutated at once, in bytes.
const PIECE_BYTES_MAX: usize = 64;
/// Bytes by which SQL may grow.
const SQL_ROOM_BYTES: usize = 64;

/// Mutates a token of the script, or the whole script.
pub(super) struct SqlBytes;

impl Mutator for SqlBytes {
    fn can_mutate(&self, case: &TestCase) -> bool {
        !case.sql.is_empty()
    }

    fn mutate(&self, case: &mut TestCase, context: &mut Context<'_>) -> Outcome {
        let text = case.sql.as_bytes();
        let tokens = sql::tokenize(text);
        let range = match context.pick(&tokens) {
            Some(token) if context.chance(85) => token.range.clone(),
            _ => 0..text.len(),
        };
        let mut piece = text[range.clone()].to_vec();
        context.mutate_bytes(&mut piece, SQL_ROOM_BYTES);
        let new = Script::new([&text[..range.start], &piece, &text[range.end..]].concat());
        store(case, new)
    }
}

/// Mutates a piece of a file, usually within one page; its length stays the same.
pub(super) struct PageBytes;

impl Mutator for PageBytes {
    fn can_mutate(&self, case: &TestCase) -> bool {
        case.files.total_bytes() > 0
    }

    fn mutate(&self, case: &mut TestCase, context: &mut Context<'_>) -> Outcome {
        let names: Vec<FileName> = case.files.iter().map(|(name, _)| name.clone()).collect();
        let Some(name) = context.pick(&names) else {
            return Outcome::Skipped;
        };
        let mut outcome = Outcome::Skipped;
        case.files.edit(name, |content| outcome = mutate_piece(content, context));
        outcome
    }
}

fn mutate_piece(content: &mut [u8], context: &mut Context<'_>) -> Outcome {
    let geometry = Geometry::of(content);
    if content.is_empty() {
        return Outcome::Skipped;
    }
    let page = geometry.range(context.rng.u32(1..=geometry.pages), content.len());
    // Most of a page is zeros, and SQLite reads the rest.
    let used: Vec<usize> = page.clone().filter(|&at| content[at] != 0).collect();
    let start = *context.pick(&used).unwrap_or(&page.start);
    let end = (start + context.rng.usize(1..=PIECE_BYTES_MAX)).min(page.end);
    let mut piece = content[start..end].to_vec();
    context.mutate_bytes(&mut piece, 0);
    let length = piece.len().min(end - start);
    if content[start..start + length] == piece[..length] {
        return Outcome::Skipped;
    }
    content[start..start + length].copy_from_slice(&piece[..length]);
    Outcome::Mutated
}
