//! Cheap proof that a database file is not well-formed.
//!
//! Most cases of a fuzzer carry a damaged database. To find that out by `PRAGMA integrity_check`
//! costs another connection; what is found here costs microseconds. One direction only: damage that
//! is reported is damage that `integrity_check` reports or that stops it; a file without a report may
//! still be damaged. A property test holds the two together.
//!
//! It found where `integrity_check` is the weaker of the two: SQLite 3.54.1 counts views and virtual
//! tables among the b-trees to check, with root page 0. If the one that was created last comes first, that
//! 0 means to `sqlite3BtreeIntegrityCheck` that only some trees are to be checked, and it leaves out the
//! freelist and unreferenced pages ([`Damage::Space`]). So a file that a run leaves is looked at here, too.

use super::page::BtreePage;
use super::tree::PageSet;
use super::{Geometry, cell, header, read_be, schema};

/// Where and how a file is not well-formed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Damage {
    /// The header is none.
    #[error("header: {0}")]
    Header(&'static str),
    /// A page in a b-tree.
    #[error("page {page}: {what}")]
    Page {
        /// Page number.
        page: u32,
        /// What is wrong.
        what: &'static str,
    },
    /// The freelist, or a page that is in no tree and not free.
    #[error("page {page}: {what}")]
    Space {
        /// Page number.
        page: u32,
        /// What is wrong.
        what: &'static str,
    },
}

impl Damage {
    /// What is wrong, without where.
    pub fn what(&self) -> &'static str {
        match self {
            Self::Header(what) | Self::Page { what, .. } | Self::Space { what, .. } => what,
        }
    }
}

/// What a look at a file says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Assessment {
    /// Every page and every byte in use was looked at, and all is well. (Not the order of index entries,
    /// nor what records hold.)
    Sound,
    /// Not well-formed.
    Damaged(Damage),
    /// Nothing wrong was found, but not all could be looked at.
    Unknown,
}

/// Looks at a file. Pages in a `-wal` or a hot journal are not considered: do not ask about a database
/// that has one.
pub fn assess(image: &[u8]) -> Assessment {
    if image.is_empty() {
        return Assessment::Sound;
    }
    // SQLite takes a file of less than a smallest page for an empty one in some states.
    if image.len() < 512 {
        return Assessment::Unknown;
    }
    if let Some(what) = header_damage(image) {
        return Assessment::Damaged(Damage::Header(what));
    }
    let geometry = Geometry::of(image);
    let Some(pages) = page_count(image, &geometry) else {
        return Assessment::Unknown;
    };
    let mut checker = Checker { image, geometry, pages, seen: PageSet::new(&geometry), is_complete: true };
    match checker.check() {
        Err(damage) => Assessment::Damaged(damage),
        Ok(()) if checker.is_complete => Assessment::Sound,
        Ok(()) => Assessment::Unknown,
    }
}

/// The first damage found by [`assess`], if any.
pub fn first_damage(image: &[u8]) -> Option<Damage> {
    match assess(image) {
        Assessment::Damaged(damage) => Some(damage),
        Assessment::Sound | Assessment::Unknown => None,
    }
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

/// The number of pages that SQLite takes the database to have; `None` where that is more or less than the
/// file has, which other rules decide.
fn page_count(image: &[u8], geometry: &Geometry) -> Option<u32> {
    let claimed = header::PAGE_COUNT.get(image);
    let is_claim_valid = header::CHANGE_COUNTER.get(image) == header::VERSION_VALID_FOR.get(image);
    let has_claim = claimed != 0 && is_claim_valid;
    (!has_claim || claimed == geometry.pages).then_some(geometry.pages)
}

/// Follows every reference from the header and the schema, as `integrity_check` does
/// (`sqlite3BtreeIntegrityCheck` in SQLite's `btree.c`): each page has exactly one.
struct Checker<'a> {
    image: &'a [u8],
    geometry: Geometry,
    pages: u32,
    seen: PageSet,
    /// False once something could not be looked at.
    is_complete: bool,
}

/// What a walk over a b-tree finds out.
struct Level {
    depth: u32,
}

/// Deepest b-tree that is followed; SQLite's limit is 20.
const DEPTH_MAX: u32 = 20;

