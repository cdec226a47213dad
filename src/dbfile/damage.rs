//! Cheap proof that a database file is not well-formed.
//!
//! Most cases of a fuzzer carry a damaged database. To find that out by `PRAGMA integrity_check`
//! costs another connection; what is found here costs microseconds. One direction only: damage that
//! is reported is damage that `integrity_check` reports or that stops it; a file without a report may
//! still be damaged. A property test holds the two together.

use super::page::BtreePage;
use super::tree::PageSet;
use super::{Geometry, cell, header, schema};

/// Where and how a file is not well-formed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Damage {
    /// The header is none.
    #[error("header: {0}")]
    Header(&'static str),
    /// A b-tree page.
    #[error("page {page}: {what}")]
    Page {
        /// Page number.
        page: u32,
        /// What is wrong.
        what: &'static str,
    },
}

/// The first damage found. `None` for an empty file, and where nothing was found. Pages in a `-wal` or
/// a hot journal are not considered: do not ask about a database that has one.
pub fn first_damage(image: &[u8]) -> Option<Damage> {
    // SQLite takes a file of less than a smallest page for an empty one in some states.
    if image.len() < 512 {
        return None;
    }
    header_damage(image).map(Damage::Header).or_else(|| tree_damage(image))
}

fn header_damage(image: &[u8]) -> Option<&'static str> {
    if !header::has_magic(image) {
        return Some("no magic text");
    }
    if header::READ_VERSION.get(image) > 2 {
        return Some("read version above 2");
    }
    if image[21..24] != [64, 32, 32] {
        return Some("payload fractions are not 64, 32, 32");
    }
    let Some(page_bytes) = header::page_size(image) else {
        return Some("invalid page size");
    };
    let reserved = header::RESERVED.get(image) as usize;
    (page_bytes - reserved < 480).then_some("fewer than 480 usable bytes per page")
}

/// Walks the tree of `sqlite_schema` and then those that its rows name.
fn tree_damage(image: &[u8]) -> Option<Damage> {
    let geometry = Geometry::of(image);
    let mut seen = PageSet::new(&geometry);
    let rows = schema::rows(image);
    let with_tree = rows.iter().filter(|row| row.kind == "table" || row.kind == "index");
    let roots = with_tree.filter_map(|row| row.root_page(&geometry));
    std::iter::once(1).chain(roots).find_map(|root| btree_damage(image, &geometry, root, &mut seen))
}

fn btree_damage(image: &[u8], geometry: &Geometry, root: u32, seen: &mut PageSet) -> Option<Damage> {
    let mut stack = vec![root];
    while let Some(number) = stack.pop() {
        let on_page = |what| Some(Damage::Page { page: number, what });
        if !seen.insert(number) {
            return on_page("referenced twice, or beyond the end of the file");
        }
        if geometry.page(image, number).len() < geometry.page_bytes {
            // SQLite reads zeros behind the end of the file, which may be what belongs there.
            continue;
        }
        let Some(page) = BtreePage::parse(image, geometry, number) else {
            return on_page("not a b-tree page");
        };
        if let Some(what) = page_damage(&page, geometry) {
            return on_page(what);
        }
        stack.extend(page.children());
    }
    None
}

fn page_damage(page: &BtreePage<'_>, geometry: &Geometry) -> Option<&'static str> {
    let pointers_end = page.pointer_at(page.cell_count());
    if pointers_end > geometry.usable_bytes {
        return Some("more cells than fit");
    }
    for offset in page.cell_offsets() {
        if offset < pointers_end || offset + cell::BYTES_MIN > geometry.usable_bytes {
            return Some("a cell pointer points outside of the content area");
        }
        let inside = page.cell(offset).is_some_and(|cell| offset + cell.length <= geometry.usable_bytes);
        if !inside {
            return Some("a cell extends beyond the end of the page");
        }
    }
    None
}
