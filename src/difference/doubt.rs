//! Why a result may differ without a bug, derived from the text of statements.
//!
//! The reason may be in the statement, or in something that it names: a view with `LIMIT`, a trigger that calls
//! `random()`, a table into which such a value was written. So names are remembered with their reason, and a statement
//! that mentions one has it, too. That is coarser than using a parser and a schema, and errs on the side of doubt.

mod order;

use std::collections::{BTreeMap, BTreeSet};

use super::Policy;
use crate::dbfile::schema;
use crate::known;
use crate::oracles::answers::aggregates::{ORDERED_AGGREGATES, ORDERED_WINDOWS};
use crate::sql::token::{self, TokenKind};
use crate::sql::vocabulary::{CLOCK, RANDOM, TELLS_OF_BUILD};
use crate::sql::{VirtualTable, tree};
use crate::testcase::RICH_SCHEMA;
use crate::testcase::{Setting, TestCase};

/// Pragmas, also as tables (`pragma_…`), whose rows depend on the database and not on the build.
const COMPARED_PRAGMAS: [&str; 14] = [
    "table_info",
    "table_xinfo",
    "index_list",
    "index_info",
    "index_xinfo",
    "foreign_key_list",
    "foreign_key_check",
    "user_version",
    "application_id",
    "encoding",
    "foreign_keys",
    "recursive_triggers",
    "auto_vacuum",
    "journal_mode",
];
/// Pragmas that change how the engine works, but not the result or effect of any later statement.
const IDLE_PRAGMAS: [&str; 17] = [
    "analysis_limit",
    "automatic_index",
    "cache_size",
    "cache_spill",
    "cell_size_check",
    "compile_options",
    "fullfsync",
    "integrity_check",
    "journal_mode",
    "journal_size_limit",
    "locking_mode",
    "mmap_size",
    "quick_check",
    "synchronous",
    "threads",
    "wal_autocheckpoint",
    "wal_checkpoint",
];
/// Names of the table that holds the schema.
const SCHEMA_TABLES: [&str; 4] =
    ["sqlite_schema", "sqlite_master", "sqlite_temp_schema", "sqlite_temp_master"];

/// True for a function whose result depends on the order of rows.
fn depends_on_order(word: &str) -> bool {
    word == "geopoly_group_bbox" || ORDERED_AGGREGATES.contains(&word) || ORDERED_WINDOWS.contains(&word)
}

/// Words of statements whose rows SQLite gets in an order of its own, which `PRAGMA reverse_unordered_selects` does not
/// reverse: it sorts, looks for the first or last key, collects rows before it changes them, or asks a virtual table.
const BEYOND_REVERSAL: [&str; 12] = [
    "order",
    "group",
    "distinct",
    "union",
    "except",
    "intersect",
    "min",
    "max",
    "returning",
    "match",
    "json_each",
    "json_tree",
];
/// Keywords that precede the name of what is created or written to.
const BEFORE_TARGET: [&str; 14] = [
    "INTO", "UPDATE", "FROM", "TABLE", "VIEW", "TRIGGER", "INDEX", "ON", "EXISTS", "IGNORE", "REPLACE",
    "ABORT", "FAIL", "ROLLBACK",
];

/// Why the result of something may differ.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Doubt {
    /// It depends on the build, the clock, or random numbers: nothing can be said.
    pub tells: Option<&'static str>,
    /// It depends on the order of rows: a difference is a warning.
    pub order: Option<&'static str>,
    /// It may depend on an order that does not change when scans are reversed (`BEYOND_REVERSAL`).
    pub is_beyond_reversal: bool,
}

impl Doubt {
    fn or(self, other: Self) -> Self {
        Self {
            tells: self.tells.or(other.tells),
            order: self.order.or(other.order),
            is_beyond_reversal: self.is_beyond_reversal || other.is_beyond_reversal,
        }
    }
}

/// What the text of a statement reveals.
#[derive(Debug, Default)]
pub struct Reading {
    /// It has an `ORDER BY` for all of its rows.
    pub has_top_order: bool,
    /// It has a `LIMIT` for all of its rows.
    pub has_top_limit: bool,
    /// It is a pragma that changes no result.
    pub is_idle_pragma: bool,
    /// Doubts about the statement alone.
    doubt: Doubt,
    /// Words and quoted names, in lower case.
    words: Vec<String>,
    /// Names after [`BEFORE_TARGET`].
    targets: Vec<String>,
    /// The virtual table that it defines.
    virtual_table: Option<String>,
    /// It has the largest integer, which may become a rowid.
    has_largest: bool,
    /// It may write more than one row.
    has_several_rows: bool,
}

