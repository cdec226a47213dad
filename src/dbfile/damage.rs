//! Cheap proof that a database file is malformed.
//!
//! Most of a fuzzer's cases carry a damaged database. Finding that out with `PRAGMA integrity_check` takes another
//! connection; these checks take microseconds. They work in one direction only: damage reported here is also reported
//! by `integrity_check`, or stops it; a file without a report may still be damaged. A property test verifies this.
//!
//! The test also found a case that `integrity_check` misses: SQLite 3.54.1 counts views and virtual tables among the
//! b-trees to check, with root page 0. If the one created last comes first, `sqlite3BtreeIntegrityCheck` takes that 0
//! as a request to check only some trees, and skips the freelist and unreferenced pages ([`Damage::Space`]). So the
//! file that a run leaves is checked here, too.

use super::geometry::LOCK_BYTE;
use super::page::BtreePage;
use super::pointer_map::{self, Use};
use super::tree::PageSet;
use super::{Geometry, cell, header, own_tables, read_be, recover, schema};

/// Where and how a file is malformed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Damage {
    /// The header is invalid.
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

/// In some states SQLite treats a shorter file as empty.
const SMALLEST_FILE_BYTES: usize = 512;

/// The result of checking a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Assessment {
    /// Every page and every byte in use was checked, and all is well. (The order of index entries and the contents of
    /// records are not checked.)
    Sound,
    /// The file is malformed.
    Damaged(Damage),
    /// Nothing wrong was found, but not everything could be checked.
    Unknown,
}

/// Checks a file. A `-wal` or hot journal is not considered: do not ask about a database that has one. `lock_byte` is
/// usually [`LOCK_BYTE`].
pub fn assess(image: &[u8], lock_byte: u32) -> Assessment {
    if image.is_empty() {
        return Assessment::Sound;
    }
    if image.len() < SMALLEST_FILE_BYTES {
        return Assessment::Unknown;
    }
    if let Some(what) = header_damage(image) {
        return Assessment::Damaged(Damage::Header(what));
    }
    let geometry = Geometry::of(image);
    let Some(pages) = page_count(image, &geometry) else {
        return Assessment::Unknown;
    };
    let mut checker =
        Checker { image, geometry, pages, seen: PageSet::new(&geometry), is_complete: true, lock_byte };
    match checker.check() {
        Err(damage) => Assessment::Damaged(damage),
        Ok(()) if checker.is_complete => Assessment::Sound,
        Ok(()) => Assessment::Unknown,
    }
}

/// Checks a database with a WAL or journal: first its header, which SQLite reads before those, then the result of
/// applying them.
pub fn assess_with(image: &[u8], log: Option<&[u8]>, journal: Option<&[u8]>, lock_byte: u32) -> Assessment {
    if image.len() >= SMALLEST_FILE_BYTES {
        let is_odd = header::INCREMENTAL_VACUUM.get(image) != 0 && header::LARGEST_ROOT.get(image) == 0;
        let odd = is_odd.then_some("incremental vacuum without a largest root page");
        if let Some(what) = header_damage(image).or(odd) {
            return Assessment::Damaged(Damage::Header(what));
        }
    }
    match recover::recovered(image, log, journal) {
        Some(recovered) => match assess(&recovered, lock_byte) {
            // Recovery has more states than are considered here, so nothing is certain.
            Assessment::Damaged(_) => Assessment::Unknown,
            other => other,
        },
        None => Assessment::Unknown,
    }
}

/// The first damage found by [`assess`], if any.
pub fn first_damage(image: &[u8]) -> Option<Damage> {
    match assess(image, LOCK_BYTE) {
        Assessment::Damaged(damage) => Some(damage),
        Assessment::Sound | Assessment::Unknown => None,
    }
}

