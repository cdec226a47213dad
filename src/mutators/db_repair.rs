//! Makes databases open again.
//!
//! With one wrong byte in the header, or one schema row that does not parse, every statement fails before it starts.
//! That is worth a few cases and no more; but the corpus keeps such cases for what they showed, and half of all mutants
//! would descend from them. The repair fixes what keeps SQLite from reading the schema, and leaves all other damage.

use super::db_header::{edit_main, has_main};
use super::db_rows::{atomically, text};
use super::db_schema::{SQL, place, rewrite};
use super::{Context, Mutator, Outcome};
use crate::dbfile::page::{self, BtreePage, PageKind};
use crate::dbfile::schema::{self, SchemaRow};
use crate::dbfile::{Geometry, MAGIC, damage, header, recover, rows, space};
use crate::sql::tree::{self, Binder, Kind, Node};
use crate::sql::vocabulary::Vocabulary;
use crate::sql::{self, Names, same_name};
use crate::testcase::{FileName, JOURNAL, TestCase, WAL};

/// Rows of the schema that are repaired at a time.
const ROWS_MAX: usize = 12;

/// Repairs the header, the first page and the schema rows until SQLite can read the schema; removes a log or journal
/// that would undo that.
pub(super) struct RepairSchema;

impl Mutator for RepairSchema {
    fn can_mutate(&self, case: &TestCase) -> bool {
        has_main(case)
    }

    fn mutate(&self, case: &mut TestCase, context: &mut Context<'_>) -> Outcome {
        let mut outcome = edit_main(case, context, repair);
        let image = case.files.main().unwrap_or_default();
        let (log, journal) = (case.files.get(WAL), case.files.get(JOURNAL));
        if log.is_none() && journal.is_none() {
            return outcome;
        }
        if recover::recovered(image, log, journal).is_none_or(|image| is_unreadable(&image)) {
            case.files.remove(&FileName::wal());
            case.files.remove(&FileName::journal());
            outcome = Outcome::Mutated;
        }
        outcome
    }
}

pub(super) fn repair(image: &mut Vec<u8>, context: &mut Context<'_>) -> Outcome {
    if image.len() < 512 {
        return Outcome::Skipped;
    }
    let before = image.clone();
    repair_header(image);
    repair_page_count(image);
    repair_first_page(image);
    for _ in 0..ROWS_MAX {
        if !repair_row(image, context) {
            break;
        }
    }
    if *image == before {
        return Outcome::Skipped;
    }
    if context.chance(50) {
        space::repair(image);
    }
    Outcome::Mutated
}

/// Whether something keeps SQLite from reading the schema, as far as a quick look shows.
pub(super) fn is_unreadable(image: &[u8]) -> bool {
    if image.len() < 512 {
        return false;
    }
    let mut head = image[..512].to_vec();
    repair_header(&mut head);
    let has_too_many = header::PAGE_COUNT.get(image) > Geometry::of(image).pages;
    head != image[..512] || has_too_many || first_page_is_damaged(image) || defect(image).is_some()
}

/// Fields that must be right for anything to be read (<https://sqlite.org/fileformat2.html#the_database_header>).
fn repair_header(image: &mut [u8]) {
    image[..MAGIC.len()].copy_from_slice(MAGIC);
    if header::page_size(image).is_none() {
        let bytes = if image.len().is_multiple_of(4096) { 4096 } else { 512 };
        header::PAGE_SIZE.set(image, bytes);
    }
    if !matches!(header::WRITE_VERSION.get(image), 1 | 2) || header::READ_VERSION.get(image) > 2 {
        header::WRITE_VERSION.set(image, 1);
        header::READ_VERSION.set(image, 1);
    }
    let page_bytes = header::page_size(image).unwrap_or(512);
    if page_bytes - (header::RESERVED.get(image) as usize) < 480 {
        header::RESERVED.set(image, 0);
    }
    // The payload fractions are constants.
    image[21..24].copy_from_slice(&[64, 32, 32]);
    if header::SCHEMA_FORMAT.get(image) > 4 {
        header::SCHEMA_FORMAT.set(image, 4);
    }
    if header::ENCODING.get(image) > 3 {
        header::ENCODING.set(image, 1);
    }
}

/// A page count beyond the end of the file is corruption; one that is too small hides pages.
fn repair_page_count(image: &mut [u8]) {
    let pages = Geometry::of(image).pages;
    if header::PAGE_COUNT.get(image) > pages {
        header::PAGE_COUNT.set(image, pages);
    }
    if header::INCREMENTAL_VACUUM.get(image) != 0 && header::LARGEST_ROOT.get(image) == 0 {
        header::INCREMENTAL_VACUUM.set(image, 0);
    }
}

fn first_page_is_damaged(image: &[u8]) -> bool {
    let geometry = Geometry::of(image);
    BtreePage::parse(image, &geometry, 1)
        .is_none_or(|page| !page.kind.is_table() || damage::is_damaged(&page, &geometry))
}

