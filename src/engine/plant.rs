//! Bugs to plant, so that every check can be seen to fail.
//!
//! A check that never fired is not known to work: SQLite's own row-invariant test was silent for years because it could
//! not fail. `cargo test` and `fuzzcheck doctor selftest` plant each of these and expect its finding. A plant is passed
//! to the executor and never part of a case, so no fuzzed input plants one.

use crate::faults::machine::DiskPlant;

/// A planted bug.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Plant {
    /// The disk misbehaves.
    Disk(DiskPlant),
    /// The SQL function `planted()` misbehaves.
    Function(FunctionPlant),
    /// A statement is left unfinished when the connection is closed.
    UnfinishedStatement,
    /// Statements that contain `planted` return an extra row. Only a comparison with another build shows it.
    WrongRows,
    /// Statements that contain `planted` are said to have failed. Only a comparison with another build shows it.
    WrongCode,
    /// A wrong answer.
    Answer(AnswerPlant),
    /// Settings under which SQLite promises nothing are taken for those under which it promises most.
    TrustedSettings,
}

/// A wrong answer: wherever a text stands in a statement, of the script or of an oracle, and the condition holds, this
/// happens. Tests choose the text such that it stands in one of two statements that must agree.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AnswerPlant {
    /// The text.
    pub at: &'static str,
    /// When.
    pub when: PlantedWhen,
    /// What.
    pub effect: WrongAnswer,
}

/// When an [`AnswerPlant`] shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PlantedWhen {
    /// Always.
    Always,
    /// While these query optimizations are on.
    Optimized(u32),
    /// If this query, on the same connection, returns this text.
    Returns(&'static str, &'static str),
}

/// What an [`AnswerPlant`] does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WrongAnswer {
    /// The last row is missing.
    MissingRow,
    /// The first row comes twice.
    RowTwice,
    /// The first integer is a text; without one, the last value is NULL.
    OtherValue,
    /// The rows come in reverse order.
    Reversed,
    /// After the statement, this runs as well.
    Also(&'static str),
}

/// What the SQL function `planted()` does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FunctionPlant {
    /// Allocates and does not free.
    Leak,
    /// Allocates twice; if the second time fails, it does not free the first.
    LeakOnError,
    /// Allocates, and returns something else if that fails.
    IgnoredFailure,
    /// Aborts the process.
    Abort,
    /// Reads a null pointer.
    Segfault,
    /// Never returns.
    Hang,
    /// Allocates until there is no memory left.
    OutOfMemory,
    /// Recurses endlessly, through SQLite.
    Recursion,
    /// Returns a different value every time.
    Nondeterminism,
    /// Fails with `SQLITE_INTERNAL`.
    InternalError,
    /// Reads a byte past an allocation, which only a sanitizer notices.
    HeapOverread,
    /// Writes a byte past a page of the cache.
    PageOverwrite,
    /// Reads a byte past what SQLite may read behind a page, which only a sanitizer notices.
    PageOverread,
    /// Reads from a page that was given back, which only a sanitizer notices.
    FreedPage,
    /// Returns, and decides by, a byte of a page that was never written.
    FreshPage,
    /// Returns, and decides by, a byte of an allocation that was never written.
    FreshMemory,
    /// Does what its argument says: `planted('leak')`, or `panic`, which is not a bug in SQLite. For cases with more
    /// than one bug.
    ByName,
}

/// All plants by name.
pub const PLANTS: [(&str, Plant); 34] = [
    ("lost-writes", Plant::Disk(DiskPlant::LostWrites)),
    ("lost-freelist", Plant::Disk(DiskPlant::LostFreelist)),
    ("wrong-reads", Plant::Disk(DiskPlant::WrongReads)),
    ("leaked-handle", Plant::Disk(DiskPlant::LeakedHandle)),
    ("lying-sync", Plant::Disk(DiskPlant::LyingSync)),
    ("late-sync", Plant::Disk(DiskPlant::LateSync)),
    ("dropped-journal", Plant::Disk(DiskPlant::DroppedJournal)),
    ("greedy-delete", Plant::Disk(DiskPlant::GreedyDelete)),
    ("free-writer-lock", Plant::Disk(DiskPlant::FreeWriterLock)),
    ("free-file-locks", Plant::Disk(DiskPlant::FreeFileLocks)),
    ("kept-locks", Plant::Disk(DiskPlant::KeptLocks)),
    ("leak-on-error", Plant::Function(FunctionPlant::LeakOnError)),
    ("ignored-failure", Plant::Function(FunctionPlant::IgnoredFailure)),
    ("leak", Plant::Function(FunctionPlant::Leak)),
    ("abort", Plant::Function(FunctionPlant::Abort)),
    ("segfault", Plant::Function(FunctionPlant::Segfault)),
    ("hang", Plant::Function(FunctionPlant::Hang)),
    ("out-of-memory", Plant::Function(FunctionPlant::OutOfMemory)),
    ("recursion", Plant::Function(FunctionPlant::Recursion)),
    ("nondeterminism", Plant::Function(FunctionPlant::Nondeterminism)),
    ("internal-error", Plant::Function(FunctionPlant::InternalError)),
    ("heap-overread", Plant::Function(FunctionPlant::HeapOverread)),
    ("page-overwrite", Plant::Function(FunctionPlant::PageOverwrite)),
    ("page-overread", Plant::Function(FunctionPlant::PageOverread)),
    ("freed-page", Plant::Function(FunctionPlant::FreedPage)),
    ("fresh-page", Plant::Function(FunctionPlant::FreshPage)),
    ("fresh-memory", Plant::Function(FunctionPlant::FreshMemory)),
    ("by-name", Plant::Function(FunctionPlant::ByName)),
    ("unfinished-statement", Plant::UnfinishedStatement),
    ("trusted-settings", Plant::TrustedSettings),
    ("wrong-rows", Plant::WrongRows),
    ("wrong-code", Plant::WrongCode),
    ("lost-rows", also("INTO planted", "DELETE FROM planted")),
    ("other-schema", also("ON planted", "CREATE TABLE IF NOT EXISTS made_by_a_plant(x)")),
];

/// A second statement behind each that contains a text.
const fn also(at: &'static str, sql: &'static str) -> Plant {
    Plant::Answer(AnswerPlant { at, when: PlantedWhen::Always, effect: WrongAnswer::Also(sql) })
}

impl Plant {
    /// The plant with this name.
    pub fn by_name(name: &str) -> Option<Self> {
        PLANTS.iter().find(|(known, _)| *known == name).map(|(_, plant)| *plant)
    }
}