/// True if the page contradicts itself.
pub fn is_damaged(page: &BtreePage<'_>, geometry: &Geometry) -> bool {
    matches!(assess_page(page, geometry.usable_bytes), PageState::Damaged(_))
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

/// The number of pages that SQLite assumes; `None` if that is not the number in the file, which other rules decide.
fn page_count(image: &[u8], geometry: &Geometry) -> Option<u32> {
    let claimed = header::PAGE_COUNT.get(image);
    let is_claim_valid = header::CHANGE_COUNTER.get(image) == header::VERSION_VALID_FOR.get(image);
    let has_claim = claimed != 0 && is_claim_valid;
    (!has_claim || claimed == geometry.pages).then_some(geometry.pages)
}

/// Follows every reference from the header and the schema, as `integrity_check` does (`sqlite3BtreeIntegrityCheck` in
/// SQLite's `btree.c`): there is exactly one to each page.
struct Checker<'a> {
    image: &'a [u8],
    geometry: Geometry,
    pages: u32,
    seen: PageSet,
    lock_byte: u32,
    /// False once something could not be checked.
    is_complete: bool,
}

/// What walking a b-tree finds out.
struct Level {
    depth: u32,
}

/// Deepest b-tree that is followed; SQLite's limit is 20.
const DEPTH_MAX: u32 = 20;

/// The largest normal rowid in the schema. After the largest of all, new rows get random ones, and if an index or
/// trigger then comes before its table, SQLite cannot read the schema.
const SCHEMA_ROWID_MAX: i64 = i64::MAX / 2;

