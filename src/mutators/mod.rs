//! Changing cases.
//!
//! Strategy: decode, occasionally repair what ancestors broke, edit the parts that SQLite reads, encode. A [`Mutator`]
//! edits one kind of thing; the table [`MUTATORS`] weights each among those for the same part of the case, and a target
//! weights the parts.
//! Database edits come in three modes: *consistent* (what depends on the edit is recomputed, which
//! reaches deep code), *one lie* (all but one field are), and *raw*.
//!
//! # Contract, checked by this module's property tests
//! * Same case, seed, vocabulary and weights: same result.
//! * [`Outcome::Mutated`] means that the case changed.
//! * No panic, whatever the case: a panic here is blamed on the previous input.
//! * No engine, no clock, no files: a crash here would be saved with a half-mutated input.
//! * Growth is bounded ([`Context::room`]); when [`Context::is_shrinking`], the case does not grow.
#![expect(clippy::ptr_arg, reason = "one signature for all that edit an image: some change its length")]

pub mod adapter;
mod blob_fts3;
mod blob_fts5;
mod blob_jsonb;
mod blob_rtree;
mod blob_terms;
mod bytes;
mod changesets;
mod config;
mod context;
mod crossover;
mod db_blobs;
mod db_cells;
mod db_files;
mod db_graft;
mod db_header;
mod db_inserts;
mod db_journal;
mod db_pages;
mod db_repair;
mod db_rows;
mod db_schema;
mod db_space;
mod db_stats;
mod db_wal;
mod faults;
mod joint;
mod joint_schema;
mod operation_callbacks;
mod operation_calls;
mod operation_questions;
mod operations;
mod schedule;
mod shrink;
mod sql_statements;
mod sql_templates;
mod sql_tokens;
mod sql_tree;
mod weights;

pub use context::Context;
pub use weights::OperatorWeights;

use crate::testcase::TestCase;

/// What a mutator did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// The case changed.
    Mutated,
    /// The case is unchanged: the mutator found nothing to do.
    Skipped,
}

/// One kind of edit.
pub trait Mutator: Sync {
    /// False if [`Mutator::mutate`] would certainly skip. Cheap; true is no guarantee that it will not.
    fn can_mutate(&self, case: &TestCase) -> bool;

    /// Edits the case.
    fn mutate(&self, case: &mut TestCase, context: &mut Context<'_>) -> Outcome;
}

/// What a mutator edits, in the granularity at which mutators are switched off and measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Family {
    /// Statements of the script: removed, duplicated, moved or added.
    Statement,
    /// Tokens of the script, whether it parses or not.
    Token,
    /// The syntax tree of a statement.
    Tree,
    /// Pages: header, cells, pointers between them.
    Page,
    /// Records and the content of their values.
    Record,
    /// Rows of `sqlite_schema`.
    Schema,
    /// Files as a whole, WAL, journal.
    File,
    /// Settings.
    Config,
    /// Operations: connections, prepared statements, and calls of SQLite's interface.
    Operation,
    /// The schedule: switches between connections.
    Schedule,
    /// The fault plan.
    Fault,
    /// More than one part of the case at once.
    Joint,
}

impl Family {
    /// All families.
    pub const ALL: [Self; 12] = [
        Self::Statement,
        Self::Token,
        Self::Tree,
        Self::Page,
        Self::Record,
        Self::Schema,
        Self::File,
        Self::Config,
        Self::Operation,
        Self::Schedule,
        Self::Fault,
        Self::Joint,
    ];

    /// Its name on a command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::Statement => "statement",
            Self::Token => "token",
            Self::Tree => "tree",
            Self::Page => "page",
            Self::Record => "record",
            Self::Schema => "schema",
            Self::File => "file",
            Self::Config => "config",
            Self::Operation => "operation",
            Self::Schedule => "schedule",
            Self::Fault => "fault",
            Self::Joint => "joint",
        }
    }

    /// The part of a case that it edits.
    fn part(self) -> Part {
        match self {
            Self::Statement | Self::Token | Self::Tree => Part::Sql,
            Self::Page | Self::Record | Self::Schema | Self::File => Part::Database,
            Self::Config => Part::Config,
            Self::Operation | Self::Schedule => Part::Operations,
            Self::Fault => Part::Faults,
            Self::Joint => Part::Joint,
        }
    }
}

/// A part of a case.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Part {
    Sql,
    Database,
    Config,
    Operations,
    Faults,
    Joint,
}

impl Part {
    const ALL: [Self; 6] =
        [Self::Sql, Self::Database, Self::Config, Self::Operations, Self::Faults, Self::Joint];
}

