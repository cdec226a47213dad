//! Objects of the schema, rows, values: what a database holds, however it is stored.

use std::ops::Range;

use super::{Part, Pass, with_main};
use crate::dbfile::page::{self, BtreePage, PageKind};
use crate::dbfile::record::{self, Value};
use crate::dbfile::rows::{self, Row};
use crate::dbfile::schema::{self, SchemaRow};
use crate::dbfile::space::{self, Space};
use crate::dbfile::{Geometry, graft, header};
use crate::testcase::{FILE_BYTES_MAX, TestCase};

/// Maximum number of rows, and of values, that are tried one by one.
const PLACES_MAX: usize = 3000;

/// Objects of the schema, with whatever only they use.
pub(super) struct Objects;

impl Pass for Objects {
    fn name(&self) -> &'static str {
        "objects of the schema"
    }

    fn part(&self) -> Part {
        Part::Db
    }

    fn count(&self, case: &TestCase) -> usize {
        schema::rows(case.files.main().unwrap_or_default()).len()
    }

    fn without(&self, case: &TestCase, places: Range<usize>) -> Option<TestCase> {
        with_main(case, |image| {
            let all = schema::rows(image);
            for row in all.get(places)?.iter().rev() {
                remove_object(image, row)?;
            }
            Some(())
        })
    }
}

/// Removes a row of the schema and frees the pages of its b-tree.
fn remove_object(image: &mut Vec<u8>, object: &SchemaRow) -> Option<()> {
    let geometry = Geometry::of(image);
    let row =
        rows::of(image, &geometry, 1, usize::MAX).into_iter().find(|row| row.rowid == Some(object.rowid))?;
    let mut space = Space::new(image, 0);
    rows::remove(&mut space, &row)?;
    if let Some(root) = object.root_page(&geometry).filter(|&root| root > 1) {
        let pages = crate::dbfile::tree::pages(space.image, &geometry, root);
        pages.into_iter().for_each(|page| space.release(page));
    }
    Some(())
}

/// Rewrites the whole database: row by row, or with its pages as they are.
pub(super) struct Rebuilt;

impl Pass for Rebuilt {
    fn name(&self) -> &'static str {
        "database rebuilt"
    }

    fn part(&self) -> Part {
        Part::Db
    }

    fn count(&self, case: &TestCase) -> usize {
        if case.files.main().is_some() { 2 } else { 0 }
    }

    fn without(&self, case: &TestCase, at: Range<usize>) -> Option<TestCase> {
        let how = if at.start == 0 { graft::How::Rows } else { graft::How::Pages };
        with_main(case, |image| {
            let objects = schema::rows(image);
            let mut new = empty_like(image)?;
            graft::graft(&mut Space::new(&mut new, 1 << 16), image, &objects, how, FILE_BYTES_MAX)?;
            let pages = Geometry::of(&new).pages;
            header::PAGE_COUNT.set(&mut new, pages);
            // A copy of the same size gains nothing.
            let is_smaller = weight(&new) < weight(image);
            *image = new;
            is_smaller.then_some(())
        })
    }

    fn is_divisible(&self) -> bool {
        false
    }
}

/// Number of bytes that are not zero.
fn weight(image: &[u8]) -> usize {
    image.iter().filter(|&&byte| byte != 0).count()
}

/// A one-page database with the header of `image`.
fn empty_like(image: &[u8]) -> Option<Vec<u8>> {
    let page_bytes = header::page_size(image)?;
    let mut new = image.get(..page_bytes)?.to_vec();
    let geometry = Geometry { pages: 1, ..Geometry::of(&new) };
    header::FREELIST_TRUNK.set(&mut new, 0);
    header::FREELIST_COUNT.set(&mut new, 0);
    header::PAGE_COUNT.set(&mut new, 1);
    let counter = header::CHANGE_COUNTER.get(&new);
    header::VERSION_VALID_FOR.set(&mut new, counter);
    new[header::HEADER_BYTES..].fill(0);
    page::build(&mut new, &geometry, 1, PageKind::TableLeaf, &[], 0).then_some(new)
}

/// Rows of tables and entries of indexes.
pub(super) struct Rows;