impl Checker<'_> {
    fn check(&mut self) -> Result<(), Damage> {
        if header::INCREMENTAL_VACUUM.get(self.image) != 0 && header::LARGEST_ROOT.get(self.image) == 0 {
            return Err(Damage::Space { page: 1, what: "incremental vacuum without a largest root page" });
        }
        self.freelist()?;
        let rows = schema::rows(self.image);
        self.btree(1, Use::Root, 0)?;
        self.is_complete &= !self.has_pointer_map() || self.is_vacuum_state_sound(&rows);
        self.is_complete &= own_tables::are_as_made(&rows);
        for row in &rows {
            self.is_complete &= row.is_consistent() && row.rowid <= SCHEMA_ROWID_MAX;
            match (row.has_btree(), row.root_page(&self.geometry)) {
                (Some(false), _) | (Some(true), Some(1)) => {}
                (Some(true), Some(root)) => {
                    self.btree(root, Use::Root, 0)?;
                    // `integrity_check` believes each page's own type.
                    let kind = BtreePage::parse(self.image, &self.geometry, root).map(|page| page.kind);
                    self.is_complete &= kind.is_some_and(|kind| kind.is_table() != row.is_index_btree());
                }
                // SQLite may reject the row, or interpret it differently.
                _ => self.is_complete = false,
            }
        }
        if self.is_complete { self.unused() } else { Ok(()) }
    }

    /// Records a reference to a page; `false` if it is the second one, or to no page.
    fn claim(&mut self, page: u32, used_as: Use) -> bool {
        self.is_complete &= !self.has_pointer_map() || page == 1 || self.pointer_map_says(page, used_as);
        page <= self.pages && self.seen.insert(page)
    }

    fn claim_in_tree(&mut self, page: u32, used_as: Use) -> Result<(), Damage> {
        let what = "referenced twice, or beyond the end of the file";
        if self.claim(page, used_as) { Ok(()) } else { Err(Damage::Page { page, what }) }
    }

    fn has_pointer_map(&self) -> bool {
        header::LARGEST_ROOT.get(self.image) != 0
    }

    fn pointer_map_says(&self, page: u32, used_as: Use) -> bool {
        pointer_map::get(self.image, &self.geometry, page) == used_as.entry()
    }

    /// In a database with a pointer map: the root pages come before all others, without a gap (nothing checks that, and
    /// vacuum fails otherwise), the largest is the one in the header, and the last page is not one that no file can end
    /// with.
    fn is_vacuum_state_sound(&self, rows: &[schema::SchemaRow]) -> bool {
        let roots = rows.iter().filter(|row| row.has_btree() == Some(true)).map(|row| row.root);
        let mut roots: Vec<i64> = roots.collect();
        roots.sort_unstable();
        let largest = roots.last().copied().unwrap_or(1).max(1);
        let is_special =
            |page| self.geometry.is_pointer_map(page) || page == self.geometry.lock_byte_page(self.lock_byte);
        let first = (3..=self.pages).filter(|&page| !is_special(page)).map(i64::from);
        let are_first = first.zip(&roots).all(|(page, &root)| page == root);
        let is_last_odd = self.geometry.is_pointer_map(self.pages)
            || self.pages == self.geometry.lock_byte_page(self.lock_byte);
        are_first && largest == i64::from(header::LARGEST_ROOT.get(self.image)) && !is_last_odd
    }

    fn freelist(&mut self) -> Result<(), Damage> {
        let damage = |page, what| Err(Damage::Space { page, what });
        let mut next = header::FREELIST_TRUNK.get(self.image);
        let mut count = 0;
        while next != 0 {
            if !self.claim(next, Use::Free) {
                return damage(next, "freelist page used twice, or beyond the end of the file");
            }
            let trunk = self.geometry.page(self.image, next);
            let leaves = read_be(trunk, 4, 4) as usize;
            if leaves > self.geometry.usable_bytes / 4 - 2 {
                return damage(next, "freelist trunk with too many leaves");
            }
            for leaf in (0..leaves).map(|i| read_be(trunk, 8 + 4 * i, 4) as u32) {
                if !self.claim(leaf, Use::Free) {
                    return damage(leaf, "freelist page used twice, or beyond the end of the file");
                }
            }
            count += 1 + leaves as u32;
            next = read_be(trunk, 0, 4) as u32;
        }
        let is_count_right = count == header::FREELIST_COUNT.get(self.image);
        if is_count_right { Ok(()) } else { damage(1, "wrong number of free pages in the header") }
    }

    /// Checks the b-tree at `root`; all its leaves must be at the same depth.
    fn btree(&mut self, root: u32, used_as: Use, above: u32) -> Result<Level, Damage> {
        let damage = |what| Err(Damage::Page { page: root, what });
        if root == 0 {
            // `integrity_check` skips a child 0, though nothing can be read through it.
            self.is_complete = false;
            return Ok(Level { depth: u32::MAX });
        }
        self.claim_in_tree(root, used_as)?;
        if above > DEPTH_MAX {
            return damage("b-tree is too deep");
        }
        if self.geometry.page(self.image, root).len() < self.geometry.page_bytes {
            // SQLite reads zeros past the end of the file, and they may be right there.
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
            let level = self.btree(child, Use::Child { of: root }, above + 1)?;
            let is_alike = |child: BtreePage<'_>| child.kind.is_table() == page.kind.is_table();
            self.is_complete &= BtreePage::parse(self.image, &self.geometry, child).is_some_and(is_alike);
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
        let (mut next, mut used_as) = (first, Use::FirstOverflow { of: page });
        for _ in 0..needed {
            if next == 0 {
                return Err(Damage::Page { page, what: "an overflow chain is too short" });
            }
            self.claim_in_tree(next, used_as)?;
            used_as = Use::Overflow { after: next };
            next = read_be(self.geometry.page(self.image, next), 0, 4) as u32;
        }
        if next == 0 { Ok(()) } else { Err(Damage::Page { page, what: "an overflow chain is too long" }) }
    }

    /// Checks that every page has a use.
    fn unused(&self) -> Result<(), Damage> {
        let has_map = self.has_pointer_map();
        let is_special = |page| {
            page == self.geometry.lock_byte_page(self.lock_byte)
                || has_map && self.geometry.is_pointer_map(page)
        };
        let unused = (1..=self.pages).find(|&page| !self.seen.contains(page) && !is_special(page));
        unused.map_or(Ok(()), |page| Err(Damage::Space { page, what: "never used" }))
    }
}

/// What a b-tree page shows on its own.
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

/// Bytes in the freeblocks of a page; `None` if their list is broken, which is up to SQLite to judge.
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