/// How often a target mutates each part of a case.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Weights {
    /// SQL text.
    pub sql: u32,
    /// Database, WAL, journal.
    pub database: u32,
    /// Settings.
    pub config: u32,
    /// Operations, and the schedule.
    pub operations: u32,
    /// The fault plan.
    pub faults: u32,
    /// More than one of these.
    pub joint: u32,
}

impl Weights {
    /// Weights for mutating nothing: targets override the parts they do mutate.
    pub const NONE: Self = Self { sql: 0, database: 0, config: 0, operations: 0, faults: 0, joint: 0 };

    fn of(&self, part: Part) -> u32 {
        match part {
            Part::Sql => self.sql,
            Part::Database => self.database,
            Part::Config => self.config,
            Part::Operations => self.operations,
            Part::Faults => self.faults,
            Part::Joint => self.joint,
        }
    }
}

/// A mutator in the table.
pub struct Entry {
    /// Its name.
    pub name: &'static str,
    /// Its family.
    pub family: Family,
    /// Its weight among the mutators of the same part of a case.
    pub weight: u32,
    /// The mutator.
    pub mutator: &'static dyn Mutator,
}

const fn entry(name: &'static str, family: Family, weight: u32, mutator: &'static dyn Mutator) -> Entry {
    Entry { name, family, weight, mutator }
}

/// All mutators.
pub const MUTATORS: &[Entry] = &[
    entry("sql_statement_delete", Family::Statement, 3, &sql_statements::Delete),
    entry("sql_statement_duplicate", Family::Statement, 2, &sql_statements::Duplicate),
    entry("sql_statement_move", Family::Statement, 3, &sql_statements::Move),
    entry("sql_statement_insert", Family::Statement, 24, &sql_statements::Insert),
    entry("sql_token_replace", Family::Token, 10, &sql_tokens::Replace),
    entry("sql_token_delete", Family::Token, 3, &sql_tokens::Delete),
    entry("sql_token_copy", Family::Token, 2, &sql_tokens::Copy),
    entry("sql_group_exchange", Family::Token, 3, &sql_tokens::ExchangeGroups),
    entry("sql_clause_insert", Family::Token, 5, &sql_tokens::InsertClause),
    entry("sql_expression_wrap", Family::Token, 4, &sql_tokens::WrapExpression),
    entry("sql_bytes", Family::Token, 4, &bytes::SqlBytes),
    entry("sql_tree_exchange", Family::Tree, 16, &sql_tree::Exchange),
    entry("sql_tree_clause", Family::Tree, 10, &sql_tree::Clause),
    entry("sql_tree_list", Family::Tree, 6, &sql_tree::List),
    entry("sql_tree_wrap", Family::Tree, 10, &sql_tree::Wrap),
    entry("sql_tree_literal", Family::Tree, 12, &sql_tree::Literal),
    entry("sql_tree_function", Family::Tree, 6, &sql_tree::Function),
    entry("sql_tree_join", Family::Tree, 8, &sql_tree::Join),
    entry("sql_tree_embed", Family::Tree, 8, &sql_tree::Embed),
    entry("sql_tree_rebind", Family::Tree, 6, &sql_tree::Rebind),
    entry("sql_tree_repair", Family::Tree, 2, &sql_tree::Repair),
    entry("db_header_field", Family::Page, 8, &db_header::HeaderField),
    entry("db_page_header", Family::Page, 8, &db_pages::PageHeader),
    entry("db_page_copy", Family::Page, 4, &db_pages::CopyPage),
    entry("db_page_pointer", Family::Page, 10, &db_pages::PagePointer),
    entry("db_cell_pointers", Family::Page, 8, &db_cells::CellPointers),
    entry("db_cell_list", Family::Page, 10, &db_cells::CellList),
    entry("db_cell_field", Family::Page, 10, &db_cells::CellField),
    entry("db_record_value", Family::Record, 14, &db_cells::RecordValue),
    entry("db_record_type", Family::Record, 8, &db_cells::RecordType),
    entry("db_row_store", Family::Record, 8, &db_rows::RowStore),
    entry("db_row_insert", Family::Record, 4, &db_inserts::RowInsert),
    entry("db_row_remove", Family::Record, 2, &db_rows::RowRemove),
    entry("db_blob_fts3", Family::Record, 7, &db_blobs::Fts3),
    entry("db_blob_fts5", Family::Record, 9, &db_blobs::Fts5),
    entry("db_blob_rtree", Family::Record, 6, &db_blobs::Rtree),
    entry("db_blob_jsonb", Family::Record, 8, &blob_jsonb::Jsonb),
    entry("db_statistics", Family::Record, 5, &db_stats::StatisticsRows),
    entry("db_schema_sql", Family::Schema, 12, &db_schema::SchemaSql),
    entry("db_schema_field", Family::Schema, 8, &db_schema::SchemaField),
    entry("db_repair_schema", Family::Schema, 2, &db_repair::RepairSchema),
    entry("db_table_copy", Family::Schema, 2, &db_graft::TableCopy),
    entry("db_schema_rows", Family::Schema, 4, &db_schema::SchemaRows),
    entry("db_leaf_swap", Family::Page, 3, &db_graft::LeafSwap),
    entry("db_overflow", Family::Page, 5, &db_space::Overflow),
    entry("db_freelist", Family::Page, 5, &db_space::Freelist),
    entry("db_pointer_map", Family::Page, 3, &db_space::PointerMap),
    entry("db_repair", Family::Page, 2, &db_space::Repair),
    entry("db_size", Family::File, 3, &db_files::Size),
    entry("db_wal", Family::File, 8, &db_wal::Wal),
    entry("db_journal", Family::File, 6, &db_journal::Journal),
    entry("db_bytes", Family::Page, 8, &bytes::PageBytes),
    entry("config_setting", Family::Config, 1, &config::SettingValue),
    entry("config_toggle", Family::Config, 1, &config::Toggle),
    entry("operation_insert", Family::Operation, 8, &operations::Insert),
    entry("operation_change", Family::Operation, 6, &operations::Change),
    entry("operation_move", Family::Operation, 3, &operations::Move),
    entry("operation_delete", Family::Operation, 2, &operations::Delete),
    entry("fault_plan", Family::Fault, 6, &faults::Plan),
    entry("schedule_switch", Family::Schedule, 7, &schedule::Switches),
    entry("joint_damage_read", Family::Joint, 6, &joint::DamageWhatIsRead),
    entry("joint_declaration", Family::Joint, 5, &joint_schema::Declaration),
    entry("joint_use_schema", Family::Joint, 6, &joint::UseSchema),
    entry("joint_statistics", Family::Joint, 3, &joint::Statistics),
    entry("joint_sql_and_db", Family::Joint, 4, &joint::SqlAndDatabase),
];