impl Checker<'_> {
    fn check(&mut self) -> Result<(), Damage> {
        self.freelist()?;
        let rows = schema::rows(self.image);
        self.btree(1, 0)?;
        for row in &rows {
            match (row.has_btree(), row.root_page(&self.geometry)) {
                (Some(false), _) | (Some(true), Some(1)) => {}
                (Some(true), Some(root)) => drop(self.btree(root, 0)?),
                // SQLite may refuse the row, or see something else in it.
                _ => self.is_complete = false,
            }
        }
        if self.is_complete { self.unused() } else { Ok(()) }
    }

    /// Notes a reference to a page; `false` for a second one, or one to no page.
    fn claim(&mut self, page: u32) -> bool {
        page <= self.pages && self.seen.insert(page)
    }

    fn claim_in_tree(&mut self, page: u32) -> Result<(), Damage> {
        let what = "referenced twice, or beyond the end of the file";
        if self.claim(page) { Ok(()) } else { Err(Damage::Page { page, what }) }
    }

    fn freelist(&mut self) -> Result<(), Damage> {
        let damage = |page, what| Err(Damage::Space { page, what });
        let mut next = header::FREELIST_TRUNK.get(self.image);
        let mut count = 0;
        while next != 0 {
            if !self.claim(next) {
                return damage(next, "freelist page used twice, or beyond the end of the file");
            }
            let trunk = self.geometry.page(self.image, next);
            let leaves = read_be(trunk, 4, 4) as usize;
            if leaves > self.geometry.usable_bytes / 4 - 2 {
                return damage(next, "freelist trunk with too many leaves");
            }
            for leaf in (0..leaves).map(|i| read_be(trunk, 8 + 4 * i, 4) as u32) {
                if !self.claim(leaf) {
                    return damage(leaf, "freelist page used twice, or beyond the end of the file");
                }
            }
            count += 1 + leaves as u32;
            next = read_be(trunk, 0, 4) as u32;
        }
        let is_count_right = count == header::FREELIST_COUNT.get(self.image);
        if is_count_right { Ok(()) } else { damage(1, "wrong number of free pages in the header") }
    }

    /// Checks the b-tree at `root`; all its leaves must be at one depth.
    fn btree(&mut self, root: u32, above: u32) -> Result<Level, Damage> {
        let damage = |what| Err(Damage::Page { page: root, what });
        if root == 0 {
            // An interior page without cells may have no child either.
            return Ok(Level { depth: 0 });
        }
        self.claim_in_tree(root)?;
        if above > DEPTH_MAX {
            return damage("b-tree is too deep");
        }
        if self.geometry.page(self.image, root).len() < self.geometry.page_bytes {
            // SQLite reads zeros behind the end of the file, which may be what belongs there.
            self.is_complete = false;
            return Ok(Level { depth: u32::MAX });
        }
        let Some(page) = BtreePage::parse(self.image, &self.geometry, root) else {
            return damage("not a b-tree page");
        };
        match assess_page(&page, self.geometry.usable_bytes) {
            PageState::Sound => {}
            PageState::Unknown => self.is_complete = false,
            PageState::Damaged(what) => return damage(what),
        }
        for (_, cell) in page.cells() {
            self.overflow(root, &cell)?;
        }
        let mut depth = None;
        for child in page.children() {
            let level = self.btree(child, above + 1)?;
            if depth.is_some_and(|depth| depth != level.depth && depth != u32::MAX && level.depth != u32::MAX)
            {
                return damage("children at different depths");
            }
            depth = Some(level.depth);
        }
        Ok(Level { depth: depth.map_or(0, |depth| depth.saturating_add(1)) })
    }

    /// The overflow pages of a cell: as many as the payload needs.
    fn overflow(&mut self, page: u32, cell: &cell::Cell) -> Result<(), Damage> {
        let Some((payload, first)) =
            cell.payload.as_ref().and_then(|payload| Some((payload, payload.overflow?)))
        else {
            return Ok(());
        };
        let rest = payload.total - payload.local as u64;
        let needed = rest.div_ceil(self.geometry.usable_bytes as u64 - 4);
        let mut next = first;
        for _ in 0..needed {
            if next == 0 {
                return Err(Damage::Page { page, what: "an overflow chain is too short" });
            }
            self.claim_in_tree(next)?;
            next = read_be(self.geometry.page(self.image, next), 0, 4) as u32;
        }
        if next == 0 { Ok(()) } else { Err(Damage::Page { page, what: "an overflow chain is too long" }) }
    }

    /// Every page has a use.
    fn unused(&self) -> Result<(), Damage> {
        let has_map = header::LARGEST_ROOT.get(self.image) != 0;
        let is_special =
            |page| page == self.geometry.lock_byte_page() || has_map && self.geometry.is_pointer_map(page);
        let unused = (1..=self.pages).find(|&page| !self.seen.contains(page) && !is_special(page));
        unused.map_or(Ok(()), |page| Err(Damage::Space { page, what: "never used" }))
    }
}

/// What a b-tree page shows by itself.
enum PageState {
    Sound,
    Damaged(&'static str),
    Unknown,
}

fn assess_page(page: &BtreePage<'_>, usable: usize) -> PageState {
    let pointers_end = page.pointer_at(page.cell_count());
    if pointers_end > usable {
        return PageState::Damaged("more cells than fit");
    }
    let content_start = page.content_start();
    let mut used = usize::from(page.fragmented_bytes());
    let mut last_rowid = None;
    for offset in page.cell_offsets() {
        if offset < content_start || offset + cell::BYTES_MIN > usable {
            return PageState::Damaged("a cell pointer points outside of the content area");
        }
        let Some(cell) = page.cell(offset).filter(|cell| offset + cell.length <= usable) else {
            return PageState::Damaged("a cell extends beyond the end of the page");
        };
        used += cell.length;
        if last_rowid.zip(cell.rowid).is_some_and(|(last, rowid)| last >= rowid) {
            return PageState::Damaged("rowids out of order");
        }
        last_rowid = cell.rowid;
    }
    match freeblock_bytes(page, usable) {
        Some(free) if content_start <= usable => {
            let is_covered = used + free == usable - content_start;
            if is_covered { PageState::Sound } else { PageState::Damaged("bytes that no cell uses, or two") }
        }
        _ => PageState::Unknown,
    }
}

/// Bytes in the freeblocks of a page; `None` where their list is broken, which is for SQLite to judge.
fn freeblock_bytes(page: &BtreePage<'_>, usable: usize) -> Option<usize> {
    let (mut at, mut bytes) = (page.first_freeblock(), 0);
    while at != 0 {
        let next = read_be(page.bytes, at, 2) as usize;
        let length = read_be(page.bytes, at + 2, 2) as usize;
        if at + length > usable || length < 4 || next != 0 && next <= at {
            return None;
        }
        bytes += length;
        at = next;
    }
    Some(bytes)
}

#[cfg(test)]
#[path = "damage_tests.rs"]
mod tests;