/// Root pages except the schema's, each once, with the number of rows.
fn trees(image: &[u8]) -> Vec<(u32, usize)> {
    let geometry = Geometry::of(image);
    let mut roots: Vec<u32> = schema::rows(image)
        .iter()
        .filter_map(|row| row.root_page(&geometry))
        .filter(|&root| root > 1)
        .collect();
    roots.sort_unstable();
    roots.dedup();
    roots.into_iter().map(|root| (root, rows::in_order(image, &geometry, root, PLACES_MAX).len())).collect()
}

impl Pass for Rows {
    fn name(&self) -> &'static str {
        "rows"
    }

    fn part(&self) -> Part {
        Part::Db
    }

    fn count(&self, case: &TestCase) -> usize {
        let all: usize = trees(case.files.main().unwrap_or_default()).iter().map(|(_, count)| count).sum();
        all.min(PLACES_MAX)
    }

    fn without(&self, case: &TestCase, places: Range<usize>) -> Option<TestCase> {
        with_main(case, |image| {
            let mut start = 0;
            for (root, count) in trees(image) {
                let end = start + count;
                let out = places.start.max(start)..places.end.min(end);
                if out.start < out.end {
                    refill(image, root, out.start - start..out.end - start)?;
                }
                start = end;
            }
            space::repair(image);
            Some(())
        })
    }
}

/// Rebuilds a b-tree without these rows.
fn refill(image: &mut Vec<u8>, root: u32, out: Range<usize>) -> Option<()> {
    let geometry = Geometry::of(image);
    let kind = BtreePage::parse(image, &geometry, root)?.kind;
    let kind = if kind.is_table() { PageKind::TableLeaf } else { PageKind::IndexLeaf };
    let kept = rows::in_order(image, &geometry, root, PLACES_MAX).into_iter().enumerate();
    let kept: Vec<_> = kept
        .filter(|(at, _)| !out.contains(at))
        .map(|(_, row)| (row.rowid, row.read(image, &geometry)))
        .collect();
    rows::fill_kind(&mut Space::new(image, 1 << 12), root, kind, &kept)
}

/// Simplifies the values of rows.
pub(super) struct Values;

/// Each column of each row, and what its value may become.
fn values(image: &[u8]) -> Vec<(Row, usize, Value)> {
    let geometry = Geometry::of(image);
    let mut places = Vec::new();
    for (root, _) in trees(image) {
        for row in rows::in_order(image, &geometry, root, PLACES_MAX) {
            let values = record::values(&row.read(image, &geometry));
            for (column, value) in values.iter().enumerate() {
                places.extend(simpler(value).into_iter().map(|simple| (row.clone(), column, simple)));
            }
            if places.len() > PLACES_MAX {
                return places;
            }
        }
    }
    places
}

/// What a value may become, simplest first.
fn simpler(value: &Value) -> Vec<Value> {
    match value {
        Value::Null => Vec::new(),
        Value::Integer(0) => vec![Value::Null],
        Value::Integer(_) | Value::Real(_) => vec![Value::Null, Value::Integer(0)],
        Value::Text(text) if text.is_empty() => vec![Value::Null],
        Value::Blob(bytes) if bytes.is_empty() => vec![Value::Null],
        // An even number of bytes: the text may be UTF-16.
        Value::Text(text) => {
            let half = text[..text.len() / 4 * 2].to_vec();
            vec![Value::Null, Value::Text(Vec::new()), Value::Text(half)]
        }
        Value::Blob(bytes) => {
            vec![Value::Null, Value::Blob(Vec::new()), Value::Blob(bytes[..bytes.len() / 2].to_vec())]
        }
    }
}

impl Pass for Values {
    fn name(&self) -> &'static str {
        "values"
    }

    fn part(&self) -> Part {
        Part::Db
    }

    fn count(&self, case: &TestCase) -> usize {
        values(case.files.main().unwrap_or_default()).len()
    }

    fn without(&self, case: &TestCase, at: Range<usize>) -> Option<TestCase> {
        let (row, column, value) = values(case.files.main()?).into_iter().nth(at.start)?;
        with_main(case, |image| {
            let mut values = record::values(&row.read(image, &Geometry::of(image)));
            *values.get_mut(column)? = value;
            rows::replace(&mut Space::new(image, 0), &row, row.rowid, &record::encode(&values))
        })
    }

    fn is_divisible(&self) -> bool {
        false
    }
}