/// Maximum number of edits in one mutation.
const EDITS_MAX: u32 = 4;
/// Percentage of mutated scripts in which some statements are first bound to their schema.
const REPAIRED_PERCENT: u8 = 35;
/// Percentage of mutated databases that are first repaired so that they open.
const REPAIRED_DATABASES_PERCENT: u8 = 50;
/// Number of mutators tried before a mutation is abandoned.
const ATTEMPTS_MAX: u32 = 20;

/// Applies one to a few edits, chosen by weight. When shrinking, only edits that make the case smaller.
pub fn mutate(case: &mut TestCase, weights: &OperatorWeights, context: &mut Context<'_>) -> Outcome {
    if case.operations.is_empty() {
        return mutate_parts(case, weights, context);
    }
    let before = (case.sql.clone(), case.operations.clone());
    let outcome = mutate_parts(case, weights, context);
    // Operations that were mutated too, and now fit less well, are mutants like any other.
    case.operations.follow(&before.0, &case.sql);
    case.schedule.follow(before.1.list(), case.operations.list());
    outcome
}

fn mutate_parts(case: &mut TestCase, weights: &OperatorWeights, context: &mut Context<'_>) -> Outcome {
    if context.is_shrinking() {
        return shrink::shrink(case, context);
    }
    let mut edits = 1;
    while edits < EDITS_MAX && context.rng.u8(..) < 90 {
        edits += 1;
    }
    let mut outcome = repair(case, weights, context);
    let mut attempts = 0;
    while edits > 0 && attempts < ATTEMPTS_MAX {
        attempts += 1;
        let Some(entry) = weights.draw(&mut context.rng).map(|index| &MUTATORS[index]) else {
            break;
        };
        if entry.mutator.can_mutate(case) && entry.mutator.mutate(case, context) == Outcome::Mutated {
            context.used(entry.name);
            outcome = Outcome::Mutated;
            edits -= 1;
        }
    }
    outcome
}

/// Repairs what the case's ancestors broke before new edits are made. Corpora keep broken cases for the one
/// thing they reached; without repair, most names would soon mean nothing, and most databases would not open.
fn repair(case: &mut TestCase, weights: &OperatorWeights, context: &mut Context<'_>) -> Outcome {
    let mut outcome = Outcome::Skipped;
    if weights.has(Family::Tree) && context.chance(REPAIRED_PERCENT) {
        outcome = sql_tree::repair(case, context);
    }
    if weights.has(Family::Schema)
        && context.chance(REPAIRED_DATABASES_PERCENT)
        && db_repair::RepairSchema.mutate(case, context) == Outcome::Mutated
    {
        outcome = Outcome::Mutated;
    }
    outcome
}

#[cfg(test)]
mod blob_tests;

#[cfg(test)]
mod hunt;

#[cfg(test)]
mod judge_tests;

#[cfg(test)]
mod log_tests;

#[cfg(test)]
mod tests;

#[cfg(test)]
mod soak;
