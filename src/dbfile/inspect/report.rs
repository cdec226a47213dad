//! The report of an inspection.

use serde::Serialize;

use super::Inspector;
use super::problem::Problem;
use crate::dbfile::{header, schema};

/// The use of a page: by the first that refers to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
#[serde(tag = "use", rename_all = "kebab-case")]
pub enum PageUse {
    /// Nothing refers to it.
    #[default]
    Unused,
    /// It lies past the pages that the header claims.
    Behind,
    /// A page of a b-tree.
    Btree {
        /// Index in [`Inspection::trees`].
        tree: usize,
        /// Its parent; 0 for a root.
        parent: u32,
    },
    /// A page of an overflow chain.
    Overflow {
        /// Index in [`Inspection::trees`].
        tree: usize,
        /// The page of the cell.
        of: u32,
    },
    /// A trunk page of the freelist.
    FreelistTrunk,
    /// A free page.
    FreelistLeaf {
        /// The trunk page that lists it.
        trunk: u32,
    },
    /// A page of the pointer map.
    PointerMap,
    /// The page with the lock byte.
    LockByte,
}

/// The use of a page, in words; trees are called by their numbers.
pub(super) fn in_words(used_as: PageUse, trees: &[Tree]) -> String {
    let name = |tree: usize| trees.get(tree).map_or("?", |tree| tree.name.as_str());
    match used_as {
        PageUse::Btree { tree, parent: 0 } => format!("root of {}", name(tree)),
        PageUse::Btree { tree, parent } => format!("in the tree of {}, below page {parent}", name(tree)),
        PageUse::Overflow { tree, of } => format!("overflow of {}, page {of}", name(tree)),
        PageUse::FreelistTrunk => "freelist trunk".to_owned(),
        PageUse::FreelistLeaf { trunk } => format!("free, listed by trunk {trunk}"),
        PageUse::PointerMap => "pointer map".to_owned(),
        PageUse::LockByte => "lock-byte page".to_owned(),
        PageUse::Behind => "past the end of the database".to_owned(),
        PageUse::Unused => "not referenced".to_owned(),
    }
}

/// A page.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct PageReport {
    /// Its number, from 1.
    pub number: u32,
    /// Its use.
    #[serde(flatten)]
    pub used_as: PageUse,
    /// How often it is referred to after the first time.
    pub further_references: u32,
    /// Type byte of a b-tree page.
    pub type_byte: Option<u8>,
    /// Cells of a b-tree page, according to its header; leaves listed by a freelist trunk.
    pub cells: Option<usize>,
    /// Free bytes of a b-tree page.
    pub free_bytes: Option<usize>,
    /// Problems on it.
    pub problems: usize,
}

/// A b-tree.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct Tree {
    /// The schema object that it belongs to.
    pub name: String,
    /// Its root page.
    pub root: u32,
    /// It has rowids: it is a table, and not one WITHOUT ROWID.
    pub has_rowids: bool,
    /// Levels; 1 for a root that is a leaf.
    pub depth: u32,
    /// Interior pages.
    pub interior_pages: u32,
    /// Leaf pages.
    pub leaf_pages: u32,
    /// Overflow pages.
    pub overflow_pages: u32,
    /// Rows, or entries.
    pub rows: u64,
    /// Bytes of all payloads, as the cells claim.
    pub payload_bytes: u64,
}

/// The freelist.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct FreePages {
    /// Trunk pages.
    pub trunks: u32,
    /// Leaves that the trunks list.
    pub leaves: u32,
    /// Free pages that the header claims.
    pub claimed: u32,
}

/// A field of the database header.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct FieldReport {
    /// Its name in the format's documentation.
    pub name: &'static str,
    /// Its offset in bytes.
    pub at: usize,
    /// Its value.
    pub value: u32,
    /// What was expected, if it is wrong or odd.
    pub expected: Option<String>,
}

/// A row of the schema.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SchemaReport {
    /// Page of its cell.
    pub page: u32,
    /// Offset of the cell in the page, in bytes.
    pub at: usize,
    /// Key of the row.
    pub rowid: i64,
    /// `table`, `index`, `view` or `trigger`.
    #[serde(rename = "type")]
    pub kind: String,
    /// Name of the object.
    pub name: String,
    /// The table it belongs to.
    pub table: String,
    /// Root page; 0 for none.
    pub root: i64,
    /// The statement that creates it.
    pub sql: String,
}

impl From<&schema::SchemaRow> for SchemaReport {
    fn from(row: &schema::SchemaRow) -> Self {
        let schema::SchemaRow { page, offset, rowid, kind, name, table, root, sql, .. } = row.clone();
        Self { page, at: offset, rowid, kind, name, table, root, sql }
    }
}

/// Everything about a database file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Inspection {
    /// Size of the file in bytes.
    pub file_bytes: usize,
    /// Page size in bytes; an assumption if the header's is invalid.
    pub page_bytes: usize,
    /// Usable bytes of a page.
    pub usable_bytes: usize,
    /// The number of pages that SQLite assumes.
    pub page_count: u32,
    /// The fields of the header.
    pub header: Vec<FieldReport>,
    /// The rows of the schema, as far as they can be read.
    pub schema: Vec<SchemaReport>,
    /// The b-trees; the first is the schema's.
    pub trees: Vec<Tree>,
    /// The freelist.
    pub freelist: FreePages,
    /// The database has a pointer map.
    pub has_pointer_map: bool,
    /// The pages of the file, in order.
    pub pages: Vec<PageReport>,
    /// All problems, by place.
    pub problems: Vec<Problem>,
    /// How many more problems there are.
    pub problems_left_out: usize,
    /// Not all records were read, because too many cells share the same bytes.
    pub has_unread_records: bool,
}

impl Inspection {
    /// Problems that are damage, not merely odd.
    pub fn damage(&self) -> impl Iterator<Item = &Problem> {
        self.problems.iter().filter(|problem| !problem.is_odd)
    }

    /// The use of a page, in words.
    pub fn use_of(&self, page: &PageReport) -> String {
        in_words(page.used_as, &self.trees)
    }
}

pub(super) fn build(mut inspector: Inspector<'_>, image: &[u8]) -> Inspection {
    let mut problems = inspector.problems.list;
    problems.sort_by_key(|problem| problem.offset);
    for problem in &problems {
        if let Some(page) = inspector.found.get_mut(problem.page as usize) {
            page.problems += 1;
        }
    }
    let fields = header::FIELDS.into_iter().map(|field| {
        let is_its =
            |problem: &&Problem| problem.page == 1 && problem.at == field.at && problem.kind.is_of_header();
        let expected = problems.iter().find(is_its).map(|problem| problem.expected.clone());
        FieldReport { name: field.name, at: field.at, value: field.get(image), expected }
    });
    let has_header = image.len() >= header::HEADER_BYTES;
    Inspection {
        file_bytes: image.len(),
        page_bytes: inspector.geometry.page_bytes,
        usable_bytes: inspector.geometry.usable_bytes,
        page_count: inspector.pages,
        header: if has_header { fields.collect() } else { Vec::new() },
        schema: inspector.schema.iter().map(SchemaReport::from).collect(),
        trees: inspector.trees,
        freelist: inspector.free,
        has_pointer_map: inspector.has_map,
        pages: inspector.found.into_iter().skip(1).collect(),
        problems,
        problems_left_out: inspector.problems.left_out,
        has_unread_records: !image.is_empty()
            && (inspector.record_bytes_left == 0 || inspector.link_bytes_left == 0),
    }
}
