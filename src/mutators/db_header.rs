//! The database header.

use super::{Context, Outcome};
use crate::dbfile::header::{self, FIELDS};
use crate::dbfile::{Geometry, tree};
use crate::testcase::{FileName, TestCase};

/// Values that are special in some field.
const MEANINGFUL: [u32; 14] = [0, 1, 2, 3, 4, 5, 32, 64, 255, 512, 1024, 4096, 8192, 0x8000];

/// Edits the main database of a case, if it has one.
pub(super) fn edit_main(
    case: &mut TestCase,
    context: &mut Context<'_>,
    edit: fn(&mut Vec<u8>, &mut Context<'_>) -> Outcome,
) -> Outcome {
    let mut outcome = Outcome::Skipped;
    case.files.edit(&FileName::main(), |image| outcome = edit(image, context));
    outcome
}

/// True if the case has a main database with at least a header.
pub(super) fn has_main(case: &TestCase) -> bool {
    case.files.main().is_some_and(|image| image.len() >= header::HEADER_BYTES)
}

/// Makes the header agree with the file: page count, change counter, freelist.
pub(super) fn repair(image: &mut [u8]) {
    let geometry = Geometry::of(image);
    header::PAGE_COUNT.set(image, geometry.pages);
    header::VERSION_VALID_FOR.set(image, header::CHANGE_COUNTER.get(image));
    let free = tree::freelist(image, &geometry);
    header::FREELIST_COUNT.set(image, (free.trunks.len() + free.leaves.len()) as u32);
}

/// Defines a mutator that edits the main database with a function.
macro_rules! image_mutator {
    ($(#[$doc:meta])* $name:ident => $edit:ident) => {
        $(#[$doc])*
        pub(super) struct $name;

        impl crate::mutators::Mutator for $name {
            fn can_mutate(&self, case: &crate::testcase::TestCase) -> bool {
                crate::mutators::db_header::has_main(case)
            }

            fn mutate(
                &self,
                case: &mut crate::testcase::TestCase,
                context: &mut crate::mutators::Context<'_>,
            ) -> crate::mutators::Outcome {
                crate::mutators::db_header::edit_main(case, context, $edit)
            }
        }
    };
}
pub(super) use image_mutator;

image_mutator! {
    /// Changes one field; now and then the rest is made to agree.
    HeaderField => edit
}

pub(super) fn edit(image: &mut Vec<u8>, context: &mut Context<'_>) -> Outcome {
    let before = image.get(..header::HEADER_BYTES).unwrap_or_default().to_vec();
    let field = FIELDS[context.rng.usize(0..FIELDS.len())];
    let pages = Geometry::of(image).pages;
    let value = match context.rng.u8(0..4) {
        0 => MEANINGFUL[context.rng.usize(0..MEANINGFUL.len())],
        1 => context.rng.u32(0..=pages + 1),
        _ => context.number(u64::from(field.get(image)), field.width) as u32,
    };
    field.set(image, value);
    if context.chance(30) {
        repair(image);
    }
    if image.get(..header::HEADER_BYTES) == Some(&before) { Outcome::Skipped } else { Outcome::Mutated }
}