fn repair_first_page(image: &mut [u8]) {
    if !first_page_is_damaged(image) {
        return;
    }
    let geometry = Geometry::of(image);
    let at = header::HEADER_BYTES;
    if !matches!(PageKind::from_byte(image[at]), Some(kind) if kind.is_table()) {
        image[at] = PageKind::TableLeaf.byte();
    }
    let Some(btree) = BtreePage::parse(image, &geometry, 1) else {
        return;
    };
    let (kind, right) = (btree.kind, btree.right_child().unwrap_or(0));
    // A row of five columns, if only of NULLs, has a payload of six bytes and two varints before it.
    let is_row = |cell: &Vec<u8>| kind != PageKind::TableLeaf || cell.len() >= 8;
    let mut cells: Vec<Vec<u8>> = btree.cell_bytes().into_iter().filter(is_row).collect();
    // Drop cell after cell until the rest makes a valid page.
    loop {
        if page::build(image, &geometry, 1, kind, &cells, right) && !first_page_is_damaged(image) {
            return;
        }
        if cells.pop().is_none() {
            page::build(image, &geometry, 1, PageKind::TableLeaf, &[], 0);
            return;
        }
    }
}

/// What is wrong with a row of the schema.
enum Defect {
    /// It cannot be repaired.
    Hopeless,
    /// This SQL, which SQLite accepts, replaces the row's.
    Sql(String),
}

/// The first row of the schema that SQLite would call malformed, as far as a parser alone can tell.
fn defect(image: &[u8]) -> Option<(SchemaRow, Defect)> {
    let geometry = Geometry::of(image);
    let mut names = Names::default();
    let mut seen: Vec<String> = Vec::new();
    for row in schema::rows(image) {
        let defect = if seen.iter().any(|name| same_name(name, &row.name)) {
            Some(Defect::Hopeless)
        } else {
            of_row(&row, &geometry, &names)
        };
        if let Some(defect) = defect {
            return Some((row, defect));
        }
        names.add(row.sql.as_bytes());
        seen.push(row.name);
    }
    None
}

fn of_row(row: &SchemaRow, geometry: &Geometry, names: &Names) -> Option<Defect> {
    let needs_root = matches!(row.kind.as_str(), "table" | "index") && !row.is_virtual();
    let has_root = row.root_page(geometry).is_some_and(|root| root > 1);
    if !row.is_consistent() || needs_root && !has_root {
        return Some(Defect::Hopeless);
    }
    if row.sql.is_empty() {
        return (!is_automatic(row, names)).then_some(Defect::Hopeless);
    }
    let expected = match row.kind.as_str() {
        "table" => [Kind::CreateTable, Kind::CreateVirtual],
        "index" => [Kind::CreateIndex; 2],
        "view" => [Kind::CreateView; 2],
        "trigger" => [Kind::CreateTrigger; 2],
        _ => return Some(Defect::Hopeless),
    };
    // Long or deeply nested SQL has no tree, and may be sound.
    let is_long = row.sql.len() > 2000;
    let Some(tree) = tree::parse(row.sql.as_bytes()).filter(|tree| expected.contains(&tree.kind)) else {
        return (!is_long).then(|| replacement(row));
    };
    bound(row, tree, names)
}

/// An index without SQL belongs to a table with a key of its own.
fn is_automatic(row: &SchemaRow, names: &Names) -> bool {
    row.kind == "index" && row.name.starts_with("sqlite_autoindex_") && names.table(&row.table).is_some()
}

/// What SQLite resolves when it reads the schema: names in indexes, targets of triggers, options of tables.
fn bound(row: &SchemaRow, mut tree: Node, names: &Names) -> Option<Defect> {
    let is_resolved = |tree: &Node| {
        let target = tree.child(Kind::Target).and_then(Node::as_text);
        target.is_none_or(|target| names.table(target).is_some())
    };
    let must_fit = matches!(tree.kind, Kind::CreateTable | Kind::CreateIndex);
    if must_fit || !is_resolved(&tree) {
        let before = tree.print();
        let (vocabulary, mut rng) = (Vocabulary::default(), fastrand::Rng::with_seed(0));
        Binder::new(names, &vocabulary, &mut rng, 0).statement(&mut tree);
        if !is_resolved(&tree) {
            return Some(Defect::Hopeless);
        }
        let bound = tree.print();
        if bound != before {
            return Some(Defect::Sql(bound));
        }
    }
    // SQLite looks at the first two letters.
    let begins_right = row.sql.get(..2).is_some_and(|start| start.eq_ignore_ascii_case("CR"));
    (!begins_right).then(|| Defect::Sql(tree.print()))
}

/// A table is kept, with columns of other names; anything else is removed.
fn replacement(row: &SchemaRow) -> Defect {
    match row.kind.as_str() {
        "table" if !row.is_virtual() => {
            Defect::Sql(format!("CREATE TABLE {}(a, b, c)", sql::quoted(&row.name, '"')))
        }
        _ => Defect::Hopeless,
    }
}

/// Repairs the first row that needs it; false if there is none, or if it cannot be repaired.
fn repair_row(image: &mut Vec<u8>, context: &mut Context<'_>) -> bool {
    let Some((row, defect)) = defect(image) else {
        return false;
    };
    let sql = match defect {
        Defect::Sql(sql) => Some(text(image, &sql)),
        Defect::Hopeless => None,
    };
    let outcome = atomically(image, context, |space, _| match sql {
        Some(sql) => rewrite(space, &row, |values| values[SQL] = sql),
        None => rows::remove(space, &place(space, &row)?),
    });
    outcome == Outcome::Mutated
}

#[cfg(test)]
mod tests;
