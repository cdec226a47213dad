//! Makes a case smaller without losing its bug.
//!
//! # Strategy
//! What a person reads is what is reduced: statements, clauses, expressions, names; tables, rows, pages; frames of a log;
//! settings; operations; faults. Each [pass](passes) knows places that can be done away with. Those that come in rows are cut out by
//! halves, quarters and so on down to single ones (Zeller and Hildebrandt, *Simplifying and Isolating
//! Failure-Inducing Input*, TSE 2002), the others one by one; passes take turns until none of them finds anything more.
//! Where a case has a database, the first try is to do without: its content as SQL.
//!
//! # Invariants
//! * A candidate takes the place of the case only where the [`Judge`] says that it shows the same bug. This module
//!   knows no oracle and runs nothing.
//! * No candidate is judged twice, so that it ends; and it is the same every time, however many are judged at a time.

pub mod passes;

use std::collections::HashSet;

use crate::testcase::{CaseId, TestCase};
use passes::{PASSES, Pass};

/// A part of a case.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Part {
    /// The script.
    Sql,
    /// Database, WAL, journal.
    Db,
    /// Operations.
    Operations,
    /// The fault plan and the schedules.
    Faults,
    /// How the connection is opened.
    Settings,
}

impl Part {
    /// All parts.
    pub const ALL: [Self; 5] = [Self::Sql, Self::Db, Self::Operations, Self::Faults, Self::Settings];
}

/// What a [`Judge`] says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    /// The candidate of this index is the first that shows the bug.
    Kept(usize),
    /// None shows it.
    Lost,
    /// It is time to stop.
    Stop,
}

/// Who knows whether a case still shows the bug.
pub trait Judge {
    /// Why judging may fail.
    type Error;

    /// The first of these candidates that shows the bug, or none.
    ///
    /// # Errors
    /// Where candidates cannot be run.
    fn first(&mut self, candidates: &[TestCase]) -> Result<Answer, Self::Error>;

    /// Candidates that it judges at a time, at least 1.
    fn width(&self) -> usize;

    /// Hears of each smaller case, and of the pass that found it.
    ///
    /// # Errors
    /// Where it cannot be kept.
    fn note(&mut self, case: &TestCase, pass: &'static str) -> Result<(), Self::Error>;
}

/// Why it ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// No pass finds anything more.
    Minimal,
    /// The attempts are used up.
    Attempts,
    /// The judge wanted to stop.
    Stopped,
}

/// What became of a case.
#[derive(Debug, Clone)]
pub struct Minimized {
    /// The smallest case that was found.
    pub case: TestCase,
    /// Candidates that were judged.
    pub attempts: u64,
    /// Those among them that took the place of the case.
    pub accepted: u64,
    /// Why it ended.
    pub end: End,
}

/// Most rounds of all passes; far more than any case needs.
const ROUNDS_MAX: u32 = 40;

/// Makes `case`, which shows the bug, smaller in these parts, with at most so many candidates.
///
/// # Errors
/// Those of the judge.
pub fn minimize<J: Judge>(
    case: TestCase,
    parts: &[Part],
    attempts_max: u64,
    judge: &mut J,
) -> Result<Minimized, J::Error> {
    let seen = HashSet::from([case.id()]);
    let mut run = Run { case, seen, judge, attempts: 0, accepted: 0, attempts_max };
    let passes: Vec<_> = PASSES.iter().filter(|pass| parts.contains(&pass.part())).collect();
    let mut end = End::Minimal;
    'rounds: for _ in 0..ROUNDS_MAX {
        let accepted = run.accepted;
        for pass in &passes {
            if let Some(early) = run.pass(**pass)? {
                end = early;
                break 'rounds;
            }
        }
        if run.accepted == accepted {
            break;
        }
    }
    let Run { case, attempts, accepted, .. } = run;
    Ok(Minimized { case, attempts, accepted, end })
}

struct Run<'j, J> {
    case: TestCase,
    seen: HashSet<CaseId>,
    judge: &'j mut J,
    attempts: u64,
    accepted: u64,
    attempts_max: u64,
}

impl<J: Judge> Run<'_, J> {
    /// Cuts with one pass, from all of its places at once down to one at a time; why all has to end, if it has.
    fn pass(&mut self, pass: &dyn Pass) -> Result<Option<End>, J::Error> {
        let mut size = if pass.is_divisible() { pass.count(&self.case) } else { 1 };
        while size > 0 {
            let mut start = 0;
            loop {
                let count = pass.count(&self.case);
                if start >= count {
                    break;
                }
                let (candidates, next) = self.candidates(pass, start, size, count);
                let cases: Vec<TestCase> = candidates.iter().map(|(_, case)| case.clone()).collect();
                match self.judge(&cases)? {
                    Answer::Kept(at) => {
                        // What follows moves up into the place.
                        let (place, case) = candidates.into_iter().nth(at).expect("the judge got so many");
                        self.accepted += 1;
                        self.case = case;
                        self.judge.note(&self.case, pass.name())?;
                        start = place;
                    }
                    Answer::Lost => start = next,
                    Answer::Stop => return Ok(Some(End::Stopped)),
                }
                if self.attempts >= self.attempts_max {
                    return Ok(Some(End::Attempts));
                }
            }
            size = if size == 1 { 0 } else { size.div_ceil(2) };
        }
        Ok(None)
    }

    /// Candidates for the judge from the place `start` on, and the place behind them.
    fn candidates(
        &mut self,
        pass: &dyn Pass,
        start: usize,
        size: usize,
        count: usize,
    ) -> (Vec<(usize, TestCase)>, usize) {
        let mut candidates = Vec::new();
        let mut at = start;
        while at < count && candidates.len() < self.judge.width() {
            let end = (at + size).min(count);
            let new = pass.without(&self.case, at..end).filter(|case| self.seen.insert(case.id()));
            candidates.extend(new.map(|case| (at, case)));
            at = end;
        }
        (candidates, at)
    }

    fn judge(&mut self, cases: &[TestCase]) -> Result<Answer, J::Error> {
        if cases.is_empty() {
            return Ok(Answer::Lost);
        }
        let answer = self.judge.first(cases)?;
        // Those behind it were judged for nothing, or not at all: only what decides counts, whatever the width.
        self.attempts += match answer {
            Answer::Kept(at) => at as u64 + 1,
            Answer::Lost | Answer::Stop => cases.len() as u64,
        };
        if let Answer::Kept(at) = answer {
            cases[at + 1..].iter().for_each(|case| _ = self.seen.remove(&case.id()));
        }
        Ok(answer)
    }
}

#[cfg(test)]
mod tests;
