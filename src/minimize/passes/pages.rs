//! The database as bytes: pages, cells, runs of bytes. Derived fields are corrected, so that of many corruptions only the
//! one that matters is left.

use std::ops::Range;

use super::{Part, Pass, with_main};
use crate::dbfile::page::{self, BtreePage};
use crate::dbfile::{Geometry, header, read_be, space, write_be};
use crate::testcase::TestCase;

/// Maximum number of runs of bytes to try; a larger file has longer runs.
const RUNS_MAX: usize = 4096;
/// Shortest run in bytes.
pub(super) const RUN_BYTES: usize = 16;

fn image(case: &TestCase) -> &[u8] {
    case.files.main().unwrap_or_default()
}

/// Pages at the end.
pub(super) struct Tail;

impl Pass for Tail {
    fn name(&self) -> &'static str {
        "pages at the end"
    }

    fn part(&self) -> Part {
        Part::Db
    }

    fn count(&self, case: &TestCase) -> usize {
        let image = image(case);
        if image.is_empty() { 0 } else { Geometry::of(image).pages.saturating_sub(1) as usize }
    }

    fn without(&self, case: &TestCase, places: Range<usize>) -> Option<TestCase> {
        // Only the last pages are at the end.
        let is_last = places.start == 0;
        let pages = Geometry::of(image(case)).pages.checked_sub(places.end as u32)?;
        with_main(case, |image| {
            image.truncate(pages as usize * Geometry::of(image).page_bytes);
            header::PAGE_COUNT.set(image, pages);
            is_last.then_some(())
        })
    }
}

/// Pages filled with zeros.
pub(super) struct Pages;

/// Numbers of the pages after the first that hold anything.
fn filled(image: &[u8]) -> Vec<u32> {
    let geometry = Geometry::of(image);
    (2..=geometry.pages).filter(|&page| geometry.page(image, page).iter().any(|&byte| byte != 0)).collect()
}

impl Pass for Pages {
    fn name(&self) -> &'static str {
        "pages"
    }

    fn part(&self) -> Part {
        Part::Db
    }

    fn count(&self, case: &TestCase) -> usize {
        filled(image(case)).len()
    }

    fn without(&self, case: &TestCase, places: Range<usize>) -> Option<TestCase> {
        with_main(case, |image| {
            let geometry = Geometry::of(image);
            for &page in filled(image).get(places)? {
                geometry.page_mut(image, page).fill(0);
            }
            Some(())
        })
    }
}

/// Cells: their pointers go, but their bytes stay, as does anything else that may be wrong with the page.
pub(super) struct Cells;

/// Page and cell index of every cell that a page claims to have and has room for.
fn cells(image: &[u8]) -> Vec<(u32, usize)> {
    let geometry = Geometry::of(image);
    let mut cells = Vec::new();
    for number in 1..=geometry.pages {
        if let Some(page) = BtreePage::parse(image, &geometry, number) {
            cells.extend((0..page.cell_offsets().count()).map(|index| (number, index)));
        }
        cells.truncate(RUNS_MAX);
    }
    cells
}

impl Pass for Cells {
    fn name(&self) -> &'static str {
        "cells"
    }

    fn part(&self) -> Part {
        Part::Db
    }

    fn count(&self, case: &TestCase) -> usize {
        cells(image(case)).len()
    }

    fn without(&self, case: &TestCase, places: Range<usize>) -> Option<TestCase> {
        with_main(case, |image| {
            let geometry = Geometry::of(image);
            for &(number, index) in cells(image).get(places)?.iter().rev() {
                let page = BtreePage::parse(image, &geometry, number)?;
                let (from, to) = (page.pointer_at(index), page.pointer_at(page.cell_offsets().count() - 1));
                let (start, count) = (page.start, page.cell_count());
                let bytes = geometry.page_mut(image, number);
                bytes.copy_within(from + 2..to + 2, from);
                write_be(bytes, to, 2, 0);
                write_be(bytes, start + 3, 2, count as u64 - 1);
            }
            Some(())
        })
    }
}

/// Derived data: freelist, page count and pointer map; fields of the header; the layout of a page.
pub(super) struct Lies;

/// The fields' values in a new database, where all new databases have the same.
const FIELDS: [(header::Field, u32); 14] = [
    (header::FREELIST_TRUNK, 0),
    (header::FREELIST_COUNT, 0),
    (header::RESERVED, 0),
    (header::WRITE_VERSION, 1),
    (header::READ_VERSION, 1),
    (header::LARGEST_ROOT, 0),
    (header::INCREMENTAL_VACUUM, 0),
    (header::CHANGE_COUNTER, 1),
    (header::VERSION_VALID_FOR, 1),
    (header::SCHEMA_COOKIE, 1),
    (header::SCHEMA_FORMAT, 4),
    (header::CACHE_SIZE, 0),
    (header::USER_VERSION, 0),
    (header::APPLICATION_ID, 0),
];

impl Pass for Lies {
    fn name(&self) -> &'static str {
        "lies"
    }

    fn part(&self) -> Part {
        Part::Db
    }

    fn count(&self, case: &TestCase) -> usize {
        let image = image(case);
        if image.is_empty() { 0 } else { 2 + FIELDS.len() + Geometry::of(image).pages as usize }
    }

    fn without(&self, case: &TestCase, at: Range<usize>) -> Option<TestCase> {
        with_main(case, |image| {
            let geometry = Geometry::of(image);
            match at.start {
                0 => space::repair(image),
                1 => header::PAGE_COUNT.set(image, geometry.pages),
                at if at < 2 + FIELDS.len() => {
                    let (field, value) = FIELDS[at - 2];
                    field.set(image, value);
                }
                at => {
                    let number = (at - 2 - FIELDS.len()) as u32 + 1;
                    let page = BtreePage::parse(image, &geometry, number)?;
                    let (kind, cells, right) =
                        (page.kind, page.cell_bytes(), page.right_child().unwrap_or(0));
                    page::build(image, &geometry, number, kind, &cells, right).then_some(())?;
                }
            }
            Some(())
        })
    }

    fn is_divisible(&self) -> bool {
        false
    }
}

/// Runs of bytes filled with zeros.
pub(super) struct Bytes;

/// Runs that hold anything, after the first `skip` bytes.
pub(super) fn runs(content: &[u8], skip: usize) -> Vec<Range<usize>> {
    let length = RUN_BYTES.max((content.len() / RUNS_MAX).next_power_of_two());
    let all =
        (0..content.len()).step_by(length).map(|start| start.max(skip)..(start + length).min(content.len()));
    all.filter(|run| run.start < run.end && content[run.clone()].iter().any(|&byte| byte != 0)).collect()
}

impl Pass for Bytes {
    fn name(&self) -> &'static str {
        "bytes"
    }

    fn part(&self) -> Part {
        Part::Db
    }

    fn count(&self, case: &TestCase) -> usize {
        runs(image(case), header::HEADER_BYTES).len()
    }

    fn without(&self, case: &TestCase, places: Range<usize>) -> Option<TestCase> {
        with_main(case, |image| {
            for run in runs(image, header::HEADER_BYTES).get(places)? {
                image[run.clone()].fill(0);
            }
            // A run of zeros on a page of zeros.
            (read_be(image, 0, 4) != 0).then_some(())
        })
    }
}
