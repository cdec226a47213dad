//! Each kind of lie is planted and found.

use super::tests::database;
use super::*;
use crate::dbfile::geometry::LOCK_BYTE;
use crate::dbfile::{MAGIC, cell, header, page, record};

/// A database into which a lie is planted.
struct Victim {
    image: Vec<u8>,
    found: Inspection,
}

impl Victim {
    fn new(vacuum: u32) -> Self {
        let image = database(&format!(
            "PRAGMA page_size=512; PRAGMA auto_vacuum={vacuum}; CREATE TABLE t(a INTEGER PRIMARY KEY, b, c); \
             CREATE TABLE u(a); CREATE INDEX tb ON t(b); CREATE TABLE gone(a); \
             WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n WHERE i<24) \
             INSERT INTO t SELECT i, printf('text%03d', i), zeroblob(30) FROM n; \
             INSERT INTO u SELECT zeroblob(200) FROM t; INSERT INTO gone SELECT c FROM t; \
             INSERT INTO t VALUES(100, 'long', zeroblob(2000)); DROP TABLE gone; DELETE FROM t WHERE a=5;"
        ));
        let found = inspect(&image, LOCK_BYTE);
        assert_eq!(found.problems, []);
        Self { image, found }
    }

    fn root(&self, name: &str) -> u32 {
        self.found.trees.iter().find(|tree| tree.name == name).unwrap().root
    }

    /// The first page below the root of a tree.
    fn below(&self, name: &str) -> u32 {
        let root = self.root(name);
        let is_below =
            |page: &&PageReport| matches!(page.used_as, PageUse::Btree { parent, .. } if parent == root);
        self.found.pages.iter().find(is_below).unwrap().number
    }

    fn used(&self, is_it: impl Fn(PageUse) -> bool) -> Vec<u32> {
        self.found.pages.iter().filter(|page| is_it(page.used_as)).map(|page| page.number).collect()
    }

    /// The offset of the bytes with this label in a page.
    fn label(&self, page: u32, label: &str) -> usize {
        let dump = dump(&self.image, &self.found, page).unwrap();
        dump.spans.iter().find(|span| span.label.starts_with(label)).unwrap().at
    }

    fn byte(&mut self, page: u32, at: usize) -> &mut u8 {
        &mut self.image[(page as usize - 1) * 512 + at]
    }

    fn swap(&mut self, page: u32, at: usize, other: usize) {
        for i in 0..2 {
            let byte = *self.byte(page, at + i);
            let old = std::mem::replace(self.byte(page, other + i), byte);
            *self.byte(page, at + i) = old;
        }
    }
}

/// Plants a lie and returns the page on which it should be found.
type Plant = fn(&mut Victim) -> u32;

/// In the database header.
const IN_HEADER: [(Kind, Plant); 8] = [
    (Kind::Header, |it| {
        it.image[21] = 63;
        1
    }),
    (Kind::OddHeader, |it| {
        it.image[72] = 1;
        1
    }),
    (Kind::FileSize, |it| {
        it.image[31] += 1;
        1
    }),
    (Kind::PagesBehind, |it| {
        it.image.resize(it.image.len() + 512, 0);
        1
    }),
    (Kind::CutPage, |it| {
        it.image.pop();
        it.found.page_count
    }),
    (Kind::FreelistCount, |it| {
        it.image[39] += 1;
        1
    }),
    (Kind::LargestRoot, |it| {
        it.image[55] += 1;
        1
    }),
    (Kind::Unused, |it| {
        it.image[32..40].fill(0);
        it.used(|used_as| used_as == PageUse::FreelistTrunk)[0]
    }),
];

/// On a page of a b-tree.
const ON_PAGES: [(Kind, Plant); 13] = [
    (Kind::NotBtree, |it| {
        let page = it.below("t");
        *it.byte(page, 0) = 7;
        page
    }),
    (Kind::PageType, |it| {
        let page = it.below("t");
        *it.byte(page, 0) = 10;
        page
    }),
    (Kind::EmptyPage, |it| {
        let page = it.below("t");
        *it.byte(page, 4) = 0;
        page
    }),
    (Kind::CellCount, |it| {
        let page = it.below("t");
        *it.byte(page, 3) = 9;
        page
    }),
    (Kind::ContentStart, |it| {
        let page = it.below("t");
        *it.byte(page, 5) = 0;
        *it.byte(page, 6) = 1;
        page
    }),
    (Kind::CellPointer, |it| {
        let page = it.below("t");
        *it.byte(page, 8) = 9;
        page
    }),
    (Kind::CellOutside, |it| {
        let page = it.below("t");
        let at = it.label(page, "cell 0: payload");
        *it.byte(page, at) += 20;
        page
    }),
    (Kind::Overlap, |it| {
        let page = it.below("t");
        *it.byte(page, 10) = *it.byte(page, 8);
        *it.byte(page, 11) = *it.byte(page, 9);
        page
    }),
    (Kind::Freeblock, |it| {
        let page = it.below("t");
        *it.byte(page, 1) = 1;
        *it.byte(page, 2) = 255;
        page
    }),
    (Kind::Fragments, |it| {
        let page = it.below("t");
        *it.byte(page, 7) = 9;
        page
    }),
    (Kind::PageNumber, |it| {
        let page = it.root("t");
        *it.byte(page, 8) = 9;
        page
    }),
    (Kind::SecondReference, |it| {
        let page = it.root("t");
        *it.byte(page, 11) = page as u8;
        page
    }),
    (Kind::Depth, |it| {
        let (page, other) = (it.root("t"), it.root("u"));
        *it.byte(page, 11) = other as u8;
        page
    }),
];

