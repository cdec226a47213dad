//! Edits database and SQL together.

use super::db_header::has_main;
use super::sql_statements::{join, new_statement, store};
use super::{
    Context, Mutator, Outcome, blob_jsonb, db_blobs, db_cells, db_pages, db_rows, db_schema, db_space,
    sql_templates, sql_tokens,
};
use crate::dbfile::{Geometry, blob, pointer_map, rows, schema, tree};
use crate::sql::{self, Names, TokenKind};
use crate::testcase::{FileName, TestCase};

/// Edits that are tried until one hits the tree being read.
const ATTEMPTS_MAX: usize = 12;
/// Rows whose overflow pages are considered, and how many of these pages.
const OVERFLOW_ROWS_MAX: usize = 16;
const OVERFLOW_PAGES_MAX: usize = 64;

/// Edits that suit any page with rows.
const EDITS: [Edit; 7] = [
    db_pages::edit_header,
    db_pages::edit_pointer,
    db_cells::edit_pointers,
    db_cells::edit_field,
    db_cells::edit_value,
    db_cells::edit_type,
    db_rows::store,
];

/// Appends a statement to the script.
pub(super) fn append(case: &mut TestCase, statement: &str, context: &Context<'_>) -> Outcome {
    if statement.len() + 2 > context.room() {
        return Outcome::Skipped;
    }
    let new = join([case.sql.as_bytes(), statement.as_bytes()]);
    store(case, new)
}

/// Damages a page of a table or index that the script names.
pub(super) struct DamageWhatIsRead;

impl Mutator for DamageWhatIsRead {
    fn can_mutate(&self, case: &TestCase) -> bool {
        has_main(case) && !case.sql.is_empty()
    }

    fn mutate(&self, case: &mut TestCase, context: &mut Context<'_>) -> Outcome {
        let image = case.files.main().unwrap_or_default();
        let Some(reads) = Reads::of(image, case.sql.as_bytes(), context) else {
            return Outcome::Skipped;
        };
        let geometry = Geometry::of(image);
        for _ in 0..ATTEMPTS_MAX {
            let mut new = image.to_vec();
            let edit = *context.pick(&reads.edits).expect("EDITS is not empty");
            if edit(&mut new, context) == Outcome::Skipped {
                continue;
            }
            let is_hit = |&number: &u32| geometry.page(&new, number) != geometry.page(image, number);
            if reads.pages.iter().any(is_hit) {
                case.files.insert(FileName::main(), new);
                return Outcome::Mutated;
            }
        }
        Outcome::Skipped
    }
}