impl Reading {
    /// Reads the text of a statement.
    pub fn of(text: &[u8], policy: &Policy) -> Self {
        let mut reading = Self::default();
        let mut depth = 0_u32;
        let mut keyword = "";
        for token in token::tokenize(text) {
            let piece = &text[token.range];
            match token.kind {
                TokenKind::Word | TokenKind::QuotedName => {
                    let word = crate::sql::bare(&String::from_utf8_lossy(piece)).to_ascii_lowercase();
                    let known = crate::sql::keyword(piece).unwrap_or_default();
                    reading.note_word(&word, known, depth, policy);
                    if BEFORE_TARGET.contains(&keyword) && known.is_empty() {
                        reading.targets.push(word.clone());
                    }
                    reading.words.push(word);
                    keyword = known;
                }
                TokenKind::Operator => {
                    reading.has_several_rows |= depth == 0 && piece == b",";
                    depth = match piece {
                        b"(" => depth + 1,
                        b")" => depth.saturating_sub(1),
                        _ => depth,
                    };
                    // `main.t`: the name after the dot is the one that counts.
                    keyword = if piece == b"." { "INTO" } else { "" };
                }
                TokenKind::Number | TokenKind::Text => reading.has_largest |= is_largest(piece),
                _ => {}
            }
        }
        reading.note_verb(policy);
        let in_tree = match tree::parse(text) {
            Some(tree) => order::in_tree(&tree),
            None => reading.order_without_tree(),
        };
        reading.doubt.order = reading.doubt.order.or(in_tree);
        reading.virtual_table =
            VirtualTable::of(text).map(|table| String::from_utf8_lossy(&table.name).into_owned());
        reading
    }

    /// Whether it inserts rows, itself or in a trigger.
    fn inserts(&self) -> bool {
        self.words.iter().any(|word| word == "insert" || word == "replace")
    }

    fn note_word(&mut self, word: &str, keyword: &str, depth: u32, policy: &Policy) {
        let order = match keyword {
            "ORDER" if depth == 0 => {
                self.has_top_order = true;
                None
            }
            "LIMIT" if depth == 0 => {
                self.has_top_limit = true;
                None
            }
            "LIMIT" => Some("LIMIT in a subquery"),
            _ if depends_on_order(word) => Some("a function that depends on the order of rows"),
            _ => None,
        };
        self.doubt.order = self.doubt.order.or(order);
        self.doubt.is_beyond_reversal |= BEYOND_REVERSAL.contains(&word);
        let is_other_pragma =
            || word.strip_prefix("pragma_").is_some_and(|name| !COMPARED_PRAGMAS.contains(&name));
        let tells = if TELLS_OF_BUILD.contains(&word) || is_other_pragma() {
            Some("depends on the build")
        } else if RANDOM.contains(&word) {
            Some("random numbers")
        } else if !policy.is_same_machine && CLOCK.contains(&word) {
            Some("the clock")
        } else if !policy.compares_schema_text && SCHEMA_TABLES.contains(&word) {
            Some("the text of the schema")
        } else {
            None
        };
        self.doubt.tells = self.doubt.tells.or(tells);
    }

    /// What [`order::in_tree`] might have found.
    fn order_without_tree(&self) -> Option<&'static str> {
        let count = |word: &str| self.words.iter().filter(|known| *known == word).count();
        let may_have = count("select") > 1
            || count("group") > 0
            || self.words.iter().any(|word| order::AGGREGATES.contains(&word.as_str()));
        may_have.then_some("queries in a statement that our parser cannot parse")
    }

    fn note_verb(&mut self, policy: &Policy) {
        let mut words = self.words.iter().map(String::as_str);
        let tells = match words.next() {
            Some("explain") => Some("EXPLAIN"),
            Some("pragma") => {
                self.is_idle_pragma = words.clone().any(|name| IDLE_PRAGMAS.contains(&name));
                let is_compared = |name: &str| {
                    COMPARED_PRAGMAS.contains(&name) && (policy.is_same_machine || name != "journal_mode")
                };
                (!words.any(is_compared)).then_some("a pragma")
            }
            _ => None,
        };
        self.doubt.tells = self.doubt.tells.or(tells);
        let says = |word: &str| self.words.iter().any(|known| known == word);
        if says("returning") && says("select") {
            self.doubt.order = self.doubt.order.or(Some("RETURNING with a query over changing rows"));
        }
        let is_query = matches!(self.words.first().map(String::as_str), Some("select" | "values" | "with"));
        if self.has_top_limit && !is_query {
            self.doubt.order = self.doubt.order.or(Some("LIMIT in a statement that writes"));
        }
    }
}

