//! Making a case smaller, for libFuzzer's crash minimisation (`max_size < size`).
//!
//! Random cuts, largest first: files, statements, pages, tokens, operations,
//! settings. Nothing here checks that the bug remains:
//! that is up to libFuzzer, and to `fuzzcheck minimize` where it matters.

use super::{Context, Outcome};
use crate::dbfile::Geometry;
use crate::sql;
use crate::testcase::{FaultPlan, FileName, OpenConfig, Schedule, Script, TestCase};

/// Applies one cut; afterwards the case is smaller, or [`Outcome::Skipped`] means that nothing was found.
pub(super) fn shrink(case: &mut TestCase, context: &mut Context<'_>) -> Outcome {
    let before = case.clone();
    match context.rng.u8(0..9) {
        0 => drop_file(case, context),
        1..3 => drop_statements(case, context),
        3..5 => drop_tokens(case, context),
        5..7 => clear_bytes(case, context),
        7 => {
            let count = case.operations.list().len();
            if let Some(out) = context.range(count, count.div_ceil(2)) {
                case.operations.edit(|operations| drop(operations.drain(out)));
            }
        }
        _ => {
            case.config = OpenConfig::default();
            case.faults = FaultPlan::default();
            case.schedule = Schedule::default();
        }
    }
    if *case == before {
        return Outcome::Skipped;
    }
    context.used("shrink");
    Outcome::Mutated
}

fn drop_file(case: &mut TestCase, context: &mut Context<'_>) {
    let names: Vec<FileName> = case.files.iter().map(|(name, _)| name.clone()).collect();
    if let Some(name) = context.pick(&names) {
        case.files.remove(name);
    }
}

fn drop_statements(case: &mut TestCase, context: &mut Context<'_>) {
    let mut all: Vec<_> = sql::statements(case.sql.as_bytes()).collect();
    let count = all.len();
    if let Some(out) = context.range(count, count.div_ceil(2)) {
        all.drain(out);
        let text = case.sql.as_bytes();
        case.sql =
            Script::new(all.iter().flat_map(|range| text[range.clone()].to_vec()).collect::<Vec<u8>>());
    }
}

fn drop_tokens(case: &mut TestCase, context: &mut Context<'_>) {
    let all = sql::tokenize(case.sql.as_bytes());
    if let Some(out) = context.range(all.len(), 8) {
        let text = case.sql.as_bytes();
        let (start, end) = (all[out.start].range.start, all[out.end - 1].range.end);
        case.sql = Script::new([&text[..start], &text[end..]].concat());
    }
}

/// Overwrites part of a file with zeros, which the encoding omits, or truncates it.
fn clear_bytes(case: &mut TestCase, context: &mut Context<'_>) {
    let names: Vec<FileName> = case.files.iter().map(|(name, _)| name.clone()).collect();
    let Some(name) = context.pick(&names) else {
        return;
    };
    case.files.edit(name, |content| {
        let geometry = Geometry::of(content);
        if content.is_empty() {
            return;
        }
        if context.chance(20) {
            content.truncate(content.len().saturating_sub(geometry.page_bytes));
            return;
        }
        let length = [8, 64, geometry.page_bytes][context.rng.usize(0..3)];
        let start = context.rng.usize(0..content.len());
        let end = (start + length).min(content.len());
        content[start..end].fill(0);
    });
}
