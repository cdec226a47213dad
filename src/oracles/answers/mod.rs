//! Wrong answers: statements that must agree with each other.
//!
//! SQLite is asked the same thing in two ways, in the state in which a statement of the script runs. A [`QueryCheck`]
//! does so for every query (those within `INSERT` and `CREATE VIEW`, and the rows that an `UPDATE` or `DELETE` selects,
//! are queries, too), a [`ChangeCheck`] before and after every statement that writes; a [`Follower`] does both and remembers. All checks
//! that judge share one more run of the case, whose statements must do what they did in the first.
//!
//! # When nothing is said
//! A statement is judged only on a database that was sound, and by a check only where SQL leaves one answer ([`Open`]).
//! Where either side fails or takes too long, nothing is said: errors are for the oracle `code`.
//!
//! # Refutation
//! Before SQLite is accused, in this order: does the statement answer the same when it is asked again; do the rows
//! differ only in which of several equal values represents a group (`rows::difference`); if SQL may leave it open, does
//! a reversed scan give other rows already?

pub(crate) mod aggregates;
mod atomicity;
mod bound;
mod change;
mod constant;
mod content;
mod eet;
mod indexes;
mod join;
mod json;
mod materialized;
mod norec;
mod object;
pub(crate) mod open;
mod pivot;
pub(crate) mod plans;
mod probing;
mod property;
pub(crate) mod query;
pub(crate) mod rows;
mod session;
mod sorted;
mod table;
mod tlp;
mod transaction;
mod window;

use super::{Environment, Oracle, Verdict};
use crate::engine::sqlite::Session;
use crate::engine::{Code, Observation, StatementTrace};
use crate::sql::tree::Node;
use crate::testcase::TestCase;

pub(crate) use atomicity::ATOMICITY;
pub(crate) use bound::BOUND;
pub(crate) use change::CHANGE;
pub(crate) use constant::CONSTANT;
pub(crate) use eet::EET;
pub(crate) use indexes::INDEXES;
pub(crate) use join::JOIN;
pub(crate) use json::JSON;
pub(crate) use materialized::MATERIALIZED;
pub(crate) use norec::NOREC;
pub use open::Open;
pub(crate) use pivot::PIVOT;
pub(crate) use plans::PLANS;
pub(super) use probing::{Ledger, judge};
pub(crate) use property::PROPERTY;
pub use query::Query;
pub(crate) use session::SESSION;
pub(crate) use sorted::{ORDER, ROW};
pub(crate) use tlp::TLP;
pub(crate) use window::WINDOW;

/// What a check of a single statement says.
#[derive(Debug, Clone, PartialEq)]
pub enum Said {
    /// The two agree; whether that says anything (rows on both sides, a predicate both true and false).
    Agrees {
        /// False for an agreement that any engine would show.
        is_telling: bool,
    },
    /// Nothing, for this reason.
    Nothing(&'static str),
    /// They do not: what (for the signature), and how.
    Differs(String, String),
}

/// A check of every query.
pub type QueryCheck = fn(&Query<'_>, &mut Session<'_, '_>) -> Said;

/// A check of every statement that writes: called before it, it returns what is called after it, or why nothing can be
/// said.
pub type ChangeCheck = for<'q> fn(&'q Change<'_>, &mut Session<'_, '_>) -> Result<After<'q>, &'static str>;

/// See [`ChangeCheck`].
pub type After<'q> = Box<dyn FnOnce(&StatementTrace, &mut Session<'_, '_>) -> Said + 'q>;

/// What is checked.
#[derive(Clone, Copy)]
pub enum Check {
    /// Queries.
    Queries(QueryCheck),
    /// Statements that write.
    Changes(ChangeCheck),
    /// Statements and what was before them: makes what follows a run, given what the statements did in the first one.
    Runs(fn(&[StatementTrace]) -> Box<dyn Follower>),
}

/// What follows one run of a script and remembers what it has seen.
pub trait Follower {
    /// Called before every statement that writes.
    fn before(&mut self, change: &Change<'_>, db: &mut Session<'_, '_>);

    /// Called after it.
    fn after(&mut self, change: &Change<'_>, trace: &StatementTrace, db: &mut Session<'_, '_>) -> Said;

    /// Called for every query.
    fn query(&mut self, query: &Query<'_>, db: &mut Session<'_, '_>) -> Said;
}

/// A statement of the script that may write.
#[derive(Debug)]
pub struct Change<'q> {
    /// Its text.
    pub text: &'q str,
    /// Its tree; absent for a statement that cannot be parsed here.
    pub tree: Option<&'q Node>,
    /// The code with which it ended in the run that is judged: what a check must look at before depends on it.
    pub code: Code,
}

/// An oracle that checks single statements.
pub struct Statementwise {
    /// The oracle's name.
    pub name: &'static str,
    /// What it checks.
    pub check: Check,
}

impl Oracle for Statementwise {
    fn check(&self, _case: &TestCase, _observation: &Observation, ask: &mut Environment<'_>) -> Verdict {
        ask.of_statements(self.name)
    }

    fn of_statements(&self) -> Option<&Statementwise> {
        Some(self)
    }
}

#[cfg(test)]
mod tests;
