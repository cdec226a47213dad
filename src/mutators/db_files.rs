//! Whole files: the size of the database, and what log and journal have in common.
//!
//! Log and journal are edited with the same mutators as the database: they are applied to it, the result is edited, and
//! the changed pages go back into frames or records with correct checksums.

use super::db_header::{self, image_mutator};
use super::{
    Context, Outcome, blob_jsonb, db_blobs, db_cells, db_inserts, db_pages, db_rows, db_schema, db_space,
    db_stats,
};
use crate::dbfile::{Geometry, header};
use crate::testcase::{FileName, TestCase};

/// Edits of an image, for pages in a log or journal.
const IMAGE_EDITS: [fn(&mut Vec<u8>, &mut Context<'_>) -> Outcome; 22] = [
    db_pages::edit_header,
    db_pages::edit_pointer,
    db_pages::copy,
    db_cells::edit_pointers,
    db_cells::edit_list,
    db_cells::edit_field,
    db_cells::edit_value,
    db_cells::edit_value,
    db_cells::edit_type,
    db_schema::edit_sql,
    db_schema::edit_field,
    db_schema::edit_rows,
    db_rows::store,
    db_rows::store,
    db_inserts::insert,
    db_rows::remove,
    db_blobs::edit_fts3,
    db_blobs::edit_fts5,
    db_blobs::edit_rtree,
    blob_jsonb::edit,
    db_stats::edit,
    db_space::edit_freelist,
];
/// Edits that are tried until one has an effect.
const ATTEMPTS_MAX: usize = 4;
/// Frames or records that one edit adds at most.
pub(super) const PAGES_MAX: usize = 8;

image_mutator! {
    /// Makes the database shorter or longer.
    Size => resize
}

fn resize(image: &mut Vec<u8>, context: &mut Context<'_>) -> Outcome {
    let (old, page) = (image.len(), Geometry::of(image).page_bytes);
    let new = match context.rng.u8(0..4) {
        0 => old.saturating_sub(page * context.rng.usize(1..4)),
        1 => context.rng.usize(0..=old),
        2 => old + page,
        _ => old.next_multiple_of(page) + page * context.rng.usize(0..3),
    };
    if new == old {
        return Outcome::Skipped;
    }
    image.resize(new, 0);
    if context.chance(50) && image.len() >= header::HEADER_BYTES {
        db_header::repair(image);
    }
    Outcome::Mutated
}

/// Creates a log or journal if there is none; otherwise edits it or, now and then, removes it.
pub(super) fn edit_log(
    case: &mut TestCase,
    name: &FileName,
    new_log: fn(&[u8], &mut Context<'_>) -> Option<Vec<u8>>,
    edit: fn(&[u8], &mut Vec<u8>, &mut Context<'_>),
    context: &mut Context<'_>,
) -> Outcome {
    let image = case.files.main().unwrap_or_default();
    let new = match case.files.get(name.as_str()) {
        None => new_log(image, context),
        Some(_) if context.chance(4) => {
            case.files.remove(name);
            return Outcome::Mutated;
        }
        Some(old) => {
            let mut new = old.to_vec();
            edit(image, &mut new, context);
            Some(new).filter(|new| new != old)
        }
    };
    let Some(new) = new else {
        return Outcome::Skipped;
    };
    case.files.insert(name.clone(), new);
    Outcome::Mutated
}

/// Applies one to three edits to `image`; returns the result and the pages that changed or are new.
pub(super) fn edited(image: &[u8], context: &mut Context<'_>) -> (Vec<u8>, Vec<u32>) {
    let mut new = image.to_vec();
    for _ in 0..context.rng.usize(1..4) {
        for _ in 0..ATTEMPTS_MAX {
            let edit = IMAGE_EDITS[context.rng.usize(0..IMAGE_EDITS.len())];
            if edit(&mut new, context) == Outcome::Mutated {
                break;
            }
        }
    }
    let geometry = Geometry::of(image);
    let changed = |&number: &u32| geometry.page(image, number) != geometry.page(&new, number);
    let pages = new.len().div_ceil(geometry.page_bytes) as u32;
    let pages = (1..=pages).filter(changed).take(PAGES_MAX).collect();
    (new, pages)
}

/// Writes a page to its place in the image.
pub(super) fn lay_over(image: &mut Vec<u8>, number: u32, page: &[u8]) {
    let start = (number as usize).saturating_sub(1).saturating_mul(page.len());
    // A page number far beyond the end is a lie.
    if number == 0 || start > image.len() + 4 * page.len() {
        return;
    }
    if image.len() < start + page.len() {
        image.resize(start + page.len(), 0);
    }
    image[start..start + page.len()].copy_from_slice(page);
}
