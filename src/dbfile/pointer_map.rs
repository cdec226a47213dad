//! The pointer map: the use of every page, and the page that refers to it
//! (<https://sqlite.org/fileformat2.html#pointer_map_or_ptrmap_pages>).

use super::page::BtreePage;
use super::{Geometry, header, read_be, tree, write_be};

/// The use of a page, in terms of the pointer map.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Use {
    /// The root of a b-tree.
    Root,
    /// On the freelist.
    Free,
    /// The first overflow page of a cell.
    FirstOverflow {
        /// The page of the cell.
        of: u32,
    },
    /// A further overflow page.
    Overflow {
        /// The previous one.
        after: u32,
    },
    /// A page of a b-tree that is not its root.
    Child {
        /// Its parent.
        of: u32,
    },
}

impl Use {
    /// Type and page number of its entry.
    pub fn entry(self) -> (u8, u32) {
        match self {
            Self::Root => (1, 0),
            Self::Free => (2, 0),
            Self::FirstOverflow { of } => (3, of),
            Self::Overflow { after } => (4, after),
            Self::Child { of } => (5, of),
        }
    }
}

/// True if the database has a pointer map.
pub fn is_present(image: &[u8]) -> bool {
    header::LARGEST_ROOT.get(image) != 0
}

/// The entry of a page: type and page number; zeros if it has none.
pub fn get(image: &[u8], geometry: &Geometry, page: u32) -> (u8, u32) {
    let (map, at) = geometry.pointer_map_entry(page);
    let map = geometry.page(image, map);
    (read_be(map, at, 1) as u8, read_be(map, at + 1, 4) as u32)
}

/// Writes the entry of a page, if the database has a pointer map and the page an entry in it.
pub fn set(image: &mut [u8], geometry: &Geometry, page: u32, used_as: Use) {
    let is_covered = page > 2 && page <= geometry.pages && !geometry.is_pointer_map(page);
    if !is_covered || !is_present(image) {
        return;
    }
    let (kind, parent) = used_as.entry();
    let (map, at) = geometry.pointer_map_entry(page);
    let map = geometry.page_mut(image, map);
    write_be(map, at, 1, u64::from(kind));
    write_be(map, at + 1, 4, u64::from(parent));
}

/// Writes the entries of all pages to which b-tree page `number` refers: children and the starts of overflow chains.
pub fn set_references(image: &mut [u8], geometry: &Geometry, number: u32) {
    if !is_present(image) {
        return;
    }
    let Some(page) = BtreePage::parse(image, geometry, number) else {
        return;
    };
    let children = page.children().map(|child| (child, Use::Child { of: number }));
    let chains = page.cells().filter_map(|(_, cell)| cell.payload?.overflow);
    let chains = chains.map(|first| (first, Use::FirstOverflow { of: number }));
    for (page, used_as) in children.chain(chains).collect::<Vec<_>>() {
        set(image, geometry, page, used_as);
    }
}

/// Rewrites the whole pointer map from the header, schema, b-trees, overflow chains and freelist.
pub fn rebuild(image: &mut [u8]) {
    let geometry = Geometry::of(image);
    if !is_present(image) {
        return;
    }
    for (page, used_as) in tree::uses(image, &geometry) {
        set(image, &geometry, page, used_as);
    }
    let free = tree::freelist(image, &geometry);
    for page in free.trunks.into_iter().chain(free.leaves) {
        set(image, &geometry, page, Use::Free);
    }
}