/// Whether a number or a text is the largest rowid.
fn is_largest(piece: &[u8]) -> bool {
    let text = String::from_utf8_lossy(piece).to_ascii_lowercase();
    text.contains("9223372036854775807") || text.contains("0x7fffffffffffffff")
}

/// Names with the reason to doubt what they refer to.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Doubts {
    names: BTreeMap<String, Doubt>,
    virtual_tables: BTreeSet<Vec<u8>>,
    /// Tables that may hold the largest rowid: SQLite then
    /// [chooses the next one at random](https://sqlite.org/autoinc.html).
    full_tables: BTreeSet<String>,
}

impl Doubts {
    /// For the database with which a case starts.
    pub fn of_schema(case: &TestCase, policy: &Policy) -> Self {
        let mut doubts = Self::default();
        let rows = case.files.main().map(schema::rows).unwrap_or_default();
        let mut readings: Vec<Reading> =
            rows.iter().map(|row| Reading::of(row.sql.as_bytes(), policy)).collect();
        if case.config.is_on(Setting::RichSchema) {
            let rich = crate::sql::statements(RICH_SCHEMA.as_bytes());
            readings.extend(rich.map(|range| Reading::of(RICH_SCHEMA[range].as_bytes(), policy)));
        }
        // Whatever uses something doubtful is doubtful, through any number of views and triggers.
        loop {
            let before = doubts.clone();
            for reading in &readings {
                doubts.note_write(reading, doubts.of_statement(reading), false);
            }
            if doubts == before {
                return doubts;
            }
        }
    }

    /// The doubts about the result of a statement.
    pub(super) fn of_statement(&self, reading: &Reading) -> Doubt {
        let doubt = reading.words.iter().fold(reading.doubt, |doubt, word| doubt.or(self.of_name(word)));
        let is_full = |name: &String| self.full_tables.contains(name);
        let is_random = reading.inserts()
            && (reading.targets.iter().any(is_full) || reading.has_largest && reading.has_several_rows);
        let random = is_random.then_some("a rowid behind the largest is random");
        Doubt { tells: doubt.tells.or(random), ..doubt }
    }

    /// The doubts about the content of a table.
    pub(super) fn of_name(&self, name: &str) -> Doubt {
        let name = name.to_ascii_lowercase();
        if known::is_shadow_table(name.as_bytes(), &self.virtual_tables) {
            return Doubt { tells: Some("the format of shadow tables"), ..Doubt::default() };
        }
        self.names.get(&name).copied().unwrap_or_default()
    }

    /// Remembers what a statement that writes has made doubtful.
    pub(super) fn note_write(&mut self, reading: &Reading, doubt: Doubt, is_read_only: bool) {
        if is_read_only {
            return;
        }
        self.note_virtual_tables(reading);
        if reading.has_largest {
            self.full_tables.extend(reading.targets.iter().cloned());
        }
        if doubt == Doubt::default() {
            return;
        }
        for target in &reading.targets {
            let known = self.names.entry(target.clone()).or_default();
            *known = known.or(doubt);
        }
    }

    /// Remembers the virtual table that a statement has defined, or may have given another name: their shadow tables
    /// are named after them.
    fn note_virtual_tables(&mut self, reading: &Reading) {
        self.virtual_tables.extend(reading.virtual_table.clone().map(String::into_bytes));
        let is_alter = reading.words.first().is_some_and(|word| word == "alter");
        if is_alter && reading.words.iter().any(|word| self.virtual_tables.contains(word.as_bytes())) {
            self.virtual_tables.extend(reading.words.iter().map(|word| word.clone().into_bytes()));
        }
    }
}