/// An edit of an image.
type Edit = fn(&mut Vec<u8>, &mut Context<'_>) -> Outcome;

/// What a script reads from an image, and what may go wrong there.
struct Reads {
    /// The pages.
    pages: Vec<u32>,
    /// Edits that hit these pages, or structures that the script will need.
    edits: Vec<Edit>,
}

impl Reads {
    /// For a table or an index that the script names.
    fn of(image: &[u8], script: &[u8], context: &mut Context<'_>) -> Option<Self> {
        let words: Vec<&[u8]> = sql::tokenize(script)
            .into_iter()
            .filter(|token| matches!(token.kind, TokenKind::Word | TokenKind::QuotedName))
            .map(|token| &script[token.range])
            .collect();
        let has = |name: &str| words.iter().any(|word| word.eq_ignore_ascii_case(name.as_bytes()));
        let geometry = Geometry::of(image);
        let rows = schema::rows(image);
        let mut shadows = blob::shadow_tables(&rows, &geometry);
        shadows.retain(|table| has(&table.owner));
        let named = rows.iter().filter(|row| has(&row.name) || has(&row.table));
        let roots = named.filter_map(|row| row.root_page(&geometry));
        let roots: Vec<u32> = roots.chain(shadows.iter().map(|table| table.root)).collect();
        let root = *context.pick(&roots)?;
        let mut reads = Self { pages: tree::pages(image, &geometry, root), edits: EDITS.to_vec() };
        if !shadows.is_empty() {
            let edits: [Edit; 3] = [db_blobs::edit_fts3, db_blobs::edit_fts5, db_blobs::edit_rtree];
            reads.edits.extend(edits.repeat(3));
        }
        reads.add_chains(image, &geometry, root);
        if ["INSERT", "DELETE", "UPDATE", "DROP", "CREATE", "REPLACE"].iter().any(|word| has(word)) {
            reads.edits.push(db_space::edit_freelist);
            reads.pages.extend(tree::freelist(image, &geometry).trunks);
            reads.pages.push(1);
        }
        if pointer_map::is_present(image) {
            let weight = if has("VACUUM") || has("incremental_vacuum") { 4 } else { 1 };
            reads.edits.extend(vec![db_space::edit_pointer_map as Edit; weight]);
            reads.pages.extend((2..=geometry.pages).filter(|&page| geometry.is_pointer_map(page)));
        }
        Some(reads)
    }

    /// The overflow pages of some rows of the tree at `root`.
    fn add_chains(&mut self, image: &[u8], geometry: &Geometry, root: u32) {
        let some = rows::of(image, geometry, root, OVERFLOW_ROWS_MAX).into_iter();
        let chains = some.filter_map(|row| row.payload.overflow);
        let chains = chains.flat_map(|first| tree::overflow_chain(image, geometry, first));
        let before = self.pages.len();
        self.pages.extend(chains.take(OVERFLOW_PAGES_MAX));
        if self.pages.len() > before {
            self.edits.extend(vec![db_space::edit_overflow as Edit; 3]);
        }
    }
}

/// Adds a statement on an object that only the database defines.
pub(super) struct UseSchema;

impl Mutator for UseSchema {
    fn can_mutate(&self, case: &TestCase) -> bool {
        has_main(case)
    }

    fn mutate(&self, case: &mut TestCase, context: &mut Context<'_>) -> Outcome {
        let mut names = Names::default();
        for row in schema::rows(case.files.main().unwrap_or_default()) {
            names.add(row.sql.as_bytes());
        }
        if names.is_empty() {
            return Outcome::Skipped;
        }
        let statement = new_statement(&names, context);
        append(case, &statement, context)
    }
}

/// Adds statistics that mislead the planner, and a query that is planned with them.
pub(super) struct Statistics;

impl Mutator for Statistics {
    fn can_mutate(&self, _case: &TestCase) -> bool {
        true
    }

    fn mutate(&self, case: &mut TestCase, context: &mut Context<'_>) -> Outcome {
        let names = sql_templates::names(case);
        let stat = ["'1000000 1'", "'1 1000000 1'", "'0'", "''", "'9 9 unordered'", "'8 2 sz=1 noskipscan'"];
        let stat = stat[context.rng.usize(0..stat.len())];
        let template = match context.rng.u8(0..3) {
            0 => format!("ANALYZE; UPDATE sqlite_stat1 SET stat = {stat}; ANALYZE sqlite_schema;"),
            1 => format!(
                "ANALYZE; INSERT INTO sqlite_stat1 SELECT tbl_name, name, {stat} FROM sqlite_schema; ANALYZE sqlite_schema;"
            ),
            _ => "ANALYZE; UPDATE sqlite_stat4 SET nlt = '0 0 0', ndlt = '9 9', sample = $L; ANALYZE sqlite_schema;"
                .to_owned(),
        };
        let query = "SELECT * FROM $T AS a JOIN $T AS b ON a.$C = b.$C WHERE $E AND $E ORDER BY a.$C;";
        let text = sql_templates::fill(&format!("{template} {query}"), &names, context);
        append(case, &text, context)
    }
}

/// Edits both the database and the SQL once.
pub(super) struct SqlAndDatabase;

impl Mutator for SqlAndDatabase {
    fn can_mutate(&self, case: &TestCase) -> bool {
        has_main(case) && !case.sql.is_empty()
    }

    fn mutate(&self, case: &mut TestCase, context: &mut Context<'_>) -> Outcome {
        let database: [&dyn Mutator; 6] = [
            &db_schema::SchemaSql,
            &db_schema::SchemaField,
            &db_cells::RecordValue,
            &db_rows::RowStore,
            &blob_jsonb::Jsonb,
            &db_pages::PagePointer,
        ];
        let sql: [&dyn Mutator; 3] =
            [&sql_tokens::Replace, &sql_tokens::WrapExpression, &sql_tokens::InsertClause];
        let first = database[context.rng.usize(0..database.len())].mutate(case, context);
        let before = case.sql.clone();
        let second = sql[context.rng.usize(0..sql.len())].mutate(case, context);
        debug_assert_eq!(second == Outcome::Mutated, before != case.sql);
        if first == Outcome::Mutated { first } else { second }
    }
}
