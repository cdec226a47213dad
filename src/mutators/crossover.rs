//! Combines two cases into one.

use super::sql_statements::join;
use super::{Context, db_graft, sql_tree};
use crate::dbfile::Geometry;
use crate::sql;
use crate::testcase::{FileName, JOURNAL, Script, Setting, TestCase, WAL};

/// A mixture of `first` and `second`; closer to `first`.
pub(super) fn mix(first: &TestCase, second: &TestCase, context: &mut Context<'_>) -> TestCase {
    let mut case = first.clone();
    match context.rng.u8(0..11) {
        0..2 => case.sql = splice(&first.sql, &second.sql, context),
        2..4 => {
            case.sql = splice(&first.sql, &second.sql, context);
            sql_tree::repair(&mut case, context);
        }
        4..6 => {
            sql_tree::exchange_with(&mut case, &second.sql, context);
        }
        6 => {
            case.sql = second.sql.clone();
            case.operations = second.operations.clone();
            sql_tree::repair(&mut case, context);
            return case;
        }
        7 if context.chance(25) => graft_pages(&mut case, second, context),
        7 => graft_table(&mut case, second, context),
        8 => {
            graft_table(&mut case, second, context);
            case.sql = splice(&first.sql, &second.sql, context);
        }
        9 => {
            for name in [WAL, JOURNAL] {
                if let (Some(content), Some(name)) = (second.files.get(name), FileName::new(name)) {
                    case.files.insert(name, content.to_vec());
                }
            }
        }
        _ => {
            case.config = second.config;
            let schema = first.config.get(Setting::RichSchema);
            case.config.set(Setting::RichSchema, schema);
        }
    }
    case.operations.follow(&first.sql, &case.sql);
    case.schedule.follow(first.operations.list(), case.operations.list());
    case
}

/// Statements of both scripts: the beginning of one and the end of the other, or some of the second in
/// the middle of the first.
fn splice(first: &Script, second: &Script, context: &mut Context<'_>) -> Script {
    let parts =
        |script: &'_ Script| -> Vec<std::ops::Range<usize>> { sql::statements(script.as_bytes()).collect() };
    let (a, b) = (parts(first), parts(second));
    let cut = context.rng.usize(0..=a.len());
    let from = context.rng.usize(0..=b.len());
    let to = context.rng.usize(from..=b.len());
    let (to, resume) = if context.chance(50) { (b.len(), a.len()) } else { (to, cut) };
    let head = a[..cut].iter().map(|range| &first.as_bytes()[range.clone()]);
    let middle = b[from..to].iter().map(|range| &second.as_bytes()[range.clone()]);
    let tail = a[resume..].iter().map(|range| &first.as_bytes()[range.clone()]);
    join(head.chain(middle).chain(tail))
}

/// Copies a table of the second database, with everything that belongs to it, into the first.
fn graft_table(case: &mut TestCase, second: &TestCase, context: &mut Context<'_>) {
    let source = second.files.main().unwrap_or_default();
    case.files.edit(&FileName::main(), |image| {
        db_graft::graft_table(image, source, context);
    });
}

/// Copies pages of the second database over those of the first, at the same page numbers, if the page
/// sizes agree.
fn graft_pages(case: &mut TestCase, second: &TestCase, context: &mut Context<'_>) {
    let source = second.files.main().unwrap_or_default();
    let from = Geometry::of(source);
    case.files.edit(&FileName::main(), |image| {
        let to = Geometry::of(image);
        let pages = from.pages.min(to.pages);
        if from.page_bytes != to.page_bytes || pages < 2 {
            return;
        }
        for _ in 0..context.rng.u32(1..4) {
            let number = context.rng.u32(2..=pages);
            let page = from.page(source, number);
            let target = to.page_mut(image, number);
            let count = page.len().min(target.len());
            target[..count].copy_from_slice(&page[..count]);
        }
    });
}