/// In cells, records and what they lead to.
const IN_ROWS: [(Kind, Plant); 12] = [
    (Kind::RowidOrder, |it| {
        let page = it.below("t");
        it.swap(page, 8, 10);
        page
    }),
    (Kind::KeyOrder, |it| {
        let page = it.root("tb");
        it.swap(page, 8, 10);
        page
    }),
    (Kind::Record, |it| {
        let page = it.below("t");
        let at = it.label(page, "cell 1: record header");
        *it.byte(page, at) += 1;
        page
    }),
    (Kind::SerialType, |it| {
        let page = it.below("t");
        let at = it.label(page, "cell 1: record header");
        *it.byte(page, at + 1) = 10;
        page
    }),
    (Kind::OverflowShort, |it| {
        let page = it.used(|used_as| matches!(used_as, PageUse::Overflow { .. }))[0];
        it.image[(page as usize - 1) * 512..][..4].fill(0);
        page
    }),
    (Kind::OverflowLong, |it| {
        let page = *it.used(|used_as| matches!(used_as, PageUse::Overflow { .. })).last().unwrap();
        *it.byte(page, 3) = 1;
        page
    }),
    (Kind::IndexEntry, |it| {
        let (page, index) = (it.below("t"), it.root("tb"));
        let at = it.label(page, "cell 1: column 1");
        *it.byte(page, at) = b'T';
        index
    }),
    (Kind::RootPage, |it| {
        let at = it.label(1, "cell 0: column 3");
        *it.byte(1, at) = 120;
        1
    }),
    (Kind::SchemaRow, |it| {
        let at = it.label(1, "cell 0: column 0");
        *it.byte(1, at) = b'x';
        1
    }),
    (Kind::FreelistTrunk, |it| {
        let page = it.used(|used_as| used_as == PageUse::FreelistTrunk)[0];
        *it.byte(page, 7) = 255;
        page
    }),
    (Kind::PointerMap, |it| {
        *it.byte(2, 0) = 5;
        2
    }),
    (Kind::RootOrder, |it| {
        let (at, page) = (it.label(1, "cell 0: column 3"), it.found.page_count as u8);
        *it.byte(1, at) = page;
        1
    }),
];

#[test]
fn every_kind_of_lie_is_named_where_it_is() {
    let mut planted: Vec<Kind> = Vec::new();
    for (kind, plant) in IN_HEADER.into_iter().chain(ON_PAGES).chain(IN_ROWS) {
        let needs_map = matches!(kind, Kind::LargestRoot | Kind::PointerMap | Kind::RootOrder);
        let mut victim = Victim::new(if needs_map { 1 } else { 0 });
        let page = plant(&mut victim);
        let found = inspect(&victim.image, LOCK_BYTE);
        let named = found.problems.iter().find(|problem| problem.kind == kind && problem.page == page);
        let named = named.unwrap_or_else(|| panic!("{kind:?} on page {page}: {:#?}", found.problems));
        assert_eq!((named.is_odd, named.offset), (kind.is_odd(), (page as usize - 1) * 512 + named.at));
        assert!(!named.what.is_empty() && !named.expected.is_empty());
        assert!(found.pages[page as usize - 1].problems > 0);
        planted.push(kind);
    }
    planted.sort_unstable();
    planted.dedup();
    assert_eq!(planted, Kind::ALL);
}

#[test]
fn a_page_is_listed_without_a_gap() {
    for vacuum in 0..2 {
        let victim = Victim::new(vacuum);
        for number in 1..=victim.found.page_count {
            let page = dump(&victim.image, &victim.found, number).unwrap();
            let mut end = 0;
            for span in &page.spans {
                assert_eq!(span.at, end, "page {number}: {span:?}");
                end = span.at + span.length;
            }
            assert_eq!(end, 512);
        }
        assert_eq!(dump(&victim.image, &victim.found, victim.found.page_count + 1), None);
        assert_eq!(dump(&victim.image, &victim.found, 0), None);
    }
}

#[test]
fn cells_that_overlap_take_no_more_time() {
    let mut image = vec![0; 4 * 65536];
    image[..16].copy_from_slice(MAGIC);
    header::PAGE_SIZE.set(&mut image, 1);
    let geometry = Geometry::of(&image);
    let cell = cell::table_leaf(1, &record::encode(&[record::Value::Blob(vec![7; 8000])]));
    for page in 1..=4 {
        page::build(&mut image, &geometry, page, page::PageKind::TableLeaf, std::slice::from_ref(&cell), 0);
        let start = Geometry::btree_offset(page) + 8;
        let bytes = geometry.page_mut(&mut image, page);
        let pointer = [bytes[start], bytes[start + 1]];
        bytes[start - 5..start - 3].copy_from_slice(&20_000_u16.to_be_bytes());
        bytes[start..start + 40_000].chunks_exact_mut(2).for_each(|two| two.copy_from_slice(&pointer));
    }
    let found = inspect(&image, LOCK_BYTE);
    assert!(found.has_unread_records && found.problems.len() + found.problems_left_out > 10_000);
}

#[test]
fn short_files_are_told_from_databases() {
    assert_eq!(inspect(&[], LOCK_BYTE).problems, []);
    for length in [1, 50, 99, 100, 511, 512, 600] {
        let image = &Victim::new(0).image[..length];
        assert!(inspect(image, LOCK_BYTE).damage().next().is_some(), "{length}");
    }
}
