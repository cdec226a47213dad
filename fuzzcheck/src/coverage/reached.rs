//! Coverage and gaps of sqlite3.c, as in the documents of `coverage` and in the record of a campaign.

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::build::Coverage;

/// What is reached of sqlite3.c.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub(crate) struct Reached {
    /// Cases that were replayed.
    pub cases: u64,
    /// All of sqlite3.c.
    pub total: Coverage,
    /// By source module, in the order of the amalgamation.
    pub modules: Vec<Module>,
    /// The page with the source, from the folder of the campaign.
    pub html: Option<String>,
}

/// A source file of SQLite, as the amalgamation names it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub(crate) struct Module {
    /// `btree.c`.
    pub name: String,
    /// What is reached of it.
    pub reached: Coverage,
}

/// A night in the trend.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub(crate) struct Night {
    /// [`crate::campaign::record::Campaign::id`].
    pub id: String,
    /// When it began.
    pub started: Timestamp,
    /// What the corpora reached at its end.
    pub total: Coverage,
    /// Executions of the night.
    pub executions: u64,
    /// Cases in the shipped corpora at its end.
    pub corpus_cases: u64,
    /// Signatures that were new in it.
    pub new_findings: u64,
}

/// Something that no case reaches.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub(crate) struct Gap {
    /// What it is.
    pub kind: GapKind,
    /// Its name.
    pub name: String,
    /// How many branches, or lines if it has none, it has; 0 if unknown.
    pub size: u64,
    /// Where it is: the source module, for code.
    pub module: Option<String>,
    /// The target that could reach it, and how, in words.
    pub target: Option<String>,
}

/// Kinds of things that can be reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum GapKind {
    /// A function of sqlite3.c.
    Function,
    /// An opcode of the virtual machine.
    Opcode,
    /// An SQL function.
    SqlFunction,
    /// A pragma.
    Pragma,
    /// A result code.
    ResultCode,
}
